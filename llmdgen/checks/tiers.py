"""Cache tiers below GPU memory against the KV connectors that fill them."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.checks._places import flag
from llmdgen.checks.ends import TRANSFER_FLAG
from llmdgen.engine.checks.connectors import with_children
from llmdgen.engine.checks.values import MULTI
from llmdgen.engine.flags import flag_table
from llmdgen.planning.model import Plan
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import one_of
from llmdgen.untyped import mapping


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
    for route, role in {flag(role, TRANSFER_FLAG): role for role in reversed(plan.roles)}.items():
        given = mapping(role.flags.get(TRANSFER_FLAG))
        names = [str(each.get("kv_connector")) for _, each in with_children(given)] if given else []
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
