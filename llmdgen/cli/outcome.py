"""What becomes of a spec's directory: written, compared or removed, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from llmdgen.cli.making import CLUSTER, Made
from llmdgen.cli.terminal import complain, count, say, tell
from llmdgen.findings import Located
from llmdgen.output.lock import USERS_OWN
from llmdgen.output.rules import OutputError, unwritten
from llmdgen.output.tree import Writing, commit, prepare, removal
from llmdgen.secrets import mask

if TYPE_CHECKING:
    from llmdgen.output.check import Difference
    from llmdgen.prerequisites import Asked


class Outcome(Struct, frozen=True, kw_only=True):
    """Sentences for stdout, each with the diff below it if any, lines for stderr, how many files differ, the
    findings of what could not be done, and what the spec asks of its cluster."""

    says: tuple[str, ...] = ()
    complains: tuple[str, ...] = ()
    differs: int = 0
    findings: tuple[Located, ...] = ()
    asked: Asked | None = None

    def show(self) -> None:
        for line in self.complains:
            complain(line)
        for each in self.says:
            sentence, _, diff = each.partition("\n")
            tell(sentence)
            if diff:
                say(diff)


def written(out: str, made: Made, is_alone: bool) -> Outcome:
    """Write what was made of a spec, all or nothing; where nobody else writes, also remove what killed renders left."""

    def write() -> Outcome:
        return _committed(prepare(out, made.name, made.targets, made.whole, is_alone), _size(made))

    return _or_why_not(write, f"{out}/{made.name}")


def compared(out: str, made: Made, again: str) -> Outcome:
    """What differs from what was made of a spec; `again` is the call that would write it."""
    from llmdgen.output.check import compare

    def look() -> Outcome:
        own = USERS_OWN if made.name == CLUSTER else ()
        differences = compare(out, made.name, made.targets, again, made.whole, own)
        says = [_shown(found) for found in differences] or [f"{out}/{made.name}: {_size(made)}: up to date"]
        return Outcome(says=tuple(says), differs=len(differences))

    return _or_why_not(look, f"{out}/{made.name}")


def removed(out: str, name: str) -> Outcome:
    """Remove a directory that no spec is of any more."""
    return _or_why_not(lambda: _committed(removal(out, name), f"no spec is called {name}"), f"{out}/{name}")


def orphaned(out: str, name: str, again: str) -> Outcome:
    """The same as a difference."""
    from llmdgen.output.check import leftover

    return Outcome(says=(_shown(leftover(out, name, again)),), differs=1)


def _or_why_not(act: Callable[[], Outcome], directory: str) -> Outcome:
    """What comes of an act, or why it could not be done."""
    try:
        return act()
    except OutputError as error:
        return Outcome(findings=tuple(error.findings))
    except OSError as error:
        return Outcome(findings=(unwritten(error, directory),))


def _committed(writing: Writing, size: str) -> Outcome:
    commit(writing)
    edited = [f"{writing.root}/{path}: replaced, though it was edited by hand" for path in writing.edited]
    kept = [f"{writing.root}/{path}: no longer made, but edited by hand, and therefore kept" for path in writing.kept]
    return Outcome(says=(f"{writing.root}: {size}: {_changes(writing)}",), complains=(*edited, *kept))


def _shown(found: Difference) -> str:
    diff = f"\n{mask(found.diff.rstrip())}" if found.diff else ""
    return f"{found.path}: {found.kind.value}: {found.says} (fix: {found.mend}){diff}"


def _size(made: Made) -> str:
    files = sum(len(target.files) for target in made.targets.values())
    return f"{count(len(made.targets), 'target')}, {count(files, 'file')}"


def _changes(writing: Writing) -> str:
    counts = {"written": writing.written, "removed": len(writing.removes), "unchanged": writing.unchanged}
    if not counts["written"] and not counts["removed"]:
        return "unchanged"
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)
