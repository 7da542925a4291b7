"""Taints of nodes and what pods tolerate of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

REPELLING = ("NoSchedule", "NoExecute")


def tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    """Kubernetes' own rule: no effect means every effect, no key with Exists every key."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def repels(taint: Mapping[str, Any], tolerations: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a taint keeps pods with these tolerations off a node; PreferNoSchedule only asks."""
    return taint.get("effect") in REPELLING and not any(tolerates(each, taint) for each in tolerations)
