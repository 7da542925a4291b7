"""The Network Load Balancer: annotations that the AWS Load Balancer Controller reads, values it takes, who gets in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from llmdgen.checks._annotations import items, pairs, wrong
from llmdgen.facts.catalogue import table
from llmdgen.planning.model import AUTO_MODE, Plan
from llmdgen.planning.router import PORT
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import did_you_mean, one_of

AT = ("spec", "gateway", "loadBalancer")
ISTIO_STATUS_PORT = "15021"  # Istio's Service for a Gateway has it beside the listeners
CERTIFICATE, TLS_PORTS = "aws-load-balancer-ssl-cert", "aws-load-balancer-ssl-ports"
LISTENER_ATTRIBUTES = "aws-load-balancer-listener-attributes"
RANGES, GROUPS = "load-balancer-source-ranges", "aws-load-balancer-security-groups"
PREFIX_LISTS = "aws-load-balancer-security-group-prefix-lists"
EVERYONE = ("0.0.0.0/0", "::/0")


class _Annotation(Struct, frozen=True):
    """An annotation of the spec. `name` is what follows the controller's prefix, without the `suffix` that names a
    listener or port, and `entry` what the facts say of it; all are empty for one without the prefix."""

    key: str
    value: str
    name: str = ""
    suffix: str = ""
    entry: dict[str, Any] = {}

    def found(self, says: str, fix: str, on_key: bool = False) -> Draft:
        return found(*AT, "annotations", self.key, says=says, fix=fix, on_key=on_key)


def _annotations(plan: Plan) -> Iterator[_Annotation]:
    """Those of the spec; the facts are read only where there are some."""
    balancer = plan.spec.asked.gateway.load_balancer
    for key, value in balancer.annotations.items() if balancer else ():
        facts = table("nlb.toml")
        if key.startswith(facts["prefix"]):
            name, _, suffix = key.removeprefix(facts["prefix"]).partition(".")
            yield _Annotation(key, value, name, suffix, facts["annotations"].get(name, {}))
        else:
            yield _Annotation(key, value)


def _given(plan: Plan) -> dict[str, str]:
    """The annotations of the Service, llmdgen's own among them, by what follows the controller's prefix."""
    given, prefix = plan.gateway.annotations, table("nlb.toml")["prefix"] if plan.gateway.annotations else ""
    return {key.removeprefix(prefix): value for key, value in given.items() if key.startswith(prefix)}


@rule("GW001", "error", "an annotation that the load balancer controller does not read")
def annotations_are_known(plan: Plan) -> Iterator[Draft]:
    """The AWS Load Balancer Controller ignores annotations that it does not know: a mistyped one leaves a load balancer
    that is reachable, or slow, or untagged, without an error. Those of other controllers, with their domain, may stay.

    Fails:  `{gateway: {loadBalancer: {annotations:
            {service.beta.kubernetes.io/aws-load-balancer-target-group-attribute: a=b}}}}`; aws-load-balancer-name
            without a prefix.
    Passes: `{gateway: {loadBalancer: {annotations:
            {service.beta.kubernetes.io/aws-load-balancer-target-group-attributes: preserve_client_ip.enabled=true}}}}`.
    """
    for each in _annotations(plan):
        facts = table("nlb.toml")
        known, prefix = facts["annotations"], facts["prefix"]
        domain, _, bare = each.key.rpartition("/")
        name = bare.partition(".")[0]
        if each.name:
            if each.name not in known:
                fix = facts["instead"].get(bare) or did_you_mean(bare, known, listed_up_to=0) or "remove it"
                yield each.found(f"the load balancer controller does not read {bare}", fix, on_key=True)
        elif f"{domain}/" in facts["foreign_prefixes"]:
            fix = did_you_mean(f"aws-load-balancer-{bare}", known, listed_up_to=0) or "use the annotation of a Service"
            yield each.found(f"{each.key} is for an Ingress, and llm-d's gateway is a Service", fix, on_key=True)
        elif name in known or bare.startswith("aws-load-balancer-") or not domain:
            near = did_you_mean(bare, known, listed_up_to=0) or "remove it"
            says = f"{each.key} lacks the prefix {prefix}" if not domain else f"{domain}/ is not the prefix"
            yield each.found(says, f"write {prefix}{bare}" if name in known else near, on_key=True)


@rule("GW002", "error", "an annotation's value that the load balancer cannot have")
def annotation_values_fit(plan: Plan) -> Iterator[Draft]:
    """The controller reports a wrong value only as an event on the Service; the load balancer stays without an address.

    Fails:  `{gateway: {loadBalancer: {annotations: {service.beta.kubernetes.io/load-balancer-source-ranges:
            10.0.0.1/8}}}}`; aws-load-balancer-name with 40 characters; deregistration_delay.timeout_seconds=7200; a
            boolean written as yes.
    Passes: `{gateway: {loadBalancer: {annotations: {service.beta.kubernetes.io/load-balancer-source-ranges:
            10.0.0.0/8}}}}`.
    """
    for each in _annotations(plan):
        for says, fix in wrong(each.value, each.entry, table("nlb.toml")) if each.entry else ():
            yield each.found(f"{each.name}: {says}", fix)
        if each.suffix and each.entry and "suffix" not in each.entry:
            key = each.key.removesuffix(f".{each.suffix}")
            yield each.found(f"{each.name} takes no .{each.suffix}", f"write {key}", on_key=True)
        elif not each.suffix and "needs" in each.entry:
            fix = f"write {each.name}.{each.entry['needs']}"
            yield each.found(f"{each.name} is read for one listener", fix, on_key=True)


@rule("GW003", "error", "an annotation that the spec has a field for")
def annotations_leave_the_fields_alone(plan: Plan) -> Iterator[Draft]:
    """Scheme, target type and type come from spec.gateway.loadBalancer. An annotation of the same meaning would win
    unseen, or contradict it, and the type must never change on a Service that exists.

    Fails:  `{gateway: {loadBalancer: {scheme: internal, annotations:
            {service.beta.kubernetes.io/aws-load-balancer-scheme: internet-facing}}}}`.
    Passes: `{gateway: {loadBalancer: {scheme: internet-facing}}}`.
    """
    for each in _annotations(plan):
        if field := each.entry.get("field"):
            yield each.found(f"{each.name} is what spec.{field} sets", f"remove it, and set {field}", on_key=True)


@rule("GW004", "warning", "a model API that the whole internet reaches")
def the_api_is_not_open(plan: Plan) -> Iterator[Draft]:
    """llm-d's gateway asks nobody who they are. An internet-facing load balancer without source ranges, prefix lists or
    security groups serves the model to everyone who finds it.

    Fails:  `{gateway: {loadBalancer: {scheme: internet-facing}}}` alone, or with source ranges 0.0.0.0/0.
    Passes: `{gateway: {loadBalancer: {scheme: internet-facing, annotations:
            {service.beta.kubernetes.io/load-balancer-source-ranges: 203.0.113.0/24}}}}`.
    """
    balancer = plan.spec.asked.gateway.load_balancer
    if balancer is None or balancer.scheme != "internet-facing":
        return
    given = _given(plan)
    ranges = items(given.get(RANGES, "")) or EVERYONE
    guarded = any(given.get(name, "").strip() for name in (GROUPS, PREFIX_LISTS))
    if not guarded and {*EVERYONE} & {*ranges}:
        says = "anyone on the internet can use the model: the gateway has no authentication"
        fix = f"add the annotation {RANGES} or {GROUPS}, or use scheme: internal"
        yield found(*AT, "scheme", says=says, fix=fix)


@rule("GW005", "warning", "source ranges that are ignored")
def ranges_and_groups_exclude_each_other(plan: Plan) -> Iterator[Draft]:
    """With security groups of your own the controller makes none, and ignores source ranges and prefix lists.

    Fails:  `{gateway: {loadBalancer: {annotations: {service.beta.kubernetes.io/load-balancer-source-ranges: 10.0.0.0/8,
            service.beta.kubernetes.io/aws-load-balancer-security-groups: sg-0123456789abcdef0}}}}`.
    Passes: either of them: `{gateway: {loadBalancer: {annotations:
            {service.beta.kubernetes.io/load-balancer-source-ranges: 10.0.0.0/8}}}}`; ranges as inbound rules of the
            security groups.
    """
    for each in _annotations(plan) if _given(plan).get(GROUPS, "").strip() else ():
        if each.name in (RANGES, PREFIX_LISTS):
            says = f"{each.name} is ignored where {GROUPS} is given"
            yield each.found(says, "put the ranges into the rules of the security groups, and remove it", on_key=True)


@rule("GW006", "error", "annotations that do not go together")
def annotations_go_together(plan: Plan) -> Iterator[Draft]:
    """Some annotations are refused, or never read, for this load balancer: Elastic IPs belong to an internet-facing
    one, private addresses to an internal one, both one for each subnet; TLS settings need a certificate, of the
    cluster's region, and a port that the gateway has; paths and codes of health checks need HTTP; and a listener's
    attributes are read only under the name of a listener that the gateway has, and only one for TCP has any
    (https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html).

    Fails:  `{gateway: {loadBalancer: {scheme: internal, annotations:
            {service.beta.kubernetes.io/aws-load-balancer-eip-allocations: eipalloc-0123456789abcdef0}}}}`;
            aws-load-balancer-listener-attributes.TCP-443 for a gateway that listens on port 80;
            aws-load-balancer-ssl-ports without aws-load-balancer-ssl-cert.
    Passes: `{gateway: {loadBalancer: {annotations:
            {service.beta.kubernetes.io/aws-load-balancer-listener-attributes.TCP-80: tcp.idle_timeout.seconds=600}}}}`.
    """
    given = _given(plan)
    subnets = items(given.get("aws-load-balancer-subnets", ""))
    for each in _annotations(plan):
        off = each.entry.get("kind") == "boolean" and each.value.lower() in ("false", "f", "0")
        for other, values in each.entry.get("beside", {}).items() if not off else ():
            if other not in given or (values and given[other].lower() not in values):
                wanted = f"{other}: {one_of(values)}" if values else other
                says, fix = f"{each.name} does nothing without {wanted}", f"add {wanted}, or remove it"
                yield each.found(says, fix, on_key=True)
        if "each_subnet" in each.entry and subnets and len(items(each.value)) != len(subnets):
            says = f"{each.name} has {len(items(each.value))} items for {len(subnets)} subnets"
            yield each.found(says, "give one for each subnet")
        attributes = dict(pairs(each.value)) if each.name == "aws-load-balancer-attributes" else {}
        if attributes.get("access_logs.s3.enabled") == "true" and not attributes.get("access_logs.s3.bucket"):
            yield each.found("access logs need a bucket", "add access_logs.s3.bucket=<bucket>")
        if each.name in (CERTIFICATE, TLS_PORTS) and CERTIFICATE in given:
            yield from _encrypted(plan, each)
        of_istio = plan.gateway.provider == "istio" and each.suffix.rpartition("-")[2] == ISTIO_STATUS_PORT
        if "suffix" in each.entry and each.suffix and not of_istio:
            yield from _listener(each, given)


def _encrypted(plan: Plan, each: _Annotation) -> Iterator[Draft]:
    """TLS on a port that the gateway has, by a certificate of the cluster's region."""
    parts, zone = items(each.value), plan.spec.asked.cluster.zone
    if each.name == TLS_PORTS:
        if parts and all(part.isdigit() and part != str(PORT) for part in parts):
            says = f"the gateway listens on {PORT} alone, so no port speaks TLS"
            yield each.found(says, f'write "{PORT}", or remove it for TLS on every port')
        return
    for pieces in (arn.split(":") for arn in parts):
        if zone and len(pieces) > 5 and pieces[2] == "acm" and not zone.startswith(pieces[3]):
            says = f"the certificate is in {pieces[3]}, the cluster in the region of {zone}"
            yield each.found(says, "import or request one in that region")


