"""Values against a chart's own JSON schema, which Helm applies before any template.

The part of draft 7 that the charts' schemas use; importing jsonschema takes as long as a whole render may. A map of the
values is merged into llmdgen's, which has the keys that a schema requires; inside a list nothing is merged, so there
they have to be given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec

from llmdgen.checks._mistake import Mistake, shown
from llmdgen.findings import Route
from llmdgen.resources import FACTS
from llmdgen.suggest import did_you_mean, one_of

Schema = dict[str, Any]
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}
_WORDS = {
    "object": "a map",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
}


@cache
def chart_schema(release: str, chart: str) -> Schema:
    """The schema of a chart of a release (infra, gaie or ms), empty for a chart without one."""
    file = FACTS / "releases" / release / f"values-{chart}.schema.json"
    schema: Schema = msgspec.json.decode(file.read_bytes()) if file.is_file() else {}
    return schema


def refused(value: Any, schema: Schema, route: Route = (), in_list: bool = False) -> Iterator[Mistake]:
    """Everything that Helm's schema validation would refuse; null, which removes a key before it, is nothing."""
    if value is None or not isinstance(schema, dict):
        return
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        wanted = one_of([_WORDS[kind] for kind in kinds if kind in _WORDS])
        fix = f'write "{shown(value)}" in quotes' if kinds == ["string"] and not isinstance(value, dict | list) else ""
        yield Mistake(
            route, f"{shown(value)} is not {wanted}", fix or f"write {wanted}", isinstance(value, dict | list)
        )
        return
    if "enum" in schema and value not in schema["enum"]:
        names = [str(each) for each in schema["enum"]]
        yield Mistake(route, f"{shown(value)} is not {one_of(names)}", did_you_mean(str(value), names))
    for key in ("anyOf", "oneOf"):
        options = schema.get(key, [])
        if options and not any(True for each in options if not any(True for _ in refused(value, each, (), in_list))):
            yield from refused(value, options[0], route, in_list)
    yield from _bounds(value, schema, route)
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from refused(each, schema.get("items", {}), (*route, index), True)
    elif isinstance(value, dict):
        known, further = schema.get("properties", {}), schema.get("additionalProperties", True)
        for key in schema.get("required", ()) if in_list else ():
            if key not in value:
                yield Mistake(route, f"{key} is missing", f"write {key}: ...")
        for key, each in value.items():
            if key in known:
                yield from refused(each, known[key], (*route, key), in_list)
            elif further is False:
                yield Mistake((*route, key), f"there is no {key}", did_you_mean(str(key), known) or "remove it", True)
            elif isinstance(further, dict):
                yield from refused(each, further, (*route, key), in_list)


def _bounds(value: Any, schema: Schema, route: Route) -> Iterator[Mistake]:
    if isinstance(value, list) and len(value) < schema.get("minItems", 0):
        yield Mistake(route, f"the list needs {schema['minItems']} or more entries", "add one, or remove it", True)
    if isinstance(value, int | float) and not isinstance(value, bool):
        least, most = schema.get("minimum"), schema.get("maximum")
        if (least is not None and value < least) or (most is not None and value > most):
            limits = f"from {least} to {most}" if most is not None else f"of at least {least}"
            yield Mistake(route, f"{value} is no number {limits}", f"write a number {limits}")
    if isinstance(value, str):
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            yield Mistake(
                route, f"{len(value)} characters are too many, or none", "write a shorter text, not an empty one"
            )
        elif "pattern" in schema and "{{" not in value and not re.search(schema["pattern"], value):
            yield Mistake(route, f"{shown(value)} does not match {schema['pattern']}", "write it as that pattern says")


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind]) or (kind == "integer" and isinstance(value, float) and value.is_integer())
