"""Containers in themselves: environment, ports, probes, volumes, and what they refer to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from llmdgen.kube.container import PROBES
from llmdgen.kube.workload import Workload
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, items, mapping
from llmdgen.verify.rendered import Rendered


@rule("VER010", "error", "an environment variable stands twice in a container")
def environment_names_are_unique(rendered: Rendered) -> Iterator[Draft]:
    """Server-side apply refuses a list of variables with two of one name; client-side apply keeps one of them.

    The modelservice chart already sets DP_SIZE, TP_SIZE, DP_SIZE_LOCAL, HF_HOME and HF_TOKEN.

    Fails:  HF_HOME in `decode.containers[].env` beside a model volume of an hf:// model.
    Passes: every name once.
    """
    for workload in rendered.workloads:
        for container in workload.containers:
            counts = Counter(str(each.get("name")) for each in container.list_of("env"))
            for name in (name for name, count in counts.items() if count > 1):
                yield found(
                    *container.route,
                    "env",
                    says=f"container {container.name} has {name} {counts[name]} times",
                    fix=f"remove {name} from the container's own env: the chart sets it, or it is listed twice",
                    of=workload.manifest,
                )


@rule("VER011", "error", "two ports of a pod have one number or name")
def ports_are_unique(rendered: Rendered) -> Iterator[Draft]:
    """All containers of a pod share one network address: two that listen on one port fight for it, and a port's name
    leads probes and monitors to one place only.

    Fails:  the routing sidecar and vLLM both on containerPort 8000.
    Passes: sidecar 8000, vLLM 8200.
    """
    for workload in rendered.workloads:
        numbers: dict[tuple[object, object], str] = {}
        names: dict[str, str] = {}
        for container in workload.containers:
            for index, port in enumerate(container.list_of("ports")):
                number = (port.get("containerPort"), port.get("protocol") or "TCP")
                name = port.get("name")
                place = (*container.route, "ports", index)
                if number in numbers:
                    yield found(
                        *place,
                        says=f"port {number[0]} of container {container.name} is also {numbers[number]}'s",
                        fix="give each container of the pod a port of its own",
                        of=workload.manifest,
                    )
                if isinstance(name, str) and name in names:
                    yield found(
                        *place,
                        says=f"port name {name} of container {container.name} is also {names[name]}'s",
                        fix="name the ports apart",
                        of=workload.manifest,
                    )
                numbers.setdefault(number, container.name)
                if isinstance(name, str):
                    names.setdefault(name, container.name)


@rule("VER012", "error", "a probe asks a port that the container does not have")
def probes_reach_a_port(rendered: Rendered) -> Iterator[Draft]:
    """A probe that names a port which its container does not declare never succeeds, so that the pod never gets ready
    or is killed again and again. A number that it does not declare is most often a typing error of the same kind.

    Fails:  `readinessProbe.httpGet.port: vllm` in a container whose port is called http.
    Passes: the probe names a port of the same container.
    """
    for workload in rendered.workloads:
        for container in workload.containers:
            ports = container.list_of("ports")
            known = {each.get("name") for each in ports} | {each.get("containerPort") for each in ports}
            for probe in PROBES:
                for kind in ("httpGet", "tcpSocket", "grpc"):
                    port = at(container.doc, probe, kind, "port")
                    if port is not None and port not in known:
                        yield found(
                            *container.route,
                            probe,
                            kind,
                            "port",
                            says=f"container {container.name} has no port {port}",
                            fix=f"use one of {', '.join(sorted(str(each) for each in known if each)) or 'its ports'}",
                            of=workload.manifest,
                        )


@rule("VER013", "error", "a volume mount has no volume")
def mounts_have_volumes(rendered: Rendered) -> Iterator[Draft]:
    """The API server refuses a pod template whose container mounts a volume that the pod does not have, and one whose
    two mounts share a path.

    Fails:  volumeMounts shm without a volume shm.
    Passes: every mount names a volume of the pod, every path is used once.
    """
    for workload in rendered.workloads:
        volumes = {mapping(each).get("name") for each in items(workload.spec.get("volumes"))}
        for container in workload.containers:
            paths: set[object] = set()
            for index, mount in enumerate(container.list_of("volumeMounts")):
                place = (*container.route, "volumeMounts", index)
                if mount.get("name") not in volumes:
                    yield found(
                        *place,
                        says=f"container {container.name} mounts {mount.get('name')}, which is no volume of the pod",
                        fix=f"add the volume {mount.get('name')} to the role's volumes",
                        of=workload.manifest,
                    )
                if mount.get("mountPath") in paths:
                    yield found(
                        *place,
                        says=f"container {container.name} mounts two volumes at {mount.get('mountPath')}",
                        fix="mount each volume at a path of its own",
                        of=workload.manifest,
                    )
                paths.add(mount.get("mountPath"))


@rule("VER014", "error", "a pod refers to an object that is not there")
def references_exist(rendered: Rendered) -> Iterator[Draft]:
    """A pod whose ConfigMap or ServiceAccount is missing is never created or never starts. Secrets and volume claims
    are the user's own and not looked for here; `llmdgen preflight` asks the cluster for them.

    Fails:  a volume from ConfigMap lmcache-config that no release makes.
    Passes: the plugins' ConfigMap, which the inferencepool chart makes.
    """
    for workload in rendered.workloads:
        for path, kind, name, optional in _references(workload):
            if name and not optional and rendered.find(kind, name, workload.namespace) is None:
                if kind == "ServiceAccount" and name == "default":
                    continue
                yield found(
                    *path,
                    says=f"no release makes {kind} {name} in namespace {workload.namespace}",
                    fix=f"add the {kind} to extraObjects, or name one that is there",
                    of=workload.manifest,
                )


def _references(workload: Workload) -> Iterator[tuple[tuple[str | int, ...], str, str, bool]]:
    """The path, kind, name and optional mark of every object of the namespace that a pod cannot start without."""
    spec = workload.in_template("spec")
    yield (*spec, "serviceAccountName"), "ServiceAccount", str(workload.spec.get("serviceAccountName") or ""), False
    for index, volume in enumerate(items(workload.spec.get("volumes"))):
        source = mapping(at(volume, "configMap"))
        yield (*spec, "volumes", index), "ConfigMap", str(source.get("name") or ""), source.get("optional") is True
    for container in workload.containers:
        for index, each in enumerate(container.list_of("envFrom")):
            source = mapping(each.get("configMapRef"))
            place = (*container.route, "envFrom", index)
            yield place, "ConfigMap", str(source.get("name") or ""), source.get("optional") is True
        for index, each in enumerate(container.list_of("env")):
            source = mapping(at(each, "valueFrom", "configMapKeyRef"))
            place = (*container.route, "env", index)
            yield place, "ConfigMap", str(source.get("name") or ""), source.get("optional") is True
