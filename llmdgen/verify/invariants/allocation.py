"""allocation.yaml: what quotas, capacity reservations and reviewers go by, held against the manifests.

What the file would say is worked out from the manifests and from its own numbers, and compared with what it says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.facts.catalogue import HYPERPOD_PREFIX, path_names, release_toml
from llmdgen.kube.node import demand, instance_types, known, node_of, room_on
from llmdgen.kube.room import fitting
from llmdgen.kube.vllm import offloaded
from llmdgen.kube.workload import SHARED_MEMORY, Workload, limit_of, mounted_at
from llmdgen.quantities import GIB, MIB, bytes_or_none, cpu_text, mib_text, millis_or_none
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, items, mapping
from llmdgen.verify.rendered import ALLOCATION, Rendered, differences

Table = dict[str, Any]
_ROUNDED = 0.06  # sizes and requests are written with one decimal
_LEAST_HELD = 0.95  # of the cache: what sliding windows hold comes off


@rule("VER069", "error", "allocation.yaml does not say what the cluster gets")
def allocation_is_true(rendered: Rendered) -> Iterator[Draft]:
    """allocation.yaml is what quotas and capacity reservations are made from: its roles, replicas, parallelism, GPUs,
    EFA interfaces, cpu and memory must be those of the manifests, the pods that it puts on one node must fit there
    together, and its totals must be the sums of its rows. A directory without the file is not judged here.

    Fails:  efaPerPod: 4 and a pod that asks for 2; podsPerNode: 8 with pods of 2 GPUs on a node of 8; a role that no
            release deploys; total.gpus: 12 over roles of 8.
    Passes: the numbers of the manifests.
    """
    stated = rendered.stated
    if not stated:
        if rendered.files.get(ALLOCATION, "").strip():
            yield _wrong(says="it is not YAML mapping")
        return
    for place, says in differences(stated, _expected(rendered, stated), "the manifests"):
        yield _wrong(*place, says=says)
    name, paths, roles = stated.get("name"), stated.get("paths"), _roles(stated)
    charts = {chart.name for chart in rendered.release.charts.values()}
    for each in rendered.releases:
        if each.chart_name in charts and not each.name.startswith(f"{name}-"):
            yield _wrong("name", says=f"it is {name or 'missing'}, a release is called {each.name}")
    if paths is not None and (not items(paths) or not set(path_names()).issuperset(map(str, paths))):
        yield _wrong("paths", says=f"{paths} is not a list of well-lit paths")
    deployed = {workload.role: workload for workload in rendered.model_servers}
    for role in roles:
        if deployed and role not in deployed:
            yield _wrong("roles", role, says=f"no release deploys {role} pods")
    for role, workload in deployed.items():
        if role in roles:
            yield from _fits(workload, roles[role])
        else:
            yield _wrong("roles", says=f"it says nothing of {workload}, the {role} pods")
    for role, row in roles.items():
        if cache := mapping(row.get("kvCache")):
            yield from _cache(role, cache, release_toml(rendered.release.name, "engine.toml")["memory"])
        elif rendered.model is not None and not rendered.is_sealed:
            yield _wrong("roles", role, "kvCache", says="it says nothing, and the model's memory is known")


def _expected(rendered: Rendered, stated: Table) -> Table:
    """The file as it follows from the manifests and from its own numbers; what only the plan knew stays as it is."""
    roles, rows = _roles(stated), [mapping(row) for row in items(stated.get("nodes"))]
    types = dict.fromkeys(_type(role) for role in roles.values())
    for workload in rendered.model_servers:
        if workload.role in roles and not workload.is_leader:
            roles[workload.role] = _role(workload, roles[workload.role])
    made = {**stated, "release": rendered.release.name, "target": "_".join(types)}
    if roles:
        made["roles"] = roles
    if not rows and not stated.get("total"):
        return made
    for role in roles.values():
        if each := _whole(role.get("podsPerNode")):
            role["nodes"] = -(-_pods(role) // each)
    return {
        **made,
        "nodes": [_row(row, roles) for row in rows],
        "total": {
            **mapping(stated.get("total")),
            "nodes": sum(_whole(row.get("nodes")) for row in rows),
            "pods": sum(map(_pods, roles.values())),
            "gpus": _taken(roles, "gpusPerPod"),
            "efa": _taken(roles, "efaPerPod"),
        },
    }


def _role(workload: Workload, stated: Table) -> Table:
    """A role as its pods are; an equal size is spelled as in the file."""
    vllm, need, types = workload.vllm, demand(workload), instance_types(workload)
    if vllm is None:
        return stated
    data, tensor = vllm.size("data-parallel-size", 1), vllm.size("tensor-parallel-size", 1)
    cpu, memory, shared = (stated.get(name) for name in ("cpuPerPod", "memoryPerPod", "shmPerPod"))
    made = {
        **stated,
        "replicas": workload.replicas,
        "podsPerReplica": workload.size,
        "parallelism": {
            **mapping(stated.get("parallelism")),
            "tensor": tensor,
            "data": data,
            "dataLocal": vllm.size("data-parallel-size-local", data),
            "expert": tensor * data if vllm.flags.get("enable-expert-parallel") is True else 1,
        },
        "gpusPerPod": need.gpus,
        "efaPerPod": need.efa,
        "cpuPerPod": cpu if millis_or_none(cpu) == need.cpu_millis else cpu_text(need.cpu_millis),
        "memoryPerPod": memory if _mib(memory) == need.memory_mib else mib_text(need.memory_mib),
    }
    if types and _type(stated) != types[0].removeprefix(HYPERPOD_PREFIX):
        made["instanceType"] = types[0].removeprefix(HYPERPOD_PREFIX)
    volume = mounted_at(vllm, SHARED_MEMORY)
    if volume and (size := _mib(limit_of(volume))) and size != _mib(shared):
        made["shmPerPod"] = mib_text(size)
    if tier := offloaded(vllm) // GIB:
        made["cacheTiers"] = {**mapping(stated.get("cacheTiers")), "cpu": f"{tier}Gi"}
    length = vllm.flags.get("max-model-len")
    if isinstance(length, int) and at(stated, "kvCache", "maxModelLen") is not None:
        made["kvCache"] = {**stated["kvCache"], "maxModelLen": length}
    return made


def _row(row: Table, roles: dict[str, Table]) -> Table:
    """Nodes of one type, as the roles on them use them."""
    held = {name: roles[name] for name in map(str, items(row.get("roles"))) if name in roles}
    types = {role.get("instanceType") for role in held.values()}
    made = {**row, "instanceType": types.pop()} if len(types) == 1 else row
    node = known(_type(made))
    if node is None:
        return made
    attached = max((_whole(role.get("efaPerNode")) for role in held.values()), default=0)
    devices = {"gpus": (_taken(held, "gpusPerPod"), node.gpu.count), "efa": (_taken(held, "efaPerPod"), attached)}
    nodes = max(_whole(row.get("nodes")), *(-(-used // each) for used, each in devices.values() if each))
    return {
        **made,
        "nodes": nodes,
        **{name: {"used": used, "of": nodes * each} for name, (used, each) in devices.items()},
    }


def _fits(workload: Workload, stated: Table) -> Iterator[Draft]:
    """As many pods and interfaces as it says find room on one node."""
    node, pods, has_efa = node_of(workload), stated.get("podsPerNode"), stated.get("efaPerNode")
    if node is None:
        return
    if not isinstance(has_efa, int) or has_efa > node.efa.interfaces:
        says = f"it says {has_efa}, {node.name} has {node.efa.interfaces}"
        yield _wrong("roles", workload.role, "efaPerNode", says=says)
    room = room_on(node, instance_types(workload)[0], has_efa if isinstance(has_efa, int) else None)
    fits, scarce = fitting(demand(workload), room)
    if not 0 < _whole(pods) <= fits:
        yield _wrong("roles", workload.role, "podsPerNode", says=f"it says {pods}, {node.name} has {scarce} for {fits}")


def _cache(role: str, cache: Table, memory: Table) -> Iterator[Draft]:
    """Tokens are bytes divided by the bytes of a token, requests are tokens divided by their length, and it is said to
    be an estimate, with one of the release's margins."""
    place, margins = ("roles", role, "kvCache"), [memory["margin_gib"], memory["margin_gib_several_gpus"]]
    numbers = [cache.get(key) for key in ("gibPerGpu", "bytesPerTokenAndGpu", "tokensPerRank", "maxModelLen")]
    if not all(isinstance(each, (int, float)) and each >= 0 for each in numbers) or not all(numbers[1::2]):
        yield _wrong(*place, says="one of its sizes is missing, or no size")
        return
    size, token, tokens, length = (float(each or 0) for each in numbers)
    if cache.get("estimate") is not True or cache.get("marginGib") not in margins:
        says = f"its margin is {cache.get('marginGib')}, an estimate's is {' or '.join(map(str, margins))}"
        yield _wrong(*place, "marginGib", says=says)
    if not size * _LEAST_HELD - _ROUNDED < tokens * token / GIB < size + _ROUNDED:
        says = f"{tokens:.0f} tokens of {token:.0f} bytes are {tokens * token / GIB:.1f} GiB, it says {size}"
        yield _wrong(*place, "tokensPerRank", says=says)
    requests = cache.get("fullLengthRequestsPerRank")
    if not isinstance(requests, (int, float)) or abs(tokens / length - requests) > _ROUNDED:
        says = f"it says {requests}, {tokens:.0f} tokens hold {tokens / length:.1f} requests of {length:.0f}"
        yield _wrong(*place, "fullLengthRequestsPerRank", says=says)


def _roles(stated: Table) -> dict[str, Table]:
    return {str(name): dict(mapping(role)) for name, role in mapping(stated.get("roles")).items()}


def _type(row: Table) -> str:
    return str(row.get("instanceType")).removeprefix(HYPERPOD_PREFIX)


def _pods(role: Table) -> int:
    return _whole(role.get("replicas")) * _whole(role.get("podsPerReplica"))


def _taken(roles: dict[str, Table], device: str) -> int:
    """What all pods of some roles take of a device."""
    return sum(_pods(role) * _whole(role.get(device)) for role in roles.values())


def _mib(quantity: Any) -> int | None:
    size = bytes_or_none(quantity)
    return None if size is None else -(-size // MIB)


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _wrong(*path: str | int, says: str) -> Draft:
    return found(*path, says=says, fix="render again", of=ALLOCATION)
