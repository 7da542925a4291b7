"""NIXL's own list of backends, asked of the NIXL that is installed: `pip install 'llmdgen[nixl]'`.

NIXL finds its backends as plugins, libraries beside it, and offers those that load on the machine: LIBFABRIC only where
libfabric, hwloc and CUDA's libraries are. So the list of a laptop is shorter than that of the image, and a backend
that is missing here may well be there; only a name that NIXL has no plugin for is an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from msgspec import Struct

_PREFIX = "libplugin_"
# The package that vLLM imports, and the flavours that hold it.
_PACKAGES = ("nixl", "nixl_cu12", "nixl_cu13")


class NoNixl(ImportError):
    """There is no NIXL to ask."""


class NixlBackends(Struct, frozen=True):
    """The backends of the installed NIXL: those it brings plugins for, and of them those that load on this machine."""

    shipped: tuple[str, ...]
    loadable: tuple[str, ...]


def installed_backends() -> NixlBackends:
    """The backends of the installed NIXL. Creates an agent without one, so that none of them is started.

    Needs the package nixl with a CUDA flavour (nixl-cu12) and its own imports, torch and numpy. Raises NoNixl.
    """
    api = _api()
    agent = api.nixl_agent("llmdgen", api.nixl_agent_config(backends=[]))
    loadable = tuple(sorted(agent.get_plugin_list()))
    return NixlBackends(tuple(sorted({*_plugin_files(), *loadable})), loadable)


def unknown_backends(asked: Iterable[str], backends: NixlBackends) -> list[str]:
    """Those of the asked backends that NIXL has no plugin for; it would log each and go on without it."""
    return [name for name in asked if name not in backends.shipped]


def _api() -> Any:
    reasons = []
    for package in _PACKAGES:
        try:
            return import_module(f"{package}._api")
        except ImportError as error:
            reasons.append(str(error))
    raise NoNixl(f"NIXL is not installed or cannot be imported: {'; '.join(reasons)}")


def _plugin_files() -> set[str]:
    """Backends by the names of their libraries, which a wheel keeps in a folder of plugins beside the package."""
    folders: list[Path] = []
    for package in _PACKAGES:
        spec = find_spec(package)
        if spec is not None and spec.origin:
            folders.append(Path(spec.origin).parent.parent / f".{package}.mesonpy.libs" / "plugins")
    return {file.stem.removeprefix(_PREFIX) for folder in folders for file in folder.glob(f"{_PREFIX}*.so")}
