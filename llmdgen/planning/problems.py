"""What keeps a spec from having a plan at all. Everything else that can be wrong is a check over the finished plan."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.composition.connectors import LMCACHE
from llmdgen.composition.contribution import Situation
from llmdgen.composition.fold import Folded
from llmdgen.composition.names import RoleName
from llmdgen.engine.size import Size
from llmdgen.facts.catalogue import HYPERPOD_PREFIX, model_names
from llmdgen.findings import Finding, Route
from llmdgen.registry import declare
from llmdgen.suggest import did_you_mean

NAME = ("spec", "model", "name")
ABSENT_ROLE = declare("""PATH002 error: a role that the path does not have
    Prefill servers of their own exist only where a path separates prefill from decode.

    Fails:  `prefill:` with `path: inference-scheduling`.
    Passes: the same with `with: [pd-disaggregation]`, or without `prefill:`.
""")
UNEVEN = declare("""PATH003 error: data parallel sizes that do not multiply
    A replica's data parallel size is its local size times its pods; ranks would be missing otherwise.

    Fails:  parallelism {data: 12, dataLocal: 8}.
    Passes: parallelism {data: 16, dataLocal: 8}, which is two pods.
""")
TIERS = declare("""PATH004 error: cache tiers that do not go together
    Where disk and shared storage are tiers of LMCache, as in llm-d v0.5.1 and v0.6.0, it keeps a CPU tier of its own
    above them, and vLLM's OffloadingConnector beside it would hold every block twice. A `cache` section does nothing
    without the path tiered-prefix-cache.

    Fails:  cache {cpu: {connector: offloading}, disk: {...}}; a cache section with `path: pd-disaggregation` alone.
    Passes: cache {cpu: {connector: lmcache}, disk: {...}} with tiered-prefix-cache.
""")
EVENTS = declare("""PATH005 error: KV events from several data parallel ranks
    vLLM adds the data parallel rank to the port of its KV events, and the scheduler listens on one port. Events of
    every rank but the first are lost, and with them what precise prefix routing knows.

    Fails:  precise-prefix-cache with parallelism {data: 8}.
    Passes: precise-prefix-cache with tensor parallelism, or wide-ep with the other scorers.
""")
EXPERTS = declare("""PATH006 error: wide expert parallelism for a model without experts
    Expert parallelism spreads the experts of a mixture of experts. A dense model has none, and vLLM stops at start.

    Fails:  wide-ep with Qwen/Qwen3-32B.
    Passes: wide-ep with deepseek-ai/DeepSeek-R1-0528.
""")
HARDWARE = declare("""FIT005 error: hardware that is not a node with whole GPUs
    The device plugin offers whole GPUs. G6f and Gr6f have a fraction of one and advertise none; an UltraServer is a
    rack of nodes, not a node.

    Fails:  `{instanceTypes: [g6f.4xlarge]}`.
    Passes: `{instanceTypes: [g6.48xlarge]}`, `{instanceTypes: [p6-b200.48xlarge]}`.
""")
ONE_RANK = declare("""PATH009 error: a server of several pods with one rank in each
    Each pod of a server that spans several nodes answers for its own data parallel ranks, and vLLM wants at least
    two of them there: under --data-parallel-hybrid-lb, as llm-d v0.5.1 and v0.6.0 have it, and under the supervisor of
    v0.9.0. A node of one GPU has room for one.

    Fails:  `{path: wide-ep, instanceTypes: [p5.4xlarge]}`; `{path: wide-ep, decode: {parallelism: {tensor: 8}}}`.
    Passes: `{path: wide-ep, instanceTypes: [p5en.48xlarge]}`.
""")
NO_SIZE = declare("""MOD001 error: a model volume of unknown size
    Each pod downloads the weights into a volume whose size has to be known. The facts know it for the models of
    `llmdgen list models`; for others the spec says it, or where the weights are mounted from.

    Fails:  model {name: example/unknown-70b}.
    Passes: the same with size: 160Gi, or with uri: pvc://models/unknown-70b.
""")

CONFIG = declare("""MOD002 error: a config.json that cannot be used
    `model.config` names the Hugging Face config.json of a model that the facts do not know; parallelism, KV cache
    and volume size are computed from it.

    Fails:  a file that is missing, is not JSON, or lacks num_hidden_layers.
    Passes: the config.json of the model's repository, stored beside the spec.
