"""The directories of a cluster's prerequisites: whole, against golden files, and in what matters one by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.prerequisites.specs import BALANCED, clusters_of, render, scheduling, wide

GOLDEN = Path(__file__).parent / "golden"
EFA_VALUES = "values/aws-efa-k8s-device-plugin.yaml"
GPU_VALUES = "values/nvidia-device-plugin.yaml"
PLATFORMS = ("eks", "hyperpod")
PROVIDERS = ("istio", "kgateway", "agentgateway")


def releases(files: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The releases of a helmfile by name, in its order."""
    return {release["name"]: release for release in yaml.safe_load(files["helmfile.yaml"])["releases"]}


def efa_types(files: dict[str, str]) -> list[str]:
    return list(yaml.safe_load(files[EFA_VALUES])["supportedInstanceLabels"]["values"])


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_each_platform_and_provider_has_the_golden_directory(
    platform: str, provider: str, golden: Callable[[Path, str], None]
) -> None:
    specs = [scheduling(platform, provider, balancer=BALANCED), wide(platform, provider)]
    (directory, files), *others = render(specs).items()
    assert directory == f"{platform}-{provider}"
    assert not others
    for name, text in files.items():
        golden(GOLDEN / directory / name, text)
    kept = {str(path.relative_to(GOLDEN / directory)) for path in (GOLDEN / directory).rglob("*") if path.is_file()}
    assert kept == set(files)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_yaml_file_is_one_document_of_a_mapping(platform: str, provider: str) -> None:
    for files in render([scheduling(platform, provider, balancer=BALANCED), wide(platform, provider)]).values():
        documents = {name: yaml.safe_load(text) for name, text in files.items() if name.endswith(".yaml")}
        assert all(isinstance(document, dict) and document for document in documents.values())


def test_specs_of_one_cluster_share_a_directory_for_every_node_type_that_they_may_come_to_name() -> None:
    rendered = render([scheduling(), wide()])
    assert list(rendered) == ["eks-istio"]
    types = efa_types(rendered["eks-istio"])
    assert types == sorted(types)
    assert {"g6e.48xlarge", "p5.48xlarge", "p5en.48xlarge", "p6-b300.48xlarge"} <= set(types)
    assert not {"g6e.xlarge", "g6f.xlarge", "p6e-gb200.36xlarge"} & set(types)  # no EFA, no whole GPU, no arm64 image


def test_a_cluster_changes_with_what_it_needs_and_not_with_the_specs() -> None:
    """So that two branches which change a spec each do not both change the files and the lock of the cluster."""
    (one,) = clusters_of([scheduling(), wide()])
    (other,) = clusters_of([scheduling(second="p6-b200.48xlarge", more="decode: {replicas: 3}"), wide()])
    assert (one.asked, render([scheduling(), wide()])) == (
        other.asked,
        render([scheduling(second="p6-b200.48xlarge", more="decode: {replicas: 3}"), wide()]),
    )
    (balanced,) = clusters_of([scheduling(balancer=BALANCED), wide()])
    assert one.asked != balanced.asked


def test_specs_of_two_platforms_or_providers_have_directories_of_their_own() -> None:
    rendered = render([scheduling("hyperpod"), wide(), scheduling("eks", "kgateway")])
    assert list(rendered) == ["eks-istio", "eks-kgateway", "hyperpod-istio"]


def test_on_hyperpod_both_device_plugins_look_for_ml_names() -> None:
    files = render([scheduling("hyperpod"), wide("hyperpod")])["hyperpod-istio"]
    affinity = yaml.safe_load(files[GPU_VALUES])["affinity"]["nodeAffinity"]
    terms = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    ((gpu_types,),) = ([each["values"] for each in term["matchExpressions"]] for term in terms)
    assert all(each.startswith("ml.") for each in (*efa_types(files), *gpu_types))
    assert set(efa_types(files)) < set(gpu_types)
    assert terms[0]["matchExpressions"][0]["key"] == "node.kubernetes.io/instance-type"


def test_hyperpod_brings_its_own_device_plugins_so_both_are_off_there() -> None:
    eks, hyperpod = (render([scheduling(platform)])[f"{platform}-istio"] for platform in PLATFORMS)
    off, on = {"enabled": False}, {"enabled": True}
    assert yaml.safe_load(hyperpod["helmfile.yaml"])["values"] == [
        {"efaDevicePlugin": off},
        {"nvidiaDevicePlugin": off},
    ]
    assert yaml.safe_load(eks["helmfile.yaml"])["values"] == [{"efaDevicePlugin": on}, {"nvidiaDevicePlugin": off}]
    assert releases(hyperpod)["aws-efa-k8s-device-plugin"]["condition"] == "efaDevicePlugin.enabled"


def test_device_plugins_tolerate_every_taint_that_the_model_servers_tolerate() -> None:
    taint = {"key": "team", "operator": "Equal", "value": "no", "effect": "NoExecute"}
    spec = scheduling(
        more=f"cluster: {{tolerations: [{yaml.safe_dump(taint, default_flow_style=True, width=999).strip()}]}}"
    )
    files = render([spec])["eks-istio"]
    for name in (EFA_VALUES, GPU_VALUES):
        tolerations = yaml.safe_load(files[name])["tolerations"]
        assert taint in tolerations
        assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in tolerations


def test_beside_efa_the_nvidia_device_plugin_leaves_mofed_devices_alone() -> None:
    assert yaml.safe_load(render([scheduling()])["eks-istio"][GPU_VALUES])["mofedEnabled"] is False


def test_only_model_servers_of_several_nodes_need_leader_worker_sets() -> None:
    assert "lws" not in releases(render([scheduling()])["eks-istio"])
    lws = releases(render([wide()])["eks-istio"])["lws"]
    assert (lws["chart"], lws["version"]) == ("oci://registry.k8s.io/lws/charts/lws", "0.7.0")


