"""Values of a pod in one spelling each, as short as one would say them."""

from __future__ import annotations

from typing import Any

from llmdgen.diff.state import Value
from llmdgen.diff.yaml import compact
from llmdgen.quantities import MIB, cpu_text, mib_text, to_bytes, to_millis
from llmdgen.untyped import mapping

REFERENCE = "from "  # what a variable's value begins with that comes from elsewhere
_LONGEST_QUANTITY = 30


def variable(source: dict[str, Any]) -> Any:
    """The value of an environment variable, or where it comes from."""
    if set(source) == {"value"}:
        return source["value"]
    for kind, inner in mapping(source.get("valueFrom")).items():
        if isinstance(inner, dict):
            return REFERENCE + " ".join([kind, *(compact(inner[key]) for key in sorted(inner, reverse=True))])
    return compact(source)


def size(name: str, value: Any) -> Value:
    """A quantity of a resource in one spelling: "8000m" and 8 are 8, 65536Mi is 64Gi; a count of devices is a
    number."""
    text = compact(value)
    if value is None or len(text) > _LONGEST_QUANTITY:
        return None if value is None else text
    if "/" in name:
        return int(text) if text.isascii() and text.isdigit() else text
    try:
        if name == "cpu":
            return cpu_text(to_millis(text))
        number = to_bytes(text)
        return mib_text(number // MIB) if number % MIB == 0 else text
    except (KeyError, ValueError):
        return text


def canonical(value: Any, key: str = "") -> Any:
    """A part of a pod as the API server keeps it: one spelling of each quantity, and no key without a value."""
    if isinstance(value, dict):
        is_resource = key in ("limits", "requests")
        return {
            name: size(name, item) if is_resource or name == "sizeLimit" else canonical(item, name)
            for name, item in value.items()
            if item is not None
        }
    return [canonical(item) for item in value] if isinstance(value, list) else value


def toleration(given: dict[str, Any]) -> tuple[str, str]:
    """What a toleration is called, and the rest of it."""
    rest = dict(given)
    key, effect, operator = (str(rest.pop(name, "") or "") for name in ("key", "effect", "operator"))
    value = compact(rest.pop("value", ""))
    says = operator if operator == "Exists" else f"= {value}"
    name = " ".join(part for part in ("toleration", key or "of everything", effect) if part)
    return name, f"{says} {compact(rest)}" if rest else says
