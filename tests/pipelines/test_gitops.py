"""The examples for Argo CD and Flux, and what a rendered manifests/ has to be so that either can apply it."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from llmdgen.verify.manifests import manifest_names
from tests.verify.conftest import Good

from .conftest import ROOT

EXAMPLES = ROOT / "examples"
TREES = ("pd", "wide-ep")
CLUSTER_WIDE = {"Namespace", "ClusterRole", "ClusterRoleBinding"}


def documents(path: Path) -> list[dict[str, Any]]:
    return [each for each in YAML(typ="safe").load_all(path) if each]


def objects(tree: str) -> list[dict[str, Any]]:
    return [each.doc for each in Good(tree).manifests]


def releases(tree: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = YAML(typ="safe").load(Good(tree).files["helmfile.yaml"])["releases"]
    return found


def application_set() -> dict[str, Any]:
    found: dict[str, Any] = documents(EXAMPLES / "argocd/applicationset.yaml")[0]["spec"]
    return found


@pytest.mark.parametrize("tree", TREES)
def test_all_releases_of_a_directory_are_in_one_namespace(tree: str) -> None:
    """So that one destination is right for every object, and the first release says which."""
    assert len({release["namespace"] for release in releases(tree)}) == 1


@pytest.mark.parametrize("tree", TREES)
def test_an_object_names_that_namespace_or_none(tree: str) -> None:
    namespaces = {each["metadata"].get("namespace") for each in objects(tree) if each["kind"] not in CLUSTER_WIDE}
    assert namespaces == {None, releases(tree)[0]["namespace"]}


@pytest.mark.parametrize("tree", TREES)
def test_no_object_needs_helm_to_come_in_turn(tree: str) -> None:
    """No hooks, no object twice, no Namespace: what is applied in any order, until all is there."""
    found = objects(tree)
    assert [
        each["metadata"]["name"] for each in found if "helm.sh/hook" in str(each["metadata"].get("annotations"))
    ] == []
    assert len({(each["kind"], each["metadata"]["name"]) for each in found}) == len(found)
    assert "Namespace" not in {each["kind"] for each in found}


@pytest.mark.parametrize("tree", TREES)
def test_the_project_allows_nothing_cluster_wide_and_the_application_asks_for_none(tree: str) -> None:
    (project,) = documents(EXAMPLES / "argocd/project.yaml")
    assert project["spec"]["clusterResourceWhitelist"] == []
    exclude = application_set()["template"]["spec"]["source"]["directory"]["exclude"]
    names = {name.rpartition("/")[2]: each for name, each in manifest_names(Good(tree).manifests).items()}
    left_out = {each.kind for name, each in names.items() if fnmatch.fnmatch(name, exclude)}
    assert left_out == {each["kind"] for each in objects(tree)} & CLUSTER_WIDE
    (destination,) = project["spec"]["destinations"]
    assert fnmatch.fnmatch(releases(tree)[0]["namespace"], destination["namespace"])


def test_the_application_reads_the_namespace_out_of_helmfile() -> None:
    spec = application_set()
    assert spec["goTemplate"] is True
    assert spec["template"]["spec"]["destination"]["namespace"] == "{{ (index .releases 0).namespace }}"
    for generator in spec["generators"]:
        for file in generator["git"]["files"]:
            assert re.fullmatch(r"rendered/[a-z0-9-]+/[a-z0-9.-]+/helmfile\.yaml", file["path"])


@pytest.mark.parametrize("target", ["p5.48xlarge", "p5.48xlarge_p5en.48xlarge"])
def test_names_of_applications_are_names_of_kubernetes(target: str) -> None:
    """The template's two actions, as sprig does them."""
    name = application_set()["template"]["metadata"]["name"]
    first, second = re.findall(r"\{\{ (.+?) \}\}", name)
    assert (first, second) == ("index .path.segments 1", 'index .path.segments 2 | replace "_" "-"')
    made = name.replace(f"{{{{ {first} }}}}", "chat").replace(f"{{{{ {second} }}}}", target.replace("_", "-"))
    assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", made)


