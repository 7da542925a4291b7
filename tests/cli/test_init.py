"""`llmdgen init`: a spec to start from that is right as it stands, and with each of its comments."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from llmdgen import api
from llmdgen.facts import catalogue
from llmdgen.spec.model import DEFAULT_RELEASE
from tests.cli.conftest import Llmdgen


@pytest.mark.parametrize("path", catalogue.path_names())
def test_the_start_of_each_path_validates(llmdgen: Llmdgen, path: str) -> None:
    Path("start.yaml").write_text(llmdgen("init", path).out)
    answer = llmdgen("validate", "start.yaml", "--strict")
    assert answer.code == 0, answer.err


@pytest.mark.parametrize("path", catalogue.path_names())
def test_what_it_writes_as_a_number_is_what_the_path_would_choose(llmdgen: Llmdgen, path: str) -> None:
    text = llmdgen("init", path).out
    Path("start.yaml").write_text(text)
    Path("bare.yaml").write_text(re.sub(r"^  (prefill|decode):\n(    .*\n)+", "", text, flags=re.MULTILINE))
    start, bare = api.load("start.yaml"), api.load("bare.yaml")
    assert bare.asked.prefill is None
    (instance_type,) = api.targets(start)
    sizes = [[role.size for role in api.draft(spec, instance_type).roles] for spec in (start, bare)]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("path", catalogue.path_names())
def test_each_commented_line_may_be_uncommented(llmdgen: Llmdgen, path: str) -> None:
    lines = llmdgen("init", path).out.splitlines()
    choices = [number for number, line in enumerate(lines) if number > 3 and re.match(r"^ +# [a-zA-Z]+: *\S", line)]
    assert len(choices) >= 6
    for number in choices:
        changed = [*lines]
        changed[number] = re.sub(r"# ", "", lines[number], count=1)
        Path("start.yaml").write_text("\n".join(changed) + "\n")
        assert api.load("start.yaml").name == path, lines[number]


def test_the_first_line_names_the_schema_that_llmdgen_prints(llmdgen: Llmdgen) -> None:
    assert llmdgen("init", "wide-ep").out.startswith("# yaml-language-server: $schema=wellitpath.v1alpha1.json\n")


def test_the_model_and_the_nodes_may_be_given(llmdgen: Llmdgen) -> None:
    answer = llmdgen("init", "inference-scheduling", "--model", "Qwen/Qwen3-32B", "--instance-type", "ml.p5en.48xlarge")
    Path("start.yaml").write_text(answer.out)
    loaded = api.load("start.yaml")
    assert (loaded.asked.model.name, loaded.asked.instance_types) == ("Qwen/Qwen3-32B", ("ml.p5en.48xlarge",))


def test_the_start_is_for_the_default_release(llmdgen: Llmdgen) -> None:
    assert f"\n  release: {DEFAULT_RELEASE}\n" in llmdgen("init", "inference-scheduling").out


def test_of_a_model_that_nobody_knows_no_size_is_invented(llmdgen: Llmdgen) -> None:
    answer = llmdgen("init", "inference-scheduling", "--model", "openai/gpt-oss-12b", "-o", "chat.yaml")
    text = Path("chat.yaml").read_text()
    assert answer.code == 1
    assert "\n    # llmdgen does not know this model; did you mean openai/gpt-oss-120b or openai/gpt-oss-20b?\n" in text
    assert re.search(r"^ +size:", text, re.MULTILINE) is None
    line = text.splitlines().index("    name: openai/gpt-oss-12b") + 1
    assert answer.err.startswith(f"chat.yaml:{line}:11: error MOD001: ")
    Path("chat.yaml").write_text(text.replace("    # size:", "    size:"))
    assert llmdgen("validate", "chat.yaml").code == 0


@pytest.mark.parametrize(("given", "size"), [("120", "120Gi"), ("", None), ("many", None)])
def test_somebody_who_is_there_is_asked_for_it(
    llmdgen: Llmdgen, monkeypatch: pytest.MonkeyPatch, given: str, size: str | None
) -> None:
    for stream in (sys.stdin, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr("click.prompt", lambda *_, **__: given)
    answer = llmdgen("init", "inference-scheduling", "--model", "acme/secret-70b", "-o", "chat.yaml")
    assert answer.code == (0 if size else 1)
    assert (f"\n    size: {size} " in Path("chat.yaml").read_text()) is bool(size)


def test_the_file_is_written_even_where_the_model_does_not_run_so(llmdgen: Llmdgen) -> None:
    answer = llmdgen("init", "wide-ep", "--model", "Qwen/Qwen3-0.6B", "-o", "chat.yaml")
    assert answer.code == 1
    assert answer.err.startswith("chat.yaml:19:11: error PATH006: ")
    assert api.load("chat.yaml").asked.model.name == "Qwen/Qwen3-0.6B"


@pytest.mark.parametrize("key", ["instanceType", "cache", "images"])
def test_what_is_often_wanted_is_shown(llmdgen: Llmdgen, key: str) -> None:
    assert f"  # {key}: " in llmdgen("init", "pd-disaggregation").out


def test_nodes_that_do_not_exist_are_an_error(llmdgen: Llmdgen) -> None:
    answer = llmdgen("init", "pd-disaggregation", "--instance-type", "p5.84xlarge")
    assert (answer.code, answer.out) == (1, "")
    assert "p5.48xlarge" in answer.err


def test_a_name_cannot_leave_its_place(llmdgen: Llmdgen) -> None:
    answer = llmdgen("init", "inference-scheduling", "--model", "a/b\n  release: evil")
    assert "\n  release: evil" not in answer.out


def test_a_file_is_written_and_never_overwritten(llmdgen: Llmdgen) -> None:
    assert llmdgen("init", "wide-ep", "-o", "new.yaml").code == 0
    text = Path("new.yaml").read_text()
    assert text == re.sub(r"(name: |llm-d-)wide-ep", r"\1new", llmdgen("init", "wide-ep").out)
    answer = llmdgen("init", "pd-disaggregation", "-o", "new.yaml")
    assert (answer.code, answer.err) == (
        1,
        "new.yaml: error: the file exists and is not overwritten (fix: name another with -o)\n",
    )
    assert Path("new.yaml").read_text() == text


def test_a_link_to_nowhere_is_not_followed(llmdgen: Llmdgen) -> None:
    os.symlink("elsewhere.yaml", "new.yaml")
    assert llmdgen("init", "wide-ep", "-o", "new.yaml").code == 1
    assert not Path("elsewhere.yaml").exists()


@pytest.mark.parametrize(
    ("file", "name"),
    {
        "chat.yaml": "chat",
        "nested/gpt-oss.eu.yaml": "pd-disaggregation",
        "Chat.yaml": "pd-disaggregation",
        "true.yaml": "true",
        "1e3.yaml": "1e3",
        "cluster.yaml": "pd-disaggregation",
        "a" * 33 + ".yaml": "a" * 33,
        "a" * 34 + ".yaml": "pd-disaggregation",
    }.items(),
)
def test_the_file_names_the_deployment_where_its_name_can_be_one(llmdgen: Llmdgen, file: str, name: str) -> None:
    Path("nested").mkdir()
    assert llmdgen("init", "pd-disaggregation", "-o", file).code == 0
    assert api.load(file).name == name


def test_two_starts_of_one_path_are_two_deployments(llmdgen: Llmdgen) -> None:
    for file in ("chat.yaml", "code.yaml"):
        assert llmdgen("init", "inference-scheduling", "-o", file).code == 0
    answer = llmdgen("render", "chat.yaml", "code.yaml")
    assert answer.code == 0, answer.err


def test_the_schema_is_missed_once(llmdgen: Llmdgen) -> None:
    hint = "for an editor that completes it: llmdgen schema > wellitpath.v1alpha1.json"
    assert llmdgen("init", "inference-scheduling", "-o", "chat.yaml").out == f"chat.yaml: written\n{hint}\n"
    Path("wellitpath.v1alpha1.json").write_text(llmdgen("schema").out)
    assert llmdgen("init", "inference-scheduling", "-o", "code.yaml").out == ""


@pytest.mark.parametrize("name", ["", " ", "a\udcff"])
@pytest.mark.parametrize("option", ["--model", "--instance-type"])
def test_a_name_that_is_no_text_is_wrong_usage(llmdgen: Llmdgen, option: str, name: str) -> None:
    answer = llmdgen("init", "wide-ep", option, name)
    assert (answer.code, answer.out) == (64, "")
    assert option in answer.err


def test_a_file_in_a_directory_that_is_not_there_is_told_so(llmdgen: Llmdgen) -> None:
    answer = llmdgen("init", "wide-ep", "-o", "specs/a.yaml")
    assert answer.code == 1
    assert "there is no directory for the file (fix: make it" in answer.err


@pytest.mark.parametrize(
    ("there", "named"),
    {
        "repository/specs/production/": "wellitpath.v1alpha1.json",
        "repository/": "../../wellitpath.v1alpha1.json",
        "repository/schemas/": "../../schemas/wellitpath.v1alpha1.json",
        "": None,
    }.items(),
)
def test_a_schema_further_up_in_the_repository_is_named(llmdgen: Llmdgen, there: str, named: str | None) -> None:
    Path("repository/.git").mkdir(parents=True)
    Path("repository/specs/production").mkdir(parents=True)
    Path(there).mkdir(exist_ok=True)
    Path(there, "wellitpath.v1alpha1.json").write_text("{}")
    file = Path("repository/specs/production/chat.yaml")
    answer = llmdgen("init", "inference-scheduling", "-o", str(file))
    assert (answer.out == "") is (named is not None)
    expected = f"# yaml-language-server: $schema={named or 'wellitpath.v1alpha1.json'}\n"
    assert file.read_text().startswith(expected)
