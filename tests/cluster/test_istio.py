"""Istio's control plane, from its own Go module: what it makes of the Gateway, the route and the pool of a target."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from llmdgen.plain_yaml import load_all
from llmdgen.planning.model import Plan
from llmdgen.rendering.files import files
from tests.specs import DEEPSEEK, GPT_OSS, QWEN, plan_of

from .api import Object, root
from .conftest import Deploy
from .control_plane import ControlPlane, Process, free_port, listens
from .deployment import Deployment, condition
from .kinds import NEWEST, serve
from .programs import istiod_chart, program

HOME = "istio-system"
MIRROR = {"registry": "registry.example.com/llm-d"}
ROUTE = "gateway.networking.k8s.io/v1", "httproutes"
POOL = "inference.networking.k8s.io/v1", "inferencepools"
GOOD = {"Accepted": "True", "ResolvedRefs": "True"}


@pytest.fixture(scope="module")
def istiod(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The control plane that its chart would run, with what it needs for InferencePools."""
    if program("pilot-discovery") is None or not istiod_chart().is_dir():
        pytest.skip("no istiod: its Go module cannot be built here (make cluster-tools)")
    api = plane.api
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}})
    for document in chart():
        if document["kind"] == "ConfigMap":
            api.apply(document, HOME)
    folder = tmp_path_factory.mktemp("istiod")
    ports = {name: free_port() for name in ("http", "https", "grpc", "secureGRPC", "monitoring")}
    arguments = [f"--{name}Addr=127.0.0.1:{port}" for name, port in ports.items()]
    environment = {
        "POD_NAMESPACE": HOME,
        "POD_NAME": "istiod",
        "ENABLE_GATEWAY_API_INFERENCE_EXTENSION": "true",
        "INJECTION_WEBHOOK_CONFIG_NAME": "",
        "VALIDATION_WEBHOOK_CONFIG_NAME": "",
    }
    command = ["discovery", f"--kubeconfig={plane.kubeconfig}", "--ctrlz_port=0", *arguments]
    running = Process(folder, "pilot-discovery", command, environment)
    try:
        running.wait_until(lambda: listens(ports["http"]))
        yield running
    finally:
        running.end()
        classes = "/apis/gateway.networking.k8s.io/v1/gatewayclasses"
        for made in api.items(classes):
            api.remove(f"{classes}/{made['metadata']['name']}")
        for made in api.items("/api/v1/configmaps"):  # certificates, which it puts into every namespace
            if made["metadata"]["name"].startswith("istio-ca-"):
                api.remove(f"/api/v1/namespaces/{made['metadata']['namespace']}/configmaps/{made['metadata']['name']}")


def chart() -> list[Object]:
    """The objects of istiod's chart as Helm makes them."""
    command = [str(program("helm")), "template", "istiod", str(istiod_chart()), "--namespace", HOME]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [each for each in load_all(done.stdout) if each]


CASES = {
    "inside the cluster": ("inference-scheduling", QWEN, {}),
    "an internal load balancer": ("pd-disaggregation", GPT_OSS, {"loadBalancer": {"scheme": "internal"}}),
    "one to the internet": ("precise-prefix-cache", QWEN, {"loadBalancer": {"scheme": "internet-facing"}}),
    "a pool of several ports": ("wide-ep", DEEPSEEK, {}),
}


def plan_behind(path: str, model: str, gateway: dict[str, Any]) -> Plan:
    instance = "p5en.48xlarge" if path == "wide-ep" else "p5.48xlarge"
    return plan_of(path, model, instance, release=NEWEST, images=MIRROR, gateway={"provider": "istio", **gateway})


@pytest.mark.parametrize(("path", "model", "gateway"), CASES.values(), ids=list(CASES))
def test_istio_takes_gateway_route_and_pool_and_makes_their_service(
    path: str, model: str, gateway: dict[str, Any], istiod: Process, deploy: Deploy, plane: ControlPlane
) -> None:
    plan = plan_behind(path, model, gateway)
    serve(plane.api, plan.release)
    deployment = deploy(plan)
    deployment.apply()
    # A first status may be of the moment before the pool was seen.
    deployment.wait_for(lambda: said(deployment, *ROUTE) == said(deployment, *POOL) == GOOD, istiod.tail)
    (made,) = objects_of(deployment, "gateway.networking.k8s.io/v1", "gateways")
    assert condition(made, "Accepted")["status"] == "True"
    assert {each["type"]: each["status"] for each in made["status"]["listeners"][0]["conditions"]}["Accepted"] == "True"

    (service,) = [
        each for each in objects_of(deployment, "v1", "services") if each["metadata"]["name"].endswith("-istio")
    ]
    assert service["spec"]["type"] == plan.gateway.service_type
    assert service["spec"].get("loadBalancerClass") == plan.gateway.balancer_class
    assert plan.gateway.annotations.items() <= service["metadata"].get("annotations", {}).items()
    assert 80 in {port["port"] for port in service["spec"]["ports"]}

    (proxy,) = [
        each["spec"]["template"]["spec"]["containers"][0]
        for each in objects_of(deployment, "apps/v1", "deployments")
        if each["metadata"]["name"] == service["metadata"]["name"]
    ]
    assert proxy["resources"] == plan.gateway.settings["resources"]
    assert proxy["args"] == plan.gateway.settings["proxy"]["args"]


def test_istio_says_of_a_route_to_another_pool_that_it_leads_nowhere(
    istiod: Process, deploy: Deploy, plane: ControlPlane
) -> None:
    """What the test above is worth: without the right name the route is not resolved."""
    plan = plan_behind(*CASES["inside the cluster"])
    serve(plane.api, plan.release)
    texts = files(plan)
    route = "chart/templates/route.yaml"
    assert plan.names.pool in texts[route]
    deployment = deploy(plan, texts | {route: texts[route].replace(plan.names.pool, "another")})
    deployment.apply()
    deployment.wait_for(lambda: said(deployment, *ROUTE) == {**GOOD, "ResolvedRefs": "False"}, istiod.tail)
    assert said(deployment, *POOL) == {}


def said(deployment: Deployment, version: str, plural: str) -> dict[str, str]:
    """The conditions of the only object of that kind, as Istio sets them for the Gateway."""
    (found,) = objects_of(deployment, version, plural)
    parents = found.get("status", {}).get("parents", [])
    return {
        each["type"]: each["status"]
        for parent in parents
        for each in parent["conditions"]
        if "istio" in parent.get("controllerName", parent["parentRef"].get("group", ""))
    }


def objects_of(deployment: Deployment, version: str, plural: str) -> list[Object]:
    """The objects of a kind in the deployment's namespace."""
    return deployment.api.items(f"{root(version)}/namespaces/{deployment.namespace}/{plural}")
