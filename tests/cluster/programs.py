"""The programs of a control plane: where they are on this machine, and what each is built from.

Each folder of `go/` is a Go module that pins what it builds, with checksums. `make cluster-tools` builds them into
.cache/cluster; a program in the folder that KUBEBUILDER_ASSETS names comes first, as in projects of controllers.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
MODULES = HERE / "go"
CACHE = REPOSITORY / ".cache" / "cluster"

# The package that is built, by the program's name; a program is built in the module of its group.
PROGRAMS = {
    "control-plane": {
        "etcd": "go.etcd.io/etcd/server/v3",
        "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
        "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
        "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
        "kwok": "sigs.k8s.io/kwok/cmd/kwok",
        "lws": "sigs.k8s.io/lws/cmd",
    },
    "helm": {"helm": "helm.sh/helm/v3/cmd/helm", "helmfile": "github.com/helmfile/helmfile"},
    # The endpoint picker and the routing sidecar of llm-d v0.9.0, and a client of the picker's protocol.
    "router": {
        "epp": "github.com/llm-d/llm-d-router/cmd/epp",
        "pd-sidecar": "github.com/llm-d/llm-d-router/cmd/pd-sidecar",
        "ask": "./ask",
    },
    "istio": {"pilot-discovery": "istio.io/istio/pilot/cmd/pilot-discovery"},
}
NEEDED = ("control-plane", "helm")  # without the others only the tests of their programs skip
CRDS = "crds-"  # a module of this prefix and a release's name pins the CustomResourceDefinitions of that release
WEBHOOKS = "manifests.yaml"  # those of the LeaderWorkerSet controller, among the files of a release
# How kwok plays kubelets: nodes become ready, pods run as soon as they have a node, and end when they are asked to.
STAGES = "sigs.k8s.io/kwok", ["kustomize/stage/node/fast/node-*.yaml", "kustomize/stage/pod/fast/pod-*.yaml"]
# Istio's own chart of its control plane, which holds the templates of the proxies that it makes for Gateways.
ISTIOD = "istio.io/istio", "manifests/charts/istio-control/istio-discovery"
# The files of each module that hold them; kinds.py makes those that no module has.
CRD_FILES = {
    "github.com/prometheus-operator/prometheus-operator": ["example/prometheus-operator-crd/*monitors.yaml"],
    "istio.io/api": ["kubernetes/customresourcedefinitions.gen.yaml"],
    "sigs.k8s.io/gateway-api": ["config/crd/standard/gateway.networking.k8s.io_*.yaml"],
    "sigs.k8s.io/gateway-api-inference-extension": ["config/crd/bases/*.yaml"],
    "sigs.k8s.io/lws": ["config/crd/bases/*.yaml", "config/webhook/manifests.yaml"],
}


def program(name: str) -> Path | None:
    """The program of that name, None where this machine has none."""
    named = os.environ.get("KUBEBUILDER_ASSETS")
    for folder in (Path(named) if named else None, CACHE / "bin"):
        if folder is not None and os.access(folder / name, os.X_OK):
            return folder / name
    return None


def missing() -> list[str]:
    """What a rehearsal needs and this machine does not have."""
    wanted = [name for module in NEEDED for name in PROGRAMS[module]]
    lacking = [name for name in wanted if program(name) is None]
    if not any(CACHE.glob(f"{CRDS}*/*.yaml")):
        lacking.append("CustomResourceDefinitions")
    if not stages():
        lacking.append("kwok's stages")
    return lacking + [name for name in ("openssl",) if shutil.which(name) is None]


def istiod_chart() -> Path:
    """The chart of Istio's control plane."""
    return CACHE / "istiod"


def stages() -> list[Path]:
    """The files that say how kwok plays kubelets."""
    return sorted((CACHE / "stages").glob("*.yaml"))


def crds_of(release: str) -> Path:
    """The folder with the CustomResourceDefinitions that a release's prerequisites pin."""
    return CACHE / f"{CRDS}{release}"
