"""The files of a target become its state; helmfile.yaml and allocation.yaml say what is deployed as a whole, from which
charts, and on how much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from llmdgen.diff.objects import is_manifest, manifests, object_part
from llmdgen.diff.router import FILE as ROUTER_VALUES
from llmdgen.diff.router import router_parts
from llmdgen.diff.servers import server_parts
from llmdgen.diff.state import FAILURE_MODE, NAMESPACE, Facts, Key, Part, State, named, taken, tier_name
from llmdgen.diff.yaml import load
from llmdgen.facts.catalogue import release, release_names
from llmdgen.kube.gateway import parameters_of
from llmdgen.kube.workload import Manifest, Workload, workloads
from llmdgen.objects.chart import FOLDER
from llmdgen.report.formats import encodable
from llmdgen.spec.fields import ROLES
from llmdgen.untyped import at, items, mapping, maps

HELMFILE, ALLOCATION, CHART = "helmfile.yaml", "allocation.yaml", f"{FOLDER}/Chart.yaml"
# A directory with these is a target.
NEEDED = (HELMFILE, ROUTER_VALUES, ALLOCATION, CHART)
SERVERS, ROUTER = "servers", "router"  # the releases, whatever they are called
MANIFESTS = "manifests/"  # what helm makes of the rest, where somebody asked for it


def repeats(path: str) -> bool:
    """Whether a file of a target only says again, for people, what the others say."""
    return path in ("SUMMARY.md", "topology.svg") or (path.startswith("vllm/") and path.endswith(".args"))


class Files(dict[str, str]):
    """A target's files by their path below it, and `place`, where they stand in words of the caller. What
    `is_in_memory` was just rendered, without manifests."""

    def __init__(self, files: Mapping[str, str], place: str, is_in_memory: bool = False) -> None:
        self.place, self.is_in_memory = place, is_in_memory
        super().__init__(files)


def state(name: str, target: str, files: Files, has_manifests: bool = True) -> State:
    """The state of a target, with or without its manifests. Raises DiffError where a file cannot be read."""

    def tree(path: str) -> dict[str, object]:
        return load(files.get(path, ""), f"{files.place}/{path}")

    allocation, (deployed, router_chart) = tree(ALLOCATION), _helmfile(tree(HELMFILE))
    facts = _allocation(allocation)
    facts.add(deployed)
    facts.under("charts", "value", CHART, tree(CHART))
    for path, text in files.items():
        # Whatever applies the directory may apply these too, and Helm makes something of all that the chart holds.
        is_known = path in NEEDED or repeats(path) or is_manifest(path, text)
        if not is_known and (has_manifests or not path.startswith(MANIFESTS)):
            facts.say("file", "value", encodable(path), text)
    found = manifests(files, files.place, str(facts[NAMESPACE]))
    parts: dict[Key, Part] = {}
    for part in (
        *router_parts(tree(ROUTER_VALUES), router_chart, f"{files.place}/{ROUTER_VALUES}"),
        *_parts(found, str(allocation.get("release", ""))),
    ):
        facts.add(part.facts)
        parts.setdefault(part.key, part)
    if (known := allocation.get("release")) in release_names():
        facts.setdefault(FAILURE_MODE, release(str(known)).pool_failure_mode)  # as the chart has it
    return State(str(allocation.get("name") or name), target, facts, parts)


def _parts(found: list[Manifest], name: str) -> list[Part]:
    """Model servers and Gateway by readers of their own, and every other object under its kind and name. The arguments
    of a release that is not known are read as those of the newest."""
    by_role: dict[str, Workload] = {}
    for workload in workloads(found, name if name in release_names() else release_names()[-1]):
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
    labels: Counter[tuple[str, str]] = Counter()
    for each in found:
        if not any(each is other for other in known):
            subject = roles.get(each.name, "route" if each.kind == "HTTPRoute" else "deployment")
            label = f"{each.kind} {each.name}" if subject == "deployment" else each.kind
            labels[subject, label] += 1
            number = labels[subject, label]  # the same object twice, or one of another namespace
            parts.append(object_part(each, subject, label if number == 1 else f"{label} ({number})"))
    return parts


def _helmfile(given: dict[str, Any]) -> tuple[Facts, str]:
    """Releases, namespace, and the charts by repository and version; and the name of the router's chart."""
    tree, facts = deepcopy(given), Facts()
    namespaces: set[str] = set()
    router_chart, has_servers = "", False
    for number, each in enumerate(map(mapping, items(taken(tree, "releases"))), 1):
        repository, _, chart = str(each.pop("chart", "")).rpartition("/")
        is_local = repository.startswith((".", "/"))
        name = each.pop("name", None)
        if not router_chart and ROUTER_VALUES in map(str, items(each.get("values"))):
            what, router_chart = ROUTER, chart
        elif is_local and not has_servers:
            what, has_servers = SERVERS, True
        else:
            what = f"{number}"
        facts.say("deployment", "name", f"release {what}", name)
        namespaces.add(str(each.pop("namespace", "")))
        facts.say("charts", "chart", f"{chart} from", f"local: {repository}" if is_local else repository)
        facts.say("charts", "chart", chart, each.pop("version", None))
        # Which namespace a release is in is a fact already.
        each["needs"] = [str(need).rpartition("/")[2] for need in items(each.get("needs"))]
        facts.under("deployment", "value", f"helmfile.yaml {what}", each)
    facts.say("deployment", "namespace", "namespace", ", ".join(sorted(namespaces)))
    for name, repository_of in named(items(taken(tree, "repositories"))).items():
        facts.under("charts", "value", f"repository {name}", repository_of)
    facts.under("deployment", "value", "helmfile.yaml", tree)
    return facts, router_chart


def _allocation(tree: dict[str, Any]) -> Facts:
    """allocation.yaml: what the deployment takes. Sizes that the objects state too are left to them."""
    facts = Facts()
    name = tree.get("release")
    facts.say("deployment", "release", "llm-d release", name)
    if name in release_names():
        facts.say("deployment", "release", "vLLM", release(str(name)).vllm)
    facts.say("deployment", "paths", "well-lit paths", tree.get("paths"))
    for role in ROLES:
        sizes = mapping(at(tree, "roles", role))
        facts.say(role, "placement", "instance type", sizes.get("instanceType"))
        facts.say(role, "cache", "KV cache tokens of a rank", at(sizes, "kvCache", "tokensPerRank"))
        facts.say(role, "cache", "longest request in tokens", at(sizes, "kvCache", "maxModelLen"))
        facts.say(role, "total", "GPUs of a pod", sizes.get("gpusPerPod"))
        facts.say(role, "total", "pods on a node", sizes.get("podsPerNode"))
        for tier, size in mapping(sizes.get("cacheTiers")).items():
            facts.say(role, "cache", tier_name(tier), size)
    for _, pool in maps(tree.get("nodes")):
        facts.say("capacity", "nodes", f"{pool.get('instanceType')} nodes", pool.get("nodes"))
        facts.say("capacity", "room", str(pool.get("instanceType")), at(pool, "gpus", "of"))
    for _, each in maps(tree.get("warnings")):
        facts.say("deployment", "warning", f"warning {each.get('code')}", each.get("says"))
    for _, each in maps(tree.get("suppressed")):
        facts.say("deployment", "suppressed", f"suppressed finding {each.get('code')}", each.get("reason"))
    for key, called in (("pods", "pods"), ("gpus", "GPUs"), ("efa", "EFA interfaces")):
        facts.say("capacity", "total", called, at(tree, "total", key))
    return facts
