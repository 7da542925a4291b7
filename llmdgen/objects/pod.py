"""A role's pod: the PodSpec that a Deployment or a LeaderWorkerSet repeats, its containers, and how vLLM is started."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote
from typing import Any

from llmdgen.composition.contribution import SLOT, EnvVar
from llmdgen.findings import Route
from llmdgen.objects.chart import DEPLOYMENT, pod_labels, present, selector
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.resources import filled

ACTIVE_PORTS = "llm-d.ai/active-ports"  # by which the scheduler knows a pod that has fewer servers than others
NAME = "vllm"
SUPERVISOR = "supervisor"
METRICS_PATH = "/metrics"
PULL_POLICY = "IfNotPresent"  # every image is pinned
SIDECAR = "routing-proxy"
SIDECAR_PORT = "sidecar"
_AFFINITY: Route = ("affinity", "podAffinity")
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
OWN_SECONDS, SHARED_SECONDS = 60, 600  # between two looks at the size of a tier


def pod_template(plan: Plan, role: RolePlan, spec: dict[str, Any]) -> dict[str, Any]:
    """The pod template of a role, with its PodSpec."""
    annotations = dict(plan.platform[plan.spec.asked.platform]["pod_annotations"])
    if role.ranks < len(plan.target_ports):
        annotations[ACTIVE_PORTS] = ",".join(map(str, plan.target_ports[: role.ranks]))
    return {"metadata": present(labels=pod_labels(plan, role.name), annotations=annotations), "spec": spec}


def pod_spec(plan: Plan, role: RolePlan) -> dict[str, Any]:
    """The PodSpec of a role as the plan has it."""
    spread = {"maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"}
    return present(
        serviceAccountName=plan.names.account,
        nodeSelector=role.node_selector,
        tolerations=[dict(each) for each in plan.tolerations],
        affinity=present(podAffinity=_affinity(plan, role)),
        topologySpreadConstraints=(
            [{**spread, **_near(plan.platform["zone_label"], plan, role)}] if plan.mixes(role) else None
        ),
        imagePullSecrets=[{"name": name} for name in plan.images.pull_secrets],
        terminationGracePeriodSeconds=role.life.grace,
        initContainers=[*_directories(plan, role), *_sidecar(plan, role)],
        containers=[_vllm(plan, role)],
        volumes=[{"name": volume.name, **volume.source} for volume in role.volumes],
    )


def comments(plan: Plan, role: RolePlan) -> dict[Route, str]:
    """What a reviewer would ask about in the PodSpec, by its places."""
    container: Route = ("containers", 0)
    found: dict[Route, str] = {
        ("terminationGracePeriodSeconds",): (
            f"Answers go on for {role.life.shutdown or role.life.pre_stop} s once the pod is asked to end."
        ),
        (*container, "startupProbe"): "Weights take long to arrive and to load; until then only this probe runs.",
    }
    if plan.one_zone and not plan.spec.asked.cluster.zone:
        text = "EFA does not leave an availability zone, so every pod of this deployment is in one."
        found[(*_AFFINITY, REQUIRED)] = text
    if plan.mixes(role):
        text = (
            f"Pods of {role.name} fill a node before the next, else a few on every node leave no room for larger ones."
        )
        found[(*_AFFINITY, PREFERRED)] = text
        text = "Without a constraint of its own a pod has the scheduler's default ones, which spread it over nodes."
        found[("topologySpreadConstraints",)] = text
    if role.efa_per_pod:
        text = "EFA registers memory that must not be swapped, and only root's capabilities take effect."
        found[(*container, "securityContext")] = text
    return found


def _affinity(plan: Plan, role: RolePlan) -> dict[str, Any]:
    """All pods of the deployment in one zone, whichever the first is in; those of a role together where the other's are
    of another size."""
    zone, node = plan.platform["zone_label"], "kubernetes.io/hostname"
    same = [_near(zone, plan)] if plan.one_zone and not plan.spec.asked.cluster.zone else []
    near = [{"weight": 100, "podAffinityTerm": _near(node, plan, role)}] if plan.mixes(role) else []
    return present(**{REQUIRED: same, PREFERRED: near})


def _near(topology: str, plan: Plan, role: RolePlan | None = None) -> dict[str, Any]:
    """Near the deployment's pods, or those of one role: as a term of an affinity has it, and a spread constraint."""
    labels = selector(plan, role.name) if role else {DEPLOYMENT: plan.spec.name}
    return {"labelSelector": {"matchLabels": labels}, "topologyKey": topology}


