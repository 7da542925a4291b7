"""The values of flags: their type, their range, and the keys inside JSON."""

from __future__ import annotations

from collections.abc import Iterator
from re import fullmatch
from typing import Any

from llmdgen.engine.checks.settings import RoleSettings, integer, number
from llmdgen.engine.checks.values import flag_problems, shown
from llmdgen.engine.facts import taken
from llmdgen.findings import Route
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import did_you_mean
from llmdgen.untyped import mapping

# Values that may be the dotted name of a user's class.
MAY_BE_A_CLASS = ("distributed-executor-backend", "compilation-config.backend")


@rule("VLLM002", "error", "a value of the wrong type")
def value_has_the_flags_type(role: RoleSettings) -> Iterator[Draft]:
    """A spec is typed: switches are true or false, numbers are numbers, JSON flags are YAML maps. vLLM would read some
    other spellings too, but "256" or 1e6 in YAML mean different things to different readers.

    Fails:  args: {async-scheduling: "true"}, {max-num-seqs: "256"}, {kv-transfer-config: '{"kv_connector": ...}'}.
    Passes: args: {async-scheduling: true, max-num-seqs: 256, kv-transfer-config: {kv_connector: NixlConnector}}.
    """
    yield from drafts(role, "type")


@rule("VLLM003", "error", "a value out of range")
def value_is_in_range(role: RoleSettings) -> Iterator[Draft]:
    """The type is right, but vLLM refuses the value: some at once, others (gpu-memory-utilization 1.5) when it starts.

    Fails:  args: {gpu-memory-utilization: 1.5}, {block-size: 48}, {optimization-level: 5}, {tool-call-parser: qwen3}.
    Passes: args: {gpu-memory-utilization: 0.95, block-size: 128, optimization-level: 3}.
    """
    yield from drafts(role, "value")
    yield from _names(role)
    yield from _bounds(role)
    for spelled, refused in role.refusals():
        name = spelled.removeprefix("no-")
        if role.table.get(name) is not None:
            yield role.found(name, says=f"vLLM's parser refuses {refused}", fix=f"see llmdgen explain --{name}")


def _names(role: RoleSettings) -> Iterator[Draft]:
    """Text that the parser takes, and that vLLM looks up in a table of its own when it starts."""
    for path, names in taken(role.release).names.items():
        flag, key, value, at = _at(role, path)
        own = role.args.get(f"{flag.removesuffix('-call-parser').removesuffix('-parser')}-parser-plugin")
        own = own or mapping(role.args.get(flag)).get(f"{key}_module_path")
        if not isinstance(value, str) or value in names or own or value in ("", "None"):
            continue
        if path in MAY_BE_A_CLASS and "." in value:
            continue
        near = did_you_mean(value, [name for name in names if name], listed_up_to=30)
        fix = near or f"use one of those that `llmdgen explain --{flag}` lists"
        yield found(*at, says=f"{_called(path)} cannot be {shown(value)}", fix=fix)


def _at(role: RoleSettings, path: str) -> tuple[str, str, Any, Route]:
    """A flag, and the key in its JSON where a path has one; the value there and its place."""
    flag, _, key = path.partition(".")
    value = mapping(role.args.get(flag)).get(key) if key else role.args.get(flag)
    return flag, key, value, role.at(flag, *([key] if key else []))


def _called(path: str) -> str:
    return f"--{path.replace('.', ': ', 1)}"


def _bounds(role: RoleSettings) -> Iterator[Draft]:
    """Numbers with a least value, and text of a certain form: versions, and a chat template, which is a file's path or
    the template itself."""
    for flag, (form, fix) in taken(role.release).patterns.items():
        text = role.args.get(flag)
        if isinstance(text, str) and text not in ("", "None") and not fullmatch(form, text):
            yield role.found(flag, says=f"--{flag} cannot be {shown(text)}", fix=fix)
    for path, least in taken(role.release).least.items():
        _, _, given, at = _at(role, path)
        value = number(given)
        if value is not None and value < least:
            yield found(*at, says=f"{_called(path)} cannot be {value}", fix=f"write a number of at least {least}")
    if integer(role.args.get("max-model-len")) == 0:
        says = "--max-model-len cannot be 0, which leaves no room for a prompt"
        yield role.found("max-model-len", says=says, fix="write the tokens of the longest request, or auto")


def drafts(role: RoleSettings, kind: str) -> Iterator[Draft]:
    """The problems of one kind in every flag's value."""
    elsewhere = taken(role.release).flags
    for name, value in role.args.items():
        flag = role.table.get(name)
        if flag is None or value is None:
            continue
        if kind == "type" and flag.name in elsewhere and role.spec_sets(flag.name):
            continue  # whatever it is, it goes: VLLM007
        for problem in flag_problems(flag, value, role.table):
            if problem.kind == kind:
                at = role.at(flag.name, *problem.inside)
                yield found(*at, says=problem.says, fix=problem.fix, on_key=kind == "key")


@rule("VLLM004", "error", "an unknown key in a JSON flag")
def json_key_exists(role: RoleSettings) -> Iterator[Draft]:
    """Each JSON flag fills a configuration class of vLLM. vLLM 0.17 stops at a key that the class does not have;
    vLLM 0.15 does so in --compilation-config alone, and in all others, such as --kv-transfer-config, drops the key
    without a word, so that the setting does nothing.

    Fails:  kv-transfer-config: {kv_conector: NixlConnector}, compilation-config: {pass_config: {fuse_norm: true}}.
    Passes: kv-transfer-config: {kv_connector: NixlConnector, kv_role: kv_both}.
    """
    yield from drafts(role, "key")
