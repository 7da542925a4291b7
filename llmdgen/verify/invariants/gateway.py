"""The Gateway's Service and proxy: that annotations and settings arrive, by the way that each provider has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.checks.devices import wrong_amounts
from llmdgen.facts.catalogue import release_toml, table
from llmdgen.findings import Route
from llmdgen.kube.gateway import opened, parameters_of, said
from llmdgen.kube.workload import Manifest
from llmdgen.planning.model import AUTO_MODE
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, mapping, maps, nodes
from llmdgen.verify.rendered import Rendered

_CLASSES = ("service.k8s.aws/nlb", AUTO_MODE)
_OVERLAY = "deployment"  # its key in Istio's ConfigMap


@rule("VER045", "error", "load balancer annotations reach no Service")
def annotations_arrive(rendered: Rendered) -> Iterator[Draft]:
    """Each provider makes the gateway's Service itself. Istio copies the Gateway's own annotations to it, as long as
    the Gateway has no spec.infrastructure.annotations; kgateway takes them from GatewayParameters
    spec.kube.service.extraAnnotations, agentgateway from AgentgatewayParameters spec.service.metadata.annotations.
    Anywhere else they do nothing, and the load balancer comes up with defaults, or never.

    Fails:  annotations on a Gateway of class kgateway; annotations of a GatewayParameters itself.
    Passes: annotations on a Gateway of class istio.
    """
    for gateway in rendered.of_kind("Gateway"):
        is_istio = at(gateway.doc, "spec", "gatewayClassName") == "istio"
        infrastructure = mapping(at(gateway.doc, "spec", "infrastructure", "annotations"))
        annotated = _load_balancer(at(gateway.doc, "metadata", "annotations"))
        if is_istio and annotated and infrastructure:
            says = "with these, Istio does not copy the Gateway's own annotations to the Service"
            fix = "move them to metadata.annotations"
            yield found("spec", "infrastructure", "annotations", says=says, fix=fix, of=gateway)
        parameters = parameters_of(gateway, rendered.manifests)
        handed_on = _load_balancer(said(parameters, "annotations")[1]) or _load_balancer(infrastructure)
        if not is_istio and annotated and not handed_on:
            says = "this gateway class does not copy them to the Service that it makes"
            fix = "set them in the object that spec.infrastructure.parametersRef names"
            yield found("metadata", "annotations", says=says, fix=fix, of=gateway)
        reference = mapping(at(gateway.doc, "spec", "infrastructure", "parametersRef"))
        if reference and parameters is None:
            says = f"there is no {reference.get('kind')} {reference.get('name')}"
            fix = "add it, or remove the reference"
            yield found("spec", "infrastructure", "parametersRef", says=says, fix=fix, of=gateway)
    for parameters in rendered.manifests:
        route, annotations = said(parameters, "annotations")
        if route and _load_balancer(at(parameters.doc, "metadata", "annotations")) and not _load_balancer(annotations):
            says = "annotations of the parameters object itself reach no Service"
            yield found("metadata", "annotations", says=says, fix=f"move them to {'.'.join(route)}", of=parameters)


@rule("VER046", "error", "a load balancer is annotated, but the Service is of another type")
def annotated_services_are_load_balancers(rendered: Rendered) -> Iterator[Draft]:
    """The AWS Load Balancer Controller looks at Services of type LoadBalancer only, and takes those that say so: by the
    annotation aws-load-balancer-type external (or nlb-ip), or by loadBalancerClass service.k8s.aws/nlb.

    Fails:  NLB annotations on the Gateway, and type ClusterIP in the ConfigMap that its parametersRef names.
    Passes: type LoadBalancer in that ConfigMap.
    """
    for gateway in rendered.of_kind("Gateway"):
        parameters = parameters_of(gateway, rendered.manifests)
        annotations = _annotations(gateway, parameters)
        if not annotations:
            continue
        place, service = said(parameters, "service")
        if service.get("type", "LoadBalancer") != "LoadBalancer":
            says = f"the Service is of type {service['type']}"
            yield found(*place, says=says, fix="set the Service's type to LoadBalancer", of=parameters or gateway)
        kind = f"{table('nlb.toml')['prefix']}aws-load-balancer-type"
        if annotations.get(kind) not in ("external", "nlb-ip") and service.get("loadBalancerClass") not in _CLASSES:
            says = "neither aws-load-balancer-type: external nor loadBalancerClass service.k8s.aws/nlb is set, so "
            says += "that the AWS Load Balancer Controller leaves the Service alone"
            yield found("metadata", "annotations", says=says, fix=f"set {kind} to external", of=gateway)


@rule("VER047", "error", "an annotation's value is not a string")
def annotations_are_strings(rendered: Rendered) -> Iterator[Draft]:
    """Kubernetes refuses an object with an annotation or label that is a number or a boolean.

    Fails:  `aws-load-balancer-proxy-protocol: 1`.
    Passes: every value quoted.
    """
    for manifest in rendered.manifests:
        for place, key, value in annotations_and_labels(manifest.doc):
            if not isinstance(value, str):
                yield found(*place, key, says=f"{value!r} is not a string", fix="quote the value", of=manifest)


@rule("VER049", "error", "a Gateway that nobody serves, or one that is open by accident")
def gateways_are_known(rendered: Rendered) -> Iterator[Draft]:
    """A Gateway of a class that no controller of the release has stays without an address. One whose Service is to be a
    LoadBalancer without annotations is taken by the legacy controller: a Classic Load Balancer, open to the internet.

    Fails:  gatewayClassName: istios; service type LoadBalancer and no aws-load-balancer annotations.
    Passes: istio, kgateway or agentgateway-v2; ClusterIP, or LoadBalancer with aws-load-balancer-type: external.
    """
    table = release_toml(rendered.release.name, "gateways.toml")
    known = [str(each["class"]) for each in table.values() if isinstance(each, dict) and "class" in each]
    for gateway in rendered.of_kind("Gateway"):
        name = at(gateway.doc, "spec", "gatewayClassName")
        if name not in known:
            place = ("spec", "gatewayClassName")
            yield found(*place, says=f"there is no class {name}", fix=f"use {', '.join(known)}", of=gateway)
        parameters = parameters_of(gateway, rendered.manifests)
        annotations, service = _annotations(gateway, parameters), said(parameters, "service")[1]
        if parameters is not None:  # VER045 says that these arrive nowhere
            annotations |= _load_balancer(at(parameters.doc, "metadata", "annotations"))
        if service.get("type") == "LoadBalancer" and not annotations and not service.get("loadBalancerClass"):
            says = "its Service is a LoadBalancer without annotations"
            yield found("spec", says=says, fix="set spec.gateway.loadBalancer, or ClusterIP", of=parameters or gateway)


def annotations_and_labels(doc: dict[str, Any]) -> Iterator[tuple[Route, str, Any]]:
    """The place, name and value of every annotation and label in an object, whatever it is called that holds them."""
    for route, each in nodes(doc):
        if str(route[-1]).lower().endswith(("annotations", "labels")):
            yield from ((route, str(name), text) for name, text in mapping(each).items())


def _load_balancer(annotations: Any) -> dict[str, Any]:
    prefix = table("nlb.toml")["prefix"]
    return {key: value for key, value in mapping(annotations).items() if str(key).startswith(prefix)}


def _annotations(gateway: Manifest, parameters: Manifest | None) -> dict[str, Any]:
    """The load balancer annotations of a Gateway, and those that its parameters give to the Service."""
    own = _load_balancer(at(gateway.doc, "metadata", "annotations"))
    return own | _load_balancer(said(parameters, "annotations")[1])


@rule("VER111", "error", "Istio cannot lay this over the gateway's Deployment")
def overlay_is_taken(rendered: Rendered) -> Iterator[Draft]:
    """The resources of the gateway's proxy come from a text in a ConfigMap that Istio lays over its Deployment. What is
    wrong in it, the API server refuses, and only Istio's log says so.

    Fails:  `cpus: "2"` under the limits in that text; a text that is not YAML.
    Passes: cpu and memory, requests up to the limits.
    """
    for manifest in rendered.of_kind("ConfigMap"):
        overlay = at(opened(manifest.doc), "data", _OVERLAY)
        if overlay and isinstance(overlay, str):
            yield found("data", _OVERLAY, says="it is not a YAML mapping", fix="render again", of=manifest)
        place = ("data", _OVERLAY, "spec", "template", "spec", "containers")
        for index, each in maps(at(overlay, *place[2:])):
            for path, says, fix in wrong_amounts(each.get("resources")):
                yield found(*place, index, "resources", *path, says=says, fix=fix, of=manifest)
