"""The escape hatch, spec.values: that the charts read what it sets, and that it does not undo what others need.

What the charts read, execute, print and need is data of the release (values-*.txt and values.toml).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmdgen.checks._chart_schema import chart_schema, refused
from llmdgen.checks._value_kinds import mistakes
from llmdgen.checks._value_paths import dotted, is_below, leaves, misshapen, nodes, read_paths, unread
from llmdgen.checks._value_readers import refusals, value_at
from llmdgen.facts.catalogue import release_toml
from llmdgen.findings import Route
from llmdgen.planning.model import Plan
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import did_you_mean

CHARTS = ("infra", "gaie", "ms")
LOAD_BALANCER = "load-balancer"

_ESCAPED = r"\{\{-?\s*(?:`[^`]*`|\"(?:[^\"\\]|\\.)*\")\s*-?\}\}"


@rule("HELM002", "error", "a value that no template of the chart reads")
def values_are_read(plan: Plan) -> Iterator[Draft]:
    """Helm takes any value and says nothing of those that no template uses, so that a mistyped path changes nothing.
    The paths that each chart reads are data of the release.

    Fails:  values.infra {gateway: {service: {annotations: {...}}}}; values.ms {decode: {nodeSelectors: {...}}}.
    Passes: values.ms {decode: {podAnnotations: {...}}}.
    """
    for chart, values, facts in _charts(plan):
        for each in unread(values, read_paths(plan.release.name, chart)):
            path = dotted(each.route)
            advice = next((fix for top, fix in facts["advice"][chart].items() if is_below(path, top)), None)
            fix = advice or _meant(each.route, each.known, facts["depended_on"][chart])
            yield value_at(chart, each.route, f"the {_chart(plan, chart)} chart does not read {path}", fix, on_key=True)
        single = facts.get("multinode_only", {}).get(chart, ()) if not plan.multinode else ()
        for route, value in nodes(values):
            if dotted(route) in single and value is not None:
                says = f"the chart reads {dotted(route)} only for roles of several nodes"
                fix = f"use {route[0]}.extraConfig.{route[-1]}" if str(route[-1]).startswith("host") else "remove it"
                yield value_at(chart, route, says, fix, on_key=True)
        if chart == "infra" and plan.gateway.own_gateway and "gateway" in values:
            says = f"with {plan.gateway.provider} the Gateway is in extraDeploy, and the chart reads nothing of gateway"
            yield value_at(chart, ("gateway",), says, "use spec.gateway", on_key=True)
        if chart == "ms" and not plan.disaggregated and "prefill" in values:
            says = f"{' with '.join(plan.paths)} has no prefill servers, and the chart reads nothing of prefill"
            yield value_at(chart, ("prefill",), says, "remove it", on_key=True)


@rule("HELM003", "error", "a whole number that Helm prints with an exponent")
def large_numbers_are_text(plan: Plan) -> Iterator[Draft]:
    """Helm reads every number as a floating point one, and a template that prints it writes 1e+06 from a million on.
    What a chart writes through toYaml keeps its digits.

    Fails:  values.gaie {inferenceExtension: {flags: {max-bytes: 1000000}}}.
    Passes: the same with "1000000" in quotes.
    """
    for chart, values, facts in _charts(plan):
        for route, value in leaves(values):
            if isinstance(value, bool) or not isinstance(value, int) or abs(value) < facts["exponent_from"]:
                continue
            if any(is_below(dotted(route), top) for top in facts["printed"][chart]):
                says = f"Helm would print {value} as {float(value):.6g}"
                yield value_at(chart, route, says, f'write "{value}" in quotes')


@rule("HELM004", "error", "text that Helm would execute")
def text_is_not_executed(plan: Plan) -> Iterator[Draft]:
    """The charts run annotations, labels, ports, extra objects and the environment of containers through Helm's tpl: a
    {{ in them is code, and what is no code ends the deployment with an error in a template that nobody wrote. The
    environment of prefill, decode and engine has a rule of its own, HELM001.

    Fails:  values.ms {extraObjects: [...]} with the text "Hello {{ name }}" in an object.
    Passes: the text "Hello {{ `{{ name }}` }}", which comes out as Hello {{ name }}.
    """
    texts: list[tuple[Route, Any]] = []
    balancer = plan.spec.spec.gateway.load_balancer
    for key, value in balancer.annotations.items() if balancer else ():
        texts += [(("spec", "gateway", "loadBalancer", "annotations", key), text) for text in (key, value)]
    for chart, values, facts in _charts(plan):
        for inner, value in leaves(values):
            if any(is_below(dotted(inner), top) for top in facts["executed"][chart]):
                texts.append((("spec", "values", chart, *inner), value))
    for at, text in texts:
        if isinstance(text, str) and "{{" in re.sub(_ESCAPED, "", text):
            yield found(*at, says="Helm executes the {{ in it", fix="write {{ `{{` }} where two braces are meant")


@rule("HELM005", "error", "a value that other objects depend on")
def values_keep_what_others_need(plan: Plan) -> Iterator[Draft]:
    """Names, ports, labels, replicas and parallelism stand in several objects of several charts, and the plan's
    arithmetic rests on them. Changed in one place, the others no longer find it; labels are a Deployment's selector,
    which Kubernetes never lets change. The spec has a field for each that changes all places.

    Fails:  values.ms {decode: {replicas: 8}}; values.ms {modelArtifacts: {labels: {team: a}}}; values.ms
            {extraObjects: [...]} without the HTTPRoute.
    Passes: decode {replicas: 8} in the spec itself.
    """
    for chart, values, facts in _charts(plan):
        for route, value in nodes(values):
            path = dotted(route)
            fix = facts["depended_on"][chart].get(path)
            if fix and value is not None:
                inner = route
                while isinstance(value, dict) and len(value) == 1:  # what is set, where it is one thing
                    [(key, value)] = value.items()
                    inner = (*inner, key)
                yield value_at(chart, inner, f"other objects depend on {path}", fix, on_key=True)
            elif chart == "infra" and route[:2] == ("gateway", "annotations") and LOAD_BALANCER in str(route[-1]):
                fix = "use spec.gateway.loadBalancer, whose annotations are checked"
                yield value_at(chart, route, "it configures the load balancer behind llmdgen's back", fix, on_key=True)
    own = plan.spec.spec.values
    if not _keeps("HTTPRoute", own.ms.get("extraObjects")):
        says = "the list replaces the HTTPRoute, without which no request arrives"
        yield value_at("ms", ("extraObjects",), says, "repeat the HTTPRoute of values/ms.yaml in it")
    elif isinstance(own.ms.get("extraObjects"), list) and not any(
        _routes(plan, each) for each in own.ms["extraObjects"]
    ):
        says = f"no HTTPRoute in it leads from {plan.names.gateway} to the InferencePool {plan.names.pool}"
        yield value_at("ms", ("extraObjects",), says, "repeat the HTTPRoute of values/ms.yaml in it")
    if plan.gateway.own_gateway and not _keeps("Gateway", own.infra.get("extraDeploy")):
        says = f"the list replaces the Gateway, which stands in extraDeploy with {plan.gateway.provider}"
        yield value_at("infra", ("extraDeploy",), says, "repeat the objects of values/infra.yaml in it")


@rule("HELM006", "error", "a value of another type than the chart reads")
def values_have_the_type_that_is_read(plan: Plan) -> Iterator[Draft]:
    """A template asks whether a value is empty, and the text "false" is not: it switches on what it should switch off.
    A text or a list where a template looks for keys replaces all that llmdgen wrote there.

    Fails:  values.gaie {inferenceExtension: {tracing: {enabled: "false"}}}; values.ms {decode: none}.
    Passes: enabled: false.
    """
    for chart, values, facts in _charts(plan):
        tree = read_paths(plan.release.name, chart)
        for route, wanted in misshapen(values, tree):
            says = f"the chart reads a {wanted} in {dotted(route)}"
            yield value_at(chart, route, says, f"write a {wanted}", on_key=True)
        for route, value in leaves(values):
            path = dotted(route)
            switch = route[-1] in facts["switches"]["names"] and _is_leaf(path, tree)
            if switch and isinstance(value, str | int) and not isinstance(value, bool):
                says = f"{path} is {value!r}, not true or false"
                yield value_at(chart, route, says, "write true or false, without quotes")


@rule("HELM007", "error", "a key removed that the chart needs")
def needed_keys_stay(plan: Plan) -> Iterator[Draft]:
    """null removes what llmdgen wrote, and the chart's own default takes its place: a sample model, a port that nothing
    uses, the chart's own image, or an error in a template.

    Fails:  values.ms {decode: {containers: null}}; values.gaie {inferenceExtension: {image: null}}.
    Passes: values.ms {decode: {extraConfig: null}}.
    """
    for chart, values, facts in _charts(plan):
        depended_on = facts["depended_on"][chart]
        for route, value in nodes(values):
            path = dotted(route)
            if value is None and (path in facts["required"][chart] or path in depended_on):
                fix = depended_on.get(path, "remove the line")
                yield value_at(chart, route, f"null removes {path}, which the deployment needs", fix, on_key=True)


@rule("HELM009", "error", "a value that its last reader refuses")
def values_suit_their_reader(plan: Plan) -> Iterator[Draft]:
    """A chart passes most values on as they are, to the API server, the gateway, the scheduler or the sidecar. Those
    refuse what is not of their form, or stop: an annotation that is a number, a device that no node offers, a port out
    of range, a field that a pod's spec does not have.

    Fails:  values.ms {decode: {podAnnotations: {team: 7}}}; values.gaie {inferenceExtension: {failureMode: Open}};
            values.ms {decode: {containers: [{resources: {limits: {rdma/ib: 1}}}]}}.
    Passes: values.ms {decode: {podAnnotations: {team: "7"}}}.
    """
    for chart, values, facts in _charts(plan):
        kinds, misshaped = facts.get("kinds", {}).get(chart, {}), set(_misshapen_routes(plan, chart, values))
        for route, value in nodes(values):
            kind = kinds.get(dotted(route))
            if kind is None or route in misshaped:
                continue
            for each in mistakes(kind, value):
                says = f"{dotted((*route, *each.route))}: {each.says}"
                whole = not each.route and isinstance(value, dict | list)  # which begins in a line below its key
                yield value_at(chart, (*route, *each.route), says, each.fix, each.on_key or whole)
        yield from refusals(plan, chart, values, facts)


@rule("HELM013", "error", "a value that the chart's schema refuses")
def values_pass_the_schema(plan: Plan) -> Iterator[Draft]:
    """Helm holds the values against the chart's values.schema.json before it renders anything, and stops at the first
    that does not pass. What another rule says of a value is not said again.

    Fails:  values.infra {gateway: {gatewayParameters: {logLevel: trace}}}; {gateway: {listeners: []}}; a listener with
            tls {mode: terminate}.
    Passes: logLevel: debug; mode: Terminate.
    """
    for chart, values, facts in _charts(plan):
        kinds = facts.get("kinds", {}).get(chart, {})
        said = {each.route for each in unread(values, read_paths(plan.release.name, chart))}
        said |= set(_misshapen_routes(plan, chart, values))
        for route, value in nodes(values):
            path = dotted(route)
            if value is not None and path in facts["depended_on"][chart]:
                said.add(route)
            said |= {(*route, *each.route) for each in mistakes(kinds[path], value)} if path in kinds else set()
        for each in refused(values, chart_schema(plan.release.name, chart)):
            if not any(each.route[: len(route)] == route for route in said):
                yield value_at(chart, each.route, f"{dotted(each.route)}: {each.says}", each.fix, each.on_key)


@rule("HELM008", "warning", "a list that replaces llmdgen's own")
def lists_replace(plan: Plan) -> Iterator[Draft]:
    """Maps of spec.values are merged into what llmdgen writes, lists replace it. Nothing that the plan decided about
    the replaced list reaches the cluster; what others rely on has to be repeated in it (HELM010, HELM012).

    Fails:  values.ms {decode: {containers: [...]}}.
    Passes: decode {args: {...}, env: {...}} in the spec itself; suppress HELM008 with the reason why it has to be.
    """
    for chart, values, facts in _charts(plan):
        for route, value in nodes(values):
            fix = facts["lists"][chart].get(dotted(route))
            if fix and isinstance(value, list):
                yield value_at(chart, route, f"the list replaces all of {dotted(route)}", fix, on_key=True)


def _misshapen_routes(plan: Plan, chart: str, values: dict[str, Any]) -> Iterator[Route]:
    """The places of which HELM006 says that a map or a list belongs there."""
    yield from (route for route, _ in misshapen(values, read_paths(plan.release.name, chart)))


def _meant(route: Route, known: tuple[str, ...], depended_on: dict[str, str]) -> str:
    """The key that is meant, or what to do instead where that one may not be set either."""
    near = did_you_mean(str(route[-1]), known, listed_up_to=0)
    for name in known if near else ():
        path = dotted((*route[:-1], name))
        if near == f"did you mean {name}?" and path in depended_on:
            return f"{near} {depended_on[path]}"
    return did_you_mean(str(route[-1]), known) or "remove it"


def _charts(plan: Plan) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The charts for which the spec has values of its own, with those and the release's facts about values."""
    for chart in CHARTS:
        values: dict[str, Any] = getattr(plan.spec.spec.values, chart)
        if values:
            yield chart, values, release_toml(plan.release.name, "values.toml")


def _routes(plan: Plan, each: Any) -> bool:
    """Whether an object is a route from the plan's Gateway to its pool, or may be one that a template makes."""
    if not isinstance(each, dict) or each.get("kind") != "HTTPRoute":
        return False
    spec = each.get("spec")
    if "{{" in str(spec):
        return True
    parents = [parent.get("name") for parent in _maps(spec, "parentRefs")]
    backends = [
        (backend.get("kind"), backend.get("name"))
        for rule in _maps(spec, "rules")
        for backend in _maps(rule, "backendRefs")
    ]
    return plan.names.gateway in parents and ("InferencePool", plan.names.pool) in backends


def _maps(value: Any, key: str) -> list[dict[str, Any]]:
    """The maps of the list under a key, none where there is none."""
    listed = value.get(key) if isinstance(value, dict) else None
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _keeps(kind: str, objects: Any) -> bool:
    """Whether a list of objects, where there is one, still holds one of that kind."""
    return not isinstance(objects, list) or any(isinstance(each, dict) and each.get("kind") == kind for each in objects)


def _chart(plan: Plan, chart: str) -> str:
    return plan.release.charts[chart].name


def _is_leaf(path: str, tree: dict[str, Any]) -> bool:
    """Whether the chart reads exactly this path, so that it is its own and not a part of some Kubernetes object."""
    for part in path.replace("[]", ".[]").split("."):
        if part not in tree:
            return False
        tree = tree[part]
    return not tree
