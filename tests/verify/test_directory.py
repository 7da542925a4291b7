"""The directory as a whole: parts that are missing, values that are none, manifests that somebody edited."""

from __future__ import annotations

import pytest

from llmdgen.objects.chart import passed_on
from llmdgen.plain_yaml import load
from llmdgen.verify.files import strange
from llmdgen.verify.manifests import write_manifests
from llmdgen.verify.rendered import Rendered
from llmdgen.verify.run import judged
from llmdgen.yaml_text import dump
from tests.verify.conftest import Good

DECODE = "manifests/2-deployment-pd-decode.yaml"
Problems = list[tuple[str, str, str]]


def problems(good: Good, files: dict[str, str]) -> Problems:
    found = [*strange(files), *judged(Rendered(good.manifests, files))]
    return [(each.code, each.of, each.path) for each in found]


def test_a_directory_without_its_allocation_or_arguments_is_not_whole(pd: Good) -> None:
    kept = {name: text for name, text in pd.files.items() if name.startswith(("values/", "chart/", "helmfile"))}
    assert problems(pd, kept) == [("VER100", "allocation.yaml", ""), ("VER100", "vllm/", "")]


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "a: 1\na: 2\n", "a: [\n"])
def test_a_values_file_that_is_no_mapping_is_caught(pd: Good, text: str) -> None:
    assert problems(pd, pd.files | {"values/router.yaml": text}) == [("VER102", "values/router.yaml", "")]


def test_manifests_of_the_same_render_are_right(pd: Good) -> None:
    assert problems(pd, pd.files | write_manifests(pd.manifests)) == []


@pytest.mark.parametrize("name", ["kustomization.yaml", "9-clusterrolebinding-x.yaml", "more/x.yml", "x.json"])
def test_manifests_that_no_release_makes_are_caught(pd: Good, name: str) -> None:
    own = {f"manifests/{name}": "kind: ClusterRoleBinding\n"}
    assert problems(pd, pd.files | write_manifests(pd.manifests) | own) == [("VER101", f"manifests/{name}", "")]


def test_an_edited_manifest_is_caught_at_its_path(pd: Good) -> None:
    manifests = write_manifests(pd.manifests)
    doc = load(manifests[DECODE])
    doc["spec"]["replicas"] = 5
    doc["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["vpc.amazonaws.com/efa"] = 16
    del doc["spec"]["template"]["metadata"]["labels"]["llm-d.ai/role"]
    container = "spec.template.spec.containers[0].resources.limits.vpc.amazonaws.com/efa"
    found = problems(pd, pd.files | manifests | {DECODE: dump(doc)})
    assert sorted(found) == [
        ("VER101", DECODE, "spec.replicas"),
        ("VER101", DECODE, "spec.template.metadata.labels"),
        ("VER101", DECODE, container),
    ]


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "{", "---\na: 1\n---\nb: 1\n"])
def test_a_manifest_that_is_no_document_is_caught(pd: Good, text: str) -> None:
    assert problems(pd, pd.files | write_manifests(pd.manifests) | {DECODE: text}) == [("VER101", DECODE, "")]


def test_manifests_too_many_and_too_few_are_caught(pd: Good) -> None:
    manifests = write_manifests(pd.manifests)
    stale = "manifests/2-deployment-pd-encode.yaml"
    manifests[stale] = manifests.pop(DECODE)
    assert sorted(problems(pd, pd.files | manifests)) == [("VER101", DECODE, ""), ("VER101", stale, "")]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("createNamespace: true", "createNamespace: false", "helmDefaults.createNamespace"),
        ("- name: pd-servers\n", "- name: pd-servers\n    installed: false\n", "releases.pd-servers.installed"),
    ],
)
def test_a_release_that_helmfile_would_not_deploy_is_caught(pd: Good, old: str, new: str, path: str) -> None:
    text = pd.files["helmfile.yaml"]
    assert old in text
    assert problems(pd, pd.files | {"helmfile.yaml": text.replace(old, new)}) == [("VER009", "helmfile.yaml", path)]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("target: p5.48xlarge", "target: p5en.48xlarge", "target"),
        ("paths:\n  - pd-disaggregation\n", "paths:\n  - pd-disaggregations\n", "paths"),
        (
            "    nodes: 1\n    parallelism:\n      tensor: 4",
            "    nodes: 2\n    parallelism:\n      tensor: 4",
            "roles.decode.nodes",
        ),
        ("bytesPerTokenAndGpu: 18432", "bytesPerTokenAndGpu: 36864", "roles.decode.kvCache.tokensPerRank"),
        ("      tokensPerRank: 2654698\n", "", "roles.decode.kvCache"),
        (
            "fullLengthRequestsPerRank: 83.0",
            "fullLengthRequestsPerRank: 84.0",
            "roles.decode.kvCache.fullLengthRequestsPerRank",
        ),
        ("nodes:\n  - instanceType: p5.48xlarge", "nodes:\n  - instanceType: p5e.48xlarge", "nodes[0].instanceType"),
        ("      used: 32\n      of: 32", "      used: 32\n      of: 64", "nodes[0].efa.of"),
    ],
)
def test_numbers_that_do_not_follow_from_each_other_are_caught(pd: Good, old: str, new: str, path: str) -> None:
    text = pd.files["allocation.yaml"]
    assert old in text
    assert problems(pd, pd.files | {"allocation.yaml": text.replace(old, new, 1)}) == [
        ("VER069", "allocation.yaml", path)
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("kustomization.yaml", "resources: []\n"),
        ("helmfile.yaml.gotmpl", "{{ exec }}\n"),
        ("helmfile.d/x.yaml", "releases: []\n"),
        ("notes.md", "x\n"),
        ("chart/Chart.yaml", "apiVersion: v2\nname: x\nversion: 0.0.0\ndependencies: [{name: y}]\n"),
        ("chart/templates/.decode.yaml.1.llmdgen-new", "kind: Job\n"),
        ("chart/values.yaml", "a: 1\n"),
        ("chart/crds/x.yaml", "kind: CustomResourceDefinition\n"),
        ("chart/templates/_helpers.tpl", "{{ define }}\n"),
        ("chart/templates/NOTES.txt", "Hello\n"),
        ("chart/templates/more/job.yaml", "kind: Job\n"),
        ("chart/templates/decode.yaml", "image: {{ .Values.image }}\n"),
        ("chart/templates/decode.yaml", "text: '{{ `{{` }}{{ fail `x` }}'\n"),
    ],
)
def test_a_file_that_no_render_writes_or_that_helm_would_execute_is_caught(pd: Good, name: str, text: str) -> None:
    assert problems(pd, pd.files | {name: text}) == [("VER110", name, "")]


def test_two_braces_as_render_writes_them_are_no_action(pd: Good) -> None:
    text = passed_on(pd.files["chart/templates/decode.yaml"] + "# {{ role }} {{/* */}} {{- fail }}\n")
    assert problems(pd, pd.files | {"chart/templates/decode.yaml": text}) == []
