"""Every file of the catalogue loads, names its sources and agrees with what it was made from."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from llmdgen import resources
from llmdgen.facts import catalogue

FACTS = Path(resources.FACTS)

SURVEY = Path(__file__).parents[3] / "shared" / "facts" / "aws-instances.json"
DATA = sorted(file for file in FACTS.rglob("*") if file.suffix in (".toml", ".txt", ".json"))


@pytest.mark.parametrize("name", catalogue.instance_names())
def test_every_instance_type_is_a_node_that_could_be(name: str) -> None:
    found = catalogue.instance(name)
    assert found.name == name
    assert found.sources
    assert found.architecture in ("amd64", "arm64")
    assert found.hyperpod in (None, f"ml.{name}")
    for room in (found.allocatable, found.hyperpod_allocatable):
        assert room is None or (room.cpu_millis <= found.vcpus * 1000 and room.memory_mib <= found.memory_gib * 1024)
    # An ultraserver is no node: its interfaces are counted on the instances that it is made of.
    assert found.kind == "ultraserver" or found.efa.interfaces or not (found.efa.rdma or found.efa.generation)


@pytest.mark.parametrize("name", catalogue.instance_names())
def test_the_compute_capability_of_every_gpu_is_known(name: str) -> None:
    gpu = catalogue.instance(name).gpu.model
    assert catalogue.gpu_fact("capability", gpu), f"gpus.toml has none of {gpu}; rules would be silent"


@pytest.mark.parametrize("name", catalogue.model_names())
def test_every_model_has_a_shape_that_could_be(name: str) -> None:
    found = catalogue.model(name)
    assert found.id == name
    assert found.sources
    assert found.layers.full + found.layers.sliding + found.layers.linear > 0
    assert found.weight_bytes > 2**20
    assert found.attention_heads % found.kv_heads == 0
    assert (found.layers.sliding_window is not None) == bool(found.layers.sliding)
    if found.experts:
        assert found.experts.per_token <= found.experts.routed
        assert found.parameters is None or found.active_parameters is None or found.active_parameters < found.parameters


def _surveyed() -> list[dict[str, Any]]:
    return json.loads(SURVEY.read_text("utf-8")) if SURVEY.is_file() else []


@pytest.mark.skipif(not SURVEY.is_file(), reason="the survey of instance types is not beside the repository")
@pytest.mark.parametrize("row", _surveyed(), ids=lambda row: row["instance_type"])
def test_every_surveyed_instance_type_is_there_as_surveyed(row: dict[str, Any]) -> None:
    found = catalogue.instance(row["instance_type"])
    assert (found.vcpus, found.architecture, found.kind) == (row["vcpus"], row["architecture"], row["kind"])
    assert found.memory_gib == row["memory_gib"]
    assert found.efa.interfaces == (row["efa"].get("max_interfaces") or 0)
    assert found.efa.rdma == bool(row["efa"].get("rdma_read"))
    assert found.hyperpod == row.get("hyperpod_instance_type")
    assert found.gpu.count == int(row["gpu"]["count"])
    memory = row["gpu"].get("memory_mib_per_gpu_ec2")
    assert memory is None or found.gpu.memory_mib == memory
    stated = row.get("allocatable_documented") or {}
    if stated.get("cpu") and stated.get("memory"):
        assert found.allocatable is not None
        assert (f"{found.allocatable.cpu_millis}m", f"{found.allocatable.memory_mib}Mi") == (
            stated["cpu"],
            stated["memory"],
        )


@pytest.mark.skipif(not SURVEY.is_file(), reason="the survey of instance types is not beside the repository")
def test_the_catalogue_has_the_surveyed_types_and_no_other() -> None:
    assert sorted(catalogue.instance_names()) == sorted(row["instance_type"] for row in _surveyed())


@pytest.mark.parametrize("kind", ["instance", "model", "release"])
@pytest.mark.parametrize("name", ["p9.huge", "../../release", "", ".", "a/b/c", "p5.48xlarge\0", "..", "/etc/passwd"])
def test_an_unknown_name_says_what_is_known(kind: str, name: str) -> None:
    with pytest.raises(catalogue.UnknownFact) as raised:
        getattr(catalogue, kind)(name)
    assert raised.value.known


def test_both_names_of_an_instance_type_lead_to_it() -> None:
    assert catalogue.instance("ml.p5.48xlarge") == catalogue.instance("p5.48xlarge")


def test_every_release_pins_its_images_and_charts() -> None:
    for name in catalogue.release_names():
        release = catalogue.release(name)
        assert set(release.charts) == {"router"}
        assert all(re.search(r":v?\d", image) for image in release.images.values())


@pytest.mark.parametrize("file", DATA, ids=lambda file: file.relative_to(FACTS).as_posix())
def test_no_file_holds_what_looks_like_an_account_a_token_or_a_leftover(file: Path) -> None:
    text = file.read_text("utf-8")
    for pattern in (
        r"\bhf_[A-Za-z0-9]{20,}",
        r"\bAKIA[0-9A-Z]{16}",
        r"arn:aws:[a-z]+:[^:]*:\d{12}",
        r"\S  +table of",
        r", :",
    ):
        assert not re.search(pattern, text), pattern
