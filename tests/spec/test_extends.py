"""Specs that extend others: what is loaded, where findings point, and that nothing is read twice or too much."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmdgen import api
from llmdgen.api import load
from llmdgen.findings import Place, SpecError
from llmdgen.spec import document
from llmdgen.spec.extends import MOST_BASES
from llmdgen.spec.load import load_all, parse

from .conftest import FULL

HEAD = "apiVersion: llmdgen.dev/v1alpha1\nkind: WellLitPath\n"
BASE = f"""\
{HEAD}spec:
  path: pd-disaggregation
  instanceTypes: [p5.48xlarge]
  model:
    name: openai/gpt-oss-120b
  prefill: {{replicas: 4, args: {{max-num-seqs: 256}}}}
  decode:
    parallelism: {{tensor: 4}}
"""
OVER = f"""\
{HEAD}extends: base.yaml
metadata: {{name: production}}
spec:
  decode:
    replicas: 2
"""

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """`write(base=..., production=...)`: files of that name and .yaml in the current directory."""
    monkeypatch.chdir(tmp_path)

    def files(**texts: str) -> None:
        for name, text in texts.items():
            (tmp_path / f"{name}.yaml").write_text(text)

    return files


def refusal(path: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_all(path)
    return str(caught.value).split("\n")


def test_a_spec_says_what_it_has_and_its_base_the_rest(write: Write) -> None:
    write(base=BASE, production=OVER)
    spec = load("production.yaml")
    assert (spec.name, spec.path, spec.asked.path) == ("production", "production.yaml", "pd-disaggregation")
    assert (spec.asked.decode.replicas, spec.asked.decode.parallelism.tensor) == (2, 4)


def test_a_value_of_the_base_stands_in_the_base_and_names_the_spec(write: Write) -> None:
    write(base=BASE, production=OVER)
    spec = load("production.yaml")
    assert spec.locate(("spec", "decode", "replicas")) == Place("production.yaml", 7, 15)
    assert spec.locate(("spec", "decode", "replicas"), on_key=True) == Place("production.yaml", 7, 5)
    assert spec.locate(("spec", "model", "name")) == Place("base.yaml", 7, 11, "production.yaml")
    assert spec.locate(("spec", "decode")) == Place("production.yaml", 7, 5)
    assert spec.locate(("spec", "decode", "efa")) == Place("production.yaml", 7, 5)


def test_a_check_points_to_the_file_whose_value_is_at_fault(write: Write) -> None:
    write(base=BASE.replace("max-num-seqs", "max-num-seq"), production=OVER.replace("replicas: 2", "args: {tp: 2}"))
    spec = load("production.yaml")
    found = [str(each) for each in api.check(api.draft(spec, "p5.48xlarge")) if each.is_error]
    assert [each.partition(" ")[0] for each in found] == ["base.yaml:8:33:", "production.yaml:7:12:"]
    assert found[0].endswith("(spec: production.yaml)")
    assert "(spec:" not in found[1]


def test_a_chain_of_bases_is_merged_from_its_end(write: Write) -> None:
    staging = OVER.replace("production", "staging").replace("replicas: 2", "replicas: 1\n    efa: 8")
    write(base=BASE, staging=staging, production=OVER.replace("base.yaml", "staging.yaml"))
    decode = load("production.yaml").asked.decode
    assert (decode.replicas, decode.efa, decode.parallelism.tensor) == (2, 8, 4)


def test_there_may_be_as_many_bases_as_the_limit_says(write: Write) -> None:
    write(base=BASE, b0=OVER)
    for number in range(1, MOST_BASES + 1):
        write(**{f"b{number}": OVER.replace("base.yaml", f"b{number - 1}.yaml")})
    assert load(f"b{MOST_BASES - 1}.yaml").name == "production"
    assert "SPEC025" in refusal(f"b{MOST_BASES}.yaml")[0]


def test_the_digest_is_that_of_the_same_spec_in_one_file(write: Write) -> None:
    write(base=BASE, production=OVER)
    whole = BASE.replace("spec:\n", "metadata: {name: production}\nspec:\n").replace(
        "decode:", "decode:\n    replicas: 2"
    )
    write(whole=whole)
    assert load("production.yaml").digest == load("whole.yaml").digest
    assert load("production.yaml").said == load("whole.yaml").said


def test_null_deletes_a_flag_of_the_base_so_that_the_path_chooses_again(write: Write) -> None:
    write(base=BASE, production=f"{OVER}  prefill: {{replicas: null, args: {{max-num-seqs: null}}}}\n")
    prefill = load("production.yaml").asked.prefill
    assert prefill is not None
    assert (prefill.replicas, prefill.args) == (None, {})


def test_what_a_spec_replaces_or_deletes_need_not_be_right_in_the_base(write: Write) -> None:
    write(base=f"{BASE}  scheduler: {{replica: 1}}\n", production=f"{OVER}  scheduler: {{replica: null}}\n")
    assert load("production.yaml").asked.scheduler.replicas == 1


def test_a_name_is_asked_of_the_spec_and_not_of_its_base(write: Write) -> None:
    named = BASE.replace("spec:\n", "metadata: {name: base, namespace: chat}\nspec:\n")
    write(base=named, production=OVER, nameless=OVER.replace("metadata: {name: production}\n", ""))
    assert load("production.yaml").namespace == "chat"
    (told,) = refusal("nameless.yaml")
    assert told == (
        "nameless.yaml:1:1: error SPEC026: metadata.name is missing, and 'base' is the name of its base"
        " (fix: add metadata: {name: base-nameless}; a base is not loaded itself, but the specs that extend it)"
    )
    for name in ("metadata: {}", "metadata: null", "metadata: {name: null}", "metadata: {namespace: other}"):
        write(nameless=OVER.replace("metadata: {name: production}", name))
        assert [line.split()[2] for line in refusal("nameless.yaml")] == ["SPEC026:"], name


def test_what_nobody_says_is_missing_from_the_spec(write: Write) -> None:
    write(base=f"{HEAD}spec: {{path: pd-disaggregation}}\n", production=OVER)
    assert [line.partition(" (")[0] for line in refusal("production.yaml")] == [
        "production.yaml:5:1: error SPEC006: spec.instanceTypes is missing",
        "production.yaml:5:1: error SPEC006: spec.model is missing",
    ]


def test_a_config_starts_from_the_file_that_names_it(write: Write, tmp_path: Path) -> None:
    config = {"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2, "hidden_size": 64, "vocab_size": 100}
    config |= {
        "num_attention_heads": 8,
        "intermediate_size": 128,
        "torch_dtype": "bfloat16",
        "max_position_embeddings": 4096,
    }
    (tmp_path / "bases").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "specs").mkdir()
    (tmp_path / "bases/config.json").write_text(json.dumps(config))
    model = "    name: acme/tiny\n    size: 1Gi\n    config: ./config.json"
    (tmp_path / "bases/base.yaml").write_text(BASE.replace("    name: openai/gpt-oss-120b", model))
    (tmp_path / "specs/production.yaml").write_text(OVER.replace("base.yaml", "../bases/base.yaml"))
    assert api.draft(load("specs/production.yaml"), "p5.48xlarge").model is not None
    (tmp_path / "bases/config.json").unlink()
    with pytest.raises(SpecError, match=r"^bases/base.yaml:9:13: error .*\(spec: specs/production.yaml\)$"):
        api.draft(load("specs/production.yaml"), "p5.48xlarge")


def test_several_documents_of_a_file_may_each_extend_one(write: Write) -> None:
    write(base=BASE.replace("tensor: 4", "tensors: 4"), both=f"{OVER}---\n{OVER.replace('production', 'staging')}")
    told = refusal("both.yaml")
    assert [line.split()[0] for line in told] == ["base.yaml:10:19:"], "the base's mistake is told once"
    write(base=BASE)
    assert [spec.name for spec in load_all("both.yaml")] == ["production", "staging"]


def test_a_base_is_parsed_once_and_anew_when_it_changes(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    original = document.read

    def counting(text: str, path: str) -> document.Reading:
        parsed.append(path)
        return original(text, path)

    monkeypatch.setattr(document, "read", counting)
    write(base=f"{BASE}# of this test alone\n")
    for number in range(50):
        write(**{f"spec{number}": OVER.replace("production", f"production-{number}")})
        assert load(f"spec{number}.yaml").asked.decode.parallelism.tensor == 4
    assert parsed.count("base.yaml") == 1
    write(base=BASE.replace("tensor: 4", "tensor: 8"))
    assert load("spec7.yaml").asked.decode.parallelism.tensor == 8
    assert parsed.count("base.yaml") == 2


def test_what_is_done_with_one_spec_does_not_reach_the_next(write: Write) -> None:
    write(base=f"{BASE}  values: {{router: {{decode: {{extraConfig: {{a: [1]}}}}}}}}\n", production=OVER)
    first = load("production.yaml")
    first.asked.values.router["decode"]["extraConfig"]["a"].append(2)
    first.said["spec"]["model"]["name"] = "other"
    again = load("production.yaml")
    assert again.asked.values.router == {"decode": {"extraConfig": {"a": [1]}}}
    assert again.asked.model.name == "openai/gpt-oss-120b"


def test_a_place_inside_a_text_block_is_that_of_the_file_with_the_block(write: Write) -> None:
    block = "  values:\n    router:\n      inferenceExtension:\n        pluginsCustomConfig:\n"
    block += "          plugins.yaml: |\n            plugins:\n            - type: queue-scorer\n"
    inside = ("spec", "values", "router", "inferenceExtension", "pluginsCustomConfig", "plugins.yaml", "plugins", 0)
    write(base=BASE + block, production=OVER, own=OVER + block.replace("plugins:\n  ", "plugins:\n\n  "))
    assert load("production.yaml").locate((*inside, "type")) == Place("base.yaml", 17, 21, "production.yaml")
    assert load("own.yaml").locate((*inside, "type")) == Place("own.yaml", 15, 21)


def test_a_secret_in_a_base_is_found_where_it_stands_and_never_told(write: Write) -> None:
    token = "hf_" + "a1B2" * 8
    write(base=f"{BASE}# {token}\n", production=OVER)
    told = refusal("production.yaml")
    assert [line.partition(": error SEC001")[0] for line in told] == ["base.yaml:11:3"]
    assert token not in "".join(told)


def test_a_secret_that_two_files_make_together_is_found(write: Write) -> None:
    write(base=f"{BASE}  values: {{router: {{extra: {{name: HF_TOKEN}}}}}}\n")
    write(production=f"{OVER}  values: {{router: {{extra: {{value: swordfish}}}}}}\n")
    (told,) = refusal("production.yaml")
    assert told.startswith("production.yaml:8:36: error SEC006")
    assert "swordfish" not in told


def test_a_file_of_the_repository_that_is_no_base_is_not_repeated(write: Write, tmp_path: Path) -> None:
    (tmp_path / "private.txt").write_text("swordfish: [")
    write(production=OVER.replace("base.yaml", "private.txt"))
    assert "swordfish" not in "".join(refusal("production.yaml"))


def test_a_base_that_cannot_be_read_is_told_at_the_base(write: Write, tmp_path: Path) -> None:
    write(production=OVER)
    (tmp_path / "base.yaml").write_bytes(b"a: \xff\n")
    assert refusal("production.yaml")[0].startswith("base.yaml:1:4: error SPEC001: the byte 0xFF")
    (tmp_path / "base.yaml").write_bytes(b"#" * (document.MOST_BYTES + 1))
    assert refusal("production.yaml")[0].startswith("base.yaml:1:1: error SPEC002")
    (tmp_path / "base.yaml").write_bytes(b"")
    assert refusal("production.yaml")[0].startswith("base.yaml:1:1: error SPEC001: the file holds no spec")


def test_files_that_extend_each_other_through_a_link_are_told(write: Write, tmp_path: Path) -> None:
    write(production=OVER.replace("base.yaml", "linked.yaml"))
    (tmp_path / "linked.yaml").symlink_to("production.yaml")
    assert refusal("production.yaml") == [
        "production.yaml:3:10: error SPEC025: the file extends itself (fix: let one of them stand without the others)"
    ]


def test_a_text_without_a_file_extends_what_stands_beside_its_name(write: Write) -> None:
    write(base=BASE)
    assert parse(OVER, "nowhere.yaml")[0].asked.path == "pd-disaggregation"


FULL_SPEC: dict[str, Any] = FULL["spec"]
VALUES = st.sampled_from([None, True, 0, -1, 1.5, "", "x", "64Gi", [], ["x"], [None], {}, {"x": None}, {"name": "x"}])


def some(tree: dict[str, Any], chosen: st.DataObject) -> dict[str, Any]:
    """Some of a tree's keys, some of them with another value."""
    made = {}
    for key, value in tree.items():
        what = chosen.draw(st.integers(0, 7))
        if what == 0:
            made[key] = chosen.draw(VALUES)
        elif what > 3:
            made[key] = some(value, chosen) if isinstance(value, dict) else value
    if chosen.draw(st.integers(0, 9)) == 0:
        made[chosen.draw(st.sampled_from(["unheard-of", "extends", "name", "<<"]))] = chosen.draw(VALUES)
    return made


@given(st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_two_files_hold_they_are_loaded_or_refused_with_places_in_them(
    write: Write, chosen: st.DataObject
) -> None:
    over = {**some(FULL, chosen), "extends": chosen.draw(st.sampled_from(["base.yaml", "base.yaml", "over.yaml", ""]))}
    texts = {name: json.dumps(tree, indent=1) for name, tree in (("base", some(FULL, chosen)), ("over", over))}
    write(**texts)
    try:
        (spec,) = load_all("over.yaml")
    except SpecError as error:
        for each in error.findings:
            assert each.finding.fix
            text = texts[each.place.path.removesuffix(".yaml")]
            assert each.place.line <= len(text.split("\n"))
    else:
        assert {place.path for pair in spec.places.values() for place in pair} <= {"base.yaml", "over.yaml"}
