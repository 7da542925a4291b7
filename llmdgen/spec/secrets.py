"""Secrets in a spec: found anywhere in its text, comments included, and never repeated.

A spec is committed, reviewed and copied into what is rendered, so a token in it is a token made public. What is found
is masked, character by character, before anything else reads the text: no later message can quote it, and every
position stays what it was.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import Any

from msgspec import Struct

from llmdgen.findings import Located, Place, Route
from llmdgen.spec.places import Places, error_at, locate, position_of

MASK = "x"


class Kind(Struct, frozen=True):
    """A kind of secret. `pattern` holds the secret in its group `secret`; `hints` are texts without which, in lower
    case, it cannot match."""

    code: str
    name: str
    hints: tuple[str, ...] = ()
    pattern: str = ""

    @property
    def fix(self) -> str:
        return _FIXES.get(self.code, "delete it, revoke it, and name a Kubernetes Secret that holds the new one")


_FIXES = {
    "SEC001": "delete it, revoke it at huggingface.co/settings/tokens, and name the Secret that holds the new one in"
    " spec.model.authSecretName",
    "SEC002": "delete it, deactivate it in IAM, and give the pod a role (EKS Pod Identity or IRSA)",
    "SEC005": "delete it from the URL, and give it to the pod through a Kubernetes Secret",
    "SEC006": "delete it, and read it from a Kubernetes Secret",
}


Span = tuple[Kind, int, int]
"""A kind of secret, where it starts in a text and where it ends."""

MOST_FINDINGS = 100

# A repetition after which a match can still fail is bounded, so that no text makes a search slow.
_ALONE = r"(?<![A-Za-z0-9])"
_KEYED = r"""["']?\s*(?::|=|,\s*["']?value["']?\s*:)\s*["']?"""

NAMED = re.compile(
    r"(?:password|passwd|passphrase|secret[_-]?key|access[_-]?key|api[_-]?key|"
    r"client[_-]?secret|(?:hf|hub|auth|access|session|bearer|github|gitlab|huggingface)[_-]?token)$",
    re.IGNORECASE,
)
"""A key whose value is a secret, whatever it looks like."""

LIKELY = re.compile(r"(?:^|[_-])(?:token|secret|private[_-]?key|credentials?)$", re.IGNORECASE)
RANDOM = re.compile(r"(?=.{0,200}[0-9])[A-Za-z0-9][A-Za-z0-9._~+/=-]{7,}")
"""A key whose value may be a secret, and is one where it looks random: longer than a word, with digits in it."""

AWS_SECRET = re.compile(
    r"(?=.*[A-Z].*[A-Z])(?=.*[a-z].*[a-z])(?=.*[0-9])(?=.*[/+]|.*[0-9].*[0-9].*[0-9])[A-Za-z0-9+][A-Za-z0-9/+]{39}"
)
"""A value that is nothing but what AWS secret access keys look like."""

_PAIR = re.compile(
    r"""^[ \t]*(?:-[ \t]+|export[ \t]+)?["']?(?P<key>[A-Za-z0-9_.-]{1,80})["']?[ \t]*[:=]"""
    r"""[ \t]*["']?(?P<value>[^\s"'{[|>][^\s"']{5,})""",
    re.MULTILINE,
)
"""A line of a text that is itself a file: key: value, or KEY=value."""

KINDS = (
    Kind("SEC001", "a Hugging Face token", ("hf_", "api_org_"), r"(?P<secret>(?:hf|api_org)_[A-Za-z0-9]{20,})"),
    Kind(
        "SEC001",
        "a Hugging Face token over two lines",
        ("hf_",),
        r"(?P<secret>hf_(?=[A-Za-z0-9]*[a-z])(?=[A-Za-z0-9]*[A-Z])[A-Za-z0-9]{4,19}[ \t]*\n[ \t#]*"
        r"(?=[A-Za-z0-9]*[a-z])(?=[A-Za-z0-9]*[A-Z])[A-Za-z0-9]{10,40})(?=[ \t\"']*$)",
    ),
    Kind(
        "SEC002",
        "an AWS access key id",
        ("akia", "asia", "abia", "acca"),
        _ALONE + r"(?P<secret>(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})(?![A-Za-z0-9])",
    ),
    Kind(
        "SEC002",
        "an AWS secret access key",
        ("secret", "aws"),
        r"(?i)(?:aws|secret)[a-z_ -]{0,40}(?:key|secret)" + _KEYED + r"(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
    ),
    Kind(
        "SEC002",
        "an AWS secret access key",
        ("akia", "asia"),
        r"(?:AKIA|ASIA)[A-Z0-9]{16}[\s:,;|\"']{1,10}(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
    ),
    Kind(
        "SEC002",
        "an AWS session token",
        ("iqojb3jpz2lu", "fwogzxivyxdz"),
        r"(?P<secret>(?:IQoJb3JpZ2lu|FwoGZXIvYXdz)[A-Za-z0-9/+=]{20,})",
    ),
    Kind(
        "SEC003",
        "a private key",
        ("private key",),
        r"(?s)(?P<secret>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----"
        r"(?:(?:(?!-----BEGIN ).)*?-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|[A-Za-z0-9+/=\\\s]*))",
    ),
    Kind(
        "SEC004",
        "a GitHub token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        _ALONE + r"(?P<secret>gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,})",
    ),
    Kind("SEC004", "a GitLab token", ("glpat-",), _ALONE + r"(?P<secret>glpat-[A-Za-z0-9_-]{20,})"),
    Kind("SEC004", "a Slack token", ("xox", "xapp-"), _ALONE + r"(?P<secret>(?:xox[abceprs]|xapp)-[A-Za-z0-9-]{10,})"),
    Kind(
        "SEC004",
        "an OpenAI or Anthropic key",
        ("sk-",),
        _ALONE + r"(?P<secret>sk-(?=[A-Za-z0-9_-]{0,200}[0-9])(?=[A-Za-z0-9_-]{0,200}[A-Z])[A-Za-z0-9_-]{20,})",
    ),
    Kind("SEC004", "an NVIDIA key", ("nvapi-",), _ALONE + r"(?P<secret>nvapi-[A-Za-z0-9_-]{20,})"),
    Kind("SEC004", "a Google API key", ("aiza",), _ALONE + r"(?P<secret>AIza[A-Za-z0-9_-]{35})"),
    Kind(
        "SEC004",
        "a JSON Web Token",
        ("eyj",),
        _ALONE + r"(?P<secret>eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{10,})",
    ),
    Kind(
        "SEC004",
        "an Authorization header",
        ("bearer", "basic"),
        r"(?i)\b(?:bearer\s+(?=[^\s]{0,200}[0-9])|authorization[\"']?\s*[:=]\s*[\"']?basic\s+)"
        r"(?P<secret>[A-Za-z0-9._~+/-]{16,}={0,2})",
    ),
    Kind(
        "SEC004",
        "a registry's credentials",
        ("auth",),
        r"(?i)[\"']auth\\?[\"']\s*:\s*\\?[\"'](?P<secret>[A-Za-z0-9+/]{12,}={0,2})",
    ),
    Kind("SEC005", "a password in a URL", ("://",), r"://[^\s:/@'\"]{0,80}:(?P<secret>[^\s/@'\"$]{1,200})@"),
)


