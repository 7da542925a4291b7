"""Did you mean: the known name that is nearest to a mistyped one."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """The names most like `word`, best first; names that differ only in case, `-`, `_` or spaces come before others."""
    from difflib import get_close_matches

    names = list(known)
    same = [name for name in names if plain(name) == plain(word)]
    if same:
        return tuple(same[:limit])
    # Nothing that a person types is longer, and difflib's time grows with the square of the length.
    by_plain = {plain(name): name for name in names}
    close = get_close_matches(plain(word[:100]), by_plain, n=limit, cutoff=0.7)
    return tuple(by_plain[each] for each in close)


def did_you_mean(word: str, known: Iterable[str], listed_up_to: int = 12) -> str:
    """A fix in words: "did you mean p5.48xlarge?", or the known names where they are few, or an empty text."""
    names = list(known)
    close = nearest(word, names, limit=2)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if 0 < len(names) <= listed_up_to:
        return f"use {one_of(names)}" if len(names) < 3 else f"use one of {one_of(names)}"
    return ""


def one_of(names: Iterable[str]) -> str:
    """a, b or c."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def all_of(names: Iterable[str]) -> str:
    """a, b and c."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def plain(word: str) -> str:
    """A name without what people take for a matter of taste."""
    return word.lower().replace("-", "").replace("_", "").replace(" ", "")
