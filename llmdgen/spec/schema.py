"""The JSON Schema of a spec, for editors and for pipelines that check specs without this tool.

It is generated from the types in `llmdgen.spec.model`, with the names of paths, releases and instance types that the
facts know. A document with `extends` may leave out what its base says, and null deletes a key of the base; one without
is complete. `python -m llmdgen.spec.schema` writes the schema to `schemas/`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from llmdgen.engine.facts import taken
from llmdgen.facts import catalogue
from llmdgen.quantities import GIB
from llmdgen.resources import SCHEMAS
from llmdgen.scheduling.form import form
from llmdgen.spec.fields import ROLES, Base
from llmdgen.spec.kinds import BASE_FILE, FORMS, descriptions
from llmdgen.spec.model import Document
from llmdgen.spec.names import LONGEST_NAME
from llmdgen.spec.texts import ENV_NAME, FLAG_NAME
from llmdgen.suggest import all_of

FILE = "wellitpath.v1alpha1.json"
IDENTITY = f"https://llmdgen.dev/schemas/{FILE}"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_REFERENCE = "#/$defs/"
_MEANINGS = "markdownEnumDescriptions"  # of each value of an enum; VS Code and the YAML language server show them
_EXPECTED = "patternErrorMessage"  # what the YAML language server says instead of the pattern
FLAGS, VARIABLES, SCORERS = "vllmFlags", "vllmVariables", "scorers"
MODELS, INSTANCE_TYPES = "models", "instanceTypes"
# How a flag's value is written, by the type that vLLM's parser gives it.
_WRITTEN = {
    "switch": ["boolean"],
    "int": ["integer"],
    "float": ["number"],
    "enum": ["string", "integer"],
    "json": ["object", "array"],
    "json-or-text": ["object", "string"],
    "human-int": ["integer", "string"],
    "human-int-or-auto": ["integer", "string"],
}
# The keyword that VS Code and the YAML language server read as proposals for a value; validators do not know it.
SNIPPETS = "defaultSnippets"
_START = {
    "label": "WellLitPath",
    "description": "A whole spec, with what each must have.",
    "body": {
        "apiVersion": "llmdgen.dev/v1alpha1",
        "kind": "WellLitPath",
        "metadata": {"name": "${1:chat}"},
        "spec": {
            "path": "${2:inference-scheduling}",
            "platform": "${3:eks}",
            "instanceTypes": ["${4:p5.48xlarge}"],
            "model": {"name": "${5:openai/gpt-oss-120b}"},
        },
    },
}


def schema() -> dict[str, Any]:
    """The schema as plain data. Each place holds what it takes; only proposals stand apart and are referred to."""
    described = {"title": "WellLitPath", "description": "A deployment of an llm-d well-lit path on AWS."}
    extends = {"if": {"required": ["extends"]}, "then": _helpful(overlay()), "else": _helpful(complete())}
    proposed = {SNIPPETS: [_START], "$defs": definitions()}
    return {"$schema": DIALECT, "$id": IDENTITY, **described, "type": "object", **extends, **proposed}


def overlay() -> dict[str, Any]:
    """The schema of a document that extends another: only what each file has to say by itself is required."""
    whole = complete()
    keys = whole["properties"]
    body: dict[str, Any] = _partial(whole)
    body["properties"] |= {key: keys[key] for key in ("apiVersion", "kind")}
    body["properties"]["extends"] = {**keys["extends"], "pattern": BASE_FILE}
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
            said, node = descriptions(part)[field.name], properties[field.encode_name]
            examples = {"examples": list(said.examples)} if said.examples else {}
            # msgspec sorts the words that a field takes.
            words = {_MEANINGS: [text for _, text in sorted(said.meanings.items())]} if said.meanings else {}
            properties[field.encode_name] = {"description": said.text, **examples, **node, **words}
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
        spec[role]["properties"]["args"] |= _proposed(FLAGS)
        spec[role]["properties"]["env"] |= _proposed(VARIABLES)
    spec["scheduler"]["properties"]["weights"] |= _proposed(SCORERS)
    spec["model"]["properties"]["name"] |= _proposed(MODELS)
    for place in (spec["instanceTypes"]["items"], *(spec[role]["properties"]["instanceType"] for role in ROLES)):
        place |= _proposed(INSTANCE_TYPES)
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
        node[_EXPECTED] = f"Expected {FORMS[node['pattern']]}."
    default, description = node.get("default"), node.get("description")
    if isinstance(description, str) and isinstance(default, str | int) and "Default: " not in description:
        node["description"] = (
            f"{description} Default: {str(default).lower() if isinstance(default, bool) else default}."
        )
    return node


def schema_text() -> str:
    """The schema as the file holds it."""
    return msgspec.json.format(msgspec.json.encode(schema()), indent=2).decode("utf-8") + "\n"


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


def definitions() -> dict[str, Any]:
    """What an editor proposes beyond the format. Of flags and instance types these are all, so that another name, or a
    flag's value of a type that no release takes, is refused; all else is help, one of many. Whether it fits the spec's
    own release is for the checks."""
    nodes = [f"{prefix}{name}" for prefix in ("", catalogue.HYPERPOD_PREFIX) for name in catalogue.instance_names()]
    models = []
    for each in map(catalogue.model, catalogue.model_names()):
        says = f"{each.weight_bytes / GIB:.0f} GiB of weights, {each.max_position_embeddings:,} tokens of context."
        models.append(_snippet(each.id, says))
    return {
        FLAGS: {"properties": flags(), "additionalProperties": False},
        VARIABLES: {"properties": variables()},
        SCORERS: {"properties": scorers()},
        MODELS: {SNIPPETS: models},
        INSTANCE_TYPES: {SNIPPETS: instance_types(), "enum": [*nodes, None]},
    }


def flags() -> dict[str, Any]:
    """Each flag that a spec may set, of any release, as the newest release that has it describes it."""

    def known(release: str) -> dict[str, Any]:
        told = catalogue.release_json(release, "vllm-help.json")["flags"]
        found = catalogue.release_json(release, "vllm-serve.json")["flags"].items()
        ours = taken(release).flags
        return {name: _flag(flag, told.get(name, "")) for name, flag in found if name not in ours}

    return _of_any_release(known)


def variables() -> dict[str, Any]:
    """Each variable that vLLM reads under a name of its own."""

    def known(release: str) -> dict[str, Any]:
        found = catalogue.release_json(release, "vllm-env.json")["variables"].items()
        ours = taken(release).environment
        return {name: _variable(each) for name, each in found if name.startswith("VLLM_") and name not in ours}

    return _of_any_release(known)


def _of_any_release(known: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """What the newest release that has it says of each name, with the releases where it is not all of them."""
    releases = {release: known(release) for release in catalogue.release_names()}
    nodes = {name: node for each in releases.values() for name, node in each.items()}
    for name, node in nodes.items():
        having = [release for release, each in releases.items() if name in each]
        node["type"] = sorted({kind for release in having for kind in releases[release][name]["type"]})
        if len(having) < len(releases):
            node["description"] = f"{node['description'].rstrip('.')}. Only in llm-d {all_of(having)}."
    return {name: nodes[name] for name in sorted(nodes)}


def instance_types() -> list[dict[str, str]]:
    """Each instance type with a whole GPU that some release's images run on, by its EC2 name and by its ml. name."""
    runs = {each for name in catalogue.release_names() for each in catalogue.release(name).architectures}
    found = []
    for each in map(catalogue.instance, catalogue.instance_names()):
        if each.gpu.count and each.architecture in runs:
            efa = f"{each.efa.interfaces} EFA interface{'s' * (each.efa.interfaces > 1)}"
            says = f"{each.gpu.count} x {each.gpu.model}, {efa if each.efa.interfaces else 'no EFA'}."
            found += [_snippet(name, says) for name in (each.name, each.hyperpod) if name]
    return found


