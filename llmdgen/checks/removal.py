"""Flags that a spec takes out of what its path sets."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.engine.facts import taken
from llmdgen.engine.flags import flag_table
from llmdgen.planning.model import Plan
from llmdgen.registry import Draft, found, rule

# Flags that a path sets for some models and instance types only, so that a null is idle for the others.
SOMETIMES_SET = ("enable-eplb", "eplb-config")


@rule("VLLM030", "error", "a flag without a value")
def nulls_remove_something(plan: Plan) -> Iterator[Draft]:
    """Null under args leaves out a flag that the path, or engine.args, sets. Where nothing sets the flag, the value is
    missing, and vLLM would take its default without a word.

    Fails:  `{engine: {args: {max-num-seqs: null}}}`, where nothing sets it.
    Passes: `{path: pd-disaggregation, engine: {args: {block-size: null}}}`, whose 128 then gives way to vLLM's 16.
    """
    table, elsewhere = flag_table(plan.release.name), taken(plan.release.name).flags
    used = {role.flag_routes[flag] for role in plan.roles for flag in role.removed}
    nulls = {role.flag_routes[flag]: flag for role in plan.roles for flag, value in role.flags.items() if value is None}
    for route, flag in nulls.items():
        known = table.get(flag) is not None and flag not in elsewhere and flag not in SOMETIMES_SET
        if known and route not in used:
            says = f"{flag} has no value, and nothing sets it that null would leave out"
            yield found(*route, says=says, fix="write a value after the colon, or delete the key", on_key=True)
