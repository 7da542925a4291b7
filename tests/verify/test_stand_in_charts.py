"""The stand-in charts: what helmfile makes with them, and that the real charts make the same where it matters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmdgen.kube.workload import Manifest
from llmdgen.plain_yaml import load
from llmdgen.verify.helmfile import Tools, template
from llmdgen.verify.manifests import read, write_manifests
from tests.verify.conftest import CASES, DATA, Good, real_charts

# Chart names, versions and the chart's own housekeeping: all else must be the same.
HOUSEKEEPING = {"labels", "jobLabel", "annotations"}
ONLY_IN_REAL = {"ClusterRole": ("rules",), "Role": ("rules",), "RoleBinding": ("subjects",)}


def manifests(files: dict[str, str], charts: Path, tools: Tools) -> tuple[Manifest, ...]:
    found, problems = read(template(files, charts, tools))
    assert problems == []
    return found


@pytest.mark.parametrize("case", CASES)
def test_stored_manifests_are_what_helmfile_makes_with_the_stand_in_chart(
    case: str, stand_in_charts: Path, helm_tools: Tools, golden: Callable[[Path, str], None]
) -> None:
    good = Good(case)
    made = write_manifests(manifests(good.files, stand_in_charts, helm_tools))
    router = {name.rpartition("1-")[2]: text for name, text in made.items() if name.startswith("manifests/1-")}
    for name, text in router.items():
        golden(DATA / case / "router" / name, text)
    assert {file.name for file in (DATA / case / "router").glob("*.yaml")} == set(router)


@pytest.mark.parametrize("case", CASES)
def test_helm_prints_the_objects_of_the_local_chart_as_they_are_written(
    case: str, stand_in_charts: Path, helm_tools: Tools
) -> None:
    good = Good(case)
    printed = {str(each): each.doc for each in manifests(good.files, stand_in_charts, helm_tools) if each.order == 2}
    assert printed == {str(each): each.doc for each in good.manifests if each.order == 2}


@pytest.mark.parametrize("case", CASES)
def test_the_real_chart_makes_the_same_objects_with_the_same_essential_fields(
    case: str, stand_in_charts: Path, helm_tools: Tools
) -> None:
    good = Good(case)
    ours = {str(each): each for each in manifests(good.files, stand_in_charts, helm_tools)}
    charts = real_charts(good.plan.release.name)
    real = {str(each): each for each in manifests(good.files, charts, helm_tools)}
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


def missing_in(ours: Any, real: Any, path: str) -> list[str]:
    """Every field of ours that the real object has otherwise. The real one may have more."""
    if isinstance(ours, dict) and isinstance(real, dict):
        return [
            each
            for key, value in ours.items()
            if key not in HOUSEKEEPING
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
