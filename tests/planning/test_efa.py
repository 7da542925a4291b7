"""A pod's share of its node's EFA interfaces."""

from __future__ import annotations

import pytest

from llmdgen.facts import catalogue
from llmdgen.kube.room import efa_share as share
from tests.specs import GPT_OSS, plan_of, role_of

# Instance type, GPUs of the pod, interfaces: AWS's rule (interfaces / GPUs) x GPUs of the pod.
SHARES = [
    ("p5.48xlarge", 1, 4),
    ("p5.48xlarge", 4, 16),
    ("p5.48xlarge", 8, 32),
    ("p5e.48xlarge", 2, 8),
    ("p5.4xlarge", 1, 1),
    ("p5en.48xlarge", 1, 2),
    ("p5en.48xlarge", 8, 16),
    ("p6-b200.48xlarge", 1, 1),
    ("p6-b200.48xlarge", 4, 4),
    ("p6-b300.48xlarge", 1, 2),
    ("p6-b300.48xlarge", 8, 16),
    ("p4d.24xlarge", 1, 1),
    ("p4d.24xlarge", 2, 1),
    ("p4d.24xlarge", 4, 2),
    ("p4de.24xlarge", 8, 4),
    ("g6e.48xlarge", 1, 1),
    ("g6e.48xlarge", 2, 1),
    ("g6e.48xlarge", 8, 4),
    ("g6e.24xlarge", 4, 2),
    ("g6e.12xlarge", 1, 1),
    ("g6e.xlarge", 1, 0),
]


@pytest.mark.parametrize(("name", "gpus", "interfaces"), SHARES)
def test_a_pod_gets_the_interfaces_of_its_gpus(name: str, gpus: int, interfaces: int) -> None:
    instance = catalogue.instance(name)
    assert share(instance.efa.interfaces, instance.gpu.count, gpus) == interfaces


def test_a_node_without_gpus_shares_nothing() -> None:
    assert share(4, 0, 1) == 0


def test_the_interfaces_that_are_attached_count_not_those_that_could_be() -> None:
    plan = plan_of("pd-disaggregation", GPT_OSS, cluster={"efaPerNode": 8})
    assert [role.efa_per_pod for role in plan.roles] == [2, 4]


def test_the_spec_may_say_another_number() -> None:
    plan = plan_of("pd-disaggregation", GPT_OSS, decode={"efa": 8})
    assert (role_of(plan, "decode").efa_per_pod, role_of(plan, "decode").efa_share) == (8, 16)


def test_nothing_is_asked_for_where_nothing_crosses_pods() -> None:
    assert [role.efa_per_pod for role in plan_of("inference-scheduling").roles] == [0]
