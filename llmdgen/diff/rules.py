"""What changes do to a deployment that runs: every consequence that llmdgen knows, one function each.

They follow from the charts of a release (the scheduler's Deployment is Recreate and does not watch its ConfigMap, a
role's Deployment has the default rolling update) and from Kubernetes (a selector cannot change). Read in sources:

- LeaderWorkerSet v0.7.0, api/leaderworkerset/v1: maxUnavailable 1 and maxSurge 0 by default, so that groups are
  replaced one after the other; pkg/webhooks: a group's size may change.
- AWS Load Balancer Controller (225f4456), pkg/deploy/elbv2: another scheme replaces a load balancer
  (isSDKLoadBalancerRequiresReplacement), another target type its target groups; docs/guide/service/annotations.md: the
  type must not be changed on a Service that exists. A name is not compared.
- LMCache, lmcache/utils.py CacheEngineKey: model name, world size, worker, hash of the chunk, type.

A change without a rule has no consequence here, and is shown all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from msgspec import Struct

from llmdgen.diff.compare import Change
from llmdgen.diff.state import DECODE, ROLES, State

Weight = Literal["breaks", "interrupts", "costs", "note"]
WEIGHTS: tuple[Weight, ...] = ("breaks", "interrupts", "costs", "note")

# Facts of a role that are part of its pod template, so that a change replaces the pods.
POD_TOPICS = frozenset(
    {
        "placement",
        "parallelism",
        "image",
        "connectors",
        "connector",
        "flag",
        "script",
        "env",
        "resource",
        "device",
        "probe",
        "port",
        "volume",
        "pod",
    }
)
# The scheduler's: its plugins are in a ConfigMap instead.
SCHEDULER_POD_TOPICS = frozenset({"image", "flag", "env", "pod"})
SCHEDULER_CONFIG_TOPICS = frozenset({"plugin", "weight", "parameter"})
# Facts of the model that every pod carries: volume, mount, arguments and the Secret's reference.
MODEL_TOPICS = frozenset({"model", "secret"})
# What LMCache makes its keys of: a stored block is found again only under the same.
CACHE_KEYS = frozenset(
    ("env PYTHONHASHSEED", "env LMCACHE_CHUNK_SIZE", "--kv-cache-dtype", "--dtype", "tensor parallelism")
)
SHARED_CACHE = "storage cache of a pod"  # the disk tier is each pod's own, and goes with it
SURGE = 0.25  # of a Deployment's replicas: Kubernetes' default for pods above and below the number asked for


class Consequence(Struct, frozen=True):
    """What follows of changes. `roles` are those it holds for; `{roles}` in `says` becomes their names."""

    weight: Weight
    says: str
    roles: tuple[str, ...] = ()


class Step(Struct, frozen=True):
    """From one state to another by these changes."""

    old: State
    new: State
    changes: tuple[Change, ...]

    def changed(self, subject: str, topics: frozenset[str] | tuple[str, ...]) -> list[Change]:
        """The changes of that subject in those topics."""
        return [each for each in self.changes if each.key.subject == subject and each.key.topic in topics]

    @property
    def is_new(self) -> bool:
        """Whether other releases or another namespace make it a deployment of its own."""
        return bool(self.changed("deployment", ("name", "namespace")))

    @property
    def is_refused(self) -> bool:
        """Whether Kubernetes refuses the new Deployments as an update of the old."""
        kinds = {state.text("deployment", "workload", "workload") for state in (self.old, self.new)}
        return kinds == {"Deployment"} and not self.is_new and bool(self.changed("deployment", ("label",)))

    def serves(self, role: str) -> bool:
        """Whether both sides have the role."""
        return all(state.text(role, "replicas", "replicas") for state in (self.old, self.new))

    def restarts(self, role: str) -> bool:
        """Whether the role's pods are replaced."""
        return self.serves(role) and bool(
            self.changed(role, POD_TOPICS)
            or self.changed("model", MODEL_TOPICS)
            or self.changed("deployment", ("label", "workload"))
            or (role == DECODE and self.changed("sidecar", ("image", "parameter")))
        )


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


