"""The vLLM that is installed beside llmdgen, asked about an argument list: `pip install 'llmdgen[vllm]'`.

llmdgen's own checks need no vLLM and speak of the release's version. This asks the parser of whatever vLLM is
installed, which may be another version; `installed_version` says which. Importing vLLM imports torch, which takes
seconds, so it is done on request alone.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from typing import Any

# Where vLLM has had make_arg_parser: until 0.29, from 0.30, from 0.33.
_HOMES = (
    "vllm.entrypoints.openai.cli_args",
    "vllm.entrypoints.launchers.cli_args",
    "vllm.entrypoints.common.cli_args",
)


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