_BASE64 = re.compile(_ALONE + r"[A-Za-z0-9+/_-]{24,}(?:\n[ \t]*[A-Za-z0-9+/_-]{24,})*={0,2}")
"""What may be base64: one run, or lines of equal indentation that go on."""
_MOST_BASE64 = 65536

_BARE_AWS = Kind("SEC002", "what looks like an AWS secret access key")
_IN_BASE64 = Kind("SEC004", "a secret in base64")
_IN_KEYED_VALUE = Kind("SEC006", "a secret, as its key says")


def find(text: str, path: str) -> tuple[list[Located], str]:
    """The secrets of a text, and the text with every character of them masked. Findings never hold a secret."""
    spans = _spans(text)
    findings = [_located(kind, Place(path, *position_of(text, start))) for kind, start, _ in spans[:MOST_FINDINGS]]
    return findings, _without(text, spans)


def mask(text: str) -> str:
    """The text with every secret in it masked."""
    return _without(text, _spans(text))


def find_in_data(data: Any, path: str, places: Places) -> tuple[list[Located], Any]:
    """What only shows once the text is parsed, and the data without it.

    That is a secret written with escapes or over several lines, and a value, of whatever form, whose key says that it
    is a secret: `HF_TOKEN: ...`, or `{name: HF_TOKEN, value: ...}`.
    """
    findings: list[Located] = []

    def pairs(text: str, route: Route) -> str:
        """A text of several lines without the values of its own `key: value` or `KEY=value` lines that are secrets."""
        for match in list(_PAIR.finditer(text)):
            if _names(match["key"], match["value"]) and set(match["value"]) != {MASK}:
                findings.append(_located(_IN_KEYED_VALUE, locate(path, places, route)))
                text = text[: match.start("value")] + _masked(match["value"]) + text[match.end("value") :]
        return text

    def clean(value: Any, route: Route, named: bool) -> Any:
        if isinstance(value, dict):
            name = value.get("name")
            return {
                mask(key): clean(
                    each,
                    (*route, key),
                    _names(key, each) or (key == "value" and isinstance(name, str) and _names(name, each)),
                )
                for key, each in value.items()
            }
        if isinstance(value, list):
            return [clean(each, (*route, index), named) for index, each in enumerate(value)]
        if isinstance(value, bool) or value is None or value == "":
            return value
        if named and set(str(value)) != {MASK}:
            findings.append(_located(_IN_KEYED_VALUE, locate(path, places, route)))
            return _masked(str(value))
        if isinstance(value, str) and AWS_SECRET.fullmatch(value):
            findings.append(_located(_BARE_AWS, locate(path, places, route)))
            return _masked(value)
        if isinstance(value, str) and "\n" in value:
            value = pairs(value, route)
        spans = _spans(value) if isinstance(value, str) else []
        findings.extend(_located(kind, locate(path, places, route)) for kind, _, _ in spans)
        return mask(value) if spans else value

    return findings, clean(data, (), False)


