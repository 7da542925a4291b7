"""One control plane for all tests of a session, and deployments on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmdgen.facts import catalogue
from llmdgen.planning.model import Plan

from .control_plane import ControlPlane, control_plane
from .deployment import Deployment
from .kinds import NEWEST, ask_lws, serve
from .programs import missing

# A node for what is no model server: the schedulers. Model servers select other nodes.
ORDINARY = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "ordinary", "labels": {"kubernetes.io/hostname": "ordinary"}},
    "status": {
        name: {"cpu": "1k", "memory": "4Ti", "ephemeral-storage": "4Ti", "pods": "500"}
        for name in ("allocatable", "capacity")
    },
}


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane that serves the kinds of the newest release."""
    lacking = missing()
    if lacking:
        pytest.skip(f"no {', '.join(lacking)}: make cluster-tools, or KUBEBUILDER_ASSETS")
    with control_plane(tmp_path_factory.mktemp("plane")) as running:
        serve(running.api, catalogue.release(NEWEST))
        running.start_lws()
        ask_lws(running)
        running.api.apply(ORDINARY)
        yield running


Deploy = Callable[..., Deployment]


@pytest.fixture
def deploy(plane: ControlPlane, tmp_path: Path) -> Iterator[Deploy]:
    """`deploy(plan)`: its directory, its nodes and claims on the cluster; all of it is gone after the test."""
    made: list[Deployment] = []

    def make(plan: Plan, files: dict[str, str] | None = None, with_nodes: bool = True) -> Deployment:
        folder = tmp_path / f"{len(made)}"
        folder.mkdir()
        deployment = Deployment(plan, folder, plane, files)
        made.append(deployment)
        deployment.prepare(with_nodes)
        return deployment

    yield make
    for each in made:
        each.clear()
