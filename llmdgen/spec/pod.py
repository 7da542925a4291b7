"""`pod` of a role, the part of a PodSpec that is merged into what llmdgen makes: that Kubernetes knows what it says.

What it does to the deployment is judged on the merged objects; here are its fields, their types, and the directives.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.findings import Finding
from llmdgen.spec.errors import error
from llmdgen.spec.fields import ROLES
from llmdgen.spec.words import dotted
from llmdgen.untyped import mapping

_CODES = {"unknown": "SPEC005", "type": "SPEC007", "twice": "SPEC014"}


def misfits(spec: dict[str, Any]) -> Iterator[Finding]:
    """Findings about `pod` of each role that has one."""
    for role in ROLES:
        pod = mapping(mapping(spec.get(role)).get("pod"))
        if pod:
            yield from _of(pod, role)


def _of(pod: dict[str, Any], role: str) -> Iterator[Finding]:
    from llmdgen.kube.merge import BadPatch, merge
    from llmdgen.kube.typed import POD, TYPE
    from llmdgen.kube.typed import misfits as of_kind

    at = ("spec", role, "pod")
    fits = True
    for each in of_kind(pod, POD):
        fits = False
        says = f"{dotted(each.route)} {each.says}" if each.what == TYPE else each.says
        yield error(_CODES[each.what], says, each.fix, (*at, *each.route), each.what == "unknown")
    if fits:
        try:
            merge({}, pod)
        except BadPatch as bad:
            yield error("SPEC008", str(bad), bad.fix, (*at, *bad.route))
