"""How nodes on AWS are labelled, and what their devices are called (platforms.toml)."""

from __future__ import annotations

from functools import cache
from typing import Any

from llmdgen.facts.catalogue import table


def platform() -> dict[str, Any]:
    """The facts about platforms."""
    return table("platforms.toml")


def gpu() -> str:
    """The resource by which pods ask for GPUs."""
    return _word("gpu_resource")


def efa() -> str:
    """The resource by which pods ask for EFA interfaces."""
    return _word("efa_resource")


def instance_type_label() -> str:
    """The node label with the instance type, on HyperPod by its ml. name."""
    return _word("instance_type_label")


def zone_label() -> str:
    """The node label with the availability zone."""
    return _word("zone_label")


@cache
def _word(key: str) -> str:
    word: str = platform()[key]
    return word