def test_the_application_syncs_manifests_of_the_project() -> None:
    template = application_set()["template"]["spec"]
    (project,) = documents(EXAMPLES / "argocd/project.yaml")
    assert template["source"]["path"] == "{{ .path.path }}/manifests"
    assert template["project"] == project["metadata"]["name"]
    assert template["source"]["repoURL"] in project["spec"]["sourceRepos"]
    assert "CreateNamespace=true" not in template["syncPolicy"]["syncOptions"], "a Namespace is cluster-wide"
    assert {"SkipDryRunOnMissingResource=true"} <= set(template["syncPolicy"]["syncOptions"])


def test_replicas_are_those_of_git_unless_somebody_says_otherwise() -> None:
    """An ignored difference that a sync respects would keep a reviewed change of replicas from the cluster."""
    text = (EXAMPLES / "argocd/applicationset.yaml").read_text("utf-8")
    ignoring = {"ignoreDifferences", "RespectIgnoreDifferences=true"}
    template = application_set()["template"]["spec"]
    assert not ignoring & {*template, *template["syncPolicy"]["syncOptions"]}
    wanted = YAML(typ="safe").load(re.sub(r"(?m)^( +)# (?=[- ]|ignore)", r"\1", text))["spec"]["template"]["spec"]
    assert ignoring <= {*wanted, *(each.split(" ")[0] for each in wanted["syncPolicy"]["syncOptions"])}
    assert {each["kind"] for each in wanted["ignoreDifferences"]} == {"Deployment", "LeaderWorkerSet"}


def test_flux_applies_manifests_into_a_namespace_that_it_makes() -> None:
    namespace, account, *_, kustomization = documents(EXAMPLES / "flux/deployment.yaml")
    (source,) = documents(EXAMPLES / "flux/source.yaml")
    spec = kustomization["spec"]
    assert spec["targetNamespace"] == namespace["metadata"]["name"]
    assert spec["sourceRef"] == {"kind": source["kind"], "name": source["metadata"]["name"]}
    assert re.fullmatch(r"\./rendered/[a-z0-9-]+/[a-z0-9.-]+/manifests", spec["path"])
    assert spec["serviceAccountName"] == account["metadata"]["name"]


@pytest.mark.parametrize("tree", TREES)
def test_flux_may_write_the_kinds_of_a_deployment_in_its_namespace_alone(tree: str) -> None:
    found = documents(EXAMPLES / "flux/deployment.yaml")
    assert "ClusterRoleBinding" not in {each["kind"] for each in found}
    bindings = [each for each in found if each["kind"] == "RoleBinding"]
    (namespace,) = {each["metadata"]["namespace"] for each in bindings}
    assert namespace == found[0]["metadata"]["name"]
    (role,) = (each for each in found if each["kind"] == "Role")
    known = {"", "apps", "policy", "rbac.authorization.k8s.io"}.union(*(each["apiGroups"] for each in role["rules"]))
    groups = {each.group for each in Good(tree).manifests if each.namespace}
    assert groups <= known


def test_flux_fetches_manifests_and_nothing_else(tmp_path: Path) -> None:
    """The ignore list has the form of .gitignore, so git says what it leaves."""
    import shutil
    import subprocess

    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    (source,) = documents(EXAMPLES / "flux/source.yaml")
    kept = "rendered/chat/p5.48xlarge/manifests/1-gateway.yaml"
    for name in (
        kept,
        "paths/chat.yaml",
        "rendered/chat/p5.48xlarge/chart/templates/decode.yaml",
        "rendered/chat/llmdgen.lock",
        "rendered/chat/p5.48xlarge/manifests/1-clusterrolebinding-x.yaml",
        "x",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".git/info/exclude").write_text(source["spec"]["ignore"])
    command = ["git", "-C", str(tmp_path), "ls-files", "--others", "--exclude-standard"]
    seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert kept in seen
    assert set(seen) <= {kept, "rendered/chat/llmdgen.lock"}
