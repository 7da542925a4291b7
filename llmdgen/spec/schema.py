"""The JSON Schema of a spec, for editors and for pipelines that check specs without this tool.

It is generated from the types in `llmdgen.spec.model`, with the names of paths, releases and instance types that the
facts know. A document with `extends` may leave out what its base says, and null deletes a key of the base; one without
is complete. `python -m llmdgen.spec.schema` writes the schema to `schemas/`.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec

from llmdgen.facts import catalogue
from llmdgen.resources import SCHEMAS
from llmdgen.spec import suggestions
from llmdgen.spec.fields import ROLES, Base
from llmdgen.spec.kinds import Description, article, descriptions
from llmdgen.spec.model import Document
from llmdgen.spec.names import LONGEST_NAME
from llmdgen.spec.texts import ENV_NAME, FLAG_NAME

FILE = "wellitpath.v1alpha1.json"
IDENTITY = f"https://llmdgen.dev/schemas/{FILE}"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

BASE = r"^[^/~\\][^\\]*\.ya?ml$"
"""What `extends` looks like; whether it leads somewhere, only the tool can say."""

_REFERENCE = "#/$defs/"
# What each value of an enum means: the keyword that VS Code and the YAML language server show in a completion.
_MEANINGS = "markdownEnumDescriptions"
# What the YAML language server says instead of the pattern.
_EXPECTED = "patternErrorMessage"
_PATTERNS = {
    BASE: "a relative path of a .yaml file",
    FLAG_NAME: "a vLLM flag without its dashes, such as max-model-len",
    ENV_NAME: "a variable's name, such as VLLM_LOGGING_LEVEL",
}


def schema() -> dict[str, Any]:
    """The schema as plain data. Each place holds what it takes; only proposals stand apart and are referred to."""
    described = {"title": "WellLitPath", "description": "A deployment of an llm-d well-lit path on AWS."}
    extends = {"if": {"required": ["extends"]}, "then": _helpful(overlay()), "else": _helpful(complete())}
    proposed = {suggestions.SNIPPETS: suggestions.start(), "$defs": suggestions.definitions()}
    return {"$schema": DIALECT, "$id": IDENTITY, **described, "type": "object", **extends, **proposed}


def overlay() -> dict[str, Any]:
    """The schema of a document that extends another: only what each file has to say by itself is required."""
    whole = complete()
    keys = whole["properties"]
    body: dict[str, Any] = _partial(whole)
    body["properties"] |= {key: keys[key] for key in ("apiVersion", "kind")}
    body["properties"]["extends"] = {**keys["extends"], "pattern": BASE}
    metadata = body["properties"]["metadata"]
    metadata["type"] = "object"
    metadata["properties"]["name"] = keys["metadata"]["properties"]["name"]
    metadata["required"] = ["name"]
    body["required"] = ["apiVersion", "kind", "extends", "metadata"]
    return body


def complete() -> dict[str, Any]:
    """The schema of a document that stands by itself."""
    (_, definitions) = msgspec.json.schema_components([Document], ref_template=_REFERENCE + "{name}")
    for part in Base.__subclasses__():
        properties = definitions[part.__name__]["properties"]
        for field in msgspec.structs.fields(part):
            said = descriptions(part)[field.name]
            properties[field.encode_name] = _described(said, properties[field.encode_name])
    body: dict[str, Any] = _inlined(definitions["Document"], definitions)
    spec = body["properties"]["spec"]["properties"]
    newest = catalogue.release_names()[-1]
    settings = catalogue.release_toml(newest, "paths.toml")
    about = {name: settings[name]["about"] for name in catalogue.path_names(newest)}
    known_paths = {"enum": list(about), _MEANINGS: list(about.values())}
    spec["path"] |= known_paths
    spec["with"] |= {"items": {"type": "string", **known_paths}, "uniqueItems": True}
    releases = [catalogue.release(name) for name in catalogue.release_names()]
    meanings = [f"vLLM {each.vllm}, NIXL {each.nixl}; {each.date}." for each in releases]
    spec["release"] |= {"enum": [each.name for each in releases], _MEANINGS: meanings}
    spec["instanceTypes"]["items"] |= {"examples": ["p5.48xlarge", "ml.p5en.48xlarge"]}
    spec["instanceTypes"]["uniqueItems"] = True
    body["properties"]["metadata"]["properties"]["name"]["maxLength"] = LONGEST_NAME
    for role in (*ROLES, "engine"):
        spec[role]["properties"]["args"]["propertyNames"] = {"pattern": FLAG_NAME}
        spec[role]["properties"]["env"]["propertyNames"] = {"pattern": ENV_NAME}
    return body


def _helpful(body: dict[str, Any]) -> Any:
    """A document's schema with proposals for the names that nobody knows by heart."""
    spec = body["properties"]["spec"]["properties"]
    for role in (*ROLES, "engine"):
        spec[role]["properties"]["args"] |= _proposed(suggestions.FLAGS)
        spec[role]["properties"]["env"] |= _proposed(suggestions.VARIABLES)
    spec["scheduler"]["properties"]["weights"] |= _proposed(suggestions.SCORERS)
    spec["model"]["properties"]["name"] |= _proposed(suggestions.MODELS)
    for place in (spec["instanceTypes"]["items"], *(spec[role]["properties"]["instanceType"] for role in ROLES)):
        place |= _proposed(suggestions.INSTANCE_TYPES)
    return _told(body)


