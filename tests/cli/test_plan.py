"""`llmdgen plan`: a table, JSON and a drawing, and nothing written."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.conftest import SPEC, Llmdgen


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def test_the_table_has_a_line_for_each_role_and_each_kind_of_node(llmdgen: Llmdgen, spec: Path) -> None:
    answer = llmdgen("plan", "chat.yaml", "--instance-type", "p5.48xlarge")
    assert answer.code == 0
    lines = [line.split() for line in answer.out.splitlines()]
    assert lines[0][:3] == ["chat", "on", "p5.48xlarge:"]
    header = next(line for line in lines if line[:1] == ["ROLE"])
    prefill = dict(zip(header[:7], next(line for line in lines if line[:1] == ["prefill"]), strict=False))
    assert prefill == {
        "ROLE": "prefill",
        "REPLICAS": "4",
        "PODS": "4",
        "TP": "1",
        "DP": "1",
        "GPUS/POD": "1",
        "EFA/POD": "4",
    }
    assert ["p5.48xlarge", "1", "8", "of", "8", "32", "of", "32", "prefill,", "decode"] in lines
    assert [entry.name for entry in Path().iterdir()] == ["chat.yaml"]


def test_the_tables_fit_80_columns(llmdgen: Llmdgen, spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = llmdgen("plan", "chat.yaml").out
    monkeypatch.setenv("COLUMNS", "80")
    narrow = llmdgen("plan", "chat.yaml").out
    assert max(map(len, wide.splitlines())) > 80
    assert max(map(len, narrow.splitlines())) <= 80
    assert "TOKENS" in narrow


def test_several_specs_have_totals_by_instance_type_and_zone(llmdgen: Llmdgen, spec: Path) -> None:
    Path("other.yaml").write_text(SPEC.replace("name: chat", "name: other") + "  cluster: {zone: us-east-1a}\n")
    Path("third.yaml").write_text(SPEC.replace("name: chat", "name: third"))
    out = llmdgen("plan", "chat.yaml", "other.yaml", "third.yaml", "--instance-type", "p5.48xlarge").out
    *_, header, any_zone, one_zone = (line.split() for line in out.splitlines())
    assert header == ["INSTANCE", "TYPE", "ZONE", "SPECS", "NODES", "GPUS", "EFA"]
    assert any_zone == ["p5.48xlarge", "any", "2", "2", "16", "of", "16", "64", "of", "64"]
    assert one_zone == ["p5.48xlarge", "us-east-1a", "1", "1", "8", "of", "8", "32", "of", "32"]


def test_json_holds_the_allocation_of_every_instance_type(llmdgen: Llmdgen, spec: Path) -> None:
    found = json.loads(llmdgen("plan", "chat.yaml", "--format", "json").out)
    assert [each["target"] for each in found] == ["p5.48xlarge", "p5en.48xlarge"]
    assert [each["roles"]["decode"]["efaPerPod"] for each in found] == [16, 8]


def test_the_drawing_is_of_one_instance_type(llmdgen: Llmdgen, spec: Path) -> None:
    answer = llmdgen("plan", "chat.yaml", "--format", "svg", "--instance-type", "ml.p5en.48xlarge")
    assert ElementTree.fromstring(answer.out).tag.endswith("svg")
    answer = llmdgen("plan", "chat.yaml", "--format", "svg")
    assert (answer.code, "choose it with --instance-type" in answer.err) == (64, True)
    spec.with_name("other.yaml").write_text(SPEC.replace("name: chat", "name: other"))
    answer = llmdgen("plan", "chat.yaml", "other.yaml", "--format", "svg", "--instance-type", "p5.48xlarge")
    assert (answer.code, "one drawing shows one spec" in answer.err) == (64, True)


def test_yaml_is_the_spec_with_its_base_and_the_place_of_each_value(llmdgen: Llmdgen, spec: Path) -> None:
    over = "apiVersion: llmdgen.dev/v1alpha1\nkind: WellLitPath\nextends: chat.yaml\nmetadata: {name: eu}\n"
    spec.with_name("eu.yaml").write_text(
        f"{over}spec: {{cluster: {{zone: us-east-1a}}}}\n---\n{over.replace('eu', 'us')}"
    )
    answer = llmdgen("plan", "eu.yaml", "--format", "yaml")
    assert (answer.code, answer.err) == (0, "")
    first, second = answer.out.split("---\n")
    assert "    name: openai/gpt-oss-120b       # chat.yaml:9\n" in first
    assert "    zone: us-east-1a                # eu.yaml:5\n" in first
    assert "  name: us" in second


def test_yaml_is_shown_with_the_errors_of_its_values(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(SPEC.replace("max-model-len", "max-model-length"))
    answer = llmdgen("plan", "chat.yaml", "--format", "yaml")
    assert answer.code == 1
    assert "      max-model-length: 8192        # chat.yaml:12\n" in answer.out
    assert "error VLLM001" in answer.err


def test_a_wrong_spec_gives_its_errors_and_no_plan(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(SPEC.replace("path: pd", "path: dp"))
    answer = llmdgen("plan", "chat.yaml")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("chat.yaml:6:9: error ")


def test_two_specs_of_one_name_are_no_plan(llmdgen: Llmdgen, spec: Path) -> None:
    Path("again.yaml").write_text(spec.read_text())
    answer = llmdgen("plan", "chat.yaml", "again.yaml")
    assert answer.code == 1
    assert answer.err.count("OUT004") == 2
    assert not answer.out
