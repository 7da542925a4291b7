"""The one entry to the checks of vLLM's flags and environment."""

from __future__ import annotations

from llmdgen.engine.checks import connectors, context, environment, flags, limits, parallel, speculation, types
from llmdgen.engine.checks.settings import Numbers, RoleSettings
from llmdgen.registry import run as check_role

__all__ = ["TOPICS", "Numbers", "RoleSettings", "check_role"]

TOPICS = (connectors, context, environment, flags, limits, parallel, speculation, types)
