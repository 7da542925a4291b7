"""The engine's own checks (`llmdgen.engine.checks`), over what a container gives to its vLLM; and what the vLLM and
the NIXL that are installed beside llmdgen say of a plan: `llmdgen validate --engine`.

The latter run on request alone, for importing vLLM takes seconds. No other check needs an installed vLLM.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from msgspec import structs

from llmdgen.engine import facts
from llmdgen.engine.argv import arguments
from llmdgen.engine.checks.settings import Numbers, RoleSettings
from llmdgen.engine.derived import EXTRA, connectors_in
from llmdgen.engine.flags import flag_table
from llmdgen.engine.profile import default_batch
from llmdgen.findings import Finding, Located, Route
from llmdgen.kube.node import node_of, room_of
from llmdgen.kube.room import UNLIMITED
from llmdgen.kube.servers import Servers, arguments_of
from llmdgen.kube.workload import NIXL, Container
from llmdgen.objects import objects
from llmdgen.objects.chart import servers_of
from llmdgen.objects.origin import PATH
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.quantities import MIB, bytes_or_none
from llmdgen.registry import declare, run
from llmdgen.untyped import items, mapping

REFUSED = declare("""VLLM023 error: the installed vLLM refuses the arguments
    `llmdgen validate --engine` gives everything after `vllm serve`, chart additions included, to the parser of the
    vLLM that is installed. What it refuses would stop the container at its start, if the image holds that vLLM.

    Fails:  a flag that the installed vLLM no longer has.
    Passes: arguments that its parser takes; what only the engine refuses passes too.
""")
NO_BACKEND = declare("""VLLM024 error: the installed NIXL has no such backend
    NIXL finds its backends as plugins and logs one that is missing, then goes on without it: KV caches would travel
    over TCP. Backends that NIXL ships but cannot load on this machine pass, because the image has their libraries.

    Fails:  backends: [Libfabric], which NIXL writes LIBFABRIC.
    Passes: transfer {backend: LIBFABRIC}; a machine without NIXL, where nothing is asked.
""")
OTHER_VERSION = declare("""VLLM025 warning: the installed vLLM is not the release's
    Flags come and go between versions of vLLM. An answer of another version than the one in the release's image says
    less: it may refuse what the image takes, and take what the image refuses.

    Warned: vLLM 0.16.0 installed beside a spec with release: v0.5.1, which has 0.15.1.
    Passes: `pip install vllm==0.15.1` beside the same spec.
""")


def planned_findings(plan: Plan, servers: Servers) -> Iterator[Finding]:
    """What vLLM would say of the objects of a plan, at the places of the spec; what two roles share, once."""
    found: dict[Finding, None] = {}
    for vllm in servers.engines:
        for role in plan.roles:
            if role.name == vllm.workload.role:
                found |= dict.fromkeys(run(_of_plan(plan, role, servers, vllm)))
    yield from found


def rendered_findings(servers: Servers) -> Iterator[Finding]:
    """What vLLM would say of objects of which no plan is known, at their own places."""
    for vllm in servers.engines:
        for finding in run(_settings(servers, vllm)):
            yield structs.replace(finding, of=str(vllm.workload.manifest))


def _settings(servers: Servers, vllm: Container) -> RoleSettings:
    return RoleSettings(
        args=vllm.flags,
        env={name: vllm.variables.get(name) for name in vllm.names},
        release=vllm.release,
        table=flag_table(vllm.release),
        refused=vllm.refused,
        flag_routes={flag: vllm.flag_at(flag) for flag in vllm.flags},
        env_routes={name: (*vllm.env_at(name), "value") for name in vllm.names},
        place=(*vllm.route, "args"),
        numbers=_numbers(servers, vllm),
    )


def _of_plan(plan: Plan, role: RolePlan, servers: Servers, vllm: Container) -> RoleSettings:
    """The same with the values of the spec as it types them, and the places where it decides about them."""
    found = _settings(servers, vllm)
    typed = _typed(plan, role, vllm)
    others = {flag: value for flag, value in found.args.items() if flag not in typed}
    place = partial(servers.spec_route, vllm.workload.manifest)
    patched = place((*vllm.route, "args"))
    return structs.replace(
        found,
        args={**others, **typed},
        flag_routes={flag: place(vllm.flag_at(flag)) for flag in others} | role.flag_routes,
        env_routes={name: place(vllm.env_at(name)) for name in vllm.names},
        place=patched if "pod" in patched else ("spec", "path"),
    )


def _typed(plan: Plan, role: RolePlan, vllm: Container) -> dict[str, Any]:
    """The flags of the plan that the container has as they were written: a part of its PodSpec may replace them."""
    table, given = flag_table(plan.release.name), set(vllm.arguments() or ())
    return {flag: value for flag, value in role.flags.items() if given.issuperset(arguments({flag: value}, table))}


def _numbers(servers: Servers, vllm: Container) -> Numbers:
    workload, model = vllm.workload, servers.model
    room, node = room_of(workload), node_of(workload)
    engine: Mapping[str, Any] = facts.engine(vllm.release)
    memory, data = room.memory_mib if room is not None else UNLIMITED, vllm.size("data-parallel-size", 1)
    return Numbers(
        tensor=vllm.size("tensor-parallel-size", 1),
        data=data,
        data_local=vllm.size("data-parallel-size-local", max(1, data // workload.size)),
        gpus=(room.gpus if room is not None else 0) or None,
        host_memory_bytes=None if memory == UNLIMITED else memory * MIB,
        pod_memory_bytes=bytes_or_none(vllm.quantity("memory")),
        attention_heads=model.attention_heads if model else None,
        kv_heads=model.kv_heads if model else None,
        routed_experts=None if model is None else model.experts.routed if model.experts else 0,
        max_position_embeddings=model.max_position_embeddings if model else None,
        default_batch_tokens=default_batch(node.gpu, engine)[0] if node is not None and node.gpu.memory_mib else None,
        mla=model is not None and model.mla is not None,
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
    from llmdgen.engine.installed import installed_backends

    asked = [(role, name) for role in plan.roles for name in _asked_backends(role.flags.get("kv-transfer-config"))]
    there = installed_backends() if asked else None
    for role, name in asked:
        if there is not None and name not in there:
            own = role.flag_routes.get("kv-transfer-config", PATH)
            at = ("spec", "transfer", "backend") if own == PATH else own
            fix = f"use one of {', '.join(there)}"
            yield NO_BACKEND.at(*at, says=f"the installed NIXL has no backend {name}", fix=fix)


def _asked_backends(config: Any) -> Iterator[str]:
    """The NIXL backends of a --kv-transfer-config, those inside a MultiConnector included."""
    for _, each in connectors_in(config):
        if each.get("kv_connector") == NIXL:
            yield from (name for name in items(mapping(each.get(EXTRA)).get("backends")) if isinstance(name, str))
