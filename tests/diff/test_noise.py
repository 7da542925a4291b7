"""What has no meaning makes no difference, and what has is never dropped."""

from __future__ import annotations

import msgspec
import pytest

from llmdgen import plain_yaml
from llmdgen.diff.fold import Difference, difference
from llmdgen.diff.reading import Files
from llmdgen.diff.text import write
from llmdgen.diff.yaml import DiffError

from .conftest import PD, changed, compared, edited, side, with_files

KEY = ("chat", "p5.48xlarge")
DECODE, PREFILL, ROUTER = "chart/templates/decode.yaml", "chart/templates/prefill.yaml", "values/router.yaml"
ROUTE, GATEWAY, PARAMETERS = (f"chart/templates/{name}.yaml" for name in ("route", "gateway", "gateway-parameters"))


def lines(found: Difference) -> list[str]:
    return [line.strip() for line in write(found).splitlines() if line.startswith(("  ~", "  +", "  -"))]


NOISE: dict[str, tuple[str, str, str]] = {
    "a comment": (DECODE, "kind: Deployment", "# one node\nkind: Deployment"),
    "cpu in millicores": (DECODE, 'cpu: "16"', "cpu: 16000m"),
    "memory in Mi": (DECODE, "memory: 64Gi", "memory: 65536Mi"),
    "quotes": (DECODE, "kind: Deployment", 'kind: "Deployment"'),
    "order of keys": (DECODE, "apiVersion: apps/v1\nkind: Deployment\n", "kind: Deployment\napiVersion: apps/v1\n"),
    "a comment of the values": (ROUTER, "extProcPort: 9002", "extProcPort: 9002 # gRPC"),
    "the summary": ("SUMMARY.md", "chat", "talk"),
    "the drawing": ("topology.svg", "p5", "p6"),
    "the arguments as printed": ("vllm/decode.args", "--block-size=128", "--block-size=64"),
}


@pytest.mark.parametrize("case", NOISE)
def test_noise_is_no_difference(case: str) -> None:
    assert edited(*NOISE[case]).is_empty


# What means the same and is another text to the cluster, which starts the pods anew.
REWRITTEN: dict[str, tuple[str, str, str]] = {
    "spelling of a flag": ("--block-size=128", "--block_size=128", "args[7]: --block-size=128 -> --block_size=128"),
    "a human number": ("=32000", "=32k", "args[10]: --max-model-len=32000 -> --max-model-len=32k"),
    "a value behind its flag": ("- --seed=7", '- --seed\n            - "7"', "args[12]: --seed=7 -> --seed"),
    "spaces in JSON": ('"kv_role":"kv_both"', '"kv_role": "kv_both"', "args[8]: "),
}
SEEDED = changed(PD, {"spec.decode.args.seed": 7})


@pytest.mark.parametrize("case", REWRITTEN)
def test_pods_start_anew_where_their_text_is_another_though_it_means_the_same(case: str) -> None:
    old, new, expected = REWRITTEN[case]
    found = edited(DECODE, old, new, SEEDED)
    assert lines(found)[0].startswith(f"~ decode spec.containers[0].{expected}")
    assert "=> interrupts: decode pods restart, a rolling update" in write(found)


def test_the_order_of_a_spec_is_noise_where_the_pods_stay_as_they_are() -> None:
    one = changed(PD, {"spec.decode.env": {"A": "1"}, "spec.decode.args": {"seed": 7}})
    two = {**one, "spec": dict(reversed(one["spec"].items()))}
    assert compared(one, two).is_empty


def test_another_order_of_arguments_starts_the_pods_anew() -> None:
    one = changed(PD, {"spec.decode.args": {"max-num-seqs": 64, "seed": 7}})
    two = changed(PD, {"spec.decode.args": {"seed": 7, "max-num-seqs": 64}})
    found = compared(one, two)
    assert lines(found) == [
        "~ decode spec.containers[0].args[12]: --max-num-seqs=64 -> --seed=7",
        "~ decode spec.containers[0].args[13]: --seed=7 -> --max-num-seqs=64",
    ]
    assert "=> interrupts: decode pods restart" in write(found)


def test_the_plugins_written_otherwise_are_said_and_restart_nothing() -> None:
    found = edited(ROUTER, "      plugins:\n", "      plugins: # all of them\n")
    assert [line.partition(":")[0] for line in lines(found)] == ["~ scheduler plugins written as"]
    assert "=>" not in write(found)