def _vllm(plan: Plan, role: RolePlan) -> dict[str, Any]:
    """The model server: command and arguments, environment, ports, probes, resources, mounts."""
    command, args = list(plan.server.command), [*role.head, *role.arguments]
    if plan.by_script:
        command, args = ["/bin/bash", "-c"], [script(plan, role)]
    as_root = {"runAsUser": 0, "runAsGroup": 0, "capabilities": {"add": ["IPC_LOCK"]}}
    return present(
        name=NAME,
        image=plan.images.model_server,
        imagePullPolicy=PULL_POLICY,
        command=command,
        args=args,
        env=[_environment(variable) for variable in role.env],
        ports=_ports(plan, role),
        **_probes(role),
        resources=_resources(plan, role),
        # Where a volume has a directory for each pod, the container has that alone.
        volumeMounts=[
            present(name=each.name, mountPath=each.mount_path, subPathExpr=each.own_directory, readOnly=each.read_only)
            for each in role.volumes
        ],
        # The scheduler and the gateway see that a pod ends a moment later than the pod itself.
        lifecycle={"preStop": {"exec": {"command": ["sleep", str(role.life.pre_stop)]}}},
        securityContext=as_root if role.efa_per_pod else None,
    )


def _environment(variable: EnvVar) -> dict[str, Any]:
    """An environment variable as Kubernetes has it."""
    if variable.field:
        return {"name": variable.name, "valueFrom": {"fieldRef": {"fieldPath": variable.field}}}
    if variable.secret:
        return {"name": variable.name, "valueFrom": {"secretKeyRef": {"name": variable.secret, "key": variable.name}}}
    return {"name": variable.name, "value": variable.value}


def _ports(plan: Plan, role: RolePlan) -> list[dict[str, Any]]:
    found = [_port(rank_name(NAME, rank), role.port + rank) for rank in range(role.ranks)]
    if role.probed_port:
        found.append(_port(SUPERVISOR, role.probed_port))
    if plan.transfers:
        found.append(_port("nixl", plan.engine["ports"]["nixl"]))
    if plan.scheduler.kv_events_port and plan.scheduler.kv_events_listener == "engine":
        found.append(_port("kv-events", plan.scheduler.kv_events_port))
    return found


def _port(name: str, number: int) -> dict[str, Any]:
    """A port of a container."""
    return {"name": name, "containerPort": number, "protocol": "TCP"}


def rank_name(name: str, rank: int) -> str:
    """The name of a rank's port: the first rank's is the name itself, so that one rank and several are found alike."""
    return f"{name}-rank{rank}" if rank else name


