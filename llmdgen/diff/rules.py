"""What changes do to a deployment that runs: every consequence that llmdgen knows, one function each.

Those of a topic are in `rules_pods` and `rules_requests`, the others here.

They follow from the objects of a target, from the router's charts (the scheduler's Deployment is Recreate and does not
watch its ConfigMap) and from Kubernetes (what of an object cannot change, how a rollout goes). Read in sources:

- LeaderWorkerSet v0.7.0, api/leaderworkerset/v1: maxUnavailable 1 and maxSurge 0 by default, so that groups are
  replaced one after the other; pkg/webhooks: a group's size may change, subGroupPolicy may not.
- AWS Load Balancer Controller (225f4456), pkg/deploy/elbv2: another scheme replaces a load balancer
  (isSDKLoadBalancerRequiresReplacement), another target type its target groups; docs/guide/service/annotations.md: the
  type must not be changed on a Service that exists. A name is not compared.
- Istio, manifests/charts/istio-control/istio-discovery/files/kube-gateway.yaml: a Gateway's annotations are those of
  its Service and of its proxy's pods; what it makes is owned by the Gateway, not by the class.
- LMCache, lmcache/utils.py CacheEngineKey: model name, world size, worker, hash of the chunk, type.

A change without a rule has no consequence here, and is shown all the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from llmdgen.diff import rules_pods, rules_requests
from llmdgen.diff.state import State, leaves
from llmdgen.diff.step import CLAIM, INSTANCE_LABEL, OWN_NODES, SHARED_CACHE, WEIGHTS, Consequence, Step, unquoted
from llmdgen.facts.catalogue import release, release_names
from llmdgen.facts.upgrades import replacement
from llmdgen.spec.fields import ROLES

Rule = Callable[[Step], Iterator[Consequence]]
_SECRET = re.compile(r"\.secretKeyRef\.name$|\.secretRef\.name$|\.secret\.secretName$|imagePullSecrets\[\d+\]\.name$")
_PRIORITY = re.compile(r"(^|\.)priorityClassName$")


def consequences(step: Step) -> tuple[Consequence, ...]:
    """Everything known to follow, weightiest first."""
    rules = _RULES if step.is_new else (*_RULES, *_OF_UPDATES)
    quoted = step.without_backticks()
    found = dict.fromkeys(each for rule in rules for each in rule(quoted))
    return tuple(sorted(found, key=lambda each: WEIGHTS.index(each.weight)))


def another_deployment(step: Step) -> Iterator[Consequence]:
    """Helm knows releases by name and namespace: others are installed beside the old ones."""
    if step.is_new:
        says = "a new deployment beside the old one, which keeps its nodes until `helmfile destroy` of the old"
        yield Consequence("breaks", says)


def immutable_fields(step: Step) -> Iterator[Consequence]:
    """Kubernetes refuses some changes of an object that exists, and Helm stops there."""
    for each in step.changes:
        label, _, field = each.name.rpartition(" ")
        # An object that is new or gone has no field that changes.
        is_there = step.change(each.subject, "object", label) is None if label else step.refused(each.subject)
        if each.topic != "immutable" or not is_there:
            continue
        kind, _, name = label.partition(" ")
        kind = kind or step.new.text(each.subject, "workload", "kind")
        name = name or step.new.text(each.subject, "name", "name")
        yield Consequence(
            "breaks",
            f"{field} of a {kind} is immutable, so `helmfile apply` fails: first "
            f"`kubectl -n {step.new.namespace} delete {kind.lower()} {name}` (downtime), or choose another name",
        )


def release_replaces(step: Step) -> Iterator[Consequence]:
    """Some releases name, select and connect everything otherwise, on the way there and on the way back."""
    each = step.change("deployment", "release", "llm-d release")
    if each is None:
        return
    says = f"{each.new} replaces the deployment, `helmfile apply` over the old one does not: "
    if replacement(str(each.old), str(each.new)):
        yield Consequence("breaks", f"{says}`llmdgen upgrade` has the steps that keep serving")
    elif replacement(str(each.new), str(each.old)):
        yield Consequence("breaks", f"{says}choose another name, or `helmfile destroy` in the old directory first")


def release_prerequisites(step: Step) -> Iterator[Consequence]:
    """CRDs and controllers of a cluster go with the release."""
    each = step.change("deployment", "release", "llm-d release")
    if each is None or not {each.old, each.new} <= set(release_names()):
        return
    before, after = ({**release(str(name)).prerequisites, "tools": None} for name in (each.old, each.new))
    if before != after:
        says = f"CRDs and controllers of {each.new} come first: `llmdgen render --prerequisites` writes them"
        yield Consequence("note", says)


def charts_change(step: Step) -> Iterator[Consequence]:
    """Other templates may make other objects of the same values."""
    if step.changed("charts", "chart"):
        yield Consequence("note", "another chart may change more than its values: see `helmfile diff`")


def nodes_are_there(step: Step) -> Iterator[Consequence]:
    """Nodes that the plan needs more, or no longer."""
    for each in step.changed("capacity", "nodes"):
        old, new = (state.number("capacity", "nodes", each.name) for state in step.states)
        name = each.name.removesuffix(" nodes")
        is_own = name.removeprefix("ml.") == step.new.target and each.sign == "~"
        more = int(new - old)
        what = OWN_NODES if is_own else each.name
        if abs(more) == 1:
            what = what.replace("nodes", "node")
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
    before = set() if step.changed("deployment", "namespace") else _named(step.old, _SECRET)
    for secret in sorted(_named(step.new, _SECRET) - before):
        yield Consequence("note", f"the Secret {secret} must exist in {step.new.namespace} before the apply")


def priority_classes_exist(step: Step) -> Iterator[Consequence]:
    """A pod of a PriorityClass that is not there is refused: its Deployment waits without it."""
    for name in sorted(_named(step.new, _PRIORITY) - _named(step.old, _PRIORITY)):
        if name.startswith("system-"):  # Kubernetes' own
            continue
        yield Consequence("note", f"the PriorityClass {name} must exist before the apply: pods are refused without it")


def _named(state: State, places: re.Pattern[str]) -> set[str]:
    """What pods refer to at such places: Secrets for variables, volumes and registries, or a PriorityClass."""
    templates = [state.template(role).doc for role in ROLES if state.has(role)]
    found = [leaf for template in templates for leaf in leaves(template, is_exact=True)]
    return {unquoted(str(value)) for path, value in found if places.search(path)}


_RULES: tuple[Rule, ...] = (
    another_deployment,
    rules_requests.served_name,
    rules_requests.shorter_requests,
    rules_requests.reachable_from_the_internet,
    rules_pods.roles_come_and_go,
    nodes_are_there,
    rules_pods.model_is_loaded_again,
    rules_requests.transfer_leaves_efa,
    rules_requests.stored_blocks,
    rules_requests.kv_cache_in_all,
    rules_pods.replicas_of_a_role,
    secrets_exist,
    priority_classes_exist,
    claims,
    nodes_are_labelled,
    rules_requests.pool_fails,
    release_prerequisites,
    charts_change,
)
# Of a deployment that stays the same one; a new one beside it changes nothing of what runs.
_OF_UPDATES: tuple[Rule, ...] = (
    immutable_fields,
    rules_requests.gateway_provider,
    rules_requests.load_balancer,
    rules_requests.listeners,
    rules_pods.workload_is_another,
    rules_pods.pods_restart,
    rules_requests.scheduler_restarts,
    rules_requests.pool_selects,
    rules_requests.block_size_of_scheduler,
    release_replaces,
)
