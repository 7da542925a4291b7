"""`llmdgen preflight` on a real API server: yes where everything is there, no for each thing that is not, and unknown
where RBAC refuses the question."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmdgen.plain_yaml import load_all
from llmdgen.planning.model import Plan
from tests.specs import plan_of, spec_text

from .api import Object
from .control_plane import GUEST, ControlPlane
from .deployment import Deployment
from .kinds import CRDS, NEWEST, serve
from .programs import REPOSITORY

SECTIONS: dict[str, Any] = {
    "release": NEWEST,
    "images": {"registry": "registry.example.com/llm-d", "pullSecrets": ["mirror"]},
    "model": {"uri": "pvc://weights/deepseek-r1", "authSecretName": "hf"},
}
SPEC = ("wide-ep", "deepseek-ai/DeepSeek-R1-0528")
INSTANCE = "p5en.48xlarge"
Answers = dict[str, str]


class Ready:
    """A cluster on which a plan of LeaderWorkerSets, a claim and two Secrets can run."""

    def __init__(self, deployment: Deployment, spec: Path) -> None:
        self.deployment, self.spec = deployment, spec
        self.api, self.plan = deployment.api, deployment.plan
        self.place = f"/api/v1/namespaces/{deployment.namespace}"

    def secret(self, name: str, key: str) -> Object:
        document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": {key: "aGY="}}
        return self.api.apply(document, self.deployment.namespace)

    def ask(self, token: str = "") -> tuple[int, Answers]:
        """The exit code of `llmdgen preflight`, and its verdicts by code; of several under a code the worst."""
        plane = self.deployment.plane
        config = plane.kubeconfig_of(token) if token else plane.kubeconfig
        command = [sys.executable, "-W", "ignore", "-m", "llmdgen", "preflight", str(self.spec), "--format", "json"]
        environment = {**os.environ, "KUBECONFIG": str(config), "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.stdout, done.stderr
        (found,) = json.loads(done.stdout)
        order = ("ok", "unknown", "short", "missing")
        verdicts: Answers = {}
        for answer in found["answers"]:
            known = verdicts.get(answer["code"], "ok")
            verdicts[answer["code"]] = max(known, answer["verdict"], key=order.index)
        return done.returncode, verdicts


@pytest.fixture
def ready(plane: ControlPlane, tmp_path: Path) -> Iterator[Ready]:
    plan: Plan = plan_of(SPEC[0], SPEC[1], INSTANCE, **SECTIONS)
    spec = tmp_path / "spec.yaml"
    spec.write_text(spec_text(SPEC[0], SPEC[1], (INSTANCE,), **SECTIONS))
    serve(plane.api, plan.release)
    deployment = Deployment(plan, tmp_path / "target", plane, {})
    deployment.prepare()
    found = Ready(deployment, spec)
    found.secret("hf", "HF_TOKEN")
    found.secret("mirror", ".dockerconfigjson")
    gateway_class = {
        "metadata": {"name": plan.gateway.settings["class"]},
        "spec": {"controllerName": "example.com/tests"},
    }
    accepted = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "", "lastTransitionTime": NOW}
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "status": {"conditions": [accepted]}}
    plane.api.apply({**kind, **gateway_class})
    deployment.wait_for(lambda: found.ask()[1].get("PRE132") == "ok", lambda: f"{found.ask()}")
    yield found
    serve(plane.api, plan.release)
    deployment.clear()
    for name in ("hf", "mirror"):
        plane.api.remove(f"{found.place}/secrets/{name}")


NOW = "2026-01-01T00:00:00Z"


def test_it_says_yes_where_everything_is_there(ready: Ready) -> None:
    code, verdicts = ready.ask()
    assert code == 0
    assert set(verdicts.values()) == {"ok"}


def no_kind(ready: Ready) -> None:
    ready.api.remove(f"{CRDS}/inferencepools.inference.networking.k8s.io")


def no_groups(ready: Ready) -> None:
    ready.api.remove(f"{CRDS}/podmonitors.monitoring.coreos.com")


def no_class(ready: Ready) -> None:
    ready.api.remove(f"/apis/gateway.networking.k8s.io/v1/gatewayclasses/{ready.plan.gateway.settings['class']}")


def one_node_fewer(ready: Ready) -> None:
    ready.api.remove(f"/api/v1/nodes/{ready.deployment.nodes[0]}")


def no_node_of_the_type(ready: Ready) -> None:
    for node in ready.deployment.nodes:
        ready.api.remove(f"/api/v1/nodes/{node}")


def a_closed_node(ready: Ready) -> None:
    ready.api.patch(f"/api/v1/nodes/{ready.deployment.nodes[0]}", {"spec": {"unschedulable": True}})


def a_tainted_node(ready: Ready) -> None:
    taint = {"key": "somebody", "value": "else", "effect": "NoSchedule"}
    ready.api.patch(f"/api/v1/nodes/{ready.deployment.nodes[0]}", {"spec": {"taints": [taint]}})


def fewer(resource: str, amount: str) -> Callable[[Ready], None]:
    def change(ready: Ready) -> None:
        for node in ready.deployment.nodes:
            ready.api.patch(f"/api/v1/nodes/{node}/status", {"status": {"allocatable": {resource: amount}}})

    return change


def no_efa(ready: Ready) -> None:
    fewer("vpc.amazonaws.com/efa", "0")(ready)


def no_secret(ready: Ready) -> None:
    ready.api.remove(f"{ready.place}/secrets/hf")


def a_secret_of_another_key(ready: Ready) -> None:
    no_secret(ready)
    ready.secret("hf", "token")


def no_pull_secret(ready: Ready) -> None:
    ready.api.remove(f"{ready.place}/secrets/mirror")


def no_claim(ready: Ready) -> None:
    ready.api.remove(f"{ready.place}/persistentvolumeclaims/weights")


def a_strict_namespace(ready: Ready) -> None:
    ready.api.patch(ready.place, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})


@pytest.mark.parametrize(
    ("take_away", "code", "verdict"),
    [
        (no_kind, "PRE101", "missing"),
        (no_groups, "PRE101", "missing"),
        (no_class, "PRE102", "missing"),
        (one_node_fewer, "PRE110", "short"),
        (no_node_of_the_type, "PRE110", "missing"),
        (a_closed_node, "PRE110", "short"),
        (a_tainted_node, "PRE110", "short"),
        (fewer("nvidia.com/gpu", "7"), "PRE111", "short"),
        (fewer("vpc.amazonaws.com/efa", "4"), "PRE112", "short"),
        (no_efa, "PRE121", "missing"),
        (fewer("cpu", "1"), "PRE113", "short"),
        (fewer("memory", "1Gi"), "PRE114", "short"),
        (no_secret, "PRE131", "missing"),
        (a_secret_of_another_key, "PRE131", "missing"),
        (no_pull_secret, "PRE134", "missing"),
        (no_claim, "PRE132", "missing"),
        (a_strict_namespace, "PRE133", "missing"),
    ],
)
def test_it_says_no_for_each_thing_taken_away(
    ready: Ready, take_away: Callable[[Ready], None], code: str, verdict: str
) -> None:
    take_away(ready)
    try:
        ready.deployment.wait_for(lambda: ready.ask()[1].get(code) == verdict, lambda: f"{ready.ask()}")
        assert ready.ask()[0] == 1
    finally:
        ready.api.patch(ready.place, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": None}}})


READER: list[Object] = load_all(
    """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: guest}
rules:
  - {apiGroups: [""], resources: [nodes, pods, namespaces, persistentvolumeclaims], verbs: [get, list]}
  - {apiGroups: [apps], resources: [daemonsets], verbs: [list]}
  - {apiGroups: [storage.k8s.io], resources: [storageclasses], verbs: [get]}
  - {apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [get]}
  - {apiGroups: [gateway.networking.k8s.io], resources: [gatewayclasses], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: guest}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: guest}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: guest}]
"""
)


def test_what_rbac_forbids_is_unknown(ready: Ready) -> None:
    code, verdicts = ready.ask(GUEST)
    assert code == 2
    assert set(verdicts.values()) == {"unknown"}
    for document in READER:
        ready.api.apply(document)
    try:
        ready.deployment.wait_for(lambda: ready.ask(GUEST)[1]["PRE101"] == "ok", lambda: f"{ready.ask(GUEST)}")
        code, verdicts = ready.ask(GUEST)
        assert code == 2
        assert {each for each, verdict in verdicts.items() if verdict != "ok"} == {"PRE131", "PRE134"}
        assert {verdicts["PRE131"], verdicts["PRE134"]} == {"unknown"}
    finally:
        for document in READER:
            ready.api.remove(ready.api.path_of(document))
