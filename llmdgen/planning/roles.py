"""One role's part of the plan: size, resources, flags, environment and what vLLM will really be started with."""

from __future__ import annotations

from typing import Any

from llmdgen.composition.contribution import Connector, EnvVar, Shape, Situation, Volume, variables
from llmdgen.composition.fold import Folded
from llmdgen.composition.names import RoleName
from llmdgen.engine.argv import arguments
from llmdgen.engine.derived import EXTRA, MULTI
from llmdgen.engine.flags import flag_table
from llmdgen.engine.memory import memory
from llmdgen.engine.numbers import whole
from llmdgen.engine.size import Size
from llmdgen.facts.types import Instance
from llmdgen.findings import Route
from llmdgen.kube.node import room_on
from llmdgen.kube.room import Need, efa_share, fitting
from llmdgen.planning.launch import head, lifecycle, rank_flags
from llmdgen.planning.model import Node, RolePlan
from llmdgen.planning.placement import node_selector
from llmdgen.planning.source import argument, hub_environment, volume_size, weights
from llmdgen.quantities import MIB, cpu_text, mib_text, to_bytes, to_millis
from llmdgen.spec.servers import Engine, Role

# A pod without a size of its own takes at most this part of its share of the node: daemons and sidecars need some too.
SHARE_OF_NODE = 0.9
SEQUENCES, TOKENS = "max-num-seqs", "max-num-batched-tokens"
EXPERT_PARALLEL = "enable-expert-parallel"
READY_TIMEOUT = "VLLM_ENGINE_READY_TIMEOUT_S"
KEEP_ALIVE = "VLLM_HTTP_TIMEOUT_KEEP_ALIVE"
# Flags that the chart writes, or that follow from it, and the key of `parallelism` that sets each.
SIZES = {
    "tensor-parallel-size": "tensor",
    "data-parallel-size": "data",
    "data-parallel-size-local": "dataLocal",
    EXPERT_PARALLEL: "expert",
}
# Kernels that are compiled at run time, and whatever else an image would keep in the container's own layer.
CACHES = Volume(name="caches", mount_path="/caches", source={"emptyDir": {}})


