"""What the readers of single values refuse, where more than the value itself decides: flags, resources, images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmdgen.checks._value_kinds import POD_FIELDS, mistakes
from llmdgen.checks._value_paths import dotted, nodes
from llmdgen.facts.catalogue import release_toml
from llmdgen.findings import Route
from llmdgen.planning.model import Plan
from llmdgen.registry import Draft, found
from llmdgen.suggest import did_you_mean

GATEWAY_RESOURCES: Route = ("gateway", "gatewayParameters", "resources")


def refusals(plan: Plan, chart: str, values: dict[str, Any], facts: dict[str, Any]) -> Iterator[Draft]:
    """What is refused in the values of one chart; `facts` are the release's about values."""
    yield from _resources_together(plan, chart, values)
    if chart == "ms":
        yield from _written_twice(values)
    elif chart == "infra":
        yield from _destination(plan, values)
    else:
        yield from _sidecar(plan, values)
        yield from _predictor_images(values, facts.get("no_registry", {}).get(chart, ()))
        yield from _scheduler_flags(values, facts.get("scheduler_flags", {}), plan.release.scheduler_flags)


def _sidecar(plan: Plan, values: dict[str, Any]) -> Iterator[Draft]:
    sidecar = dict(nodes(values)).get(("inferenceExtension", "sidecar"))
    if isinstance(sidecar, dict) and sidecar.get("enabled") is True and not plan.scheduler.tokenizer:
        missing = [key for key in ("name", "image") if not sidecar.get(key)]
        if missing:
            says = f"the sidecar has no {' and no '.join(missing)}"
            yield value_at("gaie", ("inferenceExtension", "sidecar", "enabled"), says, "write both, or enabled: false")


def _destination(plan: Plan, values: dict[str, Any]) -> Iterator[Draft]:
    """A rule of the infra chart's for Istio, whose default host is localhost."""
    rule_of = dict(nodes(values)).get(("gateway", "destinationRule"))
    if not isinstance(rule_of, dict) or rule_of.get("enabled") is not True or plan.gateway.provider != "istio":
        return
    names, host = plan.names, str(rule_of.get("host") or "localhost")
    if host.partition(".")[0] != names.scheduler_service:
        key = ("host",) if rule_of.get("host") is not None else ("enabled",)
        says = f"{host} is no Service of this deployment, so the rule changes nothing"
        fix = f"write host: {names.scheduler_service}.{names.namespace}.svc.cluster.local, or remove it"
        yield value_at("infra", ("gateway", "destinationRule", *key), says, fix)


def _predictor_images(values: dict[str, Any], paths: tuple[str, ...] | list[str]) -> Iterator[Draft]:
    """Images whose registry the chart leaves to its user, once what they are for is switched on."""
    own = {dotted(route): value for route, value in nodes(values)}
    at: Route = ("inferenceExtension", "latencyPredictor", "enabled")
    if own.get(dotted(at)) is True and (missing := [path for path in paths if not own.get(path)]):
        says = f"the chart has no registry for its images: {' and '.join(missing)}"
        yield value_at("gaie", at, says, "set them, or remove it")


def _resources_together(plan: Plan, chart: str, values: dict[str, Any]) -> Iterator[Draft]:
    """Requests above limits, one of which the spec has, and llmdgen or the chart the other."""
    bases = {GATEWAY_RESOURCES: {} if plan.gateway.own_gateway else plan.gateway.settings.get("resources", {})}
    facts = release_toml(plan.release.name, "values.toml").get("base_resources", {}).get(chart, {})
    bases |= {tuple(path.split(".")): amounts for path, amounts in facts.items()}
    given = dict(nodes(values))
    for route, base in bases.items():
        own = given.get(route)
        if not isinstance(own, dict):
            continue
        sides = {side: own[side] for side in ("limits", "requests") if isinstance(own.get(side), dict)}
        said = {mistake.route for mistake in mistakes("resources", own)}
        both = {side: {**base.get(side, {}), **sides.get(side, {})} for side in ("limits", "requests")}
        for each in mistakes("resources", both):
            if each.route not in said and any(each.route[-1] in amounts for amounts in sides.values()):
                says = f"{each.says}, where the spec does not say otherwise"
                yield value_at(chart, (*route, *each.route), says, each.fix, each.on_key)


def _written_twice(values: dict[str, Any]) -> Iterator[Draft]:
    """Fields of a pod that the chart writes where its own value has them, and extraConfig once more."""
    for name, role in values.items():
        own: dict[str, Any] = role if isinstance(role, dict) else {}
        extra = own.get("extraConfig")
        for key in POD_FIELDS if isinstance(extra, dict) else ():
            if own.get(key) is not None and key in (extra or {}):
                says = f"{name}.{key} writes it already, and a field that stands twice is refused"
                yield value_at("ms", (name, "extraConfig", key), says, "keep one", on_key=True)


def _scheduler_flags(values: dict[str, Any], facts: dict[str, Any], planned: dict[str, str]) -> Iterator[Draft]:
    extension = values.get("inferenceExtension")
    flags = extension.get("flags") if isinstance(extension, dict) else None
    route: Route = ("inferenceExtension", "flags")
    for name, value in flags.items() if isinstance(flags, dict) and facts else ():
        if value is None:
            continue  # removed, which is HELM007's
        if name in facts["taken"]:
            says = f"the chart writes the scheduler's --{name}"
            yield value_at("gaie", (*route, name), says, facts["taken"][name], on_key=True)
        elif name not in facts["names"]:
            says = f"the scheduler has no flag --{name}, and stops at it"
            fix = did_you_mean(str(name), facts["names"], listed_up_to=0) or "remove it"
            yield value_at("gaie", (*route, name), says, fix, on_key=True)
        elif isinstance(value, dict | list):
            yield value_at(
                "gaie", (*route, name), f"--{name} takes one value", "write a text, a number or a truth value"
            )
        elif name in facts["kinds"]["boolean"] and str(value).lower() not in ("true", "1"):
            says = f"the chart writes --{name} and {str(value).lower()} as two words, and the switch reads only its own"
            yield value_at("gaie", (*route, name), says, "remove it: no value of the chart switches it off")
        elif name in facts["kinds"]["duration"] and not re.fullmatch(
            r"([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+", str(value)
        ):
            yield value_at(
                "gaie", (*route, name), f"--{name} takes a duration, not {value}", "write such as 50ms or 2s"
            )
        elif name in facts["kinds"]["whole"] and not str(value).isdecimal():
            yield value_at("gaie", (*route, name), f"--{name} takes a whole number, not {value}", "write such as 4")
        elif name in planned and name not in facts["kinds"]["whole"] and str(value) != planned[name]:
            says = f"--{name} is {value}, and this vLLM has {planned[name]}"
            yield value_at("gaie", (*route, name), says, f"write {planned[name]}, or remove it")


def value_at(chart: str, route: Route, says: str, fix: str, on_key: bool = False) -> Draft:
    """A finding inside the values of a chart."""
    return found("spec", "values", chart, *route, says=says, fix=fix, on_key=on_key)
