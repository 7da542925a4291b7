"""Settings become arguments, and arguments become the same settings again."""

from __future__ import annotations

import pytest

from llmdgen.engine.argv import ArgumentError, arguments
from llmdgen.engine.flags import FlagTable
from llmdgen.engine.numbers import human_int
from tests.engine.cases import parsed


@pytest.mark.parametrize(
    ("name", "value", "lines"),
    [
        ("enable-expert-parallel", True, ["--enable-expert-parallel"]),
        ("enable-prefix-caching", False, ["--no-enable-prefix-caching"]),
        ("headless", False, []),
        ("max-num-seqs", None, []),
        ("max-num-seqs", 256, ["--max-num-seqs=256"]),
        ("kv-cache-memory-bytes", 64424509440, ["--kv-cache-memory-bytes=64424509440"]),
        ("gpu-memory-utilization", 0.9, ["--gpu-memory-utilization=0.9"]),
        ("tokenizer", "-odd", ["--tokenizer=-odd"]),
        ("allowed-origins", ["*"], ['--allowed-origins=["*"]']),
        ("allowed-media-domains", ["a.example", "b.example"], ["--allowed-media-domains", "a.example", "b.example"]),
        ("middleware", ["a.B", "c.D"], ["--middleware=a.B", "--middleware=c.D"]),
        ("limit-mm-per-prompt", {"image": 2}, ['--limit-mm-per-prompt={"image":2}']),
        (
            "kv-transfer-config",
            {"kv_role": "kv_both", "kv_connector": "NixlConnector", "kv_buffer_size": 1e9},
            ['--kv-transfer-config={"kv_role":"kv_both","kv_connector":"NixlConnector","kv_buffer_size":1000000000.0}'],
        ),
    ],
)
def test_a_setting_becomes_its_lines(table: FlagTable, name: str, value: object, lines: list[str]) -> None:
    assert list(arguments({name: value}, table)) == lines


def test_settings_keep_their_order(table: FlagTable) -> None:
    names = [line.split("=")[0] for line in arguments({"seed": 1, "block-size": 128, "dtype": "bfloat16"}, table)]
    assert names == ["--seed", "--block-size", "--dtype"]


def test_settings_survive_the_way_to_arguments_and_back(table: FlagTable) -> None:
    settings = {
        "max-model-len": 32000,
        "gpu-memory-utilization": 0.95,
        "enable-prefix-caching": False,
        "async-scheduling": True,
        "api-key": ["a", "b"],
        "middleware": ["x.Y"],
        "kv-transfer-config": {"kv_connector": "NixlConnector", "kv_connector_extra_config": {"backends": ["UCX"]}},
    }
    assert parsed(arguments(settings, table), table) == settings


@pytest.mark.parametrize(
    ("argv", "settings"),
    [
        (["--port", "8000"], {"port": 8000}),
        (["org/model", "--port", "8200"], {"model": "org/model", "port": 8200}),
        (["-tp", "4"], {"tensor-parallel-size": 4}),
        (["-tp=4"], {"tensor-parallel-size": 4}),
        (["-O3"], {"optimization-level": 3}),
        (["-O=2"], {"optimization-level": 2}),
        (["-O", "2"], {"optimization-level": 2}),
        (["--max_num_seqs=7"], {"max-num-seqs": 7}),
        (["--max-model-len", "32k"], {"max-model-len": 32000}),
        (["--max-model-len", "32K"], {"max-model-len": 32768}),
        (["--max-model-len=auto"], {"max-model-len": -1}),
        (["--max-model-len", "-1"], {"max-model-len": -1}),
        (["--no-enable-prefix-caching"], {"enable-prefix-caching": False}),
        (["--served-model-name", "a", "b", "--seed", "1"], {"served-model-name": ["a", "b"], "seed": 1}),
        (["--hf-token", "--seed=1"], {"hf-token": True, "seed": 1}),
        (["--revision=None"], {"revision": None}),
        (["--seed=1", "--seed=2"], {"seed": 2}),
        (
            ["--kv-transfer-config.kv_connector", "NixlConnector", "--kv-transfer-config.kv_rank=1"],
            {"kv-transfer-config": {"kv_connector": "NixlConnector", "kv_rank": 1}},
        ),
        (["--compilation-config.custom_ops+", "a,b"], {"compilation-config": {"custom_ops": ["a", "b"]}}),
    ],
)
def test_every_spelling_that_vllm_takes_is_read(table: FlagTable, argv: list[str], settings: dict[str, object]) -> None:
    assert parsed(argv, table) == settings


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--max-num-seq=1"], "unrecognized argument --max-num-seq"),
        (["--max-num-seqs"], "expects a value"),
        (["--max-num-seqs", "--seed=1"], "expects a value"),
        (["--max-num-seqs=many"], "is no int"),
        (["--enable-expert-parallel=true"], "takes no value"),
        (["--no-max-num-seqs"], "unrecognized argument --no-max-num-seqs"),
        (["--no-headless"], "unrecognized argument --no-headless"),
        (["--kv-transfer-config={"], "is no json"),
        (["--all2all-backend=deepep"], "is not one of"),
        (["-zz"], "unrecognized argument -zz"),
        (["one/model", "another/model"], "unrecognized argument 'another/model'"),
        (["--seed.key=1"], "takes no keys"),
    ],
)
def test_what_vllm_refuses_is_refused_with_its_reason(table: FlagTable, argv: list[str], says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        parsed(argv, table)


def test_a_binary_suffix_takes_no_decimals() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        human_int("1.5K")
