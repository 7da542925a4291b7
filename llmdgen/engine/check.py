"""The one entry to the checks of vLLM's flags and environment."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from llmdgen.engine.checks import (
    connectors,
    context,
    environment,
    flags,
    json_configs,
    limits,
    parallel,
    speculation,
    types,
)
from llmdgen.engine.checks.settings import ENGINE_RULES, Numbers, RoleSettings
from llmdgen.findings import Finding
from llmdgen.registry import MOST_OF_A_RULE

__all__ = ["TOPICS", "Numbers", "RoleSettings", "check_role"]

TOPICS = (connectors, context, environment, flags, json_configs, limits, parallel, speculation, types)


def check_role(role: RoleSettings) -> Iterator[Finding]:
    """Every finding in one role's settings, in the order of the codes.

    Two roles that share `engine.args` give the same finding twice, equal to each other: `dict.fromkeys` keeps one.
    """
    for rule, check in sorted(ENGINE_RULES, key=lambda each: each[0].code):
        for draft in islice(check(role), MOST_OF_A_RULE):
            yield rule.finding(draft)
