"""`llmdgen nodes`: Node objects on stdout, and nothing where a spec is wrong."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.cli.conftest import SPEC, Llmdgen


def test_it_prints_the_nodes_of_every_target_as_documents(llmdgen: Llmdgen, spec: Path) -> None:
    answer = llmdgen("nodes", "chat.yaml")
    assert answer.code == 0
    found = list(yaml.safe_load_all(answer.out))
    assert {each["kind"] for each in found} == {"Node"}
    assert {each["metadata"]["labels"]["node.kubernetes.io/instance-type"] for each in found} == {
        "p5.48xlarge",
        "p5en.48xlarge",
    }


def test_one_instance_type_can_be_chosen(llmdgen: Llmdgen, spec: Path) -> None:
    found = list(yaml.safe_load_all(llmdgen("nodes", "chat.yaml", "--instance-type", "p5en.48xlarge").out))
    assert [each["metadata"]["name"] for each in found] == ["chat-p5en.48xlarge-1"]


def test_nothing_is_printed_where_a_spec_is_wrong(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(SPEC + "  decode: {efa: 999}\n")
    answer = llmdgen("nodes", "chat.yaml")
    assert (answer.code, answer.out) == (1, "")
    assert "chat.yaml:" in answer.err
