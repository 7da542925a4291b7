"""The files of a target become its state."""

from __future__ import annotations

from collections.abc import Mapping

from llmdgen.diff.deployment import allocation_facts, helmfile
from llmdgen.diff.objects import chart_facts, manifests, object_part
from llmdgen.diff.router import FILE as ROUTER_VALUES
from llmdgen.diff.router import router_parts
from llmdgen.diff.servers import server_parts
from llmdgen.diff.state import Key, Part, State
from llmdgen.diff.yaml import load
from llmdgen.facts.catalogue import release_names
from llmdgen.kube.gateway import parameters_of
from llmdgen.kube.manifest import Manifest
from llmdgen.kube.workload import Workload, workloads
from llmdgen.objects.chart import FOLDER
from llmdgen.spec.fields import ROLES

HELMFILE, ALLOCATION, CHART = "helmfile.yaml", "allocation.yaml", f"{FOLDER}/Chart.yaml"
# A directory with these is a target.
NEEDED = (HELMFILE, ROUTER_VALUES, ALLOCATION, CHART)
_VALUES = "values/"


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

    def tree(path: str) -> dict[str, object]:
        return load(files.get(path, ""), f"{files.place}/{path}")

    allocation, deployed = tree(ALLOCATION), helmfile(tree(HELMFILE))
    facts = allocation_facts(allocation)
    facts.add(deployed.facts)
    facts.under("charts", "value", CHART, tree(CHART))
    facts.add(chart_facts(files))
    for path in files:
        if path.startswith(_VALUES) and path != ROUTER_VALUES:
            facts.under("deployment", "value", path, tree(path))
    found = manifests(files, files.place, deployed.servers, deployed.namespace)
    parts: dict[Key, Part] = {}
    for part in (
        *router_parts(tree(ROUTER_VALUES), deployed.router_chart, f"{files.place}/{ROUTER_VALUES}"),
        *_parts(found, str(allocation.get("release", ""))),
    ):
        for key, value in part.facts.items():
            # Models of two roles that are not the same one stay two.
            is_another = key.topic == "model" and facts.get(key, value) != value
            facts[key if not is_another else Key(key.subject, key.topic, f"{key.name} (2)")] = value
        facts.things.update(part.facts.things)
        parts.setdefault(part.key, part)
    return State(str(allocation.get("name") or name), target, facts, parts)


def _parts(found: list[Manifest], release: str) -> list[Part]:
    """Model servers and Gateway by readers of their own, and every other object under its kind and name.

    The arguments of a release that is not known are read as those of the newest.
    """
    by_role: dict[str, Workload] = {}
    for workload in workloads(found, release if release in release_names() else release_names()[-1]):
        if workload.role in ROLES:
            by_role.setdefault(workload.role, workload)
    parts = [part for role in ROLES if role in by_role for part in server_parts(role, by_role[role])]
    known: list[Manifest | None] = [each.manifest for each in by_role.values()]
    gateway = next((each for each in found if each.kind == "Gateway"), None)
    for label, each in (("Gateway", gateway), ("parameters", gateway and parameters_of(gateway, found))):
        if each is not None:
            parts.append(object_part(each, "gateway", label))
            known.append(each)
    # What is called like the workload of a role is that role's.
    roles = {each.manifest.name: role for role, each in by_role.items()}
    for each in found:
        if not any(each is other for other in known):
            subject = roles.get(each.name, "route" if each.kind == "HTTPRoute" else "deployment")
            parts.append(
                object_part(each, subject, f"{each.kind} {each.name}" if subject == "deployment" else each.kind)
            )
    return parts
