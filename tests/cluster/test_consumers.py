"""Who reads what we render, asked itself: llm-d's endpoint picker and routing sidecar, from their own Go module."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from llmdgen.facts.catalogue import release
from llmdgen.objects.chart import ROLE
from llmdgen.plain_yaml import load, load_all
from llmdgen.planning.model import Plan
from tests.specs import GPT_OSS, QWEN, plan_of

from .api import Object
from .conftest import Deploy
from .control_plane import ControlPlane, Failed, Process, free_port, listens
from .deployment import Deployment
from .kinds import NEWEST, serve
from .model_servers import ModelServers, serving
from .programs import program
from .test_targets import RENDERED, rendered

# Targets of the release whose programs these are.
TARGETS = [each for each in rendered() if f"release: {NEWEST}" in (each / "allocation.yaml").read_text("utf-8")]
MIRROR = {"registry": "registry.example.com/llm-d"}
PORTS = 16  # more than a sidecar opens: one for each rank of its pod
PROMPT = "The quick brown fox jumps over the lazy dog, and nobody knows why it does so all day. " * 60


@pytest.fixture(autouse=True)
def router() -> None:
    """The programs of the router; without them nothing can be asked."""
    if any(program(name) is None for name in ("epp", "pd-sidecar", "ask")):
        pytest.skip("no endpoint picker: its Go module cannot be fetched here (make cluster-tools)")


def scheduler_config(target: Path) -> str:
    """The scheduler's configuration in a rendered target."""
    epp = load((target / "values" / "router.yaml").read_text("utf-8"))["router"]["epp"]
    text: str = epp["pluginsCustomConfig"][epp["pluginsConfigFile"]]
    return text