def _proposed(name: str) -> dict[str, Any]:
    return {"allOf": [{"$ref": f"{_REFERENCE}{name}"}]}


def _told(node: Any) -> Any:
    """A schema that says its patterns in words, and its plain defaults where a description is all that is shown."""
    if isinstance(node, list):
        return [_told(each) for each in node]
    if not isinstance(node, dict):
        return node
    node = {key: _told(value) for key, value in node.items()}
    if isinstance(node.get("pattern"), str):
        node[_EXPECTED] = f"Expected {_PATTERNS.get(node['pattern']) or article(node['pattern'])}."
    default, description = node.get("default"), node.get("description")
    if isinstance(description, str) and isinstance(default, str | int) and "Default: " not in description:
        node["description"] = (
            f"{description} Default: {str(default).lower() if isinstance(default, bool) else default}."
        )
    return node


def schema_text() -> str:
    """The schema as the file holds it."""
    return msgspec.json.format(msgspec.json.encode(schema()), indent=2).decode("utf-8") + "\n"


def _described(said: Description, node: dict[str, Any]) -> dict[str, Any]:
    """A field's schema with what is said of it; msgspec sorts the words that a field takes."""
    examples = {"examples": list(said.examples)} if said.examples else {}
    meanings = {_MEANINGS: [text for _, text in sorted(said.meanings.items())]} if said.meanings else {}
    return {"description": said.text, **examples, **node, **meanings}


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """A node with every reference replaced by what it names, and without null, which no key of a spec takes: as a
    default it means that the path chooses."""
    if isinstance(node, list):
        return [_inlined(each, definitions) for each in node]
    if not isinstance(node, dict):
        return node
    node = {
        key: _set(value) if key == "default" else _inlined(value, definitions)
        for key, value in node.items()
        if key != "default" or value is not None
    }
    if "$ref" in node:
        target = _inlined(definitions[node.pop("$ref").removeprefix(_REFERENCE)], definitions)
        node = {**target, **node}
    if "anyOf" in node:
        options = [option for option in node.pop("anyOf") if option != {"type": "null"}]
        node = {**options[0], **node} if len(options) == 1 else {**node, "anyOf": options}
    return node


def _partial(node: dict[str, Any]) -> dict[str, Any]:
    """A mapping of which any key may be missing, or null. What is in a list replaces that of the base, and is whole."""
    node = {key: value for key, value in node.items() if key not in ("required", "default")}
    if "properties" in node:
        node["properties"] = {key: _or_null(_partial(each)) for key, each in node["properties"].items()}
    elif isinstance(node.get("additionalProperties"), dict):
        node["additionalProperties"] = _or_null(node["additionalProperties"])
    return node


def _or_null(node: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in node:
        return {**node, "anyOf": [*node["anyOf"], {"type": "null"}]}
    if "enum" in node:
        node = {**node, "enum": [*node["enum"], None]}
        if _MEANINGS in node:
            node[_MEANINGS] = [*node[_MEANINGS], "Deletes what the base says."]
    return {**node, "type": [node["type"], "null"]} if "type" in node else node


def _set(value: Any) -> Any:
    """A default without what it leaves to the path."""
    if isinstance(value, dict):
        return {key: _set(each) for key, each in value.items() if each is not None}
    return value


if __name__ == "__main__":
    with open(os.path.join(SCHEMAS, FILE), "w", encoding="utf-8") as file:
        file.write(schema_text())
