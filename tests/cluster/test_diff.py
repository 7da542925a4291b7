"""What `llmdgen diff` says is what happens: one spec is applied over another, and no consequence is missed or invented.

Every field of the spec is changed once, and changed back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from llmdgen import api
from llmdgen.findings import SpecError
from llmdgen.planning.model import Plan
from llmdgen.rendering.files import files
from llmdgen.spec.load import parse
from tests.spec.test_every_field import BASES, CHANGES, FOR_READERS, GONE, PD, WIDE, changed

from .control_plane import ControlPlane
from .deployment import Deployment, refusal
from .kinds import serve
from .outcome import DEPLOYMENT, LWS, Outcome, needed_classes, observed, predicted, seen

PRIORITY = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 1000}
CALM = 1.0  # seconds in which nothing changes
BALANCED = {"loadBalancer": {"scheme": "internal"}}
# Pairs that no single field makes, by their names: the spec that is applied first, and what is then another.
PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "release of another chart": (changed(PD, "spec.release", "v0.6.0"), {"spec.release": "v0.9.0"}),
    "release of the same chart": (changed(PD, "spec.release", "v0.5.1"), {"spec.release": "v0.6.0"}),
    "decode on nodes of its own": (PD, {"spec.decode.instanceType": "p5en.48xlarge", "spec.decode.replicas": 3}),
    "more servers": (PD, {"spec.prefill.replicas": 4, "spec.decode.replicas": 3}),
    "fewer servers": (changed(PD, "spec.decode.replicas", 3), {"spec.decode.replicas": 1}),
    "more groups": (WIDE, {"spec.decode.replicas": 2}),
    "groups of other pods": (WIDE, {"spec.decode.env": {"VLLM_LOGGING_LEVEL": "DEBUG"}}),
    "a pod of a node to a group": (PD, {"spec.decode.parallelism": {"tensor": 16}}),
    "internal and with a tier": (PD, {"spec.gateway": BALANCED, "spec.with": ["tiered-prefix-cache"]}),
    "no prefill": (PD, {"spec.path": "inference-scheduling", "spec.prefill": GONE}),
}


def draft(document: dict[str, Any]) -> Plan | None:
    """The plan of a spec, whatever the checks say of it; None where there is none."""
    try:
        spec = parse(json.dumps(document), "spec.yaml")[0]
        return api.draft(spec, api.targets(spec)[0])
    except SpecError:
        return None


def steps() -> list[Any]:
    """Every pair of plans whose objects differ, those with the same first plan one after the other."""
    found: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
    for route, value in CHANGES.items():
        base = next((base for prefix, base in BASES.items() if route.startswith(prefix)), PD)
        found.append((route, base, {route: value}))
    found += [(name, *pair) for name, pair in PAIRS.items()]
    bases = [json.dumps(base) for _, base, _ in found]
    found.sort(key=lambda each: bases.index(json.dumps(each[1])))
    return [pair for each in found for pair in step(*each)]


def step(name: str, base: dict[str, Any], more: dict[str, Any]) -> Iterator[Any]:
    document = base
    for route, value in more.items():
        document = changed(document, route, value)
    plans = draft(base), draft(document)
    if None in plans:
        return
    before, after = (
        {name: text for name, text in files(plan).items() if not name.endswith(FOR_READERS)} for plan in plans if plan
    )
    if before != after:
        yield pytest.param(*plans, id=name)


@pytest.mark.parametrize(("old", "new"), steps())
def test_what_diff_says_is_what_happens(old: Plan, new: Plan, running: Running) -> None:
    deployment = running(old)
    expected = predicted(old, new)
    if expected.beside:
        assert_beside(deployment, running(new, beside=True))
    elif expected.refused:  # helm stops there, and nothing that would follow comes true
        assert apply(deployment, new).refused
        running.is_spoiled = True
    else:
        assert apply(deployment, new) == expected
        if expected.waits:
            running.is_spoiled = True
            return
        back, said = apply(deployment, old), predicted(new, old)
        # Nodes and claims of both are there by now, and nodes of one name have the labels of the new plan.
        assert structs.replace(back, pending=back.waits) == structs.replace(said, pending=said.waits)


class Running:
    """Deployments that run: one is kept from test to test while the plan is the same and nothing failed."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self._plane, self._folder, self._made = plane, folder, list[Deployment]()
        self.is_spoiled = False

    def __call__(self, plan: Plan, beside: bool = False) -> Deployment:
        kept = self._made[0] if self._made and not self.is_spoiled and not beside else None
        # One that has got more nodes meanwhile would find room where a deployment of that plan alone has none.
        if kept is not None and kept.plan == plan and len(kept.nodes) == sum(pool.nodes for pool in plan.pools):
            return kept
        if not beside:
            self.clear()
            serve(self._plane.api, plan.release)
        folder = self._folder / str(time.monotonic_ns())
        deployment = Deployment(plan, folder, self._plane)
        deployment.volume = "100Ti"  # another model may ask for more of it, and no plan says how large it is
        self._made.append(deployment)
        deployment.prepare(with_nodes=not beside)
        deployment.apply()
        if not beside:
            deployment.running()
            settle(deployment)
        return deployment

    def clear(self, only_new: bool = False) -> None:
        """Remove what runs, or all but the first."""
        while len(self._made) > only_new:
            self._made.pop().clear()
        self.is_spoiled = False


