"""The Network Load Balancer's annotations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmdgen import api
from llmdgen.objects import objects
from llmdgen.plain_yaml import load
from tests.checks.conftest import plan_of
from tests.specs import QWEN, spec_text

PREFIX = "service.beta.kubernetes.io/"


def codes(
    annotations: dict[str, str],
    *,
    provider: str = "istio",
    cluster: dict[str, Any] | None = None,
    values: dict[str, Any] | None = None,
    **balancer: Any,
) -> list[str]:
    gateway = {"provider": provider, "loadBalancer": {"annotations": annotations, **balancer}}
    text = f"""apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {{name: test}}
spec:
  path: inference-scheduling
  instanceTypes: [p5.48xlarge]
  model: {{name: Qwen/Qwen3-32B}}
  gateway: {json.dumps(gateway)}
  cluster: {json.dumps(cluster or {})}
  values: {json.dumps(values or {})}
"""
    found = api.check(plan_of(text))
    return [each.finding.code for each in found if each.finding.code.startswith("GW")]


@pytest.mark.parametrize(
    "key",
    [
        PREFIX + "aws-load-balancer-target-group-attribute",
        PREFIX + "aws-load-balancer-connection-idle-timeout",
        "aws-load-balancer-name",
        "service.kubernetes.io/aws-load-balancer-name",
        "alb.ingress.kubernetes.io/subnets",
    ],
)
def test_an_annotation_that_the_controller_does_not_read_is_an_error(key: str) -> None:
    assert codes({key: "x"}) == ["GW001"]


def test_annotations_of_other_controllers_are_left_alone() -> None:
    assert codes({"external-dns.alpha.kubernetes.io/hostname": "llm.example.com"}) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("aws-load-balancer-name", "x" * 33),
        ("load-balancer-source-ranges", "10.0.0.1/8"),
        ("load-balancer-source-ranges", "10.0.0.0"),
        ("aws-load-balancer-target-group-attributes", "deregistration_delay.timeout_seconds=3601"),
        ("aws-load-balancer-target-group-attributes", "preserve_client_ip.enable=true"),
        ("aws-load-balancer-target-group-attributes", "stickiness.enabled"),
        ("aws-load-balancer-manage-backend-security-group-rules", "yes"),
        ("aws-load-balancer-ssl-cert", "arn:aws:s3:::bucket"),
        ("aws-load-balancer-healthcheck-interval", "10s"),
        ("aws-load-balancer-ip-address-type", "ipv6"),
        ("aws-load-balancer-listener-attributes", "tcp.idle_timeout.seconds=400"),
        ("aws-load-balancer-listener-attributes.TCP-80", "tcp.idle_timeout.seconds=6001"),
        ("aws-load-balancer-name.80", "name"),
        ("aws-load-balancer-subnets", ""),
    ],
)
def test_a_value_that_the_load_balancer_cannot_have_is_an_error(name: str, value: str) -> None:
    assert codes({PREFIX + name: value}) == ["GW002"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("aws-load-balancer-name", "x" * 32),
        ("load-balancer-source-ranges", "10.0.0.0/8, 2001:db8::/32"),
        ("aws-load-balancer-target-group-attributes", "deregistration_delay.timeout_seconds=0"),
        ("aws-load-balancer-target-group-attributes", "stickiness.enabled=true,stickiness.type=source_ip"),
        ("aws-load-balancer-target-group-attributes.80", "preserve_client_ip.enabled=true"),
        ("aws-load-balancer-listener-attributes.TCP-80", "tcp.idle_timeout.seconds=3600"),
        ("aws-load-balancer-listener-attributes.TCP-15021", "tcp.idle_timeout.seconds=60"),
        ("aws-load-balancer-healthcheck-protocol", "HTTP"),
        ("aws-load-balancer-healthcheck-port", "traffic-port"),
        ("aws-load-balancer-attributes", "load_balancing.cross_zone.enabled=true"),
        ("aws-load-balancer-ssl-cert", "arn:aws:acm:us-east-1:123456789012:certificate/0"),
        ("aws-load-balancer-additional-resource-tags", "team=inference,cost=1"),
    ],
)
def test_a_value_that_the_load_balancer_can_have_is_not_questioned(name: str, value: str) -> None:
    assert codes({PREFIX + name: value}) == []


@pytest.mark.parametrize("name", ["scheme", "nlb-target-type", "type", "internal"])
def test_what_the_spec_has_a_field_for_is_not_an_annotation(name: str) -> None:
    value = {"scheme": "internal", "nlb-target-type": "ip", "type": "external", "internal": "true"}[name]
    assert codes({f"{PREFIX}aws-load-balancer-{name}": value}) == ["GW003"]


def test_an_api_open_to_the_internet_is_worth_a_warning() -> None:
    assert codes({}, scheme="internet-facing") == ["GW004"]
    assert codes({PREFIX + "load-balancer-source-ranges": "0.0.0.0/0"}, scheme="internet-facing") == ["GW004"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("load-balancer-source-ranges", "203.0.113.0/24"), ("aws-load-balancer-security-groups", "sg-1")],
)
def test_an_api_behind_ranges_or_groups_is_not(name: str, value: str) -> None:
    assert codes({PREFIX + name: value}, scheme="internet-facing") == []


def test_source_ranges_beside_security_groups_are_ignored() -> None:
    both = {"load-balancer-source-ranges": "10.0.0.0/8", "aws-load-balancer-security-groups": "sg-1"}
    assert codes({PREFIX + name: value for name, value in both.items()}) == ["GW005"]


@pytest.mark.parametrize(
    "annotations",
    [
        {"aws-load-balancer-eip-allocations": "eipalloc-1"},
        {"aws-load-balancer-private-ipv4-addresses": "10.0.0.1", "aws-load-balancer-subnets": "subnet-1,subnet-2"},
        {"aws-load-balancer-ipv6-addresses": "2001:db8::1"},
        {"aws-load-balancer-ssl-ports": "443"},
        {"aws-load-balancer-listener-attributes.TCP-443": "tcp.idle_timeout.seconds=400"},
        {
            "aws-load-balancer-listener-attributes.TLS-80": "tcp.idle_timeout.seconds=400",
            "aws-load-balancer-ssl-cert": "arn:aws:acm:us-east-1:123456789012:certificate/0",
        },
    ],
)
def test_annotations_that_do_not_go_together_are_an_error(annotations: dict[str, str]) -> None:
    assert codes({PREFIX + name: value for name, value in annotations.items()}) == ["GW006"]


def test_an_attribute_that_the_facts_do_not_hold_is_worth_a_warning() -> None:
    assert codes({PREFIX + "aws-load-balancer-attributes": "newer.than.the.facts=true"}) == ["GW007"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("aws-load-balancer-attributes", "routing.http2.enabled=true"),
        ("aws-load-balancer-attributes", "idle_timeout.timeout_seconds=600"),
        ("aws-load-balancer-target-group-attributes", "stickiness.lb_cookie.duration_seconds=600"),
    ],
)
def test_an_attribute_of_an_application_load_balancer_is_an_error(name: str, value: str) -> None:
    assert codes({PREFIX + name: value}) == ["GW008"]


def test_proxy_protocol_is_worth_a_warning() -> None:
    assert codes({PREFIX + "aws-load-balancer-proxy-protocol": "*"}) == ["GW009"]


CERT = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"


@pytest.mark.parametrize(
    ("name", "value", "more", "expected"),
    [
        ("aws-load-balancer-ssl-ports", "443", {"aws-load-balancer-ssl-cert": CERT}, ["GW006"]),
        ("aws-load-balancer-ssl-ports", "80", {"aws-load-balancer-ssl-cert": CERT}, []),
        ("aws-load-balancer-ssl-cert", CERT, {}, []),
        ("aws-load-balancer-ssl-cert", CERT.replace("us-east-1", "eu-west-1"), {}, ["GW006"]),
        ("aws-load-balancer-ssl-cert", "arn:aws:iam::123456789012:role/a", {}, ["GW002"]),
        ("aws-load-balancer-ssl-cert", "arn:aws:iam::123456789012:server-certificate/a", {}, []),
        ("aws-load-balancer-healthcheck-path", "/healthz", {}, ["GW006"]),
        ("aws-load-balancer-healthcheck-path", "/healthz", {"aws-load-balancer-healthcheck-protocol": "HTTP"}, []),
        (
            "aws-load-balancer-healthcheck-success-codes",
            "OK",
            {"aws-load-balancer-healthcheck-protocol": "http"},
            ["GW002"],
        ),
        (
            "aws-load-balancer-healthcheck-success-codes",
            "200-299",
            {"aws-load-balancer-healthcheck-protocol": "http"},
            [],
        ),
        ("aws-load-balancer-attributes", "access_logs.s3.enabled=true", {}, ["GW006"]),
        ("aws-load-balancer-attributes", "access_logs.s3.enabled=true,access_logs.s3.bucket=logs", {}, []),
        ("aws-load-balancer-access-log-enabled", "true", {}, ["GW006"]),
        ("aws-load-balancer-subnets", '["subnet-0123456789abcdef0"]', {}, ["GW002"]),
        ("aws-load-balancer-subnets", "subnet-0123456789abcdef0,Private A", {}, ["GW002"]),
    ],
)
def test_annotations_need_what_they_stand_on(name: str, value: str, more: dict[str, str], expected: list[str]) -> None:
    annotations = {PREFIX + key: text for key, text in {name: value, **more}.items()}
    assert codes(annotations, cluster={"zone": "us-east-1a"}) == expected


AUTO = "eks.amazonaws.com/nlb"
IDLE = {f"{PREFIX}aws-load-balancer-listener-attributes.TCP-80": "tcp.idle_timeout.seconds=600"}


def test_the_load_balancer_class_is_one_that_the_gateway_can_have() -> None:
    assert "GW010" not in codes({}, **{"class": AUTO})
    assert "GW010" not in codes(IDLE, **{"class": "service.k8s.aws/nlb"})
    assert "GW010" in codes(IDLE, **{"class": AUTO})
    balancer = {"loadBalancer": {"class": "service.k8s.aws/nlb"}}
    of_kgateway = spec_text(
        "inference-scheduling", QWEN, ("p5.48xlarge",), gateway={"provider": "kgateway", **balancer}
    )
    assert "GW010" in [each.finding.code for each in api.check(plan_of(of_kgateway))]


def test_auto_mode_makes_the_load_balancer_without_the_controller() -> None:
    text = spec_text(
        "inference-scheduling", QWEN, ("p5.48xlarge",), gateway={"loadBalancer": {"class": AUTO}}, release="v0.9.0"
    )
    plan = plan_of(text)
    assert not plan.gateway.needs_controller
    assert not any(
        "listener-attributes" in key or (key.endswith("-type") and "target" not in key)
        for key in plan.gateway.annotations
    )
    service = next(each.doc["data"]["service"] for each in objects(plan) if each.doc["kind"] == "ConfigMap")
    assert load(service) == {"spec": {"type": "LoadBalancer", "loadBalancerClass": AUTO}}


def test_auto_mode_is_not_on_hyperpod() -> None:
    text = spec_text(
        "inference-scheduling",
        QWEN,
        ("p5.48xlarge",),
        gateway={"loadBalancer": {"class": AUTO}},
        release="v0.9.0",
        platform="hyperpod",
    )
    assert "GW010" in [each.finding.code for each in api.check(plan_of(text))]
