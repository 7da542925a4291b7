"""The table of Kubernetes' types is what scripts/pod_schema.py makes of the schemas."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from llmdgen import resources
from llmdgen.kube.typed import kind_named

pytest.importorskip("kubernetes_validate")

from scripts.pod_schema import newest, table

FACTS = Path(resources.FACTS)


def test_the_table_is_what_the_script_makes() -> None:
    text = (FACTS / "kubernetes" / "pod.json").read_text("utf-8")
    version = json.loads(text)["kubernetes"]
    assert table(version) == text
    assert newest() == version, "run scripts/pod_schema.py"


def test_every_type_that_a_field_names_is_there() -> None:
    text = (FACTS / "kubernetes" / "pod.json").read_text("utf-8")
    for name in set(re.findall(r'"(?:\[\]|map\[\])*([A-Z]\w+)"', text)):
        assert kind_named(name) is not None, name


def test_what_kubernetes_merges_is_known() -> None:
    pod, container = kind_named("PodSpec"), kind_named("Container")
    assert pod is not None
    assert container is not None
    assert pod.merge["volumes"].retains_keys
    assert {name: how.key for name, how in container.merge.items()} == {
        "env": "name",
        "ports": "containerPort",
        "volumeDevices": "devicePath",
        "volumeMounts": "mountPath",
    }
    assert "tolerations" not in pod.merge
