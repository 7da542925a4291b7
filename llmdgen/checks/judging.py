"""Everything that the rules say of a plan: of what it decides, its objects, its scheduler, and what vLLM makes of them.

The same rules look at objects in memory and at what helm prints. Here their findings are moved to the places of the
spec that decide about what they found. Over all plans of a spec it says which suppressions nothing needs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec import structs

from llmdgen import registry
from llmdgen.checks import load_plan_checks
from llmdgen.checks.engine import planned_findings
from llmdgen.checks.scheduler import scheduler_config
from llmdgen.findings import Finding, Located, Route, Severity
from llmdgen.kube.servers import Servers
from llmdgen.objects import objects
from llmdgen.objects.chart import servers_of
from llmdgen.planning.model import Plan
from llmdgen.registry import RULES, declare
from llmdgen.spec.model import Spec

_SECTIONS = 2  # a route this long leads to a whole section of the spec, which says little about an object
_TAKEN = "VLLM007"  # a flag that is llmdgen's to set: all objects contradict it
NEEDLESS = declare("""SPEC028 warning: a suppression that nothing needs
    A finding is silenced with its reason. Where no instance type of the spec has such a finding, the reason has
    gone, and what is left would silence the next one unread. In a base a suppression may be for some of the specs
    that extend it, and nothing is said of it.

    Warned: suppress [{code: GW004, reason: ...}] in a spec whose gateway has no load balancer.
    Passes: the same where the load balancer faces the internet without source ranges.
""")
# What only another command or option finds, and a suppression for it may be needed then.
_ON_REQUEST = ("VLLM025",)


def findings(plan: Plan) -> tuple[Finding, ...]:
    """Every finding about a plan at its place in the spec, each once."""
    load_plan_checks()
    servers = servers_of(plan, objects(plan))
    scheduler = registry.run(scheduler_config(plan))
    asked = list(dict.fromkeys((*registry.run(plan), *scheduler, *planned_findings(plan, servers))))
    wrong = [each for each in asked if each.is_error]
    shown = [each for each in _of_objects(plan, servers) if not _follows(each, wrong)]
    return tuple(dict.fromkeys((*asked, *shown)))


def _follows(finding: Finding, wrong: list[Finding]) -> bool:
    """Whether what an object shows is most likely the consequence of an error that has a place of its own: one at the
    same place or, where it leads to a section only, one in any flag or variable, by which everything else is judged."""
    if any(each.code == _TAKEN for each in wrong):
        return True
    if len(finding.at) > _SECTIONS:
        return any(each.at == finding.at for each in wrong)
    return any(each.at[2:3] in (("args",), ("env",)) for each in wrong)


def _of_objects(plan: Plan, servers: Servers) -> Iterator[Finding]:
    """What the rules say of the objects, at the places of the spec; at its path where no field decides about them."""
    for each in registry.run(servers):
        route = servers.spec_route(each.of, each.at)
        at: Route = route if route and route[:_SECTIONS] in plan.spec.places else ("spec", "path")
        says = each.says if len(at) > _SECTIONS else f"{each.of} {each.path}: {each.says}"
        yield structs.replace(each, at=at, says=says, of="")


def needless(spec: Spec, silenced: Collection[str]) -> Iterator[Located]:
    """A finding for each suppression of a spec that silenced nothing of all its plans, or stands there twice.

    Codes that no rule has, or whose rule is an error, are another rule's to name.
    """
    seen: set[str] = set()
    for index, each in enumerate(spec.asked.suppress):
        place, known, twice = spec.locate(("spec", "suppress", index, "code")), RULES.get(each.code), each.code in seen
        seen.add(each.code)
        is_needed = each.code in silenced and not twice
        if (known and known.severity is Severity.ERROR) or is_needed or each.code in _ON_REQUEST or place.spec:
            continue
        if twice or known is not None:
            says = f"no instance type of this spec has the finding {each.code}"
            says = f"{each.code} is suppressed already" if twice else says
            yield Located(Finding(NEEDLESS.code, NEEDLESS.severity, says, "delete the suppression"), place)
