"""Which flags a spec may name: those of the release's vLLM that are not llmdgen's to set."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from llmdgen.engine.checks.settings import RoleSettings
from llmdgen.engine.facts import history, taken
from llmdgen.engine.flags import flag_table
from llmdgen.registry import Draft, rule
from llmdgen.suggest import did_you_mean


@rule("VLLM001", "error", "a flag that this vLLM does not have")
def flag_exists(role: RoleSettings) -> Iterator[Draft]:
    """vLLM stops at a flag that it does not know, after the image is pulled and the pod scheduled. Abbreviations of a
    flag are refused too: vLLM takes a unique beginning for the flag itself, until a later version adds a second flag
    that begins so. Flags are written as vLLM documents them, without dashes and with hyphens.

    Fails:  args: {max-num-seq: 256}, {max_num_seqs: 256}, {no-enable-prefix-caching: true}, {moe-backend: triton}.
    Passes: args: {max-num-seqs: 256, enable-prefix-caching: false}.
    """
    for name in role.args:
        if role.table.get(name) is None:
            says, fix = _unknown(name, role.release)
            fix = taken(role.release).old_flags.get(name, fix)
            yield role.found(name, says=says, fix=fix, on_key=True)
    for name, refused in role.refusals():
        if role.table.get(name.removeprefix("no-")) is None:
            says, fix = _unknown(name, role.release) if name else (str(refused), "remove it")
            yield role.found(name, says=says, fix=fix)


@rule("VLLM007", "error", "a flag that llmdgen sets")
def flag_is_the_specs_to_set(role: RoleSettings) -> Iterator[Draft]:
    """llmdgen writes model, port, served name and parallel sizes, and counts GPUs and pods by them. A second value in
    args would win in vLLM and leave the Service, the GPUs and the scheduler with the first.

    Fails:  args: {tensor-parallel-size: 4}, args: {port: 9000}.
    Passes: parallelism: {tensor: 4}.
    """
    flags = taken(role.release).flags
    for name in role.args:
        if name in flags and role.spec_sets(name):
            says = f"--{name} is not set under args: llmdgen writes it"
            yield role.found(name, says=says, fix=flags[name], on_key=True)


@rule("VLLM020", "note", "a flag that a later vLLM drops")
def flag_has_a_future(role: RoleSettings) -> Iterator[Draft]:
    """This release's vLLM has the flag and a later one refuses it: the spec will have to change with the release.

    Noted:  args: {swap-space: 8}, which vLLM 0.19.1 has no more.
    """
    for name in role.args:
        lifetime = history().flags.get(name) if role.spec_sets(name) else None
        if lifetime is not None and lifetime.missing_from and role.table.get(name) is not None:
            says = f"--{name} is gone from vLLM {lifetime.missing_from}"
            yield role.found(name, says=says, fix="plan to do without it before the release changes", on_key=True)


@lru_cache(maxsize=256)  # each instance type asks the same, and the search for a name that is near takes milliseconds
def _unknown(name: str, release: str) -> tuple[str, str]:
    """What to say of a flag that does not exist, and what to write instead."""
    table = flag_table(release)
    says = f"vLLM {table.vllm} has no flag --{name.lstrip('-')}"
    hyphened = name.lstrip("-").replace("_", "-")
    level = hyphened.removeprefix("O")
    if level in ("", "0", "1", "2", "3"):
        return f"{name} is the short form of --optimization-level", f"write optimization-level: {level or 2}"
    short = table.by_short(f"-{name.lstrip('-')}")
    if hyphened in table.flags:
        return f"flags are written without dashes and with hyphens, not {name}", f"write {hyphened}"
    if short is not None:
        return f"{name} is the short form of {short}", f"write {short.name}"
    negated = table.get(hyphened.removeprefix("no-")) if hyphened.startswith("no-") else None
    if negated is not None and negated.is_switch:
        return f"{name} is a switch turned off", f"write {negated.name}: false"
    flag, dot, key = hyphened.partition(".")
    if dot and flag in table.flags:
        return f"{name} is a key inside --{flag}", f"write {flag}: {{{key}: ...}}"
    lifetime = history().flags.get(hyphened)
    if lifetime is not None:
        gone = lifetime.missing_from
        if gone and _number(gone) <= _number(table.vllm):
            return f"{says}: it is gone from vLLM {gone}", "remove it"
        return f"{says}: it exists from vLLM {lifetime.first_seen}", "remove it, or choose a release with that vLLM"
    longer = [each for each in table.flags if each.startswith(hyphened)]
    if longer and len(hyphened) > 2:
        begins = longer[0] if len(longer) == 1 else f"{len(longer)} flags"
        return f"{says}: it begins {begins}", did_you_mean(hyphened, longer, listed_up_to=8)
    return says, did_you_mean(hyphened, table.flags) or "remove it; `llmdgen explain FLAG` knows every flag"


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
