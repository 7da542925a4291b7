"""The environment of the vLLM container."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from llmdgen.engine.checks.settings import RoleSettings
from llmdgen.engine.checks.values import shown
from llmdgen.engine.facts import Variable, lmcache, taken, variables
from llmdgen.engine.numbers import parsed
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import did_you_mean, nearest, one_of

ALL2ALL = "VLLM_ALL2ALL_BACKEND"
_NUMBERS: dict[str, tuple[type[float], str]] = {"int": (int, "a whole number"), "float": (float, "a number")}
_OFF = ("", "0", "false", "False", "FALSE", "no", "off")


@rule("VLLM008", "error", "an environment variable that the engine does not read as written")
def variable_is_read(role: RoleSettings) -> Iterator[Draft]:
    """vLLM ignores a VLLM_ variable, and LMCache an LMCACHE_ variable, that it does not know: a misspelt one does
    nothing. Of those it knows, vLLM reads many as a number, and stops at its first use of any other text; of its
    switches some are on for 1 alone, others for true as well.

    Fails:  env: {VLLM_LOGING_LEVEL: DEBUG}, {VLLM_LOG_STATS_INTERVAL: often}, {VLLM_USE_BYTECODE_HOOK: "true"}.
    Passes: env: {VLLM_LOGGING_LEVEL: DEBUG, VLLM_LOG_STATS_INTERVAL: "10"}.
    """
    for name, value in role.env.items():
        upper = name.upper()
        if name != upper and upper.startswith(("VLLM_", "LMCACHE_")):
            says = f"{name} is not {upper}: the names of variables are case-sensitive"
            yield found(*role.env_at(name), says=says, fix=f"write {upper}", on_key=True)
        elif name == "PYTHONHASHSEED" and value is not None and not _is_hash_seed(value):
            says = f"Python does not start with PYTHONHASHSEED {shown(value)}"
            yield found(*role.env_at(name), says=says, fix="write a whole number from 0 to 4294967295")
        elif name.startswith(("VLLM_", "LMCACHE_")):
            is_vllms = name.startswith("VLLM_")
            known = variables(role.release) if is_vllms else lmcache(role.release).environment()
            if name not in known:
                yield _unknown(role, name, f"vLLM {role.table.vllm}" if is_vllms else "LMCache", known)
            elif value is not None:
                yield from _unreadable(role, name, value, known[name])


@rule("VLLM009", "error", "an environment variable that overrides a flag")
def variable_overrides_no_flag(role: RoleSettings) -> Iterator[Draft]:
    """Where vLLM reads VLLM_ALL2ALL_BACKEND (up to 0.15), it overrides --all2all-backend, which is what is checked
    and shown. Later versions do not know the variable (VLLM008).

    Fails:  env: {VLLM_ALL2ALL_BACKEND: naive}.
    Passes: args: {all2all-backend: naive}.
    """
    if ALL2ALL in role.env and reads_backend(role):
        says = f"{ALL2ALL} overrides --all2all-backend={role.value('all2all-backend')}"
        yield found(*role.env_at(ALL2ALL), says=says, fix="set args.all2all-backend", on_key=True)


def reads_backend(role: RoleSettings) -> bool:
    """Whether this vLLM reads VLLM_ALL2ALL_BACKEND."""
    return ALL2ALL in variables(role.release)


@rule("VLLM017", "error", "an environment variable that llmdgen sets")
def variable_is_the_specs_to_set(role: RoleSettings) -> Iterator[Draft]:
    """llmdgen sets where weights are kept, the token that they are fetched with, and the addresses by which vLLM's pods
    find each other: another value leaves volumes and Secrets with the first.

    Fails:  env: {HF_HOME: /models}.
    Passes: spec.model.uri, spec.model.authSecretName, parallelism.
    """
    names = taken(role.release).environment
    for name in role.env:
        if name in names and role.env_at(name)[-1:] == (name,):  # the spec itself names it, rather than its path
            says = f"{name} is not set under env: llmdgen or Kubernetes does"
            yield found(*role.env_at(name), says=says, fix=names[name], on_key=True)


def _is_hash_seed(value: str) -> bool:
    return value == "random" or (value.isascii() and value.isdigit() and int(value) < 1 << 32)


def _unknown(role: RoleSettings, name: str, reader: str, known: Iterable[str]) -> Draft:
    # What all names begin with would make any two of them alike.
    prefix = f"{name.partition('_')[0]}_"
    behind = {each.removeprefix(prefix): each for each in known}
    close = nearest(name.removeprefix(prefix), behind, limit=2)
    meant = f"did you mean {one_of(behind[each] for each in close)}?" if close else "remove it"
    fix = taken(role.release).gone.get(name, meant)
    return found(*role.env_at(name), says=f"{reader} does not read {name}", fix=fix, on_key=True)


def _unreadable(role: RoleSettings, name: str, value: str, variable: Variable) -> Iterator[Draft]:
    """What vLLM makes of the value, where that is not what it looks like."""
    at = role.env_at(name)
    if variable.kind in _NUMBERS and parsed(value, _NUMBERS[variable.kind][0], None) is None:
        wanted = _NUMBERS[variable.kind][1]
        yield found(*at, says=f"{name} takes {wanted}, not {shown(value)}", fix=f"write {wanted}")
    elif variable.kind == "choice":
        read = str.lower if variable.any_case else str
        if read(value) not in map(read, variable.choices):
            fix = did_you_mean(value, variable.choices, listed_up_to=20)
            yield found(*at, says=f"{name} cannot be {shown(value)}", fix=fix)
    elif variable.kind == "switch" and value not in variable.true and (variable.strict or value not in _OFF):
        if not variable.strict or parsed(value, int, None) is None:
            effect = "vLLM stops at" if variable.strict else "vLLM reads as off"
            fix = f"write {one_of(variable.true)} for on, 0 for off"
            yield found(*at, says=f"{name}: {effect} {shown(value)}", fix=fix)
    elif variable.kind == "presence" and value in _OFF:
        yield found(*at, says=f"{name} is on whatever it holds, {shown(value)} included", fix="remove it")
