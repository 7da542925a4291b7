"""What the pods need around them: nodes and their labels, claims, a Secret."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmdgen.diff.state import State, leaves
from llmdgen.diff.step import CLAIM, INSTANCE_LABEL, SHARED_CACHE, Consequence, Step
from llmdgen.spec.fields import ROLES

_SECRET = re.compile(r"\.secretKeyRef\.name$|\.secretRef\.name$|\.secret\.secretName$|imagePullSecrets\[\d+\]\.name$")


def nodes_are_there(step: Step) -> Iterator[Consequence]:
    """Nodes that the plan needs more, or no longer."""
    for each in step.changed("capacity", "nodes"):
        old, new = (state.number("capacity", "nodes", each.name) for state in step.states)
        name = each.name.removesuffix(" nodes")
        is_own = name.removeprefix("ml.") == step.new.target and each.sign == "~"
        more = int(new - old)
        what = ("" if is_own else f"{name} ") + ("node" if abs(more) == 1 else "nodes")
        if more > 0:
            yield Consequence("costs", f"{more} {what} needed" if each.old is None else f"{more} more {what} needed")
        elif more < 0:
            yield Consequence("note", f"{-more} {what} no longer needed")


def nodes_are_labelled(step: Step) -> Iterator[Consequence]:
    """A pod whose node selector no node satisfies stays Pending."""
    wanted: dict[str, list[str]] = {}
    for role in ROLES:
        has_moved = step.change(role, "placement", "instance type") is not None
        for each in step.changed(role, "placement"):
            label = each.name.removeprefix("node selector ")
            if label != each.name and each.new is not None and not (has_moved and each.name == INSTANCE_LABEL):
                wanted.setdefault(f"{label}={each.new}", []).append(role)
    for label, roles in wanted.items():
        says = f"{{roles}} pods run only on nodes with the label {label}, and stay Pending without one"
        yield Consequence("note", says, tuple(roles))


def claims(step: Step) -> Iterator[Consequence]:
    """A pod whose claim is missing stays Pending, and nothing that llmdgen makes deletes a claim."""
    before, after = _claims(step.old), _claims(step.new)
    has_moved = bool(step.changed("deployment", "namespace"))
    for claim, holds in after.items():
        if claim not in before or has_moved:
            says = f"the claim {claim} must exist in {step.new.namespace} before the apply"
            yield Consequence("note", f"{says}, {holds}")
    for claim in sorted(before.keys() - after.keys()):
        yield Consequence("note", f"the claim {claim} and what it holds stay, unused, until somebody deletes it")
    sizes = [step.change(role, "cache", SHARED_CACHE) for role in ROLES]
    if before.keys() == after.keys() and any(each is not None and each.sign == "~" for each in sizes):
        yield Consequence("note", "no claim becomes larger by this: it has to have the room")


def _claims(state: State) -> dict[str, str]:
    """The claims that pods mount, and what is expected of each."""
    scheme, _, rest = state.text("model", "model", "uri").partition("://")
    found = {rest.partition("/")[0]: "with the weights, readable by every pod at once"} if "pvc" in scheme else {}
    for key, value in state.facts.items():
        if key.topic == "volume" and key.name.endswith(CLAIM):
            found.setdefault(str(value), "writable by every pod at once")
    return dict(sorted(found.items()))


def secrets_exist(step: Step) -> Iterator[Consequence]:
    """A pod whose Secret is missing stays in CreateContainerConfigError. Secrets are of one namespace."""
    before = set() if step.changed("deployment", "namespace") else _secrets(step.old)
    for secret in sorted(_secrets(step.new) - before):
        yield Consequence("note", f"the Secret {secret} must exist in {step.new.namespace} before the apply")


def _secrets(state: State) -> set[str]:
    """The Secrets that pods refer to: for variables, volumes, and registries."""
    templates = [state.template(role).doc for role in ROLES if state.has(role)]
    found = [leaf for template in templates for leaf in leaves(template, is_exact=True)]
    return {str(value) for path, value in found if _SECRET.search(path)}
