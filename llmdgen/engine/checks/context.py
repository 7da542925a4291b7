"""The length of a context: the model's own positions, and what --hf-overrides makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llmdgen.engine.checks.limits import context_length
from llmdgen.engine.checks.settings import RoleSettings
from llmdgen.engine.derived import UNSCALED, longest_context, overriding
from llmdgen.findings import Route
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import mapping

OVERRIDES = "hf-overrides"
LONG_CONTEXTS = "VLLM_ALLOW_LONG_MAX_MODEL_LEN"


@rule("VLLM019", "error", "a context longer than the model's")
def context_is_the_models(role: RoleSettings) -> Iterator[Draft]:
    """vLLM stops where max-model-len is above what the model's config.json allows. A model is given a longer context by
    rope_parameters in hf-overrides, the name that vLLM reads rope scaling by; VLLM_ALLOW_LONG_MAX_MODEL_LEN only
    silences vLLM and gives wrong output.

    Fails:  args: {max-model-len: 65536} for Qwen/Qwen3-32B, which has 40,960 positions.
    Passes: the same with hf-overrides: {rope_parameters: {rope_type: yarn, factor: 4.0, rope_theta: 1000000,
            original_max_position_embeddings: 32768}}.
    """
    beyond = _beyond(role)
    if beyond and not _silenced(role):
        instead = f"write rope_parameters in {OVERRIDES} instead of rope_scaling, which vLLM does not read there"
        fix = instead if _unread(role) else f"set it to {beyond[1]}"
        yield role.found("max-model-len", says=beyond[0], fix=fix)


@rule("VLLM028", "warning", "a context length beyond the model's, allowed by a variable")
def long_context_is_meant(role: RoleSettings) -> Iterator[Draft]:
    """VLLM_ALLOW_LONG_MAX_MODEL_LEN lets vLLM start with a max-model-len above what the model's config.json allows. It
    changes nothing about the model: positions beyond its own give wrong output, or none.

    Warned: env: {VLLM_ALLOW_LONG_MAX_MODEL_LEN: "1"} with max-model-len: 131072 for Qwen/Qwen3-32B (40,960 positions).
    Passes: hf-overrides: {rope_parameters: {rope_type: yarn, factor: 4.0, ...}} without the variable.
    """
    beyond = _beyond(role)
    if beyond and _silenced(role):
        says, fix = f"{beyond[0]}, and {LONG_CONTEXTS} silences vLLM only", f"set max-model-len to {beyond[1]}"
        yield found(*role.env_at(LONG_CONTEXTS), says=says, fix=fix, on_key=True)


@rule("VLLM032", "error", "rope parameters that vLLM cannot use")
def rope_parameters_are_whole(role: RoleSettings) -> Iterator[Draft]:
    """rope_parameters in --hf-overrides replace the model's whole, so they say all that vLLM looks up: rope_type, and
    for yarn original_max_position_embeddings. Without them the engine stops with a KeyError.

    Fails:  hf-overrides: {rope_parameters: {type: yarn, factor: 4.0}}.
    Passes: hf-overrides: {rope_parameters: {rope_type: yarn, factor: 4.0, rope_theta: 1000000,
            original_max_position_embeddings: 32768}}.
    """
    rope, at = overriding(_overrides(role), "rope_parameters"), _place(role, "rope_parameters")
    if not isinstance(rope, Mapping) or any(isinstance(value, Mapping) for value in rope.values()):
        return
    for key in ("rope_type", *(["original_max_position_embeddings"] if rope.get("rope_type") == "yarn" else [])):
        if rope.get(key) is None:
            old = key == "rope_type" and "type" in rope
            fix = "write rope_type instead of type" if old else f"add {key}"
            yield found(*at, says=f"vLLM stops at rope_parameters without {key}", fix=fix)
    if rope.get("rope_type") not in (None, "default", *UNSCALED) and rope.get("factor") is None:
        yield found(*at, says="rope_parameters without a factor scale nothing", fix="add factor")


@rule("VLLM033", "warning", "rope scaling that vLLM does not read")
def rope_scaling_is_read(role: RoleSettings) -> Iterator[Draft]:
    """vLLM makes rope_parameters of a model's rope_scaling before it looks at the maps in --hf-overrides. rope_scaling
    there comes too late: the model keeps its own positions.

    Warned: hf-overrides: {rope_scaling: {rope_type: yarn, factor: 4.0, original_max_position_embeddings: 32768}}.
    Passes: hf-overrides: {rope_parameters: {rope_type: yarn, factor: 4.0, rope_theta: 1000000,
            original_max_position_embeddings: 32768}}.
    """
    if _unread(role):
        says = f"vLLM {role.table.vllm} does not read rope_scaling from --{OVERRIDES}"
        fix = "write rope_parameters, with rope_type, factor, rope_theta and original_max_position_embeddings"
        yield found(*_place(role, "rope_scaling"), says=says, fix=fix, on_key=True)


def _overrides(role: RoleSettings) -> Mapping[str, object]:
    return mapping(role.args.get(OVERRIDES))


def _place(role: RoleSettings, name: str) -> Route:
    """The place of an override, which may be inside that of a multimodal model's language model."""
    inside = ("text_config",) if name in mapping(_overrides(role).get("text_config")) else ()
    return role.at(OVERRIDES, *inside, name)


def _beyond(role: RoleSettings) -> tuple[str, str] | None:
    """What to say of a max-model-len above what the model allows, and what to set it to; None for any other."""
    own, length = role.numbers.max_position_embeddings, context_length(role.args.get("max-model-len"))
    most = longest_context(own, _overrides(role)) if own else None
    if not length or not most or length <= most:
        return None
    says = f"max-model-len {length} is more than the model's {most} positions{' as overridden' if most != own else ''}"
    return says, f"{most} or less, or scale rope: {OVERRIDES}: {{rope_parameters: ...}}"


def _silenced(role: RoleSettings) -> bool:
    return (role.env.get(LONG_CONTEXTS) or "0").lower() in ("1", "true")


def _unread(role: RoleSettings) -> bool:
    return isinstance(overriding(_overrides(role), "rope_scaling"), Mapping)
