"""Node fit: what is refused would stay Pending or be killed, and the fix that is named works."""

from __future__ import annotations

import re
from typing import Any

import pytest

from llmdgen import api
from llmdgen.checks.room import gib, gib_up
from tests.checks import objects
from tests.checks.hardware import DEEPSEEK, QWEN, codes, findings, the
from tests.specs import plan_of

SCHEDULING = "inference-scheduling"
TIERED = "tiered-prefix-cache"


def decode(**resources: str) -> dict[str, Any]:
    return {"decode": {"replicas": 4, "resources": resources}}


def test_a_pod_with_more_gpus_than_a_node_is_an_error() -> None:
    at, says, fix = the("FIT001", "wide-ep", "p5.48xlarge", DEEPSEEK, decode={"parallelism": {"dataLocal": 16}})
    assert at == "spec.decode.parallelism.dataLocal"
    assert "needs 16 GPUs" in says
    assert "dataLocal: 8" in fix


def test_ranks_that_the_spec_counts_itself_are_all_named_in_the_fix() -> None:
    asked = {"tensor": 2, "dataLocal": 8, "data": 8}
    fix = the("FIT001", SCHEDULING, "p5.48xlarge", QWEN, decode={"replicas": 1, "parallelism": asked})[2]
    assert fix == "set dataLocal: 4 and data: 4, and replicas: 2 for the same ranks"
    mended = {"replicas": 2, "parallelism": {"tensor": 2, "dataLocal": 4, "data": 4}}
    assert "FIT001" not in codes(SCHEDULING, "p5.48xlarge", QWEN, decode=mended)


@pytest.mark.parametrize(("resource", "asks"), [("cpu", "200"), ("memory", "3Ti")])
def test_a_pod_with_more_cpu_or_memory_than_a_node_is_told_what_fits(resource: str, asks: str) -> None:
    at, _, fix = the("FIT001", SCHEDULING, "p5.48xlarge", QWEN, **decode(**{resource: asks}))
    assert at == f"spec.decode.resources.{resource}"
    suits = re.search(rf'{resource}: "?([0-9A-Za-z]+)', fix)
    assert suits is not None
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(**{resource: suits[1]})) == []


def test_hyperpod_keeps_more_of_a_node_for_itself() -> None:
    asked = {"decode": {"parallelism": {"tensor": 8}, "resources": {"cpu": "185"}}}
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, **asked) == []
    found = the("FIT001", SCHEDULING, "p5.48xlarge", QWEN, platform="hyperpod", **asked)
    assert "179970m on HyperPod" in found[1]


def test_cpu_that_leaves_gpus_idle_is_a_warning_with_what_uses_them_all() -> None:
    assert the("FIT002", SCHEDULING, "p5.48xlarge", QWEN, **decode(cpu="64"))[2] == 'set cpu: "47" or less'
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(cpu="47")) == []


def test_an_image_for_another_architecture_is_an_error() -> None:
    assert codes(SCHEDULING, "p6e-gb200.36xlarge", QWEN) == ["FIT003"]


def test_hyperpod_has_no_g7() -> None:
    assert codes(SCHEDULING, "g7.48xlarge", QWEN, platform="hyperpod") == ["FIT004"]
    assert codes(SCHEDULING, "g7e.48xlarge", QWEN, platform="hyperpod") == []


def test_shared_memory_counts_against_the_container() -> None:
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(memory="16Gi", shm="20Gi")) == ["FIT006"]
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(memory="24Gi", shm="20Gi")) == ["FIT012"]
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(memory="40Gi", shm="20Gi")) == []


def test_a_cpu_tier_has_to_fit_its_container() -> None:
    small = {"cache": {"cpu": {"size": "400Gi"}}, **decode(memory="200Gi")}
    at, _, fix = the("FIT007", TIERED, "p5.48xlarge", QWEN, **small)
    assert at == "spec.decode.resources.memory"
    assert fix == "set memory: 428Gi"
    assert codes(TIERED, "p5.48xlarge", QWEN, cache={"cpu": {"size": "400Gi"}}, **decode(memory="428Gi")) == []


