"""What the vLLM and the NIXL that are installed beside llmdgen say of a plan: `llmdgen validate --engine`.

These rules run on request alone, for importing vLLM takes seconds. No other check needs an installed vLLM.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.engine.derived import EXTRA, connectors_in
from llmdgen.findings import Finding, Located, Route
from llmdgen.kube.servers import arguments_of
from llmdgen.kube.workload import NIXL
from llmdgen.objects import objects
from llmdgen.objects.chart import servers_of
from llmdgen.objects.origin import PATH
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.registry import declare
from llmdgen.untyped import items, mapping

REFUSED = declare(
    "VLLM023",
    "error",
    "the installed vLLM refuses the arguments",
    """`llmdgen validate --engine` gives everything after `vllm serve`, chart additions included, to the parser of the
    vLLM that is installed. What it refuses would stop the container at its start, if the image holds that vLLM.

    Fails:  a flag that the installed vLLM no longer has.
    Passes: arguments that its parser takes; what only the engine refuses passes too.
    """,
)
NO_BACKEND = declare(
    "VLLM024",
    "error",
    "the installed NIXL has no such backend",
    """NIXL finds its backends as plugins and logs one that is missing, then goes on without it: KV caches would travel
    over TCP. Backends that NIXL ships but cannot load on this machine pass, because the image has their libraries.

    Fails:  backends: [Libfabric], which NIXL writes LIBFABRIC.
    Passes: transfer {backend: LIBFABRIC}; a machine without NIXL, where nothing is asked.
    """,
)
OTHER_VERSION = declare(
    "VLLM025",
    "warning",
    "the installed vLLM is not the release's",
    """Flags come and go between versions of vLLM. An answer of another version than the one in the release's image says
    less: it may refuse what the image takes, and take what the image refuses.

    Warned: vLLM 0.16.0 installed beside a spec with release: v0.5.1, which has 0.15.1.
    Passes: `pip install vllm==0.15.1` beside the same spec.
    """,
)


def installed_findings(plan: Plan) -> tuple[Located, ...]:
    """Findings of the installed vLLM's parser and, where NIXL is installed, of its list of backends.

    Suppressed warnings are left out. Raises `llmdgen.engine.installed.NoVllm` where there is no vLLM to ask.
    """
    silenced = {each.code for each in plan.spec.asked.suppress}
    asked = (*_arguments(plan), *_version(plan), *_backends(plan))
    said = (each for each in asked if each.is_error or each.code not in silenced)
    return tuple(Located(each, plan.spec.locate(each.at)) for each in said)


def _arguments(plan: Plan) -> Iterator[Finding]:
    from llmdgen.engine.installed import check_with_installed_vllm

    for workload in servers_of(plan, objects(plan)).model_servers:
        role = next(each for each in plan.roles if each.name == workload.role)
        for name, argv in arguments_of(workload):
            for complaint in check_with_installed_vllm(argv):
                says = f"the installed vLLM refuses {name}: {complaint}"
                yield REFUSED.at(*_place(role, complaint), says=says, fix="correct the flag, or remove it from args")


def _place(role: RolePlan, complaint: str) -> Route:
    """The place of the first flag that a complaint names and the plan sets; else the role."""
    from re import findall

    names = (name.replace("_", "-") for name in findall(r"--([a-z0-9][-_a-z0-9]*)", complaint))
    return next((role.flag_routes[name] for name in names if name in role.flag_routes), ("spec", role.name))


def _version(plan: Plan) -> Iterator[Finding]:
    from llmdgen.engine.installed import installed_version

    version, wanted = installed_version(), plan.release.vllm
    # 0.15.1+cpu and 0.15.1 have one parser.
    if version is not None and version.partition("+")[0] != wanted:
        says = f"vLLM {version} is installed, and llm-d {plan.release.name} has {wanted}"
        yield OTHER_VERSION.at("spec", "release", says=says, fix=f"pip install vllm=={wanted}")


def _backends(plan: Plan) -> Iterator[Finding]:
    asked = {role.name: tuple(_asked_backends(role.flags.get("kv-transfer-config"))) for role in plan.roles}
    if not any(asked.values()):
        return
    from llmdgen.engine.nixl import NoNixl, installed_backends, unknown_backends

    try:
        backends = installed_backends()
    except NoNixl:
        return
    for role in plan.roles:
        for name in unknown_backends(asked[role.name], backends):
            own = role.flag_routes.get("kv-transfer-config", PATH)
            at = ("spec", "transfer", "backend") if own == PATH else own
            fix = f"use one of {', '.join(backends.shipped)}"
            yield NO_BACKEND.at(*at, says=f"the installed NIXL has no backend {name}", fix=fix)


def _asked_backends(config: Any) -> Iterator[str]:
    """The NIXL backends of a --kv-transfer-config, those inside a MultiConnector included."""
    for _, each in connectors_in(config):
        if each.get("kv_connector") == NIXL:
            yield from (name for name in items(mapping(each.get(EXTRA)).get("backends")) if isinstance(name, str))
