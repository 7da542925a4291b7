"""allocation.yaml: what quotas, capacity reservations and reviewers go by, held against the manifests."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from llmdgen.facts.catalogue import HYPERPOD_PREFIX, UnknownFact, instance, path_names, release_toml
from llmdgen.kube.node import demand, instance_types, node_of, room_on
from llmdgen.kube.room import fitting
from llmdgen.kube.vllm import offloaded
from llmdgen.kube.workload import SHARED_MEMORY, Workload, limit_of, mounted_at
from llmdgen.quantities import GIB, MIB, bytes_or_none, to_bytes, to_millis
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, items, mapping
from llmdgen.verify.rendered import Rendered

FILE = "allocation.yaml"
_FIX = "render again"
_ROUNDED = 0.06  # sizes and requests are written with one decimal
_LEAST_HELD = 0.95  # of the cache: what sliding windows hold comes off
_TOTALS = ("nodes", "pods", "gpus", "efa")


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
        if rendered.files.get(FILE, "").strip():
            yield _wrong(says="it is not YAML mapping")
        return
    yield from _head(rendered, stated)
    roles = mapping(stated.get("roles"))
    deployed = {workload.role: workload for workload in rendered.model_servers if not workload.is_leader}
    for role in roles:
        if rendered.model_servers and role not in deployed:
            yield _wrong("roles", str(role), says=f"no release deploys {role} pods")
    for role, workload in deployed.items():
        if role in roles:
            yield from _role(workload, mapping(roles[role]))
        else:
            yield _wrong("roles", says=f"it says nothing of {workload}, the {role} pods")
    yield from _sums(stated, roles)
    memory = release_toml(rendered.release.name, "engine.toml")["memory"]
    yield from _rows(stated, roles, [memory["margin_gib"], memory["margin_gib_several_gpus"]])
    if rendered.servers.model is not None and not rendered.is_sealed:
        for role in (name for name, each in roles.items() if not at(each, "kvCache")):
            yield _wrong("roles", role, "kvCache", says="it says nothing, and the model's memory is known")


def _head(rendered: Rendered, stated: dict[str, Any]) -> Iterator[Draft]:
    if stated.get("release") != rendered.release.name:
        says = f"the release is {stated.get('release') or 'missing'}, the charts are those of {rendered.release.name}"
        yield _wrong("release", says=says)
    name = stated.get("name")
    charts = {chart.name for chart in rendered.release.charts.values()}
    for each in rendered.releases:
        if each.chart_name in charts and not each.name.startswith(f"{name}-"):
            yield _wrong("name", says=f"it is {name or 'missing'}, a release is called {each.name}")
    types = dict.fromkeys(str(mapping(role).get("instanceType")) for role in mapping(stated.get("roles")).values())
    targets = {"_".join(each.removeprefix(HYPERPOD_PREFIX) for each in types)} if types else set()
    if stated.get("target") not in targets:
        says = f"it is {stated.get('target') or 'missing'}, the roles run on {', '.join(types)}"
        yield _wrong("target", says=says)
    paths = items(stated.get("paths"))
    unknown = [str(each) for each in paths if each not in path_names()]
    if unknown or (stated.get("paths") is not None and len(set(map(str, paths))) < max(1, len(paths))):
        yield _wrong("paths", says=f"{', '.join(unknown) or 'the list'} is not a list of well-lit paths")


def _role(workload: Workload, stated: dict[str, Any]) -> Iterator[Draft]:
    need, vllm, node = demand(workload), workload.vllm, node_of(workload)
    if vllm is None:
        return
    shared = mounted_at(vllm, SHARED_MEMORY)
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
        "cacheTiers.cpu": offloaded(vllm) // GIB or None,
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
    if node is None:
        return
    if not isinstance(pods, int):
        yield _wrong("roles", workload.role, "podsPerNode", says="it says nothing")
        return
    if not isinstance(has_efa, int) or has_efa > node.efa.interfaces:
        says = f"it says {has_efa}, {node.name} has {node.efa.interfaces}"
        yield _wrong("roles", workload.role, "efaPerNode", says=says)
    room = room_on(node, instance_types(workload)[0], has_efa if isinstance(has_efa, int) else None)
    fits, scarce = fitting(need, room)
    if pods > fits:
        says = f"it says {pods}, {node.name} has {scarce} for {fits}"
        yield _wrong("roles", workload.role, "podsPerNode", says=says)


def _sums(stated: dict[str, Any], roles: dict[str, Any]) -> Iterator[Draft]:
    """The totals are the sums of the roles and of the rows of nodes."""
    total = mapping(stated.get("total"))
    rows = [mapping(each) for each in items(stated.get("nodes"))]
    counted = dict.fromkeys(_TOTALS, 0)
    for role in map(mapping, roles.values()):
        pods = _pods(role)
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


def _rows(stated: dict[str, Any], roles: dict[str, Any], margins: Collection[Any]) -> Iterator[Draft]:
    """Numbers that follow from others of the file: a role's nodes, what the nodes of a row have, the KV cache."""
    for name, role in roles.items():
        pods, each = _pods(mapping(role)), _whole(at(role, "podsPerNode"))
        if "nodes" in mapping(role) or stated.get("total"):
            wanted = -(-pods // each) if each else 0
            if not each:
                yield _wrong("roles", name, "podsPerNode", says=f"it says {at(role, 'podsPerNode')}")
            elif at(role, "nodes") != wanted:
                says = f"it says {at(role, 'nodes')}, {pods} pods at {each} a node take {wanted}"
                yield _wrong("roles", name, "nodes", says=says)
        yield from _cache(name, mapping(at(role, "kvCache")), margins)
    for index, row in enumerate(map(mapping, items(stated.get("nodes")))):
        held = [mapping(roles.get(str(name))) for name in items(row.get("roles"))]
        if any(role.get("instanceType") != row.get("instanceType") for role in held):
            says = f"it is {row.get('instanceType') or 'missing'}, its roles run on another type"
            yield _wrong("nodes", index, "instanceType", says=says)
        try:
            node = instance(str(row.get("instanceType")).removeprefix(HYPERPOD_PREFIX))
        except UnknownFact:
            continue
        attached_to_each = max((_whole(role.get("efaPerNode")) for role in held), default=0)
        for what, has in (("gpus", node.gpu.count), ("efa", attached_to_each)):
            wanted = _whole(row.get("nodes")) * has
            if at(row, what, "of") != wanted:
                says = f"it says {at(row, what, 'of')}, {row.get('nodes')} nodes have {wanted}"
                yield _wrong("nodes", index, what, "of", says=says)


def _cache(role: str, cache: dict[str, Any], margins: Collection[Any]) -> Iterator[Draft]:
    """Tokens are bytes divided by the bytes of a token, requests are tokens divided by their length, and it is said to
    be an estimate, with one of the release's margins."""
    if not cache:
        return
    place = ("roles", role, "kvCache")
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
    size = bytes_or_none(quantity)
    return None if size is None else -(-size // MIB)


def _pods(role: dict[str, Any]) -> int:
    return _whole(role.get("replicas")) * _whole(role.get("podsPerReplica"))


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _wrong(*path: str | int, says: str) -> Draft:
    return found(*path, says=says, fix=_FIX, of=FILE)
