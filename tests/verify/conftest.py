"""Fixtures: the tools and charts where a machine has them, and good directories to break.

`tests/verify/data/<case>/` holds a spec and, in router/, what helmfile makes of its values/router.yaml with the
stand-in chart, so that rules are tested on machines without helm too. All else of a case is rendered when the tests
run. After a change of the charts or the values: `pytest --update-golden tests/verify/test_stand_in_charts.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from llmdgen import api
from llmdgen.findings import Finding
from llmdgen.kube.workload import Manifest
from llmdgen.objects.chart import as_printed
from llmdgen.planning.model import Plan
from llmdgen.rendering.files import files
from llmdgen.verify.helmfile import ReleaseOutput, Tools, find_tools
from llmdgen.verify.manifests import read
from llmdgen.verify.rendered import Rendered
from llmdgen.verify.run import judged
from llmdgen.verify.state import HELMFILE, HelmRelease, read_state
from tests.tools import STAND_IN_CHARTS, real_charts_folder, tools_folder

DATA = Path(__file__).parent / "data"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "upstream"
CASES = ("pd", "wide-ep", "pd-v0.9.0")

Docs = dict[str, dict[str, Any]]


class Good:
    """A rendered directory without a fault, in memory. `break_` says what the rules find after a change."""

    def __init__(self, case: str) -> None:
        self.case = case

    @cached_property
    def plan(self) -> Plan:
        spec = api.load(DATA / self.case / "spec.yaml")
        return api.draft(spec, api.targets(spec)[0])

    @cached_property
    def files(self) -> dict[str, str]:
        return files(self.plan)

    @cached_property
    def releases(self) -> tuple[HelmRelease, ...]:
        return read_state(self.files[HELMFILE]).releases

    @cached_property
    def manifests(self) -> tuple[Manifest, ...]:
        router, servers = self.releases
        stored = sorted((DATA / self.case / "router").glob("*.yaml"))
        chart = [text for name, text in sorted(self.files.items()) if name.startswith("chart/templates/")]
        outputs = [
            ReleaseOutput(router, tuple(file.read_text("utf-8") for file in stored)),
            ReleaseOutput(servers, tuple(map(as_printed, chart))),
        ]
        found, unreadable = read(outputs)
        assert unreadable == []
        return found

    def write(self, folder: Path) -> Path:
        """The directory on disk, as `llmdgen render` writes it, without its lock."""
        return write(self.files, folder)

    def break_(self, change: Callable[[Docs], object], files: dict[str, str] | None = None) -> list[Finding]:
        """What the rules say after `change` was made to the objects, given by `Kind/name`."""
        docs = {str(each): deepcopy(each.doc) for each in self.manifests}
        change(docs)
        broken = tuple(
            structs.replace(
                each,
                api_version=docs[str(each)]["apiVersion"],
                name=docs[str(each)]["metadata"]["name"],
                namespace=docs[str(each)]["metadata"].get("namespace") or each.namespace,
                doc=docs[str(each)],
            )
            for each in self.manifests
            if str(each) in docs
        )
        return self.judge(broken, files)

    def judge(
        self, manifests: tuple[Manifest, ...], files: Mapping[str, str] | None = None, is_sealed: bool = True
    ) -> list[Finding]:
        """What the rules say of objects, with some of the directory's files replaced; as if a lock vouched for them."""
        return judged(Rendered(manifests, {**self.files, **(files or {})}, is_sealed))

    def codes(self, change: Callable[[Docs], object], files: dict[str, str] | None = None) -> set[str]:
        """The codes of what is found after a change."""
        return {each.code for each in self.break_(change, files)}


def write(files: Mapping[str, str], folder: Path) -> Path:
    """Files by their paths in a folder, which may be there already."""
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return folder


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


def real_charts(release: str) -> Path:
    """The folder of a release's real charts; skips the test where there is none."""
    folder = real_charts_folder(release)
    if folder is None:
        pytest.skip(f"LLMDGEN_CHARTS has no chart of llm-d {release}")
    return folder


def crds_of(release: str) -> Path:
    """The CustomResourceDefinitions of a release's prerequisites; skips the test where they are not there."""
    for folder in (SHARED / f"crds-{release}", SHARED / "crds"):
        if folder.is_dir():
            return folder
    pytest.skip("the CRDs are not beside this repository")


@pytest.fixture(scope="session")
def crds() -> Path:
    return crds_of("v0.5.1")
