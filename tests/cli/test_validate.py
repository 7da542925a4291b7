"""`llmdgen validate`: the formats, and what makes it fail."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from llmdgen import api
from llmdgen.findings import Finding, Located, Severity
from llmdgen.report.formats import FORMATS
from tests.cli.conftest import SPEC, Llmdgen

ROOT = Path(__file__).parents[2]
WRONG = SPEC.replace("path: pd", "path: dp")


def test_a_good_spec_is_valid_and_nothing_is_written(llmdgen: Llmdgen, spec: Path) -> None:
    answer = llmdgen("validate", "chat.yaml")
    assert answer.code == 0
    assert answer.out.startswith("1 spec, 0 errors, 0 warnings, ")
    assert [line for line in answer.err.splitlines() if ": note " not in line] == []
    assert [entry.name for entry in Path().iterdir()] == ["chat.yaml"]


def test_an_error_stands_on_stderr_with_its_place(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(WRONG)
    answer = llmdgen("validate", "chat.yaml")
    assert answer.code == 1
    assert answer.err.startswith("chat.yaml:6:9: error ")
    assert len(answer.err.splitlines()) == 1


def test_a_finding_of_several_instance_types_is_said_once(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(SPEC.replace("openai/gpt-oss-120b", "openai/gpt-oss-120c"))
    answer = llmdgen("validate", "chat.yaml")
    lines = answer.err.splitlines()
    assert lines
    assert len(lines) == len(set(lines))


def test_two_specs_of_one_name_are_an_error(llmdgen: Llmdgen, spec: Path) -> None:
    Path("again.yaml").write_text(SPEC)
    answer = llmdgen("validate", "chat.yaml", "again.yaml")
    assert answer.code == 1
    assert answer.err.count("OUT004") == 2


@pytest.mark.parametrize(("severity", "strict"), [(Severity.WARNING, 1), (Severity.NOTE, 0)])
def test_strict_fails_for_warnings_and_not_for_notes(
    llmdgen: Llmdgen, spec: Path, monkeypatch: pytest.MonkeyPatch, severity: Severity, strict: int
) -> None:
    def one_finding(plan: object) -> tuple[Located, ...]:
        loaded = api.load("chat.yaml")
        return (Located(Finding("XXX001", severity, "says", "fix"), loaded.locate(("spec", "path"))),)

    monkeypatch.setattr(api, "_judge", lambda plan: (one_finding(plan), ()))
    assert llmdgen("validate", "chat.yaml").code == 0
    answer = llmdgen("validate", "chat.yaml", "--strict")
    assert answer.code == strict
    assert answer.err == f"chat.yaml:6:9: {severity.value} XXX001: says (fix: fix)\n"


@pytest.mark.parametrize("form", ["json", "sarif"])
@pytest.mark.parametrize("text", [SPEC, WRONG])
def test_formats_for_machines_are_json_on_stdout(llmdgen: Llmdgen, spec: Path, form: str, text: str) -> None:
    spec.write_text(text)
    answer = llmdgen("validate", "chat.yaml", "--format", form)
    assert (answer.code, answer.err) == (int(text is WRONG), "")
    assert ('"error"' in json.dumps(json.loads(answer.out))) == (text is WRONG)


def test_the_github_format_annotates_the_line(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(WRONG)
    answer = llmdgen("validate", "chat.yaml", "--format", "github")
    assert answer.code == 1
    assert answer.out.startswith("::error file=chat.yaml,line=6,col=9")


def test_what_a_spec_says_does_not_reach_the_terminal_as_commands(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(SPEC.replace("path: pd-disaggregation", 'path: "\\e[2J\\ncleared"'))
    answer = llmdgen("validate", "chat.yaml")
    assert answer.code == 1
    assert "\x1b" not in answer.err
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize("form", FORMATS)
def test_a_name_that_is_no_utf_8_reaches_every_report(llmdgen: Llmdgen, spec: Path, form: str) -> None:
    name = b"bad\xff.yaml"
    (Path(os.fsdecode(os.fsencode(spec.parent) + b"/" + name))).write_text("kind: x\n")
    answer = llmdgen("validate", os.fsdecode(name), "--format", form)
    assert answer.code == 1
    if form in ("json", "gitlab", "sarif"):
        assert "bad" in json.dumps(json.loads(answer.out))
    if form == "sarif":
        assert "bad%FF.yaml" in answer.out


def test_one_run_writes_several_reports_of_the_same_findings(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(SPEC.replace("path: pd-disaggregation", "path: pd"))
    reports = [word for form in FORMATS for word in ("--report", f"{form}=report.{form}")]
    answer = llmdgen("validate", "chat.yaml", *reports)
    assert answer.code == 1
    for form in FORMATS:
        alone = llmdgen("validate", "chat.yaml", "--format", form)
        assert Path(f"report.{form}").read_text("utf-8") == (alone.err if form == "text" else alone.out)


@pytest.mark.parametrize("given", ["sarif", "sarif=", "=file", "xml=file", ""])
def test_a_report_without_a_format_or_a_file_is_wrong_usage(llmdgen: Llmdgen, spec: Path, given: str) -> None:
    answer = llmdgen("validate", "chat.yaml", "--report", given)
    assert answer.code == 64
    assert "is not FORMAT=FILE, such as sarif=findings.sarif" in answer.err


def test_a_report_that_cannot_be_written_is_an_error(llmdgen: Llmdgen, spec: Path) -> None:
    answer = llmdgen("validate", "chat.yaml", "--report", "sarif=nowhere/findings.sarif")
    assert answer.code == 1
    assert "nowhere/findings.sarif: error: the report cannot be written: No such file" in answer.err


def test_a_spec_may_come_from_standard_input() -> None:
    example = ROOT / "paths" / "wide-ep.yaml"
    command = [sys.executable, "-m", "llmdgen", "validate", "-"]
    done = subprocess.run(command, input=example.read_bytes(), capture_output=True, cwd=ROOT)
    assert (done.returncode, done.stdout[:6]) == (0, b"1 spec")
    broken = example.read_bytes().replace(b"path: wide-ep", b"path: wide")
    done = subprocess.run(command, input=broken, capture_output=True, cwd=ROOT)
    assert done.returncode == 1
    assert re.match(rb"-:\d+:9: error SPEC009: ", done.stderr)


def test_a_named_pipe_is_refused_where_nobody_may_ever_write_to_it(llmdgen: Llmdgen, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for command in ("validate", "render", "plan"):
        answer = llmdgen(command, "pipe.yaml")
        assert answer.code == 1
        assert "error SPEC010: this is a named pipe" in answer.err


def test_a_pipe_that_a_shell_opened_is_read() -> None:
    command = f"{sys.executable} -m llmdgen validate <(cat paths/wide-ep.yaml)"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout[:6]) == (0, "1 spec")


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("chta.yaml", "did you mean chat.yaml?"),
        ("./chat.yml", "did you mean ./chat.yaml?"),
        ("c*.yml", "the shell passes it on as it stands"),
        ("nowhere/chat.yaml", "check the path"),
        ("", "name the spec file"),
    ],
)
def test_a_file_that_is_not_there_is_answered_with_what_was_meant(
    llmdgen: Llmdgen, spec: Path, name: str, fix: str
) -> None:
    answer = llmdgen("validate", name)
    assert answer.code == 1
    assert "error SPEC010: there is no such file" in answer.err
    assert fix in answer.err


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_called_by_its_name(llmdgen: Llmdgen, spec: Path, encoding: str) -> None:
    spec.write_bytes(spec.read_text().encode(encoding))
    answer = llmdgen("validate", "chat.yaml")
    assert "chat.yaml:1:1: error SPEC001: the file is UTF-16, not UTF-8 (fix: save the file as UTF-8)" in answer.err


def test_a_thousand_mistakes_of_one_kind_are_shown_by_their_first_hundred(llmdgen: Llmdgen, spec: Path) -> None:
    flags = "".join(f"      max-num-seq{number}: 1\n" for number in range(1000))
    spec.write_text(SPEC.replace("    args: {max-model-len: 8192}\n", f"    args:\n{flags}"))
    answer = llmdgen("validate", "chat.yaml")
    assert answer.code == 1
    assert answer.err.count("error VLLM001") == 100


SCHEDULING = """\
apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {name: NAME}
spec:
  path: inference-scheduling
  instanceTypes: [p5.48xlarge, p4d.24xlarge]
  model: {name: openai/gpt-oss-120b}
  gateway: {loadBalancer: {scheme: internet-facing}}
  suppress:
