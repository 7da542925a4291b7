"""Whether a value is what vLLM reads: its type, its range, and the keys inside a JSON value.

The checks are stricter than vLLM's parser, which turns text into whatever a flag wants: a spec is typed, so "256" is
text and 256 a number. What is found is a `Problem`; the rules that report it are in `types`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf, isfinite
from operator import ge, gt, le, lt
from typing import Any, Literal

from msgspec import Struct, structs

from llmdgen.engine.argv import word
from llmdgen.engine.derived import EXTRA, children
from llmdgen.engine.flags import ConfigField, Flag, FlagTable
from llmdgen.engine.numbers import decimal, human_int, parsed
from llmdgen.findings import Route
from llmdgen.suggest import did_you_mean

TRANSFER = "KVTransferConfig"
ADAPTER = ("name", "path", "base_model_name")
_TYPES: dict[str, tuple[str, Any]] = {
    "switch": ("true or false", bool),
    "bool": ("true or false", bool),
    "int": ("a whole number", int),
    "float": ("a number", int | float),
    "str": ("text", str),
    "enum": ("a name", int | str),
    "word": ("a word", str),
    "dict": ("a map", Mapping),
    "list": ("a list", list | tuple),
    "json": ("a map or a list", Mapping | list | tuple),
    "json-or-text": ("a map or text", Mapping | str),
    "human-int": ("a whole number, or text such as 32k (32,000) or 32K (32,768)", int | str),
    "human-int-or-auto": ("a whole number, text such as 32k or 32K, or auto", int | str),
}
"""What a person has to write, and as what YAML reads it."""
_TEXTS = ("str", "enum", "word")
_JSON = ("dict", "any", "json", "json-or-text")
_LIMITS = (
    ("of at least", "at_least", ge),
    ("above", "more_than", gt),
    ("up to", "at_most", le),
    ("below", "less_than", lt),
)


class Problem(Struct, frozen=True):
    """One thing wrong with a flag's value; `inside` leads from the flag to the part at fault."""

    kind: Literal["type", "value", "key"]
    inside: Route
    says: str
    fix: str


def flag_problems(flag: Flag, value: Any, table: FlagTable) -> Iterator[Problem]:
    """Everything that is wrong with the value of a flag."""
    if not flag.many or isinstance(value, Mapping):
        yield from field_problems(str(flag), flag, value, table, ())
        return
    if value in ([], ()):
        yield Problem("type", (), f"{flag} needs at least one value", "give one, or remove the flag")
    listed = isinstance(value, list | tuple)
    for index, item in enumerate(value if listed else [value]):
        inside: Route = (index,) if listed else ()
        if flag.name == "lora-modules":
            yield from _adapter(str(flag), item, inside)
            continue
        problems = list(field_problems(str(flag), structs.replace(flag, optional=False), item, table, inside))
        yield from problems
        if problems:
            continue
        if flag.optional and item in ("", "None"):
            says = f"{flag}: vLLM reads {shown(item)} as null, and refuses it in a list"
            yield Problem("value", inside, says, "remove it")
        if flag.many == "values" and str(item).startswith("-"):
            says = f"{flag}: {shown(item)} would be read as a flag"
            yield Problem("value", inside, says, "give a value that does not begin with -")


def config_problems(
    what: str, name: str, value: Mapping[Any, Any], table: FlagTable, inside: Route
) -> Iterator[Problem]:
    """Everything that is wrong with a JSON object that fills the configuration class `name`."""
    fields = table.configs[name]
    for key, part in value.items():
        at = (*inside, key)
        if key in fields:
            yield from field_problems(f"{what}: {key}", fields[key], part, table, at)
        else:
            fix = did_you_mean(str(key), fields) or f"remove it, or use one of {', '.join(sorted(fields))}"
            yield Problem("key", at, f"{what} has no key {shown(key)}", fix)
    for index, child in children(value) if name == TRANSFER else ():
        at = (*inside, EXTRA, "connectors", index)
        yield from config_problems(f"{what}: connectors[{index}]", TRANSFER, child, table, at)


def field_problems(
    what: str, rule: Flag | ConfigField, value: Any, table: FlagTable, inside: Route
) -> Iterator[Problem]:
    """Everything that is wrong with the one value of a flag or of a key."""
    if value is None and rule.optional:
        return
    kind: str = rule.type
    if isinstance(rule, Flag) and rule.is_json:
        kind = "dict" if rule.config else rule.holds or kind
    if not _fits(kind, value):
        yield _wrong_type(what, kind, value, inside, rule.choices)
    elif rule.config and isinstance(value, Mapping):
        yield from config_problems(what, rule.config, value, table, inside)
    elif kind == "list":
        held = ConfigField(type=rule.items or "any", choices=rule.choices)
        for index, item in enumerate(value):
            yield from field_problems(f"{what}[{index}]", held, item, table, (*inside, index))
    elif kind in _JSON and not rule.choices and not isinstance(value, str):
        yield from _unwritable(what, value, inside)
        items: str = rule.items or "any"
        for key, part in value.items() if isinstance(value, Mapping) else ():
            if not _fits(items, part):
                yield _wrong_type(f"{what}: {key}", items, part, (*inside, key))
    else:
        yield from _wrong_value(what, rule, value, inside)


