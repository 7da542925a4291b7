from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

import llmdgen.spec.rules
from llmdgen import __version__, resources
from llmdgen.findings import Finding, Located, Place, Severity
from llmdgen.registry import RULES
from llmdgen.report.formats import FORMATS, write
from llmdgen.report.text import write as write_text

SCHEMAS = Path(resources.SCHEMAS)

ERROR = Located(
    Finding("SPEC005", Severity.ERROR, "unknown key 'replica'", "did you mean replicas?"),
    Place("paths/a b.yaml", 10, 5),
)
WARNING = Located(Finding("NLB004", Severity.WARNING, "100% of it: a, b", ""), Place("c:d,e.yaml", 1, 2))
NOTE = Located(Finding("SPEC003", Severity.NOTE, "line one\nline two \x1b[31mred", "x"), Place("f.yaml"))
ALL = [ERROR, WARNING, NOTE]

FINDINGS = st.builds(
    Located,
    st.builds(Finding, st.sampled_from(["SPEC001", "EFA003"]), st.sampled_from(Severity), st.text(), st.text()),
    st.builds(Place, st.text(min_size=1), st.integers(1, 10**6), st.integers(1, 10**6)),
)


def test_text_is_one_line_a_finding() -> None:
    assert write("text", ALL).splitlines() == [
        "paths/a b.yaml:10:5: error SPEC005: unknown key 'replica' (fix: did you mean replicas?)",
        "c:d,e.yaml:1:2: warning NLB004: 100% of it: a, b",
        "f.yaml:1:1: note SPEC003: line one\\nline two \\x1b[31mred (fix: x)",
    ]


def test_a_finding_in_a_base_names_the_spec_in_every_format() -> None:
    found = [Located(ERROR.finding, Place("base.yaml", 10, 5, "specs/a.yaml"))]
    said = "unknown key 'replica' (fix: did you mean replicas?) (spec: specs/a.yaml)"
    assert write("text", found) == f"base.yaml:10:5: error SPEC005: {said}\n"
    assert write("github", found) == f"::error file=base.yaml,line=10,col=5,title=SPEC005::{said}\n"
    assert "\033[2m(fix: did you mean replicas?) (spec: specs/a.yaml)\033[0m" in write_text(found, colour=True)
    (result,) = json.loads(write("sarif", found))["runs"][0]["results"]
    assert result["message"]["text"].startswith("unknown key 'replica' (spec: specs/a.yaml)\n")
    (row,) = json.loads(write("json", found))["findings"]
    assert (row["file"], row["spec"]) == ("base.yaml", "specs/a.yaml")
    assert "spec" not in json.loads(write("json", [ERROR]))["findings"][0]


def test_coloured_text_holds_the_same_words() -> None:
    import re

    coloured = write_text(ALL, colour=True)
    assert "\033[31merror SPEC005:\033[0m" in coloured
    assert re.sub(r"\033\[[0-9]*m", "", coloured) == write_text(ALL)


def test_json_has_a_version_and_every_field() -> None:
    document = json.loads(write("json", [ERROR]))
    assert document == {
        "version": 1,
        "findings": [
            {
                "file": "paths/a b.yaml",
                "line": 10,
                "column": 5,
                "code": "SPEC005",
                "severity": "error",
                "message": "unknown key 'replica'",
                "fix": "did you mean replicas?",
            }
        ],
        "suppressed": [],
    }


def test_json_has_what_the_specs_suppress_and_why() -> None:
    document = json.loads(write("json", [], [(ERROR, "the reason")]))
    assert document["findings"] == []
    assert document["suppressed"][0] | {"reason": "the reason"} == document["suppressed"][0]
    assert document["suppressed"][0]["code"] == "SPEC005"


