"""What a Gateway takes from its provider's parameters object: its Service, the annotations of that, its proxy.

Each provider makes the Gateway's Service and proxy itself and has its own place for what they are to be: Istio texts in
a ConfigMap, kgateway and agentgateway a kind of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from llmdgen.facts.catalogue import table
from llmdgen.kube.workload import Manifest
from llmdgen.plain_yaml import YAMLError, load
from llmdgen.untyped import at, mapping


@cache
def places(kind: str) -> dict[str, tuple[str, ...]]:
    """Where a kind of parameters has the `service`, its `annotations` and the `proxy`; nothing for other kinds."""
    return {what: tuple(path.split(".")) for what, path in table("kubernetes/gateways.toml").get(kind, {}).items()}


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
    route = places(parameters.kind).get(what, ()) if parameters else ()
    return route, mapping(at(opened(parameters.doc), *route)) if parameters and route else {}