def shown(value: Any) -> str:
    """A value as a message quotes it: short, on one line, as YAML would have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _adapter(what: str, item: Any, inside: Route) -> Iterator[Problem]:
    """A LoRA adapter: name=path, or a map. vLLM reads text without = as JSON."""
    if isinstance(item, Mapping):
        for key in item:
            if key not in ADAPTER:
                fix = did_you_mean(str(key), ADAPTER)
                yield Problem("key", (*inside, key), f"{what} has no key {shown(key)}", fix)
        for key in ADAPTER[:2]:
            if not isinstance(item.get(key), str) or not item[key]:
                yield Problem("type", inside, f"{what}: the adapter has no {key}", f"add {key}")
    elif not isinstance(item, str) or not (item.startswith("{") or (all(item.partition("=")) and item.count("=") == 1)):
        says = f"{what}: {shown(item)} is not an adapter"
        yield Problem("type", inside, says, "write name=path, or {name: ..., path: ...}")


def _wrong_type(what: str, wanted: str, value: Any, inside: Route, choices: tuple[str | int, ...] = ()) -> Problem:
    says = f"{what} takes {_TYPES[wanted][0]}, not {shown(value)}"
    fix = did_you_mean(shown(value), map(str, choices), listed_up_to=30) if wanted in _TEXTS else ""
    return Problem("type", inside, says, fix or _type_fix(wanted, value))


def _fits(wanted: str, value: Any) -> bool:
    _, types = _TYPES.get(wanted, ("", object))
    if isinstance(value, bool):
        return types in (bool, object)
    if wanted.startswith("human-int") and isinstance(value, str):
        # Digits alone are a number that was quoted.
        number = None if value.strip().lstrip("+-").isdigit() else parsed(value, human_int, None)
        return number is not None or (wanted == "human-int-or-auto" and value.lower() == "auto")
    return isinstance(value, types)


def _type_fix(wanted: str, value: Any) -> str:
    if isinstance(value, list) and len(value) == 1 and wanted not in ("list", "any") and _fits(wanted, value[0]):
        return f"write {'the map' if isinstance(value[0], Mapping) else shown(value[0])} itself, not in a list"
    if wanted in ("switch", "bool") and str(value).lower() in ("true", "1", "yes", "on"):
        return "write true"
    if wanted in ("switch", "bool") and str(value).lower() in ("false", "0", "no", "off"):
        return "write false"
    if wanted in ("int", "human-int", "human-int-or-auto"):
        if isinstance(value, float) and value == int(value):
            return f"write {int(value)}"
        if isinstance(value, str) and value.strip().lstrip("+-").isdigit():
            return f"write {int(value)} without quotes"
    if wanted == "float" and isinstance(value, str) and isfinite(decimal(value, inf)):
        return f"write {value.strip()} without quotes"
    if wanted in _TEXTS and isinstance(value, int | float):
        return f'write "{shown(value)}" in quotes'
    if wanted in ("json", "dict") and isinstance(value, str) and value.strip()[:1] in ("{", "["):
        return "write it as a YAML map, not as JSON text"
    if wanted == "list" and isinstance(value, str):
        return f"write [{value}]"
    return f"write {_TYPES[wanted][0]}"


def _wrong_value(what: str, rule: Flag | ConfigField, value: Any, inside: Route) -> Iterator[Problem]:
    if isinstance(value, float) and not isfinite(value):
        yield Problem("value", inside, f"{what} cannot be {value}", "write a finite number")
        return
    if rule.choices and value not in rule.choices and not _is_spelling(rule, value):
        fix = did_you_mean(str(value), map(str, rule.choices), listed_up_to=30)
        yield Problem("value", inside, f"{what} cannot be {shown(value)}", fix)
        return
    limits = [(words, limit, holds) for words, name, holds in _LIMITS if (limit := getattr(rule, name)) is not None]
    number = human_int(value) if isinstance(value, str) and rule.type == "human-int" else value
    if isinstance(number, int | float) and not all(holds(number, limit) for _, limit, holds in limits):
        fix = f"write a number {' and '.join(f'{words} {limit:g}' for words, limit, _ in limits)}"
        yield Problem("value", inside, f"{what} cannot be {value}", fix)
    elif isinstance(rule, Flag) and rule.is_port and isinstance(value, int) and not 0 < value < 65536:
        yield Problem("value", inside, f"{what} is not a port: {value}", "write 1 to 65535")
    elif isinstance(rule, Flag) and isinstance(value, str) and ("\n" in value or "\0" in value):
        yield Problem("value", inside, f"{what}: {shown(value)} holds a line break", "write it on one line")


def _is_spelling(rule: Flag | ConfigField, value: Any) -> bool:
    """Whether vLLM takes the text for one of the choices."""
    spellings = {"enum": str.upper, "word": word}
    return isinstance(value, str) and rule.type in spellings and spellings[rule.type](value) in rule.choices


def _unwritable(what: str, value: Any, inside: Route) -> Iterator[Problem]:
    """What JSON cannot hold: numbers without end, keys that are not text, dates."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            if not isinstance(key, str):
                fix = f'write "{key}" in quotes'
                yield Problem("type", (*inside, key), f"{what}: the key {shown(key)} is not text", fix)
            yield from _unwritable(f"{what}: {key}", part, (*inside, key))
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from _unwritable(f"{what}[{index}]", part, (*inside, index))
    elif isinstance(value, float) and not isfinite(value):
        yield Problem("value", inside, f"{what} cannot be {value}", "write a finite number")
    elif value is not None and not isinstance(value, str | int | float):
        yield Problem("type", inside, f"{what}: {shown(value)} is nothing that JSON can hold", "write it in quotes")
