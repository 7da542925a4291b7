"""EFA interfaces: enough for every pod that crosses the fabric, never more than a node has."""

from __future__ import annotations

from typing import Any

import pytest

from llmdgen import api
from tests.checks.conftest import plan_of
from tests.checks.hardware import DEEPSEEK, QWEN, codes, the

PD = "pd-disaggregation"
SMALL = "meta-llama/Llama-3.1-8B-Instruct"
SHORT: dict[str, Any] = {"engine": {"args": {"max-model-len": 8192}}}


def test_a_transfer_over_libfabric_needs_efa_on_the_instance() -> None:
    at, says, fix = the("EFA001", PD, "g6e.4xlarge", SMALL, **SHORT)
    assert at == "spec.instanceTypes.0"
    assert "g6e.4xlarge has no EFA" in says
    assert "g6e.8xlarge" in fix
    assert "UCX" in fix
    assert "EFA001" not in codes(PD, "g6e.8xlarge", SMALL, **SHORT)


def test_a_role_that_switches_its_interfaces_off_is_told_its_share() -> None:
    at, _, fix = the("EFA001", PD, "p5.48xlarge", prefill={"efa": 0}, **SHORT)
    assert at == "spec.prefill.efa"
    assert fix == "set efa: auto, which is 8 for each pod"


def test_nodes_without_attached_interfaces_are_an_error_of_the_cluster() -> None:
    at, says, _ = the("EFA001", PD, "p5.48xlarge", cluster={"efaPerNode": 0}, **SHORT)
    assert at == "spec.cluster.efaPerNode"
    assert "prefill and decode" in says


def test_a_server_of_several_pods_needs_efa_whatever_the_backend() -> None:
    found = codes("wide-ep", "p5.48xlarge", DEEPSEEK, transfer={"backend": "UCX"}, decode={"efa": 0})
    assert "EFA001" in found


def test_a_path_without_traffic_between_pods_needs_no_efa() -> None:
    assert codes("inference-scheduling", "g6e.48xlarge", QWEN) == []


def test_a_pod_cannot_ask_for_more_than_is_attached() -> None:
    assert the("EFA003", PD, "p4d.24xlarge", SMALL, prefill={"efa": 8}, **SHORT)[2] == "set efa: 1"
    attached = {"cluster": {"efaPerNode": 16}, "prefill": {"efa": 17}}
    assert "16 of the 32" in the("EFA003", PD, "p5.48xlarge", SMALL, **attached, **SHORT)[1]


@pytest.mark.parametrize(
    ("instance", "attached"), [("p6-b300.48xlarge", 17), ("p6-b200.48xlarge", 32), ("p4d.24xlarge", 5)]
)
def test_no_more_interfaces_are_attached_than_the_type_can_have(instance: str, attached: int) -> None:
    at, says, _ = the("EFA006", PD, instance, SMALL, cluster={"efaPerNode": attached}, **SHORT)
    assert at == "spec.cluster.efaPerNode"
    assert f"not {attached}" in says


def test_one_number_for_types_of_different_size_is_planned_with_what_each_can_have() -> None:
    text = """apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {name: two-types}
spec:
  path: pd-disaggregation
  instanceTypes: [p5.48xlarge, p6-b200.48xlarge]
  model: {name: openai/gpt-oss-20b}
  engine: {args: {max-model-len: 32000}}
  cluster: {efaPerNode: 32}
"""
    small, large = plan_of(text, "p6-b200.48xlarge"), plan_of(text, "p5.48xlarge")
    assert [role.efa_per_pod for role in small.roles] == [role.size.gpus_per_pod for role in small.roles]
    assert [each.finding.code for each in api.check(small) if each.finding.code.startswith("EFA")] == ["EFA016"]
    assert not [each for each in api.check(large) if each.finding.code.startswith("EFA")]


def test_the_seventeenth_card_of_p6_b300_is_explained() -> None:
    assert "ENA only" in the("EFA006", PD, "p6-b300.48xlarge", SMALL, cluster={"efaPerNode": 17}, **SHORT)[1]
    assert "EFA006" not in codes(PD, "p6-b300.48xlarge", SMALL, cluster={"efaPerNode": 16}, **SHORT)


def test_an_override_below_the_share_costs_bandwidth() -> None:
    at, says, fix = the("EFA007", PD, "p5.48xlarge", SMALL, prefill={"efa": 1}, **SHORT)
    assert at == "spec.prefill.efa"
    assert "25% of the bandwidth" in says
    assert "one for each GPU is not the rule" in says
    assert fix == "set efa: 4, or efa: auto"


