"""The flags of a release's vLLM: what `vllm serve` accepts, as the release's vllm-serve.json states it.

That file is generated from vLLM's own parser (`scripts/vllm_tables.py`). Flags are named as a spec names them, without
dashes and with hyphens: `max-num-seqs`.
"""

from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import Struct

from llmdgen.facts.catalogue import release_json

FlagType = Literal[
    "switch", "int", "float", "str", "json", "json-or-text", "enum", "word", "human-int", "human-int-or-auto"
]
FieldType = Literal["bool", "int", "float", "str", "enum", "list", "dict", "any"]
Number = int | float


class Value(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a value: `choices` closes it, the four limits bound it, and `optional` allows null.

    `config` names the configuration class that a JSON object fills (`FlagTable.configs`); `items` is the type of a
    list's elements or of a map's values, where vLLM states one.
    """

    default: Any = None
    choices: tuple[str | int, ...] = ()
    optional: bool = False
    at_least: Number | None = None
    more_than: Number | None = None
    at_most: Number | None = None
    less_than: Number | None = None
    config: str | None = None
    items: FieldType | None = None


class Flag(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One flag.

    `type` is how vLLM reads its text: `human-int` takes 32k and 32K too, `json-or-text` takes an object or a word,
    `enum` one of `choices` in capitals or not, `word` one of them with capitals or hyphens too.
    `many` says that it takes several values: "values" after one flag, "append" by repeating the flag.
    `usual` are values that vLLM names for a flag that takes others too; `holds` says of JSON without a class whether it
    is a map or a list.
    """

    name: str
    type: FlagType
    usual: tuple[str | int, ...] = ()
    many: Literal["values", "append"] | None = None
    short: str | None = None
    negative: bool = False
    bare: bool = False
    holds: FieldType | None = None
    group: str = ""

    @property
    def is_switch(self) -> bool:
        return self.type == "switch"

    @property
    def is_json(self) -> bool:
        return self.type in ("json", "json-or-text")

    @property
    def is_port(self) -> bool:
        return self.type == "int" and (self.name == "port" or self.name.endswith("-port"))

    def __str__(self) -> str:
        return f"--{self.name}"


class ConfigField(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key of a JSON configuration."""

    type: FieldType


class FlagTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that `vllm serve` of one version accepts.

    `configs` are the keys of each JSON configuration class, `connectors` the KV connectors that its factory knows,
    `offloading_specs` those of OffloadingConnector.
    """

    vllm: str
    source: str
    flags: dict[str, Flag]
    configs: dict[str, dict[str, ConfigField]]
    connectors: tuple[str, ...]
    offloading_specs: tuple[str, ...]

    def get(self, name: str) -> Flag | None:
        """The flag of exactly that name without dashes, None where there is none."""
        return self.flags.get(name)

    def by_short(self, short: str) -> Flag | None:
        """The flag of a short form with its dash, such as -tp."""
        return next((flag for flag in self.flags.values() if flag.short == short), None)


@cache
def flag_table(release: str) -> FlagTable:
    """The flags of that llm-d release's vLLM. Raises FileNotFoundError where the release has no table."""
    return msgspec.convert(release_json(release, "vllm-serve.json"), FlagTable)
