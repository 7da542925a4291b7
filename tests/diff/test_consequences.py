"""What a change of an object does to a deployment that runs, object by object: refused, replaced, restarted or kept."""

from __future__ import annotations

import pytest

from llmdgen.diff.fold import Difference, difference
from llmdgen.diff.reading import Files
from llmdgen.diff.text import write

from .conftest import PD, changed, compared, edited, side, with_files
from .test_meaning import PD9, WIDE

DECODE, PREFILL = "chart/templates/decode.yaml", "chart/templates/prefill.yaml"
GATEWAY, PARAMETERS = "chart/templates/gateway.yaml", "chart/templates/gateway-parameters.yaml"
ROUTER = "values/router.yaml"
RESTART = "interrupts: decode pods restart, a rolling update; their prefix caches are lost"
GROUPS = "interrupts: decode pods restart, group by group; their prefix caches are lost"
ROLLED = "interrupts: the Gateway's proxy is rolled: long streams through the old pod are cut"
AGAIN = "(Recreate): requests {} until it is ready again, and its prefix index is lost"
TWO = changed(PD, {"spec.decode.replicas": 2})
ROLLING = "  strategy:\n    type: RollingUpdate\n    rollingUpdate:\n      maxUnavailable: 1\n      maxSurge: 0\n"
PLAIN = changed(PD, {"spec.gateway.loadBalancer": None})


def follows(found: Difference) -> list[str]:
    return [line.strip().removeprefix("=> ") for line in write(found).splitlines() if line.startswith("  =>")]


def test_a_selector_that_changes_is_refused_and_restarts_nothing() -> None:
    found = edited(DECODE, "  selector:\n    matchLabels:\n", "  selector:\n    matchLabels:\n      team: search\n")
    assert follows(found) == [
        "breaks: spec.selector of a Deployment is immutable, so `helmfile apply` fails: first "
        "`kubectl -n llm-d-chat delete deployment chat-decode` (downtime), or choose another name"
    ]


def test_subgroups_of_a_leader_worker_set_are_refused() -> None:
    group = "  leaderWorkerTemplate:\n"
    found = edited(DECODE, group, f"{group}    subGroupPolicy:\n      subGroupSize: 1\n", WIDE)
    assert follows(found)[0] == (
        "breaks: spec.leaderWorkerTemplate.subGroupPolicy of a LeaderWorkerSet is immutable, so `helmfile apply` "
        "fails: first `kubectl -n llm-d-chat delete leaderworkerset chat-decode` (downtime), or choose another name"
    )
    assert not any("pods restart" in line for line in follows(found))


CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: kv}
spec:
  storageClassName: efs
  resources: {requests: {storage: 1Ti}}