def _listener(each: _Annotation, given: dict[str, str]) -> Iterator[Draft]:
    """A listener is named by protocol and port, a target group by its port; the gateway has one of each.

    With a certificate the listener is one for TLS, unless ssl-ports leaves its port out.
    """
    encrypted, by_port = CERTIFICATE in given, TLS_PORTS in given
    protocol = "TLS-" if encrypted and not by_port else "TCP-"
    expected = f"{'' if each.entry['suffix'] == 'port' else protocol}{PORT}"
    either = (expected, f"TLS-{PORT}") if encrypted and by_port else (expected,)
    if each.name == LISTENER_ATTRIBUTES and encrypted and not by_port:
        says = "a TLS listener closes connections after 350 idle seconds, which nothing changes"
        yield each.found(says, "remove it, or end TLS behind the load balancer", on_key=True)
    elif each.suffix not in either:
        says = f"the gateway has no listener {each.suffix}, so nothing reads this"
        yield each.found(says, f"write {each.name}.{expected}", on_key=True)


@rule("GW007", "warning", "a load balancer attribute that the facts do not hold")
def attributes_are_known(plan: Plan) -> Iterator[Draft]:
    """Attributes go to the AWS API as they stand, which refuses those that it does not know. This one may be newer than
    llmdgen's facts, or not be one of a Network Load Balancer.

    Fails:  `{gateway: {loadBalancer: {annotations: {service.beta.kubernetes.io/aws-load-balancer-attributes:
            some.new.attribute=true}}}}`.
    Passes: `{gateway: {loadBalancer: {annotations: {service.beta.kubernetes.io/aws-load-balancer-attributes:
            load_balancing.cross_zone.enabled=true}}}}`.
    """
    for each, name, of in _attributes(plan):
        known = table("nlb.toml")["attributes"].get(of) or {name}
        strange = name not in known and not _of_an_application(name, of)
        if strange and not did_you_mean(name, known, listed_up_to=0):
            says = f"{name} is not among the {of.replace('_', ' ')} attributes of a Network Load Balancer"
            yield each.found(says, "check it against the Elastic Load Balancing API reference")


