"""The containers of a model server's pod as facts, and what vLLM in them is started with: order and spelling of
arguments gone, JSON settings key by key, quantities as short as one would say them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from llmdgen.diff.state import Facts, Value, leaves, named, taken
from llmdgen.diff.yaml import compact
from llmdgen.kube.command_line import beside_serving
from llmdgen.kube.workload import PROBES, Container
from llmdgen.quantities import MIB, cpu_text, mib_text, to_bytes, to_millis
from llmdgen.untyped import at, items, mapping, maps

TRANSFER = "kv-transfer-config"
_EXTRA = "kv_connector_extra_config"
_PARALLELISM = {
    "tensor-parallel-size": "tensor parallelism",
    "pipeline-parallel-size": "pipeline parallelism",
    "data-parallel-size": "data parallelism",
    "data-parallel-size-local": "data parallelism of a pod",
}
REFERENCE = "from "  # what a variable's value begins with that comes from elsewhere
_LONGEST_QUANTITY = 30
_FIRST = {"LWS_WORKER_INDEX": "0", "LWS_GROUP_SIZE": "1"}


def served_names(vllm: Container) -> list[Any]:
    """The names that requests may call the model by."""
    names = vllm.flags.get("served-model-name")
    return names if isinstance(names, list) else [] if names is None else [names]


def vllm_facts(role: str, container: Container) -> Facts:
    """What vLLM of a role is started with. A script is read for its `vllm serve`; its other lines are a fact too."""
    doc = deepcopy(container.doc)
    args = [str(word) for word in items(doc.pop("args", None))]
    flags = _flags(container)
    facts = Facts()
    if any("\n" in word for word in args):
        facts.say(role, "script", "start script", compact([beside_serving(word) for word in args]))
    facts.say(role, "parallelism", _PARALLELISM["tensor-parallel-size"], flags.pop("tensor-parallel-size", 1))
    for flag, name in _PARALLELISM.items():
        facts.say(role, "parallelism", name, flags.pop(flag, None))
    if flags.get("port") == at(named(items(doc.get("ports"))), "vllm", "containerPort"):
        flags.pop("port", None)  # the port of the container says it too
    if len(served_names(container)) == 1:
        flags.pop("served-model-name")  # the model's name
    flags.pop("model", None)  # the model's uri
    for flag, value in flags.items():
        if flag == TRANSFER and isinstance(value, dict):
            _say_connectors(facts, role, value)
        elif isinstance(value, dict):
            for path, leaf in leaves(value):
                facts.say(role, "flag", f"--{flag} {path}".rstrip(), leaf, f"--{flag}")
        else:
            facts.say(role, "flag", f"--{flag}", value)
    facts.add(container_facts(role, "", doc))
    return facts


def _flags(container: Container) -> dict[str, Any]:
    """The flags, and those that vLLM's parser would refuse as they are written, for they differ all the same."""
    flags, words = dict(container.flags), container.arguments(_FIRST) or ()
    for refused in container.refused:
        flags.setdefault(refused.flag.lstrip("-") or str(refused), True)
        for word, following in zip(words, (*words[1:], "--"), strict=True):
            name, _, value = word.partition("=")
            value = value or following
            if name and name == refused.flag and not value.startswith("--"):
                flags[name.lstrip("-")] = value
    return flags


def _say_connectors(facts: Facts, role: str, config: dict[str, Any]) -> None:
    """KV connectors, which are read by name and not by their place; those inside another one are the connectors, and
    what the outer one says beside them goes by its name."""
    outer = str(config.get("kv_connector"))
    inner = [each for _, each in maps(at(config, _EXTRA, "connectors"))]
    rest = {**config, _EXTRA: {key: value for key, value in mapping(config.get(_EXTRA)).items() if key != "connectors"}}
    found = [(str(each.get("kv_connector")), each) for each in inner] or [(outer, config)]
    facts.say(role, "connectors", "KV connectors", [name for name, _ in found])
    for name, each in [*found, *([(outer, rest)] if inner else [])]:
        for path, leaf in leaves({key: value for key, value in each.items() if key != "kv_connector" and value != {}}):
            if path:
                short = path.removeprefix(f"{_EXTRA}.")
                facts.say(role, "connector", f"{name} {short}", leaf, name)


