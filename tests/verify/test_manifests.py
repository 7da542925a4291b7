"""Objects read from what helm prints, and written one a file."""

from __future__ import annotations

from llmdgen.plain_yaml import load
from llmdgen.verify.helmfile import ReleaseOutput
from llmdgen.verify.manifests import read, write_manifests
from llmdgen.verify.state import HelmRelease
from tests.verify.conftest import Good

RELEASE = HelmRelease(name="x-router", namespace="ns", chart="oci://x/chart")


def output(*documents: str) -> list[ReleaseOutput]:
    return [ReleaseOutput(RELEASE, ("---\n# Source: chart/templates/a.yaml\n" + "\n---\n".join(documents),))]


def config_map(name: str, more: str = "") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{more}"


def test_objects_know_their_release_source_and_namespace() -> None:
    (manifest,), problems = read(output(config_map("a"), "# nothing"))
    assert problems == []
    assert (manifest.release, manifest.order, manifest.source) == ("x-router", 1, "chart/templates/a.yaml")
    assert (str(manifest), manifest.namespace) == ("ConfigMap/a", "ns")


def test_cluster_scoped_objects_have_no_namespace() -> None:
    (role,), _ = read(output("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a}"))
    assert (role.namespace, role.group) == ("", "rbac.authorization.k8s.io")


def test_two_objects_of_one_name_are_refused() -> None:
    manifests, problems = read(output(config_map("a"), config_map("a", "data: {x: y}\n")))
    assert len(manifests) == 1
    assert [(each.code, each.of) for each in problems] == [("VER003", "ConfigMap/a")]


def test_a_key_that_stands_twice_is_refused() -> None:
    manifests, problems = read(output(config_map("a", "data: {}\ndata: {}\n")))
    assert manifests == ()
    assert [each.code for each in problems] == ["VER002"]
    assert "duplicate key" in problems[0].says


def test_a_document_that_is_no_object_is_refused() -> None:
    assert [each.code for each in read(output("kind: ConfigMap\n", "- a\n"))[1]] == ["VER002", "VER002"]


def test_a_separator_inside_a_text_is_no_separator() -> None:
    (manifest,), _ = read(output(config_map("a", "data:\n  x: |\n    a\n    ---\n    b\n")))
    assert manifest.doc["data"]["x"] == "a\n---\nb\n"


def test_every_object_is_written_to_a_file_of_its_own_and_comes_back(pd: Good) -> None:
    files = write_manifests(pd.manifests)
    assert len(files) == len(pd.manifests)
    assert sorted(files) == sorted({*files})
    assert "manifests/1-inferencepool-pd-router.yaml" in files
    assert sorted(str(load(text)["metadata"]["name"]) for text in files.values()) == sorted(
        each.name for each in pd.manifests
    )


def test_the_order_of_what_helm_prints_does_not_change_the_files(pd: Good) -> None:
    assert write_manifests(pd.manifests) == write_manifests(tuple(reversed(pd.manifests)))
    assert list(write_manifests(pd.manifests)) == list(write_manifests(tuple(reversed(pd.manifests))))
