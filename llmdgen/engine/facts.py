"""What a release's vLLM and its surroundings read: environment variables, connectors, settings that are taken."""

from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from llmdgen.engine.flags import ConfigField
from llmdgen.facts.catalogue import release_json, release_toml
from llmdgen.resources import read_fact


class Variable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How vLLM reads an environment variable.

    `true` are the words that switch a switch on; another word leaves it off, or stops vLLM where it is `strict`.
    A variable of kind `presence` is on whatever it holds.
    """

    kind: Literal["text", "int", "float", "switch", "choice", "presence"]
    choices: tuple[str, ...] = ()
    any_case: bool = False
    true: tuple[str, ...] = ()
    strict: bool = False


class Connector(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a KV connector reads from kv_connector_extra_config. `unread` are keys that only look as if it did, with
    what to do instead; `prefix` begins the keys that LMCache takes."""

    keys: dict[str, ConfigField] = {}
    required: tuple[str, ...] = ()
    unread: dict[str, str] = {}
    prefix: str | None = None


class LmCache(Struct, frozen=True, kw_only=True):
    """LMCache's settings by name, the names it translates, and its variables that are not settings."""

    settings: dict[str, ConfigField]
    renamed: dict[str, str]
    variables: tuple[str, ...]

    def environment(self) -> dict[str, Variable]:
        """Every LMCACHE_ variable that is read."""
        kinds = dict.fromkeys((*self.renamed, *self.settings), "text")
        kinds |= {name: field.type for name, field in self.settings.items() if field.type in ("int", "float")}
        found = {f"LMCACHE_{name.upper()}": kind for name, kind in kinds.items()} | dict.fromkeys(
            self.variables, "text"
        )
        return msgspec.convert({name: {"kind": kind} for name, kind in found.items()}, dict[str, Variable])


class Taken(Struct, frozen=True, kw_only=True):
    """Flags and variables that are not the spec's to set, and all2all backends that cannot run, each with the reason
    or what to do instead. `names` are the values of flags, or of keys of JSON flags, that vLLM looks up only when it
    starts, `least` the smallest numbers that its parser does not bound, `variables` the values of variables that their
    reader takes only at the start, `gone` variables and `old_flags` flags of other versions, with what to do instead,
    `speculation` lists of methods of speculative decoding, `patterns` the form of a flag's text and what to write,
    `needs` flags and keys of JSON flags that need another beside them, with some value or one of those named, `only`
    flags that are supported with that value alone, `deprecated_quantization` methods that it takes on demand."""

    flags: dict[str, str]
    environment: dict[str, str]
    all2all_backends: dict[str, str]
    names: dict[str, tuple[str, ...]] = {}
    least: dict[str, int] = {}
    variables: dict[str, tuple[str, ...]] = {}
    gone: dict[str, str] = {}
    old_flags: dict[str, str] = {}
    speculation: dict[str, tuple[str, ...]] = {}
    patterns: dict[str, tuple[str, str]] = {}
    needs: dict[str, tuple[str, ...]] = {}
    only: dict[str, int | str] = {}
    deprecated_quantization: tuple[str, ...] = ()


class Lifetime(Struct, frozen=True, kw_only=True):
    """When a flag came and went: the first of the compared versions that has it, the first later one that has not."""

    first_seen: str
    missing_from: str | None = None


class History(Struct, frozen=True):
    """The versions of vLLM that were compared, in order, and the flags, without dashes, that not all of them have."""

    versions_compared: tuple[str, ...]
    flags: dict[str, Lifetime]


@cache
def variables(release: str) -> dict[str, Variable]:
    """Every environment variable that the release's vLLM reads."""
    found = msgspec.convert(release_json(release, "vllm-env.json")["variables"], dict[str, Variable])
    words = taken(release).variables.items()
    return found | {name: Variable(kind="choice", choices=each, any_case=True) for name, each in words}


@cache
def connectors(release: str) -> dict[str, Connector]:
    """The release's KV connectors by name, LMCache's settings among the keys of those that pass them on."""
    found = msgspec.convert(release_toml(release, "connectors.toml")["connectors"], dict[str, Connector])
    settings, renamed = lmcache(release).settings, lmcache(release).renamed
    for name, each in found.items():
        if (prefix := each.prefix) is not None:
            keys = each.keys | {f"{prefix}{key}": field for key, field in settings.items()}
            unread = each.unread | {f"{prefix}{old}": f"write {prefix}{new}" for old, new in renamed.items()}
            found[name] = structs.replace(each, keys=keys, unread=unread)
    return found


@cache
def lmcache(release: str) -> LmCache:
    """The settings of the release's LMCache."""
    table = release_toml(release, "connectors.toml")["lmcache"]
    rows = {name: {"type": kind} for kind, names in table["types"].items() for name in names}
    return LmCache(
        settings=msgspec.convert(rows, dict[str, ConfigField]),
        renamed=table["renamed"],
        variables=tuple(table["environment"]["names"]),
    )


def engine(release: str) -> dict[str, Any]:
    """How the release's vLLM uses memory, ports and connectors (engine.toml)."""
    return release_toml(release, "engine.toml")


@cache
def taken(release: str) -> Taken:
    """What the release's chart and llmdgen set themselves."""
    return msgspec.convert(release_toml(release, "vllm-on-aws.toml"), Taken)


@cache
def history() -> History:
    """Which of the compared versions of vLLM have which flags."""
    return msgspec.json.decode(read_fact("vllm-flag-history.json"), type=History)
