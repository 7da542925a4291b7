"""A path is one module: what it offers is enough to plan, compose and render it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from llmdgen import api, paths
from llmdgen.composition.contribution import Contribution, Shape, Situation
from llmdgen.composition.names import RoleName
from llmdgen.engine.size import Size
from llmdgen.facts import catalogue
from llmdgen.scheduling.form import PathForm, Reference
from llmdgen.spec.load import parse

SPEC = """apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {name: sixth}
spec:
  path: session-affinity
  with: [pd-disaggregation]
  instanceTypes: [p5en.48xlarge]
  model: {name: openai/gpt-oss-120b}
"""


def shapes(situation: Situation) -> dict[RoleName, Shape]:
    return {"decode": Shape(replicas=2, tensor=1, cpu="8", memory="64Gi", shm="16Gi")}


def contribute(situation: Situation, sizes: dict[RoleName, Size]) -> Contribution:
    scorer = Reference("session-affinity-scorer", weight=4)
    return Contribution(path="session-affinity", scheduling=PathForm(profiles={"each": (scorer,)}))


def test_a_sixth_path_needs_its_module_and_a_title(monkeypatch: pytest.MonkeyPatch) -> None:
    known, get = catalogue.path_names(), paths.get
    module = SimpleNamespace(RANK=1, shapes=shapes, contribute=contribute)
    # What settings with a title in a release's paths.toml do.
    monkeypatch.setattr(catalogue, "path_names", lambda name=None: (*known, "session-affinity"))
    monkeypatch.setattr(paths, "get", lambda name: module if name == "session-affinity" else get(name))
    plan = api.plan(parse(SPEC, "sixth.yaml")[0], "p5en.48xlarge")
    files = api.render(plan)
    assert "Session affinity + Prefill/decode disaggregation" in files["SUMMARY.md"]
    assert "pluginRef: session-affinity-scorer" in files["values/router.yaml"]
    assert "llm-d.ai/guide: session-affinity" in files["chart/templates/decode.yaml"]
    assert plan.disaggregated
