"""Objects against Kubernetes' schemas and CRDs, strictly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmdgen.kube.workload import Manifest
from llmdgen.plain_yaml import load
from llmdgen.verify import schemas
from llmdgen.verify.schemas import check, read_crds, strict
from llmdgen.verify.state import VerifyError
from llmdgen.yaml_text import dump
from tests.verify.conftest import Good
from tests.verify.mutate import DECODE, GATEWAY, POOL, ROUTE

pytest.importorskip("kubernetes_validate")
pytest.importorskip("jsonschema")


def changed(good: Good, name: str, *path: str | int, value: Any) -> Manifest:
    """One object of the good directory, with another value."""
    old = next(each for each in good.manifests if str(each) == name)
    doc = load(dump(old.doc))
    place = doc
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return Manifest(old.release, old.order, old.source, doc["apiVersion"], old.kind, old.name, old.namespace, doc)


def test_good_objects_follow_their_schemas(pd: Good, wide_ep: Good, crds: Path) -> None:
    assert check((*pd.manifests, *wide_ep.manifests), crds) == []


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("spec", "replicas"), "4", "is not of type"),
        (("spec", "template", "spec", "nodeselector"), {}, "nodeselector"),
        (("spec", "template", "spec", "containers", 0, "env", 0, "value"), 8, "is not of type"),
    ],
)
def test_a_deployment_that_kubernetes_would_refuse_is_caught(pd: Good, path: Any, value: Any, says: str) -> None:
    (problem,) = check([changed(pd, DECODE, *path, value=value)], None)
    assert (problem.code, problem.of) == ("VER005", DECODE)
    assert says in problem.says


@pytest.mark.parametrize(
    ("name", "path", "value", "where"),
    [
        (POOL, ("spec", "targetPort"), 8000, "spec"),
        (POOL, ("spec", "targetPorts", 0, "number"), 99999, "spec.targetPorts[0].number"),
        (ROUTE, ("spec", "rules", 0, "timeouts", "request"), "5 minutes", "spec.rules[0].timeouts.request"),
        (GATEWAY, ("spec", "listeners", 0, "port"), "80", "spec.listeners[0].port"),
    ],
)
def test_a_custom_object_that_its_crd_refuses_is_caught(
    pd: Good, crds: Path, name: str, path: Any, value: Any, where: str
) -> None:
    (problem,) = check([changed(pd, name, *path, value=value)], crds)
    assert (problem.code, problem.of, problem.path) == ("VER006", name, where)


def test_a_version_that_the_crd_does_not_serve_is_caught(pd: Good, crds: Path) -> None:
    manifest = changed(pd, POOL, "apiVersion", value="inference.networking.k8s.io/v1beta1")
    (problem,) = check([manifest], crds)
    assert (problem.code, problem.path) == ("VER006", "apiVersion")


def test_kinds_without_schema_are_one_note(pd: Good) -> None:
    (note,) = check(pd.manifests, None)
    assert (note.code, note.severity.value, note.of) == ("VER007", "note", "")
    kinds = "DestinationRule, Gateway, HTTPRoute, InferencePool, PodMonitor, ServiceMonitor"
    assert note.says == f"no schema is here of {kinds}"


def test_missing_packages_are_one_note(pd: Good, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "_installed", lambda: False)
    (note,) = check(pd.manifests, None)
    assert (note.code, note.of) == ("VER007", "")
    assert note.fix == "pip install '.[verify]' in llmdgen's checkout"


def test_a_folder_without_crds_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="no CustomResourceDefinition"):
        read_crds(tmp_path, {"Gateway"})


def test_only_crds_of_kinds_that_are_there_are_read(crds: Path) -> None:
    assert {kind for _, kind in read_crds(crds, {"HTTPRoute"})} == {"HTTPRoute"}


def test_unknown_fields_are_refused_unless_the_schema_keeps_them() -> None:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}}}
    assert strict(schema)["properties"]["spec"]["additionalProperties"] is False
    kept = {"type": "object", "properties": {}, "x-kubernetes-preserve-unknown-fields": True}
    assert "additionalProperties" not in strict(kept)


def test_openapi_forms_become_json_schema() -> None:
    made = strict(
        {
            "properties": {
                "port": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
                "low": {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
                "some": {"type": "string", "nullable": True, "enum": ["a"]},
            }
        }
    )["properties"]
    assert made["port"] == {"type": ["integer", "string"]}
    assert made["low"] == {"type": "integer", "exclusiveMinimum": 0}
    assert made["some"] == {"type": ["string", "null"], "enum": ["a", None]}
