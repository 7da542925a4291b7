"""A role's parallelism, resources, environment and where it may land."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmdgen.composition.contribution import Shape
from llmdgen.findings import SpecError
from llmdgen.planning.roles import settle
from llmdgen.quantities import to_bytes, to_millis
from llmdgen.spec.servers import Engine, Parallelism, Role
from tests.specs import DEEPSEEK, GPT_OSS, QWEN, plan_of, role_of

ONE_POD = Shape(replicas=3, tensor=2, cpu="8", memory="64Gi", shm="16Gi")
WIDE = Shape(replicas=1, tensor=1, data_local=8, workers=2, expert=True, cpu="64", memory="512Gi", shm="16Gi")
MAYBE = st.none() | st.integers(min_value=1, max_value=32)


def _settled(shape: Shape, **asked: Any) -> tuple[int, int, int, int]:
    size = settle(shape, Role(parallelism=Parallelism(**asked)), Engine())
    return size.tensor, size.data, size.data_local, size.workers


@pytest.mark.parametrize(
    ("shape", "asked", "size"),
    [
        (ONE_POD, {}, (2, 1, 1, 1)),
        (ONE_POD, {"tensor": 4}, (4, 1, 1, 1)),
        (ONE_POD, {"data": 4}, (2, 4, 4, 1)),
        (ONE_POD, {"data": 4, "workers": 2}, (2, 4, 2, 2)),
        (WIDE, {}, (1, 16, 8, 2)),
        (WIDE, {"data": 8}, (1, 8, 8, 1)),
        (WIDE, {"data": 32}, (1, 32, 8, 4)),
        (WIDE, {"workers": 4}, (1, 32, 8, 4)),
        (WIDE, {"tensor": 2}, (2, 8, 4, 2)),
        (WIDE, {"data_local": 4}, (1, 8, 4, 2)),
        (WIDE, {"data": 16, "data_local": 4}, (1, 16, 4, 4)),
    ],
)
def test_what_the_spec_leaves_open_follows(
    shape: Shape, asked: dict[str, int], size: tuple[int, int, int, int]
) -> None:
    assert _settled(shape, **asked) == size


@given(MAYBE, MAYBE, MAYBE, MAYBE)
def test_what_the_spec_says_is_never_changed(
    tensor: int | None, data: int | None, data_local: int | None, workers: int | None
) -> None:
    asked = {"tensor": tensor, "data": data, "data_local": data_local, "workers": workers}
    size = settle(WIDE, Role(parallelism=Parallelism(**asked)), Engine())
    for name, value in asked.items():
        assert value is None or getattr(size, name) == value
    assert min(size.tensor, size.data, size.data_local, size.workers) >= 1


def test_sizes_that_do_not_multiply_are_an_error() -> None:
    with pytest.raises(SpecError, match="PATH003"):
        plan_of("wide-ep", DEEPSEEK, decode={"parallelism": {"data": 12, "dataLocal": 8}})


def test_a_vllm_flag_switches_expert_parallelism_too() -> None:
    size = settle(WIDE, Role(args={"enable-expert-parallel": False}), Engine(args={"enable-expert-parallel": True}))
    assert not size.expert


def test_expert_parallelism_is_the_fields_then_the_flags_then_the_paths() -> None:
    flag = Engine(args={"enable-expert-parallel": True})
    assert settle(WIDE, Role(), Engine()).expert is True
    assert settle(WIDE, Role(parallelism=Parallelism(expert=False)), flag).expert is False


@pytest.mark.parametrize("instance", ["p5.48xlarge", "p4d.24xlarge", "g6e.48xlarge", "p6-b300.48xlarge"])
@pytest.mark.parametrize("platform", ["eks", "hyperpod"])
def test_as_many_pods_fit_a_node_as_its_gpus_allow(instance: str, platform: str) -> None:
    for role in plan_of("tiered-prefix-cache", QWEN, instance, platform=platform).roles:
        assert role.pods_per_node == role.node.gpus // role.size.gpus_per_pod
        assert to_bytes(role.memory) // 2**20 * role.pods_per_node <= role.node.room.memory_mib
        assert to_millis(role.cpu) * role.pods_per_node <= role.node.room.cpu_millis


def test_shared_memory_is_a_part_of_the_pods_memory() -> None:
    for role in plan_of("wide-ep", DEEPSEEK).roles:
        assert to_bytes(role.shm) < to_bytes(role.memory)


def test_the_side_channel_is_the_pods_own_address_and_names_come_once() -> None:
    for role in plan_of(
        "pd-disaggregation", GPT_OSS, with_=["tiered-prefix-cache"], cache={"cpu": {"connector": "lmcache"}}
    ).roles:
        names = [variable.name for variable in role.env]
        assert len(names) == len(set(names))
        assert next(each for each in role.env if each.name == "VLLM_NIXL_SIDE_CHANNEL_HOST").field == "status.podIP"


def test_a_roles_own_variable_wins_over_the_engines_and_the_paths() -> None:
    plan = plan_of(
        "pd-disaggregation",
        GPT_OSS,
        engine={"env": {"FI_PROVIDER": "efa;ofi_rxm", "VLLM_LOGGING_LEVEL": "INFO"}},
        decode={"env": {"VLLM_LOGGING_LEVEL": "DEBUG"}},
    )
    values = {role.name: {each.name: each.value for each in role.env} for role in plan.roles}
    assert [values[name]["VLLM_LOGGING_LEVEL"] for name in ("prefill", "decode")] == ["INFO", "DEBUG"]
    assert values["decode"]["FI_PROVIDER"] == "efa;ofi_rxm"


def test_rdma_is_switched_on_only_where_the_interfaces_have_it() -> None:
    for instance, expected in (("p5.48xlarge", "1"), ("g5.48xlarge", None)):
        plan = plan_of("pd-disaggregation", "openai/gpt-oss-20b", instance)
        values = {each.name: each.value for each in role_of(plan, "decode").env}
        assert values.get("FI_EFA_USE_DEVICE_RDMA") == expected


def test_nccl_keeps_efa_by_exclusion_where_a_replica_spans_pods() -> None:
    for instance, expected in (("p5.48xlarge", "^lo,docker,veth"), ("p6-b300.48xlarge", None)):
        values = {each.name: each.value for each in role_of(plan_of("wide-ep", DEEPSEEK, instance), "decode").env}
        assert values.get("NCCL_SOCKET_IFNAME") == expected


def test_a_claim_in_the_hubs_layout_is_read_offline() -> None:
    uri = {"uri": "pvc+hf://models/hub/openai/gpt-oss-120b"}
    plan = plan_of("inference-scheduling", GPT_OSS, model=uri)
    assert {each.name: each.value for each in plan.roles[0].env}["HF_HUB_OFFLINE"] == "1"
    assert plan.roles[0].head[0] == GPT_OSS


def test_a_plain_claim_gives_vllm_a_path() -> None:
    plan = plan_of("inference-scheduling", GPT_OSS, model={"uri": "pvc://models/weights/gpt-oss"})
    assert plan.roles[0].head[0] == "/model-cache/weights/gpt-oss"
    assert plan.model_size is None


def test_weights_on_a_claim_take_no_disk_of_the_node_whatever_size_the_spec_gives_them() -> None:
    given = {"uri": "pvc://models/weights/gpt-oss", "size": "250Gi"}
    plan = plan_of("inference-scheduling", GPT_OSS, model=given)
    assert [role.storage for role in plan.roles] == [None]


def test_pods_select_healthy_nodes_of_their_type_and_zone() -> None:
    cluster = {"zone": "us-east-1a", "nodeSelector": {"pool": "gpu"}}
    assert plan_of("inference-scheduling", platform="hyperpod", cluster=cluster).roles[0].node_selector == {
        "node.kubernetes.io/instance-type": "ml.p5.48xlarge",
        "sagemaker.amazonaws.com/node-health-status": "Schedulable",
        "topology.kubernetes.io/zone": "us-east-1a",
        "pool": "gpu",
    }


def test_pods_tolerate_what_the_spec_says_beside_the_gpu_taint() -> None:
    gpu = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    own = {"key": "dedicated", "operator": "Equal", "value": "llm", "effect": "NoExecute", "tolerationSeconds": 3}
    assert plan_of("inference-scheduling", cluster={"tolerations": [gpu, own]}).tolerations == (gpu, own)


@pytest.mark.parametrize(
    ("memory", "shm"),
    [("400Gi", "20Gi"), ("80Gi", "20Gi"), ("64Gi", "16Gi"), ("40Gi", "10Gi"), ("41000Mi", "10250Mi"), ("2Gi", "1Gi")],
)
def test_shared_memory_is_the_paths_and_at_most_a_quarter_of_the_memory(memory: str, shm: str) -> None:
    asked = {"replicas": 1, "resources": {"memory": memory}}
    assert role_of(plan_of("inference-scheduling", GPT_OSS, decode=asked), "decode").shm == shm


def test_a_flag_that_null_leaves_out_is_remembered_where_something_set_it() -> None:
    args = {"block-size": None, "max-num-seqs": None, "seed": 1}
    for role in plan_of("pd-disaggregation", GPT_OSS, engine={"args": args}).roles:
        assert role.removed == {"block-size"}
        assert not any("block-size" in argument for argument in role.arguments)
