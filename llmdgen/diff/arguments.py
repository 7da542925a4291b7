"""What vLLM is started with, as facts: order and spelling of arguments gone, JSON settings key by key."""

from __future__ import annotations

from typing import Any

import msgspec

from llmdgen.diff.state import Facts, Key, fact, leaves

TRANSFER = "kv-transfer-config"


def settings(argv: tuple[str, ...], release: str) -> dict[str, Any]:
    """The settings of an argument list, typed as the release's vLLM types them. Where the release is unknown or its
    vLLM would refuse the list, they are read as any command line is, for they differ all the same."""
    from llmdgen.engine.argv import ArgumentError, parse
    from llmdgen.engine.flags import flag_table
    from llmdgen.facts.catalogue import release_names

    if release in release_names():
        try:
            return parse(argv, flag_table(release))
        except (ArgumentError, msgspec.DecodeError, FileNotFoundError):
            pass
    return _loosely(argv)


def _loosely(argv: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    flag = ""
    for argument in argv:
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            flag = "" if equals else name.replace("_", "-")
            found[name.replace("_", "-")] = _typed(value) if equals else True
        elif flag:
            found[flag], flag = _typed(argument), ""
        else:
            found["model" if "model" not in found else f"argument {argument}"] = argument
    return found


def _typed(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def flag_facts(role: str, given: dict[str, Any]) -> Facts:
    """Every setting of a role; KV connectors apart, because they are read by name and not by their place."""
    facts: Facts = {}
    for flag, value in given.items():
        if flag == TRANSFER and isinstance(value, dict):
            facts |= _connectors(role, value)
        elif isinstance(value, dict):
            facts |= {Key(role, "flag", f"--{flag} {path}".rstrip()): fact(leaf) for path, leaf in leaves(value)}
        else:
            facts[Key(role, "flag", f"--{flag}")] = fact(value)
    return facts


def _connectors(role: str, config: dict[str, Any]) -> Facts:
    outer = config.get("kv_connector")
    extra = config.get("kv_connector_extra_config")
    inner = extra.get("connectors") if isinstance(extra, dict) else None
    several = isinstance(inner, list) and inner and all(isinstance(each, dict) for each in inner)
    connectors = inner if several and isinstance(inner, list) else [config]
    names = tuple(str(each.get("kv_connector")) for each in connectors)
    facts: Facts = {Key(role, "connectors", "KV connectors"): names}
    for name, each in zip(names, connectors, strict=True):
        for path, leaf in leaves({key: value for key, value in each.items() if key != "kv_connector"}):
            short = path.removeprefix("kv_connector_extra_config.")
            facts[Key(role, "connector", f"{name} {short}")] = fact(leaf)
    if several and isinstance(extra, dict):
        rest = {key: value for key, value in config.items() if key not in ("kv_connector", "kv_connector_extra_config")}
        rest |= {key: value for key, value in extra.items() if key != "connectors"}
        facts |= {Key(role, "connector", f"{outer} {path}"): fact(leaf) for path, leaf in leaves(rest) if path}
    return facts