def test_a_connector_of_the_specs_own_is_held_against_the_container_too() -> None:
    def own(size: int) -> dict[str, Any]:
        extra = {"cpu_bytes_to_use": size << 30}
        transfer = {"kv_connector": "OffloadingConnector", "kv_role": "kv_both", "kv_connector_extra_config": extra}
        return {"args": {"kv-transfer-config": transfer}}

    at = the("FIT007", SCHEDULING, "p5.48xlarge", QWEN, decode=own(500))[0]
    assert at.endswith("kv_connector_extra_config.cpu_bytes_to_use")
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, decode=own(20)) == []


@pytest.mark.parametrize(("size", "code"), [("600Gi", "FIT007"), ("400Gi", "FIT013")])
def test_a_cpu_tier_beyond_the_node_is_told_the_size_that_works(size: str, code: str) -> None:
    at, _, fix = the(code, TIERED, "p5.48xlarge", QWEN, cache={"cpu": {"size": size}})
    assert at == "spec.cache.cpu.size"
    suits = fix.removeprefix("set cache.cpu.size: ").removesuffix(" or less")
    assert codes(TIERED, "p5.48xlarge", QWEN, cache={"cpu": {"size": suits}}) == []


def test_all_pods_of_a_node_share_its_nvme() -> None:
    at, _, fix = the("FIT008", TIERED, "p5.48xlarge", QWEN, cache={"disk": {"size": "10Ti"}})
    assert at == "spec.cache.disk.size"
    suits = fix.removeprefix("set size: ").removesuffix(" or less")
    assert codes(TIERED, "p5.48xlarge", QWEN, cache={"disk": {"size": suits}}) == []


def test_one_small_pod_on_a_large_node_is_a_warning() -> None:
    one = {"replicas": 1, "parallelism": {"tensor": 2}}
    assert "2 of the 8 GPUs" in the("FIT010", SCHEDULING, "p5.48xlarge", QWEN, decode=one)[1]
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, decode={**one, "replicas": 2}) == []


@pytest.mark.parametrize(
    ("asked", "fix"),
    [({"memory": "4Gi", "shm": "1Gi"}, "set memory: 9Gi or more"), ({"cpu": "200m"}, 'set cpu: "2" or more')],
)
def test_ranks_without_cpu_or_memory_are_worth_a_warning(asked: dict[str, str], fix: str) -> None:
    assert the("FIT014", SCHEDULING, "p5.48xlarge", QWEN, **decode(**asked))[2] == fix
    suits = {name: re.search(r"[0-9]+[A-Za-z]*", fix).group() for name in asked if name in fix}  # type: ignore[union-attr]
    assert "FIT014" not in codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(**{**asked, **suits}))


@pytest.mark.parametrize("resource", ["cpu", "memory"])
def test_a_pod_may_take_all_that_a_node_can_allocate_and_no_more(resource: str) -> None:
    room = plan_of(SCHEDULING, QWEN).roles[0].node.room
    most = {"cpu": room.cpu_millis, "memory": room.memory_mib}[resource]
    unit = {"cpu": "m", "memory": "Mi"}[resource]
    whole = {"replicas": 1, "parallelism": {"tensor": 8}}
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, decode={**whole, "resources": {resource: f"{most}{unit}"}}) == []
    over = {**whole, "resources": {resource: f"{most + 1}{unit}"}}
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, decode=over) == ["FIT001"]


def test_both_cpu_and_memory_beyond_a_node_are_said() -> None:
    asked = {"replicas": 1, "parallelism": {"tensor": 8}, "resources": {"cpu": "200", "memory": "3Ti"}}
    found = [each for each in findings(SCHEDULING, "p5.48xlarge", QWEN, decode=asked) if each.finding.code == "FIT001"]
    assert [each.finding.at[-1] for each in found] == ["cpu", "memory"]


