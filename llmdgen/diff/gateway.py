"""The Gateway and the object that configures its proxy as facts, wherever the provider keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from llmdgen.diff.objects import identified, part_of
from llmdgen.diff.state import Facts, Key, Read, fact, leaves, taken
from llmdgen.kube.manifest import Manifest
from llmdgen.untyped import at, mapping

KIND = "Gateway"
BALANCER = "service.beta.kubernetes.io/aws-load-balancer-"
_Route = tuple[str, ...]
# Where a provider's parameters keep the type of the Service, its annotations, and the proxy itself.
_PARAMETERS: dict[str, tuple[_Route, _Route, _Route]] = {
    "ConfigMap": (
        ("data", "service", "spec", "type"),
        ("data", "service", "metadata", "annotations"),
        ("data", "deployment", "spec", "template", "spec", "containers"),
    ),
    "GatewayParameters": (
        ("spec", "kube", "service", "type"),
        ("spec", "kube", "service", "extraAnnotations"),
        ("spec", "kube", "envoyContainer"),
    ),
    "AgentgatewayParameters": (
        ("spec", "service", "spec", "type"),
        ("spec", "service", "metadata", "annotations"),
        ("spec",),
    ),
}


def parameters_of(gateway: Manifest, manifests: Iterable[Manifest]) -> Manifest | None:
    """The object that a Gateway takes its parameters from, None where the chart has none."""
    wanted = mapping(at(gateway.doc, "spec", "infrastructure", "parametersRef"))
    return next(
        (each for each in manifests if (each.kind, each.name) == (wanted.get("kind"), wanted.get("name"))), None
    )


def gateway_facts(gateway: Manifest, parameters: Manifest | None) -> Read:
    """The Gateway's class, its Service and the load balancer's annotations, its proxy, and whatever else they say."""
    doc = deepcopy(gateway.doc)
    facts: Facts = {Key("gateway", "provider", "class"): fact(taken(doc, "spec", "gatewayClassName"))}
    facts |= _annotations(taken(doc, "metadata", "annotations"))
    facts |= identified("gateway", KIND, gateway, doc)
    parts = {KIND: part_of("gateway", KIND, gateway, facts)}
    if parameters is not None:
        own = _parameters(parameters)
        parts["parameters"] = part_of("gateway", parameters.kind, parameters, own)
        facts |= own
    return Read({key: value for key, value in facts.items() if value is not None}, parts)


def _parameters(manifest: Manifest) -> Facts:
    doc = opened(deepcopy(manifest.doc))
    facts: Facts = {}
    if manifest.kind in _PARAMETERS:
        service, annotations, proxy = _PARAMETERS[manifest.kind]
        facts[Key("gateway", "service", "Service type")] = fact(taken(doc, *service))
        facts |= _annotations(taken(doc, *annotations))
        facts |= {
            Key("gateway", "parameter", f"proxy {path.removeprefix('[0].')}"): value
            for path, value in leaves(taken(doc, *proxy) or {})
            if path
        }
    return facts | identified("gateway", "parameters", manifest, doc)


def _annotations(given: Any) -> Facts:
    facts: Facts = {}
    for name, value in mapping(given).items():
        short = f"load balancer {name.removeprefix(BALANCER)}" if name.startswith(BALANCER) else f"annotation {name}"
        facts[Key("gateway", "annotation", short)] = fact(value)
    return facts


def opened(doc: dict[str, Any]) -> dict[str, Any]:
    """A ConfigMap with the texts that are YAML mappings read: their meaning is compared, and not their spelling."""
    from llmdgen import plain_yaml

    data = doc.get("data")
    for key, text in mapping(data).items():
        try:
            value = plain_yaml.load(text) if isinstance(text, str) else None
        except (plain_yaml.YAMLError, RecursionError, ValueError):
            continue
        if isinstance(value, dict):
            doc["data"][key] = value
    return doc
