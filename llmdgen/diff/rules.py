"""What changes do to a deployment that runs: every consequence that llmdgen knows, one function each.

Those of a topic are in `rules_pods`, `rules_needs`, `rules_serving` and `rules_entry`, the others here.

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

from collections.abc import Callable, Iterator

from llmdgen.diff import rules_entry, rules_needs, rules_pods, rules_serving
from llmdgen.diff.step import WEIGHTS, Consequence, Step
from llmdgen.facts.catalogue import release, release_names
from llmdgen.facts.upgrades import replacement

Rule = Callable[[Step], Iterator[Consequence]]


def consequences(step: Step) -> tuple[Consequence, ...]:
    """Everything known to follow, weightiest first."""
    found = dict.fromkeys(each for rule in RULES for each in rule(step))
    return tuple(sorted(found, key=lambda each: WEIGHTS.index(each.weight)))


def another_deployment(step: Step) -> Iterator[Consequence]:
    """Helm knows releases by name and namespace: others are installed beside the old ones."""
    if step.is_new:
        says = "a new deployment beside the old one, which keeps its nodes until `helmfile destroy` of the old"
        yield Consequence("breaks", says)


def immutable_fields(step: Step) -> Iterator[Consequence]:
    """Kubernetes refuses some changes of an object that exists, and Helm stops there."""
    if step.is_new:
        return
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
    """Some releases name, select and connect everything otherwise."""
    each = step.change("deployment", "release", "llm-d release")
    if each is not None and not step.is_new and replacement(str(each.old), str(each.new)):
        says = f"{each.new} replaces the deployment, `helmfile apply` over the old one does not: `llmdgen upgrade` has"
        yield Consequence("breaks", f"{says} the steps that keep serving")


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


RULES: tuple[Rule, ...] = (
    another_deployment,
    immutable_fields,
    rules_serving.served_name,
    rules_serving.shorter_requests,
    rules_entry.reachable_from_the_internet,
    rules_entry.gateway_provider,
    rules_entry.load_balancer,
    rules_entry.listeners,
    rules_pods.workload_is_another,
    rules_pods.roles_come_and_go,
    rules_pods.pods_restart,
    rules_entry.scheduler_restarts,
    rules_entry.pool_selects,
    rules_needs.nodes_are_there,
    rules_pods.model_is_loaded_again,
    rules_serving.transfer_leaves_efa,
    rules_serving.stored_blocks,
    rules_serving.block_size_of_scheduler,
    rules_serving.kv_cache_in_all,
    rules_pods.replicas_of_a_role,
    rules_needs.secrets_exist,
    rules_needs.claims,
    rules_needs.nodes_are_labelled,
    rules_entry.pool_fails,
    release_replaces,
    release_prerequisites,
    charts_change,
)
