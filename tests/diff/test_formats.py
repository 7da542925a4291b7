"""The difference as Markdown and JSON, and that no value gets out of its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmdgen import resources
from llmdgen.diff import json as json_format
from llmdgen.diff import markdown, text
from llmdgen.diff.fold import Difference, Section, difference
from llmdgen.diff.step import Change, Consequence

from .conftest import PD, changed, compared, side

SCHEMAS = Path(resources.SCHEMAS)

HERE = Path(__file__).parent
TWO = changed(PD, {"spec.instanceTypes": ["p5.48xlarge", "p5en.48xlarge"]})
CHANGES: dict[str, Any] = {
    "spec.instanceTypes": ["p5.48xlarge", "p6-b200.48xlarge"],
    "spec.decode.replicas": 2,
    "spec.decode.args.max-num-seqs": 64,
    "spec.engine.env.VLLM_LOGGING_LEVEL": "DEBUG",
    "spec.gateway.loadBalancer.scheme": "internet-facing",
    "spec.with": ["tiered-prefix-cache"],
}


@pytest.fixture(scope="module")
def found() -> Difference:
    return compared(TWO, changed(TWO, CHANGES))


def schema() -> Any:
    return json.loads((SCHEMAS / "diff.v1.json").read_text("utf-8"))


def test_markdown_is_made_for_a_comment(found: Difference, golden: Callable[[Path, str], None]) -> None:
    golden(HERE / "formats" / "comment.md", markdown.write(found))


def test_json_is_made_for_machines(found: Difference, golden: Callable[[Path, str], None]) -> None:
    golden(HERE / "formats" / "difference.json", json_format.write(found))


def test_json_is_what_its_schema_says(found: Difference) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(schema())
    for each in (found, difference({}, {})):
        jsonschema.validate(json.loads(json_format.write(each)), schema())


def test_a_long_table_is_folded_and_a_short_one_is_open(found: Difference) -> None:
    assert markdown.write(found).count("<details>") == 1
    assert "<details>" not in markdown.write(compared(PD, changed(PD, {"spec.decode.replicas": 2})))


def test_no_difference_is_one_line() -> None:
    same = compared(PD, PD)
    assert text.write(same) == "no difference in meaning (1 target compared)\n"
    assert markdown.write(same) == "**llmdgen diff:** no difference in meaning (1 target compared).\n"
    assert json.loads(json_format.write(same))["differs"] is False


def test_colour_is_only_written_where_it_is_asked_for(found: Difference) -> None:
    assert "\x1b" not in text.write(found)
    assert "\x1b[31m" in text.write(found, colour=True)


def test_deployments_that_change_alike_stand_together_under_their_names() -> None:
    old, new = ({}, {})
    for name in ("chat", "talk", *(f"d{number}" for number in range(8))):
        own = changed(PD, {"metadata.name": name})
        old |= side(own)
        new |= side(changed(own, {"spec.scheduler": {"weights": {"queue-scorer": 3}}}))
    found = difference(old, new)
    for written in (text.write(found), markdown.write(found)):
        assert written.count("weight of queue-scorer") == 1
        assert "kubectl -n llm-d-<name> rollout restart deployment/<name>-router-epp" in written
        assert "chat, d0, d1, d2, d3, d4 and 4 more on" in written.replace("`", "")
        assert "size of chat, d0, d1, d2, d3, d4, d5, d6, d7, talk on" in written.replace("`", "")
    assert len(json.loads(json_format.write(found))["sections"]) == 10


def test_a_comment_is_no_longer_than_github_takes() -> None:
    lines = tuple(Change(("decode",), "env", f"env A{number}", "x" * 90, "y" * 90) for number in range(300))
    sections = tuple(Section(f"d{number}", ("p5",), lines[number:], ()) for number in range(10))
    written = markdown.write(Difference((), sections, 10))
    assert len(written) < 65_000
    assert written.endswith("more sections** did not fit here: `llmdgen diff` has all.\n")
    assert written.count("<details>") == written.count("</details>")


HOSTILE = "x | y ``` <img src=x onerror=alert(1)> @everyone [a](javascript:b) \x1b[2J\n# heading"


def hostile() -> Difference:
    line = Change(("decode",), "env", f"env {HOSTILE}", HOSTILE, None)
    says = Consequence("note", f"{HOSTILE} `{HOSTILE}`")
    return Difference((), (Section(HOSTILE, (HOSTILE,), (line,), (says,)),), 1)


def test_a_value_stays_in_its_cell() -> None:
    written = markdown.write(hostile())
    assert "\x1b" not in written
    row = next(row for row in written.splitlines() if row.startswith("| decode"))
    assert row.replace("\\|", "").count("|") == 6
    assert not any(line.startswith("# ") for line in written.splitlines())


def test_prose_of_markdown_has_no_markup_of_a_value() -> None:
    line = next(line for line in markdown.write(hostile()).splitlines() if line.startswith("- "))
    assert "\\<img" in line or "`" in line.partition("<img")[0]
    assert " @everyone" not in line.replace("\\@", "") or "`" in line


def test_a_terminal_gets_nothing_to_obey() -> None:
    written = text.write(hostile())
    assert "\x1b" not in written
    assert "\\x1b[2J" in written


def test_long_values_show_the_part_that_differs() -> None:
    old, new = "a" * 500 + "OLD" + "b" * 500, "a" * 500 + "NEW" + "b" * 500
    section = Section("chat", ("p5",), (Change(("decode",), "script", "start script", old, new),), ())
    line = text.write(Difference((), (section,), 1)).splitlines()[1]
    assert "OLD" in line
    assert "NEW" in line
    assert len(line) < 300