def selector_is_immutable(step: Step) -> Iterator[Consequence]:
    """The chart makes `modelArtifacts.labels` the selector of its Deployments, which Kubernetes never lets change."""
    if step.is_refused:
        release = step.new.text("deployment", "name", "release ms")
        namespace = step.new.text("deployment", "namespace", "namespace")
        yield Consequence(
            "breaks",
            "a Deployment's selector is immutable, so `helmfile apply` fails: first "
            f"`helm uninstall {release} -n {namespace}` (downtime), or choose another name",
        )


def kind_of_workload(step: Step) -> Iterator[Consequence]:
    """Helm deletes the objects of the old kind when it has made those of the new."""
    for each in step.changed("deployment", ("workload",)):
        yield Consequence("interrupts", f"each {each.old} is deleted and a {each.new} made in its place")


def pods_restart(step: Step) -> Iterator[Consequence]:
    """A changed pod template replaces every pod. A Deployment first starts a quarter more pods, and with fewer than
    four replicas it removes none before a new one is ready; where the planned nodes have no room, it waits for ever. A
    LeaderWorkerSet removes one group, then starts its successor."""
    if step.is_new or step.is_refused or step.changed("deployment", ("workload",)):
        return
    multinode = step.new.text("deployment", "workload", "workload") == "LeaderWorkerSet"
    how = "group by group" if multinode else "a rolling update"
    for role in ROLES:
        if not step.restarts(role):
            continue
        yield Consequence("interrupts", f"{{roles}} pods restart, {how}; their prefix caches are lost", (role,))
        replicas = int(step.new.number(role, "replicas", "replicas"))
        if multinode and int(step.old.number(role, "replicas", "replicas")) == 1:
            yield Consequence(
                "interrupts",
                "the only {roles} group goes before its successor starts: nothing serves (downtime)",
                (role,),
            )
        instance = step.new.text(role, "placement", "instance type")
        gpus = int(step.new.number(role, "total", "GPUs of a pod"))
        free = int(step.new.number("capacity", "total", f"free GPUs on {instance}"))
        if not multinode and gpus and 0 < replicas < 1 / SURGE and free < gpus:
            yield Consequence(
                "interrupts",
                f"the rolling update of {{roles}} waits for room for one more pod ({gpus} GPU{'s'[: gpus != 1]}; "
                f"{free} free on the planned nodes): add a node, or delete an old pod (downtime)",
                (role,),
            )


def model_is_loaded_again(step: Step) -> Iterator[Consequence]:
    """A model of hf:// is in an emptyDir, which dies with its pod."""
    roles = tuple(role for role in ROLES if step.restarts(role))
    pods = int(step.new.number("capacity", "total", "pods"))
    uri, size = step.new.text("model", "model", "uri"), step.new.text("model", "model", "size")
    changed = [each for each in step.changed("model", ("model",)) if each.key.name in ("uri", "name")]
    if not uri.startswith("hf://") or not (roles or step.is_new):
        return
    what = "another model" if changed else "the model"
    every = f"each of {pods} pods" if (changed or step.is_new) and pods else "each restarted pod"
    yield Consequence(
        "costs", f"{every} downloads {what} (a volume of {size})" if size else f"{every} downloads {what}"
    )


def served_name(step: Step) -> Iterator[Consequence]:
    """Requests carry the model's name."""
    for each in step.changed("model", ("model",)):
        if each.key.name == "name":
            yield Consequence("breaks", f"clients must ask for {each.new}; {each.old} is answered with 404")


def secret_exists(step: Step) -> Iterator[Consequence]:
    """A pod whose Secret is missing stays in CreateContainerConfigError."""
    for each in step.changed("model", ("secret",)):
        if each.new:
            namespace = step.new.text("deployment", "namespace", "namespace")
            yield Consequence("note", f"the Secret {each.new} must exist in {namespace} before the apply")


