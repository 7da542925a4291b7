"""The lock's text: deterministic, complete, and believed only where it is whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmdgen.output.lock import Entry, Lock, LockError, digest, dump, is_safe_name, is_safe_path, parse

NAMES = st.text(min_size=1, max_size=12).filter(is_safe_name)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
SEALS = st.binary(max_size=4).map(digest)
ENTRIES = st.builds(
    Entry,
    tool=st.from_regex(r"[0-9]\.[0-9]{1,2}(\.dev1)?", fullmatch=True),
    spec=SEALS,
    facts=SEALS,
    files=st.dictionaries(PATHS, SEALS, max_size=4),
)
LOCKS = st.builds(Lock, targets=st.dictionaries(NAMES, ENTRIES, max_size=3))


@given(LOCKS)
def test_a_lock_comes_back_as_it_was_written(lock: Lock) -> None:
    assert parse(dump(lock).encode()) == lock


@pytest.mark.parametrize("tool", ["", "1.0\n::error::x", "::error title=x::y", "1.0 ", "\x1b[2J", "v" * 65])
def test_a_version_that_a_terminal_or_a_pipeline_would_obey_is_refused(tool: str) -> None:
    lock = Lock(targets={"p5": Entry(tool=tool, spec=digest(b""), facts=digest(b""), files={})})
    with pytest.raises(LockError, match="the version that wrote p5 is not one"):
        parse(dump(lock).encode())


@given(LOCKS)
def test_the_order_in_which_targets_and_files_were_made_does_not_show(lock: Lock) -> None:
    turned = {
        name: Entry(tool=entry.tool, spec=entry.spec, facts=entry.facts, files=dict(reversed(entry.files.items())))
        for name, entry in reversed(lock.targets.items())
    }
    assert dump(Lock(targets=turned)) == dump(lock)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_lock_or_a_lock_error(data: bytes) -> None:
    try:
        lock = parse(data)
    except LockError:
        return
    assert parse(dump(lock).encode()) == lock


def test_each_file_has_a_line_of_its_own() -> None:
    entry = Entry(
        tool="0.1.0", spec=digest(b""), facts=digest(b""), files={"a.yaml": digest(b"a"), "b.yaml": digest(b"b")}
    )
    lines = dump(Lock(targets={"p5": entry})).splitlines()
    assert [line.strip().split('"')[1] for line in lines if ".yaml" in line] == ["a.yaml", "b.yaml"]


@pytest.mark.parametrize("seal", ["", "0" * 63, "0" * 65, "G" * 64, "0" * 64 + "\n", "é" * 64])
@pytest.mark.parametrize("of", ["spec", "facts", "a.yaml"])
def test_a_digest_that_is_none_is_not_believed(of: str, seal: str) -> None:
    good = {"spec": digest(b""), "facts": digest(b""), "a.yaml": digest(b"")}
    assert parse(_lock(good)).owned() == {"p5/a.yaml": digest(b"")}
    with pytest.raises(LockError, match="sha256"):
        parse(_lock({**good, of: seal}))


def _lock(digests: dict[str, str]) -> bytes:
    entry = Entry(tool="0", spec=digests["spec"], facts=digests["facts"], files={"a.yaml": digests["a.yaml"]})
    return dump(Lock(targets={"p5": entry})).encode()


@pytest.mark.parametrize("name", ["", ".", "..", "../..", "/etc", "a/b", "a\\b", "a\nb", "a" * 256])
def test_a_target_that_is_no_name_of_a_directory_is_not_believed(name: str) -> None:
    lock = Lock(targets={name: Entry(tool="0", spec=digest(b""), facts=digest(b""), files={})})
    with pytest.raises(LockError, match="not the name of a directory"):
        parse(dump(lock).encode())


def test_a_lock_of_a_later_version_is_told_from_a_damaged_one() -> None:
    with pytest.raises(LockError, match="the key version, of which this llmdgen knows nothing: a later one") as later:
        parse(b'{"version": 2, "targets": {}}')
    assert later.value.fix.startswith("use the llmdgen that wrote it")
    with pytest.raises(LockError, match="it is damaged: ") as damaged:
        parse(b'{"targets": ')
    assert damaged.value.fix.startswith("git restore it")


def test_a_merge_conflict_says_that_either_side_will_do() -> None:
    with pytest.raises(LockError, match="it holds a merge conflict") as conflict:
        parse(b'{"targets":\n<<<<<<< HEAD\n')
    assert conflict.value.fix.startswith("take either side (git checkout --ours)")


def test_unknown_keys_are_not_believed() -> None:
    with pytest.raises(LockError, match="the key more, of which this llmdgen knows nothing"):
        parse(b'{"targets": {}, "more": 1}')
    entry = b'{"tool": "1", "spec": "a", "facts": "b", "files": {}, "more": 1}'
    with pytest.raises(LockError, match="the key more, of which this llmdgen knows nothing"):
        parse(b'{"targets": {"p5.48xlarge": ' + entry + b"}}")


@pytest.mark.parametrize("path", ["", ".", "..", "/", "/a", "a/", "a/../b", "a\\b", "a\0b", "a\u2028b", "x" * 256])
def test_paths_that_lead_elsewhere_are_not_safe(path: str) -> None:
    assert not is_safe_path(path)


@pytest.mark.parametrize("path", ["a", "values/router.yaml", "..a", "a..b", "p5.48xlarge_p5en.48xlarge", "modèle"])
def test_plain_relative_paths_are_safe(path: str) -> None:
    assert is_safe_path(path)
