"""The vLLM and the NIXL that are installed beside llmdgen, asked about arguments and backends: `pip install
'llmdgen[vllm]'`, `'llmdgen[nixl]'`.

llmdgen's own checks need neither and speak of the release's versions. This asks the parser of whatever vLLM is
installed, which may be another version; `installed_version` says which. Importing either imports torch, which takes
seconds, so it is done on request alone.

NIXL finds its backends as plugins, libraries beside it, and offers those that load on the machine: LIBFABRIC only where
libfabric, hwloc and CUDA's libraries are. So the list of a laptop is shorter than that of the image, and a backend
that is missing here may well be there; only a name that NIXL has no plugin for is an error.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Where vLLM has had make_arg_parser: until 0.29, from 0.30, from 0.33.
_HOMES = (
    "vllm.entrypoints.openai.cli_args",
    "vllm.entrypoints.launchers.cli_args",
    "vllm.entrypoints.common.cli_args",
)
_NIXL = ("nixl", "nixl_cu12", "nixl_cu13")
_PLUGIN = "libplugin_"


class NoVllm(ImportError):
    """There is no vLLM to ask, or it keeps its parser where llmdgen does not know it."""


def installed_version() -> str | None:
    """The version of the installed vLLM, None where there is none."""
    try:
        return metadata.version("vllm")
    except metadata.PackageNotFoundError:
        return None


def check_with_installed_vllm(argv: Sequence[str]) -> list[str]:
    """What the installed vLLM's parser says against an argument list (everything after `vllm serve`), best empty.

    Runs the parser alone: no model is read and no engine is started, so what only the engine refuses passes. Raises
    NoVllm where vLLM is not installed.
    """
    parser = _parser()
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint), contextlib.redirect_stdout(io.StringIO()):
            parser.parse_args(list(argv))
    except SystemExit:
        return [complaint.getvalue().rpartition("error: ")[2].strip() or "the parser stopped without a reason"]
    except (LookupError, OSError, TypeError, ValueError) as error:
        return [f"{type(error).__name__}: {error}"]
    return []


def _parser() -> argparse.ArgumentParser:
    for home in _HOMES:
        try:
            make: Any = import_module(home).make_arg_parser
            break
        except ModuleNotFoundError as error:
            if error.name is None or not home.startswith(error.name):
                raise NoVllm(f"vLLM is installed but cannot be imported: {error}") from error
    else:
        raise NoVllm("vLLM is not installed (fix: pip install vllm)")
    flexible: Any = import_module("vllm.utils.argparse_utils").FlexibleArgumentParser
    # vLLM looks at the process's own command line: which flags it offers, and whether to read its help texts.
    before, sys.argv = sys.argv, ["vllm", "serve"]
    try:
        parser: argparse.ArgumentParser = make(flexible(prog="vllm serve"))
    finally:
        sys.argv = before
    return parser


def installed_backends() -> list[str] | None:
    """The backends that the installed NIXL brings plugins for, None where there is no NIXL to ask.

    Creates an agent without a backend, so that none of them is started. Needs the package nixl with a CUDA flavour
    (nixl-cu12) and its own imports, torch and numpy.
    """
    for package in _NIXL:
        try:
            api = import_module(f"{package}._api")
        except ImportError:
            continue
        agent = api.nixl_agent("llmdgen", api.nixl_agent_config(backends=[]))
        return sorted({*agent.get_plugin_list(), *_plugin_files()})
    return None


def _plugin_files() -> set[str]:
    """Backends by the names of their libraries, which a wheel keeps in a folder of plugins beside the package."""
    homes = (spec.origin for spec in map(find_spec, _NIXL) if spec is not None and spec.origin)
    folders = [Path(home).parent.parent / f".{Path(home).parent.name}.mesonpy.libs" / "plugins" for home in homes]
    return {file.stem.removeprefix(_PLUGIN) for folder in folders for file in folder.glob(f"{_PLUGIN}*.so")}
