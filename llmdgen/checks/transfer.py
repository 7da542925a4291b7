"""The KV transfer between prefill and decode: a backend that drives EFA, and two ends that match."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.checks._places import by_type, family, flag, hardware, transferring, type_of
from llmdgen.engine.checks.connectors import EXTRA, with_children
from llmdgen.engine.checks.values import MULTI, shown
from llmdgen.engine.flags import flag_table
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import one_of
from llmdgen.untyped import mapping

TRANSFER_BLOCK = 128
TRANSFER_FLAG = "kv-transfer-config"
NIXL = "NixlConnector"
SHARED_FLAGS = ("max-model-len", "revision", "hf-overrides", "attention-backend")
BACKEND = ("spec", "transfer", "backend")


@rule("EFA002", "warning", "KV caches travel over TCP")
def transfer_over_tcp(plan: Plan) -> Iterator[Draft]:
    """UCX moves KV caches over TCP where pods have no EFA. That works, and is about a hundred times slower: prompts
    wait for their KV cache longer than computing it again would take.

    Fails:  transfer {backend: UCX} on g6e.4xlarge.
    Passes: transfer {backend: LIBFABRIC} on instance types with EFA.
    """
    slow = [role for role in transferring(plan) if not role.efa_per_pod]
    if slow and plan.spec.spec.transfer.backend == "UCX":
        types = " and ".join(dict.fromkeys(role.node.instance.name for role in slow))
        yield found(
            *BACKEND,
            says=f"without EFA on {types} KV caches go over TCP, about a hundred times slower",
            fix="use instance types with EFA and backend: LIBFABRIC, or inference-scheduling, which transfers nothing",
        )


@rule("EFA004", "error", "KV transfer over EFA without RDMA")
def transfer_has_rdma(plan: Plan) -> Iterator[Draft]:
    """NIXL reads the other side's GPU memory. EFA of the G5 family has no RDMA: FI_EFA_USE_DEVICE_RDMA=1 aborts there,
    and without it libfabric has nothing to read with.

    Fails:  pd-disaggregation on g5.48xlarge.
    Passes: pd-disaggregation on g6e.48xlarge or p4d.24xlarge; inference-scheduling on g5.48xlarge.
    """
    for role, names in by_type([role for role in transferring(plan) if role.efa_per_pod]):
        instance = role.node.instance
        if instance.efa.interfaces and not instance.efa.rdma:
            yield found(
                *hardware(plan, role),
                says=f"KV transfer of {names} needs RDMA, and the EFA of {instance.name} has none",
                fix="use g6, g6e, p4d or later, or a path that transfers nothing, such as inference-scheduling",
            )


@rule("EFA005", "error", "prefill and decode on EFA that does not interoperate")
def ends_interoperate(plan: Plan) -> Iterator[Draft]:
    """EFA of P4d and P4de speaks to no other instance type. The transfer between such roles never connects.

    Fails:  prefill on p4d.24xlarge, decode on p5.48xlarge.
    Passes: both on p4d.24xlarge, or both on p5 and later.
    """
    ends = _two_ends(plan)
    closed = plan.platform["efa_closed_families"]["families"]
    if ends and any(family(end) in closed for end in ends) and any(family(end) not in closed for end in ends):
        prefill, decode = ends
        alone, other = (prefill, decode) if family(prefill) in closed else (decode, prefill)
        yield found(
            *hardware(plan, prefill),
            says=f"EFA of {type_of(alone)} ({alone.name}) does not speak to {type_of(other)} ({other.name})",
            fix=f"put both roles on {type_of(other)}, or both on {type_of(alone)}",
        )


@rule("EFA009", "warning", "EFA may not reach GPU memory")
def interfaces_reach_gpu_memory(plan: Plan) -> Iterator[Draft]:
    """With GPUDirect RDMA the transfer reads GPU memory directly. AWS does not state it for G6, G6e, G7 and
    g7e.8xlarge, and p5.4xlarge has none: the KV cache then goes through host memory, or the transfer fails at its first
    request.

    Fails:  pd-disaggregation on g6e.48xlarge.
    Passes: pd-disaggregation on p5.48xlarge or g7e.48xlarge.
    """
    for role, names in by_type([role for role in transferring(plan) if role.efa_per_pod]):
        efa = role.node.instance.efa
        if efa.rdma and not efa.gpudirect:
            known = "AWS does not say whether EFA reaches" if efa.gpudirect is None else "EFA does not reach"
            yield found(
                *hardware(plan, role),
                says=f"{known} GPU memory on {type_of(role)}, which the KV transfer of {names} needs",
                fix="try the transfer before relying on it, or use p4d.24xlarge, p5.48xlarge, g7e.12xlarge or larger",
            )


@rule("EFA010", "error", "prefill and decode with different block sizes")
def ends_share_the_block_size(plan: Plan) -> Iterator[Draft]:
    """NIXL transfers whole KV blocks: both ends must cut the KV cache alike.

    Fails:  prefill {args: {block-size: 64}} beside decode's 128.
    Passes: block-size in `engine.args`, or nowhere, which is 128 for both.
    """
    sizes = {role.name: role.block_size for role in transferring(plan)}
    if len(set(sizes.values())) > 1:
        odd = next((role for role in plan.roles if "block-size" in _own(plan, role)), plan.roles[0])
        yield found(
            *flag(odd, "block-size"),
            says=f"prefill has blocks of {sizes['prefill']} tokens, decode of {sizes['decode']}",
            fix=f"set block-size: {TRANSFER_BLOCK} in engine.args and remove it from the roles",
        )


@rule("EFA011", "warning", "a block size that slows LIBFABRIC down")
def blocks_are_large(plan: Plan) -> Iterator[Draft]:
    """LIBFABRIC posts a descriptor for each block, and posting them blocks vLLM's worker. 128 tokens a block is the
    size to keep.

    Fails:  engine {args: {block-size: 16}} with pd-disaggregation.
    Passes: the same without block-size, which is 128.
    """
    if plan.spec.spec.transfer.backend != "LIBFABRIC":
        return
    for route, role in {flag(role, "block-size"): role for role in transferring(plan)}.items():
        if role.block_size != TRANSFER_BLOCK:
            yield found(
                *route,
                says=f"{role.block_size} tokens a block with LIBFABRIC, whose cost grows with the number of blocks",
                fix=f"set block-size: {TRANSFER_BLOCK}",
            )


@rule("EFA013", "error", "UCX on pods with EFA")
def ucx_does_not_drive_efa(plan: Plan) -> Iterator[Draft]:
    """UCX on EFA is not a supported combination: it falls back to TCP without a word while the interfaces stay idle.

    NIXL takes UCX too where kv_connector_extra_config names no backends.

    Fails:  transfer {backend: UCX} on p5.48xlarge; args {kv-transfer-config: {kv_connector: NixlConnector, kv_role:
            kv_both}} there.
    Passes: transfer {backend: LIBFABRIC} on p5.48xlarge.
    """
    driven = [role for role in transferring(plan) if role.efa_per_pod]
    yield from dict.fromkeys(each for role in driven for each in _own_backends(role))
    if driven and plan.spec.spec.transfer.backend == "UCX":
        everywhere = len(driven) == 2
        role = driven[0]
        yield found(
            *BACKEND,
            says=f"{role.name} pods have {role.efa_per_pod} EFA interfaces on {type_of(role)}, and UCX "
            "does not drive EFA",
            fix="set backend: LIBFABRIC"
            if everywhere
            else "put both roles on types with EFA and set backend: LIBFABRIC",
        )


@rule("EFA014", "warning", "prefill and decode on different EFA generations")
def one_generation(plan: Plan) -> Iterator[Draft]:
    """The slower end sets the pace of the transfer, and AWS documents EFA between equal types best.

    Fails:  prefill on p5.48xlarge (v2), decode on p5en.48xlarge (v3).
    Passes: both on p5en.48xlarge; p5.48xlarge and p5e.48xlarge, which are both v2.
    """
    ends = _two_ends(plan)
    closed = plan.platform["efa_closed_families"]["families"]
    if ends and not any(family(end) in closed for end in ends):
        prefill, decode = ends
        first, second = prefill.node.instance.efa.generation, decode.node.instance.efa.generation
        if first != second:
            yield found(
                *hardware(plan, prefill),
                says=f"prefill has EFA {first} ({type_of(prefill)}), decode {second} ({type_of(decode)})",
                fix="put both roles on one instance type, or try the transfer between them first",
            )


@rule("EFA015", "error", "prefill and decode with different KV cache types")
def ends_share_the_kv_cache_type(plan: Plan) -> Iterator[Draft]:
    """The NIXL connector compares a hash of vLLM version, model, data type and KV cache type at its first contact, and
    refuses an end that differs.

    Fails:  decode {args: {kv-cache-dtype: fp8}} beside prefill's auto.
    Passes: engine {args: {kv-cache-dtype: fp8}}.
    """
    roles = transferring(plan)
    for name in ("kv-cache-dtype", "dtype"):
        values = {role.name: str(role.flags.get(name, "auto")) for role in roles}
        if len(set(values.values())) > 1:
            odd = next((role for role in roles if name in _own(plan, role)), roles[0])
            yield found(
                *flag(odd, name),
                says=f"{name} is {values['prefill']} for prefill and {values['decode']} for decode",
                fix=f"set {name} in engine.args and remove it from the roles",
            )


@rule("EFA017", "error", "one end of the KV transfer has no NixlConnector")
def ends_have_the_connector(plan: Plan) -> Iterator[Draft]:
    """Prefill writes KV blocks and decode reads them by the NixlConnector, on its own or inside a MultiConnector; the
    routing sidecar speaks its protocol and no other connector's. With it at one end only, or at none, decode computes
    every prompt again.

    Fails:  prefill {args: {kv-transfer-config: {kv_connector: OffloadingConnector, ...}}}; kv-transfer-config: null.
    Passes: kv-transfer-config left to the path; a MultiConnector of NixlConnector and OffloadingConnector.
    """
    for route, role in {flag(role, TRANSFER_FLAG): role for role in reversed(transferring(plan))}.items():
        given = mapping(role.flags.get(TRANSFER_FLAG))
        names = [str(each.get("kv_connector")) for _, each in with_children(given)] if given else []
        # A misspelt name is VLLM005's, and a module of one's own is not known here.
        strange = any(name not in flag_table(plan.release.name).connectors for name in names)
        if NIXL not in names and not strange and not given.get("kv_connector_module_path"):
            says = f"{role.name} has {one_of(names) if names else 'no KV connector'}, and the transfer needs {NIXL}"
            fix = f"remove {TRANSFER_FLAG}: the path writes it"
            if NIXL not in names and names:
                fix += f", or name {NIXL} and this one inside a {MULTI}"
            name = ("kv_connector",) if names and route[-1:] == (TRANSFER_FLAG,) else ()
            yield found(*route, *name, says=says, fix=fix)


@rule("EFA018", "error", "prefill and decode that serve different models or lengths")
def ends_serve_the_same(plan: Plan) -> Iterator[Draft]:
    """The sidecar hands a request on as it came: prefill must take every prompt that decode takes, by the same weights,
    and the NIXL connector refuses an end whose layers, heads or attention backend differ.

    Fails:  prefill {args: {max-model-len: 8192}} beside decode's 32000; attention-backend in one role's args.
    Passes: the same flag in engine.args.
    """
    roles = transferring(plan)
    for name in SHARED_FLAGS:
        values = {role.name: role.flags.get(name) for role in roles}
        if len({repr(value) for value in values.values()}) > 1:
            odd = next((role for role in roles if name in _own(plan, role)), roles[0])
            unset = "the default"
            prefill, decode = (unset if values[each] is None else shown(values[each]) for each in ("prefill", "decode"))
            yield found(
                *flag(odd, name),
                says=f"{name} is {prefill} for prefill and {decode} for decode",
                fix=f"set {name} in engine.args and remove it from the roles",
            )


def _own_backends(role: RolePlan) -> Iterator[Draft]:
    """Where the spec's own connector settings leave NIXL to UCX."""
    route = flag(role, TRANSFER_FLAG)
    if route[-1:] != (TRANSFER_FLAG,):
        return
    for inside, each in with_children(mapping(role.flags.get(TRANSFER_FLAG))):
        backends = mapping(each.get(EXTRA)).get("backends") or []
        # Text instead of a list, and names that NIXL does not have, are VLLM006's.
        usual = isinstance(backends, list | tuple) and all(name == "UCX" for name in backends)
        if each.get("kv_connector") == NIXL and usual:
            named = "names UCX" if backends else "names no backends, so that NIXL takes UCX"
            yield found(
                *route,
                *inside,
                *((EXTRA, "backends") if "backends" in mapping(each.get(EXTRA)) else ()),
                says=f"kv_connector_extra_config {named}, which does not drive the EFA interfaces of the pods",
                fix="add kv_connector_extra_config: {backends: [LIBFABRIC]}, or remove kv-transfer-config: the path "
                "writes it",
            )


def _two_ends(plan: Plan) -> tuple[RolePlan, RolePlan] | None:
    """Prefill and decode where both have EFA and their instance types differ."""
    ends = {role.name: role for role in transferring(plan) if role.efa_per_pod}
    if len(ends) < 2 or ends["prefill"].node.instance.name == ends["decode"].node.instance.name:
        return None
    return ends["prefill"], ends["decode"]


def _own(plan: Plan, role: RolePlan) -> dict[str, object]:
    """The role's own vLLM flags in the spec."""
    asked = getattr(plan.spec.spec, role.name)
    return dict(asked.args) if asked else {}
