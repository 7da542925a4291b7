"""Plans whose images lie in a registry that has them, so that a preflight asks of the cluster alone."""

from __future__ import annotations

from typing import Any

from llmdgen.planning.model import Plan
from tests import specs

MIRRORED = {"registry": "registry.example.com/llm-d"}


def plan_of(path: str, model: str = specs.QWEN, instance: str = "p5.48xlarge", /, **sections: Any) -> Plan:
    """As in tests/specs.py."""
    return specs.plan_of(path, model, instance, **{"images": MIRRORED, **sections})
