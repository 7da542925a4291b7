"""What cannot be planned is one error about its cause, not one for each thing that follows from it."""

from __future__ import annotations

from typing import Any

import pytest

from llmdgen.findings import Finding, SpecError
from tests.specs import plan_of

DEEPSEEK = "deepseek-ai/DeepSeek-R1-0528"
PATHS = ("inference-scheduling", "pd-disaggregation", "wide-ep", "tiered-prefix-cache")


def stopped(path: str, model: str, instance: str, /, **sections: Any) -> list[Finding]:
    """What keeps the spec from having a plan."""
    with pytest.raises(SpecError) as caught:
        plan_of(path, model, instance, **sections)
    return [each.finding for each in caught.value.findings]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("instance", ["g6f.4xlarge", "u-p6e-gb200x36"])
def test_hardware_without_whole_gpus_is_named_once(path: str, instance: str) -> None:
    (found,) = stopped(path, DEEPSEEK, instance)
    assert found.code == "FIT005"
    assert found.at == ("spec", "instanceTypes", 0)


def test_hardware_of_one_role_is_named_where_the_role_names_it() -> None:
    (found,) = stopped("pd-disaggregation", "Qwen/Qwen3-32B", "p5.48xlarge", prefill={"instanceType": "gr6f.4xlarge"})
    assert found.code == "FIT005"
    assert found.at == ("spec", "prefill", "instanceType")


@pytest.mark.parametrize("release", ["v0.5.1", "v0.9.0"])
@pytest.mark.parametrize("instance", ["p5.4xlarge", "g6e.8xlarge", "g7e.4xlarge"])
def test_wide_ep_over_nodes_of_one_gpu_names_the_nodes(release: str, instance: str) -> None:
    found = stopped("wide-ep", DEEPSEEK, instance, release=release)
    assert {each.code for each in found} == {"PATH009"}
    assert {each.at for each in found} == {("spec", "instanceTypes", 0)}
    assert all(each.says.endswith(f"{instance} has 1 GPU") for each in found)


@pytest.mark.parametrize(
    ("sizes", "fix", "mended"),
    [
        ({"tensor": 8, "workers": 2}, "set tensor to 4 or less", {"tensor": 4, "workers": 2}),
        ({"dataLocal": 1, "workers": 2}, "set dataLocal to 2 or more", {"dataLocal": 8, "workers": 2}),
    ],
)
def test_one_rank_in_each_pod_is_told_how_to_have_several(
    sizes: dict[str, int], fix: str, mended: dict[str, int]
) -> None:
    (found,) = stopped("wide-ep", DEEPSEEK, "p5en.48xlarge", decode={"parallelism": sizes})
    assert (found.code, found.fix) == ("PATH009", fix)
    assert plan_of("wide-ep", DEEPSEEK, "p5en.48xlarge", decode={"parallelism": mended}).roles


def test_a_model_that_one_gpu_holds_needs_no_second_pod() -> None:
    plan = plan_of("wide-ep", "openai/gpt-oss-20b", "p5.4xlarge")
    assert {role.size.workers for role in plan.roles} == {1}


def test_a_role_that_the_path_does_not_have_is_wrong_at_its_key() -> None:
    (found,) = stopped("inference-scheduling", "Qwen/Qwen3-32B", "p5.48xlarge", prefill={"replicas": 1})
    assert (found.code, found.at, found.on_key) == ("PATH002", ("spec", "prefill"), True)
