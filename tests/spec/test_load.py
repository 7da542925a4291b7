from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmdgen.api import load
from llmdgen.findings import Located, SpecError
from llmdgen.spec.document import MOST_BYTES
from llmdgen.spec.load import load_all, parse

GOOD = """\
apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata:
  name: gpt-oss-pd
spec:
  path: pd-disaggregation
  instanceTypes: [p5.48xlarge]
  model: {name: openai/gpt-oss-120b}
  decode:
    replicas: 1 # one is enough
    env: {VLLM_LOGGING_LEVEL: "INFO"}
"""
FRAGMENTS = (
    *("\n", "\t", " ", "&", "*", "!", "%", "---\n", "...\n", "- ", "? ", ": ", "#", "[", "]", "{", "}", ",", "'", '"'),
    *(
        "\\",
        "\\x",
        "\\U",
        "|",
        ">",
        "|9",
        "<<",
        "~",
        "0x",
        "1e999",
        "\r",
        "\ufeff",
        "\u2028",
        "\0",
        "%YAML 1.2\n",
        "!<",
    ),
)


def only_finding(path: Path) -> str:
    with pytest.raises(SpecError) as caught:
        load_all(path)
    (finding,) = caught.value.findings
    return f"{finding.place.line}:{finding.place.column} {finding.finding.code} {finding.finding.says}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "spec.yaml"


def test_a_good_spec_loads_and_knows_its_lines(file: Path) -> None:
    file.write_text(GOOD)
    spec = load(file)
    assert (spec.name, spec.namespace, spec.path) == ("gpt-oss-pd", "llm-d-gpt-oss-pd", str(file))
    place = spec.locate(("spec", "decode", "replicas"))
    assert (place.line, place.column) == (10, 15)


def test_several_documents_load_in_the_order_of_the_file(file: Path) -> None:
    file.write_text(f"{GOOD}---\n{GOOD.replace('gpt-oss-pd', 'second')}")
    specs = load_all(file)
    assert [spec.name for spec in specs] == ["gpt-oss-pd", "second"]
    assert specs[1].locate(("metadata", "name")).line == 16


def test_one_spec_is_asked_for_and_two_are_found(file: Path) -> None:
    file.write_text(f"{GOOD}---\n{GOOD.replace('gpt-oss-pd', 'second')}")
    with pytest.raises(SpecError, match=r":13:1: error SPEC002: the file holds 2 specs"):
        load(file)


def test_findings_of_all_documents_come_in_the_order_of_the_file(file: Path) -> None:
    file.write_text(f"{GOOD.replace('replicas', 'replica')}---\n{GOOD.replace('1 #', 'x #')}")
    with pytest.raises(SpecError) as caught:
        load_all(file)
    told = [(each.place.line, each.finding.code) for each in caught.value.findings]
    assert told == [(10, "SPEC005"), (16, "SPEC014"), (22, "SPEC007")]


def test_a_missing_file_is_a_finding(file: Path) -> None:
    assert only_finding(file) == "1:1 SPEC010 there is no such file"


def test_a_directory_is_a_finding(tmp_path: Path) -> None:
    assert only_finding(tmp_path) == "1:1 SPEC010 this is a directory"


def test_a_file_without_permission_is_a_finding(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(GOOD)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert only_finding(file) == "1:1 SPEC010 the file may not be read"


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "spec.yaml/below"])
def test_a_name_that_the_system_refuses_is_a_finding(name: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(GOOD)
    assert "1:1 SPEC010 the file cannot be read: " in only_finding(tmp_path / name)


def test_a_byte_order_mark_is_taken_and_does_not_shift_columns(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load(file).locate(("kind",), on_key=True).column == 1


def test_a_byte_that_is_not_utf_8_is_a_finding_at_its_place(file: Path) -> None:
    file.write_bytes(GOOD.encode() + "# é: ".encode() + b"\xe9\n")
    assert only_finding(file) == "12:6 SPEC001 the byte 0xE9 is not UTF-8"


def test_a_large_file_is_a_finding_and_is_not_read_to_its_end(file: Path) -> None:
    file.write_bytes(b"#" * (MOST_BYTES + 1))
    assert only_finding(file) == "1:1 SPEC002 the file is larger than 256 KiB"


def findings_of(text: str) -> tuple[Located, ...] | None:
    """What is wrong with a text, None where it loads."""
    try:
        parse(text, "a.yaml")
    except SpecError as error:
        return error.findings
    return None


def checked(text: str) -> None:
    """Whatever a text holds, it is loaded or refused with findings that say where, what and how to go on."""
    findings = findings_of(text)
    assert findings is None or findings
    for each in findings or ():
        assert each.finding.says.isprintable()
        assert each.finding.fix
        assert each.place.line <= len(text.splitlines()) + 1


@given(st.text(max_size=200))
@settings(max_examples=200)
def test_no_text_makes_a_traceback(text: str) -> None:
    checked(text)


@given(st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 6), st.sampled_from(FRAGMENTS)), max_size=4))
@settings(max_examples=300)
def test_no_change_to_a_good_spec_makes_a_traceback(changes: list[tuple[int, int, str]]) -> None:
    text = GOOD
    for at, length, fragment in changes:
        text = text[:at] + fragment + text[at + length :]
    checked(text)
