"""What becomes of requests: their way in by gateway, load balancer, scheduler and pool, and the KV caches that answer
them."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.diff.reading import ROUTER
from llmdgen.diff.state import FAILURE_MODE, State, Value
from llmdgen.diff.step import CLAIM, SCHEDULER_CONFIG_TOPICS, SHARED_CACHE, Consequence, Step
from llmdgen.kube.workload import NIXL
from llmdgen.planning.router import PORT as GATEWAY_PORT
from llmdgen.spec.fields import ROLES

_SOURCE_RANGES = "annotation service.beta.kubernetes.io/load-balancer-source-ranges"
# What LMCache makes its keys of: a stored block is found again only under the same.
_CACHE_KEYS = (
    ("parallelism", "tensor parallelism"),
    ("flag", "--kv-cache-dtype"),
    ("flag", "--dtype"),
    ("env", "env PYTHONHASHSEED"),
    ("env", "env LMCACHE_CHUNK_SIZE"),
)


def served_name(step: Step) -> Iterator[Consequence]:
    """Requests carry the model's name."""
    if (each := step.change("model", "model", "name")) is not None:
        yield Consequence("breaks", f"clients must ask for {each.new}; {each.old} is answered with 404")


def shorter_requests(step: Step) -> Iterator[Consequence]:
    """vLLM refuses a request that is longer than --max-model-len."""
    for role in ROLES:
        each = step.change(role, "cache", "longest request in tokens")
        if each is not None and (each.delta or 0) < 0:
            yield Consequence("breaks", f"requests of more than {each.new} tokens are refused")


def kv_cache_in_all(step: Step) -> Iterator[Consequence]:
    """What all servers of a role hold together, where that is not what one rank's line says already."""
    for role in filter(step.serves, ROLES):
        tokens = [state.number(role, "cache", "KV cache tokens of a rank") for state in step.states]
        ranks = [
            state.number(role, "replicas", "replicas") * max(1, state.number(role, "parallelism", "data parallelism"))
            for state in step.states
        ]
        if not all(tokens) or not all(ranks) or ranks[0] == ranks[1]:
            continue
        grown = round(100 * (tokens[1] * ranks[1] / (tokens[0] * ranks[0]) - 1))
        if grown:
            says = f"the KV cache of all {{roles}} servers together: {grown:+d} %"
            yield Consequence("costs" if grown < 0 else "note", says, (role,))


def transfer_leaves_efa(step: Step) -> Iterator[Consequence]:
    """Of NIXL's backends only LIBFABRIC drives EFA; UCX moves the same blocks over TCP, and says nothing."""
    for role in ROLES:
        each = step.change(role, "connector", f"{NIXL} backends")
        if each is None or not _has(step.new.get(role, "connectors", "KV connectors"), NIXL):
            continue
        had, has = _has(each.old, "LIBFABRIC"), _has(each.new, "LIBFABRIC")
        if had and not has:
            yield Consequence("costs", "KV blocks of {roles} no longer go over EFA, but over TCP", (role,))
        elif has and _has(step.old.get(role, "connectors", "KV connectors"), NIXL):
            yield Consequence("note", "KV blocks of {roles} go over EFA, no longer over TCP", (role,))


def _has(value: Value, wanted: str) -> bool:
    return wanted in (value if isinstance(value, tuple) else (value,))


def stored_blocks(step: Step) -> Iterator[Consequence]:
    """What LMCache stored is found by a hash of tokens, chunk size, seed, model, type and tensor parallelism."""
    # vLLM tells LMCache the model as it was given to it: the name, or the path on a claim.
    model = [f"model {name}" for name in ("name", "uri") if step.change("model", "model", name)][:1]
    for role in ROLES:
        if not all(state.get(role, "cache", SHARED_CACHE) for state in step.states):
            continue
        names = [name.removeprefix("env ") for topic, name in _CACHE_KEYS if step.change(role, topic, name)]
        claim = ["claim"] if any(each.name.endswith(CLAIM) for each in step.changed(role, "volume")) else []
        if what := ", ".join([*names, *model, *claim]):
            yield Consequence("costs", f"blocks on shared storage are not found again ({what} changed)", (role,))


def block_size_of_scheduler(step: Step) -> Iterator[Consequence]:
    """The scheduler's prefix scores count blocks of its own configuration or of what pods report."""
    if any(step.change(role, "flag", "--block-size") for role in ROLES):
        yield Consequence("costs", "prefix scores are off until every pod and the scheduler have the new block size")