def test_shared_memory_of_just_the_memory_is_too_much() -> None:
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(memory="20Gi", shm="20Gi")) == ["FIT006"]
    at, says, fix = the("FIT006", SCHEDULING, "p5.48xlarge", QWEN, **decode(memory="20Gi", shm="20Gi"))
    assert (at, fix) == ("spec.decode.resources.shm", "set shm: 5Gi, or memory: 80Gi")
    assert "/dev/shm of 20Gi does not fit into 20Gi of memory" in says
    assert "FIT006" not in codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(memory="20Gi", shm="19Gi"))


def test_shared_memory_of_just_half_of_the_memory_is_enough_room() -> None:
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(memory="40Gi", shm="20481Mi")) == ["FIT012"]
    at, _, fix = the("FIT012", SCHEDULING, "p5.48xlarge", QWEN, **decode(memory="40Gi", shm="21Gi"))
    assert (at, fix) == ("spec.decode.resources.shm", "set memory: 42Gi, or shm: 10Gi")


def test_a_cpu_tier_counts_with_shared_memory_to_the_last_mebibyte() -> None:
    shared = {"cpu": {"size": "100Gi"}}
    asked = decode(memory="116Gi", shm="16Gi")
    assert codes(TIERED, "p5.48xlarge", QWEN, cache=shared, **asked) == ["FIT013"]
    assert codes(TIERED, "p5.48xlarge", QWEN, cache=shared, **decode(memory="118783Mi", shm="16Gi")) == ["FIT007"]
    says = the("FIT013", TIERED, "p5.48xlarge", QWEN, cache=shared, **asked)[1]
    assert "100Gi of KV blocks and 16Gi of /dev/shm leave 0Mi of the 116Gi of a decode pod to 2 ranks" in says


def test_a_cpu_tier_leaves_four_gibibytes_to_each_rank() -> None:
    shared = {"cpu": {"size": "100Gi"}}
    assert codes(TIERED, "p5.48xlarge", QWEN, cache=shared, **decode(memory="124Gi", shm="16Gi")) == []
    found = codes(TIERED, "p5.48xlarge", QWEN, cache=shared, **decode(memory="126975Mi", shm="16Gi"))
    assert found == ["FIT013"]


def test_lmcache_keeps_its_blocks_in_the_pod_too() -> None:
    cache = {"cpu": {"connector": "lmcache", "size": "100Gi"}}
    at, says, _ = the("FIT007", TIERED, "p5.48xlarge", QWEN, cache=cache, **decode(memory="100Gi", shm="16Gi"))
    assert at == "spec.decode.resources.memory"
    assert "100Gi of KV blocks" in says


def test_the_disk_is_shared_by_the_pods_that_are_really_on_a_node() -> None:
    cache = {"disk": {"size": "10Ti"}}
    two = {"replicas": 2, "parallelism": {"tensor": 2}}
    three = {"replicas": 3, "parallelism": {"tensor": 2}}
    assert "3 decode pods x 10240Gi" in the("FIT008", TIERED, "p5.48xlarge", QWEN, cache=cache, decode=three)[1]
    assert "FIT008" not in codes(TIERED, "p5.48xlarge", QWEN, cache=cache, decode=two)


def test_idle_gpus_are_a_warning_from_more_than_half_on() -> None:
    two = {"replicas": 2, "parallelism": {"tensor": 2}}
    assert "FIT010" not in codes(SCHEDULING, "p5.48xlarge", QWEN, decode=two)
    at, says, fix = the("FIT010", SCHEDULING, "p5.48xlarge", QWEN, decode={"replicas": 1, "parallelism": {"tensor": 2}})
    assert at == "spec.decode.replicas"
    assert "the pods use 2 of the 8 GPUs of 1 x p5.48xlarge" in says
    assert fix == "set replicas of decode to 4, or use an instance type with fewer GPUs"
    three = {"replicas": 3, "parallelism": {"tensor": 1}}
    assert the("FIT010", SCHEDULING, "p5.48xlarge", "meta-llama/Llama-3.1-8B-Instruct", decode=three)[2].startswith(
        "set replicas of decode to 8"
    )


