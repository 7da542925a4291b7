"""spec.values.router: that the router's chart reads what it sets, and that it does not undo what others need.

What the chart reads, executes, prints and needs is data of the release (values-router.txt and values.toml).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from msgspec import Struct

from llmdgen.checks.containers import SECRET_FIX
from llmdgen.facts.catalogue import program_flags, release_toml
from llmdgen.findings import Route
from llmdgen.kube.command_line import references
from llmdgen.planning.model import Plan
from llmdgen.registry import Draft, found, rule
from llmdgen.resources import read_fact
from llmdgen.secrets import names_a_secret
from llmdgen.suggest import did_you_mean, one_of
from llmdgen.untyped import at, mapping, nodes

CHART = "router"
ONE_OF = "one of "

_ESCAPED = r"\{\{-?\s*(?:`[^`]*`|\"(?:[^\"\\]|\\.)*\")\s*-?\}\}"
_DURATION = r"([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+"
ITEM = "[]"
Tree = dict[str, Any]
"""Key -> what is read below it; an empty tree means everything. The items of a list stand under "[]"."""


@rule("HELM002", "error", "a value that no template of the chart reads")
def values_are_read(plan: Plan) -> Iterator[Draft]:
    """Helm takes any value and says nothing of those that no template uses, so that a mistyped path changes nothing.
    The paths that the router's chart reads are data of the release.

    Fails:  `{values: {router: {router: {monitoring: {prometheus: {enable: true}}}}}}`.
    Passes: `{values: {router: {router: {monitoring: {prometheus: {enabled: true}}}}}}`.
    """
    for each in unread(plan.spec.asked.values.router, read_paths(plan.release.name, CHART)):
        path = dotted(each.route)
        advice = next((fix for top, fix in _facts(plan, "advice").items() if is_below(path, top)), None)
        fix = advice or _meant(each.route, each.known, _facts(plan, "depended_on"))
        yield _at(each.route, f"the {plan.release.charts[CHART].name} chart does not read {path}", fix, on_key=True)


@rule("HELM003", "error", "a whole number that Helm prints with an exponent")
def large_numbers_are_text(plan: Plan) -> Iterator[Draft]:
    """Helm reads every number as a floating point one, and a template that prints it writes 1e+06 from a million on.
    What a chart writes through toYaml keeps its digits.

    Fails:  `{values: {router: {router: {epp: {flags: {v: 1000000}}}}}}`.
    Passes: `{values: {router: {router: {epp: {flags: {v: "4"}}}}}}`.
    """
    least = _written(plan)["exponent_from"]
    for route, path, value in _nodes(plan):
        large = isinstance(value, int) and not isinstance(value, bool) and abs(value) >= least
        if large and any(is_below(path, top) for top in _facts(plan, "printed")):
            yield _at(route, f"Helm would print {value} as {float(value):.6g}", f'write "{value}" in quotes')


@rule("HELM004", "error", "text that Helm would execute")
def text_is_not_executed(plan: Plan) -> Iterator[Draft]:
    """The router's chart runs some values through Helm's tpl: a {{ in them, or in a key below them, is code, and what
    is not code ends the deployment with an error in a template that nobody wrote.

    Fails:  `{release: v0.6.0, values: {router: {inferenceExtension: {sidecar: {args: ["--greeting={{ name }}"]}}}}}`.
    Passes: `{release: v0.6.0, values: {router: {inferenceExtension: {sidecar: {args: ["--greeting=name"]}}}}}`; the
            text "{{ `{{ name }}` }}", which comes out as {{ name }}.
    """
    for route, path, value in _nodes(plan):
        executed = any(is_below(path, top) for top in _facts(plan, "executed"))
        for text, on_key in ((route[-1], True), (value, False)) if executed else ():
            if isinstance(text, str) and "{{" in re.sub(_ESCAPED, "", text):
                yield _at(route, "Helm executes the {{ in it", "write {{ `{{` }} where two braces are meant", on_key)


@rule("HELM010", "error", "a secret that a reference takes out of its place")
def no_reference_to_a_secret(plan: Plan) -> Iterator[Draft]:
    """Kubernetes fills in $(NAME) in the command, the arguments and the variables of the scheduler's containers, also
    where NAME comes from a Secret. It then stands in a log, a list of processes, or the address that somebody is sent
    to. POD002 says the same of model servers.

    Fails:  `{values: {router: {router: {epp: {flags: {model-url: "http://example.com/$(HF_TOKEN)"}}}}}}`.
    Passes: `{values: {router: {router: {epp: {flags: {model-url: "http://example.com/$(POD_NAMESPACE)"}}}}}}`.
    """
    kept = {str(at(each, "name")) for _, _, each in _nodes(plan) if at(each, "valueFrom", "secretKeyRef")}
    for route, _, value in _nodes(plan):
        for name in sorted(references(value)):
            if name in kept or names_a_secret(name, None):
                yield _at(route, f"$({name}) would write a secret here", SECRET_FIX)


@rule("HELM005", "error", "a value that other objects depend on")
def values_keep_what_others_need(plan: Plan) -> Iterator[Draft]:
    """Names, ports, labels and replicas stand in several objects, and the plan's arithmetic rests on them. Changed in
    one place, the others no longer find it. The spec has a field for each that changes all places.

    Fails:  `{values: {router: {router: {epp: {replicas: 2}}}}}`;
            `{values: {router: {router: {modelServers: {targetPorts: [{number: 8080}]}}}}}`.
    Passes: `{release: v0.6.0, scheduler: {replicas: 2}}` in the spec itself.
    """
    for route, path, value in _nodes(plan):
        fix = _facts(plan, "depended_on").get(path)
        if fix and value is not None:
            inner = route
            while isinstance(value, dict) and len(value) == 1:  # what is set, where it is one thing
                [(key, value)] = value.items()
                inner = (*inner, key)
            yield _at(inner, f"other objects depend on {path}", fix, on_key=True)


@rule("HELM006", "error", "a value of another type than the chart reads")
def values_have_the_type_that_is_read(plan: Plan) -> Iterator[Draft]:
    """A template asks whether a value is empty, and the text "false" is not: it switches on what it should switch off.
    A text or a list where a template looks for keys replaces all that llmdgen wrote there.

    Fails:  `{values: {router: {router: {tracing: {enabled: "false"}}}}}`; `{values: {router: {provider: none}}}`.
    Passes: `{values: {router: {router: {tracing: {enabled: false}}}}}`.
    """
    switches = _written(plan)["switches"]["names"]
    for each in beside(plan.spec.asked.values.router, read_paths(plan.release.name, CHART)):
        path, value = dotted(each.route), each.value
        wanted = "list" if ITEM in (each.reads or ()) else "map"
        if each.reads and value is not None and not isinstance(value, {"list": list, "map": dict}[wanted]):
            yield _at(each.route, f"the chart reads a {wanted} in {path}", f"write a {wanted}", on_key=True)
        # Read as it is, so that it is the chart's own and not a part of some Kubernetes object.
        is_switch = each.reads == {} and each.route[-1] in switches
        if is_switch and isinstance(value, str | int) and not isinstance(value, bool):
            yield _at(each.route, f"{path} is {value!r}, not true or false", "write true or false, without quotes")


@rule("HELM007", "error", "a key removed that the chart needs")
def needed_keys_stay(plan: Plan) -> Iterator[Draft]:
    """null removes what llmdgen wrote, and the chart's own default takes its place: a port that nothing uses, the
    chart's own image, or an error in a template.

    Fails:  `{values: {router: {router: {epp: {image: null}}}}}`.
    Passes: `{values: {router: {router: {epp: {tolerations: null}}}}}`.
    """
    depended_on = _facts(plan, "depended_on")
    for route, path, value in _nodes(plan):
        if value is None and (path in _facts(plan, "required") or path in depended_on):
            fix = depended_on.get(path, "remove the line")
            yield _at(route, f"null removes {path}, which the deployment needs", fix, on_key=True)


@rule("HELM008", "warning", "a list that replaces llmdgen's own")
def lists_replace(plan: Plan) -> Iterator[Draft]:
    """Maps of values.router are merged into what llmdgen writes, lists replace it. Nothing that the plan decided about
    the replaced list reaches the cluster; what others rely on has to be repeated in it.

    Fails:  `{path: precise-prefix-cache, release: v0.6.0, model: {authSecretName: hf}, values: {router:
            {inferenceExtension: {env: [{name: A, value: b}]}}}}`, which takes the place of the plan's.
    Passes: `{values: {router: {router: {epp: {flags: {v: "4"}}}}}}`, a mapping, which is merged; or the finding
            suppressed, with the reason why it has to be.
    """
    for route, path, value in _nodes(plan):
        fix = _facts(plan, "lists").get(path)
        if fix and isinstance(value, list):
            yield _at(route, f"the list replaces all of {path}", fix, on_key=True)


@rule("HELM009", "error", "a value that its last reader refuses")
def values_suit_their_reader(plan: Plan) -> Iterator[Draft]:
    """The chart passes most values on as they are, to the API server or the scheduler. Those refuse what does not fit,
    or stop: a field that Kubernetes does not have, a choice that does not exist, an unknown flag.

    Fails:  `{values: {router: {router: {inferencePool: {failureMode: Open}}}}}`;
            `{values: {router: {router: {epp: {flags: {verbosity: "5"}}}}}}`;
            `{values: {router: {router: {epp: {tolerations: [{keys: gpu}]}}}}}`.
    Passes: `{values: {router: {router: {inferencePool: {failureMode: FailOpen}}}}}`.
    """
    from llmdgen.kube.typed import TYPE, UNKNOWN, misfits

    for route, path, value in _nodes(plan):
        kind = _facts(plan, "kinds").get(path)
        if kind is None or value is None:
            continue
        if kind.startswith(ONE_OF):
            names = kind.removeprefix(ONE_OF).split(", ")
            if value not in names:
                fix = did_you_mean(str(value), names) or f"write {names[0]}"
                yield _at(route, f"{path}: {value} is not {one_of(names)}", fix)
            continue
        for each in misfits(value, kind):
            at = (*route, *each.route)
            whole = not each.route and isinstance(value, dict | list)  # which begins in a line below its key
            says = f"{dotted(at)}{' ' if each.what == TYPE else ': '}{each.says}"
            yield _at(at, says, each.fix, each.what == UNKNOWN or whole)
    yield from _scheduler_flags(plan)


def _scheduler_flags(plan: Plan) -> Iterator[Draft]:
    """Flags of the scheduler that it does not have, that the chart writes itself, or that have another type."""
    release, place = plan.release.name, (*_written(plan)["scheduler"].split("."), "flags")
    facts, known = release_toml(release, "scheduler-flags.toml"), program_flags(release, "scheduler")
    for name, value in mapping(at(plan.spec.asked.values.router, *place)).items():
        route = (*place, name)
        if value is None:
            continue  # removed, which is HELM007's
        if name in facts["taken"]:
            yield _at(route, f"the chart writes the scheduler's --{name}", facts["taken"][name], on_key=True)
        elif name in facts.get("ignored", {}):
            yield _at(route, f"the scheduler takes --{name} and ignores it", facts["ignored"][name], on_key=True)
        elif name not in known:
            fix = did_you_mean(str(name), known, listed_up_to=0) or "remove it"
            yield _at(route, f"the scheduler has no flag --{name}, and stops at it", fix, on_key=True)
        else:
            yield from _flag_value(plan, name, value, known[name].type, route)


def _flag_value(plan: Plan, name: str, value: Any, kind: str, at: Route) -> Iterator[Draft]:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    planned = plan.release.scheduler_flags.get(name)
    if isinstance(value, dict | list):
        yield _at(at, f"--{name} takes one value", "write a text, a number or a truth value")
    elif kind == "boolean" and text not in ("true", "1"):
        if _written(plan)["flags_in_two_words"]:
            says = f"the chart writes --{name} and {text} as two words, and the flag reads only its own"
            yield _at(at, says, "remove it: no value of the chart switches it off")
        elif text not in ("false", "0"):
            yield _at(at, f"--{name} is true or false, not {text}", "write true or false")
    elif kind == "duration" and not re.fullmatch(_DURATION, text):
        yield _at(at, f"--{name} takes a duration, not {text}", "write such as 50ms or 2s")
    elif kind == "whole" and not text.isdecimal():
        yield _at(at, f"--{name} takes a whole number, not {text}", "write such as 4")
    elif kind != "whole" and planned is not None and text != planned:
        yield _at(at, f"--{name} is {text}, and this vLLM has {planned}", f"write {planned}, or remove it")


def _written(plan: Plan) -> dict[str, Any]:
    return release_toml(plan.release.name, "values.toml")


def _nodes(plan: Plan) -> Iterator[tuple[Route, str, Any]]:
    """Every key of the spec's values: its route, the same with dots, and its value."""
    return ((route, dotted(route), value) for route, value in nodes(plan.spec.asked.values.router))


def _facts(plan: Plan, section: str) -> Any:
    """What the release says of the chart's values under that heading."""
    return _written(plan)[section][CHART]


def _at(route: Route, says: str, fix: str, on_key: bool = False) -> Draft:
    return found("spec", "values", CHART, *route, says=says, fix=fix, on_key=on_key)


def _meant(route: Route, known: tuple[str, ...], depended_on: dict[str, str]) -> str:
    """The key that is meant, or what to do instead where that one may not be set either."""
    near = did_you_mean(str(route[-1]), known, listed_up_to=0)
    for name in known if near else ():
        path = dotted((*route[:-1], name))
        if near == f"did you mean {name}?" and path in depended_on:
            return f"{near} {depended_on[path]}"
    return did_you_mean(str(route[-1]), known) or "remove it"


@cache
def read_paths(release: str, chart: str) -> Tree:
    """The paths of one chart of a release, by the name in its `values-<chart>.txt`."""
    tree: Tree = {}
    for line in read_fact("releases", release, f"values-{chart}.txt").decode().splitlines():
        if not line or line.startswith("#"):
            continue
        node = tree
        for part in line.replace(ITEM, f".{ITEM}").split("."):
            node = node.setdefault(part, {})
    return tree


class Beside(Struct, frozen=True):
    """A value, and what the templates read below it: None where they do not read it at all, and `known` instead."""

    route: Route
    value: Any
    reads: Tree | None
    known: tuple[str, ...] = ()


def beside(value: Any, tree: Tree | None, route: Route = (), known: tuple[str, ...] = ()) -> Iterator[Beside]:
    """The values beside what the templates read, as far down as that is known."""
    if route:
        yield Beside(route, value, tree, known)
    if tree and ITEM in tree and isinstance(value, list):
        for index, each in enumerate(value):
            yield from beside(each, tree[ITEM], (*route, index))
    elif tree and ITEM not in tree and isinstance(value, dict):
        for key, each in value.items():
            yield from beside(each, tree.get(key), (*route, key), tuple(tree))


def unread(values: Any, tree: Tree) -> Iterator[Beside]:
    return (each for each in beside(values, tree) if each.reads is None)


def dotted(route: Route) -> str:
    """decode.containers[].env for any of the containers."""
    text = "".join(ITEM if isinstance(part, int) else f".{part}" for part in route)
    return text.removeprefix(".")


def is_below(path: str, top: str) -> bool:
    """Whether a dotted path is `top` or lies below it."""
    return path == top or path.startswith((top + ".", top + ITEM))
