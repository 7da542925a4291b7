"""Whether a live cluster can run a plan: questions that only read, each answered by one row."""

from __future__ import annotations

from collections.abc import Sequence

from llmdgen.planning.model import Plan
from llmdgen.preflight import capacity, objects
from llmdgen.preflight.answer import Answer
from llmdgen.preflight.cluster import Cluster


def preflight(plan: Plan, cluster: Cluster) -> list[Answer]:
    """Whether the cluster can run the plan, one answer a question. Raises ClusterError where it cannot be asked."""
    found = [*objects.answers(plan, cluster), *capacity.answers(plan, cluster)]
    return sorted(found, key=lambda each: each.code)


def conclusion(answers: Sequence[Answer]) -> str:
    """What all answers say together. What could not be asked is never taken for a yes."""
    wrong = sum(each.is_wrong for each in answers)
    unknown = sum(each.verdict == "unknown" for each in answers)
    if wrong:
        return f"the cluster cannot run it: {wrong} of {len(answers)} answers say no"
    if not unknown:
        return f"the cluster can run it: {len(answers)} questions, {len(answers)} times yes"
    if unknown == len(answers):
        return "nothing could be confirmed: the cluster refused every question"
    return f"unknown whether the cluster can run it: it refused {unknown} of {len(answers)} questions"