def replicas_of_a_role(step: Step) -> Iterator[Consequence]:
    """More or fewer pods; the others stay."""
    for role in ROLES:
        for each in step.changed(role, ("replicas",)):
            if isinstance(each.delta, int) and not step.restarts(role):
                grouped = step.new.text("deployment", "workload", "workload") == "LeaderWorkerSet"
                one = abs(each.delta) == 1
                what = ("replica" if grouped else "pod") + ("" if one else "s")
                starts, stops = ("starts", "stops, with its") if one else ("start", "stop, with their")
                does = starts if each.delta > 0 else f"{stops} prefix cache"
                yield Consequence("note", f"{abs(each.delta)} {{roles}} {what} {does}", (role,))


def roles_come_and_go(step: Step) -> Iterator[Consequence]:
    """A role that appears or goes changes how requests are served."""
    for role in ROLES:
        for each in step.changed(role, ("presence",)):
            does = "start" if each.old is None else "stop"
            yield Consequence("interrupts", f"all {{roles}} pods {does}", (role,))


def nodes_are_there(step: Step) -> Iterator[Consequence]:
    """Nodes that the plan needs more, or no longer."""
    for each in step.changed("capacity", ("nodes",)):
        more = int(_number(each.new) - _number(each.old))
        name = each.key.name.removesuffix(" nodes")
        own = name.removeprefix("ml.") == step.new.target and each.old is not None and each.new is not None
        what = ("node" if abs(more) == 1 else "nodes") if own else name
        if more > 0:
            yield Consequence("costs", f"{more} more {what} needed")
        elif more < 0:
            yield Consequence("note", f"{-more} {what} less needed")


def shorter_requests(step: Step) -> Iterator[Consequence]:
    """vLLM refuses a request that is longer than --max-model-len."""
    for role in ROLES:
        for each in step.changed(role, ("cache",)):
            if each.key.name == "longest request in tokens" and each.delta is not None and each.delta < 0:
                yield Consequence("breaks", f"requests of more than {each.new} tokens are refused")


def transfer_leaves_efa(step: Step) -> Iterator[Consequence]:
    """Of NIXL's backends only LIBFABRIC drives EFA; UCX moves the same blocks over TCP, and says nothing."""
    for role in ROLES:
        for each in step.changed(role, ("connector",)):
            if each.key.name == "NixlConnector backends" and _has_libfabric(each.old) and not _has_libfabric(each.new):
                yield Consequence("costs", "KV blocks of {roles} no longer go over EFA, but over TCP", (role,))


def stored_blocks(step: Step) -> Iterator[Consequence]:
    """What LMCache stored is found by a hash of tokens, chunk size, seed, model, type and tensor parallelism."""
    for role in ROLES:
        if not all(state.get(role, "cache", SHARED_CACHE) for state in (step.old, step.new)):
            continue
        names = [each.key.name for each in step.changed(role, POD_TOPICS) if each.key.name in CACHE_KEYS]
        # vLLM tells LMCache the model as it was given to it: the name, or the path on a claim.
        model = [each.key.name for each in step.changed("model", ("model",)) if each.key.name in ("name", "uri")]
        names += [f"model {model[0]}"] if model else []
        if names:
            what = ", ".join(name.removeprefix("env ") for name in names)
            yield Consequence("costs", f"blocks on shared storage are not found again ({what} changed)", (role,))


def block_size_of_scheduler(step: Step) -> Iterator[Consequence]:
    """The scheduler's prefix scores count blocks of its own configuration or of what pods report."""
    if any(each.key.name == "--block-size" for role in ROLES for each in step.changed(role, ("flag",))):
        yield Consequence("costs", "prefix scores are off until every pod and the scheduler have the new block size")