@rule("GW008", "error", "an attribute of an Application Load Balancer")
def attributes_are_of_a_network_load_balancer(plan: Plan) -> Iterator[Draft]:
    """The AWS API refuses attributes of the other kind of load balancer, and with them every change of this one.

    Fails:  `{gateway: {loadBalancer: {annotations: {service.beta.kubernetes.io/aws-load-balancer-attributes:
            idle_timeout.timeout_seconds=600}}}}`.
    Passes: `{gateway: {loadBalancer: {annotations:
            {service.beta.kubernetes.io/aws-load-balancer-listener-attributes.TCP-80: tcp.idle_timeout.seconds=600}}}}`.
    """
    instead = f"use {LISTENER_ATTRIBUTES}.TCP-{PORT}: tcp.idle_timeout.seconds=<seconds>"
    for each, name, of in _attributes(plan):
        if _of_an_application(name, of):
            fix = instead if name.startswith("idle_timeout") else "remove it"
            yield each.found(f"a Network Load Balancer has no {name}", fix)


def _attributes(plan: Plan) -> Iterator[tuple[_Annotation, str, str]]:
    """The attributes that annotations set: the annotation, the attribute, and what the attribute is of."""
    for each in _annotations(plan):
        if of := each.entry.get("of"):
            yield from ((each, name, of) for name, _ in pairs(each.value))


