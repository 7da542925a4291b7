"""The plan: everything that is decided about one deployment on one choice of hardware.

A plan has finished thinking. Whoever renders it adds, multiplies and decides nothing; whoever checks it finds every
number that the decision rests on.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from llmdgen.composition.contribution import Connector, EnvVar, Tier, Volume
from llmdgen.composition.names import Names, RoleName
from llmdgen.engine.memory import Memory
from llmdgen.engine.size import Size
from llmdgen.facts.types import Instance, ModelFacts, ModelServer, Release
from llmdgen.findings import Route
from llmdgen.kube.room import Need, most_blocked
from llmdgen.planning.launch import Lifecycle
from llmdgen.spec.model import Spec

AUTO_MODE = "eks.amazonaws.com/nlb"  # the load balancer class of EKS Auto Mode


class Node(Struct, frozen=True, kw_only=True):
    """One node of a role's hardware, its label, and what pods may request on it while it is empty."""

    instance: Instance
    label: str
    room: Need

    @property
    def gpus(self) -> int:
        return self.room.gpus

    @property
    def efa(self) -> int:
        return self.room.efa


class RolePlan(Struct, frozen=True, kw_only=True):
    """One role: prefill or decode.

    `need` is what one pod asks of its node, and `storage` its disk that the download fills, None without one.
    `pods_per_node` is how many of its pods fit on an empty node, `nodes` how many nodes they need alone;
    `efa_per_pod` is 0 where nothing crosses pods. vLLM serves on `ranks` ports from `port` on, and answers probes on
    `probed_port`, None where that is `port`. `head` is what stands first after `vllm serve` (model, port, sizes, served
    name), `arguments` are the flags behind it, and `flags` the same as values.
    `flag_routes` leads from a flag to its place in the spec; `removed` are the path's flags that the spec leaves out.
    """

    name: RoleName
    size: Size
    node: Node
    efa_per_pod: int
    efa_share: int
    cpu: str
    memory: str
    shm: str
    need: Need
    storage: str | None
    pods: int
    pods_per_node: int
    nodes: int
    limited_by: str
    port: int
    life: Lifecycle
    ranks: int
    probed_port: int | None
    flags: dict[str, Any]
    head: tuple[str, ...]
    arguments: tuple[str, ...]
    env: tuple[EnvVar, ...]
    volumes: tuple[Volume, ...]
    node_selector: dict[str, str]
    memory_use: Memory | None
    block_size: int
    flag_routes: dict[str, Route]
    env_routes: dict[str, Route]
    removed: frozenset[str] = frozenset()

    def flag_at(self, name: str) -> Route:
        """The place of a vLLM flag in the spec, the role's arguments where nothing sets it."""
        return self.flag_routes.get(name, ("spec", self.name, "args"))


class Images(Struct, frozen=True, kw_only=True):
    """Every image of a deployment, by reference. `tokenizer` is None where the release has no such container."""

    model_server: str
    scheduler: str
    sidecar: str
    tokenizer: str | None
    pull_secrets: tuple[str, ...] = ()


class SchedulerPlan(Struct, frozen=True, kw_only=True):
    """The endpoint picker: its EndpointPickerConfig, and what belongs around it.

    `digest` changes with the configuration; `scorers` are its scorers' weights. `tokenizer` asks for the sidecar that
    tokenizes, `render_service` names the Service of the model servers' render endpoint, None where nothing tokenizes
    there. KV events go over `kv_events_port`, None without them; `kv_events_listener` says on whose side it is open.
    `notes` is what a reviewer has to know of the configuration's numbers.
    """

    replicas: int
    config: dict[str, Any]
    digest: str
    scorers: dict[str, int | float]
    tokenizer: bool
    render_service: str | None
    kv_events_port: int | None
    kv_events_listener: Literal["scheduler", "engine"]
    notes: tuple[str, ...]


class GatewayPlan(Struct, frozen=True, kw_only=True):
    """The Gateway. `settings` are its provider's in gateways.toml; `annotations` and `balancer_class` its Service's."""

    provider: str
    settings: dict[str, Any]
    service_type: str
    annotations: dict[str, str]
    balancer_class: str | None

    @property
    def needs_controller(self) -> bool:
        """Whether the AWS Load Balancer Controller makes the load balancer."""
        return self.service_type == "LoadBalancer" and self.balancer_class != AUTO_MODE


class Pool(Struct, frozen=True, kw_only=True):
    """Nodes of one instance type and how the roles' pods share them."""

    instance: str
    roles: tuple[RoleName, ...]
    nodes: int
    gpus_used: int
    gpus: int
    efa_used: int
    efa: int


class Plan(Struct, frozen=True, kw_only=True):
    """A deployment, decided. `target` names its output directory below rendered/<name>/; `own_tolerations` are the
    spec's, which `tolerations` hold too; `notes` is what the paths want a reviewer to know. `most` are bounds of vLLM
    flags without which its own defaults would not start; `sidecar` is what decode's routing sidecar is started with."""

    spec: Spec
    target: str
    instance_type: str
    release: Release
    model: ModelFacts | None
    model_uri: str
    model_size: str | None
    paths: tuple[str, ...]
    titles: tuple[str, ...]
    names: Names
    labels: dict[str, str]
    roles: tuple[RolePlan, ...]
    pools: tuple[Pool, ...]
    connectors: tuple[Connector, ...]
    tiers: tuple[Tier, ...]
    images: Images
    server: ModelServer
    sidecar: tuple[str, ...] | None
    by_script: bool
    one_zone: bool
    scheduler: SchedulerPlan
    gateway: GatewayPlan
    tolerations: tuple[dict[str, Any], ...]
    own_tolerations: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    most: dict[str, int]
    precise: dict[str, Any]
    engine: dict[str, Any]
    platform: dict[str, Any]

    def role(self, name: RoleName) -> RolePlan | None:
        return next((role for role in self.roles if role.name == name), None)

    @property
    def multinode(self) -> bool:
        """Whether one server spreads over several pods."""
        return any(role.size.workers > 1 for role in self.roles)

    def spare(self, role: RolePlan) -> bool:
        """Whether one more server of a role surely finds room on the planned nodes.

        Others on them may start one more meanwhile: those of smaller pods, and those of larger ones that have the room.
        """
        pool = next(each for each in self.pools if role.name in each.roles)
        others = [each for each in self.roles if each.name in pool.roles and each is not role]
        more = [each for each in others if each.need.gpus <= role.need.gpus or self.spare(each)]
        taken = [(each.need, each.pods + each.size.workers * (each in more)) for each in others]
        taken.append((role.need, role.pods + role.size.workers - 1))
        return most_blocked(role.need, taken, role.node.room) < pool.nodes

    def mixes(self, role: RolePlan) -> bool:
        """Whether pods of another size may land on a role's nodes."""
        sizes = {each.need.gpus for each in self.roles if each.node.label == role.node.label}
        return len(sizes) > 1

    @property
    def target_ports(self) -> tuple[int, ...]:
        """The ports of a pod to which the pool sends requests: one for each server in it."""
        first: int = self.engine["ports"]["service"]
        return tuple(range(first, first + max(role.ranks for role in self.roles)))

    @property
    def transfers(self) -> bool:
        """Whether KV caches travel between pods."""
        return any(connector.name == "NixlConnector" for connector in self.connectors)

    @property
    def disaggregated(self) -> bool:
        """Whether prompts are computed by servers of their own."""
        return self.role("prefill") is not None