def test_pods_that_memory_keeps_few_are_not_asked_to_be_more() -> None:
    large = {"replicas": 1, "parallelism": {"tensor": 2}, "resources": {"memory": "700Gi"}}
    assert the("FIT010", SCHEDULING, "p5.48xlarge", QWEN, decode=large)[2] == "use an instance type with fewer GPUs"


def test_a_rank_has_room_from_four_gibibytes_and_a_core_on() -> None:
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(memory="8Gi", shm="1Gi")) == []
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(memory="8191Mi", shm="1Gi")) == ["FIT014"]
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(cpu="2")) == []
    assert codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(cpu="1999m")) == ["FIT014"]


def test_gpus_idle_for_want_of_cpu_only_where_one_more_pod_could_have_used_them() -> None:
    """Two pods of 64 cpu fill a node, whose GPUs are enough for four."""
    one_role = {"parallelism": {"tensor": 2}, "resources": {"cpu": "64"}}
    assert "FIT002" not in codes(SCHEDULING, "p5.48xlarge", QWEN, decode={**one_role, "replicas": 2})
    assert "FIT002" in codes(SCHEDULING, "p5.48xlarge", QWEN, decode={**one_role, "replicas": 3})


def test_gpus_idle_for_want_of_cpu_where_another_role_shares_the_nodes() -> None:
    short = {"engine": {"args": {"max-model-len": 8192}}}
    alone = {"replicas": 1, "parallelism": {"tensor": 4}, "resources": {"cpu": "100"}}
    assert "FIT002" in codes("pd-disaggregation", "p5.48xlarge", QWEN, decode=alone, **short)
    elsewhere = {"prefill": {"instanceType": "p5en.48xlarge"}}
    assert "FIT002" not in codes("pd-disaggregation", "p5.48xlarge", QWEN, decode=alone, **short, **elsewhere)
    fewer = {**alone, "resources": {"cpu": "90"}}
    assert "FIT002" not in codes("pd-disaggregation", "p5.48xlarge", QWEN, decode=fewer, **short)


def test_ranks_that_each_fill_a_node_do_not_fit_together() -> None:
    asked = {"replicas": 1, "parallelism": {"tensor": 8, "dataLocal": 2, "data": 2}}
    at, says, fix = the("FIT001", SCHEDULING, "p5.48xlarge", QWEN, decode=asked)
    assert at == "spec.decode.parallelism.tensor"
    assert "needs 16 GPUs (tensor 8 x 2 local data parallel ranks), p5.48xlarge has 8" in says
    assert fix == "set dataLocal: 1 and data: 1, and replicas: 2 for the same ranks"


def test_sizes_in_fixes_are_whole_gibibytes_from_one_on() -> None:
    assert [gib(mib) for mib in (1023, 1024, 2047)] == ["1023Mi", "1Gi", "1Gi"]
    assert [gib_up(mib) for mib in (1024, 1025)] == ["1Gi", "2Gi"]


@pytest.mark.parametrize(
    ("instance", "zone", "platform"),
    [
        ("p6-b200.48xlarge", "eu-central-1a", "eks"),
        ("p5e.48xlarge", "us-west-2a", "eks"),
        ("p6-b200.48xlarge", "eu-north-1b", "hyperpod"),  # which EC2 offers there, and HyperPod does not
        ("g6e.48xlarge", "sa-east-1c", "eks"),
    ],
)
def test_a_zone_whose_region_lacks_the_type_is_a_warning_that_names_where_it_is(
    instance: str, zone: str, platform: str
) -> None:
    at, says, fix = the("FIT016", SCHEDULING, instance, QWEN, platform=platform, cluster={"zone": zone})
    assert at == "spec.cluster.zone"
    assert f"no on-demand price in {zone[:-1]} on 20" in says
    mended = {"zone": f"{re.findall(r'[a-z-]+-[0-9]', fix)[0]}a"}
    assert "FIT016" not in codes(SCHEDULING, instance, QWEN, platform=platform, cluster=mended)


