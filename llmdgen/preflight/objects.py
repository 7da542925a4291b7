"""Questions about single objects: kinds, the GatewayClass, the namespace, its Secrets, volume claims."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.checks.images import withdrawn
from llmdgen.facts.types import Withdrawn
from llmdgen.planning.model import Plan
from llmdgen.planning.source import namespace_command, token_command
from llmdgen.preflight.answer import Answer, Forbidden, Question, asks
from llmdgen.preflight.cluster import Cluster
from llmdgen.prerequisites.facts import ServedKind, prerequisites

TOKEN, REGISTRY = "HF_TOKEN", ".dockerconfigjson"
SECURITY_LABEL = "pod-security.kubernetes.io/enforce"
READABLE, WRITABLE = ("ReadWriteMany", "ReadOnlyMany"), ("ReadWriteMany",)  # by pods on many nodes


def answers(plan: Plan, cluster: Cluster) -> Iterator[Answer]:
    """Everything that is asked about single objects."""
    namespace = plan.names.namespace
    for kind in kinds(plan):
        ask = _load_balancer if kind.needed == "load_balancer" else _kind
        yield ask(f"CRD {kind.name}", f"{kind.version} served", kind, cluster)
    yield _gateway_class(f"GatewayClass {plan.gateway.settings['class']}", "Accepted", plan, cluster)
    yield _namespace(f"namespace {namespace}", "Active or absent", namespace, cluster)
    yield from _security(plan, cluster)
    secret = plan.spec.asked.model.auth_secret_name
    if secret is not None:
        yield _token(f"Secret {namespace}/{secret}", f"key {TOKEN}", namespace, secret, cluster)
    for name in plan.images.pull_secrets:
        yield _pull_secret(f"Secret {namespace}/{name}", f"key {REGISTRY}", namespace, name, cluster)
    for gone in withdrawn(plan):
        yield _image("image", "served by its registry", gone)
    spread = sum(pool.nodes for pool in plan.pools) > 1
    for claim, modes in claims(plan).items():
        needed = f"Bound, {' or '.join(modes)}" if spread else "Bound"
        yield _claim(
            f"PersistentVolumeClaim {namespace}/{claim}", needed, plan, claim, modes if spread else (), cluster
        )


def kinds(plan: Plan) -> list[ServedKind]:
    """The kinds of the plan's objects, and those by which the load balancer's controller is known to be there."""
    provider = plan.gateway.provider
    needs = {"always", provider}
    if plan.multinode:
        needs.add("multinode")
    if plan.gateway.needs_controller:
        needs.add("load_balancer")
    found = [kind for kind in prerequisites(plan.release).kinds if kind.needed in needs]
    parameters = plan.gateway.settings.get("parameters") or {}
    if parameters.get("group"):  # Istio's are a ConfigMap, which every cluster has
        name = f"{parameters['kind'].lower()}.{parameters['group']}"
        found.append(ServedKind(name=name, version=parameters["version"], of=provider, needed="always"))
    return found


def claims(plan: Plan) -> dict[str, tuple[str, ...]]:
    """The PersistentVolumeClaims that pods mount, with the access modes that do for many nodes: a model is read, the
    cache tier on shared storage written."""
    scheme, _, rest = plan.model_uri.partition("://")
    found: dict[str, tuple[str, ...]] = {rest.partition("/")[0]: READABLE} if scheme.startswith("pvc") else {}
    storage = plan.spec.asked.cache.storage
    if storage is not None and any(tier.name == "storage" for tier in plan.tiers):
        found[storage.claim] = WRITABLE
    return found


@asks("PRE101", "a kind of object that the cluster does not serve")
def _kind(question: Question, kind: ServedKind, cluster: Cluster) -> Answer:
    """Every release makes objects of kinds that Kubernetes learns from CustomResourceDefinitions. Helm stops at the
    first kind that the API server does not serve in the version that is written, so each one must be there before the
    first `helmfile apply`, established, with that version served.

    Fails:  a cluster without inferencepools.inference.networking.k8s.io, or with its v1alpha2 alone.
    Passes: the same after the prerequisites of the platform and gateway provider are installed.
    """
    return _served(question, kind, cluster)


@asks("PRE103", "no AWS Load Balancer Controller")
def _load_balancer(question: Question, kind: ServedKind, cluster: Cluster) -> Answer:
    """A Service with the annotations of a Network Load Balancer is left alone by everything but the AWS Load
    Balancer Controller, which brings the kinds TargetGroupBinding and IngressClassParams of elbv2.k8s.aws.

    Fails:  gateway.loadBalancer on a cluster without these kinds.
    Passes: the same with the controller's chart installed; a gateway without a loadBalancer.
    """
    return _served(question, kind, cluster)


def _served(question: Question, kind: ServedKind, cluster: Cluster) -> Answer:
    found = cluster.crd(kind.name)
    if found is None:
        fix = f"install {kind.of}; `llmdgen render` writes the cluster's prerequisites with --prerequisites"
        return question.missing("no such CRD", fix)
    served = [each.name for each in found.spec.versions if each.served]
    if kind.version not in served:
        fix = f"install the release of {kind.of} that serves {kind.version}"
        return question.missing(f"{', '.join(served) or 'no version'} served", fix)
    if found.is_leaving:
        return question.missing("being deleted", f"wait until it is gone, then install {kind.of}")
    if found.condition("Established") == "False":
        return question.missing("not established", f"see `kubectl describe crd {kind.name}`")
    return question.ok(f"{', '.join(served)} served")


@asks("PRE102", "no controller for the GatewayClass")
def _gateway_class(question: Question, plan: Plan, cluster: Cluster) -> Answer:
    """A Gateway is only a wish until the controller of its GatewayClass acts on it. The class must exist and carry
    the condition Accepted, which its controller sets; otherwise the Gateway never gets an address.

    Fails:  gateway.provider: istio on a cluster where istiod is not installed.
    Passes: `kubectl get gatewayclass istio` with ACCEPTED True.
    """
    provider, found = plan.gateway.provider, cluster.gateway_class(str(plan.gateway.settings["class"]))
    if found is None:
        return question.missing("no such GatewayClass", f"install {provider}, which makes it")
    if found.condition("Accepted") == "True":
        return question.ok("Accepted")
    return question.missing("not Accepted", f"see whether the controller of {provider} runs: no other does")


@asks("PRE130", "a namespace that takes no objects")
def _namespace(question: Question, name: str, cluster: Cluster) -> Answer:
    """`helmfile apply` makes a namespace that is absent. One that is being deleted refuses new objects.

    Fails:  a namespace in phase Terminating.
    Passes: an Active one, or none.
    """
    found = cluster.namespace(name)
    if found is None:
        return question.ok("absent: helmfile apply makes it")
    phase = found.status.phase or "Active"
    return question.ok(phase) if phase == "Active" else question.missing(phase, "wait until it is gone")


def _security(plan: Plan, cluster: Cluster) -> Iterator[Answer]:
    """Asked where the namespace says which pods it takes; one that is absent, or says nothing, takes all."""
    try:
        found = cluster.namespace(plan.names.namespace)
    except Forbidden:
        return  # said by the question about the namespace itself
    if found is not None and SECURITY_LABEL in found.labels:
        level = found.labels[SECURITY_LABEL]
        yield _admits(f"pod security of {plan.names.namespace}", "takes the model servers", plan, level)


@asks("PRE135", "an image that its registry no longer serves")
def _image(question: Question, gone: Withdrawn) -> Answer:
    """Nodes of a cluster that runs the release may still have an image that upstream withdrew; a new node cannot pull
    it, and its pods never start. No cluster shows what a registry holds: the release's facts say what is gone.

    Fails:  llm-d v0.5.1 with upstream's own images.
    Passes: the same with `images.registry`; llm-d v0.9.0.
    """
    return question.missing(gone.says, "set images.registry to a registry that has it: llmdgen images lists them all")


@asks("PRE133", "a namespace that refuses the pods")
def _admits(question: Question, plan: Plan, level: str) -> Answer:
    """A namespace with the label pod-security.kubernetes.io/enforce takes only pods of that standard: baseline refuses
    the capability IPC_LOCK, which EFA needs, and hostPath volumes, restricted also root, which that capability needs,
    and every pod without a seccomp profile. The Deployment is made all the same, and its pods never appear.

    Fails:  enforce: restricted; enforce: baseline for model servers with EFA.
    Passes: no such label, or privileged; baseline for model servers without EFA and disk tier.
    """
    has_efa = any(role.efa_per_pod for role in plan.roles)
    reasons = ["IPC_LOCK for EFA"] if has_efa else []
    reasons += ["a hostPath for the disk tier"] if any(tier.name == "disk" for tier in plan.tiers) else []
    if level == "restricted":
        reasons += ["root for EFA", "no seccomp profile"] if has_efa else ["no seccomp profile"]
    if level == "privileged" or not reasons:
        return question.ok(level)
    fix = f"kubectl label --overwrite namespace {plan.names.namespace} {SECURITY_LABEL}=privileged"
    return question.missing(f"{level}, which refuses {', '.join(reasons)}", fix)


@asks("PRE131", "no Secret with the Hugging Face token")
def _token(question: Question, namespace: str, name: str, cluster: Cluster) -> Answer:
    """Model servers read the token from the key HF_TOKEN of the Secret that `model.authSecretName` names, in the
    namespace of the deployment. Without it, containers stop with CreateContainerConfigError. Only the names of the
    keys are looked at and shown, never a value.

    Fails:  no such Secret; one whose key is called token; one whose HF_TOKEN is empty.
    Passes: `kubectl create secret generic NAME --from-file=HF_TOKEN=/dev/stdin`.
    """
    make = f"{namespace_command(namespace)}; {token_command(namespace, name)}"
    fix = f"put the token under the key {TOKEN}"
    return _secret(question, cluster.secret_keys(namespace, name), TOKEN, make, fix)


@asks("PRE134", "no Secret to pull images with")
def _pull_secret(question: Question, namespace: str, name: str, cluster: Cluster) -> Answer:
    """The kubelet pulls model servers' images with the Secrets that `images.pullSecrets` names, in the namespace of the
    deployment. One that is missing is no error to it: it pulls without, and a private registry refuses. Only the names
    of the keys are looked at and shown, never a value.

    Fails:  images.pullSecrets: [ecr] and no such Secret; one without the key .dockerconfigjson.
    Passes: `kubectl create secret docker-registry ecr ...` in the namespace; no pullSecrets.
    """
    make = f"kubectl -n {namespace} create secret docker-registry {name} --docker-server=... --docker-username=..."
    fix = f"make it anew, of the type that has the key {REGISTRY}"
    return _secret(question, cluster.secret_keys(namespace, name), REGISTRY, make, fix)


def _secret(question: Question, keys: dict[str, bool] | None, key: str, make: str, fix: str) -> Answer:
    """Whether a Secret has a value under a key: `make` says how to make one, `fix` what to do with a wrong one."""
    if keys is None:
        return question.missing("no such Secret", make)
    if keys.get(key):
        return question.ok(f"key {key}")
    return question.missing(f"an empty {key}" if key in keys else f"keys: {', '.join(sorted(keys)) or 'none'}", fix)


@asks("PRE132", "a PersistentVolumeClaim that pods cannot mount")
def _claim(question: Question, plan: Plan, name: str, enough: tuple[str, ...], cluster: Cluster) -> Answer:
    """A model of pvc:// and a cache tier on shared storage come from claims that exist before the deployment. Each
    must be Bound, and pods on several nodes need an access mode for many nodes.

    Fails:  no such claim; one in phase Pending; ReadWriteOnce for pods on two nodes.
    Passes: a Bound claim with ReadWriteMany, as FSx for Lustre and EFS give.
    """
    # `enough` are the access modes of which one must be there, empty where any will do.
    namespace = plan.names.namespace
    found = cluster.claim(namespace, name)
    if found is None:
        return question.missing("no such claim", f"make the claim in {namespace} before the deployment")
    phase, kind = found.status.phase or "Pending", found.spec.storage_class_name
    modes = found.status.access_modes or found.spec.access_modes
    says = f"{phase}, {', '.join(modes)}"
    if found.is_leaving:
        return question.missing(f"{says}, being deleted", "make the claim again once it is gone")
    if phase == "Pending" and kind:
        storage = cluster.storage_class(kind)
        if storage is None:
            fix = f"make the StorageClass {kind}, or a claim of another"
            return question.missing(f"{says}, no StorageClass {kind}", fix)
        if storage.volume_binding_mode == "WaitForFirstConsumer":
            says, phase = f"{says}: bound with its first pod", "Bound"
    if phase != "Bound":
        return question.missing(says, f"see `kubectl -n {namespace} describe pvc {name}`")
    alone = modes == ["ReadWriteOncePod"] and sum(role.pods for role in plan.roles) > 1
    if alone or (enough and not any(mode in enough for mode in modes)):
        return question.short(says, "use a claim with ReadWriteMany, on FSx for Lustre or EFS")
    return question.ok(says)
