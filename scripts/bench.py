"""`make bench`: what llmdgen costs, measured in whole processes, beside the limits it is held to.

CPU time is user and system time of a process, as a ratio to that of `python -c pass`, so that it says something on any
machine; of several runs that alternate the median counts. The two large runs are measured by the clock on as many
processors as there are, and the limits are for two. The exit code is 1 where a figure exceeds its limit by more than a
quarter: less than that is the noise of a shared machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "paths" / "pd-disaggregation.yaml"
LLMDGEN = [str(Path(sys.executable).with_name("llmdgen"))]
NOTHING = [sys.executable, "-c", "pass"]
RUNS = 15  # of the short commands
LARGE_RUNS = 3
TOLERANCE = 1.25

SPECS = 100
TYPES = (
    "p4d.24xlarge",
    "p4de.24xlarge",
    "p5.48xlarge",
    "p5e.48xlarge",
    "p5en.48xlarge",
    "p6-b200.48xlarge",
    "p6-b300.48xlarge",
    "g6e.24xlarge",
    "g6e.48xlarge",
    "g7e.48xlarge",
)
SPEC = """\
apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {{name: chat-{number}}}
spec:
  path: inference-scheduling
  instanceTypes: [{types}]
  model: {{name: Qwen/Qwen3-32B}}
  decode:
    replicas: {replicas}
    parallelism: {{tensor: 4}}
  engine:
    args: {{max-model-len: 16384}}
"""


class Cost(NamedTuple):
    """What a process took: CPU seconds, seconds by the clock, peak memory in MB."""

    cpu: float
    clock: float
    memory: float


class Figure(NamedTuple):
    """A measured value, the limit that it is held to, and the unit of both."""

    name: str
    value: float
    limit: float
    unit: str

    @property
    def exceeds(self) -> bool:
        return self.value > self.limit * TOLERANCE

    def __str__(self) -> str:
        verdict = "ok" if self.value <= self.limit else "EXCEEDED" if self.exceeds else "above, within the noise"
        return f"{self.name:48} {self.value:7.2f} {self.unit:2}  limit {self.limit:g} {self.unit}  {verdict}"


def run(command: list[str], folder: Path) -> Cost:
    """Run a command that has to succeed. Raises SystemExit with what it said where it does not."""
    with (folder / "log").open("w+") as log:
        begin = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        clock = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            raise SystemExit(f"bench: {' '.join(command[:4])} ...: exit {process.returncode}\n{log.read()[-2000:]}")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Cost(usage.ru_utime + usage.ru_stime, clock, kilobytes / 1024)


def small(folder: Path) -> Iterator[Figure]:
    """One render of one target and one look at the help, each in a process of its own."""
    render = [*LLMDGEN, "render", str(EXAMPLE), "--instance-type", "p5.48xlarge", "-o"]
    costs: dict[str, list[Cost]] = {"pass": [], "help": [], "render": []}
    for number in range(RUNS):
        costs["pass"].append(run(NOTHING, folder))
        costs["help"].append(run([*LLMDGEN, "--help"], folder))
        costs["render"].append(run([*render, f"out-{number}"], folder))
    cpu = {name: median(cost.cpu for cost in found) for name, found in costs.items()}
    print(", ".join(f"{name} {seconds * 1000:.1f} ms" for name, seconds in cpu.items()), "of CPU")
    yield Figure("CPU of a render to that of python -c pass", cpu["render"] / cpu["pass"], 10, "x")
    yield Figure("CPU of --help to that of python -c pass", cpu["help"] / cpu["pass"], 5, "x")
    yield Figure("peak memory of a render", median(cost.memory for cost in costs["render"]), 60, "MB")


def large(folder: Path) -> Iterator[Figure]:
    """A thousand targets, written and compared."""
    names = [f"chat-{number}.yaml" for number in range(SPECS)]
    for number, name in enumerate(names):
        text = SPEC.format(number=number, types=", ".join(TYPES), replicas=1 + number % 4)
        (folder / name).write_text(text)
    written, checked = [], []
    for number in range(LARGE_RUNS):
        render = [*LLMDGEN, "render", *names, "-o", f"many-{number}"]
        written.append(run(render, folder).clock)
        checked.append(run([*render, "--check"], folder).clock)
    targets = SPECS * len(TYPES)
    yield Figure(f"{targets:,} targets written", median(written), 3, "s")
    yield Figure(f"{targets:,} targets compared with --check", median(checked), 2, "s")


def main() -> int:
    with TemporaryDirectory() as name:
        folder = Path(name)
        run([*LLMDGEN, "render", str(EXAMPLE), "-o", "warm"], folder)  # so that no run has to compile
        figures = []
        for figure in (*small(folder), *large(folder)):
            print(figure, flush=True)
            figures.append(figure)
    return int(any(figure.exceeds for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
