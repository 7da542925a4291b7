"""Secrets in a spec, found anywhere in its text, comments included. They are masked, character by character, before
anything else reads the text: no later message can quote one, and every position stays what it was."""

from __future__ import annotations

import re
from typing import Any

from llmdgen.findings import Located, Place, Route
from llmdgen.secrets import MASK, Kind, mask, masked, named_values, names_a_secret, spans, without
from llmdgen.spec.places import Places, error_at, locate, position_of

MOST_FINDINGS = 100
_FIXES = {
    "SEC001": "delete it, revoke it at huggingface.co/settings/tokens, and name the Secret that holds the new one in"
    " spec.model.authSecretName",
    "SEC002": "delete it, deactivate it in IAM, and give the pod a role (EKS Pod Identity or IRSA)",
    "SEC005": "delete it from the URL, and give it to the pod through a Kubernetes Secret",
    "SEC006": "delete it, and read it from a Kubernetes Secret",
}
_OTHERWISE = "delete it, revoke it, and name a Kubernetes Secret that holds the new one"

_AWS_SECRET = re.compile(
    r"(?=.*[A-Z].*[A-Z])(?=.*[a-z].*[a-z])(?=.*[0-9])(?=.*[/+]|.*[0-9].*[0-9].*[0-9])[A-Za-z0-9+][A-Za-z0-9/+]{39}"
)
"""A value that is nothing but what AWS secret access keys look like."""
_BARE_AWS = Kind("SEC002", "what looks like an AWS secret access key")
_IN_KEYED_VALUE = Kind("SEC006", "a secret, as its key says")


def find(text: str, path: str) -> tuple[list[Located], str]:
    """The secrets of a text, and the text with every character of them masked. Findings never hold a secret."""
    found = spans(text)
    findings = [_located(kind, Place(path, *position_of(text, start))) for kind, start, _ in found[:MOST_FINDINGS]]
    return findings, without(text, [(start, end) for _, start, end in found])


def find_in_data(data: Any, path: str, places: Places) -> tuple[list[Located], Any]:
    """What only shows once the text is parsed, and the data without it: a secret written with escapes or over several
    lines, and a value whose key says that it is one: `HF_TOKEN: ...`, `{name: HF_TOKEN, value: ...}`, or `HF_TOKEN=...`
    inside a text."""
    findings: list[Located] = []

    def clean(value: Any, route: Route, named: bool) -> Any:
        if isinstance(value, dict):
            name = str(value.get("name"))
            return {
                mask(key): clean(
                    each, (*route, key), names_a_secret(key, each) or (key == "value" and names_a_secret(name, each))
                )
                for key, each in value.items()
            }
        if isinstance(value, list):
            return [clean(each, (*route, index), named) for index, each in enumerate(value)]
        if isinstance(value, bool) or value is None or value == "":
            return value
        kinds: list[Kind] = []
        if named and set(str(value)) != {MASK}:
            kinds, cleaned = [_IN_KEYED_VALUE], masked(str(value))
        elif isinstance(value, str) and _AWS_SECRET.fullmatch(value):
            kinds, cleaned = [_BARE_AWS], masked(value)
        elif isinstance(value, str):
            kinds = [*(kind for kind, _, _ in spans(value)), *(_IN_KEYED_VALUE for _ in named_values(value))]
            cleaned = mask(value) if kinds else value
        place = locate(path, places, route)
        findings.extend(_located(kind, place) for kind in kinds)
        return cleaned if kinds else value

    return findings, clean(data, (), False)


def _located(kind: Kind, place: Place) -> Located:
    return error_at(place, kind.code, f"the spec holds {kind.name}", _FIXES.get(kind.code, _OTHERWISE))
