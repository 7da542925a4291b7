"""scripts/bench.py: when a figure is an error, and that a command that fails is never measured as a fast one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts import bench


@pytest.mark.parametrize(("value", "verdict"), [(9.9, "ok"), (12.4, "within the noise"), (12.6, "EXCEEDED")])
def test_a_figure_fails_only_where_it_is_a_quarter_above_its_limit(value: float, verdict: str) -> None:
    figure = bench.Figure("CPU of a render", value, 10, "x")
    assert verdict in str(figure)
    assert figure.exceeds == (verdict == "EXCEEDED")


def test_a_process_is_measured_by_its_cpu_time_and_memory(tmp_path: Path) -> None:
    idle = bench.run([sys.executable, "-c", "import time; time.sleep(0.3)"], tmp_path)
    busy = bench.run([sys.executable, "-c", "kept = bytes(10**7) * 9\nfor _ in range(3 * 10**6): pass"], tmp_path)
    assert idle.clock > 0.3 > idle.cpu
    assert busy.memory > 90  # a process cannot show less than the one that started it, so that `idle` says nothing here


def test_a_command_that_fails_ends_the_bench_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"exit 1\n.*no such"):
        bench.run([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path)
