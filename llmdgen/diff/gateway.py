"""The Gateway and the object that configures its proxy as facts, wherever the provider keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from llmdgen.diff.objects import say_rest
from llmdgen.diff.problem import DiffError
from llmdgen.diff.state import Facts, Key, Part, leaves, taken
from llmdgen.diff.yaml import load
from llmdgen.kube.manifest import Manifest
from llmdgen.untyped import at, mapping

KIND = "Gateway"
BALANCER = "service.beta.kubernetes.io/aws-load-balancer-"
# Where a provider's parameters keep the type of the Service, its annotations, and the proxy itself.
_PARAMETERS = {
    "ConfigMap": (
        "data.service.spec.type",
        "data.service.metadata.annotations",
        "data.deployment.spec.template.spec.containers",
    ),
    "GatewayParameters": ("spec.kube.service.type", "spec.kube.service.extraAnnotations", "spec.kube.envoyContainer"),
    "AgentgatewayParameters": ("spec.service.spec.type", "spec.service.metadata.annotations", "spec"),
}


def parameters_of(gateway: Manifest, manifests: Iterable[Manifest]) -> Manifest | None:
    """The object that a Gateway takes its parameters from, None where the chart has none."""
    wanted = mapping(at(gateway.doc, "spec", "infrastructure", "parametersRef"))
    named = (wanted.get("kind"), wanted.get("name"))
    return next((each for each in manifests if (each.kind, each.name) == named), None)


def gateway_part(manifest: Manifest) -> Part:
    """The Gateway: its class, the annotations of its Service, and whatever else it says."""
    doc, facts = deepcopy(manifest.doc), Facts()
    facts.say("gateway", "provider", "class", taken(doc, "spec", "gatewayClassName"))
    _say_annotations(facts, taken(doc, "metadata", "annotations"))
    say_rest(facts, "gateway", KIND, manifest, doc)
    return Part(Key("gateway", "value", KIND), manifest.doc, facts)


def parameters_part(manifest: Manifest) -> Part:
    """Its parameters: the type of the Service, more annotations, the proxy, and whatever else they say."""
    doc, facts = _opened(deepcopy(manifest.doc)), Facts()
    if manifest.kind in _PARAMETERS:
        service, annotations, proxy = (taken(doc, *route.split(".")) for route in _PARAMETERS[manifest.kind])
        facts.say("gateway", "service", "Service type", service)
        _say_annotations(facts, annotations)
        for path, value in leaves(proxy or {}):
            if path:
                facts.say("gateway", "parameter", f"proxy {path.removeprefix('[0].')}", value)
    say_rest(facts, "gateway", "parameters", manifest, doc)
    return Part(Key("gateway", "value", manifest.kind), manifest.doc, facts)


def _say_annotations(facts: Facts, given: Any) -> None:
    for name, value in mapping(given).items():
        short = f"load balancer {name.removeprefix(BALANCER)}" if name.startswith(BALANCER) else f"annotation {name}"
        facts.say("gateway", "annotation", short, value)


def _opened(doc: dict[str, Any]) -> dict[str, Any]:
    """A ConfigMap with the texts that are YAML mappings read: their meaning is compared, and not their spelling."""
    for key, text in mapping(doc.get("data")).items():
        try:
            doc["data"][key] = (isinstance(text, str) and deepcopy(load(text, key))) or text
        except DiffError:
            continue
    return doc
