"""The table of flags as it is read."""

from __future__ import annotations

from llmdgen.engine.facts import history
from llmdgen.engine.flags import FlagTable
from llmdgen.facts import catalogue


def test_the_table_is_of_the_releases_vllm(table: FlagTable, release: str) -> None:
    assert table.vllm == catalogue.release(release).vllm
    assert len(table.flags) > 200


def test_a_flag_knows_how_its_value_is_read(table: FlagTable) -> None:
    is_new = table.vllm == "0.26.0"
    flag = table.flags["gpu-memory-utilization"]
    assert (flag.type, flag.default, flag.more_than, flag.at_most) == ("float", 0.92 if is_new else 0.9, 0, 1)
    assert table.flags["block-size"].choices == (() if is_new else (1, 8, 16, 32, 64, 128, 256))
    assert table.flags["speculative-config"].config == "SpeculativeConfig"


def test_a_flag_is_found_by_its_short_form(table: FlagTable) -> None:
    assert str(table.by_short("-tp")) == "--tensor-parallel-size"
    assert table.by_short("-nope") is None


def test_nested_configurations_are_known(table: FlagTable) -> None:
    assert table.configs["CompilationConfig"]["pass_config"].config == "PassConfig"
    assert "fuse_allreduce_rms" in table.configs["PassConfig"]


def test_the_history_tells_when_a_flag_came_and_went() -> None:
    assert history().flags["moe-backend"].first_seen == "0.17.1"
    assert history().flags["swap-space"].missing_from == "0.19.1"
