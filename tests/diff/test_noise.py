"""What has no meaning makes no difference, and what has is never dropped."""

from __future__ import annotations

import pytest

from llmdgen.diff.fold import difference
from llmdgen.diff.problem import DiffError
from llmdgen.diff.reading import Files
from llmdgen.diff.text import write

from .conftest import PD, changed, compared, side

KEY = ("chat", "p5.48xlarge")
MS, GAIE = "values/ms.yaml", "values/gaie.yaml"


def edited(path: str, old: str, new: str) -> str:
    """The difference that replacing a text of one file makes."""
    before = side(PD)
    files = dict(before[KEY])
    assert old in files[path]
    files[path] = files[path].replace(old, new)
    return write(difference(before, {KEY: Files(files, "edited")}))


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.startswith(("  ~", "  +", "  -"))]


NOISE: dict[str, tuple[str, str, str]] = {
    "a comment": (MS, "multinode: false", "# one node\nmultinode: false"),
    "spelling of a flag": (MS, "--block-size=128", "--block_size=128"),
    "a value behind its flag": (MS, "- --block-size=128", '- --block-size\n        - "128"'),
    "a human number": (MS, "--max-model-len=32000", "--max-model-len=32k"),
    "spaces in JSON": (MS, '"kv_role":"kv_both"', '"kv_role": "kv_both"'),
    "order of JSON keys": (
        MS,
        '{"kv_connector":"NixlConnector","kv_role":"kv_both"',
        '{"kv_role":"kv_both","kv_connector":"NixlConnector"',
    ),
    "cpu in millicores": (MS, 'cpu: "8"', "cpu: 8000m"),
    "memory in Mi": (MS, "memory: 64Gi", "memory: 65536Mi"),
    "quotes": (MS, "type: nvidia", 'type: "nvidia"'),
    "a comment in the plugins": (GAIE, "      plugins:\n", "      plugins: # all of them\n"),
    "the summary": ("SUMMARY.md", "chat", "talk"),
    "the drawing": ("topology.svg", "p5", "p6"),
    "the arguments as printed": ("vllm/decode.args", "--block-size=128", "--block-size=64"),
}


@pytest.mark.parametrize("case", NOISE)
def test_noise_is_no_difference(case: str) -> None:
    assert edited(*NOISE[case]) == "no difference in meaning (1 target compared)\n"


def test_the_order_of_arguments_variables_and_keys_is_noise() -> None:
    one = changed(PD, {"spec.decode.args": {"max-num-seqs": 64, "seed": 7}, "spec.decode.env": {"A": "1", "B": "2"}})
    two = changed(PD, {"spec.decode.args": {"seed": 7, "max-num-seqs": 64}, "spec.decode.env": {"B": "2", "A": "1"}})
    assert compared(one, two).is_empty


MEANT: dict[str, tuple[str, str, str, list[str]]] = {
    "an unknown key": (
        MS,
        "multinode: false",
        "multinode: false\nfancy: {a: [1, 2]}",
        ["+ deployment values/ms.yaml fancy.a: 1, 2"],
    ),
    "an unknown key of a role": (
        MS,
        "decode:\n  create: true\n",
        "decode:\n  create: true\n  hostIPC: true\n",
        ["+ decode values/ms.yaml decode.hostIPC: true"],
    ),
    "a limit apart from its request": (
        MS,
        'limits:\n          cpu: "16"',
        'limits:\n          cpu: "20"',
        ["- decode cpu: 16", "+ decode cpu limit: 20", "+ decode cpu request: 16"],
    ),
    "a flag that vLLM does not know": (
        MS,
        "- --block-size=128",
        "- --block-size=128\n        - --fancy=1",
        ["+ prefill, decode --fancy: 1"],
    ),
    "a probe": (
        MS,
        "path: /health",
        "path: /healthz",
        ["~ prefill, decode livenessProbe httpGet.path: /health -> /healthz"],
    ),
    "a key of the pool": (
        GAIE,
        "modelServerType: vllm",
        "modelServerType: sglang",
        ["~ pool modelServerType: vllm -> sglang"],
    ),
    "a timeout of the route": (
        MS,
        "            request: 0s",
        "            request: 30s",
        ["~ route HTTPRoute spec.rules[0].timeouts.request: 0s -> 30s"],
    ),
    "true is not 1": (
        MS,
        "mountModelVolume: true",
        "mountModelVolume: 1",
        ["~ prefill, decode mountModelVolume: true -> 1"],
    ),
    "a chart's version": (
        "helmfile.yaml",
        "version: v0.4.7",
        "version: v0.4.9",
        ["~ charts llm-d-modelservice: v0.4.7 -> v0.4.9"],
    ),
    "a chart of a directory": (
        "helmfile.yaml",
        "chart: llm-d-infra/llm-d-infra\n    version: v1.3.6",
        "chart: ../charts/llm-d-infra",
        ["~ charts llm-d-infra: v1.3.6 -> local: ../charts/llm-d-infra"],
    ),
    "a reference to another release": (
        MS,
        "name: gaie-chat",
        "name: gaie-talk",
        ["~ route HTTPRoute spec.rules[0].backendRefs[0].name: <gaie> -> gaie-talk"],
    ),
}


@pytest.mark.parametrize("case", MEANT)
def test_what_has_no_name_of_its_own_is_shown_under_its_path(case: str) -> None:
    path, old, new, expected = MEANT[case]
    assert lines(edited(path, old, new)) == expected


BROKEN: dict[str, tuple[str, str]] = {
    "a tab": ("a:\n\tb: 1\n", "edited/values/ms.yaml:2:1: error: this is not YAML"),
    "two keys": ("a: 1\na: 2\n", "edited/values/ms.yaml:2:1: error: this is not YAML"),
    "a list": ("- a\n", "edited/values/ms.yaml:1:1: error: a mapping is expected here"),
    "a Python object": (
        "a: !!python/object/apply:os.system [ls]\n",
        "edited/values/ms.yaml:1:4: error: this is not YAML",
    ),
    "an alias of itself": ("a: &a [*a]\n", "edited/values/ms.yaml: error: this YAML is larger or deeper"),
    "a billion laughs": (
        "a: &a ["
        + "x," * 99
        + "]\n"
        + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 99)}]\n" for a, b in ("ab", "bc", "cd")),
        "edited/values/ms.yaml: error: this YAML is larger or deeper",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_yaml_that_cannot_be_read_is_named_with_its_place(case: str) -> None:
    text, expected = BROKEN[case]
    before = side(PD)
    with pytest.raises(DiffError) as caught:
        difference(before, {KEY: Files({**before[KEY], MS: text}, "edited")})
    assert str(caught.value).startswith(expected)
    assert "(fix: " in str(caught.value)


@pytest.mark.parametrize("mangled", ["null", "[]", "7", "text", "{}", "[1, [2]]", "{a: null}"])
@pytest.mark.parametrize("key", ["prefill", "decode", "modelArtifacts", "routing", "extraObjects", "multinode"])
def test_values_of_any_shape_are_compared_and_not_stumbled_over(key: str, mangled: str) -> None:
    before = side(PD)
    files = dict(before[KEY])
    files[MS] = f"{key}: {mangled}\n"
    found = difference(before, {KEY: Files(files, "edited")})
    assert not found.is_empty


def test_a_model_that_the_values_no_longer_name_is_no_stumbling_block() -> None:
    found = compared(PD, changed(PD, {"spec.values.ms.modelArtifacts": "openai/gpt-oss-120b"}))
    assert not found.is_empty
