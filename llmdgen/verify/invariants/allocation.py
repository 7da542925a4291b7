"""allocation.yaml: what quotas, capacity reservations and reviewers go by, held against the manifests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.facts.catalogue import HYPERPOD_PREFIX
from llmdgen.planning.quantities import GIB, to_bytes, to_millis
from llmdgen.verify.invariants.pods import limit_of, mounted_at
from llmdgen.verify.invariants.resources import allocatable, attached, demand, instance_types, node_of
from llmdgen.verify.invariants.storage import SHARED_MEMORY, cpu_cache
from llmdgen.verify.rendered import Rendered, Workload, at, items, mapping
from llmdgen.verify.rules import Found, found, invariant

FILE = "allocation.yaml"
_FIX = "render again"
_TOTALS = ("nodes", "pods", "gpus", "efa")


@invariant("VER069", "error", "allocation.yaml does not say what the cluster gets")
def allocation_is_true(rendered: Rendered) -> Iterator[Found]:
    """allocation.yaml is what quotas and capacity reservations are made from: its roles, replicas, parallelism, GPUs,
    EFA interfaces, cpu and memory must be those of the manifests, the pods that it puts on one node must fit there
    together, and its totals must be the sums of its rows. A directory without the file is not judged.

    Fails:  efaPerPod: 4 and a pod that asks for 2; podsPerNode: 8 with pods of 2 GPUs on a node of 8; a role that no
            release deploys; total.gpus: 12 over roles of 8.
    Passes: the numbers of the manifests.
    """
    stated = rendered.stated
    if not stated:
        if rendered.files.get(FILE, "").strip():
            yield _wrong(says="it is no YAML mapping")
        return
    yield from _head(rendered, stated)
    roles = mapping(stated.get("roles"))
    deployed = {workload.role: workload for workload in rendered.model_servers if not workload.is_leader}
    for role in roles:
        if rendered.model_servers and role not in deployed:
            yield _wrong("roles", str(role), says=f"no release deploys {role} pods")
    for role, workload in deployed.items():
        if role in roles:
            yield from _role(rendered, workload, mapping(roles[role]))
        else:
            yield _wrong("roles", says=f"it says nothing of {workload}, the {role} pods")
    yield from _sums(stated, roles)


def _head(rendered: Rendered, stated: dict[str, Any]) -> Iterator[Found]:
    if stated.get("release") != rendered.release.name:
        says = f"the release is {stated.get('release') or 'missing'}, the charts are those of {rendered.release.name}"
        yield _wrong("release", says=says)
    name = stated.get("name")
    if not any(each.name.endswith(f"-{name}") for each in rendered.releases):
        yield _wrong("name", says=f"it is {name or 'missing'}, the releases are called otherwise")


def _role(rendered: Rendered, workload: Workload, stated: dict[str, Any]) -> Iterator[Found]:
    need, vllm, node = demand(workload), workload.vllm, node_of(workload)
    if vllm is None:
        return
    shared = mounted_at(workload, vllm, SHARED_MEMORY)
    data = vllm.size("data-parallel-size", 1)
    tensor = vllm.size("tensor-parallel-size", 1)
    real: dict[str, Any] = {
        "instanceType": next(iter(instance_types(workload)), "").removeprefix(HYPERPOD_PREFIX) or None,
        "replicas": workload.replicas,
        "podsPerReplica": workload.size,
        "gpusPerPod": need.gpus,
        "efaPerPod": need.efa,
        "cpuPerPod": need.cpu_millis,
        "memoryPerPod": need.memory_mib,
        "shmPerPod": _mib(limit_of(shared)) if shared else None,
        "parallelism.tensor": tensor,
        "parallelism.data": data,
        "parallelism.dataLocal": vllm.size("data-parallel-size-local", data),
        "parallelism.expert": tensor * data if vllm.flags.get("enable-expert-parallel") is True else 1,
        "kvCache.maxModelLen": vllm.flags.get("max-model-len"),
        "cacheTiers.cpu": cpu_cache(vllm) // GIB or None,
    }
    for key, value in real.items():
        said = at(stated, *key.split("."))
        if value is None or (key == "kvCache.maxModelLen" and (said is None or not isinstance(value, int))):
            continue
        if key == "instanceType" and isinstance(said, str):
            said = said.removeprefix(HYPERPOD_PREFIX)
        if (_amount(key, said) if said is not None else None) != value:
            says = f"it says {'nothing' if said is None else said}, {workload} has {_shown(key, value)}"
            yield _wrong("roles", workload.role, *key.split("."), says=says)
    pods, has_efa = stated.get("podsPerNode"), stated.get("efaPerNode")
    if node is None or not isinstance(pods, int):
        if node is not None:
            yield _wrong("roles", workload.role, "podsPerNode", says="it says nothing")
        return
    if not isinstance(has_efa, int) or has_efa > node.efa.interfaces:
        says = f"it says {has_efa}, {node.name} has {node.efa.interfaces}"
        yield _wrong("roles", workload.role, "efaPerNode", says=says)
    room = allocatable(workload, node)
    for what, each, has in (
        ("GPUs", need.gpus, node.gpu.count),
        ("EFA interfaces", need.efa, attached(rendered, workload, node)),
        ("millicores", need.cpu_millis, room.cpu_millis if room else node.vcpus * 1000),
        ("MiB of memory", need.memory_mib, room.memory_mib if room else node.memory_gib * 1024),
    ):
        if pods * each > has:
            says = f"{pods} pods take {pods * each} {what}, {node.name} has {has}"
            yield _wrong("roles", workload.role, "podsPerNode", says=says)


def _sums(stated: dict[str, Any], roles: dict[str, Any]) -> Iterator[Found]:
    """The totals are the sums of the roles and of the rows of nodes."""
    total = mapping(stated.get("total"))
    rows = [mapping(each) for each in items(stated.get("nodes"))]
    counted = dict.fromkeys(_TOTALS, 0)
    for role in map(mapping, roles.values()):
        pods = _whole(role.get("replicas")) * _whole(role.get("podsPerReplica"))
        counted["pods"] += pods
        counted["gpus"] += pods * _whole(role.get("gpusPerPod"))
        counted["efa"] += pods * _whole(role.get("efaPerPod"))
    counted["nodes"] = sum(_whole(row.get("nodes")) for row in rows)
    if not total and not rows:
        return
    for key, value in counted.items():
        if total.get(key) != value:
            yield _wrong("total", key, says=f"it says {total.get(key, 'nothing')}, the rows add up to {value}")
    for what in ("gpus", "efa"):
        used = sum(_whole(at(row, what, "used")) for row in rows)
        if used != counted[what]:
            yield _wrong("nodes", says=f"{used} {what} are used in its rows, the roles take {counted[what]}")
        for index, row in enumerate(rows):
            if _whole(at(row, what, "used")) > _whole(at(row, what, "of")):
                says = f"{at(row, what, 'used')} of {at(row, what, 'of')} {what} are used"
                yield _wrong("nodes", index, what, says=says)
    named = [name for row in rows for name in items(row.get("roles"))]
    if sorted(map(str, named)) != sorted(map(str, roles)):
        yield _wrong("nodes", says=f"its rows hold {', '.join(map(str, named)) or 'no roles'}, not {', '.join(roles)}")


def _amount(key: str, said: Any) -> Any:
    """What is said in the unit in which it is compared: millicores, MiB and GiB."""
    try:
        if key == "cpuPerPod":
            return to_millis(str(said))
        if key in ("memoryPerPod", "shmPerPod"):
            return _mib(said)
        return to_bytes(str(said)) // GIB if key == "cacheTiers.cpu" else said
    except (KeyError, ValueError):
        return None


def _shown(key: str, value: Any) -> str:
    unit = {"cpuPerPod": "m", "memoryPerPod": "Mi", "shmPerPod": "Mi", "cacheTiers.cpu": "Gi"}.get(key, "")
    return f"{value}{unit}"


def _mib(quantity: Any) -> int | None:
    try:
        return None if quantity is None else to_bytes(str(quantity)) // 2**20
    except ValueError:
        return None


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _wrong(*path: str | int, says: str) -> Found:
    return found(FILE, *path, says=says, fix=_FIX)
