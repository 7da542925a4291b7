"""Facts that were parsed before: the same, and never those of another text."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import tomli

from llmdgen.facts.catalogue import parse

TEXT = 'name = "p5"\ngpus = 8\nshare = 0.5\nzones = ["a", "b"]\n[efa]\nrdma = true\n'


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = tmp_path / "facts.toml"
    file.write_text(TEXT)
    return file


def kept(source: Path) -> list[Path]:
    return list((source.parent / "__pycache__").glob("*"))


def test_what_was_kept_is_what_the_text_says(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse(str(source)) == tomli.loads(TEXT)
    (file,) = kept(source)
    monkeypatch.setattr(tomli, "load", None)
    assert parse(str(source)) == tomli.loads(TEXT)
    assert file.name.startswith("facts.toml.")


def test_a_text_that_changed_is_parsed_again(source: Path) -> None:
    parse(str(source))
    before = source.stat()
    source.write_text(TEXT.replace("8", "4"))
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert parse(str(source))["gpus"] == 4
    source.write_text(TEXT.replace("8", "16"))
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert parse(str(source))["gpus"] == 16


@pytest.mark.parametrize("damage", [b"", b"1 2\n", b"half of", b"\xff\n\xff"])
def test_a_damaged_file_is_not_believed(source: Path, damage: bytes) -> None:
    parse(str(source))
    (file,) = kept(source)
    seal = file.read_bytes().partition(b"\n")[0]
    for data in (damage, seal + b"\n" + damage):
        file.write_bytes(data)
        assert parse(str(source)) == tomli.loads(TEXT)


def test_where_nothing_may_be_written_nothing_is(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source.parent / "__pycache__").write_text("in the way")
    assert parse(str(source)) == tomli.loads(TEXT)
    (source.parent / "__pycache__").unlink()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert parse(str(source)) == tomli.loads(TEXT)
    assert [file.name for file in source.parent.iterdir()] == ["facts.toml"]


def test_a_date_stays_a_date(source: Path) -> None:
    source.write_text("day = 2026-09-01\n")
    assert parse(str(source)) == parse(str(source)) == tomli.loads("day = 2026-09-01\n")
    assert kept(source) == []