""")


def roles(situation: Situation, present: tuple[RoleName, ...], asked: tuple[RoleName, ...]) -> Iterator[Finding]:
    """Findings on roles, paths and model that no plan can be made around."""
    spec, model = situation.spec.asked, situation.model
    path, cache = " with ".join((spec.path, *spec.with_)), spec.cache
    yield from _hardware(situation, present)
    for role in asked:
        if role not in present:
            fix = f"remove {role}, or compose the path: with: [pd-disaggregation]"
            yield ABSENT_ROLE.at("spec", role, says=f"{path} has no {role} servers of their own", fix=fix, on_key=True)
    tiered = "tiered-prefix-cache" in situation.paths
    if not tiered and (cache.cpu or cache.disk or cache.storage):
        says, fix = f"{path} does not use cache tiers", "add tiered-prefix-cache to `with`, or remove cache"
        yield TIERS.at("spec", "cache", says=says, fix=fix, on_key=True)
    lmcache_alone = tiered and situation.settings["tiered-prefix-cache"]["below_memory"] == LMCACHE
    if lmcache_alone and cache.cpu and cache.cpu.connector == "offloading" and (cache.disk or cache.storage):
        says = f"disk and storage are tiers of LMCache in llm-d {situation.release.name}, and the offloading"
        says += " connector would hold every block twice"
        yield TIERS.at("spec", "cache", "cpu", "connector", says=says, fix="set connector: lmcache, or remove it")
    if "wide-ep" in situation.paths and model is not None and model.experts is None:
        fix = "use pd-disaggregation or inference-scheduling, or a mixture of experts"
        yield EXPERTS.at(*NAME, says=f"{model.id} is a dense model, it has no experts to spread", fix=fix)
    if model is None and spec.model.size is None and not (spec.model.uri or "").startswith("pvc"):
        says = f"{spec.model.name} is not in the model facts, so the size of its volume is not known"
        how = "set model.size, or model.config, or mount the weights with model.uri: pvc://claim/path"
        yield NO_SIZE.at(*NAME, says=says, fix=meant(spec.model.name) + how)


def _hardware(situation: Situation, present: tuple[RoleName, ...]) -> Iterator[Finding]:
    """Instance types that offer no whole GPU, each once."""
    types = {situation.instances[role].name: role for role in reversed(present)}
    for role in types.values():
        instance = situation.instances[role]
        at = _type_of(situation, role)
        if instance.kind != "instance":
            says = f"{instance.name} is an UltraServer, a rack of nodes; pods run on its nodes"
            yield HARDWARE.at(*at, says=says, fix="name the instance type of its nodes, p6e-gb200.36xlarge")
        elif not instance.gpu.count:
            resource = situation.platform["gpu_resource"]
            says = f"{instance.name} has a fraction of a GPU, and its nodes offer no {resource}"
            fix = "use an instance type with whole GPUs, such as g6.4xlarge or g6e.4xlarge"
            yield HARDWARE.at(*at, says=says, fix=fix)


def _type_of(situation: Situation, role: RoleName) -> Route:
    """The place that gives a role its instance type: its own, or the entry of spec.instanceTypes."""
    own: Route = ("spec", role, "instanceType")
    if own in situation.spec.places:
        return own
    names = [name.removeprefix(HYPERPOD_PREFIX) for name in situation.spec.asked.instance_types]
    name = situation.instances[role].name
    return ("spec", "instanceTypes", *([names.index(name)] if name in names else []))


def sizes(situation: Situation, settled: dict[RoleName, Size]) -> Iterator[Finding]:
    """Findings on parallelism whose parts contradict each other, or what vLLM can do."""
    for role, size in settled.items():
        gpus = situation.instances[role].gpu.count
        if "wide-ep" in situation.paths and size.workers > 1 and size.data_local < 2:
            at: Route = ("spec", role, "parallelism")
            fix = "set dataLocal to 2 or more"
            if gpus < 2:
                at, fix = _type_of(situation, role), "use an instance type with several GPUs, such as p5en.48xlarge"
            elif size.tensor * 2 > gpus:
                fix = f"set tensor to {gpus // 2} or less"
            says = f"{role} spreads over {size.workers} pods with 1 rank in each, and vLLM wants several"
            why = f": {situation.instances[role].name} has 1 GPU" if gpus < 2 else ""
            yield ONE_RANK.at(*at, says=says + why, fix=fix)
        if size.data != size.data_local * size.workers:
            says = f"data {size.data} is not dataLocal {size.data_local} x workers {size.workers}"
            fix = f"set data to {size.data_local * size.workers}, or leave one of the three out"
            yield UNEVEN.at("spec", role, "parallelism", "data", says=says, fix=fix)


def composition(folded: Folded, settled: dict[RoleName, Size]) -> Iterator[Finding]:
    """Findings on what the composed paths ask of the sizes."""
    for role, size in settled.items():
        if folded.kv_events and size.data > 1:
            says = f"{role} has {size.data} data parallel ranks, and the scheduler hears only the first"
            fix = "leave precise-prefix-cache out, or use tensor parallelism with data: 1"
            yield EVENTS.at("spec", role, "parallelism", says=says, fix=fix)


def meant(name: str) -> str:
    """The model of the catalogue that the name may mean, as the beginning of a fix; empty where none is near."""
    near = next((each for each in model_names() if each.startswith(name)), None)
    said = f"did you mean {near}?" if near else did_you_mean(name, model_names(), listed_up_to=0)
    return f"{said} Else " if said else ""
