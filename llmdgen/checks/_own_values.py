"""The parts of a spec's own values that replace llmdgen's, beside what they replace."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from llmdgen.findings import Route
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.untyped import maps

SERVING = ("vllmServe", "imageDefault")


def own_servers(plan: Plan) -> Iterator[tuple[RolePlan, dict[str, Any], dict[str, Any], Route]]:
    """Each role whose containers the spec replaces, with the planned model server, its own and where that is."""
    for role, planned, own in own_roles(plan):
        entries = dict(maps(own.get("containers")))
        if not entries:
            continue
        server = next(each for _, each in maps(planned["containers"]))
        named = [index for index, each in entries.items() if each.get("name") == server["name"]]
        serving = [index for index, each in entries.items() if each.get("modelCommand") in SERVING]
        index = (*named, *serving, *entries)[0]
        yield role, server, entries[index], (*role_at(role), "containers", index)


def own_roles(plan: Plan) -> Iterator[tuple[RolePlan, dict[str, Any], dict[str, Any]]]:
    """Each role that spec.values.ms says something of, as planned and as said there."""
    values = plan.spec.spec.values.ms
    for role in plan.roles:
        own = values.get(role.name)
        if isinstance(own, dict) and own.keys() & {"containers", "volumes", "initContainers", "extraConfig"}:
            yield role, values_written(plan, "ms")[role.name], own


def values_written(plan: Plan, chart: str) -> dict[str, Any]:
    """The values of a chart as llmdgen alone writes them."""
    from llmdgen.rendering.files import planned_values

    return _read(planned_values(plan, chart))


@lru_cache(maxsize=4)
def _read(text: str) -> dict[str, Any]:
    from llmdgen import plain_yaml

    values: dict[str, Any] = plain_yaml.load(text)
    return values


def role_at(role: RolePlan) -> Route:
    return ("spec", "values", "ms", role.name)


def names_of(value: Any) -> list[str]:
    return [str(each.get("name")) for _, each in maps(value)]
