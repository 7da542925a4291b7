"""What a Gateway takes from its provider's parameters object: its Service, the annotations of that, its proxy.

Each provider makes the Gateway's Service and proxy itself and has its own place for what they are to be: Istio texts in
a ConfigMap, kgateway and agentgateway a kind of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from llmdgen.kube.workload import Manifest
from llmdgen.plain_yaml import YAMLError, load
from llmdgen.untyped import at, mapping


class Places(Struct, frozen=True):
    """Where a kind of parameters has the spec of the Service, its annotations, and the proxy itself."""

    service: tuple[str, ...]
    annotations: tuple[str, ...]
    proxy: tuple[str, ...]


PARAMETERS = {
    "ConfigMap": Places(
        ("data", "service", "spec"),
        ("data", "service", "metadata", "annotations"),
        ("data", "deployment", "spec", "template", "spec", "containers"),
    ),
    "GatewayParameters": Places(
        ("spec", "kube", "service"),
        ("spec", "kube", "service", "extraAnnotations"),
        ("spec", "kube", "envoyContainer"),
    ),
    "AgentgatewayParameters": Places(
        ("spec", "service", "spec"),
        ("spec", "service", "metadata", "annotations"),
        ("spec",),
    ),
}


def parameters_of(gateway: Manifest, manifests: Iterable[Manifest]) -> Manifest | None:
    """The object that a Gateway takes its parameters from, None where it is not among the manifests."""
    wanted = mapping(at(gateway.doc, "spec", "infrastructure", "parametersRef"))
    named = (wanted.get("kind"), wanted.get("name"), gateway.namespace)
    return next((each for each in manifests if (each.kind, each.name, each.namespace) == named), None)


def opened(doc: dict[str, Any]) -> dict[str, Any]:
    """An object in which the texts of a ConfigMap that are YAML mappings are those mappings."""
    data = mapping(doc.get("data"))
    return {**doc, "data": {key: _opened(text) for key, text in data.items()}} if data else doc


def _opened(text: Any) -> Any:
    try:
        return mapping(load(text)) or text if isinstance(text, str) else text
    except (YAMLError, RecursionError, ValueError, OverflowError):
        return text


def said(parameters: Manifest | None, what: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The place of the `service` or the `annotations` in a parameters object, and what stands there; nothing where
    there is no such object, or none that a provider reads."""
    places = PARAMETERS.get(parameters.kind) if parameters else None
    if parameters is None or places is None:
        return (), {}
    route: tuple[str, ...] = getattr(places, what)
    return route, mapping(at(opened(parameters.doc), *route))
