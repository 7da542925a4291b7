"""A small API server that speaks Kubernetes' JSON over real HTTP, and a cluster that can run a plan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from llmdgen.planning.model import Plan
from llmdgen.preflight.objects import claims, kinds, priority_classes

STORAGE_CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
PRIORITY_CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CLASSES = "/apis/gateway.networking.k8s.io/v1/gatewayclasses"
DAEMON_SETS = "/apis/apps/v1/daemonsets"
NODES, PODS, NAMESPACES = "/api/v1/nodes", "/api/v1/pods", "/api/v1/namespaces"


class Api:
    """What the server answers: `answers` maps a path to an object, to the items of a list, or to a status code.

    Any other path is a 404. `asked` holds the method and path of every request, `page` how many items a list gives,
    `failing` the statuses of a path's next answers, of which 410 is for a continue token.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, str]] = []
        self.page = 500
        self.failing: dict[str, list[int]] = {}

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        if self.failing.get(path) and ("continue" in query or self.failing[path][0] != 410):
            code = self.failing[path].pop(0)
            return code, {"kind": "Status", "code": code}
        found = self.answers.get(path, 404)
        if isinstance(found, int):
            return found, {"kind": "Status", "code": found}
        if not isinstance(found, list):
            return 200, found
        start = int(query.get("continue", ["0"])[0])
        end = start + self.page
        return 200, {"items": found[start:end], "metadata": {"continue": str(end)} if end < len(found) else {}}


@contextmanager
def serving(api: Api) -> Iterator[str]:
    """The address at which the server answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            api.asked.append(("GET", url.path))
            self._send(*api.answer(url.path, parse_qs(url.query)))

        def _send(self, status: int, answer: Any) -> None:
            body = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the requests are kept in `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def kubeconfig(folder: Path, address: str) -> Path:
    """A kubeconfig with the one context `here`, which leads to the address."""
    file = folder / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": address}}
    context = {"name": "here", "context": {"cluster": "c", "user": "u"}}
    user = {"name": "u", "user": {"token": "t"}}
    file.write_text(
        json.dumps({"clusters": [cluster], "contexts": [context], "users": [user], "current-context": "here"})
    )
    return file


def crd(name: str, *served: str) -> dict[str, Any]:
    """A CustomResourceDefinition that serves these versions."""
    versions = [{"name": version, "served": True} for version in served]
    conditions = [{"type": "Established", "status": "True"}]
    return {"metadata": {"name": name}, "spec": {"versions": versions}, "status": {"conditions": conditions}}


def node(
    name: str, label: str, zone: str = "us-east-1a", efa: int = 32, labels: dict[str, str] | None = None
) -> dict[str, Any]:
    """A Ready p5.48xlarge with the usual taint."""
    own = {"node.kubernetes.io/instance-type": label, "topology.kubernetes.io/zone": zone, **(labels or {})}
    allocatable = {
        "nvidia.com/gpu": "8",
        "vpc.amazonaws.com/efa": str(efa),
        "cpu": "191450m",
        "memory": "2100000Mi",
        "ephemeral-storage": "25000Gi",
    }
    return {
        "metadata": {"name": name, "labels": own},
        "spec": {"taints": [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}]},
        "status": {
            "allocatable": allocatable,
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"architecture": "amd64"},
        },
    }


def pod(name: str, on: str, namespace: str = "other", **spec: Any) -> dict[str, Any]:
    """A running pod; `spec` replaces its one container of 4 GPUs."""
    asks = {"requests": {"nvidia.com/gpu": "4", "cpu": "8", "memory": "64Gi"}}
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"nodeName": on, "containers": [{"name": "vllm", "resources": asks}], **spec},
        "status": {"phase": "Running"},
    }


def able(plan: Plan) -> Api:
    """A cluster that has all that a plan on p5.48xlarge needs, with as many nodes as it counts."""
    api = Api()
    for kind in kinds(plan):
        api.answers[f"{CRDS}/{kind.name}"] = crd(kind.name, kind.version)
    name = plan.gateway.settings["class"]
    api.answers[f"{CLASSES}/{name}"] = {"status": {"conditions": [{"type": "Accepted", "status": "True"}]}}
    here = f"{NAMESPACES}/{plan.names.namespace}"
    api.answers[here] = {"status": {"phase": "Active"}}
    secret = plan.spec.asked.model.auth_secret_name
    if secret is not None:
        api.answers[f"{here}/secrets/{secret}"] = {"data": {"HF_TOKEN": "aGZfc2VjcmV0"}}
    for claim in claims(plan):
        bound = {"phase": "Bound", "accessModes": ["ReadWriteMany"]}
        api.answers[f"{here}/persistentvolumeclaims/{claim}"] = {"spec": {}, "status": bound}
    for name in priority_classes(plan):
        api.answers[f"{PRIORITY_CLASSES}/{name}"] = {"metadata": {"name": name}}
    label, selects = plan.roles[0].node.label, plan.roles[0].node_selector
    count = sum(pool.nodes for pool in plan.pools)
    api.answers[NODES] = [node(f"node-{number}", label, labels=selects) for number in range(count)]
    api.answers[PODS] = []
    api.answers[DAEMON_SETS] = []
    return api
