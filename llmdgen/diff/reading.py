"""The files of a target become its state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmdgen.diff.problem import DiffError
from llmdgen.diff.state import Facts, Key, State
from llmdgen.diff.surroundings import allocation_facts, gateway_facts, helmfile_facts, release_facts, scheduler_facts
from llmdgen.diff.workloads import workload_facts
from llmdgen.diff.yaml import load

# A directory with these is a target.
MARKS = ("helmfile.yaml", "values/ms.yaml")
ALLOCATION = "allocation.yaml"
READ = (*MARKS, "values/gaie.yaml", "values/infra.yaml", ALLOCATION)
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
    allocation = trees[ALLOCATION]
    release = str(allocation.get("release", ""))
    facts: Facts = {}
    try:
        facts |= allocation_facts(allocation)
        facts |= helmfile_facts(trees["helmfile.yaml"])
        facts |= gateway_facts(trees["values/infra.yaml"])
        facts |= scheduler_facts(trees["values/gaie.yaml"], f"{files.place}/values/gaie.yaml")
        facts |= workload_facts(trees["values/ms.yaml"], release, _arguments(files))
        facts = release_facts(release) | facts
    except RecursionError as error:
        raise DiffError(files.place, "a value is nested too deeply", "restore the file, or render it again") from error
    return State(name, target, _without_names(facts))


def _without_names(facts: Facts) -> Facts:
    """The facts with the releases and the namespace called by what they are wherever an object refers to them, so that
    another name is one change and not twenty. A reference to something else stays as it is, and shows."""
    import re

    names = {what: facts.get(Key("deployment", "name", f"release {what}")) for what in ("infra", "gaie", "ms")}
    known = {f"<{what}>": re.escape(name) for what, name in names.items() if isinstance(name, str) and name}
    namespace = facts.get(Key("deployment", "namespace", "namespace"))

    def neutral(text: str) -> str:
        for what, name in known.items():
            text = re.sub(rf"(?<![\w-]){name}(?![A-Za-z0-9_])", what, text)
        return text

    found: Facts = {}
    for key, value in facts.items():
        if key.topic == "value":
            key = Key(key.subject, key.topic, neutral(key.name))
            if isinstance(value, str):
                is_namespace = value == namespace and key.name.endswith("namespace")
                value = "<namespace>" if is_namespace else neutral(value)
        found[key] = value
    return found


def _arguments(files: Files) -> dict[str, tuple[str, ...]]:
    """The arguments of each role; of a role of several nodes those of its first."""
    found: dict[str, Any] = {}
    for path in sorted(files, reverse=True):
        if path.startswith(_ARGUMENTS):
            role = path[len(_ARGUMENTS) :].partition(".")[0].partition("-")[0]
            found[role] = tuple(files[path].splitlines())
    return found