def scheduler_restarts(step: Step) -> Iterator[Consequence]:
    """The scheduler's Deployment is Recreate, and its pool says what becomes of requests meanwhile. More than one
    replica adds leader election."""
    counts = [state.number("scheduler", "replicas", "replicas") > 1 for state in step.states]
    pod = step.changed("scheduler", "image", "flag", "env", "pod") or step.changed("pool", "pod")
    if pod or counts[0] != counts[1]:
        yield Consequence(
            "interrupts",
            f"the scheduler restarts (Recreate): requests {_without_scheduler(step.old)} until it is ready again, "
            "and its prefix index is lost",
        )
    elif step.changed("scheduler", *SCHEDULER_CONFIG_TOPICS):
        name = f"{step.new.text('deployment', 'name', f'release {ROUTER}').lower()[:40]}-epp"
        says = "the scheduler reads its plugins only at start: after the apply"
        yield Consequence("note", f"{says} `kubectl -n {step.new.namespace} rollout restart deployment/{name}`")


def pool_fails(step: Step) -> Iterator[Consequence]:
    """The InferencePool says what the Gateway does with a request that nobody picks a pod for."""
    if step.change(FAILURE_MODE.subject, FAILURE_MODE.topic, FAILURE_MODE.name) is not None:
        yield Consequence("note", f"from now on requests {_without_scheduler(step.new)} while no scheduler is ready")


def _without_scheduler(state: State) -> str:
    if state.facts.get(FAILURE_MODE) != "FailOpen":
        return "fail"
    return "go to any pod of the pool" + (", prefill or decode," if state.has("prefill") else "")


def pool_selects(step: Step) -> Iterator[Consequence]:
    """The pool finds pods by labels and talks to them on its ports."""
    if step.changed("pool", "label"):
        yield Consequence("interrupts", "the pool finds only pods with the new labels")
    if step.changed("pool", "port"):
        yield Consequence("interrupts", "requests fail between the change of the pool's ports and the pods' restart")


def reachable_from_the_internet(step: Step) -> Iterator[Consequence]:
    """vLLM asks nobody who they are."""
    before, after = (state.text("gateway", "annotation", "load balancer scheme") for state in step.states)
    had, has = (state.text("gateway", "annotation", _SOURCE_RANGES) for state in step.states)
    if after == "internet-facing" and (before, had) != (after, has):
        whom = f"from {has}" if has else "from everywhere, unless security groups say otherwise"
        says = "the model API, which has no authentication, is reachable from the internet"
        yield Consequence("exposes", f"{says}, {whom}")


def gateway_provider(step: Step) -> Iterator[Consequence]:
    """Another class is another controller, with a Service and an address of its own; what the old one made belongs to
    the Gateway, which stays. Istio writes a Gateway's annotations into its proxy's pods too."""
    if (each := step.change("gateway", "provider", "class")) is not None:
        yield Consequence("breaks", "another controller makes the Gateway anew: its address changes")
        says = f"the Service and the proxy that {each.old} made may stay: look for them, and delete them"
        yield Consequence("note", says)
    elif step.change("gateway", "value", "Gateway metadata.name") is not None:
        yield Consequence("breaks", "another Gateway takes the place of the old one: its address changes")
    else:
        is_istio = step.new.text("gateway", "provider", "class") == "istio"
        if step.changed("gateway", "parameter", *(("annotation",) if is_istio else ())):
            yield Consequence("interrupts", "the Gateway's proxy is rolled: long streams through the old pod are cut")


def listeners(step: Step) -> Iterator[Consequence]:
    """The Gateway's port is part of every client's URL; llmdgen makes one listener, on port 80."""
    for each in step.changed("gateway", "value"):
        before = each.old or GATEWAY_PORT
        if each.name.endswith("listeners[0].port") and each.new not in (None, before):
            yield Consequence("breaks", f"clients must use port {each.new} of the Gateway, no longer {before}")


def load_balancer(step: Step) -> Iterator[Consequence]:
    """The AWS load balancer controller replaces what AWS cannot change."""
    if (service := step.change("gateway", "service", "Service type")) is not None:
        how = f"(Service type {service.old} -> {service.new})"
        if service.new == "LoadBalancer":
            yield Consequence("note", f"a load balancer is made {how}")
        elif service.old == "LoadBalancer":
            yield Consequence("breaks", f"the load balancer and its DNS name go {how}")
        else:
            yield Consequence("interrupts", f"the Gateway's Service becomes {service.new}")
        return
    for each in step.changed("gateway", "annotation"):
        if (what := _ANNOTATIONS.get(each.name.removeprefix("load balancer "))) is not None:
            yield what


_ANNOTATIONS = {
    "scheme": Consequence("breaks", "the load balancer is replaced (scheme changed): its DNS name is a new one"),
    "type": Consequence(
        "breaks",
        "the type of a Service that exists must not change: the load balancer may be left behind or exposed; "
        "delete the Gateway first",
    ),
    "nlb-target-type": Consequence(
        "interrupts", "the load balancer's target groups are replaced: open connections are cut"
    ),
    "name": Consequence("note", "a load balancer that exists keeps its name"),
}