def _of_an_application(name: str, of: str) -> bool:
    return name.startswith(tuple(table("nlb.toml")["of_an_application"].get(of, ())))


@rule("GW009", "warning", "PROXY protocol that the gateway has to be told of")
def the_gateway_speaks_proxy_protocol(plan: Plan) -> Iterator[Draft]:
    """With PROXY protocol each connection begins with a line that no gateway expects by default, and every request is
    answered with 400. Istio wants numTrustedProxies and proxyProtocol in proxy.istio.io/config or an EnvoyFilter,
    kgateway a ListenerPolicy.

    Fails:  `{gateway: {loadBalancer: {annotations: {service.beta.kubernetes.io/aws-load-balancer-proxy-protocol:
            "*"}}}}` alone.
    Passes: the annotation left out: `{gateway: {loadBalancer: {scheme: internal}}}`; or the finding suppressed, its
            reason being the object that configures the gateway.
    """
    for each in _annotations(plan):
        asked = ("proxy_protocol_v2.enabled", "true") in pairs(each.value)
        by_attribute = each.name == "aws-load-balancer-target-group-attributes" and asked
        if each.name == "aws-load-balancer-proxy-protocol" or by_attribute:
            says = "the gateway does not expect PROXY protocol, and answers every request with an error"
            fix = "remove it, or configure the gateway for it and suppress this with the reason"
            yield each.found(says, fix, on_key=True)


@rule("GW010", "error", "a load balancer class that does not fit the gateway")
def load_balancer_class_fits(plan: Plan) -> Iterator[Draft]:
    """loadBalancerClass is a field of the Service's spec: Istio and agentgateway take it in what they merge into the
    Service, kgateway's GatewayParameters has no field for it. EKS Auto Mode, which serves eks.amazonaws.com/nlb on EKS
    alone, does not read listener attributes.

    Fails:  `{release: v0.6.0, gateway: {provider: kgateway, loadBalancer: {class: service.k8s.aws/nlb}}}`.
    Passes: `{gateway: {loadBalancer: {class: eks.amazonaws.com/nlb}}}`.
    """
    wanted = plan.gateway.balancer_class
    if wanted is not None and plan.gateway.provider == "kgateway":
        yield found(*AT, "class", says="kgateway has no place for it", fix="remove it, or set provider: istio")
    if wanted == AUTO_MODE and plan.spec.asked.platform == "hyperpod":
        says = f"{wanted} is EKS Auto Mode's, which has no HyperPod nodes"
        yield found(*AT, "class", says=says, fix="remove it, and install the AWS Load Balancer Controller")
    for each in _annotations(plan) if wanted == AUTO_MODE else ():
        if each.name == LISTENER_ATTRIBUTES:
            yield each.found("EKS Auto Mode does not read listener attributes", "remove it", on_key=True)
