"""The checks over a finished plan, one file a topic."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module

from llmdgen.resources import PACKAGE


@cache
def load_plan_checks() -> None:
    """Import every module of checks, which registers its rules."""
    for file in sorted(os.listdir(os.path.join(PACKAGE, "checks"))):
        if file.endswith(".py") and not file.startswith("_"):
            import_module(f"llmdgen.checks.{file.removesuffix('.py')}")


def load_all() -> None:
    """Import everything that declares a rule, for `llmdgen explain` and the documentation."""
    load_plan_checks()
    for module in (
        "spec.load",
        "spec.rules",
        "planning.build",
        "engine.checks",
        "verify.run",
        "output.rules",
        "prerequisites.cluster",
        "preflight",
        "upgrade.rules",
    ):
        import_module(f"llmdgen.{module}")
