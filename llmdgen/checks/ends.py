"""The two ends of the KV transfer: hardware, one connector, one transport, one model, blocks that match."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from llmdgen.engine.derived import EXTRA, MULTI
from llmdgen.engine.facts import connectors, engine
from llmdgen.engine.flags import flag_table
from llmdgen.engine.numbers import whole
from llmdgen.kube.node import efa, runs_models
from llmdgen.kube.servers import Servers
from llmdgen.kube.workload import NIXL, Container
from llmdgen.objects.origin import hardware
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import one_of
from llmdgen.untyped import mapping

TRANSFER_FLAG = "kv-transfer-config"
LIBFABRIC, UCX = "LIBFABRIC", "UCX"
SIDE_CHANNEL = "VLLM_NIXL_SIDE_CHANNEL_HOST"
SHARED_FLAGS = ("served-model-name", "max-model-len", "revision", "hf-overrides", "attention-backend")
BACKEND = ("spec", "transfer", "backend")
_ENDS = ("prefill", "decode")
_TRANSPORT = ("FI_", "UCX_", "NIXL_")  # NCCL and NVSHMEM stay among the engines of one role


def both_ends(servers: Servers) -> dict[str, Container]:
    """The ends of the KV transfer by role; none where there are no prefill servers, or no decode servers."""
    found: dict[str, Container] = {
        vllm.workload.role: vllm
        for vllm in servers.engines
        if vllm.workload.role in _ENDS and not vllm.workload.is_leader and runs_models(vllm.workload)
    }
    return found if len(found) == len(_ENDS) else {}


def transferring(servers: Servers) -> Iterator[Container]:
    return (vllm for vllm in servers.engines if vllm.nixl is not None)


def backends(nixl: Mapping[str, Any] | None) -> list[object]:
    named = mapping(mapping(nixl).get(EXTRA)).get("backends")
    return named if isinstance(named, list) else []


@rule("EFA010", "error", "prefill and decode with different block sizes")
def ends_share_the_block_size(servers: Servers) -> Iterator[Draft]:
    """NIXL transfers whole KV blocks: both ends must cut the KV cache alike.

    Fails:  `{path: pd-disaggregation, prefill: {args: {block-size: 64}}}` beside decode's 128.
    Passes: `{path: pd-disaggregation, engine: {args: {block-size: 64}}}`; `{path: pd-disaggregation}`, 128 for both.
    """
    settings = engine(servers.release.name)
    default = settings["mla_block_size" if servers.model is not None and servers.model.mla else "block_size"]
    wanted = f"block-size: {settings['transfer_block_size']}"
    yield from differing(servers, "block-size", lambda vllm: whole(vllm.flags.get("block-size"), 0) or default, wanted)


@rule("EFA013", "error", "UCX on pods with EFA")
def ucx_does_not_drive_efa(servers: Servers) -> Iterator[Draft]:
    """UCX on EFA is not a supported combination: it falls back to TCP without a word while the interfaces stay idle.

    NIXL takes UCX too where kv_connector_extra_config names no backends.

    Fails:  `{path: pd-disaggregation, transfer: {backend: UCX}}` on p5.48xlarge; `{path: pd-disaggregation, engine:
            {args: {kv-transfer-config: {kv_connector: NixlConnector, kv_role: kv_both}}}}` there.
    Passes: `{path: pd-disaggregation, transfer: {backend: LIBFABRIC}}`.
    """
    known = connectors(servers.release.name)[NIXL].keys["backends"].choices
    ends = [vllm for vllm in transferring(servers) if runs_models(vllm.workload)]
    everywhere = all(vllm.count(efa()) for vllm in ends)
    for vllm in ends:
        for inside, each in vllm.placed_connectors if vllm.count(efa()) else ():
            named, written = backends(each), mapping(each.get(EXTRA)).get("backends", [])
            # Text instead of a list, and names that NIXL does not have, are VLLM006's.
            mistaken = not isinstance(written, list) or not {*named} <= {*known}
            if each.get("kv_connector") != NIXL or mistaken or LIBFABRIC in named:
                continue
            place = vllm.flag_at(TRANSFER_FLAG, *inside, EXTRA, "backends")
            by_field = servers.spec_route(vllm.workload.manifest, place) == BACKEND
            what = f"names {one_of(map(str, named))}" if named else "names no backends, so that NIXL takes UCX"
            fix = "set backend: LIBFABRIC" if by_field else f"add {EXTRA}: {{backends: [LIBFABRIC]}}"
            fix = fix if everywhere else f"put both roles on types with EFA and {fix}"
            yield vllm.workload.found(*place, says=f"{EXTRA} {what}, which does not drive EFA interfaces", fix=fix)


@rule("EFA015", "error", "prefill and decode with different KV cache types")
def ends_share_the_kv_cache_type(servers: Servers) -> Iterator[Draft]:
    """NIXL's connector compares a hash of vLLM version, model, data type and KV cache type, and refuses another.

    Fails:  `{path: pd-disaggregation, decode: {args: {kv-cache-dtype: fp8}}}` beside prefill's auto.
    Passes: `{path: pd-disaggregation, engine: {args: {kv-cache-dtype: fp8}}}`.
    """
    for name in ("kv-cache-dtype", "dtype"):
        yield from differing(servers, name, _flag(name, "auto"))


@rule("EFA017", "error", "one end of the KV transfer has no NixlConnector")
def ends_have_the_connector(servers: Servers) -> Iterator[Draft]:
    """Prefill writes KV blocks and decode reads them by the NixlConnector, on its own or inside a MultiConnector; the
    routing sidecar speaks no other connector's protocol. Without it at both ends decode computes every prompt again.

    Fails:  `{path: pd-disaggregation, prefill: {args: {kv-transfer-config: {kv_connector: OffloadingConnector, kv_role:
            kv_both, kv_connector_extra_config: {cpu_bytes_to_use: 1073741824}}}}}`;
            `{path: pd-disaggregation, prefill: {args: {kv-transfer-config: null}}}`.
    Passes: `{path: pd-disaggregation}`, where the path writes it;
            `{path: pd-disaggregation, with: [tiered-prefix-cache]}`, a MultiConnector of NixlConnector and
            OffloadingConnector.
    """
    known = flag_table(servers.release.name).connectors
    for vllm in both_ends(servers).values():
        names = [str(each.get("kv_connector")) for each in vllm.connectors]
        # A misspelt name is VLLM005's, and a module that llmdgen does not know may do anything.
        strange = any(name not in known for name in names)
        own = any(each.get("kv_connector_module_path") for each in vllm.connectors[:1])
        if NIXL not in names and not strange and not own:
            place = vllm.flag_at(TRANSFER_FLAG, *(("kv_connector",) if names else ()))
            says = f"it has {one_of(names) if names else 'no KV connector'}, and the transfer needs {NIXL}"
            or_both = f", or name {NIXL} and this one inside a {MULTI}" if names else ""
            fix = f"remove {TRANSFER_FLAG}: the path writes it{or_both}"
            yield vllm.workload.found(*place, says=says, fix=fix)


@rule("EFA018", "error", "prefill and decode that serve different models or lengths")
def ends_serve_the_same(servers: Servers) -> Iterator[Draft]:
    """The sidecar hands a request on as it came: prefill must know the model under decode's name and take every prompt
    that decode takes, and NIXL refuses an end whose weights, layers, heads or attention backend differ.

    Fails:  `{path: pd-disaggregation, prefill: {args: {max-model-len: 8192}}, decode: {args: {max-model-len: 32000}}}`.
    Passes: `{path: pd-disaggregation, engine: {args: {max-model-len: 8192}}}`.
    """
    for name in SHARED_FLAGS:
        yield from differing(servers, name, _flag(name))


def _flag(name: str, default: object = None) -> Callable[[Container], object]:
    return lambda vllm: vllm.flags.get(name, default)


def differing(
    servers: Servers, name: str, read: Callable[[Container], object], wanted: str = "", *, variable: bool = False
) -> Iterator[Draft]:
    """A finding where the ends differ in the flag or variable of that name, at the end whose own settings in the spec
    say it. `wanted` is what both may have."""
    ends = both_ends(servers)
    values = {role: read(vllm) for role, vllm in ends.items()}
    if len({*map(repr, values.values())}) > 1:
        places = {role: vllm.env_at(name) if variable else vllm.flag_at(name) for role, vllm in ends.items()}
        routes = {role: servers.spec_route(vllm.workload.manifest, places[role]) for role, vllm in ends.items()}
        own = (role for role, route in routes.items() if route[:2] == ("spec", role) and {name, "pod"} & {*route})
        role = next(own, next(iter(ends)))
        prefill, decode = ("unset" if values[each] is None else values[each] for each in _ENDS)
        says = f"{name} is {prefill} for prefill and {decode} for decode"
        fix = f"set {wanted or name} in engine.{'env' if variable else 'args'} and remove it from the roles"
        yield ends[role].workload.found(*places[role], says=says, fix=fix)


@rule("VER059", "error", "the two ends of the KV transfer are set up differently")
def ends_are_set_up_alike(servers: Servers) -> Iterator[Draft]:
    """Both ends of one transfer run the same transport and must set it up alike: a variable that only one has is a
    typing error or half a change, and the slower end decides. The same holds for NIXL's connector itself.

    Fails:  `{path: pd-disaggregation, decode: {env: {UCX_TLS: rc}}}`.
    Passes: `{path: pd-disaggregation, engine: {env: {UCX_TLS: rc}}}`.
    """
    ends = list(transferring(servers))
    if len({vllm.workload.role for vllm in ends}) < 2:
        return
    first, *others = ends
    for vllm in others:
        names = {name for each in (first, vllm) for name in each.names if name.startswith(_TRANSPORT)}
        for name in sorted(names):
            if first.sets(name) != vllm.sets(name):
                says = f"{name} is {vllm.sets(name)} here, {first.sets(name)} at the other end"
                yield vllm.found("env", name, says=says, fix=f"set {name} alike at both ends")
        ours, theirs = dict(vllm.nixl or {}), dict(first.nixl or {})
        for key in sorted({*ours, *theirs} - {"kv_role", "engine_id", "kv_rank"}):
            if ours.get(key) != theirs.get(key):
                says = f"NixlConnector's {key} is {ours.get(key)} here, {theirs.get(key)} at the other end"
                yield vllm.found("args", f"--{TRANSFER_FLAG}", key, says=says, fix="write the same at both ends")


@rule("VER074", "error", "the other end cannot find a pod's side channel")
def side_channel_is_the_pods_address(servers: Servers) -> Iterator[Draft]:
    """Decode reads a prefill pod's memory layout over the side channel, at the address that VLLM_NIXL_SIDE_CHANNEL_HOST
    gives. Its default is localhost, where the other pod is not.

    Fails:  `{path: pd-disaggregation, decode: {pod: {containers: [{name: vllm, env: [{name:
            VLLM_NIXL_SIDE_CHANNEL_HOST, value: localhost, valueFrom: null}]}]}}}`.
    Passes: `{path: pd-disaggregation}`.
    """
    for vllm in transferring(servers):
        if vllm.field_of(SIDE_CHANNEL) != "status.podIP":
            says = f"{SIDE_CHANNEL} of container {vllm.name} is not the pod's address"
            yield vllm.found("env", SIDE_CHANNEL, says=says, fix=f"take {SIDE_CHANNEL} from status.podIP")


@rule("EFA002", "warning", "KV caches travel over TCP")
def transfer_over_tcp(plan: Plan) -> Iterator[Draft]:
    """UCX moves KV caches over TCP where pods have no EFA. That works, and is about a hundred times slower: prompts
    wait for their KV cache longer than computing it again would take.

    Fails:  `{path: pd-disaggregation, instanceTypes: [g6e.4xlarge], transfer: {backend: UCX}}`.
    Passes: `{path: pd-disaggregation, transfer: {backend: LIBFABRIC}}` on instance types with EFA.
    """
    slow = [role for role in _planned(plan) if not role.efa_per_pod]
    if slow and plan.spec.asked.transfer.backend == "UCX":
        types = " and ".join(dict.fromkeys(role.node.instance.name for role in slow))
        says = f"without EFA on {types} KV caches go over TCP, about a hundred times slower"
        fix = "use instance types with EFA and backend: LIBFABRIC, or inference-scheduling, which transfers nothing"
        yield found(*BACKEND, says=says, fix=fix)


@rule("EFA004", "error", "KV transfer over EFA without RDMA")
def transfer_has_rdma(plan: Plan) -> Iterator[Draft]:
    """NIXL reads the other side's GPU memory. EFA of the G5 family has no RDMA: FI_EFA_USE_DEVICE_RDMA=1 aborts there,
    and without it libfabric has nothing to read with.

    Fails:  `{path: pd-disaggregation, instanceTypes: [g5.48xlarge]}`.
    Passes: `{path: pd-disaggregation, instanceTypes: [p4d.24xlarge]}`; `{instanceTypes: [g5.48xlarge]}` with
            inference-scheduling.
    """
    for role, names in _by_type(plan):
        instance = role.node.instance
        if instance.efa.interfaces and not instance.efa.rdma:
            says = f"KV transfer of {names} needs RDMA, and the EFA of {instance.name} has none"
            fix = "use g6, g6e, p4d or later, or a path that transfers nothing, such as inference-scheduling"
            yield found(*hardware(plan, role), says=says, fix=fix)


@rule("EFA005", "error", "prefill and decode on EFA that does not interoperate")
def ends_interoperate(plan: Plan) -> Iterator[Draft]:
    """EFA of P4d and P4de speaks to no other instance type. The transfer between such roles never connects.

    Fails:  `{path: pd-disaggregation, prefill: {instanceType: p4d.24xlarge}}` with decode on p5.48xlarge.
    Passes: `{path: pd-disaggregation, instanceTypes: [p4d.24xlarge]}` for both;
            `{path: pd-disaggregation, prefill: {instanceType: p5e.48xlarge}}`.
    """
    ends = _two_ends(plan)
    closed = [end for end in ends if _is_closed(plan, end)]
    if len(closed) == 1:
        [alone] = closed
        other = next(end for end in ends if end is not alone)
        first, second = alone.node.instance.name, other.node.instance.name
        says = f"EFA of {first} ({alone.name}) does not speak to {second} ({other.name})"
        yield found(*hardware(plan, ends[0]), says=says, fix=f"put both roles on {second}, or both on {first}")


@rule("EFA009", "warning", "EFA may not reach GPU memory")
def interfaces_reach_gpu_memory(plan: Plan) -> Iterator[Draft]:
    """With GPUDirect RDMA the transfer reads GPU memory directly. AWS does not state it for G6, G6e, G7, g7e.8xlarge,
    and p5.4xlarge has none: KV caches then go through host memory, or the transfer fails at its first request.

    Fails:  `{path: pd-disaggregation, instanceTypes: [g6e.48xlarge]}`.
    Passes: `{path: pd-disaggregation}` on p5.48xlarge; `{path: pd-disaggregation, instanceTypes: [g7e.48xlarge]}`.
    """
    for role, names in _by_type(plan):
        efa = role.node.instance.efa
        if efa.rdma and not efa.gpudirect:
            known = "AWS does not say whether EFA reaches" if efa.gpudirect is None else "EFA does not reach"
            says = f"{known} GPU memory on {role.node.instance.name}, which the KV transfer of {names} needs"
            fix = "try the transfer before relying on it, or use p4d.24xlarge, p5.48xlarge, g7e.12xlarge or larger"
            yield found(*hardware(plan, role), says=says, fix=fix)


@rule("EFA011", "warning", "a block size that slows LIBFABRIC down")
def blocks_are_large(plan: Plan) -> Iterator[Draft]:
    """LIBFABRIC posts a descriptor for each block, which blocks vLLM's worker meanwhile. Keep to 128 tokens a block.

    Fails:  `{path: pd-disaggregation, engine: {args: {block-size: 16}}}`.
    Passes: `{path: pd-disaggregation}`, which is 128.
    """
    if plan.spec.asked.transfer.backend != "LIBFABRIC":
        return
    wanted = plan.engine["transfer_block_size"]
    for route, role in {role.flag_at("block-size"): role for role in _planned(plan)}.items():
        if role.block_size != wanted:
            says = f"{role.block_size} tokens a block with LIBFABRIC, whose cost grows with the number of blocks"
            yield found(*route, says=says, fix=f"set block-size: {wanted}")


@rule("EFA014", "warning", "prefill and decode on different EFA generations")
def one_generation(plan: Plan) -> Iterator[Draft]:
    """The slower end sets the pace of the transfer, and AWS documents EFA between equal types best.

    Fails:  `{path: pd-disaggregation, instanceTypes: [p5en.48xlarge], prefill: {instanceType: p5.48xlarge}}`, v2 to v3.
    Passes: `{path: pd-disaggregation, instanceTypes: [p5en.48xlarge]}`;
            `{path: pd-disaggregation, prefill: {instanceType: p5e.48xlarge}}`, which are both v2.
    """
    ends = _two_ends(plan)
    if ends and not any(_is_closed(plan, end) for end in ends):
        prefill, decode = (end.node.instance for end in ends)
        if prefill.efa.generation != decode.efa.generation:
            says = f"prefill has EFA {prefill.efa.generation} ({prefill.name})"
            says += f", decode {decode.efa.generation} ({decode.name})"
            fix = "put both roles on one instance type, or try the transfer between them first"
            yield found(*hardware(plan, ends[0]), says=says, fix=fix)


def _is_closed(plan: Plan, role: RolePlan) -> bool:
    """Whether EFA of the role's nodes speaks to that of their own family alone."""
    closed: list[str] = plan.platform["efa_closed_families"]["families"]
    return role.node.instance.name.partition(".")[0] in closed


def _planned(plan: Plan) -> list[RolePlan]:
    """Both ends of the KV transfer as they are planned; none where the path has no prefill servers."""
    return [*plan.roles] if plan.disaggregated else []


def _by_type(plan: Plan) -> Iterator[tuple[RolePlan, str]]:
    """Of the ends that have EFA the first on each instance type, and the names of all on it: "prefill and decode"."""
    for pool in plan.pools:
        roles = [role for role in _planned(plan) if role.efa_per_pod and role.name in pool.roles]
        if roles:
            yield roles[0], " and ".join(role.name for role in roles)


def _two_ends(plan: Plan) -> tuple[RolePlan, ...]:
    """Prefill and decode where both have EFA and their instance types differ."""
    ends = {role.name: role for role in _planned(plan) if role.efa_per_pod}
    if len(ends) < 2 or ends["prefill"].node.instance.name == ends["decode"].node.instance.name:
        return ()
    return ends["prefill"], ends["decode"]
