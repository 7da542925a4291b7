"""Suppressions that nothing needs: what one plan cannot say, because a finding may be another instance type's."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from llmdgen.findings import Finding, Located, Severity
from llmdgen.registry import RULES, declare
from llmdgen.spec.model import Spec

NEEDLESS = declare(
    "SPEC028",
    "warning",
    "a suppression that nothing needs",
    """A finding is silenced with its reason. Where no instance type of the spec has such a finding, the reason has
    gone, and what is left would silence the next one unread. In a base a suppression may be for some of the specs
    that extend it, and nothing is said of it.

    Warned: suppress [{code: GW004, reason: ...}] in a spec whose gateway has no load balancer.
    Passes: the same where the load balancer faces the internet without source ranges.
    """,
)
# What only another command or option finds, and a suppression for it may be needed then.
_ON_REQUEST = ("VLLM025",)


def needless(spec: Spec, silenced: Collection[str]) -> Iterator[Located]:
    """A finding for each suppression of a spec that silenced nothing of all its plans, or stands there twice.

    Codes that no rule has, or whose rule is an error, are another rule's to name.
    """
    seen: set[str] = set()
    for index, each in enumerate(spec.spec.suppress):
        place = spec.locate(("spec", "suppress", index, "code"))
        known = RULES.get(each.code)
        is_needed = each.code in silenced and each.code not in seen
        if (known and known.severity is Severity.ERROR) or is_needed or each.code in _ON_REQUEST or place.spec:
            seen.add(each.code)
            continue
        says = f"no instance type of this spec has the finding {each.code}"
        if each.code in seen:
            says = f"{each.code} is suppressed already"
        elif known is None:
            continue
        seen.add(each.code)
        yield Located(Finding(NEEDLESS.code, NEEDLESS.severity, says, "delete the suppression"), place)