"""


def test_the_class_of_a_claim_is_refused_where_the_claim_exists() -> None:
    path = "chart/templates/claim.yaml"
    assert follows(with_files({path: CLAIM})) == []
    ((key, files),) = side(PD).items()
    before = {key: Files({**files, path: CLAIM}, "edited")}

    def after(old: str, new: str) -> list[str]:
        return follows(difference(before, {key: Files({**files, path: CLAIM.replace(old, new)}, "edited")}))

    assert after("1Ti", "2Ti") == []
    assert after("storageClassName: efs", "storageClassName: fsx") == [
        "breaks: spec.storageClassName of a PersistentVolumeClaim is immutable, so `helmfile apply` fails: first "
        "`kubectl -n llm-d-chat delete persistentvolumeclaim kv` (downtime), or choose another name"
    ]


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (DECODE, "metadata:\n  name: chat-decode\n", "metadata:\n  annotations:\n    a.b/c: d\n  name: chat-decode\n"),
        (DECODE, "  selector:\n", "  revisionHistoryLimit: 3\n  selector:\n"),
        ("chart/templates/decode-monitor.yaml", "interval: 30s", "interval: 10s"),
        (
            "chart/templates/service-account.yaml",
            "automountServiceAccountToken: false",
            "automountServiceAccountToken: true",
        ),
        ("chart/templates/route.yaml", "request: 0s", "request: 60s"),
    ],
)
def test_what_is_in_no_pod_restarts_none(path: str, old: str, new: str) -> None:
    found = edited(path, old, new)
    assert not found.is_empty
    assert follows(found) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "  template:\n    metadata:\n      labels:\n",
            "  template:\n    metadata:\n      labels:\n        team: search\n",
        ),
        ("\n      annotations:\n", "\n      annotations:\n        a.b/c: d\n"),
        ("      volumes:\n", "      priorityClassName: high\n      volumes:\n"),
        ("imagePullPolicy: IfNotPresent", "imagePullPolicy: Always"),
        ("--zap-log-level=error", "--zap-log-level=info"),
    ],
)
def test_whatever_is_in_the_pods_restarts_them(old: str, new: str) -> None:
    assert RESTART in follows(edited(DECODE, old, new))


def test_a_workload_of_another_kind_takes_the_place_of_the_old_one() -> None:
    found = edited(DECODE, "apiVersion: apps/v1\nkind: Deployment", "apiVersion: apps/v1\nkind: StatefulSet")
    assert follows(found)[0] == (
        "interrupts: the Deployment of decode is deleted, and a StatefulSet takes its place: "
        "their pods all stop, and new ones start"
    )
    assert RESTART not in follows(found)


def test_a_workload_of_another_name_is_another_object() -> None:
    found = edited(DECODE, "metadata:\n  name: chat-decode\n", "metadata:\n  name: chat-serving\n")
    assert follows(found)[0] == (
        "interrupts: the Deployment of decode is deleted, and chat-serving takes its place: "
        "their pods all stop, and new ones start"
    )


def test_a_strategy_says_whether_an_update_waits_for_room() -> None:
    image = ("llm-d-aws:v0.5.1", "llm-d-aws:v0.5.1-1")
    assert follows(edited(DECODE, *image))[:2] == [
        RESTART,
        "interrupts: the only decode pod goes before its successor starts: nothing serves (downtime)",
    ]
    assert [line for line in follows(edited(DECODE, *image, TWO)) if "only" in line or "room" in line] == []
    ((_, files),) = side(PD).items()
    assert ROLLING in files[DECODE]
    text = files[DECODE].replace(ROLLING, "").replace(*image)
    waits = "interrupts: the rolling update of decode waits for room"
    assert any(line.startswith(waits) for line in follows(with_files({DECODE: text})))
    text = files[DECODE].replace(ROLLING, "  strategy: {type: Recreate}\n").replace(*image)
    assert follows(with_files({DECODE: text}))[0] == (
        "interrupts: decode pods restart, all at once; their prefix caches are lost"
    )


def test_groups_are_replaced_one_by_one_and_another_size_replaces_them_too() -> None:
    assert follows(edited(DECODE, "    size: 2\n", "    size: 3\n", WIDE))[:2] == [
        GROUPS,
        "interrupts: the only decode group goes before its successor starts: nothing serves (downtime)",
    ]
    leader = "    workerTemplate:\n"
    found = edited(DECODE, leader, f"    leaderTemplate:\n      metadata:\n        labels: {{a: b}}\n{leader}", WIDE)
    assert GROUPS in follows(found)


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        (
            GATEWAY,
            "port: 80\n",
            "port: 8080\n",
            ["breaks: clients must use port 8080 of the Gateway, no longer 80"],
        ),
        (
            GATEWAY,
            "  name: chat-gateway\n  namespace",
            "  name: other\n  namespace",
            ["breaks: another Gateway takes the place of the old one: its address changes"],
        ),
        (PARAMETERS, "misc:error", "misc:info", [ROLLED]),
        (PARAMETERS, 'cpu: "16"', 'cpu: "8"', [ROLLED]),
        (
            PARAMETERS,
            "type: ClusterIP",
            "type: LoadBalancer",
            ["note: a load balancer is made (Service type ClusterIP -> LoadBalancer)"],
        ),
    ],
)
def test_the_way_in_is_kept_rolled_or_replaced(path: str, old: str, new: str, expected: list[str]) -> None:
    assert follows(edited(path, old, new, PLAIN)) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("extProcPort: 9002", "extProcPort: 9012", []),
        ("interval: 10s", "interval: 20s", []),
        ('v: "1"', 'v: "2"', [f"interrupts: the scheduler restarts {AGAIN.format('fail')}"]),
        (
            "pluginsConfigFile: plugins.yaml\n  pluginsCustomConfig:\n    plugins.yaml:",
            "pluginsConfigFile: p.yaml\n  pluginsCustomConfig:\n    p.yaml:",
            [f"interrupts: the scheduler restarts {AGAIN.format('fail')}"],
        ),
        (
            "nonCachedTokens: 16",
            "nonCachedTokens: 32",
            [
                "note: the scheduler reads its plugins only at start: after the apply "
                "`kubectl -n llm-d-chat rollout restart deployment/chat-router-epp`"
            ],
        ),
    ],
)
def test_the_scheduler_restarts_where_its_deployment_changes(old: str, new: str, expected: list[str]) -> None:
    assert follows(edited(ROUTER, old, new)) == expected


def test_the_router_chart_restarts_its_scheduler_for_what_is_in_its_pod_alone() -> None:
    again = f"interrupts: the scheduler restarts {AGAIN.format('go to any pod of the pool, prefill or decode,')}"
    assert follows(edited(ROUTER, "interval: 10s", "interval: 20s", PD9)) == []
    assert follows(edited(ROUTER, "memory: 16Gi", "memory: 32Gi", PD9)) == [again]


def test_a_secret_that_only_the_new_pods_name_has_to_exist() -> None:
    pull = "      serviceAccountName: chat\n"
    found = edited(DECODE, pull, f"{pull}      imagePullSecrets:\n        - name: ecr\n")
    assert "note: the Secret ecr must exist in llm-d-chat before the apply" in follows(found)


def test_a_release_with_another_router_chart_changes_chart_pool_and_scheduler() -> None:
    text = write(compared(changed(PD, {"spec.release": "v0.6.0"}), PD9))
    for line in (
        "  - charts inferencepool: v1.4.0",
        "  + charts llm-d-router-gateway from: oci://ghcr.io/llm-d/charts",
        "  - scheduler values/router.yaml inferenceExtension.pluginsConfigFile: plugins.yaml",
        "  => note: CRDs and controllers of v0.9.0 come first: `llmdgen render --prerequisites` writes them",
        "  => note: another chart may change more than its values: see `helmfile diff`",
    ):
        assert line in text.splitlines()
    assert "pool target ports" not in text
    assert "pool selector" not in text
    assert "scheduler replicas" not in text


def test_the_way_back_from_a_release_that_replaces_is_refused_too() -> None:
    """The scheduler's Deployment has another selector: on a real API server the apply fails either way."""
    back = "breaks: v0.6.0 replaces the deployment, `helmfile apply` over the old one does not: choose another name"
    assert follows(compared(PD9, changed(PD9, {"spec.release": "v0.6.0"})))[0].startswith(back)


def test_a_priority_class_that_only_the_new_pods_name_has_to_exist() -> None:
    pods = {"spec.decode.pod": {"priorityClassName": "serving"}}
    says = "note: the PriorityClass serving must exist before the apply: pods are refused without it"
    assert says in follows(compared(PD9, changed(PD9, pods)))
    assert says not in follows(compared(changed(PD9, pods), PD9))
