"""How long a model server may take to start, and how it ends and is replaced."""

from __future__ import annotations

from typing import Any

import pytest

from llmdgen.objects import objects
from tests.specs import DEEPSEEK, plan_of, role_of


def workload(path: str = "pd-disaggregation", *more: str, role: str = "decode", **sections: Any) -> dict[str, Any]:
    plan = plan_of(path, *more, **sections)
    return next(each.doc["spec"] for each in objects(plan) if each.file == f"{role}.yaml")


def vllm(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec["template"]["spec"]["containers"][0]
    return found


def test_probe_and_deadline_follow_one_number() -> None:
    spec = workload(decode={"startup": "45m"})
    probe = vllm(spec)["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == 45 * 60
    assert spec["progressDeadlineSeconds"] == 45 * 60 + 600


def test_front_ends_of_several_engines_wait_as_long_as_the_probe() -> None:
    plan = plan_of("wide-ep", DEEPSEEK, "p5en.48xlarge", decode={"startup": "90m"})
    variables = {each.name: each.value for each in role_of(plan, "decode").env}
    assert variables["VLLM_ENGINE_READY_TIMEOUT_S"] == str(90 * 60)
    one = {each.name for each in role_of(plan_of("pd-disaggregation"), "decode").env}
    assert "VLLM_ENGINE_READY_TIMEOUT_S" not in one


def test_a_vllm_that_cuts_streams_is_asked_to_end_after_them() -> None:
    spec = workload(decode={"drain": "90s"})
    assert vllm(spec)["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "90"]
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > 90


def test_a_vllm_that_drains_is_told_how_long() -> None:
    spec = workload(release="v0.9.0", decode={"drain": "90s"})
    assert "--shutdown-timeout=90" in vllm(spec)["args"]
    asleep = int(vllm(spec)["lifecycle"]["preStop"]["exec"]["command"][1])
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] >= asleep + 90 + 15


def test_prefill_waits_for_blocks_that_decode_has_not_read() -> None:
    spec = workload(release="v0.9.0", role="prefill", prefill={"drain": "5s"})
    assert "--shutdown-timeout=35" in vllm(spec)["args"]


def test_a_shutdown_timeout_of_the_specs_own_moves_the_grace_period() -> None:
    spec = workload(release="v0.9.0", decode={"args": {"shutdown-timeout": 300}})
    assert "--shutdown-timeout=300" in vllm(spec)["args"]
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] >= 315


@pytest.mark.parametrize(("replicas", "rollout"), [(4, (1, 0)), (3, (0, 1))])
def test_a_new_server_comes_first_only_where_a_gpu_is_free_for_it(replicas: int, rollout: tuple[int, int]) -> None:
    tensor = {"replicas": replicas, "parallelism": {"tensor": 2}}
    spec = workload("inference-scheduling", decode=tensor)
    found = spec["strategy"]["rollingUpdate"]
    assert (found["maxUnavailable"], found["maxSurge"]) == rollout


def test_free_gpus_that_may_be_few_on_every_node_are_no_room_for_a_new_server() -> None:
    """Of 16 GPUs on two nodes 10 are taken, and pods are spread: 3 are left on each, and neither takes 4 more."""
    small = {"replicas": 2, "parallelism": {"tensor": 1}}
    large = {"replicas": 2, "parallelism": {"tensor": 4}}
    asked = {"prefill": small, "decode": large, "engine": {"args": {"max-model-len": 8192}}}
    for role, surge in (("prefill", 1), ("decode", 0)):
        spec = workload("pd-disaggregation", role=role, **asked)
        assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 1 - surge, "maxSurge": surge}


def test_the_spec_may_choose_the_rollout() -> None:
    spec = workload("inference-scheduling", decode={"replicas": 4, "rollout": {"maxUnavailable": 2, "maxSurge": 0}})
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 2, "maxSurge": 0}


def test_a_budget_lets_one_whole_server_go() -> None:
    plan = plan_of("wide-ep", DEEPSEEK, "p5en.48xlarge")
    budget = next(each.doc["spec"] for each in objects(plan) if each.file == "decode-disruption-budget.yaml")
    assert budget["maxUnavailable"] == role_of(plan, "decode").size.workers > 1
