"""YAML as a reviewer likes to read it: whatever either version of YAML would read as something other than the string it
is stands in quotes."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

_NOT_PLAIN = re.compile(
    r"""(?ix) (y|n|yes|no|on|off|true|false|null|~|)           # booleans and null of either version
            | [-+]?(\.[0-9_]+|[0-9][0-9_]*(\.[0-9_]*)?)(e[-+]?[0-9]+)?   # numbers, 1e3 among them
            | [-+]?0[xob][0-9a-f_]+                            # in other bases
            | [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?     # in base 60
            | [-+]?\.(inf|nan)
            | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*                 # dates
            | [=<]                                             # value and merge keys
            """
)


class _Writer(SafeRepresenter):
    """SafeRepresenter without aliases, so that one object is one text, with the keys in the order that they have."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.sort_base_mapping_type_on_output = False

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(writer: SafeRepresenter, data: str) -> ScalarNode:
    style = None
    if "\n" in data:
        style = "|"
    elif _NOT_PLAIN.fullmatch(data):
        style = '"'
    return writer.represent_scalar("tag:yaml.org,2002:str", data, style=style)


def _nothing(writer: SafeRepresenter, data: None) -> ScalarNode:
    return writer.represent_scalar("tag:yaml.org,2002:null", "null")


_Writer.add_representer(str, _string)
_Writer.add_representer(type(None), _nothing)


def dump(document: Any) -> str:
    """One document as block YAML, keys in the order they have, lines as long as their values."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Writer
    yaml.default_flow_style = False
    yaml.width = 1_000_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()
