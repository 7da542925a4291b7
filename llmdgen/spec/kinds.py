"""The kinds of values in words: what is expected, and how what was written becomes it."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from msgspec import inspect

from llmdgen.spec import fields, model
from llmdgen.spec.words import quoted
from llmdgen.suggest import one_of

_FORMS = {
    fields.DNS_LABEL: "a Kubernetes name: lower-case letters, digits and -, with a letter or digit at both ends",
    fields.DNS_SUBDOMAIN: "a Kubernetes name: lower-case letters, digits, - and ., with a letter or digit at both ends",
    fields.CPU: "cores or millicores such as 8, 1.5 or 500m",
    fields.SIZE: "a Kubernetes size such as 64Gi or 2Ti",
    fields.DURATION: "a whole number of seconds, minutes or hours such as 120s, 45m or 1h",
    fields.COMMIT: "the 40 hexadecimal digits of a commit",
    fields.REGISTRY: "a registry and an organisation, without https:// and tag, such as registry.example.com/llm-d",
    fields.ABSOLUTE_PATH: "an absolute path of letters, digits and -._/, such as /mnt/k8s-disks/0/kv",
    fields.FINDING_CODE: "a finding's code, such as GW004",
}
"""What each pattern asks for, in words."""
_TRUE = frozenset(("true", "yes", "on", "y"))
_FALSE = frozenset(("false", "no", "off", "n"))
_WHOLE = r"[-+]?[0-9]{1,18}"
_UNIT = r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgtp]?)(i?)b?\s*"


@cache
def document_type() -> Any:
    """The type of a whole document, as msgspec describes it."""
    return inspect.type_info(model.Document)


def unwrapped(kind: Any) -> list[Any]:
    """The kinds a value may be of, without the annotations around them and without null."""
    if isinstance(kind, inspect.Metadata):
        return unwrapped(kind.type)
    if isinstance(kind, inspect.UnionType):
        return [option for each in kind.types for option in unwrapped(each)]
    return [] if isinstance(kind, inspect.NoneType) else [kind]


def expected(options: list[Any]) -> str:
    """What a place takes: "auto or a whole number from 0 to 64"."""
    return one_of(word for each in options for word in _words(each))


def _words(kind: Any) -> list[str]:
    match kind:
        case inspect.LiteralType():
            return [str(value) for value in kind.values]
        case inspect.IntType():
            return [f"a whole number{_bounds(kind)}"]
        case inspect.FloatType():
            return ["a number"]
        case inspect.BoolType():
            return ["true or false"]
        case inspect.StrType():
            return ["text"]
        case inspect.VarTupleType():
            return ["a list"]
    return ["a mapping"]


def _bounds(kind: inspect.IntType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f" from {kind.ge} to {kind.le}"
    return f" of at least {kind.ge}" if kind.ge is not None else ""


def article(pattern: str) -> str:
    """What a pattern asks for, in words."""
    return _FORMS.get(pattern, f"of the form {pattern}")


def fix_of_type(options: list[Any], value: Any) -> str:
    """How a value of the wrong type becomes one of the right type."""
    for kind in options:
        fix = _fix_of_kind(kind, value)
        if fix:
            return fix
    return f"write {expected(options)}"


def _fix_of_kind(kind: Any, value: Any) -> str:
    simple = isinstance(value, str | int | float)
    match kind:
        case inspect.StrType() | inspect.LiteralType() if isinstance(value, bool):
            return f'put it in quotes: "{str(value).lower()}"'
        case inspect.StrType() if isinstance(value, int):
            return f'put it in quotes: "{value}"'
        case inspect.StrType() if isinstance(value, float):
            return "put it in quotes"
        case inspect.IntType() | inspect.FloatType() if isinstance(value, str) and re.fullmatch(_WHOLE, value):
            return f"remove the quotes: {value}"
        case inspect.IntType() if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
            return f"write {int(value)}"
        case inspect.BoolType() if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
            return f"write {str(value.lower() in _TRUE).lower()}, without quotes"
        case inspect.BoolType() if value in (0, 1):
            return f"write {str(value == 1).lower()}"
        case inspect.VarTupleType() if simple:
            return f"write [{quoted(str(value), bare=True)}]"
        case inspect.VarTupleType():
            return "write each entry on its own line after a dash"
        case inspect.StructType():
            return f"write its keys below it, indented: {', '.join(field.encode_name for field in kind.fields)}"
        case inspect.DictType():
            return "write `name: value` lines below it, indented, without dashes"
    return ""


def fix_of_pattern(pattern: str, value: str) -> str:
    """How a text that does not match becomes one that does; a proposal is only made where it matches."""
    if pattern == fields.CPU:
        return "write cores such as 8, or millicores such as 500m"
    if pattern == fields.SIZE:
        return _fix_of_size(value)
    proposal = value.strip()
    if pattern in (fields.DNS_LABEL, fields.DNS_SUBDOMAIN):
        allowed = "a-z0-9." if pattern == fields.DNS_SUBDOMAIN else "a-z0-9"
        proposal = re.sub(rf"[^{allowed}]+", "-", value.lower()).strip("-.")
    if proposal != value and re.search(pattern, proposal):
        return f"write {quoted(proposal, bare=True)}"
    return f"write {article(pattern)}"


def fix_of_number(options: list[Any], value: Any, unit: str) -> str:
    """How a number becomes a quantity of that unit; empty where no quantity is expected."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if not any(isinstance(each, inspect.StrType) and each.pattern in (fields.CPU, fields.SIZE) for each in options):
        return ""
    if value < 0:
        return "write a quantity that is not negative"
    return f"write {value}{unit}" if unit else f'put it in quotes: "{value}"'


def _fix_of_size(value: str) -> str:
    parts = re.fullmatch(_UNIT, value, re.IGNORECASE)
    if parts is None:
        return "write a number and a unit, such as 64Gi"
    number, unit, binary = parts[1], parts[2], parts[3]
    if not unit:
        return f"write {number}Gi for gibibytes, or {number} for bytes"
    decimal = "k" if unit in "kK" else unit.upper()
    if binary:
        return f"write {number}{unit.upper()}i"
    return f"write {number}{unit.upper()}i (powers of 1024) or {number}{decimal} (powers of 1000)"
