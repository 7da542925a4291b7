"""Plans from the text of a spec, before their checks."""

from __future__ import annotations

from llmdgen import api
from llmdgen.planning.model import Plan
from llmdgen.spec.load import parse


def plan_of(text: str, instance: str = "p5.48xlarge") -> Plan:
    """The plan of a spec's text on an instance type. Raises SpecError where there is none."""
    return api.draft(parse(text, "spec.yaml")[0], instance)
