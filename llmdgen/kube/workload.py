"""Objects as the cluster would get them, their pod templates and containers as rules look at them: environment, ports,
probes, mounts, resources, volumes, and the vLLM that a container runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from msgspec import Struct

from llmdgen.engine.argv import ArgumentError, parse
from llmdgen.engine.derived import connectors_in
from llmdgen.engine.flags import flag_table
from llmdgen.findings import Route
from llmdgen.kube.command_line import expanded, served_arguments
from llmdgen.registry import Draft, found
from llmdgen.untyped import at, items, mapping, maps

NIXL = "NixlConnector"
SUPERVISED, SUPERVISOR_PORT = "data-parallel-multi-port-external-lb", "data-parallel-supervisor-port"
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
ROLE_LABEL = "llm-d.ai/role"
SHARED_MEMORY = "/dev/shm"
_GROUP = ("spec", "leaderWorkerTemplate")
_TEMPLATES: dict[str, tuple[tuple[str, ...], ...]] = {
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"), (("spec", "template"),)),
    "LeaderWorkerSet": ((*_GROUP, "workerTemplate"), (*_GROUP, "leaderTemplate")),
    "Pod": ((),),
}
_CLUSTERS = ("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace")
CLUSTER_SCOPED = frozenset((*_CLUSTERS, "GatewayClass", "PersistentVolume", "PriorityClass", "StorageClass"))


class Container:
    """A container of a pod template. `route` leads from the object to it; `release` is the llm-d release's name."""

    def __init__(self, doc: dict[str, Any], workload: Workload, route: Route) -> None:
        self.doc = doc
        self.workload = workload
        self.route = route
        self.release = workload.release

    @property
    def name(self) -> str:
        return str(self.doc.get("name") or "")

    @property
    def image(self) -> str:
        return str(self.doc.get("image") or "")

    def found(self, *inside: str | int, says: str, fix: str, on_key: bool = False) -> Draft:
        return self.workload.found(*self.route, *inside, says=says, fix=fix, on_key=on_key)

    @property
    def is_routing_sidecar(self) -> bool:
        return "routing-sidecar" in self.image or self.name == "routing-proxy"

    def list_of(self, key: str) -> list[dict[str, Any]]:
        """The mappings in a list of the container: env, ports, volumeMounts."""
        return [each for _, each in maps(self.doc.get(key))]

    @cached_property
    def variables(self) -> dict[str, str]:
        """The environment variables whose values are written down, references to earlier ones filled in."""
        known: dict[str, str] = {}
        for each in self.list_of("env"):
            value = each.get("value")
            if isinstance(value, str):
                known[str(each.get("name"))] = expanded(value, known)
            elif value is None and not each.get("valueFrom"):
                known[str(each.get("name"))] = ""  # as the kubelet sets it
        return known

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(str(each.get("name")) for each in self.list_of("env"))

    def sets(self, variable: str) -> str | None:
        """What the container sets a variable to: "" where it comes from elsewhere, None where it is unset."""
        return self.variables.get(variable, "") if variable in self.names else None

    def field_of(self, variable: str) -> str | None:
        """The field of the pod that a variable takes its value from, such as status.podIP."""
        sources = (each.get("valueFrom") for each in self.list_of("env") if each.get("name") == variable)
        field = at(next(sources, None), "fieldRef")
        return str(field.get("fieldPath")) if isinstance(field, dict) else None

    def quantity(self, resource: str, side: str = "limits") -> str | None:
        """The amount of a resource as text, from the limits or the requests."""
        value = at(self.doc, "resources", side, resource)
        return None if value is None else str(value)

    def count(self, resource: str) -> int:
        """How many of a device the container asks for, 0 where it asks for none."""
        amount = self.quantity(resource) or self.quantity(resource, "requests") or "0"
        return int(amount) if amount.isdigit() else 0

    def security(self, key: str) -> Any:
        """What its security context says of the key, else the pod's, None where neither does."""
        own = at(self.doc, "securityContext", key)
        return at(self.workload.spec, "securityContext", key) if own is None else own

    def capabilities(self) -> tuple[str, ...]:
        if at(self.doc, "securityContext", "privileged") is True:
            return ("ALL",)
        return tuple(str(each) for each in items(at(self.doc, "securityContext", "capabilities", "add")))

    def texts(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Every command word, argument and value of the environment, with its path inside the container."""
        for key in ("command", "args"):
            for index, each in enumerate(items(self.doc.get(key))):
                yield (key, index), str(each)
        for index, variable in enumerate(self.list_of("env")):
            if "value" in variable:
                yield ("env", index, "value"), str(variable["value"])

    # --- vLLM

    def arguments(self, variables: Mapping[str, str] | None = None) -> tuple[str, ...] | None:
        """Everything after `vllm serve`, None where the container does not run it.

        `variables` are further ones that the pod would have, such as a LeaderWorkerSet's LWS_WORKER_INDEX.
        """
        command, args = (tuple(map(str, items(self.doc.get(key)))) for key in ("command", "args"))
        return served_arguments(command, args, {**self.variables, **(variables or {})})

    def arguments_at(self, index: int) -> tuple[str, ...]:
        """The same in the pod of that index of a group, empty where it does not run vLLM."""
        size = str(self.workload.size)
        return self.arguments({"LWS_WORKER_INDEX": str(index), "LWS_GROUP_SIZE": size}) or ()

    @cached_property
    def serves(self) -> bool:
        return self.arguments() is not None

    @cached_property
    def _parsed(self) -> tuple[dict[str, Any], tuple[ArgumentError, ...]]:
        arguments = self.arguments({"LWS_WORKER_INDEX": "0", "LWS_GROUP_SIZE": "1"}) or ()
        return parse(arguments, flag_table(self.release))

    @property
    def flags(self) -> dict[str, Any]:
        """vLLM's flags without dashes and their typed values, those left out that its parser would refuse."""
        return self._parsed[0]

    @property
    def refused(self) -> tuple[ArgumentError, ...]:
        """What vLLM's parser would refuse of the arguments."""
        return self._parsed[1]

    def flag_at(self, flag: str, *inside: str | int) -> Route:
        """The place of a flag, or of a key inside its JSON value: by its name, as a script has all in one text."""
        return (*self.route, "args", f"--{flag}", *inside)

    def env_at(self, variable: str) -> Route:
        return (*self.route, "env", variable)

    def size(self, flag: str, default: int) -> int:
        """The value of a flag that holds a number."""
        value = self.flags.get(flag, default)
        if isinstance(value, str) and value.isdigit():
            return int(value)
        return value if isinstance(value, int) else default

    @property
    def port(self) -> int:
        """Where vLLM listens."""
        known = flag_table(self.release).get("port")
        return self.size("port", known.default if known else 0)

    @property
    def served_ports(self) -> tuple[int, ...]:
        """Where requests are answered: on one port, or on one for each data parallel rank below a supervisor."""
        return tuple(range(self.port, self.port + (self.ranks if self.supervisor_port else 1)))

    @property
    def supervisor_port(self) -> int:
        """Where the supervisor of data parallel ranks answers probes, 0 where there is none."""
        return self.size(SUPERVISOR_PORT, 0) if self.flags.get(SUPERVISED) is True else 0

    @property
    def probed_port(self) -> int:
        """Where probes are answered for all of the container."""
        return self.supervisor_port or self.port

    @property
    def ranks(self) -> int:
        """Data parallel ranks of this pod."""
        return self.size("data-parallel-size-local", self.size("data-parallel-size", 1))

    @property
    def gpus(self) -> int:
        """GPUs that the engine of this pod uses: tensor parallel size times the pod's data parallel ranks."""
        return self.size("tensor-parallel-size", 1) * self.size("pipeline-parallel-size", 1) * self.ranks

    @property
    def connectors(self) -> list[Mapping[str, Any]]:
        """The KV connectors of --kv-transfer-config, a MultiConnector's own included."""
        return [each for _, each in self.placed_connectors]

    @property
    def placed_connectors(self) -> list[tuple[Route, Mapping[str, Any]]]:
        """The same with the route of each inside the flag's value."""
        return list(connectors_in(self.flags.get("kv-transfer-config")))

    @property
    def nixl(self) -> Mapping[str, Any] | None:
        return next((each for each in self.connectors if each.get("kv_connector") == NIXL), None)

    @property
    def sidecar_flags(self) -> dict[str, str]:
        """A routing sidecar's flags, which are all written `--name=value` or `--name value`."""
        flags: dict[str, str] = {}
        words = [str(each) for each in items(self.doc.get("args"))]
        for word, following in zip(words, [*words[1:], ""], strict=False):
            if word.startswith("-"):
                name, equals, value = word.lstrip("-").partition("=")
                flags[name] = value if equals else following
        return flags


class Workload:
    """A pod template of an object. A LeaderWorkerSet with a leader template has two of them.

    `release` is the llm-d release whose vLLM it runs; `attached` are by role the EFA interfaces that a node really has,
    where those may be fewer than its type can have.
    """

    def __init__(
        self, manifest: Manifest, route: tuple[str, ...], release: str, attached: Mapping[str, int] | None = None
    ) -> None:
        self.manifest = manifest
        self.route = route
        self.template = mapping(at(manifest.doc, *route))
        self.labels = mapping(at(self.template, "metadata", "labels"))
        self.annotations = mapping(at(self.template, "metadata", "annotations"))
        self.spec = mapping(self.template.get("spec"))
        self.release = release
        self.attached = (attached or {}).get(self.role)

    def __str__(self) -> str:
        return str(self.manifest)

    @property
    def namespace(self) -> str:
        return self.manifest.namespace

    @property
    def is_leader(self) -> bool:
        """Whether this is the template of a LeaderWorkerSet's first pod alone."""
        return self.route[-1:] == ("leaderTemplate",)

    @property
    def size(self) -> int:
        """Pods of one replica: a LeaderWorkerSet's size, 1 elsewhere."""
        size = at(self.manifest.doc, "spec", "leaderWorkerTemplate", "size")
        return size if isinstance(size, int) else 1

    @property
    def replicas(self) -> int:
        replicas = at(self.manifest.doc, "spec", "replicas")
        return replicas if isinstance(replicas, int) else 1

    @property
    def role(self) -> str:
        """prefill, decode or another value of the role label, "" without one."""
        return str(self.labels.get(ROLE_LABEL) or "")

    @property
    def node_selector(self) -> dict[str, Any]:
        return mapping(self.spec.get("nodeSelector"))

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """Every container, those that start first first."""
        return tuple(
            Container(mapping(each), self, (*self.route, "spec", key, index))
            for key in ("initContainers", "containers")
            for index, each in enumerate(items(self.spec.get(key)))
        )

    @cached_property
    def vllm(self) -> Container | None:
        return next((each for each in self.containers if each.serves), None)

    @cached_property
    def sidecar(self) -> Container | None:
        return next((each for each in self.containers if each.is_routing_sidecar), None)

    def found(self, *at: str | int, says: str, fix: str, on_key: bool = False) -> Draft:
        return found(*at, says=says, fix=fix, on_key=on_key, of=self.manifest)

    def in_template(self, *path: str | int) -> tuple[str | int, ...]:
        """The path, inside the object, of a path inside the pod template."""
        return (*self.route, *path)


def workloads(
    manifests: Iterable[Manifest], release: str, attached: Mapping[str, int] | None = None
) -> Iterator[Workload]:
    """Every pod template of the objects."""
    for manifest in manifests:
        for route in _TEMPLATES.get(manifest.kind, ()):
            if isinstance(at(manifest.doc, *route), dict):
                yield Workload(manifest, route, release, attached)


def mounted_at(container: Container, path: str) -> dict[str, Any] | None:
    """The volume on which a path of a container lies, None where it is the container's own file system."""
    mounts = reversed(container.list_of("volumeMounts"))  # of two at one path, the first
    folders = {str(each.get("mountPath") or "").rstrip("/"): each.get("name") for each in mounts}
    above = [folder for folder in folders if path == folder or path.startswith(f"{folder}/")]
    volumes = maps(container.workload.spec.get("volumes")) if above else []
    return next((each for _, each in volumes if each.get("name") == folders[max(above, key=len)]), None)


def limit_of(volume: dict[str, Any]) -> Any:
    """The size limit of an emptyDir, None where it has none or is not an emptyDir."""
    return at(volume, "emptyDir", "sizeLimit")


def image_name(image: str) -> str:
    """An image's name without registry, organisation, tag and digest: llm-d-aws."""
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0]


class Manifest(Struct, frozen=True):
    """An object as the cluster would get it.

    `release` is the Helm release that it belongs to and `order` that release's place in helmfile.yaml, from 1;
    `namespace` is the object's own or its release's, "" for a cluster-scoped kind; `source` the template it comes from.
    """

    release: str
    order: int
    source: str
    api_version: str
    kind: str
    name: str
    namespace: str
    doc: dict[str, Any]

    @property
    def group(self) -> str:
        """The API group, "" for the core group."""
        return self.api_version.rpartition("/")[0]

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"
