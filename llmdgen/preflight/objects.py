"""Questions about single objects: kinds, the GatewayClass, the namespace, its Secrets, volume claims."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from llmdgen.checks.images import withdrawn
from llmdgen.facts.types import Withdrawn
from llmdgen.kube.workload import Workload
from llmdgen.objects import objects
from llmdgen.objects.chart import servers_of
from llmdgen.planning.model import Plan
from llmdgen.planning.source import namespace_command, token_command
from llmdgen.preflight.answer import Answer, Forbidden, Reply, asks, missing, ok, short
from llmdgen.preflight.cluster import Cluster
from llmdgen.prerequisites.cluster import needs
from llmdgen.prerequisites.facts import ServedKind, prerequisites
from llmdgen.untyped import at, mapping, maps

TOKEN, REGISTRY = "HF_TOKEN", ".dockerconfigjson"
SECURITY_LABEL = "pod-security.kubernetes.io/enforce"
# The capabilities that pods may add under the standard baseline (Kubernetes, Pod Security Standards).
_BASELINE = re.compile(
    "AUDIT_WRITE|CHOWN|DAC_OVERRIDE|FOWNER|FSETID|KILL|MKNOD|NET_BIND_SERVICE|SETFCAP|SETGID|SETPCAP|SETUID|SYS_CHROOT"
)
READABLE, WRITABLE = ("ReadWriteMany", "ReadOnlyMany"), ("ReadWriteMany",)  # by pods on many nodes


def answers(plan: Plan, cluster: Cluster) -> Iterator[Answer]:
    """Everything that is asked about single objects."""
    namespace = plan.names.namespace
    for kind in kinds(plan):
        ask = _load_balancer if kind.needed == "load_balancer" else _kind
        yield ask(f"CRD {kind.name}", f"{kind.version} served", kind, cluster)
    yield _gateway_class(f"GatewayClass {plan.gateway.settings['class']}", "Accepted", plan, cluster)
    yield _namespace(f"namespace {namespace}", "Active or absent", namespace, cluster)
    with suppress(Forbidden):  # said by the question about the namespace itself
        # One that is absent, or does not say which pods it takes, takes all.
        if (found := cluster.one("namespaces", namespace)) and (level := found.labels.get(SECURITY_LABEL)) is not None:
            yield _admits(f"pod security of {namespace}", "takes the model servers", plan, level)
    for secret, key in secrets(plan).items():
        asked = _token if key == TOKEN else _other_secret
        yield asked(f"Secret {namespace}/{secret}", f"key {key}" if key else "any key", namespace, secret, key, cluster)
    for name in plan.images.pull_secrets:
        yield _pull_secret(f"Secret {namespace}/{name}", f"key {REGISTRY}", namespace, name, cluster)
    for name in priority_classes(plan):
        yield _priority_class(f"PriorityClass {name}", "is there", name, cluster)
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
    needed = {"always", *needs(plan)}
    found = [kind for kind in prerequisites(plan.release).kinds if kind.needed in needed]
    parameters = plan.gateway.settings.get("parameters") or {}
    if parameters.get("group"):  # Istio's are a ConfigMap, which every cluster has
        name = f"{parameters['kind'].lower()}.{parameters['group']}"
        found.append(ServedKind(name=name, version=parameters["version"], of=plan.gateway.provider, needed="always"))
    return found


def pods(plan: Plan) -> tuple[Workload, ...]:
    """The pod templates as they are rendered, with what the spec puts into them under `pod`."""
    return servers_of(plan, objects(plan)).workloads


def claims(plan: Plan) -> dict[str, tuple[str, ...]]:
    """The PersistentVolumeClaims that pods mount, with the access modes that do for many nodes: a model is read, the
    cache tier on shared storage written."""
    found: dict[str, tuple[str, ...]] = {}
    for _, volume in (each for workload in pods(plan) for each in maps(workload.spec.get("volumes"))):
        claim = mapping(volume.get("persistentVolumeClaim"))
        if "claimName" in claim and found.get(claim["claimName"]) != WRITABLE:
            found[claim["claimName"]] = READABLE if claim.get("readOnly") else WRITABLE
    return found


def secrets(plan: Plan) -> dict[str, str]:
    """The Secrets that pods cannot start without, by name, each with a key of it that they read, "" for any."""
    found: dict[str, str] = {}
    for workload in pods(plan):
        for _, variable in (each for container in workload.containers for each in maps(container.doc.get("env"))):
            key = mapping(at(variable, "valueFrom", "secretKeyRef"))
            if "name" in key and not key.get("optional"):
                found.setdefault(key["name"], str(key.get("key", "")))
        for _, volume in maps(workload.spec.get("volumes")):
            held = mapping(volume.get("secret"))
            if "secretName" in held and not held.get("optional"):
                found.setdefault(held["secretName"], "")
    return found


def priority_classes(plan: Plan) -> list[str]:
    """The PriorityClasses that pods name, each once."""
    return sorted({str(name) for workload in pods(plan) if (name := workload.spec.get("priorityClassName"))})


@asks("PRE101", "a kind of object that the cluster does not serve")
def _kind(kind: ServedKind, cluster: Cluster) -> Reply:
    """Every release makes objects of kinds that Kubernetes learns from CustomResourceDefinitions. Helm stops at the
    first kind that the API server does not serve in the version that is written, so each one must be there before the
    first `helmfile apply`, established, with that version served.

    Fails:  a cluster without inferencepools.inference.networking.k8s.io, or with its v1alpha2 alone.
    Passes: the same after the prerequisites of the platform and gateway provider are installed.
    """
    return _served(kind, cluster)


@asks("PRE103", "no AWS Load Balancer Controller")
def _load_balancer(kind: ServedKind, cluster: Cluster) -> Reply:
    """A Service with the annotations of a Network Load Balancer is left alone by everything but the AWS Load
    Balancer Controller, which brings the kinds TargetGroupBinding and IngressClassParams of elbv2.k8s.aws.

    Fails:  gateway.loadBalancer on a cluster without these kinds.
    Passes: the same with the controller's chart installed; a gateway without a loadBalancer.
    """
    return _served(kind, cluster)


def _served(kind: ServedKind, cluster: Cluster) -> Reply:
    found = cluster.one("customresourcedefinitions", kind.name)
    if found is None:
        fix = f"install {kind.of}; `llmdgen render` writes the cluster's prerequisites with --prerequisites"
        return missing("no such CRD", fix)
    served = [each.name for each in found.spec.versions if each.served]
    if kind.version not in served:
        fix = f"install the release of {kind.of} that serves {kind.version}"
        return missing(f"{', '.join(served) or 'no version'} served", fix)
    if found.is_leaving:
        return missing("being deleted", f"wait until it is gone, then install {kind.of}")
    if found.condition("Established") == "False":
        return missing("not established", f"see `kubectl describe crd {kind.name}`")
    return ok(f"{', '.join(served)} served")


@asks("PRE102", "no controller for the GatewayClass")
def _gateway_class(plan: Plan, cluster: Cluster) -> Reply:
    """A Gateway is only a wish until the controller of its GatewayClass acts on it. The class must exist and carry
    the condition Accepted, which its controller sets; otherwise the Gateway never gets an address.

    Fails:  gateway.provider: istio on a cluster where istiod is not installed.
    Passes: `kubectl get gatewayclass istio` with ACCEPTED True.
    """
    provider, found = plan.gateway.provider, cluster.one("gatewayclasses", str(plan.gateway.settings["class"]))
    if found is None:
        return missing("no such GatewayClass", f"install {provider}, which makes it")
    if found.condition("Accepted") == "True":
        return ok("Accepted")
    return missing("not Accepted", f"see whether the controller of {provider} runs: no other does")


@asks("PRE130", "a namespace that takes no objects")
def _namespace(name: str, cluster: Cluster) -> Reply:
    """`helmfile apply` makes a namespace that is absent. One that is being deleted refuses new objects.

    Fails:  a namespace in phase Terminating.
    Passes: an Active one, or none.
    """
    found = cluster.one("namespaces", name)
    if found is None:
        return ok("absent: helmfile apply makes it")
    phase = found.status.phase or "Active"
    return ok(phase) if phase == "Active" else missing(phase, "wait until it is gone")


@asks("PRE135", "an image that its registry no longer serves")
def _image(gone: Withdrawn) -> Reply:
    """Nodes of a cluster that runs the release may still have an image that upstream withdrew; a new node cannot pull
    it, and its pods never start. No cluster shows what a registry holds: the release's facts say what is gone.

    Fails:  llm-d v0.5.1 with upstream's own images.
    Passes: the same with `images.registry`; llm-d v0.9.0.
    """
    return missing(gone.says, "set images.registry to a registry that has it: llmdgen images lists them all")


@asks("PRE133", "a namespace that refuses the pods")
def _admits(plan: Plan, level: str) -> Reply:
    """A namespace with the label pod-security.kubernetes.io/enforce takes only pods of that standard: baseline refuses
    the capability IPC_LOCK, which EFA needs, and hostPath volumes, restricted also root, which that capability needs,
    and every pod without a seccomp profile. The Deployment is made all the same, and its pods never appear.

    Fails:  enforce: restricted; enforce: baseline for model servers with EFA.
    Passes: no such label, or privileged; baseline for model servers without EFA and disk tier.
    """
    refused = dict.fromkeys(each for workload in pods(plan) for each in _beyond(workload, level))
    if level == "privileged" or not refused:
        return ok(level)
    fix = f"kubectl label --overwrite namespace {plan.names.namespace} {SECURITY_LABEL}=privileged"
    return missing(f"{level}, which refuses {', '.join(refused)}", fix)


def _beyond(workload: Workload, level: str) -> Iterator[str]:
    """What of a pod the standard `baseline` or `restricted` refuses, as far as model servers have it."""
    contexts = [mapping(at(each.doc, "securityContext")) for each in workload.containers]
    yield from (key for key in ("hostNetwork", "hostPID", "hostIPC") if workload.spec.get(key))
    if any("hostPath" in volume for _, volume in maps(workload.spec.get("volumes"))):
        yield "hostPath volumes"
    for container in workload.containers:
        yield from (f"the capability {each}" for each in container.capabilities() if not _BASELINE.fullmatch(each))
    if level == "restricted":
        of_pod = mapping(workload.spec.get("securityContext"))
        if any({**of_pod, **each}.get("runAsUser") == 0 for each in contexts):
            yield "root"
        if not all({**of_pod, **each}.get("seccompProfile") for each in contexts):
            yield "pods without a seccomp profile"


@asks("PRE131", "no Secret with the Hugging Face token")
def _token(namespace: str, name: str, key: str, cluster: Cluster) -> Reply:
    """Model servers read the token from the key HF_TOKEN of the Secret that `model.authSecretName` names, in the
    namespace of the deployment. Without it, containers stop with CreateContainerConfigError. Only the names of the
    keys are looked at and shown, never a value.

    Fails:  no such Secret; one whose key is called token; one whose HF_TOKEN is empty.
    Passes: `kubectl create secret generic NAME --from-file=HF_TOKEN=/dev/stdin`.
    """
    make = f"{namespace_command(namespace)}; {token_command(namespace, name)}"
    fix = f"put the token under the key {key}"
    return _secret(cluster.secret_keys(namespace, name), key, make, fix)


@asks("PRE136", "no Secret that pods refer to")
def _other_secret(namespace: str, name: str, key: str, cluster: Cluster) -> Reply:
    """A variable or a volume that a spec gives its pods under `pod` may come from a Secret. Without that, or the key,
    containers stop with CreateContainerConfigError, or wait for the volume. No value is looked at.

    Fails:  `secretKeyRef: {name: proxy, key: url}` under `pod`, and no such Secret, or none with that key.
    Passes: the Secret with the key in the namespace of the deployment; `optional: true`.
    """
    keys = cluster.secret_keys(namespace, name)
    make = f"kubectl -n {namespace} create secret generic {name} --from-file={key or 'KEY'}=/dev/stdin"
    if keys is not None and not key:
        return ok("is there")
    return _secret(keys, key, make, f"add the key {key}")


@asks("PRE134", "no Secret to pull images with")
def _pull_secret(namespace: str, name: str, cluster: Cluster) -> Reply:
    """The kubelet pulls model servers' images with the Secrets that `images.pullSecrets` names, in the namespace of the
    deployment. One that is missing is no error to it: it pulls without, and a private registry refuses. Only the names
    of the keys are looked at and shown, never a value.

    Fails:  images.pullSecrets: [ecr] and no such Secret; one without the key .dockerconfigjson.
    Passes: `kubectl create secret docker-registry ecr ...` in the namespace; no pullSecrets.
    """
    make = f"kubectl -n {namespace} create secret docker-registry {name} --docker-server=... --docker-username=..."
    fix = f"make it anew, of the type that has the key {REGISTRY}"
    return _secret(cluster.secret_keys(namespace, name), REGISTRY, make, fix)


@asks("PRE137", "no PriorityClass that pods name")
def _priority_class(name: str, cluster: Cluster) -> Reply:
    """A spec may name a PriorityClass under `pod`, by which large pods preempt small ones. The API server refuses pods
    of a class that is not there, so that a workload has none; only who made it says so, in its events.

    Fails:  `pod: {priorityClassName: serving}` and no such PriorityClass.
    Passes: the same once the class is made; one of Kubernetes' own, such as system-cluster-critical.
    """
    if cluster.one("priorityclasses", name) is not None:
        return ok("is there")
    return missing("no such PriorityClass", f"kubectl create priorityclass {name} --value=1000")


def _secret(keys: dict[str, bool] | None, key: str, make: str, fix: str) -> Reply:
    """Whether a Secret has a value under a key: `make` says how to make one, `fix` what to do with a wrong one."""
    if keys is None:
        return missing("no such Secret", make)
    if keys.get(key):
        return ok(f"key {key}")
    return missing(f"an empty {key}" if key in keys else f"keys: {', '.join(sorted(keys)) or 'none'}", fix)


@asks("PRE132", "a PersistentVolumeClaim that pods cannot mount")
def _claim(plan: Plan, name: str, enough: tuple[str, ...], cluster: Cluster) -> Reply:
    """A model of pvc:// and a cache tier on shared storage come from claims that exist before the deployment. Each
    must be Bound, and pods on several nodes need an access mode for many nodes.

    Fails:  no such claim; one in phase Pending; ReadWriteOnce for pods on two nodes.
    Passes: a Bound claim with ReadWriteMany, as FSx for Lustre and EFS give.
    """
    # `enough` are the access modes of which one must be there, empty where any will do.
    namespace = plan.names.namespace
    found = cluster.one("persistentvolumeclaims", name, namespace)
    if found is None:
        return missing("no such claim", f"make the claim in {namespace} before the deployment")
    phase, kind = found.status.phase or "Pending", found.spec.storage_class_name
    modes = found.status.access_modes or found.spec.access_modes
    says = f"{phase}, {', '.join(modes)}"
    if found.is_leaving:
        return missing(f"{says}, being deleted", "make the claim again once it is gone")
    if phase == "Pending" and kind:
        storage = cluster.one("storageclasses", kind)
        if storage is None:
            fix = f"make the StorageClass {kind}, or a claim of another"
            return missing(f"{says}, no StorageClass {kind}", fix)
        if storage.volume_binding_mode == "WaitForFirstConsumer":
            says, phase = f"{says}: bound with its first pod", "Bound"
    if phase != "Bound":
        return missing(says, f"see `kubectl -n {namespace} describe pvc {name}`")
    alone = modes == ["ReadWriteOncePod"] and sum(role.pods for role in plan.roles) > 1
    if alone or (enough and not any(mode in enough for mode in modes)):
        return short(says, "use a claim with ReadWriteMany, on FSx for Lustre or EFS")
    return ok(says)
