"""llmdgen: a short spec of an llm-d well-lit path becomes a directory that `helmfile apply` deploys on AWS.

The Python API is the command line in three calls, none of which reads the network, the clock or the environment:

>>> spec = llmdgen.load("paths/pd-disaggregation.yaml")
>>> plan = llmdgen.plan(spec, "p5.48xlarge")
>>> files = llmdgen.render(plan)          # {"helmfile.yaml": "...", "values/router.yaml": "...", ...}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmdgen.version import VERSION as __version__

if TYPE_CHECKING:
    from llmdgen.api import load, plan, render
    from llmdgen.planning.model import Plan
    from llmdgen.spec.model import Spec

__all__ = ["Plan", "Spec", "__version__", "load", "plan", "render"]

_HOMES = {
    "load": "llmdgen.api",
    "plan": "llmdgen.api",
    "render": "llmdgen.api",
    "Plan": "llmdgen.planning.model",
    "Spec": "llmdgen.spec.model",
}


def __getattr__(name: str) -> Any:
    """Import the API on first use, so that `import llmdgen` and `llmdgen --help` stay light."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