def scorers() -> dict[str, Any]:
    """Each scorer that a path brings, and which."""
    bring: dict[str, list[str]] = {}
    for release in catalogue.release_names():
        for path, asks in form(release).paths.items():
            for name in asks.scorers:
                if path not in bring.setdefault(name, []):
                    bring[name].append(path)
    return {name: _node(f"A scorer of {all_of(bring[name])}.", ["number", "null"]) for name in sorted(bring)}


def _flag(flag: dict[str, Any], help_text: str) -> dict[str, Any]:
    kinds, default = _WRITTEN.get(flag["type"], ["string"]), flag.get("default")
    # null leaves out what a base or the path says.
    kinds = [*(["object"] if flag.get("config") else kinds), *(["array", "object"] if flag.get("many") else []), "null"]
    examples = flag.get("choices") or ([default] if isinstance(default, str | int | float) else [])
    says = help_text.strip() or f"vLLM's --{flag['name']}."
    return _node(says, kinds, [not default] if flag["type"] == "switch" else examples)


def _variable(variable: dict[str, Any]) -> dict[str, Any]:
    examples = variable.get("choices") or (["1", "0"] if variable["kind"] == "switch" else [])
    return _node("A variable of vLLM.", ["string", "null"], examples)


def _node(says: str, kinds: list[str], examples: Sequence[object] = ()) -> dict[str, Any]:
    return {"type": kinds, "description": says, **({"examples": examples} if examples else {})}


def _snippet(value: str, says: str) -> dict[str, str]:
    return {"label": value, "description": says, "bodyText": value}


if __name__ == "__main__":
    with open(os.path.join(SCHEMAS, FILE), "w", encoding="utf-8") as file:
        file.write(schema_text())
