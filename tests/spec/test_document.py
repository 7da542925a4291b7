from __future__ import annotations

from pathlib import Path

import pytest

from llmdgen.findings import Place
from llmdgen.spec import document as documents
from llmdgen.spec.document import MOST_DOCUMENTS, MOST_LEVELS, read
from llmdgen.spec.places import locate

PATHS = Path(__file__).parents[2] / "paths"


def findings(text: str) -> list[str]:
    return [f"{each.place.line}:{each.place.column} {each.finding.code}" for each in read(text, "a.yaml").findings]


def test_every_key_and_value_knows_its_place() -> None:
    (document,) = read("a:\n  - b: 1\n    c: [x, y]\n", "a.yaml").documents
    assert document.data == {"a": [{"b": 1, "c": ["x", "y"]}]}
    assert document.places[("a", 0, "c")] == (Place("a.yaml", 3, 5), Place("a.yaml", 3, 8))
    assert document.places[("a", 0, "c", 1)] == (Place("a.yaml", 3, 12), Place("a.yaml", 3, 12))


def test_a_place_that_the_file_does_not_hold_is_that_of_its_nearest_parent() -> None:
    (document,) = read("a:\n  b: 1\n", "a.yaml").documents
    place = locate("a.yaml", document.places, ("a", "c", "d"))
    assert (place.line, place.column) == (2, 3)


def test_columns_count_characters_and_lines_end_as_on_any_system() -> None:
    (document,) = read("é: ü\r\nb: 1\rc: 2\n", "a.yaml").documents
    assert document.places[("é",)] == (Place("a.yaml", 1, 1), Place("a.yaml", 1, 4))
    assert document.places[("c",)] == (Place("a.yaml", 3, 1), Place("a.yaml", 3, 4))


def test_documents_are_counted_without_the_empty_ones() -> None:
    found = read("---\n# licence\n---\na: 1\n---\nb: 2\n---\n", "a.yaml").documents
    assert [document.data for document in found] == [{"a": 1}, {"b": 2}]


def test_what_stands_before_a_syntax_error_is_still_read() -> None:
    reading = read("a: 1\n---\nb: [\n", "a.yaml")
    assert [document.data for document in reading.documents] == [{"a": 1}]
    assert [each.finding.code for each in reading.findings] == ["SPEC001"]


def test_of_two_equal_keys_the_first_is_kept_and_the_second_reported() -> None:
    reading = read("a: 1\nb: 2\na: 3\n", "a.yaml")
    assert reading.documents[0].data == {"a": 1, "b": 2}
    assert findings("a: 1\nb: 2\na: 3\n") == ["3:1 SPEC003"]


def test_equal_keys_are_equal_however_they_are_quoted() -> None:
    assert findings('a: 1\n"a": 2\n\'\\u0061\': 3\n"\\u0061": 4\n') == ["2:1 SPEC003", "4:1 SPEC003"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &x 1\n", ["1:4 SPEC004"]),
        ("a: &x 1\nb: *x\n", ["1:4 SPEC004", "2:4 SPEC004"]),
        ("a: !!int 1\n", ["1:4 SPEC004"]),
        ("a: ! x\n", ["1:4 SPEC004"]),
        ("a: !x {b: 1}\n", ["1:4 SPEC004"]),
        ("a: &x [1]\n", ["1:4 SPEC004"]),
        ("a: {b: &x 1}\nc:\n  <<: *x\n", ["1:8 SPEC004", "3:3 SPEC004", "3:7 SPEC004"]),
        ("&x a: 1\n", ["1:1 SPEC004"]),
        ("%TAG ! x\n---\na: 1\n", ["1:1 SPEC004"]),
        ("1: a\n", ["1:1 SPEC007"]),
        ("true: a\n", ["1:1 SPEC007"]),
        ("~: a\n", ["1:1 SPEC007"]),
        ("? [a]\n: b\n", ["1:3 SPEC007"]),
        ("a: .nan\n", ["1:4 SPEC008"]),
        ("a:\n\tb: 1\n", ["2:1 SPEC001"]),
        ("a: \x07\n", ["1:4 SPEC018"]),
        ("# \u202e\n", ["1:3 SPEC018"]),
        ('a: "\\0"\n', ["1:4 SPEC018"]),
        ('a: "\\ud800"\n', ["1:4 SPEC018"]),
        ('a: 1\nb: "\\UFFFFFFFF"\n', ["2:1 SPEC001"]),
        ("", ["1:1 SPEC001"]),
        ("# nothing\n", ["1:1 SPEC001"]),
    ],
)
def test_what_a_reviewer_could_misread_is_refused_at_its_place(text: str, expected: list[str]) -> None:
    assert findings(text) == expected


def test_a_quoted_merge_sign_is_an_ordinary_key() -> None:
    assert read('"<<": 1\n', "a.yaml").documents[0].data == {"<<": 1}


@pytest.mark.parametrize("path", sorted(PATHS.glob("*.yaml")), ids=lambda path: path.stem)
def test_both_parsers_read_the_same(path: Path) -> None:
    """libyaml places an empty value behind its colon, ruamel.yaml before the next key; the places of keys agree."""
    text = path.read_text()
    for cut in range(0, len(text), 97):
        for mutant in (text[:cut] + text[cut + 7 :], text[:cut] + "- " + text[cut:], text[:cut] + "'" + text[cut:]):
            quickly, thoroughly = documents._quickly(mutant, "a.yaml"), documents._thoroughly(mutant, "a.yaml")
            if quickly is not None:
                assert _told(quickly) == _told(thoroughly)


def _told(reader: documents._Reader) -> list[object]:
    found = [
        (each.data, each.damaged, {route: keys for route, (keys, _) in each.places.items()})
        for each in reader.documents
    ]
    return [*found, *reader.findings]


def test_nesting_has_a_limit() -> None:
    assert findings("[" * MOST_LEVELS + "]" * MOST_LEVELS) == []
    assert findings("[" * 5000) == [f"1:{MOST_LEVELS + 1} SPEC002"]


def test_documents_have_a_limit() -> None:
    assert findings("a: 1\n---\n" * MOST_DOCUMENTS) == []
    assert findings("a: 1\n---\n" * (MOST_DOCUMENTS + 1) + "a: 1\n") == [f"{2 * MOST_DOCUMENTS + 1}:1 SPEC002"]


def test_findings_have_a_limit() -> None:
    assert len(findings("a: 1\n" * 5000)) == 100