@pytest.mark.parametrize(
    ("instance", "cluster"),
    [
        ("p6-b200.48xlarge", {"zone": "us-west-2a"}),
        ("p6-b200.48xlarge", {}),
        ("p6-b200.48xlarge", {"zone": "us-east-1-dfw-2a"}),
    ],
)
def test_a_region_that_has_the_type_is_not_worth_a_word(instance: str, cluster: dict[str, str]) -> None:
    assert "FIT016" not in codes(SCHEDULING, instance, QWEN, cluster=cluster)


def test_a_zone_among_the_node_labels_is_judged_too() -> None:
    label = "topology.kubernetes.io/zone"
    found = the("FIT016", SCHEDULING, "p5e.48xlarge", QWEN, cluster={"nodeSelector": {label: "eu-west-1a"}})
    assert found[0] == f"spec.cluster.nodeSelector.{label}"


@pytest.mark.parametrize(
    ("path", "sections", "fix"),
    [
        (SCHEDULING, {"decode": {"parallelism": {"tensor": 8}, "resources": {"shm": "2Gi"}}}, "set shm: 4Gi or more"),
        (SCHEDULING, {"decode": {"parallelism": {"tensor": 2}, "resources": {"shm": "256Mi"}}}, "set shm: 1Gi or more"),
        (
            TIERED,
            {"cache": {"cpu": {"size": "64Gi"}, "disk": {}}, "decode": {"resources": {"shm": "16Gi"}}},
            "set shm: 65Gi or more",
        ),
    ],
)
def test_shared_memory_holds_the_tier_and_what_processes_say(path: str, sections: dict[str, Any], fix: str) -> None:
    at, _, told = the("FIT017", path, "p5.48xlarge", QWEN, release="v0.9.0", **sections)
    assert at == "spec.decode.resources.shm"
    assert told.startswith(fix)
    sections["decode"]["resources"]["shm"] = fix.split()[2]
    assert "FIT017" not in codes(path, "p5.48xlarge", QWEN, release="v0.9.0", **sections)


def test_one_gpu_needs_no_shared_memory_for_others() -> None:
    asked = {"decode": {"parallelism": {"tensor": 1}, "resources": {"shm": "64Mi"}}}
    assert "FIT017" not in codes(SCHEDULING, "p5.48xlarge", "meta-llama/Llama-3.1-8B-Instruct", **asked)


@pytest.mark.parametrize(("release", "told"), [("v0.5.1", True), ("v0.6.0", True), ("v0.9.0", False)])
def test_storage_that_nothing_evicts_from_is_told(release: str, told: bool) -> None:
    plan = plan_of(TIERED, QWEN, "p5.48xlarge", release=release, cache={"storage": {"claim": "kv"}})
    assert ["FIT018"] * told == [each.finding.code for each in api.check(plan) if each.finding.code == "FIT018"]


LMCACHE = {"cpu": {"connector": "lmcache", "size": "3Gi"}}


def test_a_tier_that_its_container_cannot_hold_gets_what_the_node_leaves_each_pod() -> None:
    def told(tensor: int, size: str) -> tuple[str, str]:
        asked = {"replicas": 1, "parallelism": {"tensor": tensor}, "resources": {"memory": "200Gi", "shm": "16Gi"}}
        cache = {"cpu": {"connector": "lmcache", "size": size}}
        return the("FIT007", TIERED, "p5.48xlarge", QWEN, cache=cache, decode=asked)[1:]

    whole, quarter = told(8, "1500Gi"), told(2, "1500Gi")
    assert whole[0].endswith(" of a decode pod on p5.48xlarge")
    assert whole[1] == f"set memory: {1500 + 16 + 8 * 4}Gi"
    assert quarter[1] == f"set cache.cpu.size: {200 - 16 - 2 * 4}Gi or less"


