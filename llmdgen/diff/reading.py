"""The files of a target become its state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmdgen.diff.problem import DiffError
from llmdgen.diff.state import Facts, State
from llmdgen.diff.surroundings import allocation_facts, gateway_facts, helmfile_facts, scheduler_facts
from llmdgen.diff.workloads import workload_facts
from llmdgen.diff.yaml import load

# A directory with these is a target.
MARKS = ("helmfile.yaml", "values/ms.yaml")
READ = (*MARKS, "values/gaie.yaml", "values/infra.yaml", "allocation.yaml")
_ARGUMENTS = "vllm/"


def is_read(path: str) -> bool:
    """Whether a file of a target says anything about the deployment; SUMMARY.md and drawings repeat it."""
    return path in READ or (path.startswith(_ARGUMENTS) and path.endswith(".args") and path.count("/") == 1)


class Files(dict[str, str]):
    """A target's files by their path below it, and `place`, where they stand in words of the caller."""

    def __init__(self, files: Mapping[str, str], place: str) -> None:
        self.place = place
        super().__init__(files)


def state(name: str, target: str, files: Files) -> State:
    """The state of a target. Raises DiffError where a file cannot be read."""
    trees = {path: load(files.get(path, ""), f"{files.place}/{path}") for path in READ}
    allocation = trees["allocation.yaml"]
    release = str(allocation.get("release", ""))
    facts: Facts = {}
    try:
        facts |= allocation_facts(allocation)
        facts |= helmfile_facts(trees["helmfile.yaml"])
        facts |= gateway_facts(trees["values/infra.yaml"])
        facts |= scheduler_facts(trees["values/gaie.yaml"], f"{files.place}/values/gaie.yaml")
        facts |= workload_facts(trees["values/ms.yaml"], release, _arguments(files))
    except RecursionError as error:
        raise DiffError(files.place, "a value is nested too deeply", "restore the file, or render it again") from error
    return State(name, target, facts)


def _arguments(files: Files) -> dict[str, tuple[str, ...]]:
    """The arguments of each role; of a role of several nodes those of its first."""
    found: dict[str, Any] = {}
    for path in sorted(files, reverse=True):
        if path.startswith(_ARGUMENTS):
            role = path[len(_ARGUMENTS) :].partition(".")[0].partition("-")[0]
            found[role] = tuple(files[path].splitlines())
    return found
