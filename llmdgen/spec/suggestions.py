"""What an editor proposes beyond the format: vLLM's flags and variables, models, instance types, scorers.

Of flags and instance types these are all, so that another name, or a flag's value of a type that no release takes, is
refused; all else is help, one of many. Whether it fits the spec's own release is for the checks. vLLM's names stand
once in the schema, and each `args` and `env` refers to them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llmdgen.engine.facts import taken
from llmdgen.facts import catalogue
from llmdgen.scheduling.form import form
from llmdgen.suggest import all_of

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
GIB = 2**30


def definitions() -> dict[str, Any]:
    """The parts of the schema that several places share."""
    nodes = [f"{prefix}{name}" for prefix in ("", catalogue.HYPERPOD_PREFIX) for name in catalogue.instance_names()]
    return {
        FLAGS: {"properties": flags(), "additionalProperties": False},
        VARIABLES: {"properties": variables()},
        SCORERS: {"properties": scorers()},
        MODELS: {SNIPPETS: models()},
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


def models() -> list[dict[str, str]]:
    """Each model of the facts."""
    found = []
    for each in map(catalogue.model, catalogue.model_names()):
        says = f"{each.weight_bytes / GIB:.0f} GiB of weights, {each.max_position_embeddings:,} tokens of context."
        found.append(_snippet(each.id, says))
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


def start() -> list[dict[str, Any]]:
    """A whole spec for an empty file."""
    body = {
        "apiVersion": "llmdgen.dev/v1alpha1",
        "kind": "WellLitPath",
        "metadata": {"name": "${1:chat}"},
        "spec": {
            "path": "${2:inference-scheduling}",
            "platform": "${3:eks}",
            "instanceTypes": ["${4:p5.48xlarge}"],
            "model": {"name": "${5:openai/gpt-oss-120b}"},
        },
    }
    return [{"label": "WellLitPath", "description": "A whole spec, with what each must have.", "body": body}]


def _flag(flag: dict[str, Any], help_text: str) -> dict[str, Any]:
    kinds = ["object"] if flag.get("config") else _WRITTEN.get(flag["type"], ["string"])
    several = ["array", "object"] if flag.get("many") else []
    # null leaves out what a base or the path says.
    node = _node(help_text.strip() or f"vLLM's --{flag['name']}.", [*kinds, *several, "null"])
    if flag["type"] == "switch":
        node["examples"] = [not flag.get("default")]
    elif flag.get("choices"):
        node["examples"] = flag["choices"]
    elif isinstance(flag.get("default"), str | int | float):
        node["examples"] = [flag["default"]]
    return node


def _variable(variable: dict[str, Any]) -> dict[str, Any]:
    node = _node("A variable of vLLM.", ["string", "null"])
    if variable.get("choices"):
        node["examples"] = variable["choices"]
    elif variable["kind"] == "switch":
        node["examples"] = ["1", "0"]
    return node


def _node(says: str, kinds: list[str]) -> dict[str, Any]:
    return {"type": kinds, "description": says}


def _snippet(value: str, says: str) -> dict[str, str]:
    return {"label": value, "description": says, "bodyText": value}
