"""The escape hatch: a spec's own `values`, merged last into what llmdgen wrote, comments kept."""

from __future__ import annotations

from io import StringIO
from typing import Any

from llmdgen.yaml_text import as_yaml


def merged(text: str, override: dict[str, Any]) -> str:
    """The values file with the override over it: maps merge, everything else replaces, null removes a key."""
    if not override:
        return text
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(text)
    _merge(document, override)
    written = StringIO()
    yaml.dump(document, written)
    return written.getvalue()


def _merge(into: Any, override: dict[str, Any]) -> None:
    for key, value in override.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[_key(key)] = _quoted(value)


def _quoted(value: Any) -> Any:
    """Strings in double quotes, so that Helm's YAML 1.1 reads them as strings."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(value, str):
        return DoubleQuotedScalarString(value)
    if isinstance(value, dict):
        return {_key(key): _quoted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_quoted(item) for item in value]
    return value


def _key(key: str) -> str:
    """A key in quotes where it would not be a plain string to every YAML."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    return key if as_yaml(key) == key else DoubleQuotedScalarString(key)