def test_json_is_what_its_schema_says() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((SCHEMAS / "findings.v1.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    in_a_base = Located(ERROR.finding, Place("base.yaml", 10, 5, "specs/a.yaml"))
    for findings in ([], [*ALL, in_a_base]):
        document = json.loads(write("json", findings, [(each, "a reason") for each in findings]))
        jsonschema.validate(document, schema)
    del document["suppressed"][0]["reason"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


@pytest.mark.parametrize("form", ["github", "gitlab", "sarif"])
@pytest.mark.parametrize(
    ("named", "reported"), [("./a.yaml", "a.yaml"), ("x/../a.yaml", "a.yaml"), ("/else/a.yaml", "/else/a.yaml")]
)
def test_hosts_get_names_as_the_repository_has_them(form: str, named: str, reported: str) -> None:
    written = write(form, [Located(ERROR.finding, Place(named, 1, 1))])
    assert f"file={reported}," in written or f'"{reported}"' in written


def test_an_absolute_name_below_the_working_directory_is_a_relative_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/usr")
    assert "file=bin/a.yaml," in write("github", [Located(ERROR.finding, Place("/usr/bin/a.yaml", 1, 1))])


def test_a_working_directory_that_is_gone_is_no_reason_to_lose_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for named in ("/usr/a.yaml", "./a.yaml"):
        assert f"file={named}," in write("github", [Located(ERROR.finding, Place(named, 1, 1))])


def test_github_commands_escape_as_the_runner_unescapes() -> None:
    assert write("github", ALL).splitlines() == [
        "::error file=paths/a b.yaml,line=10,col=5,title=SPEC005::unknown key 'replica' (fix: did you mean replicas?)",
        "::warning file=c%3Ad%2Ce.yaml,line=1,col=2,title=NLB004::100%25 of it: a, b",
        "::notice file=f.yaml,line=1,col=1,title=SPEC003::line one%0Aline two \x1b[31mred (fix: x)",
    ]


def test_sarif_has_what_code_scanning_asks_for() -> None:
    document = json.loads(write("sarif", ALL))
    assert document["version"] == "2.1.0"
    assert document["$schema"].endswith("/sarif-schema-2.1.0.json")
    (run,) = document["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("llmdgen", __version__)
    rules = driver["rules"]
    assert [rule["id"] for rule in rules] == ["NLB004", "SPEC003", "SPEC005"]
    for result in run["results"]:
        assert result["ruleId"] == rules[result["ruleIndex"]]["id"]
        assert result["level"] in ("error", "warning", "note")
    first = run["results"][0]
    assert first["message"]["text"] == "unknown key 'replica'\nFix: did you mean replicas?"
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "paths/a%20b.yaml"},
        "region": {"startLine": 10, "startColumn": 5},
    }


def test_sarif_tells_the_rules_from_the_catalogue() -> None:
    (run,) = json.loads(write("sarif", [ERROR]))["runs"]
    (rule,) = run["tool"]["driver"]["rules"]
    declared = RULES["SPEC005"]
    assert rule["shortDescription"]["text"] == declared.title
    assert rule["help"]["text"] == declared.explanation
    assert rule["defaultConfiguration"] == {"level": "error"}
    assert "\n" not in rule["fullDescription"]["text"]
    assert llmdgen.spec.rules


# What the SARIF 2.1.0 schema demands of the objects that are written: their keys, and which of them are required.
SARIF: dict[str, tuple[set[str], set[str]]] = {
    "log": ({"$schema", "version", "runs"}, {"version", "runs"}),
    "run": ({"tool", "columnKind", "results"}, {"tool"}),
    "driver": ({"name", "version", "semanticVersion", "informationUri", "rules"}, {"name"}),
    "rule": ({"id", "shortDescription", "fullDescription", "help", "defaultConfiguration"}, {"id"}),
    "result": ({"ruleId", "ruleIndex", "level", "message", "locations", "properties"}, {"message"}),
}


def conforms(node: dict[str, Any], kind: str) -> None:
    allowed, required = SARIF[kind]
    assert required <= node.keys() <= allowed


@given(st.lists(FINDINGS, max_size=4))
def test_sarif_of_any_finding_has_the_form_of_the_standard(findings: list[Located]) -> None:
    log = json.loads(write("sarif", findings))
    conforms(log, "log")
    conforms(log["runs"][0], "run")
    conforms(log["runs"][0]["tool"]["driver"], "driver")
    for rule in log["runs"][0]["tool"]["driver"]["rules"]:
        conforms(rule, "rule")
    for result in log["runs"][0]["results"]:
        conforms(result, "result")
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].isascii()


# How many findings a report has. Formats that are not here have a line for each.
COUNTS: dict[str, Callable[[str], int]] = {
    "json": lambda written: len(json.loads(written)["findings"]),
    "sarif": lambda written: len(json.loads(written)["runs"][0]["results"]),
    "gitlab": lambda written: len(json.loads(written)),
}


@given(st.lists(FINDINGS, max_size=4), st.sampled_from(FORMATS))
def test_no_finding_is_lost_or_split_in_any_format(findings: list[Located], form: str) -> None:
    count = COUNTS.get(form, lambda written: written.count("\n"))
    assert count(write(form, findings)) == len(findings), f"is COUNTS right about {form}?"


def test_an_empty_report_is_still_a_document() -> None:
    assert write("text", []) == write("github", []) == ""
    assert json.loads(write("json", [])) == {"version": 1, "findings": [], "suppressed": []}
    assert json.loads(write("sarif", []))["runs"][0]["results"] == []


def test_a_format_that_does_not_exist_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        write("xml", [])


def test_on_a_terminal_long_findings_wrap_and_severities_stand_out() -> None:
    found = [Located(structs.replace(ERROR.finding, says="a long story " * 12), ERROR.place)]
    lines = write_text(found, colour=True, width=60).splitlines()
    assert len(lines) > 3
    assert all(len(re.sub(r"\x1b\[\d+m", "", line)) <= 60 for line in lines)
    assert "\x1b[31merror SPEC005:\x1b[0m" in lines[0]
    assert " ".join(re.sub(r"\x1b\[\d+m", "", " ".join(lines)).split()) == " ".join(str(found[0]).split())
