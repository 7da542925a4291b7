"""Everything in plain data that does not fit the types of the spec.

msgspec converts in microseconds but stops at the first thing that does not fit. This walks the same types, and is
only imported where the conversion failed: every misfit is found at once, with its key, its reason and its fix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import inspect

from llmdgen.findings import Finding, Route
from llmdgen.spec import keys
from llmdgen.spec.kinds import article, document_type, expected, fix_of_number, fix_of_pattern, fix_of_type, unwrapped
from llmdgen.spec.places import error
from llmdgen.spec.retired import is_retired
from llmdgen.spec.words import described, dotted, quoted
from llmdgen.suggest import did_you_mean, one_of


def misfits(data: Any) -> Iterator[Finding]:
    """Every misfit of a document's data, in the order of the types."""
    return _walk(data, document_type(), ())


def _walk(value: Any, kind: Any, at: Route) -> Iterator[Finding]:
    options = unwrapped(kind)
    if any(isinstance(each, inspect.AnyType) for each in options):
        return
    if value is None:
        yield error("SPEC019", f"{_name(at)} has no value", _fix_of_nothing(options), at, on_key=True)
        return
    fitting = next((each for each in options if _accepts(each, value)), None)
    if fitting is None:
        says = f"{_name(at)} must be {expected(options)}, not {described(value)}"
        unit = "" if at and at[-1] == "cpu" else "Gi"
        yield error("SPEC007", says, fix_of_number(options, value, unit) or fix_of_type(options, value), at)
    elif isinstance(fitting, inspect.StructType):
        yield from _struct(value, fitting, at)
    elif isinstance(fitting, inspect.DictType):
        for key, each in value.items():
            yield from _walk(each, fitting.value_type, (*at, key))
    elif isinstance(fitting, inspect.VarTupleType):
        yield from _length(value, fitting, at)
        for index, each in enumerate(value):
            yield from _walk(each, fitting.item_type, (*at, index))
    elif isinstance(fitting, inspect.LiteralType):
        yield from _choice(value, fitting, options, at)
    elif isinstance(fitting, inspect.StrType):
        yield from _text(value, fitting, at)
    elif isinstance(fitting, inspect.IntType):
        yield from _range(value, fitting, at)


def _accepts(kind: Any, value: Any) -> bool:
    """Whether a value is of the kind, as msgspec sees it when it is strict; its range is another question."""
    match kind:
        case inspect.StructType() | inspect.DictType():
            return isinstance(value, dict)
        case inspect.VarTupleType():
            return isinstance(value, list)
        case inspect.LiteralType():
            return isinstance(value, str)
        case inspect.StrType():
            return isinstance(value, str)
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case inspect.FloatType():
            return isinstance(value, int | float) and not isinstance(value, bool)
    raise TypeError(f"the spec has no values of {kind}")


def _struct(value: dict[str, Any], kind: inspect.StructType, at: Route) -> Iterator[Finding]:
    fields = {field.encode_name: field for field in kind.fields}
    missing = [name for name, field in fields.items() if field.required and name not in value]
    unknown = [name for name in value if name not in fields and not is_retired((*at, name))]
    for name in missing:
        misspelt = [key for key in unknown if keys.means(key, name, tuple(fields))]
        if not misspelt:
            says = f"{dotted((*at, name))} is missing"
            yield error("SPEC006", says, f"add {name}: {_example(fields[name], kind)}".rstrip(" :"), at, on_key=True)
    for name in unknown:
        says = f"unknown key {quoted(name)}" + (f" in {dotted(at)}" if at else "")
        route = (*at, name)
        yield error("SPEC005", says, keys.fix(name, at, tuple(fields)), route, on_key=True)
    for name, field in fields.items():
        if name in value:
            yield from _walk(value[name], field.type, (*at, name))


def _length(value: list[Any], kind: inspect.VarTupleType, at: Route) -> Iterator[Finding]:
    if kind.min_length is not None and len(value) < kind.min_length:
        yield error("SPEC008", f"{_name(at)} is empty", "write at least one entry", at)
    if kind.max_length is not None and len(value) > kind.max_length:
        says = f"{_name(at)} has {len(value)} entries, {kind.max_length} are allowed"
        yield error("SPEC008", says, "spread them over several specs", at)


def _choice(value: str, kind: inspect.LiteralType, options: list[Any], at: Route) -> Iterator[Finding]:
    if value not in kind.values:
        choices = [str(each) for each in kind.values]
        fix = did_you_mean(value, choices) if len(options) == 1 else fix_of_type(options, value)
        says = f"{_name(at)} must be {expected(options)}, not {quoted(value)}"
        yield error("SPEC008", says, fix or f"write {one_of(choices)}", at)


def _text(value: str, kind: inspect.StrType, at: Route) -> Iterator[Finding]:
    if kind.min_length is not None and len(value) < kind.min_length:
        least = f"shorter than {kind.min_length} characters" if value else "empty"
        yield error("SPEC008", f"{_name(at)} is {least}", "write it out", at)
    elif kind.max_length is not None and len(value) > kind.max_length:
        says = f"{_name(at)} has {len(value)} characters, {kind.max_length} are allowed"
        yield error("SPEC011", says, "shorten it", at)
    elif kind.pattern is not None and not re.search(kind.pattern, value):
        says = f"{quoted(value)} is not {article(kind.pattern)}"
        yield error("SPEC008", f"{_name(at)}: {says}", fix_of_pattern(kind.pattern, value), at)


def _range(value: int, kind: inspect.IntType, at: Route) -> Iterator[Finding]:
    too_small = kind.ge is not None and value < kind.ge
    too_large = kind.le is not None and value > kind.le
    if too_small or too_large:
        bound = kind.ge if too_small else kind.le
        says = f"{_name(at)} must be {expected([kind])}, not {value}"
        fix = _SERVERS_OF_BOTH if too_small and at in _REPLICAS else ""
        yield error("SPEC008", says, fix or f"write {bound} or {'more' if too_small else 'less'}", at)


_REPLICAS = (("spec", "prefill", "replicas"), ("spec", "decode", "replicas"))
_SERVERS_OF_BOTH = "write 1 or more; where prefill is split from decode, both are needed"


def _name(at: Route) -> str:
    """A value's short name: its own key, or its list's with the index."""
    last = len(at) - 1
    while last > 0 and isinstance(at[last], int):
        last -= 1
    shown = quoted(dotted(at[last:]), bare=True)
    return shown or "the document"


def _example(field: inspect.Field, part: inspect.StructType) -> str:
    """A value that could stand there, as what is said of the field shows one."""
    from llmdgen.spec.descriptions import descriptions

    for each in descriptions(part.cls)[field.name].examples:
        return f"[{', '.join(each)}]" if isinstance(each, list) else str(each)
    (kind,) = unwrapped(field.type)
    if isinstance(kind, inspect.LiteralType):
        return str(kind.values[0])
    required = [each for each in kind.fields if each.required]
    return f"{{{', '.join(f'{each.encode_name}: {_example(each, kind)}' for each in required)}}}"


def _fix_of_nothing(options: list[Any]) -> str:
    needy = [each for each in options if any(field.required for field in getattr(each, "fields", ()))]
    if needy:
        return fix_of_type(needy, None)
    if any(isinstance(each, inspect.StructType | inspect.DictType) for each in options):
        return "delete the key, or write {} for an empty mapping"
    if any(isinstance(each, inspect.VarTupleType) for each in options):
        return "delete the key, or write [] for an empty list"
    return "write a value after the colon, or delete the key"
