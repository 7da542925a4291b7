"""Whether a live cluster can run a plan: questions that only read, each answered by one row."""

from __future__ import annotations

from llmdgen.planning.model import Plan
from llmdgen.preflight import capacity, objects
from llmdgen.preflight.answer import Answer
from llmdgen.preflight.cluster import Cluster


def preflight(plan: Plan, cluster: Cluster) -> list[Answer]:
    """Whether the cluster can run the plan, one answer a question. Raises ClusterError where it cannot be asked."""
    found = [*objects.answers(plan, cluster), *capacity.answers(plan, cluster)]
    return sorted(found, key=lambda each: each.code)