@pytest.fixture(scope="module")
def kept(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    found = Running(plane, tmp_path_factory.mktemp("running"))
    yield found
    found.clear()


@pytest.fixture
def running(kept: Running, request: pytest.FixtureRequest) -> Iterator[Running]:
    """`running(plan)`: a deployment of that plan, all of whose pods run."""
    failed = request.session.testsfailed
    yield kept
    kept.clear(only_new=True)
    kept.is_spoiled |= request.session.testsfailed > failed


def apply(deployment: Deployment, new: Plan) -> Outcome:
    """Apply a plan over the one that runs, on its nodes first, then on the new plan's, and say what happened."""
    before = seen(deployment)
    claims = deployment.claims
    for name in needed_classes(deployment.plan, new):
        deployment.api.apply({**PRIORITY, "metadata": {"name": name}})
    deployment.become(new)
    done = deployment.helmfile("apply")
    if done.returncode:
        assert "immutable" in done.stderr, done.stderr
        return observed(before, seen(deployment), refused=True, pending=False, waits=False)
    pending = settle(deployment)
    if pending or deployment.claims != claims:
        deployment.make_claims()
    deployment.make_nodes()
    waits = settle(deployment) if pending else []
    print("no place for pods:", pending, waits)  # shown where a test fails
    return observed(before, seen(deployment), refused=False, pending=bool(pending), waits=bool(waits))


def settle(deployment: Deployment) -> list[str]:
    """Wait until every workload is as its spec says, or waits for pods that find no place: why they find none."""
    since, last = time.monotonic(), ""

    def calm() -> list[str] | None:
        nonlocal since, last
        found = deployment.api.everything(deployment.namespace)
        pods = [each for each in found if each["kind"] == "Pod"]
        refused = [said for pod in pods if (said := refusal(pod))]
        open_ = [each for each in found if each["kind"] in (LWS, DEPLOYMENT) and not is_done(each)]
        now = repr([(pod["metadata"]["uid"], pod["spec"].get("nodeName"), pod["status"]["phase"]) for pod in pods])
        leaving = any("deletionTimestamp" in pod["metadata"] for pod in pods)
        if now != last or leaving or (open_ and not refused):
            since, last = time.monotonic(), now
        return [*refused, ""] if time.monotonic() - since > CALM else None

    found: list[str] = deployment.wait_for(calm, deployment.said)
    return [each for each in found if each]


def is_done(workload: dict[str, Any]) -> bool:
    """Whether a workload has all the pods that it wants, all of them new and ready."""
    status, wanted = workload.get("status", {}), workload["spec"]["replicas"]
    counts = {status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")}
    is_current = (
        status.get("observedGeneration", workload["metadata"]["generation"]) == workload["metadata"]["generation"]
    )
    return is_current and counts == {wanted}


def assert_beside(old: Deployment, new: Deployment) -> None:
    """A deployment of another name or namespace starts, and takes nothing from the old one."""
    before = seen(old)
    new.settled()
    assert seen(new).workloads.keys() == before.workloads.keys() or new.plan.roles != old.plan.roles
    after = seen(old)
    if new.namespace == old.namespace:
        assert all(before.pods[role] <= after.pods[role] for role in before.pods)
    else:
        assert after == before
