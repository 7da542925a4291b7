"""helmfile.yaml and allocation.yaml as facts: what is deployed as a whole, from which charts, and on how much."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from llmdgen.diff.router import FAILURE_MODE, FILE
from llmdgen.diff.state import ROLES, Facts, Key, fact, named, taken, under
from llmdgen.untyped import items, mapping

SERVERS = "servers"
ROUTER = "router"


class Helmfile(Struct, frozen=True):
    """What helmfile.yaml says, and what other readers need of it: namespace, and the name of the router's chart."""

    facts: Facts
    namespace: str
    router_chart: str


def helmfile(tree: dict[str, Any]) -> Helmfile:
    """Releases, namespace, and the charts by repository and version."""
    facts: Facts = {}
    namespaces: dict[str, None] = {}
    router_chart = ""
    for number, release in enumerate(map(mapping, items(taken(tree, "releases"))), 1):
        chart = str(release.pop("chart", ""))
        repository, _, name = chart.rpartition("/")
        is_local = chart.startswith((".", "/"))
        if FILE in map(str, items(release.get("values"))):
            what, router_chart = ROUTER, name
        else:
            what = SERVERS if is_local else f"{number}"
        facts[Key("deployment", "name", f"release {what}")] = fact(release.pop("name", None))
        namespaces[str(release.pop("namespace", ""))] = None
        facts[Key("charts", "chart", f"{name} from")] = f"local: {repository}" if is_local else repository
        if (version := release.pop("version", None)) is not None:
            facts[Key("charts", "chart", name)] = fact(version)
        # Which namespace a release is in is a fact already.
        release["needs"] = [str(need).rpartition("/")[2] for need in items(release.get("needs"))]
        facts |= under("deployment", "value", f"helmfile.yaml {what}", release)
    namespace = ", ".join(sorted(namespaces))
    facts[Key("deployment", "namespace", "namespace")] = namespace
    for name, repository_of in named(items(taken(tree, "repositories"))).items():
        facts |= under("charts", "value", f"repository {name}", repository_of)
    facts |= under("deployment", "value", "helmfile.yaml", tree)
    return Helmfile(facts, namespace, router_chart)


def release_facts(name: str) -> Facts:
    """What follows of an llm-d release, and no file of a target says: the version of vLLM, and what its chart takes
    where the values are silent. Nothing of a release that is not known."""
    from llmdgen.facts.catalogue import release, release_names

    if name not in release_names():
        return {}
    found = release(name)
    return {Key("deployment", "release", "vLLM"): found.vllm, FAILURE_MODE: found.pool_failure_mode}


def tier_name(tier: str) -> str:
    """What a cache tier's size is called: storage is one for all pods, the others are each pod's own."""
    return f"{tier} cache, of all pods together" if tier == "storage" else f"{tier} cache of a pod"


def allocation_facts(tree: dict[str, Any]) -> Facts:
    """allocation.yaml: what the deployment takes. Sizes that the objects state too are left to them."""
    facts: Facts = {
        Key("deployment", "release", "llm-d release"): fact(tree.get("release")),
        Key("deployment", "paths", "well-lit paths"): fact(tree.get("paths")),
    }
    for role, taken_by in mapping(tree.get("roles")).items():
        if role not in ROLES:
            continue
        sizes = mapping(taken_by)
        facts[Key(role, "placement", "instance type")] = fact(sizes.get("instanceType"))
        cache = mapping(sizes.get("kvCache"))
        facts[Key(role, "cache", "KV cache tokens of a rank")] = fact(cache.get("tokensPerRank"))
        facts[Key(role, "cache", "longest request in tokens")] = fact(cache.get("maxModelLen"))
        facts[Key(role, "total", "GPUs of a pod")] = fact(sizes.get("gpusPerPod"))
        facts[Key(role, "total", "pods on a node")] = fact(sizes.get("podsPerNode"))
        for tier, size in mapping(sizes.get("cacheTiers")).items():
            facts[Key(role, "cache", tier_name(str(tier)))] = fact(size)
    for pool in map(mapping, items(tree.get("nodes"))):
        name = str(pool.get("instanceType"))
        nodes, gpus = pool.get("nodes"), mapping(pool.get("gpus"))
        facts[Key("capacity", "nodes", f"{name} nodes")] = fact(nodes)
        used, of = gpus.get("used"), gpus.get("of")
        if isinstance(used, int) and isinstance(of, int):
            facts[Key("capacity", "room", name)] = of
    for each in map(mapping, items(tree.get("suppressed"))):
        facts[Key("deployment", "suppressed", f"suppressed finding {each.get('code')}")] = fact(each.get("reason"))
    total = mapping(tree.get("total"))
    for key, name in (("pods", "pods"), ("gpus", "GPUs"), ("efa", "EFA interfaces")):
        facts[Key("capacity", "total", name)] = fact(total.get(key))
    return {key: value for key, value in facts.items() if value is not None}