def settle(shape: Shape, role: Role, engine: Engine) -> Size:
    """The path's shape with the spec's parallelism over it. What the spec leaves open follows from what it says:
    data = dataLocal x workers. A vLLM flag of the spec counts as well as parallelism.expert."""
    asked = role.parallelism
    flag = (engine.args | role.args).get(EXPERT_PARALLEL)
    expert = asked.expert if asked.expert is not None else flag if isinstance(flag, bool) else shape.expert
    tensor = asked.tensor or shape.tensor
    ranks = max(1, shape.tensor * shape.data_local // tensor) if shape.data_local > 1 else 1
    if asked.data is None:
        local, workers = asked.data_local or ranks, asked.workers or shape.workers
    else:
        fitting_here = min(asked.data, ranks) if shape.data_local > 1 else asked.data
        local = asked.data_local or (max(1, asked.data // asked.workers) if asked.workers else fitting_here)
        workers = asked.workers or -(-asked.data // local)
    return Size(
        replicas=role.replicas or shape.replicas,
        tensor=tensor,
        data=asked.data or local * workers,
        data_local=local,
        workers=workers,
        expert=expert,
    )


def node(instance: Instance, situation: Situation) -> Node:
    """What a node of this type offers on the platform."""
    spec = situation.spec.asked
    label = situation.platform[spec.platform]["prefix"] + instance.name
    return Node(instance=instance, label=label, room=room_on(instance, label, spec.cluster.efa_per_node))


def plan_role(
    name: RoleName, size: Size, shape: Shape, situation: Situation, folded: Folded, *, behind_sidecar: bool
) -> RolePlan:
    """Everything about one role. `behind_sidecar`: a routing sidecar takes its requests first."""
    spec, model = situation.spec.asked, situation.model
    role = situation.spec.role(name)
    place = node(situation.instances[name], situation)
    per_share = efa_share(place.efa, place.gpus, size.gpus_per_pod) if folded.crosses_pods else 0
    interfaces = per_share if role.efa == "auto" else role.efa
    held, shared_mib = folded.memory_mib.get(name, 0), folded.shm_mib.get(name, 0)
    cpu, memory_text, shm = _resources(shape, role, place, size, held, shared_mib)
    storage = volume_size(spec.model, situation.model)
    beside = situation.engine["sidecar"]["requests"] if behind_sidecar else {"cpu": "0", "memory": "0"}
    millis, mib = to_millis(cpu) + to_millis(beside["cpu"]), _mib(memory_text) + _mib(beside["memory"])
    need = Need(size.gpus_per_pod, interfaces, millis, mib, _mib(storage or "0"))
    per_node, scarce = fitting(need, place.room)
    pods = size.replicas * size.workers
    flags, routes, removed = _flags(name, size, role, situation, folded)
    life = lifecycle(name, role, folded.startup_minutes, situation.engine, flags)
    if life.shutdown is not None:
        flag = situation.engine["shutdown"]["flag"]
        flags.setdefault(flag, life.shutdown)
        routes.setdefault(flag, ("spec", name, "drain"))
    env, env_routes = _env(name, role, situation, folded, place, interfaces, size, life.startup)
    lines = arguments(flags, flag_table(situation.release.name))
    ports = situation.engine["ports"]
    port = ports["behind_sidecar"] if behind_sidecar else ports["service"]
    default_block = situation.engine["mla_block_size" if model is not None and model.mla is not None else "block_size"]
    in_memory: dict[str, Any] = {"emptyDir": {"medium": "Memory", "sizeLimit": shm}}
    shared = Volume(name="shm", mount_path="/dev/shm", source=in_memory)
    return RolePlan(
        name=name,
        size=size,
        node=place,
        efa_per_pod=interfaces,
        efa_share=per_share,
        cpu=cpu,
        memory=memory_text,
        shm=shm,
        need=need,
        storage=storage,
        pods=pods,
        pods_per_node=per_node,
        nodes=-(-pods // per_node) if per_node else 0,
        limited_by=scarce,
        port=port,
        life=life,
        ranks=size.data_local if is_supervised(folded, size) else 1,
        probed_port=flags.get("data-parallel-supervisor-port"),
        flags=flags,
        arguments=lines,
        head=head(argument(spec.model), spec.model.name, port, size),
        env=env,
        volumes=(shared, CACHES, *folded.volumes, weights(spec.model, situation.model)),
        node_selector=node_selector(place, spec.cluster, situation.platform, spec.platform),
        memory_use=memory(model, place.instance, size, situation.engine, flags) if model is not None else None,
        block_size=whole(flags.get("block-size"), 0) or default_block,
        flag_routes=routes,
        env_routes=env_routes,
        removed=frozenset(removed),
    )


def is_supervised(folded: Folded, size: Size) -> bool:
    """Whether the ranks of a pod serve on ports of their own. One rank needs no supervisor."""
    return folded.supervised and size.data_local > 1


def kv_transfer(connectors: tuple[Connector, ...], role: RoleName) -> dict[str, Any] | None:
    """The --kv-transfer-config of a role: one connector as it is, several inside a MultiConnector, in their order."""
    found = []
    for connector in connectors:
        one: dict[str, Any] = {"kv_connector": connector.name, "kv_role": connector.roles.get(role, "kv_both")}
        extra = {**connector.extra, **connector.extra_by_role.get(role, {})}
        found.append({**one, EXTRA: extra} if extra else one)
    if len(found) < 2:
        return found[0] if found else None
    return {"kv_connector": MULTI, "kv_role": "kv_both", EXTRA: {"connectors": found}}


def _flags(
    name: RoleName, size: Size, role: Role, situation: Situation, folded: Folded
) -> tuple[dict[str, Any], dict[str, Route], set[str]]:
    """The role's flags, the path's first, where each of them comes from, and which of them the spec removes by null."""
    spec = situation.spec.asked
    flags: dict[str, Any] = {}
    if folded.block_size:
        flags["block-size"] = folded.block_size
    transfer = kv_transfer(folded.connectors, name)
    if transfer:
        flags["kv-transfer-config"] = transfer
    flags |= folded.args | folded.role_args.get(name, {})
    if spec.model.revision:
        flags["revision"] = spec.model.revision
    # vLLM caches no prefixes of models with linear attention unless it is told to, and every path lives on them.
    if situation.model and situation.model.layers.linear and situation.engine.get("prefix_caching", {}).get("off_for"):
        flags["enable-prefix-caching"] = True
    flags |= {flag: min(flags.get(flag, most), most) for flag, most in situation.most.items()}
    flags |= rank_flags(name, size, situation, supervised=is_supervised(folded, size))
    flags.pop(EXPERT_PARALLEL, None)
    if size.expert:
        flags[EXPERT_PARALLEL] = True
    routes: dict[str, Route] = dict.fromkeys(flags, ("spec", "path"))
    routes |= {flag: ("spec", name, "parallelism", key) for flag, key in SIZES.items()}
    routes["revision"] = ("spec", "model", "revision")
    removed: set[str] = set()
    for route, asked in ((("spec", "engine", "args"), spec.engine.args), (("spec", name, "args"), role.args)):
        removed |= {flag for flag, value in asked.items() if value is None and flags.get(flag) is not None}
        flags |= asked
        routes |= {flag: (*route, flag) for flag in asked}
    if situation.most and routes[SEQUENCES] == ("spec", "path"):
        flags[SEQUENCES] = min(flags[SEQUENCES], whole(flags[TOKENS], flags[SEQUENCES]))
    return flags, routes, removed


def _env(
    name: RoleName,
    role: Role,
    situation: Situation,
    folded: Folded,
    place: Node,
    interfaces: int,
    size: Size,
    startup: int,
) -> tuple[tuple[EnvVar, ...], dict[str, Route]]:
    """The container's environment, and where in the spec each variable is decided. The spec's own wins."""
    spec = situation.spec.asked
    caches = {each: f"{CACHES.mount_path}/{folder}" for each, folder in situation.server.caches.items()}
    # Who sends on a connection that vLLM is just closing gets an error; gateways and sidecars keep idle ones for long.
    caches[KEEP_ALIVE] = str(situation.engine["timeouts"]["keep_alive_wanted"])
    here: dict[str, str | None] = {}
    if interfaces:
        here |= {"FI_PROVIDER": "efa"} | ({"FI_EFA_USE_DEVICE_RDMA": "1"} if place.instance.efa.rdma else {})
    if size.data > 1:
        # The front ends of several engines give up on them after ten minutes.
        here[READY_TIMEOUT] = str(startup)
    if size.workers > 1:
        # Excluding lets NCCL keep EFA; a name would pin it to that interface. Gloo bootstraps on the pod's own.
        here |= {"NCCL_SOCKET_IFNAME": "^lo,docker,veth", "GLOO_SOCKET_IFNAME": "eth0"}
    given = (*variables(situation.server.environment | caches), *folded.env, *hub_environment(spec.model))
    found = {each.name: each.for_role(name) for each in (*given, *variables(here))}
    routes: dict[str, Route] = dict.fromkeys(found, ("spec", "path"))
    for route, asked in ((("spec", "engine", "env"), spec.engine.env), (("spec", name, "env"), role.env)):
        found |= {each.name: each for each in variables(asked)}
        routes |= {key: (*route, key) for key in asked}
    return tuple(found.values()), routes


def _resources(
    shape: Shape, role: Role, place: Node, size: Size, cache_mib: int, shared_mib: int
) -> tuple[str, str, str]:
    """cpu, memory and shm: as the spec says, else the path's, no more than the pod's share of the node.

    Cache tiers (`cache_mib`, of which `shared_mib` lie in /dev/shm) come on top of the path's memory, because pinned
    buffers and /dev/shm count against it.
    """
    asked = role.resources
    part = size.gpus_per_pod / place.gpus * SHARE_OF_NODE if place.gpus else SHARE_OF_NODE
    cpu = min(to_millis(shape.cpu), max(1000, int(place.room.cpu_millis * part) // 1000 * 1000))
    memory_mib = to_bytes(shape.memory) // MIB + cache_mib
    memory_mib = min(memory_mib, max(1024, int(place.room.memory_mib * part) // 1024 * 1024))
    memory_text = asked.memory or mib_text(memory_mib)
    own_mib = max(1024, (to_bytes(memory_text) // MIB - shared_mib) // 4)
    shm = asked.shm or mib_text(min(to_bytes(shape.shm) // MIB, own_mib) + shared_mib)
    return asked.cpu or cpu_text(cpu), memory_text, shm


def _mib(quantity: str) -> int:
    return -(-to_bytes(quantity) // MIB)
