"""`llmdgen explain` and `llmdgen list`: the catalogue, as it can be asked."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from llmdgen.cli.explain import explain, names
from llmdgen.facts import catalogue
from llmdgen.registry import RULES
from tests.cli.conftest import Llmdgen


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal in which every row of a table is a line."""
    monkeypatch.setenv("COLUMNS", "200")


def test_a_code_gives_the_documentation_of_its_rule(llmdgen: Llmdgen) -> None:
    answer = llmdgen("explain", "out001")
    assert answer.code == 0
    assert answer.out.startswith("OUT001 (error): a file in the way was not written by llmdgen\n\n")
    assert "Fails:" in answer.out


def test_every_rule_can_be_explained(llmdgen: Llmdgen) -> None:
    llmdgen("explain", "OUT001")
    assert len(RULES) > 5
    for code, rule in RULES.items():
        assert rule.explanation in str(explain(code))


@pytest.mark.parametrize("flag", ["max-num-seqs", "--max-num-seqs", "max_num_seqs", "MAX-NUM-SEQS"])
def test_a_flag_is_known_however_it_is_written(llmdgen: Llmdgen, flag: str) -> None:
    answer = llmdgen("explain", flag)
    assert answer.code == 0
    assert answer.out.startswith("--max-num-seqs\n")
    assert "vLLM 0.15.1 of llm-d v0.5.1" in answer.out
    assert answer.out.count("--max-num-seqs\n") == 1, "what every release says alike stands once"
    assert "vLLM 0.26.0 of llm-d v0.9.0" in answer.out


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("-tp", "--tensor-parallel-size"),
        ("--no-enable-prefix-caching", "negative  --no-enable-prefix-caching"),
        ("max-num-seqs", "range    >= 1"),
        ("aux-output-config", "no llm-d release here has it"),
        ("calculate-kv-scales", "no longer in 0.30.0"),
    ],
)
def test_a_flag_says_what_its_parser_takes_and_since_when(llmdgen: Llmdgen, flag: str, says: str) -> None:
    answer = llmdgen("explain", flag)
    assert answer.code == 0
    assert says in answer.out


def test_the_beginning_of_a_few_names_gives_them(llmdgen: Llmdgen) -> None:
    answer = llmdgen("explain", "p5")
    assert answer.code == 1
    assert "(fix: did you mean p5.4xlarge, p5.48xlarge, p5e.48xlarge or p5en.48xlarge?)" in answer.err
    assert "`llmdgen list`" in llmdgen("explain", "e").err


@pytest.mark.parametrize("name", ["p5.48xlarge", "ml.p5.48xlarge"])
def test_an_instance_type_says_what_it_has_and_who_says_so(llmdgen: Llmdgen, name: str) -> None:
    answer = llmdgen("explain", name)
    assert answer.out.startswith("p5.48xlarge\n")
    assert "8 x NVIDIA H100" in answer.out
    assert "32 interfaces" in answer.out
    assert "sources:\n  - " in answer.out


def test_a_model_says_its_shape(llmdgen: Llmdgen) -> None:
    answer = llmdgen("explain", "OpenAI/gpt-oss-120b")
    assert "18 full attention, 18 sliding window" in answer.out
    assert "60.8 GiB" in answer.out


def test_everything_that_is_offered_can_be_explained() -> None:
    known = names()
    assert len(known) == len(set(known))
    assert [name for name in known if not explain(name)] == []


@pytest.mark.parametrize(
    ("topic", "meant"), [("p5.49xlarge", "p5.48xlarge"), ("max-num-seq", "max-num-seqs"), ("OUT0001", "OUT001")]
)
def test_what_nobody_knows_is_answered_with_what_was_meant(llmdgen: Llmdgen, topic: str, meant: str) -> None:
    answer = llmdgen("explain", topic)
    assert (answer.code, answer.out) == (1, "")
    assert f"nothing is known of '{topic}' (fix: did you mean " in answer.err
    assert meant in answer.err


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("paths", catalogue.path_names),
        ("instances", catalogue.instance_names),
        ("models", catalogue.model_names),
        ("releases", catalogue.release_names),
    ],
)
def test_a_list_has_a_line_for_each_name(llmdgen: Llmdgen, what: str, names: Callable[[], tuple[str, ...]]) -> None:
    answer = llmdgen("list", what)
    assert answer.code == 0
    assert [line.split()[0] for line in answer.out.splitlines()[1:]] == list(names())


@pytest.mark.parametrize("what", ["paths", "instances", "models", "releases"])
def test_a_list_fits_80_columns(llmdgen: Llmdgen, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = llmdgen("list", what).out
    monkeypatch.setenv("COLUMNS", "80")
    narrow = llmdgen("list", what).out
    assert max(map(len, narrow.splitlines())) <= 80
    assert sorted(narrow.split()) == sorted(wide.split())


def test_the_columns_of_a_list_stand_below_each_other(llmdgen: Llmdgen) -> None:
    header, *lines = llmdgen("list", "instances").out.splitlines()
    end = header.index("GPUS") + len("GPUS")
    assert {line[end - 1].isdigit() and line[end] == " " for line in lines} == {True}


@pytest.mark.parametrize("what", ["paths", "instances", "models", "releases"])
def test_a_list_for_programs_has_the_names_of_the_table(llmdgen: Llmdgen, what: str) -> None:
    document = json.loads(llmdgen("list", what, "--format", "json").out)
    assert document["version"] == 1
    names = [row.get("name") or row["id"] for row in document[what]]
    assert names == [line.split()[0] for line in llmdgen("list", what).out.splitlines()[1:]]


@pytest.mark.parametrize(
    ("topic", "says"),
    [
        ("efa", "EFA003 (error): "),
        ("vllm_logging_level", "VLLM_LOGGING_LEVEL"),
        ("queue-scorer", "kind        scorer"),
        ("prefix-cache-scorer", "lruCapacityPerServer (count)"),
        ("pd-profile-handler", "names a plugin, default always-disagg-pd-decider"),
        ("wide-ep", "flags"),
        ("v0.5.1", "0.15.1"),
        ("0.6.0", "0.17.1"),
    ],
)
def test_families_variables_plugins_paths_and_releases_are_topics(llmdgen: Llmdgen, topic: str, says: str) -> None:
    answer = llmdgen("explain", topic)
    assert answer.code == 0
    assert says in answer.out


@pytest.mark.parametrize("topic", ["", "EFA999", "zzzzzz", "\udcff"])
def test_an_answer_without_an_idea_says_where_to_look(llmdgen: Llmdgen, topic: str) -> None:
    answer = llmdgen("explain", topic)
    assert answer.code == 1
    assert "(fix: " in answer.err


def test_a_plugin_says_what_it_makes_and_reads_and_whether_it_has_a_future() -> None:
    assert "makes       PrefixCacheMatchInfo" in str(explain("approx-prefix-cache-producer"))
    assert "of the producer in prefixMatchInfoProducerName" in str(explain("prefix-cache-scorer"))
    assert "since v0.9.0, use disagg-profile-handler" in str(explain("disagg-headers-handler"))
    assert "--allow-experimental-plugins" in str(explain("session-affinity-filter"))
