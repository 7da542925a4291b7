"""Changes to the objects of a good directory: one fault each, told apart by what a person would get wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llmdgen.plain_yaml import load
from llmdgen.untyped import at
from llmdgen.yaml_text import dump
from tests.verify.conftest import Docs

PREFILL, DECODE = "Deployment/pd-prefill", "Deployment/pd-decode"
GATEWAY, GATEWAY_MAP = "Gateway/pd-gateway", "ConfigMap/pd-gateway"
ROUTE, POOL, RULE = "HTTPRoute/pd", "InferencePool/pd-router", "DestinationRule/pd-router-epp"
EPP, EPP_SERVICE, EPP_MAP = "Deployment/pd-router-epp", "Service/pd-router-epp", "ConfigMap/pd-router-epp"
METRICS_SECRET = "Secret/pd-router-metrics-reader"
PREFILL_MONITOR, DECODE_MONITOR = "PodMonitor/pd-prefill", "PodMonitor/pd-decode"
WIDE_DECODE = "LeaderWorkerSet/wide-decode"
NLB = "service.beta.kubernetes.io/aws-load-balancer-"
EFA, GPU = "vpc.amazonaws.com/efa", "nvidia.com/gpu"

Change = Callable[[Docs], object]


def pod(docs: Docs, name: str) -> dict[str, Any]:
    doc = docs[name]["spec"]
    found: dict[str, Any] = (doc.get("template") or doc["leaderWorkerTemplate"]["workerTemplate"])["spec"]
    return found


def vllm(docs: Docs, name: str) -> dict[str, Any]:
    container: dict[str, Any] = pod(docs, name)["containers"][0]
    return container


def put(name: str, *path: str | int, value: Any) -> Change:
    """Set the value at a path of an object; None removes it."""

    def change(docs: Docs) -> None:
        _put(docs[name], path, value)

    return change


def in_vllm(name: str, *path: str | int, value: Any) -> Change:
    """Set a value inside the vLLM container. A text leads into a list too: to the entry of that name or mountPath."""

    def change(docs: Docs) -> None:
        _put(vllm(docs, name), path, value)

    return change


def in_pod(name: str, *path: str | int, value: Any) -> Change:
    """The same inside the PodSpec."""

    def change(docs: Docs) -> None:
        _put(pod(docs, name), path, value)

    return change


def _put(doc: Any, path: tuple[str | int, ...], value: Any) -> None:
    route: list[str | int] = []
    for key in path:
        place = at(doc, *route)
        assert place is not None, f"there is no {route}"
        if isinstance(place, list) and isinstance(key, str):
            key = next(index for index, each in enumerate(place) if key in (each.get("name"), each.get("mountPath")))
        route.append(key)
    place = at(doc, *route[:-1])
    if value is None:
        del place[route[-1]]
    else:
        place[route[-1]] = value


def resource(name: str, what: str, amount: str | None, sides: tuple[str, ...] = ("limits", "requests")) -> Change:
    def change(docs: Docs) -> None:
        for side in sides:
            amounts = vllm(docs, name)["resources"][side]
            if amount is None:
                amounts.pop(what)
            else:
                amounts[what] = amount

    return change


def argument(name: str, old: str, *new: str) -> Change:
    """Replace an argument of vLLM that begins with `old`, or add where `old` is empty."""

    def change(docs: Docs) -> None:
        args = vllm(docs, name)["args"]
        index = next(i for i, each in enumerate(args) if each.startswith(old)) if old else len(args)
        args[index : index + bool(old)] = new

    return change


def sidecar_flag(name: str, value: str) -> Change:
    """Set a flag of decode's routing sidecar."""

    def change(docs: Docs) -> None:
        args = pod(docs, DECODE)["initContainers"][0]["args"]
        args[:] = [each for each in args if not each.startswith(f"--{name}=")] + [f"--{name}={value}"]

    return change


def script(name: str, old: str, new: str) -> Change:
    """Replace a part of the script that starts vLLM."""

    def change(docs: Docs) -> None:
        container = vllm(docs, name)
        for key in ("command", "args"):
            words = container.get(key) or []
            for index, word in enumerate(words):
                if old in word:
                    words[index] = word.replace(old, new)
                    return
        raise AssertionError(f"{old} is in no word of the script")

    return change


def plugins(edit: Callable[[dict[str, Any]], object]) -> Change:
    """Change the scheduler's configuration."""

    def change(docs: Docs) -> None:
        config = load(docs[EPP_MAP]["data"]["plugins.yaml"])
        edit(config)
        docs[EPP_MAP]["data"]["plugins.yaml"] = dump(config)

    return change


def plugin(config: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in config["plugins"] if each["type"] == kind)
    return found


def both(*changes: Change) -> Change:
    def change(docs: Docs) -> None:
        for each in changes:
            each(docs)

    return change


def remove(*names: str) -> Change:
    def change(docs: Docs) -> None:
        for name in names:
            del docs[name]

    return change


def add_env(name: str, variable: str, value: str) -> Change:
    """Add a variable to the vLLM container."""

    def change(docs: Docs) -> None:
        vllm(docs, name)["env"].append({"name": variable, "value": value})

    return change


def set_env(name: str, variable: str, value: str) -> Change:
    """Give a variable that is there another value."""
    return in_vllm(name, "env", variable, value={"name": variable, "value": value})


def leader_without_efa(docs: Docs) -> None:
    """A leader template like the workers', without EFA and the right to lock memory."""
    template = docs[WIDE_DECODE]["spec"]["leaderWorkerTemplate"]
    template["leaderTemplate"] = load(dump(template["workerTemplate"]))
    amounts = template["leaderTemplate"]["spec"]["containers"][0]["resources"]
    amounts["limits"][EFA] = amounts["requests"][EFA] = "2"
    template["leaderTemplate"]["spec"]["containers"][0]["securityContext"] = {}