MEANT: dict[str, tuple[str, str, str, list[str]]] = {
    "an unknown key of the values": (
        ROUTER,
        "provider:\n",
        "fancy: {a: [1, 2]}\nprovider:\n",
        ["+ gateway values/router.yaml fancy.a: 1, 2"],
    ),
    "an unknown key of a pod": (
        DECODE,
        "      serviceAccountName: chat\n",
        "      serviceAccountName: chat\n      hostIPC: true\n",
        ["+ decode hostIPC: true"],
    ),
    "a limit apart from its request": (
        DECODE,
        'limits:\n              cpu: "16"',
        'limits:\n              cpu: "20"',
        ["- decode cpu: 16", "+ decode cpu limit: 20", "+ decode cpu request: 16"],
    ),
    "a flag that vLLM does not know": (
        DECODE,
        "- --block-size=128",
        "- --block-size=128\n            - --fancy=1",
        ["+ decode --fancy: 1"],
    ),
    "a probe": (
        DECODE,
        "path: /health",
        "path: /healthz",
        ["~ decode livenessProbe httpGet.path: /health -> /healthz"],
    ),
    "an argument of the sidecar": (
        DECODE,
        "- --secure-proxy=false",
        "- --secure-proxy=true",
        ["~ sidecar secure-proxy: false -> true"],
    ),
    "a key of the pool": (
        ROUTER,
        "modelServerType: vllm",
        "modelServerType: sglang",
        ["~ pool modelServerType: vllm -> sglang"],
    ),
    "a timeout of the route": (
        ROUTE,
        "        request: 0s",
        "        request: 30s",
        ["~ route HTTPRoute spec.rules[0].timeouts.request: 0s -> 30s"],
    ),
    "a label of an object": (
        "chart/templates/service-account.yaml",
        "llm-d.ai/deployment: chat",
        "llm-d.ai/deployment: chat\n    team: search",
        ["+ deployment ServiceAccount chat metadata.labels.team: search"],
    ),
    "a monitor of a role": (
        "chart/templates/decode-monitor.yaml",
        "interval: 30s",
        "interval: 10s",
        ["~ decode PodMonitor spec.podMetricsEndpoints[0].interval: 30s -> 10s"],
    ),
    "a router chart's version": (
        "helmfile.yaml",
        "version: v1.3.1",
        "version: v1.4.0",
        ["~ charts inferencepool: v1.3.1 -> v1.4.0"],
    ),
    "a router chart's repository": (
        "helmfile.yaml",
        "oci://registry.k8s.io/gateway-api-inference-extension/charts/",
        "oci://registry.example/charts/",
        [
            "~ charts inferencepool from: oci://registry.k8s.io/gateway-api-inference-extension/charts "
            "-> oci://registry.example/charts"
        ],
    ),
    "a router chart of a directory": (
        "helmfile.yaml",
        "oci://registry.k8s.io/gateway-api-inference-extension/charts/inferencepool\n    version: v1.3.1",
        "../charts/inferencepool",
        [
            "- charts inferencepool: v1.3.1",
            "~ charts inferencepool from: oci://registry.k8s.io/gateway-api-inference-extension/charts "
            "-> local: ../charts",
        ],
    ),
    "a reference to another pool": (
        ROUTE,
        "name: chat-router",
        "name: talk-router",
        ["~ route HTTPRoute spec.rules[0].backendRefs[0].name: chat-router -> talk-router"],
    ),
    "a limit of the Gateway's proxy": (
        PARAMETERS,
        'limits:\n                  cpu: "16"',
        'limits:\n                  cpu: "8"',
        ["~ gateway proxy resources.limits.cpu: 16 -> 8"],
    ),
}


@pytest.mark.parametrize("case", MEANT)
def test_what_reaches_the_cluster_is_shown_under_its_name_or_its_path(case: str) -> None:
    path, old, new, expected = MEANT[case]
    assert lines(edited(path, old, new)) == expected


SCALER = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {name}
  namespace: llm-d-chat
spec:
  maxReplicas: 1
