"""The files of a target become its state."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from llmdgen.diff.deployment import SERVERS, allocation_facts, helmfile, release_facts
from llmdgen.diff.gateway import KIND as GATEWAY
from llmdgen.diff.gateway import gateway_facts, parameters_of
from llmdgen.diff.objects import chart_facts, manifests, object_facts
from llmdgen.diff.problem import DiffError
from llmdgen.diff.router import FAILURE_MODE, router_facts
from llmdgen.diff.router import FILE as ROUTER_VALUES
from llmdgen.diff.servers import server_facts
from llmdgen.diff.state import ROLES, Facts, Key, Part, Read, State, Value, under
from llmdgen.diff.yaml import load
from llmdgen.kube.manifest import Manifest
from llmdgen.kube.workload import Workload, workloads
from llmdgen.objects.chart import FOLDER

HELMFILE, ALLOCATION, CHART = "helmfile.yaml", "allocation.yaml", f"{FOLDER}/Chart.yaml"
# A directory with these is a target.
NEEDED = (HELMFILE, ROUTER_VALUES, ALLOCATION, CHART)
# So is one with this, of a layout that is written no more.
OUTDATED = "values/ms.yaml"
_VALUES = "values/"
_NESTED = "a value is nested too deeply"
_RESTORE = "restore the file, or render it again"


def is_read(path: str) -> bool:
    """Whether a file of a target says anything about the deployment; SUMMARY.md, arguments and drawings repeat it."""
    is_values = path.startswith(_VALUES) and path.endswith((".yaml", ".yml")) and path.count("/") == 1
    return path in NEEDED or is_values or path.startswith(f"{FOLDER}/")


class Files(dict[str, str]):
    """A target's files by their path below it, and `place`, where they stand in words of the caller."""

    def __init__(self, files: Mapping[str, str], place: str) -> None:
        self.place = place
        super().__init__(files)


def state(name: str, target: str, files: Files) -> State:
    """The state of a target. Raises DiffError where a file cannot be read."""
    try:
        return _state(name, target, files)
    except RecursionError as error:
        raise DiffError(files.place, _NESTED, _RESTORE) from error


def _state(name: str, target: str, files: Files) -> State:
    def tree(path: str) -> dict[str, object]:
        return load(files.get(path, ""), f"{files.place}/{path}")

    allocation = tree(ALLOCATION)
    release = str(allocation.get("release", ""))
    deployed = helmfile(tree(HELMFILE))
    facts: Facts = release_facts(release) | allocation_facts(allocation) | deployed.facts
    facts |= under("charts", "value", CHART, tree(CHART)) | chart_facts(files)
    for path in files:
        if path.startswith(_VALUES) and path != ROUTER_VALUES:
            facts |= under("deployment", "value", path, tree(path))
    reads = [router_facts(tree(ROUTER_VALUES), deployed.router_chart, f"{files.place}/{ROUTER_VALUES}")]
    owner = str(deployed.facts.get(Key("deployment", "name", f"release {SERVERS}"), ""))
    reads += _objects(manifests(files, files.place, owner, deployed.namespace), release)
    parts: dict[str, Part] = {}
    for read in reads:
        # What two of them call alike, such as the model of two roles where it is not the same one, stays two.
        names = {key: _free(key, value, facts) for key, value in read.facts.items()}
        facts |= {names[key]: value for key, value in read.facts.items()}
        for name, part in read.parts.items():
            keys = frozenset(names[key] for key in part.keys)
            parts[name if name not in parts else f"{name} {len(parts)}"] = structs.replace(part, keys=keys)
    return State(str(allocation.get("name") or name), target, facts, parts)


def _free(key: Key, value: Value, facts: Facts) -> Key:
    """The key, or one beside it where another fact has it already."""
    number = 2
    free = key
    while free in facts and key != FAILURE_MODE and facts[free] != value:
        free, number = Key(key.subject, key.topic, f"{key.name} ({number})"), number + 1
    return free


def _objects(found: list[Manifest], release: str) -> list[Read]:
    """Model servers and Gateway by readers of their own, and every other object under its kind and name."""
    servers = _servers(found, release)
    reads = [server_facts(role, each, release) for role, each in servers.items()]
    known = {id(each.manifest) for each in servers.values()}
    for each in found:
        if each.kind == GATEWAY and id(each) not in known:
            parameters = parameters_of(each, found)
            reads.append(gateway_facts(each, parameters))
            known |= {id(each), id(parameters)}
            break
    roles = {each.manifest.name: role for role, each in servers.items()}
    seen: set[tuple[str, str]] = set()
    for each in found:
        if id(each) not in known:
            called = (each.kind, each.name)
            reads.append(object_facts(each, roles if called not in seen else {}))
            seen.add(called)
    return reads


def _servers(found: list[Manifest], release: str) -> dict[str, Workload]:
    """The model servers of each role: the first workload with that role's label."""
    by_role: dict[str, Workload] = {}
    for each in workloads(found, release):
        if each.role in ROLES:
            by_role.setdefault(each.role, each)
    return {role: by_role[role] for role in ROLES if role in by_role}