class Picker:
    """A running endpoint picker."""

    def __init__(self, plane: ControlPlane, folder: Path, config: str, pool: str, namespace: str, *flags: str) -> None:
        self.port, self.metrics = free_port(), free_port()
        folder.mkdir(exist_ok=True)
        file = folder / "plugins.yaml"
        file.write_text(config, "utf-8")
        own = (
            f"--config-file={file}",
            f"--grpc-port={self.port}",
            f"--grpc-health-port={free_port()}",
            f"--metrics-port={self.metrics}",
            "--metrics-endpoint-auth=false",
            "--secure-serving=false",
            "--tracing=false",
            f"--pool-name={pool}",
            f"--pool-namespace={namespace}",
        )
        environment = {"KUBECONFIG": str(plane.kubeconfig), "NAMESPACE": namespace, "POD_NAME": "picker"}
        self.process = Process(folder, "epp", [*flags, *own], environment)

    def wait(self) -> None:
        """Until it serves."""
        self.process.wait_until(lambda: listens(self.port))

    def ask(self, model: str, prompt: str) -> dict[str, str]:
        """The headers that it adds to a request."""
        with self.asking(model, prompt) as found:
            return found

    @contextmanager
    def asking(self, model: str, prompt: str, hold: str = "0s") -> Iterator[dict[str, str]]:
        """The same, while the request is open for so long."""
        body = json.dumps({"model": model, "prompt": prompt, "max_tokens": 8})
        command = [str(program("ask")), f"--address=127.0.0.1:{self.port}", f"--hold={hold}"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as asked:
            assert asked.stdin is not None
            assert asked.stdout is not None
            assert asked.stderr is not None
            asked.stdin.write(body)
            asked.stdin.close()
            line = asked.stdout.readline()
            assert line, f"{asked.stderr.read()}\n{self.process.tail()}"
            yield json.loads(line)
            asked.terminate()


@contextmanager
def picker(plane: ControlPlane, folder: Path, config: str, pool: str, namespace: str, *flags: str) -> Iterator[Picker]:
    found = Picker(plane, folder, config, pool, namespace, *flags)
    try:
        found.wait()
        yield found
    finally:
        found.process.end()


@pytest.mark.parametrize("target", TARGETS, ids=lambda each: "/".join(each.parts[-2:]))
def test_the_picker_starts_with_a_rendered_configuration(target: Path, plane: ControlPlane, tmp_path: Path) -> None:
    with picker(plane, tmp_path, scheduler_config(target), "pool", "default") as found:
        assert "invalid" not in found.process.tail()


def test_the_picker_refuses_what_it_does_not_know(plane: ControlPlane, tmp_path: Path) -> None:
    broken = scheduler_config(TARGETS[0]).replace("type: max-score-picker", "type: max-scored-picker", 1)
    with pytest.raises(Failed, match="max-scored-picker"), picker(plane, tmp_path, broken, "pool", "default"):
        pass


def sidecars() -> dict[tuple[str, ...], str]:
    """The arguments of every rendered routing sidecar, and one of the files that have them."""
    found: dict[tuple[str, ...], str] = {}
    for file in (each / "chart" / "templates" / "decode.yaml" for each in TARGETS):
        (document,) = load_all(file.read_text("utf-8"))
        spec = document["spec"]
        template = spec.get("template") or spec["leaderWorkerTemplate"]["workerTemplate"]
        for container in template["spec"].get("initContainers", []):
            if container["name"] == "routing-proxy":
                found.setdefault(tuple(container["args"]), str(file.relative_to(RENDERED)))
    return found


@pytest.mark.parametrize("arguments", list(sidecars()), ids=sidecars().get)
def test_the_sidecar_takes_its_arguments(arguments: tuple[str, ...], plane: ControlPlane, tmp_path: Path) -> None:
    port = free_ports(PORTS)
    moved = [f"--port={port}" if each.startswith("--port=") else each for each in arguments]
    environment = {"KUBECONFIG": str(plane.kubeconfig), "INFERENCE_POOL": "default/pool", "POD_IP": "127.0.0.1"}
    sidecar = Process(tmp_path, "pd-sidecar", moved, environment)
    try:
        sidecar.wait_until(lambda: listens(port))
    finally:
        sidecar.end()


def free_ports(count: int) -> int:
    """The first of so many ports in a row on which nobody listens."""
    for first in range(21000, 30000, count):
        if not any(map(listens, range(first, first + count))):
            return first
    raise AssertionError("no ports are free")


class Routed:
    """A deployment whose pods answer, and the picker of its pool as the chart starts it."""

    def __init__(self, deployment: Deployment, picker: Picker, servers: ModelServers) -> None:
        self.picker, self.servers = picker, servers
        self.model = deployment.plan.spec.asked.model.name
        self.addresses = {
            role: {pod["status"]["podIP"] for pod in deployment.servers() if pod["metadata"]["labels"][ROLE] == role}
            for role in ("prefill", "decode")
        }

    def ask(self, prompt: str) -> tuple[str, str]:
        """The addresses of the pods that decode and that compute the prompt, "" where none does so apart."""
        found = self.picker.ask(self.model, prompt)
        assert "x-gateway-destination-endpoint" in found, found
        return (
            found["x-gateway-destination-endpoint"].partition(":")[0],
            found.get("x-prefiller-host-port", "").partition(":")[0],
        )


Route = Callable[[Plan], Routed]


@pytest.fixture
def route(deploy: Deploy, plane: ControlPlane, tmp_path: Path) -> Iterator[Route]:
    """`route(plan)`: apply it, let its pods answer, and start its picker with the arguments of the chart."""
    serve(plane.api, release(NEWEST))
    with ExitStack() as stack:

        def make(plan: Plan) -> Routed:
            deployment = deploy(plan)
            deployment.apply()
            pods = deployment.running()
            endpoints = [(pod["status"]["podIP"], port) for pod in pods for port in plan.target_ports]
            servers = stack.enter_context(serving(endpoints))
            container, config = scheduler_of(deployment)
            # Ports, files and addresses of the pod are other ones here.
            flags = [each for each in container.get("args", []) if each.startswith(("--v=", "--kv-cache", "--model"))]
            running = stack.enter_context(
                picker(plane, tmp_path / "picker", config, plan.names.pool, deployment.namespace, *flags)
            )
            deployment.wait_for(
                lambda: all(servers.asked[address] > 1 for address, _ in endpoints),
                lambda: f"the picker asks not all pods for metrics: {running.process.tail()}",
            )
            return Routed(deployment, running, servers)

        yield make


def scheduler_of(deployment: Deployment) -> tuple[Object, str]:
    """The scheduler's container as it is on the cluster, and its configuration."""
    place = f"/namespaces/{deployment.namespace}"
    found = deployment.api.items(f"/apis/apps/v1{place}/deployments")
    (workload,) = [each for each in found if each["metadata"]["name"].endswith("-epp")]
    maps = deployment.api.items(f"/api/v1{place}/configmaps")
    (config,) = [each["data"]["plugins.yaml"] for each in maps if "plugins.yaml" in each.get("data", {})]
    return workload["spec"]["template"]["spec"]["containers"][0], config


def scheduling(path: str, model: str, **sections: Any) -> Plan:
    return plan_of(path, model, "p5.48xlarge", release=NEWEST, images=MIRROR, **sections)


def test_requests_of_one_prefix_go_to_one_pod_and_others_elsewhere(route: Route) -> None:
    routed = route(scheduling("inference-scheduling", QWEN))
    first, _ = routed.ask(PROMPT)
    assert first in routed.addresses["decode"]
    assert {routed.ask(PROMPT + "Why?")[0] for _ in range(5)} == {first}
    others = {routed.ask(f"{number} {PROMPT}")[0] for number in range(12)}
    assert len(others) > 1


def test_requests_that_are_open_spread_over_the_pods(route: Route) -> None:
    routed = route(scheduling("inference-scheduling", QWEN))
    pods = routed.addresses["decode"]
    with ExitStack() as stack:
        asked = [
            stack.enter_context(routed.picker.asking(routed.model, f"{number} {PROMPT}", hold="60s"))
            for number in range(len(pods))
        ]
        chosen = {each["x-gateway-destination-endpoint"].partition(":")[0] for each in asked}
    assert chosen == pods


def test_a_prompt_is_computed_by_a_prefill_pod_and_answered_by_a_decode_pod(route: Route) -> None:
    routed = route(scheduling("pd-disaggregation", GPT_OSS))
    for number in range(6):
        decode, prefill = routed.ask(f"{number} {PROMPT}")
        assert decode in routed.addresses["decode"]
        assert prefill in routed.addresses["prefill"]