def test_only_a_load_balancer_needs_its_controller_and_the_cluster_s_name() -> None:
    plain, balanced = (render([scheduling(balancer=balancer)])["eks-istio"] for balancer in ("", BALANCED))
    assert "aws-load-balancer-controller" not in releases(plain)
    assert "cluster.example.yaml" not in plain
    files = releases(balanced)["aws-load-balancer-controller"]["values"]
    assert files == ["values/aws-load-balancer-controller.yaml", "cluster.yaml"]
    assert "cluster.yaml" not in balanced, "the user's own file"
    assert yaml.safe_load(balanced["cluster.example.yaml"])["clusterName"] is None


def test_whatever_makes_services_waits_for_the_webhook_of_the_load_balancer_controller() -> None:
    found = releases(render([scheduling(balancer=BALANCED), wide()])["eks-istio"])
    controller = "kube-system/aws-load-balancer-controller"
    assert found["istiod"]["needs"] == [controller, "istio-system/istio-base"]
    assert found["lws"]["needs"] == [controller]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_release_is_pinned_and_what_it_needs_comes_before_it(provider: str) -> None:
    helmfile = yaml.safe_load(
        render([scheduling("eks", provider, balancer=BALANCED)])[f"eks-{provider}"]["helmfile.yaml"]
    )
    repositories = {repository["name"] for repository in helmfile["repositories"]}
    seen: set[str] = set()
    for release in helmfile["releases"]:
        assert release["version"]
        assert release["chart"].startswith("oci://") or release["chart"].partition("/")[0] in repositories
        assert seen.issuperset(release.get("needs", []))
        seen.add(f"{release['namespace']}/{release['name']}")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_values_file_that_the_helmfile_names_is_rendered_but_the_user_s_own(provider: str) -> None:
    files = render([scheduling("eks", provider, balancer=BALANCED), wide("eks", provider)])[f"eks-{provider}"]
    named = {name for release in releases(files).values() for name in release.get("values", [])}
    assert named == {name for name in files if name.startswith("values/")} | {"cluster.yaml"}


def test_istio_reads_inference_pools_in_control_plane_and_proxy() -> None:
    values = yaml.safe_load(render([scheduling()])["eks-istio"]["values/istiod.yaml"])
    switch = {"ENABLE_GATEWAY_API_INFERENCE_EXTENSION": "true"}
    assert values == {"pilot": {"env": switch}, "meshConfig": {"defaultConfig": {"proxyMetadata": switch}}}


def test_no_namespace_and_no_secret_is_rendered_as_an_object() -> None:
    for files in render([scheduling(balancer=BALANCED), wide("hyperpod")]).values():
        for name, text in files.items():
            assert name == "README.md" or not {"kind", "stringData", "HF_TOKEN"} & set(
                str(text).replace(":", " ").split()
            )


def test_the_readme_gives_the_custom_resources_in_the_release_s_versions_before_the_apply() -> None:
    text = render([scheduling()])["eks-istio"]["README.md"]
    gateway = text.index("gateway-api/config/crd?ref=v1.4.0")
    inference = text.index("gateway-api-inference-extension/config/crd?ref=v1.3.1")
    monitors = text.index("monitoring.coreos.com_podmonitors.yaml")
    assert gateway < inference < monitors < text.index("helmfile apply\n```")


def test_a_step_that_destroys_comes_with_what_must_be_done_first() -> None:
    (text,) = (files["README.md"] for files in render([wide(release="v0.9.0")]).values())
    hazard, keep = text.index("`lws` below 0.8.0"), text.index("helm.sh/resource-policy=keep")
    assert hazard < keep < text.index("helmfile apply\n```")
    assert "helm.sh/resource-policy" not in render([scheduling()])["eks-istio"]["README.md"]


def test_the_newest_releases_custom_resources_are_files_of_its_pins() -> None:
    (text,) = (files["README.md"] for files in render([wide(release="v0.9.0")]).values())
    assert "gateway-api/releases/download/v1.5.1/standard-install.yaml\n" in text
    assert "The cluster runs Kubernetes 1.30 or later." in text
    assert text.index("inferenceObjectives") < text.index("llm-d-router/releases/download/v0.10.0/manifests.yaml")


def test_the_order_of_the_specs_changes_nothing() -> None:
    specs = [scheduling(), wide(), scheduling("hyperpod"), wide("hyperpod", "kgateway")]
    assert render(specs) == render(specs[::-1])
    assert list(render(specs)) == list(render(specs[::-1]))


def test_deployments_of_an_older_release_stay_beside_those_of_a_later_one() -> None:
    specs = [scheduling(), wide(release="v0.9.0")]
    made = render(specs)
    assert made == render(specs[::-1])
    ((_, files),) = made.items()
    (alone,) = render([wide(release="v0.9.0")]).values()
    assert files["helmfile.yaml"] == alone["helmfile.yaml"]
    text = files["README.md"]
    assert "before the deployments of llm-d v0.9.0 and v0.5.1 in this tree" in text
    # v0.5.1's scheduler reads InferenceObjectives, which v0.9.0 does not bring; its pools are those of v0.9.0.
    older, newer = "gateway-api-inference-extension/config/crd?ref=v1.3.1", "v1.5.0/v1-manifests.yaml"
    assert text.index(older) < text.index(newer)
    assert "gateway-api/config/crd?ref=v1.4.0" not in text
    assert (
        "gateway-api-inference-extension/config/crd" not in render([wide(release="v0.9.0")])["eks-istio"]["README.md"]
    )


def test_no_specs_need_no_cluster() -> None:
    assert render([]) == {}
