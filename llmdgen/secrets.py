"""Secrets in texts: what they look like, and texts without them.

Whatever shows a text of others (findings, the differences of a rendered tree, the edits of an upgrade) masks it here,
so that no message, log or comment of a pull request repeats a token. A secret is known by its own form, or by the key
before it.
"""

from __future__ import annotations

import re
from binascii import a2b_base64

from msgspec import Struct

from llmdgen.facts.catalogue import table

MASK = "x"
"""What takes the place of each character of a secret, so that every position in the text stays what it was."""


class Kind(Struct, frozen=True):
    """A kind of secret. `pattern` holds the secret in its group `secret`; `hints` are texts without which, in lower
    case, it cannot match."""

    code: str
    name: str
    hints: tuple[str, ...] = ()
    pattern: str = ""


Span = tuple[Kind, int, int]
"""A kind of secret, where it starts in a text and where it ends."""

_SHORTEST = 8  # of a text that holds a secret; most keys and many values are shorter

KINDS = tuple(Kind(**row) for row in table("secrets/kinds.toml")["kinds"])

_BASE64 = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9+/_-]{24,}(?:\n[ \t]*[A-Za-z0-9+/_-]{24,})*={0,2}")
"""What may be base64: one run, or lines of equal indentation that go on."""
_MOST_BASE64 = 65536
_IN_BASE64 = Kind("SEC004", "a secret in base64")

_NAMED = re.compile(
    r"(?:password|passwd|passphrase|pgpass|[_-](?:pwd|pass|pw)|secret[_-]?key|access[_-]?key|api[_-]?key|"
    r"client[_-]?secret|(?:hf|hub|auth|access|session|bearer|github|gitlab|huggingface)[_-]?token)$",
    re.IGNORECASE,
)
"""A key whose value is a secret, whatever it looks like."""
_LIKELY = re.compile(r"(?:^|[_-])(?:token|secret|private[_-]?key|credentials?)$", re.IGNORECASE)
_RANDOM = re.compile(r"(?=.{0,200}[0-9])[A-Za-z0-9][A-Za-z0-9._~+/=-]{7,}")
"""A key whose value may be a secret, and is one where it looks random: longer than a word, with digits in it."""

_VALUE = r"""(?P<value>(?![$<{\[|>*&!])[^\s"'&,;}]{3,})"""
_PAIRS = (
    re.compile(rf"""(?<![A-Za-z0-9_.-])(?P<key>[A-Za-z0-9_.-]{{1,80}})["']?[ \t]*[:=][ \t]*["']?{_VALUE}"""),
    re.compile(
        r"""\bname["']?:[ \t]*["']?(?P<key>[A-Za-z0-9_.-]{1,80})["']?,?[\s+-]{0,200}["']?value["']?:"""
        rf"""[ \t]*["']?{_VALUE}"""
    ),
)
"""A key and its value in a text: KEY=value, key: value, and a variable of a container."""
_HINTS = ("pass", "pwd", "pw", "key", "token", "secret", "credential")
"""Texts without which, in lower case, no key says so."""


def mask(text: str) -> str:
    """The text with every character of every secret in it masked."""
    found = sorted((start, end) for start, end in (*(span[1:] for span in spans(text)), *named_values(text)))
    return without(text, found)


def mask_value(key: str, value: str) -> str:
    """The value of a key as it may be shown: wholly masked where the key says that it is a secret."""
    return masked(value) if names_a_secret(key, value) else mask(value)


def masked(secret: str) -> str:
    return re.sub(r"\S", MASK, secret)


def names_a_secret(key: str, value: object) -> bool:
    """Whether a key says that its value is a secret."""
    if _NAMED.search(key):
        return True
    return bool(_LIKELY.search(key) and isinstance(value, str) and _RANDOM.fullmatch(value))


def named_values(text: str) -> list[tuple[int, int]]:
    """Where values stand in a text that are secrets, as the keys before them say."""
    small = text.lower()
    is_possible = len(text) >= _SHORTEST and any(hint in small for hint in _HINTS)
    found = [match for pattern in _PAIRS for match in pattern.finditer(text)] if is_possible else []
    return [
        match.span("value")
        for match in found
        if names_a_secret(match["key"], match["value"]) and set(match["value"]) != {MASK}
    ]


def spans(text: str) -> list[Span]:
    """The secrets of a text by their form, and what holds one in base64, from its start to its end; of those that
    overlap, the one that starts first."""
    found = _plain_spans(text)
    found += [(_IN_BASE64, *match.span()) for match in _BASE64.finditer(text) if _plain_spans(_decoded(match[0]))]
    kept: list[Span] = []
    for kind, start, end in sorted(found, key=lambda span: (span[1], -span[2])):
        is_masked = set(text[start:end]) == {MASK}
        if not is_masked and (not kept or start >= kept[-1][2]):
            kept.append((kind, start, end))
    return kept


def without(text: str, places: list[tuple[int, int]]) -> str:
    """The text with what stands at these places, in their order, masked."""
    pieces, done = [], 0
    for start, end in places:
        pieces += [text[done:start], masked(text[max(start, done) : end])]
        done = max(done, end)
    return "".join([*pieces, text[done:]])


def _plain_spans(text: str) -> list[Span]:
    if len(text) < _SHORTEST:
        return []
    small = text.lower()
    kinds = [kind for kind in KINDS if any(hint in small for hint in kind.hints)]
    return [(kind, *match.span("secret")) for kind in kinds for match in re.finditer(kind.pattern, text, re.MULTILINE)]


def _decoded(text: str) -> str:
    """What the text says in base64; empty where it is not base64, or does not decode to text."""
    bare = re.sub(r"\s|=", "", text).replace("-", "+").replace("_", "/")[:_MOST_BASE64]
    bare = bare[: len(bare) - (len(bare) % 4 == 1)]
    return a2b_base64(bare + "=" * (-len(bare) % 4)).decode("ascii", "ignore")
