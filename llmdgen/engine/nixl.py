"""NIXL's own list of backends, asked of the NIXL that is installed: `pip install 'llmdgen[nixl]'`.

NIXL finds its backends as plugins, libraries beside it, and offers those that load on the machine: LIBFABRIC only where
libfabric, hwloc and CUDA's libraries are. So the list of a laptop is shorter than that of the image, and a backend
that is missing here may well be there; only a name that NIXL has no plugin for is an error.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

_PREFIX = "libplugin_"
_PACKAGES = ("nixl", "nixl_cu12", "nixl_cu13")


def installed_backends() -> list[str] | None:
    """The backends that the installed NIXL brings plugins for, None where there is no NIXL to ask.

    Creates an agent without a backend, so that none of them is started. Needs the package nixl with a CUDA flavour
    (nixl-cu12) and its own imports, torch and numpy.
    """
    for package in _PACKAGES:
        try:
            api = import_module(f"{package}._api")
        except ImportError:
            continue
        agent = api.nixl_agent("llmdgen", api.nixl_agent_config(backends=[]))
        return sorted({*agent.get_plugin_list(), *_plugin_files()})
    return None


def _plugin_files() -> set[str]:
    """Backends by the names of their libraries, which a wheel keeps in a folder of plugins beside the package."""
    homes = (spec.origin for spec in map(find_spec, _PACKAGES) if spec is not None and spec.origin)
    folders = [Path(home).parent.parent / f".{Path(home).parent.name}.mesonpy.libs" / "plugins" for home in homes]
    return {file.stem.removeprefix(_PREFIX) for folder in folders for file in folder.glob(f"{_PREFIX}*.so")}