def _names(key: str, value: Any) -> bool:
    """Whether a key says that its value is a secret."""
    return bool(NAMED.search(key)) or bool(LIKELY.search(key) and isinstance(value, str) and RANDOM.fullmatch(value))


def _spans(text: str) -> list[Span]:
    """The secrets of a text, and what holds one in base64, from its start to its end; of those that overlap, the one
    that starts first."""
    found = _plain_spans(text)
    found += [(_IN_BASE64, *match.span()) for match in _BASE64.finditer(text) if _plain_spans(_decoded(match[0]))]
    spans: list[Span] = []
    for kind, start, end in sorted(found, key=lambda span: (span[1], -span[2])):
        is_masked = set(text[start:end]) == {MASK}
        if not is_masked and (not spans or start >= spans[-1][2]):
            spans.append((kind, start, end))
    return spans


def _plain_spans(text: str) -> list[Span]:
    small = text.lower()
    kinds = [kind for kind in KINDS if any(hint in small for hint in kind.hints)]
    return [(kind, *match.span("secret")) for kind in kinds for match in re.finditer(kind.pattern, text, re.MULTILINE)]


def _decoded(text: str) -> str:
    """What the text says in base64; empty where it is not base64, or does not decode to text."""
    bare = re.sub(r"\s|=", "", text).replace("-", "+").replace("_", "/")[:_MOST_BASE64]
    bare = bare[: len(bare) - (len(bare) % 4 == 1)]
    return a2b_base64(bare + "=" * (-len(bare) % 4)).decode("ascii", "ignore")


def _without(text: str, spans: list[Span]) -> str:
    pieces = []
    done = 0
    for _, start, end in spans:
        pieces += [text[done:start], _masked(text[start:end])]
        done = end
    return "".join([*pieces, text[done:]])


def _masked(secret: str) -> str:
    return re.sub(r"\S", MASK, secret)


def _located(kind: Kind, place: Place) -> Located:
    return error_at(place, kind.code, f"the spec holds {kind.name}", kind.fix)