def sidecar_facts(container: Container) -> Facts:
    """The routing sidecar, which is alike in every pod."""
    doc, facts = deepcopy(container.doc), Facts()
    facts.say("sidecar", "image", "image", doc.pop("image", None), "settings")
    for name, value in container.sidecar_flags.items():
        facts.say("sidecar", "parameter", name, value, "settings")
    for key in ("name", "args"):
        doc.pop(key, None)
    facts.under("sidecar", "parameter", "", canonical(doc), "settings")
    return facts


def container_facts(role: str, name: str, given: dict[str, Any]) -> Facts:
    """A container's own settings; `name` is "" for vLLM's, whose arguments are not among them."""
    doc, facts = deepcopy(given), Facts()
    doc.pop("name", None)
    prefix, thing = (f"{name} ", f"container {name}") if name else ("", "")
    facts.say(role, "image", f"{prefix}image", doc.pop("image", None), thing)
    for variable_name, source in named(items(taken(doc, "env"))).items():
        facts.say(role, "env", f"{prefix}env {variable_name}", variable(mapping(source)), thing)
    _say_resources(facts, role, prefix, mapping(taken(doc, "resources")), thing)
    for probe in PROBES:
        facts.under(role, "probe", f"{prefix}{probe}", taken(doc, probe) or {}, thing)
    for port_name, port in named(items(taken(doc, "ports"))).items():
        facts.under(role, "port", f"{prefix}port {port_name}", port, thing or f"port {port_name}")
    for mount in map(mapping, items(taken(doc, "volumeMounts"))):
        where = str(mount.get("mountPath", compact(mount)))
        rest = compact({key: value for key, value in mount.items() if key != "mountPath"})
        facts.say(role, "volume", f"{prefix}mount {where}", rest, thing)
    facts.under(role, "pod", name, doc, thing)
    return facts


def _say_resources(facts: Facts, role: str, prefix: str, resources: dict[str, Any], thing: str) -> None:
    """What a container requests; the limit apart only where it is another."""
    limits, requests = mapping(taken(resources, "limits")), mapping(taken(resources, "requests"))
    for name in {**requests, **limits}:
        topic = "device" if "/" in name else "resource"
        label = f"{prefix}{'EFA interfaces of a pod' if name.endswith('/efa') else name}"
        limit, request = size(name, limits.get(name)), size(name, requests.get(name))
        if limit == request:
            facts.say(role, topic, label, limit, thing)
        else:
            facts.say(role, topic, f"{label} limit", limit, thing)
            facts.say(role, topic, f"{label} request", request, thing)
    facts.under(role, "pod", f"{prefix}resources", resources, thing)


def variable(source: dict[str, Any]) -> Any:
    """The value of an environment variable, or where it comes from."""
    if set(source) == {"value"}:
        return source["value"]
    for kind, inner in mapping(source.get("valueFrom")).items():
        if isinstance(inner, dict):
            return REFERENCE + " ".join([kind, *(compact(inner[key]) for key in sorted(inner, reverse=True))])
    return compact(source)


def size(name: str, value: Any) -> Value:
    """A quantity of a resource in one spelling: "8000m" and 8 are 8, 65536Mi is 64Gi; a count of devices is a
    number."""
    text = compact(value)
    if value is None or len(text) > _LONGEST_QUANTITY:
        return None if value is None else text
    if "/" in name:
        return int(text) if text.isascii() and text.isdigit() else text
    try:
        if name == "cpu":
            return cpu_text(to_millis(text))
        number = to_bytes(text)
        return mib_text(number // MIB) if number % MIB == 0 else text
    except (KeyError, ValueError):
        return text


def canonical(value: Any, key: str = "") -> Any:
    """A part of a pod as the API server keeps it: one spelling of each quantity, and no key without a value."""
    if isinstance(value, dict):
        is_resource = key in ("limits", "requests")
        return {
            name: size(name, item) if is_resource or name == "sizeLimit" else canonical(item, name)
            for name, item in value.items()
            if item is not None
        }
    return [canonical(item) for item in value] if isinstance(value, list) else value
