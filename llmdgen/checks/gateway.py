"""The Network Load Balancer: annotations that the AWS Load Balancer Controller reads, values it takes, who gets in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.checks._annotations import items, pairs, wrong
from llmdgen.facts.catalogue import table
from llmdgen.planning.model import AUTO_MODE, Plan
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import did_you_mean

AT = ("spec", "gateway", "loadBalancer")
LISTENER_PORT = "80"
ISTIO_STATUS_PORT = "15021"  # Istio's Service for a Gateway has it beside the listeners
LISTENER_ATTRIBUTES = "aws-load-balancer-listener-attributes"
GUARDS = ("aws-load-balancer-security-groups", "aws-load-balancer-security-group-prefix-lists")
EVERYONE = ("0.0.0.0/0", "::/0")
ONLY_WITH_TLS = (
    "aws-load-balancer-ssl-ports",
    "aws-load-balancer-ssl-negotiation-policy",
    "aws-load-balancer-alpn-policy",
)


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
    facts = _facts(plan)
    for key in _asked(plan):
        name = _name(key, facts)
        if name is not None:
            if name.partition(".")[0] not in facts["annotations"]:
                fix = facts["instead"].get(name) or did_you_mean(name, facts["annotations"], listed_up_to=0)
                yield _at(key, f"the load balancer controller does not read {name}", fix or "remove it", on_key=True)
            continue
        domain, _, bare = key.rpartition("/")
        foreign = f"{domain}/" in facts["foreign_prefixes"]
        known = bare.partition(".")[0] in facts["annotations"]
        if foreign:
            close = did_you_mean(f"aws-load-balancer-{bare}", facts["annotations"], listed_up_to=0)
            says = f"{key} is for an Ingress, and llm-d's gateway is a Service"
            yield _at(key, says, close or "use the annotation of a Service", on_key=True)
        elif known or bare.startswith("aws-load-balancer-") or not domain:
            near = bare if known else did_you_mean(bare, facts["annotations"], listed_up_to=0) or "remove it"
            says = f"{key} lacks the prefix {facts['prefix']}" if not domain else f"{domain}/ is not the prefix"
            fix = f"write {facts['prefix']}{bare}" if known else near
            yield _at(key, says, fix, on_key=True)


@rule("GW002", "error", "an annotation's value that the load balancer cannot have")
def annotation_values_fit(plan: Plan) -> Iterator[Draft]:
    """The controller reports a wrong value only as an event on the Service; the load balancer stays without an address.

    Fails:  `{gateway: {loadBalancer: {annotations: {service.beta.kubernetes.io/load-balancer-source-ranges:
            10.0.0.1/8}}}}`; aws-load-balancer-name with 40 characters; deregistration_delay.timeout_seconds=7200; a
            boolean written as yes.
    Passes: `{gateway: {loadBalancer: {annotations: {service.beta.kubernetes.io/load-balancer-source-ranges:
            10.0.0.0/8}}}}`.
    """
    facts = _facts(plan)
    for key, value in _asked(plan).items():
        name, _, suffix = (_name(key, facts) or "").partition(".")
        entry = facts["annotations"].get(name)
        if entry is None:
            continue
        for says, fix in wrong(value, entry, facts):
            yield _at(key, f"{name}: {says}", fix)
        if suffix and "suffix" not in entry:
            yield _at(key, f"{name} takes no .{suffix}", f"write {facts['prefix']}{name}", on_key=True)
        elif not suffix and "needs" in entry:
            yield _at(key, f"{name} is read for one listener", f"write {name}.{entry['needs']}", on_key=True)


@rule("GW003", "error", "an annotation that the spec has a field for")
def annotations_leave_the_fields_alone(plan: Plan) -> Iterator[Draft]:
    """Scheme, target type and type come from spec.gateway.loadBalancer. An annotation of the same meaning would win
    unseen, or contradict it, and the type must never change on a Service that exists.

    Fails:  `{gateway: {loadBalancer: {scheme: internal, annotations:
            {service.beta.kubernetes.io/aws-load-balancer-scheme: internet-facing}}}}`.
    Passes: `{gateway: {loadBalancer: {scheme: internet-facing}}}`.
    """
    facts = _facts(plan)
    for key in _asked(plan):
        name = _name(key, facts)
        field = facts["annotations"].get(name or "", {}).get("field")
        if field:
            yield _at(key, f"{name} is what spec.{field} sets", f"remove it, and set {field}", on_key=True)


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
    given = _by_name(plan)
    ranges = items(given.get("load-balancer-source-ranges", ""))
    guarded = any(given.get(name, "").strip() for name in GUARDS)
    if not guarded and (not ranges or any(each in EVERYONE for each in ranges)):
        says = "anyone on the internet can use the model: the gateway has no authentication"
        annotations = "load-balancer-source-ranges or aws-load-balancer-security-groups"
        yield found(*AT, "scheme", says=says, fix=f"add the annotation {annotations}, or use scheme: internal")


@rule("GW005", "warning", "source ranges that are ignored")
def ranges_and_groups_exclude_each_other(plan: Plan) -> Iterator[Draft]:
    """With security groups of your own the controller makes none, and ignores source ranges and prefix lists.

    Fails:  `{gateway: {loadBalancer: {annotations: {service.beta.kubernetes.io/load-balancer-source-ranges: 10.0.0.0/8,
            service.beta.kubernetes.io/aws-load-balancer-security-groups: sg-0123456789abcdef0}}}}`.
    Passes: either of them: `{gateway: {loadBalancer: {annotations:
            {service.beta.kubernetes.io/load-balancer-source-ranges: 10.0.0.0/8}}}}`; ranges as inbound rules of the
            security groups.
    """
    facts = _facts(plan)
    if not _by_name(plan).get("aws-load-balancer-security-groups", "").strip():
        return
    for key in _asked(plan):
        name = _name(key, facts)
        if name in ("load-balancer-source-ranges", "aws-load-balancer-security-group-prefix-lists"):
            says = f"{name} is ignored where aws-load-balancer-security-groups is given"
            yield _at(key, says, "put the ranges into the rules of the security groups, and remove it", on_key=True)


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
    balancer = plan.spec.asked.gateway.load_balancer
    if balancer is None:
        return
    facts, given = _facts(plan), _by_name(plan)
    subnets = items(given.get("aws-load-balancer-subnets", ""))
    dualstack = given.get("aws-load-balancer-ip-address-type") == "dualstack"
    fits = {
        "aws-load-balancer-eip-allocations": (balancer.scheme == "internet-facing", "an internet-facing load balancer"),
        "aws-load-balancer-private-ipv4-addresses": (balancer.scheme == "internal", "an internal load balancer"),
        "aws-load-balancer-ipv6-addresses": (dualstack, "aws-load-balancer-ip-address-type: dualstack"),
    }
    wanting = {name: (says, fix) for name, says, fix in _needs(plan, given)}
    for key, value in _asked(plan).items():
        name = _name(key, facts) or ""
        base, _, suffix = name.partition(".")
        if base in wanting:
            yield _at(key, *wanting[base])
        if base in fits:
            yes, what = fits[base]
            if not yes:
                yield _at(key, f"{base} is only for {what}", "remove it", on_key=True)
            elif subnets and len(items(value)) != len(subnets):
                says = f"{base} has {len(items(value))} items for {len(subnets)} subnets"
                yield _at(key, says, "give one for each subnet")
        if base in ONLY_WITH_TLS and "aws-load-balancer-ssl-cert" not in given:
            yield _at(key, f"{base} does nothing without a certificate", "add aws-load-balancer-ssl-cert", on_key=True)
        kind = facts["annotations"].get(base, {}).get("suffix")
        of_istio = plan.gateway.provider == "istio" and suffix.rpartition("-")[2] == ISTIO_STATUS_PORT
        if kind and suffix and not of_istio:
            yield from _listener(key, base, suffix, kind, given)


@rule("GW007", "warning", "a load balancer attribute that the facts do not hold")
def attributes_are_known(plan: Plan) -> Iterator[Draft]:
    """Attributes go to the AWS API as they stand, which refuses those that it does not know. This one may be newer than
    llmdgen's facts, or not be one of a Network Load Balancer.

    Fails:  `{gateway: {loadBalancer: {annotations: {service.beta.kubernetes.io/aws-load-balancer-attributes:
            some.new.attribute=true}}}}`.
    Passes: `{gateway: {loadBalancer: {annotations: {service.beta.kubernetes.io/aws-load-balancer-attributes:
            load_balancing.cross_zone.enabled=true}}}}`.
    """
    for key, name, of in _attributes(plan):
        known = _facts(plan)["attributes"].get(of, {})
        strange = known and name not in known and not _of_an_application(plan, name, of)
        if strange and not did_you_mean(name, known, listed_up_to=0):
            says = f"{name} is not among the {of.replace('_', ' ')} attributes of a Network Load Balancer"
            yield _at(key, says, "check it against the Elastic Load Balancing API reference")


@rule("GW008", "error", "an attribute of an Application Load Balancer")
def attributes_are_of_a_network_load_balancer(plan: Plan) -> Iterator[Draft]:
    """The AWS API refuses attributes of the other kind of load balancer, and with them every change of this one.

    Fails:  `{gateway: {loadBalancer: {annotations: {service.beta.kubernetes.io/aws-load-balancer-attributes:
            idle_timeout.timeout_seconds=600}}}}`.
    Passes: `{gateway: {loadBalancer: {annotations:
            {service.beta.kubernetes.io/aws-load-balancer-listener-attributes.TCP-80: tcp.idle_timeout.seconds=600}}}}`.
    """
    instead = "use aws-load-balancer-listener-attributes.TCP-80: tcp.idle_timeout.seconds=<seconds>"
    for key, name, of in _attributes(plan):
        if _of_an_application(plan, name, of):
            fix = instead if name.startswith("idle_timeout") else "remove it"
            yield _at(key, f"a Network Load Balancer has no {name}", fix)


def _attributes(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """The attributes that annotations set: the annotation, the attribute, and what the attribute is of."""
    facts = _facts(plan)
    for key, value in _asked(plan).items():
        of = facts["annotations"].get((_name(key, facts) or "").partition(".")[0], {}).get("of")
        yield from ((key, name, of) for name, _ in (pairs(value) if of else ()))


def _of_an_application(plan: Plan, name: str, of: str) -> bool:
    return name.startswith(tuple(_facts(plan)["of_an_application"].get(of, ())))


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
    facts = _facts(plan)
    for key, value in _asked(plan).items():
        name = (_name(key, facts) or "").partition(".")[0]
        attribute = name == "aws-load-balancer-target-group-attributes" and ("proxy_protocol_v2.enabled", "true")
        if name == "aws-load-balancer-proxy-protocol" or (attribute and attribute in pairs(value)):
            says = "the gateway does not expect PROXY protocol, and answers every request with an error"
            fix = "remove it, or configure the gateway for it and suppress this with the reason"
            yield _at(key, says, fix, on_key=True)


def _needs(plan: Plan, given: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Annotations that another one, or the spec, makes useless or wrong: name, reason, fix."""
    protocol = given.get("aws-load-balancer-healthcheck-protocol", "tcp").lower()
    for name in ("aws-load-balancer-healthcheck-path", "aws-load-balancer-healthcheck-success-codes"):
        if name in given and protocol == "tcp":
            yield name, f"{name} is read for HTTP health checks, and these are TCP", "add healthcheck-protocol: http"
    attributes = dict(pairs(given.get("aws-load-balancer-attributes", "")))
    if attributes.get("access_logs.s3.enabled") == "true" and not attributes.get("access_logs.s3.bucket"):
        yield "aws-load-balancer-attributes", "access logs need a bucket", "add access_logs.s3.bucket=<bucket>"
    bucket, enabled = "aws-load-balancer-access-log-s3-bucket-name", "aws-load-balancer-access-log-enabled"
    if given.get(enabled, "").lower() in ("true", "t", "1") and bucket not in given:
        yield enabled, "access logs need a bucket", f"add {bucket}"
    ports = items(given.get("aws-load-balancer-ssl-ports", ""))
    elsewhere = ports and not any(each in (LISTENER_PORT, "*") or not each.isdigit() for each in ports)
    if elsewhere and "aws-load-balancer-ssl-cert" in given:
        says = f"the gateway listens on {LISTENER_PORT} alone, so no port speaks TLS"
        yield "aws-load-balancer-ssl-ports", says, f'write "{LISTENER_PORT}", or remove it for TLS on every port'
    zone = plan.spec.asked.cluster.zone
    for arn in items(given.get("aws-load-balancer-ssl-cert", "")) if zone else ():
        pieces = arn.split(":")
        if len(pieces) > 5 and pieces[2] == "acm" and not (zone or "").startswith(pieces[3]):
            says = f"the certificate is in {pieces[3]}, the cluster in the region of {zone}"
            yield "aws-load-balancer-ssl-cert", says, "import or request one in that region"


