"""`spec.values` of charts that are no longer used, each key with the place that has its meaning now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.findings import Finding, Route
from llmdgen.spec.fields import ROLES
from llmdgen.spec.places import error
from llmdgen.spec.words import dotted, quoted
from llmdgen.untyped import mapping

AT = ("spec", "values")
CHARTS = ("infra", "gaie", "ms")
OTHERWISE = "otherwise"


def is_retired(route: Route) -> bool:
    """Whether a route is that of such a chart, whose values findings of this module are about."""
    return route[:-1] == AT and route[-1] in CHARTS


def retired_values(spec: dict[str, Any]) -> Iterator[Finding]:
    """A finding for each key that went somewhere else, at the outermost place of which the facts say where."""
    values = mapping(spec.get("values"))
    for chart in CHARTS:
        if chart in values:
            from llmdgen.facts.catalogue import table

            yield from _moved(values[chart], (), chart, table("retired-values.toml")[chart])


def _moved(value: Any, route: Route, chart: str, places: dict[str, str]) -> Iterator[Finding]:
    paths = {path: parts for path in places if path != OTHERWISE and _begins(parts := _parts(path), route)}
    if value and any(len(parts) > len(route) for parts in paths.values()) and isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _moved(each, (*route, key), chart, places)
        return
    fix = next((places[path] for path, parts in paths.items() if len(parts) == len(route)), places[OTHERWISE])
    at: Route = (*AT, chart, *route)
    says = f"nothing reads {quoted(dotted(at), bare=True)}: of spec.values only router is left"
    yield error("SPEC029", says, fix.format(role=(*route, "")[0], key=at[-1]), at, on_key=True)


def _parts(path: str) -> list[str]:
    return path.replace("[]", ".[]").split(".")


def _begins(parts: list[str], route: Route) -> bool:
    """Whether a path, or its start, is that of the route."""
    return len(route) <= len(parts) and all(map(_is, parts, route))


def _is(part: str, key: str | int) -> bool:
    return part == ("[]" if isinstance(key, int) else key) or part == "*" or (part == "{role}" and key in ROLES)