def test_a_tier_of_one_gibibyte_is_still_a_tier() -> None:
    llama = "meta-llama/Llama-3.1-8B-Instruct"
    one = {"replicas": 1, "parallelism": {"tensor": 1}}
    asked = {**one, "resources": {"memory": "21Gi", "shm": "16Gi"}}
    fix = the("FIT013", TIERED, "p5.48xlarge", llama, cache=LMCACHE, decode=asked)[2]
    assert fix == "set cache.cpu.size: 1Gi or less"
    asked = {**one, "resources": {"memory": "21503Mi", "shm": "16Gi"}}
    fix = the("FIT013", TIERED, "p5.48xlarge", llama, cache=LMCACHE, decode=asked)[2]
    assert fix == "use an instance type with more memory"


def test_shared_memory_as_large_as_the_tiers_file_suffices_one_rank() -> None:
    def asked(shm: str) -> dict[str, Any]:
        own = {"replicas": 1, "parallelism": {"tensor": 1}, "resources": {"memory": "200Gi", "shm": shm}}
        return {"cache": {"cpu": {"size": "64Gi"}, "storage": {"claim": "kv"}}, "decode": own, "release": "v0.9.0"}

    llama = "meta-llama/Llama-3.1-8B-Instruct"
    assert "FIT017" not in codes(TIERED, "p5.48xlarge", llama, **asked("64Gi"))
    says = the("FIT017", TIERED, "p5.48xlarge", llama, **asked("65535Mi"))[1]
    assert says.startswith("/dev/shm of 65535Mi does not hold the CPU tier's file of 64Gi (read")


def test_a_tier_is_judged_on_a_node_that_nobody_knows_too() -> None:
    small = {"replicas": 1, "resources": {"memory": "100Gi", "shm": "16Gi"}}
    plan = plan_of(TIERED, QWEN, cache={"cpu": {"connector": "lmcache", "size": "200Gi"}}, decode=small)

    def change(docs: objects.Docs) -> None:
        selector = docs["Deployment/demo-decode"]["spec"]["template"]["spec"]["nodeSelector"]
        selector["node.kubernetes.io/instance-type"] = "x9.large"

    (says,) = [each.says for each in objects.found(plan, change) if each.code == "FIT007"]
    assert says.endswith(" of a decode pod")


@pytest.mark.parametrize(
    ("replicas", "pod", "told"),
    [(2, {}, False), (3, {}, True), (3, {"priorityClassName": "serving"}, False)],
)
def test_pods_that_need_a_gap_are_told_unless_they_make_it_themselves(
    replicas: int, pod: dict[str, str], told: bool
) -> None:
    small = {"replicas": 2, "parallelism": {"tensor": 1}}
    large = {"replicas": replicas, "parallelism": {"tensor": 4}, "pod": pod}
    asked = {"prefill": small, "decode": large, "engine": {"args": {"max-model-len": 8192}}}
    assert ("FIT019" in codes("pd-disaggregation", "p5.48xlarge", "openai/gpt-oss-120b", **asked)) is told
    if told:
        assert (
            "or keep 3 such nodes"
            in the("FIT019", "pd-disaggregation", "p5.48xlarge", "openai/gpt-oss-120b", **asked)[2]
        )


def test_memory_of_one_gibibyte_has_its_unit_and_is_too_little_for_more_shared_memory() -> None:
    assert "FIT006" in codes(SCHEDULING, "p5.48xlarge", QWEN, **decode(memory="1Gi", shm="2Gi"))
