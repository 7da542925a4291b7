"""Changes to the objects of a good directory: one fault each, told apart by what a person would get wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llmdgen.plain_yaml import load
from llmdgen.untyped import at
from llmdgen.verify.yaml import dump
from tests.verify.conftest import Docs

PREFILL = "Deployment/ms-pd-llm-d-modelservice-prefill"
DECODE = "Deployment/ms-pd-llm-d-modelservice-decode"
GATEWAY = "Gateway/infra-pd-inference-gateway"
GATEWAY_MAP = "ConfigMap/infra-pd-inference-gateway"
ROUTE, POOL = "HTTPRoute/pd", "InferencePool/gaie-pd"
EPP, EPP_SERVICE, EPP_MAP = "Deployment/gaie-pd-epp", "Service/gaie-pd-epp", "ConfigMap/gaie-pd-epp"
DECODE_MONITOR = "PodMonitor/ms-pd-llm-d-modelservice-decode-podmonitor"
WIDE_DECODE = "LeaderWorkerSet/ms-wide-llm-d-modelservice-decode"
NLB = "service.beta.kubernetes.io/aws-load-balancer-"
EFA, GPU = "vpc.amazonaws.com/efa", "nvidia.com/gpu"

Change = Callable[[Docs], None]


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
        place = at(docs[name], *path[:-1])
        assert place is not None, f"{name} has no {path}"
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value

    return change


def in_vllm(name: str, *path: str | int, value: Any) -> Change:
    """Set a value inside the vLLM container."""

    def change(docs: Docs) -> None:
        put("x", *path, value=value)({"x": vllm(docs, name)})

    return change


def in_pod(name: str, *path: str | int, value: Any) -> Change:
    def change(docs: Docs) -> None:
        put("x", *path, value=value)({"x": pod(docs, name)})

    return change


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


def script(name: str, old: str, new: str) -> Change:
    def change(docs: Docs) -> None:
        args = vllm(docs, name)["args"]
        assert old in args[0]
        args[0] = args[0].replace(old, new)

    return change


def plugins(edit: Callable[[dict[str, Any]], None]) -> Change:
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
    def change(docs: Docs) -> None:
        vllm(docs, name)["env"].append({"name": variable, "value": value})

    return change


def leader_without_efa(docs: Docs) -> None:
    """A leader template like the workers', without EFA and the right to lock memory."""
    template = docs[WIDE_DECODE]["spec"]["leaderWorkerTemplate"]
    template["leaderTemplate"] = load(dump(template["workerTemplate"]))
    amounts = template["leaderTemplate"]["spec"]["containers"][0]["resources"]
    amounts["limits"][EFA] = amounts["requests"][EFA] = "2"
    template["leaderTemplate"]["spec"]["containers"][0]["securityContext"] = {}
