"""What Kubernetes knows of a PodSpec, as llmdgen/facts/data/kubernetes/pod.json: `python scripts/pod_schema.py`.

The table holds each type that a PodSpec leads to: its fields with their types, those that are required, and how a patch
merges its lists. It comes from the newest schemas that the package kubernetes-validate carries.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate

SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
TABLE = Path(__file__).parent.parent / "llmdgen" / "facts" / "data" / "kubernetes" / "pod.json"
ROOT = "io.k8s.api.core.v1.PodSpec"
PLAIN = {"Quantity": "quantity", "IntOrString": "int-or-string", "Time": "string", "FieldsV1": "object"}
"""Types that are not made of fields, by the names that the table has for them."""


def newest() -> str:
    """The latest Kubernetes version whose schemas are there."""
    found = [re.fullmatch(r"v(\d+)\.(\d+)\.(\d+)-local", each.name) for each in SCHEMAS.iterdir()]
    return "{}.{}.{}".format(*max(tuple(map(int, each.groups())) for each in found if each))


def table(version: str) -> str:
    """The table of a version, a type a line, in the order of the names."""
    definitions = json.loads((SCHEMAS / f"v{version}-local" / "_definitions.json").read_text("utf-8"))["$defs"]
    types: dict[str, Any] = {}
    waiting = [ROOT]
    while waiting:
        name = waiting.pop()
        if name.rpartition(".")[2] not in types:
            definition = definitions[name]
            types[name.rpartition(".")[2]] = described(definition)
            waiting += [each for each in references(definition) if each.rpartition(".")[2] not in PLAIN]
    lines = [f"{json.dumps(name)}: {json.dumps(types[name], separators=(',', ':'))}" for name in sorted(types)]
    head = f'"kubernetes": "{version}",\n"sources": ["schemas of kubernetes-validate, by scripts/pod_schema.py"]'
    return f'{{{head},\n"types": {{\n' + ",\n".join(lines) + "\n}}\n"


def described(definition: dict[str, Any]) -> dict[str, Any]:
    """A type as the table has it."""
    properties = definition["properties"]
    found: dict[str, Any] = {"fields": {name: type_of(properties[name]) for name in sorted(properties)}}
    if definition.get("required"):
        found["required"] = sorted(definition["required"])
    merged = {
        name: {
            "key": each.get("x-kubernetes-patch-merge-key"),
            "strategy": each["x-kubernetes-patch-strategy"],
        }
        for name, each in sorted(properties.items())
        if "x-kubernetes-patch-strategy" in each
    }
    if merged:
        found["merge"] = {name: {key: value for key, value in each.items() if value} for name, each in merged.items()}
    return found


def type_of(schema: dict[str, Any]) -> str:
    """A field's type in a word: a plain one, a type of the table, [] and map[] of either."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition(".")[2]
        return PLAIN.get(name, name)
    (kind,) = [each for each in [schema["type"]] if isinstance(each, str)] or [
        each for each in schema["type"] if each != "null"
    ]
    if kind == "array":
        return f"[]{type_of(schema['items'])}"
    if kind == "object" and "additionalProperties" in schema:
        return f"map[]{type_of(schema['additionalProperties'])}"
    return str(kind)


def references(node: Any) -> list[str]:
    """The types that a definition names."""
    if isinstance(node, dict):
        own = [node["$ref"].removeprefix("#/$defs/")] if isinstance(node.get("$ref"), str) else []
        return own + [name for each in node.values() for name in references(each)]
    return [name for each in node for name in references(each)] if isinstance(node, list) else []


if __name__ == "__main__":
    text = table(newest())
    TABLE.write_text(text, "utf-8")
    sys.stdout.write(f"{TABLE.name}: Kubernetes {newest()}, {len(json.loads(text)['types'])} types\n")
