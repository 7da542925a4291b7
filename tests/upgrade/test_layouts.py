"""However a spec is laid out, its diff has the lines that had to change and no other, and a second upgrade none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from llmdgen.spec.load import parse
from llmdgen.upgrade.edits import Editor
from llmdgen.upgrade.run import Upgraded, upgrade

ROOT = Path(__file__).parents[2]
READY = sorted((ROOT / "paths").glob("*.yaml"))
ALONE = [file for file in READY if "\n---" not in file.read_text("utf-8")]
FROM = "v0.5.1"
# Another layout of hostile text is another text.
HOSTILE = Path(__file__).parent / "cases/hostile-text/before.yaml"
CASES = sorted(set(Path(__file__).parent.glob("cases/*/before.yaml")) - {HOSTILE})
TO = "v0.6.0"


def _commented(text: str) -> str:
    """A comment at the end of every line that ends with a value or a key."""
    return re.sub(r"(?m)(?<=[\w\]}\"':])$(?!\n+ *[\]}])", "  # why: {so}", text)


LAYOUTS: dict[str, Callable[[str], str]] = {
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
    "no final line break": lambda text: text.rstrip("\n"),
    "a byte order mark": lambda text: "\ufeff" + text,
    "trailing spaces": lambda text: text.replace("\n", "  \n"),
    "blank lines": lambda text: text.replace("\n", "\n\n\n"),
    "wide indentation": lambda text: re.sub(r"(?m)^( +)", r"\1\1", text),
    "a document mark": lambda text: f"--- # first\n{text}\n...\n# the end\n",
    "comments everywhere": _commented,
}
PLAIN = "as it is"

by_layout = pytest.mark.parametrize("layout", LAYOUTS)
JSON = Path(__file__).parent / "cases/json/before.yaml"  # ruamel.yaml has no layout of lines between brackets
by_file = pytest.mark.parametrize("file", [*READY, *CASES], ids=lambda file: f"{file.parent.name}-{file.stem}")


def _text(file: Path) -> str:
    """The text of a file as it is, a ready one as a spec of an older release."""
    text = file.read_bytes().decode()
    if file not in READY:
        return text
    without = re.sub(r"(?m)^ +release: .*\n", "", text)
    return re.sub(r"(?m)^  path: .*$", rf"\g<0>\n  release: {FROM}", without)


@cache
def _upgraded(file: Path, layout: str) -> Upgraded:
    text = _text(file)
    return upgrade(LAYOUTS[layout](text) if layout != PLAIN else text, str(file), TO)


def _lines(text: str) -> list[str]:
    return re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)


def _changed(done: Upgraded) -> Counter[tuple[str, str]]:
    """The lines that differ, by sign, without indentation, comments and line breaks."""
    old, new = ([line.rstrip("\r\n") for line in _lines(text)] for text in (done.old, done.new))
    found: Counter[tuple[str, str]] = Counter()
    for tag, start, end, there, there_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            found.update(("-", _bare(line)) for line in old[start:end] if _bare(line))
            found.update(("+", _bare(line)) for line in new[there:there_end] if _bare(line))
    return found


def _comments(text: str) -> Counter[str]:
    return Counter(each.rstrip() for each in re.findall(r"#[^\r\n]*", text))


def _bare(line: str) -> str:
    return re.sub(r"(^|\s+)#.*", "", line.strip()).strip()


def _meaning(done: Upgraded) -> list[Any]:
    return [(spec.metadata, spec.asked) for spec in parse(done.new, done.path)]


@by_layout
@pytest.mark.parametrize(
    "file", [file for file in (*READY, *CASES) if file != JSON], ids=lambda file: f"{file.parent.name}-{file.stem}"
)
def test_the_same_lines_differ_in_every_layout(file: Path, layout: str) -> None:
    plain, other = _upgraded(file, PLAIN), _upgraded(file, layout)
    if plain.is_refused or other.is_refused:
        assert plain.is_refused
        return
    assert _meaning(plain) == _meaning(other)
    # What has comments of its own stays, empty, where it would else go.
    lines = (+(_changed(other) - _changed(plain))).elements()
    assert all(re.search(r"^(env|args|provider)\b", line) for _, line in lines)


@by_layout
@pytest.mark.parametrize("file", READY, ids=lambda file: file.stem)
def test_a_spec_that_needs_nothing_else_gets_another_release_and_no_other_line(file: Path, layout: str) -> None:
    done = _upgraded(file, layout)
    wanted = [line.replace(f"release: {FROM}", f"release: {TO}") for line in _lines(done.old)]
    pairs = list(zip(wanted, _lines(done.new), strict=True))
    assert all(line == new for line, new in pairs if f"release: {TO}" not in line)
    assert all(_bare(line) == _bare(new) for line, new in pairs)


@by_layout
@pytest.mark.parametrize("file", ALONE, ids=lambda each: each.stem)
def test_a_key_that_is_new_is_one_line_behind_another(file: Path, layout: str) -> None:
    old = LAYOUTS[layout](re.sub(r"(?m)^ +release: .*\n", "", file.read_text("utf-8"))).removeprefix("\ufeff")
    editor = Editor(old, next(each for each in ("\r\n", "\n", "\r") if each in old))
    editor.put(("spec", "release"), TO, after=("spec", "path"))
    lines = _lines(editor.text)
    at = next(number for number, line in enumerate(lines) if line.strip() == f"release: {TO}")
    assert "".join([*lines[:at], *lines[at + 1 :]]) == old
    assert next(line for line in reversed(lines[:at]) if _bare(line)).strip().startswith("path: ")


@by_layout
@by_file
def test_line_breaks_and_every_comment_stay(file: Path, layout: str) -> None:
    done = _upgraded(file, layout)
    if done.is_refused:
        return
    assert ("\n" in done.new.replace("\r\n", "")) == ("\n" in done.old.replace("\r\n", ""))
    assert ("\r" in done.new.replace("\r\n", "")) == ("\r" in done.old.replace("\r\n", ""))
    assert done.new.startswith("\ufeff") == done.old.startswith("\ufeff")
    gone = _comments(done.old) - _comments(done.new)
    # A comment goes with the setting that it belongs to, or with the line above a setting that went elsewhere.
    assert set(gone) <= {"# People asked for less noise.", "# why: {so}"}


@by_layout
@by_file
def test_a_second_upgrade_changes_nothing(file: Path, layout: str) -> None:
    done = _upgraded(file, layout)
    if not done.is_refused:
        again = upgrade(done.new, str(file), TO)
        assert (again.new, again.since) == (done.new, ())
