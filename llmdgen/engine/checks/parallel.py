"""Parallelism: ranks, experts and what carries their tokens."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.engine.checks.environment import ALL2ALL, reads_backend
from llmdgen.engine.checks.settings import RoleSettings, integer
from llmdgen.engine.facts import taken
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import one_of
from llmdgen.untyped import mapping

BACKEND = "all2all-backend"
DEEPEP = ("deepep_low_latency", "deepep_high_throughput")


@rule("VLLM011", "error", "dual batch overlap without DeepEP")
def dual_batch_needs_deepep(role: RoleSettings) -> Iterator[Draft]:
    """--enable-dbo runs two half batches in turn, so that one computes while the other's tokens travel. vLLM stops
    where the all2all backend is not DeepEP, and DeepEP does not run on EFA.

    Fails:  args: {enable-dbo: true}.
    Passes: args without it; the backend allgather_reducescatter has no overlap.
    """
    micro = integer(role.args.get("ubatch-size")) or 0
    for flag, on in (("enable-dbo", role.args.get("enable-dbo") is True), ("ubatch-size", micro > 1)):
        if on and _backend(role) not in DEEPEP:
            says = f"--{flag} needs a DeepEP backend, and {BACKEND} is {_backend(role)}"
            yield role.found(flag, says=says, fix=f"remove {flag}: DeepEP does not run on EFA", on_key=True)


@rule("VLLM014", "error", "an all2all backend that cannot run here")
def backend_runs_on_efa(role: RoleSettings) -> Iterator[Draft]:
    """vLLM's parser takes every backend it has ever had. DeepEP needs NVSHMEM's IBGDA transport, which drives Mellanox
    mlx5 and no EFA; pplx-kernels are not in the image; MoRI is for AMD. allgather_reducescatter runs on NCCL over EFA.

    Fails:  args: {all2all-backend: deepep_low_latency}.
    Passes: args: {all2all-backend: allgather_reducescatter}.
    """
    reasons = taken(role.release).all2all_backends
    backend = role.args.get(BACKEND)
    if isinstance(backend, str) and backend in reasons:
        says = f"{BACKEND} {backend} cannot run: {reasons[backend]}"
        yield role.found(BACKEND, says=says, fix="write allgather_reducescatter")


@rule("VLLM012", "error", "data or expert parallel settings that vLLM refuses")
def ranks_fit_together(role: RoleSettings) -> Iterator[Draft]:
    """vLLM stops where data parallel ranks, their load balancing and expert parallelism contradict each other. Hybrid
    load balancing (each pod balances over its own ranks) needs several ranks in a pod; expert load balancing
    (--enable-eplb) needs expert parallelism over more than one GPU, a mixture of experts, and physical experts
    (routed and redundant) that divide by the ranks.

    Fails:  args: {enable-eplb: true} with parallelism: {expert: false}.
    Passes: args: {enable-eplb: true} with parallelism: {expert: true, tensor: 1, dataLocal: 8}.
    """
    yield from _load_balancing(role)
    yield from _expert_balancing(role)


@rule("VLLM018", "error", "a tensor parallel size that vLLM refuses")
def tensor_parallel_size_fits(role: RoleSettings) -> Iterator[Draft]:
    """Every tensor parallel rank is a GPU of one node and holds an equal share of the attention heads; where there are
    fewer KV heads than ranks, each is copied to an equal number of ranks.

    Fails:  parallelism: {tensor: 16} on a node of 8 GPUs; tensor: 3 for a model of 64 attention heads.
    Passes: parallelism: {tensor: 8} for a model of 64 attention heads and 8 KV heads.
    """
    numbers = role.numbers
    tensor = numbers.tensor
    at = role.flag_routes.get("tensor-parallel-size", ())
    if numbers.gpus and tensor > numbers.gpus:
        says = f"tensor parallel size {tensor} is more than the node's {numbers.gpus} GPUs"
        one = "1" if numbers.gpus == 1 else f"{numbers.gpus} or less"
        yield found(*at, says=says, fix=f"set parallelism.tensor to {one}")
    elif numbers.attention_heads and numbers.attention_heads % tensor:
        says = f"the model's {numbers.attention_heads} attention heads do not divide by tensor parallel size {tensor}"
        yield found(*at, says=says, fix=f"set parallelism.tensor to {_divisors(numbers.attention_heads, numbers.gpus)}")
    elif numbers.kv_heads and not numbers.mla and max(numbers.kv_heads, tensor) % min(numbers.kv_heads, tensor):
        says = f"the model's {numbers.kv_heads} KV heads do not spread evenly over tensor parallel size {tensor}"
        yield found(*at, says=says, fix=f"set parallelism.tensor to {_divisors(numbers.kv_heads, numbers.gpus)}")


@rule("VLLM029", "error", "context parallelism that the tensor parallel ranks do not hold")
def context_parallel_size_fits(role: RoleSettings) -> Iterator[Draft]:
    """Decode context parallelism shares a request's KV cache among tensor parallel ranks that would hold copies of it:
    its size divides the tensor parallel size. Of a model with KV heads there are copies only where there are more ranks
    than heads, and the heads that ask each KV head divide by it too. vLLM stops at anything else.

    Fails:  args: {decode-context-parallel-size: 2} for Qwen/Qwen3-32B (8 KV heads) with tensor: 8.
    Passes: args: {decode-context-parallel-size: 8} for deepseek-ai/DeepSeek-R1-0528 with tensor: 8.
    """
    numbers, flag = role.numbers, "decode-context-parallel-size"
    size, tensor = integer(role.args.get(flag)), numbers.tensor
    if size is None or size < 2:
        return
    heads = None if numbers.mla else numbers.kv_heads
    copies = max(1, tensor // heads) if heads else tensor
    fitting = [each for each in range(2, copies + 1) if not tensor % each]
    asking = (numbers.attention_heads or 0) // heads if heads else 0
    if tensor % size:
        says = f"{flag} {size} does not divide the tensor parallel size {tensor}"
        yield role.found(flag, says=says, fix=f"set it to {one_of(map(str, fitting))}" if fitting else "remove it")
    elif size > copies:
        says = f"{flag} {size} needs {size} copies of the model's {heads} KV heads, tensor parallel size {tensor} has "
        yield role.found(flag, says=f"{says}{copies}", fix="remove it" if copies < 2 else f"set it to {copies} or less")
    elif asking % size:
        says = f"the {asking} heads that ask each KV head do not divide by {flag} {size}"
        yield role.found(flag, says=says, fix="set it to a number that divides them, or remove it")


def _load_balancing(role: RoleSettings) -> Iterator[Draft]:
    numbers, args = role.numbers, role.args
    hybrid, external = args.get("data-parallel-hybrid-lb") is True, args.get("data-parallel-external-lb") is True
    local = integer(args.get("data-parallel-size-local")) or numbers.data_local
    if hybrid and external:
        says = "hybrid and external load balancing exclude each other"
        yield role.found("data-parallel-external-lb", says=says, fix="keep one of the two", on_key=True)
    elif hybrid and local < 2 and numbers.routed_experts != 0:  # a dense model has no several pods at all: PAR002
        # The chart writes --data-parallel-size-local only above 1, and vLLM wants it written.
        says = f"hybrid load balancing needs several ranks in a pod, here are {local}"
        at = role.flag_routes.get("tensor-parallel-size", role.at("data-parallel-hybrid-lb"))
        yield found(*at, says=says, fix="set parallelism.dataLocal to 2 or more")
    elif external and numbers.data < 2:
        says = "external load balancing needs a data parallel size above 1"
        yield role.found("data-parallel-external-lb", says=says, fix="set parallelism.data")
    if hybrid and args.get("headless") is True:
        says = "hybrid load balancing needs an API server in each pod, and --headless starts none"
        yield role.found("headless", says=says, fix="remove headless", on_key=True)
    start = integer(args.get("data-parallel-start-rank"))
    if start is not None and start >= numbers.data:
        says = f"data parallel start rank {start} is not below the data parallel size {numbers.data}"
        yield role.found("data-parallel-start-rank", says=says, fix=f"write 0 to {numbers.data - 1}")
    if local > numbers.data:
        says = f"{local} local data parallel ranks are more than the data parallel size {numbers.data}"
        fix = f"set parallelism.dataLocal to {numbers.data} or less"
        yield role.found("data-parallel-size-local", says=says, fix=fix)


def _expert_balancing(role: RoleSettings) -> Iterator[Draft]:
    numbers, config, flag = role.numbers, mapping(role.args.get("eplb-config")), "enable-eplb"
    ranks, experts = numbers.tensor * numbers.data, numbers.routed_experts
    redundant = integer(config.get("num_redundant_experts")) or 0
    if role.args.get(flag) is not True:
        if redundant > 0:
            says = f"{redundant} redundant experts need --{flag}"
            yield role.found("eplb-config", "num_redundant_experts", says=says, fix=f"add {flag}: true")
        return
    if experts == 0:
        yield role.found(flag, says=f"--{flag} needs a mixture of experts, and the model is dense", fix="remove it")
    elif role.args.get("enable-expert-parallel") is not True:
        yield role.found(flag, says=f"--{flag} needs expert parallelism", fix="set parallelism.expert: true")
    elif ranks < 2:
        yield role.found(flag, says=f"--{flag} needs more than one rank", fix="set parallelism.tensor or data")
    # A negative number is VLLM003's.
    if experts and redundant >= 0 and (experts + redundant) % ranks:
        says = f"{experts} routed and {redundant} redundant experts do not divide by {ranks} ranks"
        fix = f"set eplb-config.num_redundant_experts to {redundant + -(experts + redundant) % ranks}"
        inside = ("num_redundant_experts",) if "num_redundant_experts" in config else ()
        yield role.found("eplb-config", *inside, says=says, fix=fix)


def _backend(role: RoleSettings) -> str:
    return str((reads_backend(role) and role.env.get(ALL2ALL)) or role.value(BACKEND))


def _divisors(heads: int, gpus: int | None) -> str:
    fitting = [size for size in range(1, (gpus or heads) + 1) if not heads % size]
    return ", ".join(map(str, fitting))
