"""Fixtures: the tools and charts where a machine has them, and good directories to break.

`tests/verify/data/<case>/` holds a rendered directory written by hand and, in manifests/, what helmfile makes of it
with the stand-in charts, so that rules are tested on machines without helm too. After a change of the charts or the
values: `LLMDGEN_UPDATE=1 pytest tests/verify/test_stand_in_charts.py` writes the manifests again.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from llmdgen.facts.catalogue import release
from llmdgen.verify import invariants, rules
from llmdgen.verify.helmfile import HelmRelease, ReleaseOutput, read_releases
from llmdgen.kube.manifest import Manifest
from llmdgen.verify.manifests import read
from llmdgen.verify.problem import Problem
from llmdgen.verify.rendered import Rendered
from llmdgen.verify.run import read_files
from llmdgen.verify.tools import Tools, find_tools
from tests.tools import STAND_IN_CHARTS, real_charts_folder, tools_folder

assert invariants.__all__  # importing the package is what registers the rules

DATA = Path(__file__).parent / "data"
CRDS = Path(__file__).resolve().parents[3] / "shared" / "upstream" / "crds"

Docs = dict[str, dict[str, Any]]


class Good:
    """A rendered directory without a fault. `break_` verifies a copy of it after a change."""

    def __init__(self, case: str) -> None:
        self.directory = DATA / case
        # The case's manifests/ stand for what helmfile prints; no render wrote them for somebody to deploy.
        everything = read_files(self.directory)
        self.files = {name: text for name, text in everything.items() if not name.startswith("manifests/")}
        self.releases = read_releases(self.files["helmfile.yaml"])
        self.manifests, self.unreadable = read(stored_outputs(self.directory, self.releases))

    def break_(self, change: Callable[[Docs], None], files: dict[str, str] | None = None) -> list[Problem]:
        """What the rules say after `change` was made to the objects, given by `Kind/name`."""
        docs = {str(each): deepcopy(each.doc) for each in self.manifests}
        change(docs)
        broken = tuple(
            Manifest(
                each.release,
                each.order,
                each.source,
                docs[str(each)]["apiVersion"],
                each.kind,
                docs[str(each)]["metadata"]["name"],
                docs[str(each)]["metadata"].get("namespace") or each.namespace,
                docs[str(each)],
            )
            for each in self.manifests
            if str(each) in docs
        )
        return list(rules.run(Rendered(broken, {**self.files, **(files or {})}, self.releases, release("v0.5.1"))))

    def codes(self, change: Callable[[Docs], None], files: dict[str, str] | None = None) -> set[str]:
        """The codes of what is found after a change."""
        return {each.code for each in self.break_(change, files)}


def stored_outputs(directory: Path, releases: tuple[HelmRelease, ...]) -> list[ReleaseOutput]:
    """The manifests of a case as if helmfile had just printed them."""
    return [
        ReleaseOutput(
            release,
            tuple(file.read_text("utf-8") for file in sorted((directory / "manifests").glob(f"{order}-*.yaml"))),
        )
        for order, release in enumerate(releases, 1)
    ]


@pytest.fixture(scope="session")
def pd() -> Good:
    """Prefill/decode disaggregation on p5.48xlarge behind Istio and an NLB."""
    return Good("pd")


@pytest.fixture(scope="session")
def wide_ep() -> Good:
    """Wide expert parallelism: two LeaderWorkerSets of two p5en.48xlarge nodes each, started by a script."""
    return Good("wide-ep")


@pytest.fixture(scope="session")
def helm_tools() -> Tools:
    folder = tools_folder()
    if folder is None:
        pytest.skip("no helm and helmfile: run scripts/fetch_tools.py, or set LLMDGEN_TOOLS")
    return find_tools(str(folder / "helm"), str(folder / "helmfile"))


@pytest.fixture(scope="session")
def stand_in_charts() -> Path:
    return STAND_IN_CHARTS


@pytest.fixture(scope="session")
def real_charts() -> Path:
    folder = real_charts_folder()
    if folder is None:
        pytest.skip("LLMDGEN_CHARTS does not name a folder with the real charts")
    return folder


@pytest.fixture(scope="session")
def crds() -> Path:
    if not CRDS.is_dir():
        pytest.skip("the CRDs are not beside this repository")
    return CRDS
