"""Roles as the checks of hardware see them: what the spec asks for, who transfers, on which instance type."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.findings import Route
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.spec.servers import Resources, Role


def asked(plan: Plan, role: RolePlan) -> Role:
    """The role as the spec has it; its defaults where the spec does not mention it."""
    return getattr(plan.spec.asked, role.name) or Role()


def resources(plan: Plan, role: RolePlan) -> Resources:
    """The resources that the spec sets for a role."""
    return asked(plan, role).resources


def flag(role: RolePlan, name: str) -> Route:
    """The place of a vLLM flag, the role's arguments where nothing sets it."""
    return role.flag_routes.get(name, ("spec", role.name, "args"))


def transferring(plan: Plan) -> list[RolePlan]:
    """Both ends of the KV transfer; none where the path has no prefill servers."""
    return [role for role in plan.roles if plan.disaggregated and role.efa_needed]


def by_type(roles: list[RolePlan]) -> Iterator[tuple[RolePlan, str]]:
    """The first role of each instance type, and the names of all roles on it: "prefill and decode"."""
    for name in dict.fromkeys(type_of(role) for role in roles):
        sharing = [role for role in roles if type_of(role) == name]
        yield sharing[0], " and ".join(role.name for role in sharing)


def type_of(role: RolePlan) -> str:
    return role.node.instance.name


def family(role: RolePlan) -> str:
    return type_of(role).partition(".")[0]
