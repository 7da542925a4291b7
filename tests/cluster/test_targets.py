"""helmfile apply of targets: accepted, placed on exactly the planned nodes, the same a second time, and gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from llmdgen import api
from llmdgen.facts import catalogue
from llmdgen.findings import Severity
from llmdgen.objects.chart import ROLE
from llmdgen.plain_yaml import load
from llmdgen.planning.model import Plan
from llmdgen.spec.load import load_all
from llmdgen.spec.model import Spec
from tests.specs import DEEPSEEK, GPT_OSS, QWEN, plan_of

from .api import Object
from .conftest import Deploy
from .control_plane import ControlPlane
from .deployment import DEVICES, Deployment, node_of, refusal
from .kinds import serve
from .programs import REPOSITORY

RENDERED = REPOSITORY / "rendered"
GROUP, INDEX = "leaderworkerset.sigs.k8s.io/group-index", "leaderworkerset.sigs.k8s.io/worker-index"
SET = "leaderworkerset.sigs.k8s.io/name"
UPDATED = "DURATION"  # above the releases that helmfile changed, in what it prints at the end
MIRROR = {"images": {"registry": "registry.example.com/llm-d"}}
BALANCED = {"loadBalancer": {"scheme": "internal"}}


@cache
def specs() -> dict[str, Spec]:
    """The specs of the rendered tree, by their names."""
    found = [spec for file in sorted((REPOSITORY / "paths").glob("*.yaml")) for spec in load_all(str(file))]
    return {spec.name: spec for spec in found}


def rendered() -> list[Path]:
    """Every rendered target."""
    return sorted(each.parent for each in RENDERED.glob("*/*/allocation.yaml"))


def texts_of(folder: Path) -> dict[str, str]:
    """The files of a rendered target."""
    files = [each for each in folder.rglob("*") if each.is_file()]
    return {each.relative_to(folder).as_posix(): each.read_text("utf-8") for each in files}


@pytest.mark.parametrize("folder", rendered(), ids=lambda each: f"{each.parent.name}/{each.name}")
def test_a_rendered_target(folder: Path, deploy: Deploy, plane: ControlPlane) -> None:
    plan = api.draft(specs()[folder.parent.name], folder.name)
    serve(plane.api, plan.release)
    rehearse(deploy(plan, texts_of(folder)))


PATHS = {
    "inference-scheduling": QWEN,
    "pd-disaggregation": GPT_OSS,
    "wide-ep": DEEPSEEK,
    "tiered-prefix-cache": QWEN,
    "precise-prefix-cache": QWEN,
    "pd-disaggregation+wide-ep": DEEPSEEK,
    "pd-disaggregation+tiered-prefix-cache": GPT_OSS,
    "pd-disaggregation+precise-prefix-cache": GPT_OSS,
    "wide-ep+tiered-prefix-cache": DEEPSEEK,
    "tiered-prefix-cache+precise-prefix-cache": QWEN,
    "pd-disaggregation+wide-ep+tiered-prefix-cache": DEEPSEEK,
    "pd-disaggregation+tiered-prefix-cache+precise-prefix-cache": GPT_OSS,
}
PROVIDERS = {
    "v0.5.1": ("kgateway", "agentgateway", "istio"),
    "v0.6.0": ("istio", "kgateway", "agentgateway"),
    "v0.9.0": ("agentgateway", "istio"),
}


def matrix() -> Iterator[Plan]:
    """Every path and composition of every release, and with them each gateway on each platform."""
    for release in catalogue.release_names():
        gateways = list(product(("eks", "hyperpod"), PROVIDERS[release]))
        for number, (path, model) in enumerate(PATHS.items()):
            first, *others = path.split("+")
            platform, provider = gateways[number % len(gateways)]
            gateway = {"provider": provider, **(BALANCED if number % 5 < 2 else {})}
            tiers = {"cache": {"cpu": {"size": "100Gi"}}} if "tiered" in path else {}
            instance = "p5en.48xlarge" if model == DEEPSEEK or number % 2 else "p5.48xlarge"
            sections = {
                **MIRROR,
                **tiers,
                "with_": others,
                "gateway": gateway,
                "platform": platform,
                "release": release,
            }
            plan = plan_of(first, model, instance, **sections)
            if not any(each.finding.severity is Severity.ERROR for each in api.check(plan)):
                yield plan


@pytest.mark.parametrize(
    "plan", list(matrix()), ids=lambda plan: f"{plan.release.name}-{'+'.join(plan.paths)}-{plan.gateway.provider}"
)
def test_a_release_a_path_and_a_gateway(plan: Plan, deploy: Deploy, plane: ControlPlane) -> None:
    serve(plane.api, plan.release)
    rehearse(deploy(plan))


@pytest.mark.parametrize(
    ("prefill", "decode"), [((2, 1), (3, 4)), ((8, 1), (2, 4)), ((4, 4), (2, 8)), ((4, 2), (6, 4)), ((9, 1), (3, 4))]
)
def test_pods_of_two_sizes_fill_the_planned_nodes(
    prefill: tuple[int, int], decode: tuple[int, int], deploy: Deploy, plane: ControlPlane
) -> None:
    """Replicas and GPUs of a pod: the scheduler would spread the small ones, and leave no node for a large one."""
    asked = [{"replicas": replicas, "parallelism": {"tensor": gpus}} for replicas, gpus in (prefill, decode)]
    plan = plan_of("pd-disaggregation", GPT_OSS, prefill=asked[0], decode=asked[1], **MIRROR)
    serve(plane.api, plan.release)
    rehearse(deploy(plan))


FAULTS = {
    "one EFA interface fewer": ('vpc.amazonaws.com/efa: "16"', 'vpc.amazonaws.com/efa: "15"'),
    "more EFA interfaces than a node has": ('vpc.amazonaws.com/efa: "16"', 'vpc.amazonaws.com/efa: "40"'),
    "another GPU": ('nvidia.com/gpu: "4"', 'nvidia.com/gpu: "5"'),
    "another label of the node": ("instance-type: p5.48xlarge", "instance-type: p5e.48xlarge"),
    "no toleration": ("key: nvidia.com/gpu", "key: nvidia.com/gpus"),
    "more memory than a node has": ("memory: 64Gi", "memory: 4Ti"),
    "a pod more": ("replicas: 1", "replicas: 2"),
}


@pytest.mark.parametrize(("old", "new"), FAULTS.values(), ids=list(FAULTS))
def test_a_fault_is_noticed(old: str, new: str, deploy: Deploy, plane: ControlPlane) -> None:
    """What the tests above are worth: one word of a decode pod is another, and they fail."""
    folder = RENDERED / "pd-disaggregation" / "p5.48xlarge"
    plan = api.draft(specs()["pd-disaggregation"], folder.name)
    serve(plane.api, plan.release)
    texts = texts_of(folder)
    decode = "chart/templates/decode.yaml"
    assert old in texts[decode]
    deployment = deploy(plan, texts | {decode: texts[decode].replace(old, new)})
    deployment.apply()
    wanted = sum(role.pods for role in plan.roles) + (new == "replicas: 2")
    with pytest.raises(AssertionError):
        assert_as_planned(deployment, deployment.settled(wanted))


def rehearse(deployment: Deployment) -> None:
    """All that has to hold of a deployment, from the first apply to the last pod."""
    assert UPDATED in deployment.apply()
    pods = deployment.running()
    assert_as_planned(deployment, pods)
    assert_groups(deployment, pods)
    before = states(deployment)
    again = deployment.apply()
    assert "Comparing release" in again
    assert UPDATED not in again
    assert states(deployment) == before
    assert_no_node_is_spare(deployment, pods)
    deployment.destroy()
    deployment.wait_for(lambda: not deployment.left(), lambda: f"left: {', '.join(deployment.left())}")


def assert_as_planned(deployment: Deployment, pods: list[Object]) -> None:
    """The pods are on the planned nodes, all of them, with the devices that allocation.yaml says."""
    allocation = load((deployment.folder / "allocation.yaml").read_text("utf-8"))
    assert [refusal(pod) for pod in pods if not node_of(pod)] == []
    types = {each["metadata"]["name"]: each for each in deployment.api.items("/api/v1/nodes")}
    for name, role in allocation["roles"].items():
        own = [pod for pod in pods if pod["metadata"]["labels"][ROLE] == name]
        assert len(own) == role["replicas"] * role["podsPerReplica"]
        for pod in own:
            assert type_of(types[node_of(pod)]) == role["instanceType"]
            assert devices(pod) == {DEVICES[0]: role["gpusPerPod"], DEVICES[1]: role["efaPerPod"]}
    assert sorted({node_of(pod) for pod in pods}) == deployment.nodes
    for pool in allocation["nodes"]:
        on = [name for name in deployment.nodes if type_of(types[name]) == pool["instanceType"]]
        assert len(on) == pool["nodes"]
        taken = sum((Counter(devices(pod)) for pod in pods if node_of(pod) in on), Counter())
        assert (taken[DEVICES[0]], taken[DEVICES[1]]) == (pool["gpus"]["used"], pool["efa"]["used"])
        for key, device in zip(("gpus", "efa"), DEVICES, strict=True):
            offered = sum(int(types[name]["status"]["allocatable"].get(device, 0)) for name in on)
            assert offered == pool[key]["of"]


def type_of(node: Object) -> str:
    """The EC2 instance type of a node."""
    label: str = node["metadata"]["labels"]["node.kubernetes.io/instance-type"]
    return label.removeprefix("ml.")


def devices(pod: Object) -> dict[str, int]:
    """What a pod has of each device."""
    limits = [container.get("resources", {}).get("limits", {}) for container in pod["spec"]["containers"]]
    return {device: sum(int(each.get(device, 0)) for each in limits) for device in DEVICES}


def assert_groups(deployment: Deployment, pods: list[Object]) -> None:
    """Each server of several nodes is a group of its own: a leader and its workers, on nodes of their own."""
    for role in deployment.plan.roles:
        if role.size.workers == 1:
            continue
        own = [pod for pod in pods if pod["metadata"]["labels"][ROLE] == role.name]
        groups: dict[str, list[Object]] = {}
        for pod in own:
            groups.setdefault(pod["metadata"]["labels"][GROUP], []).append(pod)
        assert sorted(groups) == [str(number) for number in range(role.size.replicas)]
        for group in groups.values():
            assert sorted(int(pod["metadata"]["labels"][INDEX]) for pod in group) == list(range(role.size.workers))
            for pod in group:
                words = {each["name"] for each in pod["spec"]["containers"][-1]["env"]}
                assert {"LWS_LEADER_ADDRESS", "LWS_GROUP_SIZE", "LWS_WORKER_INDEX"} <= words


def states(deployment: Deployment) -> dict[str, Any]:
    """What changes with an object: its generation, and which pods there are."""
    return {
        f"{each['kind']}/{each['metadata']['name']}": each["metadata"].get("generation", each["metadata"]["uid"])
        for each in deployment.api.everything(deployment.namespace)
        if each["kind"] not in ("Lease", "EndpointSlice", "Endpoints", "PodMetrics")
    }


def assert_no_node_is_spare(deployment: Deployment, pods: list[Object]) -> None:
    """With one of the planned nodes closed, and its pods gone, not all of them find a place."""
    closed = deployment.nodes[-1]
    deployment.api.patch(f"/api/v1/nodes/{closed}", {"spec": {"unschedulable": True}})
    for pod in pods:
        if node_of(pod) == closed:
            deployment.api.delete(f"/api/v1/namespaces/{deployment.namespace}/pods/{pod['metadata']['name']}")
    settled = deployment.settled()
    assert any(map(refusal, settled)), f"all pods find a place without {closed}"
    assert closed not in {node_of(pod) for pod in settled}
    deployment.api.patch(f"/api/v1/nodes/{closed}", {"spec": {"unschedulable": None}})
    deployment.running()