def test_an_override_equal_to_the_share_is_fine() -> None:
    assert codes(PD, "p5.48xlarge", SMALL, prefill={"efa": 4}, **SHORT) == []


def test_interfaces_of_a_pod_that_sends_nothing_are_lost() -> None:
    assert "nothing crosses pods" in the("EFA007", "inference-scheduling", "p5.48xlarge", QWEN, decode={"efa": 4})[1]


def test_small_pods_use_up_the_interfaces_of_p4d() -> None:
    eight = {"replicas": 8, "parallelism": {"tensor": 1}}
    at, says, fix = the("EFA008", PD, "p4d.24xlarge", SMALL, prefill=eight, **SHORT)
    assert at == "spec.prefill.parallelism.tensor"
    assert "4 of 8 GPUs stay idle" in says
    assert fix.startswith("set tensor: 2")
    wider = {"replicas": 4, "parallelism": {"tensor": 2}}
    assert codes(PD, "p4d.24xlarge", SMALL, prefill=wider, decode={"parallelism": {"tensor": 8}}, **SHORT) == ["FIT019"]


def test_an_override_that_leaves_gpus_idle_is_sent_back_to_auto() -> None:
    assert the("EFA008", PD, "p5.48xlarge", SMALL, prefill={"efa": 8}, **SHORT)[2] == "set efa: auto"


def test_the_zone_is_said_once() -> None:
    label = "topology.kubernetes.io/zone"
    other = {"zone": "us-east-1a", "nodeSelector": {label: "us-east-1b"}}
    assert "us-east-1b" in the("EFA012", PD, "p5.48xlarge", SMALL, cluster=other, **SHORT)[1]
    same = {"zone": "us-east-1a", "nodeSelector": {label: "us-east-1a"}}
    assert "EFA012" not in codes(PD, "p5.48xlarge", SMALL, cluster=same, **SHORT)


def test_one_interface_more_than_the_share_is_said_up_to_what_the_node_has() -> None:
    """p5.48xlarge: 32 interfaces, 8 GPUs. More than the node has is another rule's."""
    assert the("EFA007", PD, "p5.48xlarge", SMALL, prefill={"efa": 5}, **SHORT)[2] == "set efa: 4, or efa: auto"
    assert "EFA007" in codes(PD, "p5.48xlarge", SMALL, prefill={"efa": 32}, **SHORT)
    beyond = codes(PD, "p5.48xlarge", SMALL, prefill={"efa": 33}, **SHORT)
    assert ("EFA007" in beyond, "EFA003" in beyond) == (False, True)


def test_a_variable_tuned_by_hand_is_a_warning_where_pods_have_efa() -> None:
    tuned = {"env": {"NCCL_BUFFSIZE": "8388608"}}
    at, says, fix = the("EFA020", PD, "p5.48xlarge", SMALL, decode=tuned, **SHORT)
    assert (at, fix) == ("spec.decode.env.NCCL_BUFFSIZE", "remove it")
    assert "NCCL_BUFFSIZE overrules" in says
    assert "EFA020" not in codes("inference-scheduling", "p5.48xlarge", SMALL, decode=tuned, **SHORT)
    assert "EFA020" not in codes(PD, "p5.48xlarge", SMALL, decode={"env": {"NCCL_DEBUG": "INFO"}}, **SHORT)


def test_a_variable_that_leaves_efa_is_an_error_where_pods_have_efa() -> None:
    at = the("EFA019", PD, "p5.48xlarge", SMALL, prefill={"env": {"FI_PROVIDER": "tcp"}}, **SHORT)[0]
    assert at == "spec.prefill.env.FI_PROVIDER"
    assert "EFA019" not in codes(PD, "p5.48xlarge", SMALL, prefill={"env": {"FI_PROVIDER": "efa"}}, **SHORT)
    loopback = {"env": {"NCCL_SOCKET_IFNAME": "=lo"}}
    assert "loopback" in the("EFA019", PD, "p5.48xlarge", SMALL, decode=loopback, **SHORT)[1]


def test_a_pod_that_fills_a_node_cannot_ask_for_more_than_it_has_either() -> None:
    whole = {"parallelism": {"tensor": 8}, "efa": 33}
    assert the("EFA003", PD, "p5.48xlarge", SMALL, decode=whole, **SHORT)[2] == "set efa: 32"
    assert "EFA003" not in codes(PD, "p5.48xlarge", SMALL, decode={**whole, "efa": 32}, **SHORT)