def _listener(key: str, base: str, suffix: str, kind: str, given: dict[str, str]) -> Iterator[Draft]:
    """A listener is named by protocol and port, a target group by its port; the gateway has one of each.

    With a certificate the listener is one for TLS, unless ssl-ports leaves its port out.
    """
    encrypted = "aws-load-balancer-ssl-cert" in given
    by_port = "aws-load-balancer-ssl-ports" in given
    expected = LISTENER_PORT if kind == "port" else f"{'TLS' if encrypted and not by_port else 'TCP'}-{LISTENER_PORT}"
    either = (expected, f"TLS-{LISTENER_PORT}") if encrypted and by_port else (expected,)
    if base == LISTENER_ATTRIBUTES and encrypted and not by_port:
        says = "a TLS listener closes connections after 350 idle seconds, which nothing changes"
        yield _at(key, says, "remove it, or end TLS behind the load balancer", on_key=True)
    elif suffix not in either:
        says = f"the gateway has no listener {suffix}, so nothing reads this"
        yield _at(key, says, f"write {base}.{expected}", on_key=True)


@rule("GW010", "error", "a load balancer class that does not fit the gateway")
def load_balancer_class_fits(plan: Plan) -> Iterator[Draft]:
    """loadBalancerClass is a field of the Service's spec: Istio and agentgateway take it in what they merge into the
    Service, kgateway's GatewayParameters has no field for it. EKS Auto Mode, which serves eks.amazonaws.com/nlb on EKS
    alone, does not read listener attributes.

    Fails:  `{release: v0.6.0, gateway: {provider: kgateway, loadBalancer: {class: service.k8s.aws/nlb}}}`.
    Passes: `{gateway: {loadBalancer: {class: eks.amazonaws.com/nlb}}}`.
    """
    wanted = plan.gateway.balancer_class
    if wanted is None:
        return
    if plan.gateway.provider == "kgateway":
        yield found(*AT, "class", says="kgateway has no place for it", fix="remove it, or set provider: istio")
    if wanted != AUTO_MODE:
        return
    if plan.spec.asked.platform == "hyperpod":
        says = f"{wanted} is EKS Auto Mode's, which has no HyperPod nodes"
        yield found(*AT, "class", says=says, fix="remove it, and install the AWS Load Balancer Controller")
    for key in _asked(plan):
        if (_name(key, _facts(plan)) or "").startswith(LISTENER_ATTRIBUTES):
            yield _at(key, "EKS Auto Mode does not read listener attributes", "remove it", on_key=True)


def _asked(plan: Plan) -> dict[str, str]:
    balancer = plan.spec.asked.gateway.load_balancer
    return balancer.annotations if balancer else {}


def _facts(plan: Plan) -> dict[str, Any]:
    """The controller's annotations, which are only read from disk where the spec has some."""
    return table("nlb.toml") if _asked(plan) else {}


def _by_name(plan: Plan) -> dict[str, str]:
    """The controller's annotations by what follows their prefix."""
    facts = _facts(plan)
    return {name: value for key, value in _asked(plan).items() if (name := _name(key, facts)) is not None}


def _name(key: str, facts: dict[str, Any]) -> str | None:
    """What follows the controller's prefix, None for a key without it."""
    prefix: str = facts["prefix"]
    return key[len(prefix) :] if key.startswith(prefix) else None


def _at(key: str, says: str, fix: str, on_key: bool = False) -> Draft:
    return found(*AT, "annotations", key, says=says, fix=fix, on_key=on_key)
