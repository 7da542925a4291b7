"""Settings of a spec that undo what the plan decided: flags, the model's download, cache tiers, prefix caching."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.checks.efa import SWITCHED_OFF
from llmdgen.checks.ends import TRANSFER_FLAG
from llmdgen.engine.derived import MULTI, connectors_in
from llmdgen.engine.facts import taken
from llmdgen.engine.flags import flag_table
from llmdgen.facts.catalogue import table
from llmdgen.findings import Severity
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.registry import RULES, Draft, found, rule
from llmdgen.suggest import did_you_mean, one_of
from llmdgen.untyped import mapping

# Flags that a path sets for some models and instance types only, so that a null is idle for the others.
SOMETIMES_SET = ("enable-eplb", "eplb-config")


@rule("MOD020", "error", "a download that is switched off")
def weights_may_be_downloaded(plan: Plan) -> Iterator[Draft]:
    """With a uri of hf:// each pod downloads the weights when it starts, into an empty volume. Offline, the Hugging
    Face libraries look into that volume alone, and vLLM stops.

    Fails:  `{engine: {env: {HF_HUB_OFFLINE: "1"}}, model: {uri: hf://Qwen/Qwen3-32B}}`.
    Passes: `{engine: {env: {HF_HUB_OFFLINE: "1"}}, model: {uri: pvc+hf://models/hub/Qwen/Qwen3-32B}}`.
    """
    if not plan.model_uri.startswith("hf://"):
        return
    for role in plan.roles:
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            value = _given(role).get(name)
            if value is not None and value.lower() not in SWITCHED_OFF:
                says = f"{name} forbids the download from {plan.model_uri} that each pod begins with"
                fix = "remove it, or mount the weights with model.uri: pvc+hf://claim/path/org/name"
                yield found(*role.env_routes[name], says=says, fix=fix)


@rule("PATH007", "error", "a variable of a cache tier beside its section of the spec")
def tiers_come_from_the_cache_section(plan: Plan) -> Iterator[Draft]:
    """spec.cache makes the LMCACHE_ variables of a tier, and the memory, volumes and scheduler's capacity that go with
    it. A variable in env would win over it in LMCache alone, and leave the rest with the other size.

    Fails:  `{path: tiered-prefix-cache, cache: {cpu: {connector: lmcache}}, engine: {env: {LMCACHE_MAX_LOCAL_CPU_SIZE:
            "20"}}}`.
    Passes: `{path: tiered-prefix-cache, cache: {cpu: {connector: lmcache, size: 20Gi}}}`.
    """
    if not plan.tiers:
        return
    homes: dict[str, str] = table("platforms.toml")["tier_variables"]
    for role in plan.roles:
        for name in _given(role):
            if name in homes:
                says = f"{name} is what {homes[name]} sets, with all that depends on it"
                yield found(*role.env_routes[name], says=says, fix=f"set {homes[name]}", on_key=True)


@rule("VLLM031", "error", "pods that name the blocks of shared storage differently")
def shared_blocks_have_one_name(plan: Plan) -> Iterator[Draft]:
    """LMCache stores a chunk of KV cache under a hash of its tokens. Pods that share storage find each other's chunks
    only where they cut and hash alike: Python's hash depends on PYTHONHASHSEED, which is random where nothing sets it.
    Otherwise every pod stores everything again, and finds its own alone.

    Fails:  `{path: tiered-prefix-cache, cache: {storage: {claim: kv}}, engine: {env: {PYTHONHASHSEED: random}}}`.
    Passes: `{path: tiered-prefix-cache, cache: {storage: {claim: kv}}}`, where the path sets one seed for all.
    """
    if not any(tier.name == "storage" for tier in plan.tiers):
        return
    for name in table("platforms.toml")["shared_chunks"]["variables"]:
        values = {role.name: next((each.value for each in role.env if each.name == name), None) for role in plan.roles}
        odd = [role for role in plan.roles if name in _given(role)]
        if len(set(values.values())) > 1 and odd:
            each = " and ".join(f"{value or 'unset'} for {role}" for role, value in values.items())
            fix = f"remove {name}, or set it in engine.env"
            yield found(*odd[-1].env_routes[name], says=f"{name} is {each}", fix=fix)
        elif name == "PYTHONHASHSEED" and "random" in values.values():
            says = "with a random hash seed no pod finds what another stored"
            yield found(*odd[-1].env_routes[name], says=says, fix="remove it: the path sets one seed for all")


@rule("PATH008", "error", "a transfer that does not take place")
def transfer_has_two_ends(plan: Plan) -> Iterator[Draft]:
    """spec.transfer is about KV caches on their way from prefill to decode. Without prefill servers nothing reads it.

    Fails:  `{transfer: {backend: UCX}}` with inference-scheduling.
    Passes: `{path: pd-disaggregation, instanceTypes: [g6e.4xlarge], transfer: {backend: UCX}}`, which has no EFA.
    """
    if plan.disaggregated or ("spec", "transfer") not in plan.spec.places:
        return
    says = f"{' with '.join(plan.paths)} transfers no KV caches, and nothing reads transfer"
    fix = "remove transfer, or compose the path: with: [pd-disaggregation]"
    yield found("spec", "transfer", says=says, fix=fix, on_key=True)


@rule("EPP009", "error", "prefix caching switched off under what lives on it")
def prefix_caching_stays_on(plan: Plan) -> Iterator[Draft]:
    """A cache tier stores the blocks that prefix caching has hashed, and KV events report them: without prefix caching
    a tier stays empty, and precise prefix routing never learns of a block.

    Fails:  `{path: tiered-prefix-cache, engine: {args: {enable-prefix-caching: false}}}`.
    Passes: `{path: tiered-prefix-cache}`.
    """
    for role in plan.roles:
        events = plan.scheduler.kv_events_port is not None
        if role.flags.get("enable-prefix-caching") is False and (events or plan.tiers):
            what = "precise prefix routing has no blocks to count" if events else "the cache tiers stay empty"
            route = role.flag_routes["enable-prefix-caching"]
            yield found(*route, says=f"without prefix caching {what}", fix="remove enable-prefix-caching: it is on")


@rule("SPEC022", "error", "a suppression that silences nothing")
def suppressions_name_warnings(plan: Plan) -> Iterator[Draft]:
    """suppress silences warnings and notes. An error stays one, and a code that no rule has silences nothing.

    Fails:  `{suppress: [{code: GW044, reason: it is a private network}]}`.
    Passes: `{gateway: {loadBalancer: {scheme: internet-facing}}, suppress: [{code: GW004, reason: the security group
            admits our VPN only}]}`.
    """
    from llmdgen.checks import load_all

    for index, each in enumerate(plan.spec.asked.suppress):
        if each.code not in RULES:
            load_all()
        at = ("spec", "suppress", index, "code")
        if each.code not in RULES:
            says = f"no rule has the code {each.code}"
            yield found(*at, says=says, fix=did_you_mean(each.code, RULES) or "remove it")
        elif RULES[each.code].severity is Severity.ERROR:
            yield found(*at, says=f"{each.code} is an error, and errors are not silenced", fix="mend what it says")


def _given(role: RolePlan) -> dict[str, str]:
    """The variables of a role that the spec itself sets, with their texts."""
    routes = role.env_routes
    return {each.name: each.value or "" for each in role.env if routes.get(each.name, ())[-1:] == (each.name,)}


@rule("VLLM030", "error", "a flag without a value")
def nulls_remove_something(plan: Plan) -> Iterator[Draft]:
    """Null under args leaves out a flag that the path, or engine.args, sets. Where nothing sets the flag, the value is
    missing, and vLLM would take its default without a word.

    Fails:  `{engine: {args: {max-num-seqs: null}}}`, where nothing sets it.
    Passes: `{path: pd-disaggregation, engine: {args: {block-size: null}}}`, whose 128 then gives way to vLLM's 16.
    """
    table, elsewhere = flag_table(plan.release.name), taken(plan.release.name).flags
    used = {role.flag_routes[flag] for role in plan.roles for flag in role.removed}
    nulls = {role.flag_routes[name]: name for role in plan.roles for name, value in role.flags.items() if value is None}
    for route, name in nulls.items():
        known = table.get(name) is not None and name not in elsewhere and name not in SOMETIMES_SET
        if known and route not in used:
            says = f"{name} has no value, and nothing sets it that null would leave out"
            yield found(*route, says=says, fix="write a value after the colon, or delete the key", on_key=True)


@rule("FIT015", "error", "a cache tier that no KV connector fills")
def tiers_have_their_connector(plan: Plan) -> Iterator[Draft]:
    """A tier of spec.cache is memory or disk that a KV connector moves blocks to. A kv-transfer-config in the spec
    replaces the path's: without the tier's connector in it the pods hold what the tier takes, and store nothing there.

    Fails:  `{path: tiered-prefix-cache, engine: {args: {kv-transfer-config: {kv_connector: NixlConnector, kv_role:
            kv_both, kv_connector_extra_config: {backends: [LIBFABRIC]}}}}}`;
            `{path: tiered-prefix-cache, engine: {args: {kv-transfer-config: null}}}`.
    Passes: `{path: tiered-prefix-cache}`, where the path writes it; a MultiConnector that has the tier's connector
            among its own.
    """
    known = flag_table(plan.release.name).connectors
    for route, role in {role.flag_at(TRANSFER_FLAG): role for role in reversed(plan.roles)}.items():
        given = mapping(role.flags.get(TRANSFER_FLAG))
        names = [str(each.get("kv_connector")) for _, each in connectors_in(given)]
        # A misspelt name is VLLM005's, and a module of the user's is not known here.
        if any(name not in known for name in names) or given.get("kv_connector_module_path"):
            continue
        for connector in dict.fromkeys(tier.connector for tier in plan.tiers if role.name in tier.bytes):
            if connector not in names:
                tiers = " and ".join(tier.name for tier in plan.tiers if tier.connector == connector)
                has = one_of(names) if names else "no KV connector"
                says = f"{role.name} has {has}, and its {tiers} tier is filled by {connector}"
                fix = f"remove {TRANSFER_FLAG}: the paths write it"
                if names:
                    fix += f", or name {connector} and this one inside a {MULTI}"
                key = ("kv_connector",) if names and route[-1:] == (TRANSFER_FLAG,) else ()
                yield found(*route, *key, says=says, fix=fix)
