"""What holds for every instance type with every well-lit path: a plan whose pods fit their nodes, or findings that say
in their place why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmdgen import api
from llmdgen.facts import catalogue
from llmdgen.findings import Located, Severity, SpecError
from llmdgen.kube.room import Need
from llmdgen.planning.model import Plan
from llmdgen.spec.load import parse

RELEASES = catalogue.release_names()
MODELS = {"wide-ep": "deepseek-ai/DeepSeek-R1-0528"}
MOST_CHARACTERS = 63
HARDWARE = ("EFA", "FIT", "MOD", "PAR")


def spec_text(
    path: str, instance: str, model: str, more: str = "", platform: str = "eks", release: str = RELEASES[0]
) -> str:
    return f"""apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {{name: every-one}}
spec:
  path: {path}
  release: {release}
  platform: {platform}
  instanceTypes: [{instance}]
  model: {{name: {model}}}
  engine: {{args: {{max-model-len: 4096}}}}
{more}"""


def outcome(text: str, instance: str) -> tuple[Plan | None, tuple[Located, ...]]:
    """The plan and its findings; no plan where the findings prevent one."""
    try:
        plan = api.draft(parse(text, "spec.yaml")[0], instance)
    except SpecError as error:
        return None, error.findings
    return plan, api.check(plan)


@cache
def every(path: str, instance: str, release: str = RELEASES[0]) -> tuple[Plan | None, tuple[Located, ...]]:
    text = spec_text(path, instance, MODELS.get(path, "Qwen/Qwen3-32B"), release=release)
    return outcome(text, instance)


def good(path: str, instance: str, release: str = RELEASES[0]) -> Plan | None:
    """The plan where there is one and no check finds an error in it."""
    plan, findings = every(path, instance, release)
    return None if any(each.is_error for each in findings) else plan


def plans(instance: str) -> list[Plan]:
    """The good plans of every path on one instance type, for each release."""
    asked = [(path, instance, release) for release in RELEASES for path in catalogue.path_names()]
    return [plan for each in asked if (plan := good(*each)) is not None]


everywhere = pytest.mark.parametrize("instance", catalogue.instance_names())


def assert_fits(plan: Plan) -> None:
    """The pods of a full node are within what the node offers, and the nodes of each pool are enough for all pods."""
    for role in plan.roles:
        need, room = role.need, role.node.room
        assert role.pods_per_node >= 1
        assert all(role.pods_per_node * asks <= has for asks, has in zip(amounts(need), amounts(room), strict=True))
        assert role.nodes * role.pods_per_node >= role.pods
    for pool in plan.pools:
        sharing = [role for role in plan.roles if role.name in pool.roles]
        room = sharing[0].node.room
        total = [sum(role.pods * amounts(role.need)[index] for role in sharing) for index in range(4)]
        assert all(asks <= pool.nodes * has for asks, has in zip(total, amounts(room), strict=True))
        assert pool.nodes <= sum(role.nodes for role in sharing)


def amounts(need: Need) -> tuple[int, int, int, int]:
    return need.gpus, need.efa, need.cpu_millis, need.memory_mib


def names_of(plan: Plan) -> Iterator[str]:
    names = plan.names
    yield from (names.router, names.servers, names.namespace, names.gateway, names.gateway_service, names.pool)
    yield from (names.scheduler_service, names.route, names.account, names.metrics_secret, *names.workload.values())


@pytest.mark.parametrize("release", RELEASES)
def test_enough_combinations_have_a_plan_without_errors(release: str) -> None:
    for path in catalogue.path_names():
        suited = [instance for instance in catalogue.instance_names() if good(path, instance, release)]
        assert {"p5.48xlarge", "p5en.48xlarge", "p6-b200.48xlarge", "p6-b300.48xlarge"} <= set(suited)


@everywhere
def test_findings_have_a_place_a_reason_and_a_fix(instance: str) -> None:
    for path, release in product(catalogue.path_names(), RELEASES):
        plan, findings = every(path, instance, release)
        assert plan is not None or findings
        for each in findings:
            assert each.place.path == "spec.yaml"
            assert each.place.line > 1 or not each.finding.code.startswith(HARDWARE)
            assert each.finding.says
            assert each.finding.fix or each.finding.severity is Severity.NOTE


@everywhere
def test_nothing_is_said_twice(instance: str) -> None:
    for path, release in product(catalogue.path_names(), RELEASES):
        said = [str(each) for each in every(path, instance, release)[1] if each.finding.code.startswith(HARDWARE)]
        assert len(said) == len(set(said))


@everywhere
def test_pods_fit_their_nodes(instance: str) -> None:
    for plan in plans(instance):
        assert_fits(plan)


@everywhere
def test_interfaces_are_there_where_pods_talk_and_nowhere_else(instance: str) -> None:
    for plan in plans(instance):
        assert {role.efa_per_pod > 0 for role in plan.roles} == {plan.one_zone}


@everywhere
def test_both_ends_of_a_transfer_have_the_same_blocks(instance: str) -> None:
    for plan in plans(instance):
        if plan.disaggregated:
            blocks = [[each for each in role.arguments if "block-size" in each] for role in plan.roles]
            assert blocks == [["--block-size=128"]] * 2


@everywhere
def test_names_are_short_enough_for_kubernetes(instance: str) -> None:
    for plan in plans(instance):
        assert max(len(name) for name in names_of(plan)) <= MOST_CHARACTERS


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("path", catalogue.path_names())
@pytest.mark.parametrize("instance", ["p4d.24xlarge", "p5.48xlarge", "p6-b300.48xlarge"])
def test_the_same_spec_gives_the_same_bytes(path: str, instance: str, release: str) -> None:
    plan = good(path, instance, release)
    if plan is None:
        assert any(each.is_error for each in every(path, instance, release)[1])
        return
    again, _ = outcome(spec_text(path, instance, MODELS.get(path, "Qwen/Qwen3-32B"), release=release), instance)
    assert again is not None
    assert api.render(plan) == api.render(again)


@settings(max_examples=60, derandomize=True, database=None)
@given(
    instance=st.sampled_from(catalogue.instance_names()),
    model=st.sampled_from(catalogue.model_names()),
    platform=st.sampled_from(["eks", "hyperpod"]),
    release=st.sampled_from(RELEASES),
    prefill=st.tuples(st.sampled_from([1, 2, 3, 4, 8, 16]), st.integers(1, 40), st.sampled_from(["auto", 0, 1, 4, 64])),
    decode=st.tuples(st.sampled_from([1, 2, 4, 6, 8]), st.integers(1, 40), st.sampled_from(["auto", 1, 2, 16])),
)
def test_whatever_is_asked_for_fits_or_is_refused(
    instance: str,
    model: str,
    platform: str,
    release: str,
    prefill: tuple[int, int, str | int],
    decode: tuple[int, int, str | int],
) -> None:
    more = "".join(
        f"  {role}: {{replicas: {replicas}, parallelism: {{tensor: {tensor}}}, efa: {efa}}}\n"
        for role, (tensor, replicas, efa) in (("prefill", prefill), ("decode", decode))
    )
    plan, findings = outcome(spec_text("pd-disaggregation", instance, model, more, platform, release), instance)
    if plan is None or any(each.is_error for each in findings):
        assert all(each.finding.says for each in findings)
        assert all(each.finding.fix or each.finding.severity is Severity.NOTE for each in findings)
        return
    assert_fits(plan)
    assert all(role.efa_per_pod for role in plan.roles)