def scheduler_restarts(step: Step) -> Iterator[Consequence]:
    """The scheduler's Deployment is Recreate, and the pool fails closed. More than one replica adds leader election."""
    if step.is_new:
        return
    counts = step.changed("scheduler", ("replicas",))
    elects = any((_number(each.old) > 1) != (_number(each.new) > 1) for each in counts)
    if step.changed("scheduler", SCHEDULER_POD_TOPICS) or elects:
        yield Consequence(
            "interrupts",
            "the scheduler restarts (Recreate): requests fail until it is ready again, and its prefix index is lost",
        )
    elif step.changed("scheduler", SCHEDULER_CONFIG_TOPICS):
        name = f"{step.new.text('deployment', 'name', 'release gaie').lower()[:40]}-epp"
        namespace = step.new.text("deployment", "namespace", "namespace")
        yield Consequence(
            "note",
            "the scheduler reads its plugins only at start: after the apply "
            f"`kubectl -n {namespace} rollout restart deployment/{name}`",
        )


def pool_selects(step: Step) -> Iterator[Consequence]:
    """The pool finds pods by labels and talks to them on its ports."""
    if step.is_new:
        return
    if step.changed("pool", ("label",)):
        yield Consequence("interrupts", "the pool finds only pods with the new labels")
    if step.changed("pool", ("port",)):
        yield Consequence("interrupts", "requests fail between the change of the pool's ports and the pods' restart")


def load_balancer(step: Step) -> Iterator[Consequence]:
    """The AWS load balancer controller replaces what AWS cannot change."""
    if step.is_new:
        return
    services = step.changed("gateway", ("service",))
    for each in services:
        if "LoadBalancer" in (each.old, each.new):
            made = each.new == "LoadBalancer"
            says = "a load balancer is made" if made else "the load balancer and its DNS name go"
            yield Consequence("note" if made else "breaks", f"{says} (Service type {each.old} -> {each.new})")
        else:
            yield Consequence("interrupts", f"the Gateway's Service becomes {each.new}")
    if services:
        return
    for each in step.changed("gateway", ("annotation",)):
        what = each.key.name.removeprefix("load balancer ")
        if what == "scheme":
            yield Consequence("breaks", f"the load balancer is replaced ({what} changed): its DNS name is a new one")
        elif what == "type":
            yield Consequence(
                "breaks",
                "the type of a Service that exists must not change: the load balancer may be left behind or exposed; "
                "delete the Gateway first",
            )
        elif what == "nlb-target-type":
            yield Consequence("interrupts", "the load balancer's target groups are replaced: open connections are cut")
        elif what == "name":
            yield Consequence("note", "a load balancer that exists keeps its name")


def gateway_provider(step: Step) -> Iterator[Consequence]:
    """Another class is another controller, with a Service and an address of its own."""
    if not step.is_new and step.changed("gateway", ("provider",)):
        yield Consequence("breaks", "another controller makes the Gateway anew: its address changes")
    elif not step.is_new and step.changed("gateway", ("parameter",)):
        yield Consequence("interrupts", "the Gateway's proxy is rolled")


def charts_change(step: Step) -> Iterator[Consequence]:
    """Other templates may make other objects of the same values."""
    if step.changed("charts", ("chart",)):
        yield Consequence("note", "another chart may change more than its values: see `helmfile diff`")


RULES: tuple[Rule, ...] = (
    another_deployment,
    selector_is_immutable,
    served_name,
    shorter_requests,
    gateway_provider,
    load_balancer,
    kind_of_workload,
    roles_come_and_go,
    pods_restart,
    scheduler_restarts,
    pool_selects,
    nodes_are_there,
    model_is_loaded_again,
    transfer_leaves_efa,
    stored_blocks,
    block_size_of_scheduler,
    replicas_of_a_role,
    secret_exists,
    charts_change,
)


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0


def _has_libfabric(value: object) -> bool:
    return "LIBFABRIC" in (value if isinstance(value, tuple) else (value,))
