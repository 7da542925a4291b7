"""The stand-in charts: what helmfile makes with them, and that the real charts make the same where it matters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from llmdgen.kube.manifest import Manifest
from llmdgen.plain_yaml import load
from llmdgen.verify.helmfile import template_files
from llmdgen.verify.manifests import read, write_manifests
from llmdgen.verify.tools import Tools
from llmdgen.verify.yaml import dump
from tests.tools import real_charts_folder
from tests.verify.conftest import CASES, DATA, Good

CHARTS = {"v0.5.1": "inferencepool", "v0.9.0": "llm-d-router-gateway"}
# Chart names, versions and the chart's own housekeeping: all else must be the same.
HOUSEKEEPING = {"labels", "jobLabel", "annotations"}
ONLY_IN_REAL = {"ClusterRole": ("rules",), "Role": ("rules",), "RoleBinding": ("subjects",)}
# Names, labels, ports, the way of a request, the load balancer: whichever chart makes the pool.
OVER_OBJECTS = {f"VER{number:03}" for number in (*range(10, 19), *range(20, 50), 57)}
# The chart of a repository runs the branch's image, and the pool says a protocol that is the default.
OF_A_BRANCH = ("image", "imagePullPolicy")


def with_chart(good: Good, release: str) -> dict[str, str]:
    """The files of a case for the router's chart of that release."""
    if release == "v0.5.1":
        return good.files
    state = load(good.files["helmfile.yaml"])
    state["releases"][0] |= {"chart": f"oci://ghcr.io/llm-d/charts/{CHARTS[release]}", "version": "v0.10.0"}
    values = (DATA / "router-gateway" / "values.yaml").read_text("utf-8")
    return {**good.files, "helmfile.yaml": dump(state), "values/router.yaml": values}


def manifests(files: dict[str, str], charts: Path, tools: Tools) -> tuple[Manifest, ...]:
    found, problems = read(template_files(files, charts, tools))
    assert problems == []
    return found


@pytest.mark.parametrize("case", CASES)
def test_stored_manifests_are_what_helmfile_makes_with_the_stand_in_chart(
    case: str, stand_in_charts: Path, helm_tools: Tools
) -> None:
    good = Good(case)
    made = manifests(good.files, stand_in_charts, helm_tools)
    router = {name: text for name, text in write_manifests(made).items() if name.startswith("manifests/1-")}
    folder = DATA / case / "router"
    if os.environ.get("LLMDGEN_UPDATE"):
        for old in folder.glob("*.yaml"):
            old.unlink()
        folder.mkdir(exist_ok=True)
        for name, text in router.items():
            (folder / name.rpartition("1-")[2]).write_text(text, "utf-8")
    stored = {f"manifests/1-{file.name}": file.read_text("utf-8") for file in folder.glob("*.yaml")}
    assert router == stored


@pytest.mark.parametrize("case", CASES)
def test_helm_prints_the_objects_of_the_local_chart_as_they_are_written(
    case: str, stand_in_charts: Path, helm_tools: Tools
) -> None:
    good = Good(case)
    printed = {str(each): each.doc for each in manifests(good.files, stand_in_charts, helm_tools) if each.order == 2}
    assert printed == {str(each): each.doc for each in good.manifests if each.order == 2}


@pytest.mark.parametrize("release", CHARTS)
def test_the_real_chart_makes_the_same_objects_with_the_same_essential_fields(
    release: str, pd: Good, stand_in_charts: Path, helm_tools: Tools
) -> None:
    charts = real_charts_folder(release)
    if charts is None:
        pytest.skip(f"LLMDGEN_CHARTS has no {CHARTS[release]}")
    files = with_chart(pd, release)
    ours = {str(each): each for each in manifests(files, stand_in_charts, helm_tools)}
    real = {str(each): each for each in manifests(files, charts, helm_tools)}
    assert sorted(ours) == sorted(real)
    for name, manifest in ours.items():
        other = real[name]
        assert (manifest.api_version, manifest.namespace) == (other.api_version, other.namespace), name
        skipped = ONLY_IN_REAL.get(manifest.kind, ())
        differences = [
            each
            for key in manifest.doc
            if key not in ("metadata", *skipped)
            for each in missing_in(manifest.doc[key], other.doc.get(key), key)
        ]
        assert differences == [], name


@pytest.mark.parametrize("release", CHARTS)
def test_the_rules_over_pool_picker_route_and_labels_hold_for_each_chart(
    release: str, pd: Good, stand_in_charts: Path, helm_tools: Tools
) -> None:
    for charts in (stand_in_charts, real_charts_folder(release)):
        if charts is not None:
            made = manifests(with_chart(pd, release), charts, helm_tools)
            # The scheduler's own configuration is another one, and the case's release would judge it.
            assert {each.code for each in pd.judge(made)} & OVER_OBJECTS == set()


def missing_in(ours: Any, real: Any, path: str) -> list[str]:
    """Every field of ours that the real object has otherwise. The real one may have more."""
    if isinstance(ours, dict) and isinstance(real, dict):
        skipped = HOUSEKEEPING | ({*OF_A_BRANCH} if str(real.get("image")).endswith(":main") else set())
        return [
            each
            for key, value in ours.items()
            if key not in skipped
            for each in missing_in(value, real.get(key), f"{path}.{key}")
        ]
    if path.endswith(".args") and isinstance(ours, list) and isinstance(real, list):
        rest = iter(real)
        return [] if all(any(word == other for other in rest) for word in ours) else [f"{path}: {ours} in {real}"]
    if isinstance(ours, list) and isinstance(real, list) and len(ours) == len(real):
        pairs = enumerate(zip(ours, real, strict=True))
        return [each for index, (one, other) in pairs for each in missing_in(one, other, f"{path}[{index}]")]
    if isinstance(ours, str) and isinstance(real, str) and "\n" in ours:
        return missing_in(load(ours), load(real), f"{path}(yaml)") if path.startswith("data") else []
    return [] if ours == real else [f"{path}: {ours!r}, the real chart {real!r}"]
