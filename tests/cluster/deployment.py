"""A rendered target on a cluster: helmfile in its directory, and what the cluster makes of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llmdgen.objects.chart import ROLE
from llmdgen.objects.nodes import nodes
from llmdgen.plain_yaml import load
from llmdgen.planning.model import Plan
from llmdgen.preflight.objects import claims
from llmdgen.rendering.files import files
from llmdgen.yaml_text import dump
from tests.tools import STAND_IN_CHARTS, real_charts_folder

from .api import Api, Object
from .control_plane import ControlPlane
from .programs import HERE, program

HELMFILE = "helmfile.yaml"
PATIENCE = 60.0  # seconds that anything in the cluster may take
DEVICES = ("nvidia.com/gpu", "vpc.amazonaws.com/efa")


class Deployment:
    """A plan's directory, and its namespace on the cluster."""

    def __init__(self, plan: Plan, folder: Path, plane: ControlPlane, texts: dict[str, str] | None = None) -> None:
        self.plan, self.folder, self.plane = plan, folder, plane
        self.namespace = plan.names.namespace
        self.nodes: list[str] = []
        self.claims: set[str] = set()
        self.volume = ""  # the size of the kubelets' volume, where it is not what the planned pods ask for
        self.write(files(plan) if texts is None else texts)

    @property
    def api(self) -> Api:
        return self.plane.api

    def write(self, texts: dict[str, str]) -> None:
        """Files into the directory, the router's chart taken from this machine."""
        charts = real_charts_folder(self.plan.release.name) or STAND_IN_CHARTS
        for file in sorted(self.folder.rglob("*")):
            if file.is_file():
                file.unlink()
        for name, text in texts.items():
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(from_here(text, charts) if name == HELMFILE else text, "utf-8")

    def become(self, plan: Plan) -> None:
        """The directory of another plan of the same deployment."""
        self.plan = plan
        self.write(files(plan))

    def helmfile(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """helmfile in the directory, with a home of its own."""
        home = self.plane.folder / "home"
        home.mkdir(exist_ok=True)
        helm, tool = program("helm"), program("helmfile")
        assert helm is not None
        assert tool is not None
        environment = {
            "PATH": os.pathsep.join([str(helm.parent), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(home),
            "TMPDIR": str(home),
            "KUBECONFIG": str(self.plane.kubeconfig),
            "HELM_PLUGINS": str(HERE / "helm_plugins"),
            "HELMFILE_CACHE_HOME": str(home / "helmfile"),
            "HELMFILE_UPGRADE_NOTICE_DISABLED": "1",
            **{f"HELM_{each}_HOME": str(home / each.lower()) for each in ("CACHE", "CONFIG", "DATA")},
        }
        command = [str(tool), "--no-color", "--file", HELMFILE, *arguments]
        if arguments[0] != "destroy":
            command.append("--skip-deps")
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    def apply(self) -> str:
        """`helmfile apply`, which has to be accepted; what it printed."""
        done = self.helmfile("apply")
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout + done.stderr

    def destroy(self) -> None:
        """`helmfile destroy`, after which nothing of the deployment is left."""
        done = self.helmfile("destroy")
        assert done.returncode == 0, done.stderr[-4000:]

    def servers(self) -> list[Object]:
        """The pods of the model servers that are not on their way out."""
        found = self.api.items(f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=ROLE)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def settled(self, wanted: int | None = None) -> list[Object]:
        """The model servers' pods, once there are as many as wanted (as planned, where nobody says) and each has a node
        or is refused by all."""
        wanted = sum(role.pods for role in self.plan.roles) if wanted is None else wanted

        def all_there() -> list[Object] | None:
            pods = self.servers()
            return pods if len(pods) == wanted and all(node_of(pod) or refusal(pod) for pod in pods) else None

        found: list[Object] = self.wait_for(all_there, lambda: f"{len(self.servers())} of {wanted} pods: {self.said()}")
        return found

    def running(self) -> list[Object]:
        """The model servers' pods, once all of them are ready."""
        wanted = sum(role.pods for role in self.plan.roles)

        def all_ready() -> list[Object] | None:
            pods = self.servers()
            return pods if len(pods) == wanted and all(map(is_ready, pods)) else None

        found: list[Object] = self.wait_for(all_ready, lambda: f"not {wanted} ready pods: {self.said()}")
        return found

    def wait_for(self, found: Callable[[], Any], why: Callable[[], str]) -> Any:
        """What `found` gives, once it gives something."""
        end = time.monotonic() + PATIENCE
        while not (answer := found()):
            self.plane.check()
            assert time.monotonic() < end, f"{self.plan.spec.name} on {self.plan.target}: {why()}"
            time.sleep(0.1)
        return answer

    def left(self) -> list[str]:
        """What is in the namespace, but for the claims that were there before the deployment."""
        found = self.api.everything(self.namespace)
        return [f"{each['kind']}/{each['metadata']['name']}" for each in found if "Claim" not in each["kind"]]

    def said(self) -> str:
        """What the scheduler and the controllers say of the pods, and what the cluster tells as warnings."""
        refused = [f"{pod['metadata']['name']}: {refusal(pod) or pod['status']['phase']}" for pod in self.servers()]
        events = self.api.items(f"/api/v1/namespaces/{self.namespace}/events", fieldSelector="type=Warning")
        return "; ".join([*refused, *(event["message"] for event in events[-5:])])

    def prepare(self, with_nodes: bool = True) -> None:
        """The namespace, the claims and the planned nodes."""
        self.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        self.make_claims()
        if with_nodes:
            self.make_nodes()

    def clear(self) -> None:
        """Remove the deployment, however far it came, and its nodes; the namespace stays, empty."""
        if (self.folder / HELMFILE).is_file():
            self.helmfile("destroy")
        place = f"/api/v1/namespaces/{self.namespace}"
        self.api.delete(f"{place}/pods", gracePeriodSeconds=0)
        for node in self.nodes:
            self.api.remove(f"/api/v1/nodes/{node}")
        for claim in self.claims:
            self.api.remove(f"{place}/persistentvolumeclaims/{claim}")
            self.api.remove(f"/api/v1/persistentvolumes/{self.namespace}-{claim}")

    def make_nodes(self) -> None:
        """The planned nodes, all of them Ready."""
        made = list(nodes([self.plan]))
        for node in made:
            if self.volume:
                node["status"]["allocatable"]["ephemeral-storage"] = self.volume
            self.api.apply(node)
        names = {node["metadata"]["name"] for node in made}

        def all_ready() -> bool:
            live = self.api.items("/api/v1/nodes")
            return names <= {node["metadata"]["name"] for node in live if is_ready(node) and not not_ready_taint(node)}

        self.wait_for(all_ready, lambda: "the nodes are not Ready")
        self.nodes = sorted({*self.nodes, *names})

    def make_claims(self) -> None:
        """The claims that the pods mount, each bound to a volume."""
        for claim in claims(self.plan):
            self.claims.add(claim)
            size, modes = {"storage": "100Ti"}, ["ReadWriteMany"]
            volume: Object = {
                "metadata": {"name": f"{self.namespace}-{claim}"},
                "apiVersion": "v1",
                "kind": "PersistentVolume",
            }
            share = {"server": "127.0.0.1", "path": "/"}
            self.api.apply({**volume, "spec": {"capacity": size, "accessModes": modes, "nfs": share}})
            bound = {"storageClassName": "", "volumeName": volume["metadata"]["name"]}
            asked = {"accessModes": modes, "resources": {"requests": size}, **bound}
            named = {"metadata": {"name": claim, "namespace": self.namespace}, "spec": asked}
            self.api.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", **named})

    def taken(self) -> Counter[str]:
        """What the model servers' pods request of the devices, and on how many nodes they are."""
        pods = self.servers()
        counted = Counter({"pods": len(pods), "nodes": len({node_of(pod) for pod in pods if node_of(pod)})})
        for pod in pods:
            for container in pod["spec"]["containers"]:
                for device in DEVICES:
                    counted[device] += int(container.get("resources", {}).get("limits", {}).get(device, 0))
        return counted


def from_here(helmfile: str, charts: Path) -> str:
    """A helmfile.yaml that takes the router's chart from a folder of this machine."""
    state = load(helmfile)
    state.pop("repositories", None)
    for release in state["releases"]:
        if not release["chart"].startswith("./"):
            release["chart"] = str(charts / release["chart"].rpartition("/")[2])
            release.pop("version", None)
    return dump(state)


def node_of(pod: Object) -> str:
    """The node of a pod, "" where it has none."""
    return str(pod["spec"].get("nodeName", ""))


def condition(thing: Object, kind: str) -> Object:
    """A condition of an object, an empty one where nobody set it."""
    found = thing.get("status", {}).get("conditions") or []
    return next((each for each in found if each["type"] == kind), {})


def is_ready(thing: Object) -> bool:
    """Whether a pod or a node is Ready."""
    return condition(thing, "Ready").get("status") == "True"


def refusal(pod: Object) -> str:
    """Why the scheduler finds no node for a pod, "" where it has not looked, or has found one."""
    said = condition(pod, "PodScheduled")
    return str(said.get("message", "")) if said.get("reason") == "Unschedulable" else ""


def not_ready_taint(node: Object) -> bool:
    """Whether the node still has the taint of one that is not ready."""
    return any(taint["key"].startswith("node.kubernetes.io/not-ready") for taint in node["spec"].get("taints") or [])