def _probes(role: RolePlan) -> dict[str, Any]:
    """vLLM answers for itself; where a supervisor starts one server for each rank, it answers for all of them."""
    asked, path, ready = (SUPERVISOR, "/health", "/readyz") if role.probed_port else (NAME, "/v1/models", "/v1/models")
    startup = _asks(asked, path, 30, 5, failures=max(1, -(-role.life.startup // 30)))
    return {
        "startupProbe": startup | {"initialDelaySeconds": 15},
        "livenessProbe": _asks(asked, "/health", 10, 5, failures=3),
        "readinessProbe": _asks(asked, ready, 5, 2, failures=3),
    }


def _asks(port: str, path: str, period: int, timeout: int, *, failures: int) -> dict[str, Any]:
    """A probe by HTTP; period and timeout in seconds."""
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
    }


def _resources(plan: Plan, role: RolePlan) -> dict[str, Any]:
    """Requests equal limits: a model server that shares its cores stalls all GPUs of its group. Of the node's disk only
    what is downloaded is requested; the volume that takes it has the limit."""
    amounts = {"cpu": role.cpu, "memory": role.memory, plan.platform["gpu_resource"]: str(role.size.gpus_per_pod)}
    if role.efa_per_pod:
        amounts[plan.platform["efa_resource"]] = str(role.efa_per_pod)
    disk = {"ephemeral-storage": role.storage} if role.storage else {}
    return {"limits": amounts, "requests": amounts | disk}


def _directories(plan: Plan, role: RolePlan) -> Iterator[dict[str, Any]]:
    """Makes the deployment's directory on host and shared volumes, which arrive owned by root, for the user that vLLM
    runs as. An EFS access point has one owner for all that is in it and refuses to change it, which does no harm.

    That user is root where EFA registers memory, because a capability that a container adds is not effective for any
    other (https://github.com/kubernetes/kubernetes/issues/56374).
    """
    owned = [volume for volume in role.volumes if volume.own_directory]
    script = filled("directories.sh", {"user": "0" if role.efa_per_pod else str(plan.server.user_id)})
    folders = [f"{volume.mount_path}/{volume.own_directory}" for volume in owned]
    if owned:
        yield {
            "name": "kv-cache-directories",
            "image": plan.images.model_server,
            "imagePullPolicy": PULL_POLICY,
            "command": ["/bin/sh", "-c", f"{script}\n", "sh", *folders],
            "securityContext": {"runAsUser": 0},
            "volumeMounts": [{"name": volume.name, "mountPath": volume.mount_path} for volume in owned],
        }


def _sidecar(plan: Plan, role: RolePlan) -> Iterator[dict[str, Any]]:
    """Takes requests on the pool's port, asks a prefill server first, then decode's own vLLM. As an init container that
    restarts always it is there before vLLM is and stops after it."""
    if plan.sidecar and role.name == "decode":
        yield {
            "name": SIDECAR,
            "image": plan.images.sidecar,
            "imagePullPolicy": PULL_POLICY,
            "restartPolicy": "Always",
            "args": list(plan.sidecar),
            "ports": [_port(rank_name(SIDECAR_PORT, rank), plan.target_ports[rank]) for rank in range(role.ranks)],
            "resources": {"requests": dict(plan.engine["sidecar"]["requests"])},
            "securityContext": {"allowPrivilegeEscalation": False, "runAsNonRoot": True},
        }


def script(plan: Plan, role: RolePlan) -> str:
    """templates/serve.sh: starts vLLM with every argument quoted; a pod of several serves its own ranks.

    A pod takes a directory of the node's disk that no other holds, and empties it. The lock is vLLM's as long as it
    runs, so that no file is ever removed under an engine, and what dead pods left is used up by the next.
    """
    shared = next((each for each in role.volumes if each.slots), None)
    values = {
        "libraries": " ".join(map(quote, plan.server.library_path)),
        "slots": " ".join(map(str, range(max(1, role.node.gpus)))) if shared else "",
        "disk": shared.mount_path if shared else "",
        "taken": SLOT,
        "keepers": "\n".join(_keepers(role)),
        "ranks": str(role.size.data_local) if role.size.workers > 1 else "",
        "serve": " \\\n".join(_serve(role)),
    }
    return filled("serve.sh", values, between="\n\n") + "\n"


def _serve(role: RolePlan) -> Iterator[str]:
    """The command that becomes vLLM, an argument a line."""
    model, *flags = role.head
    yield f"exec vllm serve {quote(model)}"
    yield from (f"  {quote(flag)} {quote(value)}" for flag, value in zip(flags[::2], flags[1::2], strict=True))
    if role.size.workers > 1:
        yield '  --data-parallel-address="$LWS_LEADER_ADDRESS"'
        yield '  --data-parallel-start-rank="$start_rank"'
    yield from (f"  {quote(argument)}" for argument in role.arguments)


def _keepers(role: RolePlan) -> Iterator[str]:
    """Keep files that the engine never evicts to a size, until the container ends. What pods share is looked at less
    often, because each of them looks."""
    for volume in role.volumes:
        if volume.keeps:
            folder, seconds = (f"{SLOT}/", OWN_SECONDS) if volume.slots else (volume.mount_path, SHARED_SECONDS)
            yield f"keep_to {volume.keeps[role.name]} {folder} {seconds} &"
