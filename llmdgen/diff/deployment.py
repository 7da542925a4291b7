"""helmfile.yaml and allocation.yaml as facts: what is deployed as a whole, from which charts, and on how much."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from llmdgen.diff.router import FILE
from llmdgen.diff.state import Facts, named, taken
from llmdgen.facts.catalogue import release, release_names
from llmdgen.spec.fields import ROLES
from llmdgen.untyped import at, items, mapping, maps

SERVERS = "servers"
ROUTER = "router"


def helmfile(given: dict[str, Any]) -> tuple[Facts, str]:
    """Releases, namespace, and the charts by repository and version; and the name of the router's chart."""
    tree, facts = deepcopy(given), Facts()
    namespaces: set[str] = set()
    router_chart, has_servers = "", False
    for number, each in enumerate(map(mapping, items(taken(tree, "releases"))), 1):
        repository, _, chart = str(each.pop("chart", "")).rpartition("/")
        is_local = repository.startswith((".", "/"))
        name = each.pop("name", None)
        if not router_chart and FILE in map(str, items(each.get("values"))):
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


def tier_name(tier: str) -> str:
    """What a cache tier's size is called: storage is one for all pods, the others are each pod's own."""
    return f"{tier} cache, of all pods together" if tier == "storage" else f"{tier} cache of a pod"


def allocation_facts(tree: dict[str, Any]) -> Facts:
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
