"""Examples of the rules are run: what stands behind `Fails:` in a docstring is found, what behind `Passes:` is not.

An example is a part of a spec in backticks, as YAML in flow style; text around it explains it. What it leaves out comes
from `BASE`. Rules whose examples cannot be written so, because no field of a spec leads there, are in `BY_OBJECTS`.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from llmdgen import api
from llmdgen.checks import load_plan_checks
from llmdgen.findings import SpecError
from llmdgen.plain_yaml import load
from llmdgen.registry import RULES
from llmdgen.spec.load import parse

BASE: dict[str, Any] = {
    "path": "inference-scheduling",
    "instanceTypes": ["p5.48xlarge"],
    "model": {"name": "Qwen/Qwen3-32B"},
}
WITH_EXPERTS = {"name": "deepseek-ai/DeepSeek-R1-0528"}
# A list in which one name stands twice is refused before; no field leads to a leader's template or to the scheduler's.
BY_OBJECTS = {"VER010", "VER097", "VER105"}
JUDGED = ("Plan", "Servers", "Workload", "ModelServer", "Container", "Engine")
EXAMPLE = re.compile(r"`(\{[^{].*?\})`")


def examples(code: str, word: str) -> list[str]:
    """The examples behind `Fails:` or `Passes:` of a rule."""
    text = " ".join(RULES[code].explanation.split())
    parts = re.split(r"(Fails:|Passes:)", text)
    told = [part for title, part in zip(parts[1::2], parts[2::2], strict=True) if title == word]
    return [example for part in told for example in EXAMPLE.findall(part)]


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = {key: merged(base[key], value) for key, value in over.items() if isinstance(base.get(key), dict)}
    return {**base, **over, **both}


def codes(example: str) -> tuple[set[str], bool]:
    """The codes of everything that is said of the spec with this part in it, and whether it has a plan."""
    part = load(example)
    base = {**BASE, "model": WITH_EXPERTS} if part.get("path") == "wide-ep" else BASE
    spec = merged(base, part)
    document = {"apiVersion": "llmdgen.dev/v1alpha1", "kind": "WellLitPath", "metadata": {"name": "test"}, "spec": spec}
    try:
        plan = api.draft(parse(json.dumps(document), "spec.yaml")[0], spec["instanceTypes"][0])
    except SpecError as error:
        return {each.finding.code for each in error.findings}, False
    return {each.finding.code for each in api.check(plan)}, True


def judged() -> list[str]:
    load_plan_checks()
    return [code for code, rule in sorted(RULES.items()) if rule.subject in JUDGED]


def cases(word: str) -> list[tuple[str, str]]:
    return [(code, example) for code in judged() for example in examples(code, word)]


@pytest.mark.parametrize(("code", "example"), cases("Fails:"))
def test_what_fails_is_found(code: str, example: str) -> None:
    assert code in codes(example)[0]


@pytest.mark.parametrize(("code", "example"), cases("Passes:"))
def test_what_passes_is_not(code: str, example: str) -> None:
    found, planned = codes(example)
    assert planned
    assert code not in found


def test_rules_without_examples_to_run_are_those_of_objects() -> None:
    without = {code for code in judged() if not (examples(code, "Fails:") and examples(code, "Passes:"))}
    assert without == BY_OBJECTS