"""
REASON = "the security group admits our VPN only"


def suppressing(name: str, *codes: str) -> str:
    lines = "".join(f"    - {{code: {code}, reason: {REASON}}}\n" for code in codes)
    return SCHEDULING.replace("NAME", name) + lines


def test_a_suppressed_finding_is_in_json_with_its_reason_and_nowhere_else(llmdgen: Llmdgen, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(suppressing("a", "GW004"))
    document = json.loads(llmdgen("validate", "a.yaml", "--format", "json", "--strict").out)
    assert document["findings"] == []
    (row,) = document["suppressed"]
    assert (row["code"], row["reason"]) == ("GW004", REASON)
    for form in set(FORMATS) - {"json"}:
        assert "GW004" not in llmdgen("validate", "a.yaml", "--format", form).out


def test_a_suppression_that_nothing_needs_or_that_stands_there_twice_is_a_warning(
    llmdgen: Llmdgen, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(suppressing("a", "GW005", "GW004", "GW004", "VER039"))
    answer = llmdgen("validate", "a.yaml")
    assert answer.code == 0
    assert [line.partition(" (fix")[0] for line in answer.err.splitlines()] == [
        "a.yaml:10:14: warning SPEC028: no instance type of this spec has the finding GW005",
        "a.yaml:12:14: warning SPEC028: GW004 is suppressed already",
        "a.yaml:13:14: warning SPEC028: no instance type of this spec has the finding VER039",
    ]
    assert llmdgen("validate", "a.yaml", "--strict").code == 1
    # Of one instance type alone it cannot be said.
    assert "SPEC028" not in llmdgen("validate", "a.yaml", "--instance-type", "p5.48xlarge").err.replace("already", "")


def test_what_one_instance_type_has_is_needed_and_a_base_may_suppress_for_others(
    llmdgen: Llmdgen, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(suppressing("a", "GW004", "MOD005").replace("gpt-oss-120b", "gpt-oss-20b"))
    assert "MOD005" in llmdgen("validate", "a.yaml").err
    head = "apiVersion: llmdgen.dev/v1alpha1\nkind: WellLitPath\n"
    (tmp_path / "b.yaml").write_text(head + "extends: a.yaml\nmetadata: {name: b}\n")
    assert llmdgen("validate", "b.yaml").err == ""


def test_findings_stand_file_by_file_as_the_files_were_given(llmdgen: Llmdgen, tmp_path: Path) -> None:
    (tmp_path / "unreadable.yaml").write_text("kind: [\n")
    (tmp_path / "z.yaml").write_text(suppressing("z", "GW005"))
    (tmp_path / "b.yaml").write_text(suppressing("b", "GW005"))
    lines = llmdgen("validate", "z.yaml", "unreadable.yaml", "b.yaml").err.splitlines()
    files = [line.partition(":")[0] for line in lines]
    assert files == sorted(files, key=["z.yaml", "unreadable.yaml", "b.yaml"].index)
    assert len(set(files)) == 3


def test_a_directory_is_answered_with_the_files_in_it(llmdgen: Llmdgen, spec: Path) -> None:
    (spec.parent / "empty").mkdir()
    assert "SPEC010: this is a directory (fix: name the spec files in it: ./*.yaml)" in llmdgen("validate", ".").err
    assert "SPEC010: this is a directory (fix: name a spec file)" in llmdgen("validate", "empty").err


@pytest.mark.parametrize("file", ["chat.yaml", "./chat.yaml", "link.yaml", "base.yaml"])
def test_a_report_never_takes_the_place_of_a_spec_or_its_base(llmdgen: Llmdgen, spec: Path, file: str) -> None:
    Path("base.yaml").write_text(spec.read_text())
    Path("link.yaml").symlink_to("chat.yaml")
    head = "\n".join(spec.read_text().splitlines()[:4])
    spec.write_text(f"extends: base.yaml\n{head}\n")
    before = spec.read_text(), Path("base.yaml").read_text()
    answer = llmdgen("validate", "chat.yaml", "--report", f"text={file}")
    assert answer.code == 1
    assert "it is a spec, or a base of one" in answer.err
    assert (spec.read_text(), Path("base.yaml").read_text()) == before


def _with_model(model: str) -> str:
    text, count = re.subn(r"  model:\n(    .*\n)+", f"  model: {model}\n", SPEC)
    assert count == 1
    return text


@pytest.mark.parametrize("name", ["b" * 256, "a/" + "b" * 254, "é" * 256, "a/../" + "c" * 251])
def test_what_validates_renders_however_long_the_models_name_is(llmdgen: Llmdgen, spec: Path, name: str) -> None:
    spec.write_text(_with_model(f'{{name: "{name}", uri: hf://openai/gpt-oss-120b}}'))
    assert llmdgen("validate", "chat.yaml").code == llmdgen("render", "chat.yaml").code


@pytest.mark.parametrize("leads_to", ["/dev/zero", "/etc/passwd", "a pipe", "a directory"])
def test_config_json_is_a_regular_file_of_the_repository(llmdgen: Llmdgen, spec: Path, leads_to: str) -> None:
    config = Path("config.json")
    if leads_to == "a pipe":
        os.mkfifo(config)
    elif leads_to == "a directory":
        config.mkdir()
    else:
        config.symlink_to(leads_to)
    spec.write_text(_with_model("{name: a/b, config: ./config.json}"))
    answer = llmdgen("validate", "chat.yaml")
    assert answer.code == 1
    assert "MOD002" in answer.err
    assert "root:" not in answer.err
