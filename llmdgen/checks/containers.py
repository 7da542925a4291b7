"""Containers in themselves: environment, ports, probes, volumes and what must lie on them, and their users."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from llmdgen.kube.command_line import references
from llmdgen.kube.servers import Engine, Servers
from llmdgen.kube.workload import PROBES, SHARED_MEMORY, Container, Workload, image_name, limit_of, mounted_at
from llmdgen.quantities import GIB, bytes_or_none
from llmdgen.registry import Draft, rule
from llmdgen.untyped import at, items, mapping

# Kubernetes takes any printable ASCII but = as a variable's name, a shell only this.
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
SECRET_FIX = "let the program read the variable itself, or keep the whole text in a Secret and use valueFrom"
# Directories of every image without which nothing in it starts.
_OF_THE_IMAGE = ("/", "/bin", "/dev", "/etc", "/lib", "/lib64", "/opt", "/proc", "/sbin", "/sys", "/usr")
_CACHE_DIRECTORY = re.compile(r"(CACHE\w*|HF_HOME|WORKSPACE_BASE|CCACHE_DIR)$")


@rule("VER010", "error", "an environment variable stands twice in a container")
def environment_names_are_unique(container: Container) -> Iterator[Draft]:
    """Server-side apply refuses a list of variables with two of one name; client-side apply keeps one of them.

    Fails:  HF_HOME twice in the env of one container.
    Passes: every name once.
    """
    for name, count in Counter(container.names).items():
        if count > 1:
            says = f"container {container.name} has {name} {count} times"
            yield container.found("env", says=says, fix=f"keep one {name}")


@rule("VER011", "error", "two ports of a pod have one number or name")
def ports_are_unique(workload: Workload) -> Iterator[Draft]:
    """All containers of a pod share one network address: two that listen on one port fight for it, and a port's name
    leads probes and monitors to one place only.

    Fails:  `{path: pd-disaggregation, decode: {pod: {initContainers: [{name: routing-proxy, ports: [{containerPort:
            8200}]}]}}}`.
    Passes: `{path: pd-disaggregation}`.
    """
    owners: dict[object, str] = {}
    for container in workload.containers:
        for index, port in enumerate(container.list_of("ports")):
            number, name = (str(port.get("containerPort")), str(port.get("protocol") or "TCP")), str(port.get("name"))
            if number in owners:
                says = f"port {number[0]} of container {container.name} is also {owners[number]}'s"
                yield container.found("ports", index, says=says, fix="give each container of the pod a port of its own")
            if "name" in port and name in owners:
                says = f"port name {name} of container {container.name} is also {owners[name]}'s"
                yield container.found("ports", index, says=says, fix="name the ports apart")
            owners = {number: container.name, name: container.name} | owners


@rule("VER012", "error", "a probe asks a port that the container does not have")
def probes_reach_a_port(container: Container) -> Iterator[Draft]:
    """A probe that names a port which its container does not declare never succeeds, so that the pod never gets ready
    or is killed again and again. A number that it does not declare is most often a typing error of the same kind.

    Fails:  `{decode: {pod: {containers: [{name: vllm, readinessProbe: {httpGet: {port: web}}}]}}}`.
    Passes: `{decode: {pod: {containers: [{name: vllm, readinessProbe: {httpGet: {port: vllm}}}]}}}`.
    """
    ports = container.list_of("ports")
    known = [each.get(key) for each in ports for key in ("name", "containerPort")]
    for probe in PROBES:
        for kind in ("httpGet", "tcpSocket", "grpc"):
            port = at(container.doc, probe, kind, "port")
            if port is not None and port not in known:
                says = f"container {container.name} has no port {port}"
                fix = f"use one of {', '.join(sorted({str(each) for each in known if each})) or 'its ports'}"
                yield container.found(probe, kind, "port", says=says, fix=fix)


@rule("VER013", "error", "a volume mount has no volume")
def mounts_have_volumes(workload: Workload) -> Iterator[Draft]:
    """The API server refuses a container that mounts a volume which the pod does not have, or two at one path.

    Fails:  `{decode: {pod: {containers: [{name: vllm, volumeMounts: [{name: logs, mountPath: /logs}]}]}}}`.
    Passes: `{decode: {pod: {volumes: [{name: logs, emptyDir: {}}], containers: [{name: vllm, volumeMounts: [{name:
            logs, mountPath: /logs}]}]}}}`.
    """
    volumes = [mapping(each).get("name") for each in items(workload.spec.get("volumes"))]
    for container in workload.containers:
        paths: list[object] = []
        for index, mount in enumerate(container.list_of("volumeMounts")):
            name, path = mount.get("name"), mount.get("mountPath")
            if name not in volumes:
                says = f"container {container.name} mounts {name}, which is not a volume of the pod"
                yield container.found("volumeMounts", index, says=says, fix=f"add the volume {name} to the pod")
            if path in paths:
                says = f"container {container.name} mounts two volumes at {path}"
                yield container.found("volumeMounts", index, says=says, fix="mount each volume at a path of its own")
            paths.append(path)


@rule("VER103", "error", "a volume hides what the image needs")
def volumes_hide_nothing(container: Container) -> Iterator[Draft]:
    """A volume covers what the image has at its path. An empty one at / or /usr leaves nothing to start, and the
    container ends before its first line of output.

    Fails:  `{decode: {pod: {containers: [{name: vllm, volumeMounts: [{name: caches, mountPath: /usr}]}]}}}`.
    Passes: `{decode: {pod: {containers: [{name: vllm, volumeMounts: [{name: caches, mountPath: /more}]}]}}}`.
    """
    for index, mount in enumerate(container.list_of("volumeMounts")):
        path = str(mount.get("mountPath") or "")
        if path and (path.rstrip("/") or "/") in _OF_THE_IMAGE:
            says, fix = f"{mount.get('name')} would cover the image's own {path}", "mount it at a directory of its own"
            yield container.found("volumeMounts", index, "mountPath", says=says, fix=fix)


@rule("VER106", "error", "an environment variable has no name that Kubernetes takes")
def variables_have_names(container: Container) -> Iterator[Draft]:
    """The API server refuses a container whose variable has no name, or one with = or a space in it.

    Fails:  `{decode: {pod: {containers: [{name: vllm, env: [{name: FI_PROVIDER=efa}]}]}}}`.
    Passes: `{decode: {pod: {containers: [{name: vllm, env: [{name: LOG, value: debug}]}]}}}`.
    """
    for index, name in enumerate(container.names):
        if not _VARIABLE.fullmatch(name) or name == "None":
            says = f"it is {name!r}" if name not in ("", "None") else "it has none"
            yield container.found("env", index, "name", says=says, fix="write letters, digits and _ only")


@rule("K8S005", "warning", "a reference to a variable that is not defined there")
def references_are_defined(vllm: Engine) -> Iterator[Draft]:
    """Kubernetes replaces $(NAME) in a variable only by one that stands before it, and in an argument by any of the
    container. Where there is none, the text stays as it is, and vLLM reads a literal $(NAME). $$(NAME) is meant so.

    Fails:  `{decode: {env: {CACHE_DIR: /cache/$(POD_UID)}}}`.
    Passes: `{decode: {env: {CACHE_DIR: /cache/shared}}}`; $(POD_IP) where a path defines it.
    """
    before: set[str] = set()
    for variable in vllm.list_of("env"):
        name = str(variable.get("name"))
        for missing in sorted(references(variable.get("value")) - before):
            says = f"{name} refers to $({missing}), which is not defined before it"
            fix = f"write $$({missing}) for the text itself, or define {missing}"
            yield vllm.found("env", name, says=says, fix=fix)
        before.add(name)
    for inside, text in vllm.texts():
        for missing in sorted(references(text) - before) if inside[0] == "args" else ():
            says = f"{text.partition('=')[0][:60]} refers to $({missing}), which no variable of the container is called"
            fix = f"define {missing} in env, or write $$({missing}) for the text itself"
            yield vllm.found(*inside, says=says, fix=fix)


@rule("POD002", "error", "a secret that a reference takes out of its place")
def no_reference_to_a_secret(container: Container) -> Iterator[Draft]:
    """Kubernetes fills in $(NAME) in a command, an argument and a variable, also where NAME comes from a Secret. vLLM
    logs its arguments, everybody on the node reads them in the list of processes, and in a URL or the name of a model
    the secret leaves the pod with a request. A program that needs a secret reads the variable itself.

    Fails:  `{decode: {args: {chat-template: "/t/$(HF_TOKEN)"}}, model: {authSecretName: llm-d-hf-token}}`;
            `{decode: {env: {OTEL_EXPORTER_OTLP_ENDPOINT: "http://x/$(HF_TOKEN)"}}, model: {authSecretName: a}}`.
    Passes: `{decode: {env: {CACHE_DIR: "/cache/$(VLLM_CACHE)"}}}`; the variable HF_TOKEN, read by the program.
    """
    kept = {str(each.get("name")) for each in container.list_of("env") if at(each, "valueFrom", "secretKeyRef")}
    # What whole Secrets bring is not known here: any variable that nothing else brings may be of one of them.
    is_open = any(each.get("secretRef") for each in container.list_of("envFrom"))
    for inside, text in container.texts():
        for name in sorted(references(text)):
            if name in kept or (is_open and name not in container.names):
                says = f"$({name}) would write a secret into container {container.name}'s {inside[0]}"
                yield container.found(*inside, says=says, fix=SECRET_FIX)


@rule("POD001", "error", "a container that must not be root is root")
def nobody_is_root_against_its_will(workload: Workload) -> Iterator[Draft]:
    """The kubelet does not start a container with runAsNonRoot whose user is 0, as the routing sidecar's would be where
    the whole pod is told to run as root. Where vLLM alone has to be root, its container says so.

    Fails:  `{path: pd-disaggregation, decode: {pod: {securityContext: {runAsUser: 0}}}}`.
    Passes: `{path: pd-disaggregation, decode: {pod: {containers: [{name: vllm, securityContext: {runAsUser: 0}}]}}}`.
    """
    for container in workload.containers:
        own = at(container.doc, "securityContext", "runAsUser")
        if container.security("runAsUser") == 0 and container.security("runAsNonRoot") is True:
            place = workload.in_template("spec") if own is None else container.route
            says = f"container {container.name} is told to run as root and not to: the kubelet does not start it"
            fix = "set runAsUser: 0 in the securityContext of the vllm container alone"
            yield workload.found(*place, "securityContext", "runAsUser", says=says, fix=fix)


@rule("VER052", "error", "a model server has no shared memory")
def shared_memory_is_there(vllm: Engine) -> Iterator[Draft]:
    """vLLM's processes and NCCL talk through /dev/shm, of which a container has 64 MiB unless a volume lies there: with
    several GPUs they die of a bus error. A volume that is not in memory makes the same exchange go through a disk.

    Fails:  `{decode: {pod: {containers: [{name: vllm, volumeMounts: [{mountPath: /dev/shm, $patch: delete}]}]}}}`; an
            emptyDir without medium: Memory.
    Passes: `{decode: {resources: {shm: 32Gi}}}`.
    """
    volume = mounted_at(vllm, SHARED_MEMORY)
    if volume is None or at(volume, "emptyDir", "medium") != "Memory":
        what = "lies on a volume that is not in memory" if volume else "is the container's own, of 64 MiB"
        fix = f"mount an emptyDir of medium Memory at {SHARED_MEMORY}"
        yield vllm.found("volumeMounts", says=f"{SHARED_MEMORY} {what}", fix=fix)


@rule("VER053", "error", "a cache directory lies on no volume")
def caches_lie_on_volumes(servers: Servers) -> Iterator[Draft]:
    """An image keeps weights and compiled kernels in the container's own file system unless variables say otherwise:
    they fill the node's root disk, are made again after each crash, and a user who owns no directory stops at the first
    of them. The release's facts name the variables of each of its images.

    Fails:  `{decode: {env: {TRITON_CACHE_DIR: /triton}}}`, which lies on no volume.
    Passes: `{decode: {env: {TRITON_CACHE_DIR: /caches/triton}}}`.
    """
    for vllm in servers.engines:
        variants = servers.release.model_servers.values()
        image = next((each for each in variants if image_name(each.image) == image_name(vllm.image)), None)
        if image is None:
            continue
        for name in image.caches:
            if name not in vllm.names:
                says = f"{name} is not set, and the image would write to the container's own layer"
                yield vllm.found("env", name, says=says, fix=f"set {name} to a mounted path")
        for name, path in vllm.variables.items():
            is_cache = name in image.caches or _CACHE_DIRECTORY.search(name)
            if is_cache and path.startswith("/") and mounted_at(vllm, path.rstrip("/")) is None:
                fix = f"mount an emptyDir at {path}"
                yield vllm.found("env", name, says=f"{path} ({name}) lies on no volume", fix=fix)


@rule("MOD013", "error", "a model volume smaller than the weights")
def weights_fit_the_volume(servers: Servers) -> Iterator[Draft]:
    """Each pod downloads the weights into its model volume, and the kubelet evicts a pod that fills it beyond its size,
    here after most of the weights were fetched, and again and again.

    Fails:  `{model: {name: openai/gpt-oss-120b, size: 50Gi}}`, which has 61 GiB.
    Passes: `{model: {name: openai/gpt-oss-120b, size: 250Gi}}`; `{model: {name: openai/gpt-oss-120b}}`.
    """
    model = servers.model
    for vllm in servers.engines:
        home = vllm.variables.get("HF_HOME")
        volume = mounted_at(vllm, home.rstrip("/")) if home else None
        size = bytes_or_none(limit_of(volume)) if volume else None
        if model is None or volume is None or not size or size >= model.weight_bytes:
            continue
        asked, enough = limit_of(volume), -(-model.weight_bytes * 5 // 4 // (10 * GIB)) * 10
        place = vllm.workload.in_template("spec", "volumes", items(vllm.workload.spec.get("volumes")).index(volume))
        says = f"the weights of {model.id} are {model.weight_bytes / GIB:.1f} GiB, the volume is {asked}"
        yield vllm.workload.found(*place, says=says, fix=f"remove size, or set size: {enough}Gi")
