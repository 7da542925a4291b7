"""Questions about single objects: kinds, the GatewayClass, the namespace, its Secrets, volume claims."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.planning.model import Plan
from llmdgen.preflight import rules
from llmdgen.preflight.answer import Answer, Forbidden, missing, ok, short, unknown
from llmdgen.preflight.cluster import Cluster, Object
from llmdgen.prerequisites.facts import ServedKind, prerequisites
from llmdgen.registry import Rule

TOKEN, REGISTRY = "HF_TOKEN", ".dockerconfigjson"
SECURITY_LABEL = "pod-security.kubernetes.io/enforce"
READABLE, WRITABLE = ("ReadWriteMany", "ReadOnlyMany"), ("ReadWriteMany",)  # by pods on many nodes


def answers(plan: Plan, cluster: Cluster) -> Iterator[Answer]:
    """Everything that is asked about single objects."""
    for kind in kinds(plan):
        rule = rules.LOAD_BALANCER if kind.needed == "load_balancer" else rules.KIND
        yield _kind(rule, kind, cluster)
    yield _gateway_class(plan, cluster)
    yield _namespace(plan, cluster)
    yield from _security(plan, cluster)
    secret = plan.spec.spec.model.auth_secret_name
    if secret is not None:
        yield _token(plan, secret, cluster)
    for name in plan.images.pull_secrets:
        yield _pull_secret(plan, name, cluster)
    for claim, modes in claims(plan).items():
        yield _claim(plan, claim, modes, cluster)


def kinds(plan: Plan) -> list[ServedKind]:
    """The kinds of the plan's objects, and those by which the load balancer's controller is known to be there."""
    provider = plan.gateway.provider
    needs = {"always", provider}
    if plan.multinode:
        needs.add("multinode")
    if plan.gateway.needs_controller:
        needs.add("load_balancer")
    found = [kind for kind in prerequisites(plan.release).kinds if kind.needed in needs]
    parameters = plan.gateway.settings.get("parameters")
    if parameters is not None:
        name = f"{parameters['kind'].lower()}.{parameters['group']}"
        found.append(ServedKind(name=name, version=parameters["version"], of=provider, needed="always"))
    return found


def claims(plan: Plan) -> dict[str, tuple[str, ...]]:
    """The PersistentVolumeClaims that pods mount, with the access modes that do for many nodes: a model is read, the
    cache tier on shared storage written."""
    scheme, _, rest = plan.model_uri.partition("://")
    found: dict[str, tuple[str, ...]] = {rest.partition("/")[0]: READABLE} if scheme.startswith("pvc") else {}
    storage = plan.spec.spec.cache.storage
    if storage is not None and any(tier.name == "storage" for tier in plan.tiers):
        found[storage.claim] = WRITABLE
    return found


def _kind(rule: Rule, kind: ServedKind, cluster: Cluster) -> Answer:
    what, needed = f"CRD {kind.name}", f"{kind.version} served"
    install = f"install {kind.of}; `llmdgen render` writes the cluster's prerequisites with --prerequisites"
    try:
        found = cluster.crd(kind.name)
    except Forbidden as refused:
        return unknown(rule, what, needed, refused)
    if found is None:
        return missing(rule, what, needed, "no such CRD", install)
    served = [each["name"] for each in (found.get("spec") or {}).get("versions") or [] if each.get("served")]
    if kind.version not in served:
        says = f"{', '.join(served) or 'no version'} served"
        return missing(rule, what, needed, says, f"install the release of {kind.of} that serves {kind.version}")
    if _leaving(found):
        return missing(rule, what, needed, "being deleted", f"wait until it is gone, then install {kind.of}")
    if _condition(found, "Established") == "False":
        return missing(rule, what, needed, "not established", f"see `kubectl describe crd {kind.name}`")
    return ok(rule, what, needed, f"{', '.join(served)} served")


def _gateway_class(plan: Plan, cluster: Cluster) -> Answer:
    name = str(plan.gateway.settings["class"])
    rule, what, needed = rules.GATEWAY_CLASS, f"GatewayClass {name}", "Accepted"
    try:
        found = cluster.gateway_class(name)
    except Forbidden as refused:
        return unknown(rule, what, needed, refused)
    if found is None:
        return missing(rule, what, needed, "no such GatewayClass", f"install {plan.gateway.provider}, which makes it")
    if _condition(found, "Accepted") == "True":
        return ok(rule, what, needed, "Accepted")
    return missing(
        rule, what, needed, "not Accepted", f"see whether the controller of {plan.gateway.provider} runs: no other does"
    )


def _namespace(plan: Plan, cluster: Cluster) -> Answer:
    name = plan.names.namespace
    rule, what, needed = rules.NAMESPACE, f"namespace {name}", "Active or absent"
    try:
        found = cluster.namespace(name)
    except Forbidden as refused:
        return unknown(rule, what, needed, refused)
    if found is None:
        return ok(rule, what, needed, "absent: helmfile apply makes it")
    phase = str((found.get("status") or {}).get("phase", "Active"))
    if phase != "Active":
        return missing(rule, what, needed, phase, "wait until it is gone")
    return ok(rule, what, needed, phase)


def _security(plan: Plan, cluster: Cluster) -> Iterator[Answer]:
    """Asked where the namespace says which pods it takes; one that is absent, or says nothing, takes all."""
    try:
        found = cluster.namespace(plan.names.namespace)
    except Forbidden:
        return  # said by the question about the namespace itself
    labels = ((found or {}).get("metadata") or {}).get("labels") or {}
    level = labels.get(SECURITY_LABEL)
    if level is None:
        return
    has_efa = any(role.efa_per_pod for role in plan.roles)
    reasons = ["IPC_LOCK for EFA"] if has_efa else []
    reasons += ["a hostPath for the disk tier"] if any(tier.name == "disk" for tier in plan.tiers) else []
    if level == "restricted":
        reasons += ["root for EFA", "no seccomp profile"] if has_efa else ["no seccomp profile"]
    rule, what, needed = rules.SECURITY, f"pod security of {plan.names.namespace}", "takes the model servers"
    if level == "privileged" or not reasons:
        yield ok(rule, what, needed, str(level))
        return
    fix = f"kubectl label --overwrite namespace {plan.names.namespace} {SECURITY_LABEL}=privileged"
    yield missing(rule, what, needed, f"{level}, which refuses {', '.join(reasons)}", fix)


def _token(plan: Plan, name: str, cluster: Cluster) -> Answer:
    namespace = plan.names.namespace
    make = (
        f"kubectl create namespace {namespace}; kubectl -n {namespace} create secret generic {name} "
        f"--from-file={TOKEN}=/dev/stdin"
    )
    return _secret(rules.SECRET, namespace, name, TOKEN, make, f"put the token under the key {TOKEN}", cluster)


def _pull_secret(plan: Plan, name: str, cluster: Cluster) -> Answer:
    namespace = plan.names.namespace
    make = f"kubectl -n {namespace} create secret docker-registry {name} --docker-server=... --docker-username=..."
    fix = f"make it anew, of the type that has the key {REGISTRY}"
    return _secret(rules.PULL_SECRET, namespace, name, REGISTRY, make, fix, cluster)


def _secret(rule: Rule, namespace: str, name: str, key: str, make: str, fix: str, cluster: Cluster) -> Answer:
    """Whether a Secret has a value under a key: `make` says how to make one, `fix` what to do with a wrong one."""
    what, needed = f"Secret {namespace}/{name}", f"key {key}"
    try:
        keys = cluster.secret_keys(namespace, name)
    except Forbidden as refused:
        return unknown(rule, what, needed, refused)
    if keys is None:
        return missing(rule, what, needed, "no such Secret", make)
    if keys.get(key):
        return ok(rule, what, needed, f"key {key}")
    says = f"an empty {key}" if key in keys else f"keys: {', '.join(sorted(keys)) or 'none'}"
    return missing(rule, what, needed, says, fix)


def _claim(plan: Plan, name: str, enough: tuple[str, ...], cluster: Cluster) -> Answer:
    namespace, spread = plan.names.namespace, sum(pool.nodes for pool in plan.pools) > 1
    rule, what = rules.CLAIM, f"PersistentVolumeClaim {namespace}/{name}"
    needed = f"Bound, {' or '.join(enough)}" if spread else "Bound"
    try:
        found = cluster.claim(namespace, name)
    except Forbidden as refused:
        return unknown(rule, what, needed, refused)
    if found is None:
        return missing(rule, what, needed, "no such claim", f"make the claim in {namespace} before the deployment")
    phase = str((found.get("status") or {}).get("phase", "Pending"))
    modes = (found.get("status") or {}).get("accessModes") or found["spec"].get("accessModes") or []
    says = f"{phase}, {', '.join(modes)}"
    if _leaving(found):
        return missing(rule, what, needed, f"{says}, being deleted", "make the claim again once it is gone")
    if phase == "Pending":
        kind = str((found.get("spec") or {}).get("storageClassName") or "")
        try:
            storage = cluster.storage_class(kind) if kind else None
        except Forbidden as refused:
            return unknown(rule, what, needed, refused)
        if kind and storage is None:
            fix = f"make the StorageClass {kind}, or a claim of another"
            return missing(rule, what, needed, f"{says}, no StorageClass {kind}", fix)
        if storage is not None and storage.get("volumeBindingMode") == "WaitForFirstConsumer":
            says, phase = f"{says}: bound with its first pod", "Bound"
    if phase != "Bound":
        return missing(rule, what, needed, says, f"see `kubectl -n {namespace} describe pvc {name}`")
    if modes == ["ReadWriteOncePod"] and sum(role.pods for role in plan.roles) > 1:
        return short(rule, what, needed, says, "use a claim with ReadWriteMany, on FSx for Lustre or EFS")
    if spread and not any(mode in enough for mode in modes):
        return short(rule, what, needed, says, "use a claim with ReadWriteMany, on FSx for Lustre or EFS")
    return ok(rule, what, needed, says)


def _leaving(thing: Object) -> bool:
    """Whether an object waits to be deleted: it takes nothing new."""
    return bool((thing.get("metadata") or {}).get("deletionTimestamp"))


def _condition(thing: Object, kind: str) -> str | None:
    conditions = (thing.get("status") or {}).get("conditions") or []
    return next((each.get("status") for each in conditions if each.get("type") == kind), None)
