"""The specs of `paths/`, which people start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdgen import api
from llmdgen.facts import catalogue
from llmdgen.findings import Severity
from llmdgen.spec.load import load_all
from llmdgen.spec.model import Spec

FOLDER = Path(__file__).parents[2] / "paths"
READY = [
    pytest.param(spec, instance, id=f"{spec.name} on {instance}")
    for file in sorted(FOLDER.glob("*.yaml"))
    for spec in load_all(file)
    for instance in spec.asked.instance_types
]


@pytest.mark.parametrize(("spec", "instance"), READY)
def test_a_ready_spec_has_no_errors_and_no_warnings(spec: Spec, instance: str) -> None:
    found = api.check(api.draft(spec, instance))
    assert [str(each) for each in found if each.finding.severity is not Severity.NOTE] == []


@pytest.mark.parametrize(("spec", "instance"), READY)
def test_a_ready_spec_fills_whole_nodes(spec: Spec, instance: str) -> None:
    plan = api.draft(spec, instance)
    assert [pool.gpus_used for pool in plan.pools] == [pool.gpus for pool in plan.pools]
    assert all(role.pods_per_node for role in plan.roles)


def test_every_path_has_a_ready_spec() -> None:
    found = {spec.asked.path for file in FOLDER.glob("*.yaml") for spec in load_all(file)}
    assert found == set(catalogue.path_names())


def test_no_two_ready_specs_share_a_name() -> None:
    names = [spec.name for file in FOLDER.glob("*.yaml") for spec in load_all(file)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_ready_spec_names_its_schema_and_says_what_it_is(file: Path) -> None:
    first, second, *_ = file.read_text("utf-8").splitlines()
    assert first == "# yaml-language-server: $schema=../schemas/wellitpath.v1alpha1.json"
    assert second.startswith("# ")
