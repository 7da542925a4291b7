"""The values of flags: their type and their range."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.checks.registry import Draft, found
from llmdgen.engine.checks.settings import RoleSettings, engine_rule
from llmdgen.engine.checks.values import Problem, flag_problems


@engine_rule("VLLM002", "error", "a value of the wrong type")
def value_has_the_flags_type(role: RoleSettings) -> Iterator[Draft]:
    """A spec is typed: switches are true or false, numbers are numbers, JSON flags are YAML maps. vLLM would read some
    other spellings too, but "256" or 1e6 in YAML mean different things to different readers.

    Fails:  args: {async-scheduling: "true"}, {max-num-seqs: "256"}, {kv-transfer-config: '{"kv_connector": ...}'}.
    Passes: args: {async-scheduling: true, max-num-seqs: 256, kv-transfer-config: {kv_connector: NixlConnector}}.
    """
    yield from drafts(role, "type")


@engine_rule("VLLM003", "error", "a value out of range")
def value_is_in_range(role: RoleSettings) -> Iterator[Draft]:
    """The value is of the right type, but vLLM refuses it: some at once, others (gpu-memory-utilization 1.5, -O5) only
    when the engine starts.

    Fails:  args: {gpu-memory-utilization: 1.5}, {block-size: 48}, {optimization-level: 5}.
    Passes: args: {gpu-memory-utilization: 0.95, block-size: 128, optimization-level: 3}.
    """
    yield from drafts(role, "value")


def drafts(role: RoleSettings, kind: str) -> Iterator[Draft]:
    """The problems of one kind in every flag's value."""
    for flag, value in role.known():
        for problem in flag_problems(flag, value, role.table):
            if problem.kind == kind:
                yield draft(role, flag.name, problem)


def draft(role: RoleSettings, flag: str, problem: Problem) -> Draft:
    """A problem at its place."""
    at = role.at(flag, *problem.inside)
    return found(*at, says=problem.says, fix=problem.fix, on_key=problem.kind == "key")