"""


def test_an_object_beside_the_known_ones_is_said_with_what_it_holds() -> None:
    found = with_files({"chart/templates/scaler.yaml": SCALER.format(name="all")})
    assert lines(found) == ["+ deployment HorizontalPodAutoscaler all: spec.maxReplicas: 1"]
    found = with_files({"chart/templates/scaler.yaml": SCALER.format(name="chat-decode")})
    assert lines(found) == ["+ decode HorizontalPodAutoscaler: spec.maxReplicas: 1"]


def test_an_object_that_is_gone_is_said() -> None:
    assert lines(with_files({"chart/templates/service-account.yaml": None})) == [
        "- deployment ServiceAccount chat: automountServiceAccountToken: false"
    ]


@pytest.mark.parametrize("file", ["chart/values.yaml", "chart/templates/_helpers.tpl", "chart/templates/NOTES.txt"])
def test_what_else_the_chart_holds_is_a_text(file: str) -> None:
    assert lines(with_files({file: "a: 1\n"})) == [f"+ file {file}: a: 1"]


def test_a_file_that_helm_would_fill_in_is_a_text() -> None:
    found = with_files({"chart/templates/more.yaml": "kind: {{ .Values.kind }}\n"})
    assert lines(found) == ["+ file chart/templates/more.yaml: kind: {{ .Values.kind }}"]


def test_braces_that_the_chart_passes_on_are_what_helm_prints() -> None:
    found = edited(DECODE, "path: /health\n", 'path: "/{{ `{{` }} x }}"\n')
    assert lines(found) == ["~ decode livenessProbe httpGet.path: /health -> /{{ x }}"]


BROKEN: dict[str, tuple[str, str]] = {
    "a tab": ("a:\n\tb: 1\n", "edited/chart/templates/decode.yaml:2:1: error: this is not YAML"),
    "two keys": ("a: 1\na: 2\n", "edited/chart/templates/decode.yaml:2:1: error: this is not YAML"),
    "a list": ("- a\n", "edited/chart/templates/decode.yaml:1:1: error: a mapping is expected here"),
    "a Python object": (
        "a: !!python/object/apply:os.system [ls]\n",
        "edited/chart/templates/decode.yaml:1:4: error: this is not YAML",
    ),
    "an alias of itself": (
        "a: &a [*a]\n",
        "edited/chart/templates/decode.yaml: error: this is not YAML: it is nested too deeply",
    ),
    "a billion laughs": (
        "a: &a ["
        + "x," * 99
        + "]\n"
        + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 99)}]\n" for a, b in ("ab", "bc", "cd")),
        "edited/chart/templates/decode.yaml: error: this is not YAML: it is nested too deeply",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_yaml_that_cannot_be_read_is_named_with_its_place(case: str) -> None:
    text, expected = BROKEN[case]
    before = side(PD)
    with pytest.raises(DiffError) as caught:
        difference(before, {KEY: Files({**before[KEY], DECODE: text}, "edited")})
    assert str(caught.value).startswith(expected)
    assert "(fix: " in str(caught.value)


MANGLED = ["null", "[]", "7", "1.5", "text", "{}", "[1, [2]]", "{a: null}"]
SHAPES = {
    DECODE: ["spec", "metadata"],
    GATEWAY: ["spec"],
    PARAMETERS: ["data"],
    ROUTER: ["inferencePool", "inferenceExtension", "provider"],
    "helmfile.yaml": ["releases", "repositories"],
    "allocation.yaml": ["roles", "nodes", "total"],
}


@pytest.mark.parametrize("mangled", MANGLED)
@pytest.mark.parametrize(("path", "key"), [(path, key) for path, keys in SHAPES.items() for key in keys])
def test_values_of_any_shape_are_compared_or_refused_with_their_place(path: str, key: str, mangled: str) -> None:
    before = side(PD)
    text = "".join(
        f"{name}: {mangled if name == key else value}\n"
        for name, value in {"apiVersion": "v1", "kind": "Deployment", "metadata": "{name: chat}", key: ""}.items()
    )
    place = ""
    try:
        difference(before, {KEY: Files({**before[KEY], path: text}, "edited")})
    except DiffError as error:
        place = error.place
    assert place in ("", f"edited/{path}:1:1")


PODS = [
    "spec",
    "template",
    "metadata",
    "containers",
    "initContainers",
    "volumes",
    "env",
    "resources",
    "affinity",
    "command",
    "args",
]


@pytest.mark.parametrize("mangled", MANGLED)
@pytest.mark.parametrize("key", PODS)
def test_pods_of_any_shape_are_compared_and_not_stumbled_over(key: str, mangled: str) -> None:
    def put(tree: object) -> object:
        if isinstance(tree, dict):
            return {name: plain_yaml.load(mangled) if name == key else put(value) for name, value in tree.items()}
        return [put(each) for each in tree] if isinstance(tree, list) else tree

    before = side(PD)
    doc = plain_yaml.load(before[KEY][DECODE])
    text = msgspec.json.encode({**doc, "spec": put(doc["spec"])} if key != "spec" else put(doc)).decode()
    assert not difference(before, {KEY: Files({**before[KEY], DECODE: text}, "edited")}).is_empty


def test_roles_of_different_models_are_two_models() -> None:
    found = edited(PREFILL, "openai/gpt-oss-120b", "openai/gpt-oss-20b")
    assert "~ model uri: hf://openai/gpt-oss-120b -> hf://openai/gpt-oss-20b" in lines(found)
    assert "+ model uri (2): hf://openai/gpt-oss-120b" in lines(found)


def test_every_router_chart_of_a_release_is_known() -> None:
    from llmdgen.facts.catalogue import release, release_names, table

    assert {release(name).charts["router"].name for name in release_names()} <= set(table("router-charts.toml"))
