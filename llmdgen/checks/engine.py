"""The engine's own checks (`llmdgen.engine.check`), applied to every role of a plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.engine.check import Numbers, RoleSettings, check_role
from llmdgen.engine.flags import flag_table
from llmdgen.facts.types import Gpu
from llmdgen.findings import Finding
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.quantities import GIB, MIB


def engine_findings(plan: Plan) -> Iterator[Finding]:
    """What vLLM, or whatever starts it, would say of each role's flags and environment; what two roles share, once."""
    yield from dict.fromkeys(finding for role in plan.roles for finding in check_role(_settings(plan, role)))


def _settings(plan: Plan, role: RolePlan) -> RoleSettings:
    return RoleSettings(
        args=role.flags,
        env={variable.name: variable.value for variable in role.env},
        release=plan.release.name,
        table=flag_table(plan.release.name),
        flag_routes=role.flag_routes,
        env_routes=role.env_routes,
        numbers=_numbers(plan, role),
    )


def _numbers(plan: Plan, role: RolePlan) -> Numbers:
    model, size, node = plan.model, role.size, role.node
    experts = None if model is None else model.experts.routed if model.experts else 0
    return Numbers(
        tensor=size.tensor,
        data=size.data,
        data_local=size.data_local,
        workers=size.workers,
        expert_parallel=size.expert,
        gpus=node.gpus or None,
        host_memory_bytes=None if node.memory_mib is None else node.memory_mib * MIB,
        pod_memory_bytes=role.memory_mib * MIB,
        attention_heads=model.attention_heads if model else None,
        kv_heads=model.kv_heads if model else None,
        routed_experts=experts,
        max_position_embeddings=model.max_position_embeddings if model else None,
        default_batch_tokens=_default_batch(node.instance.gpu, plan.engine["batch"]),
        mla=model is not None and model.mla is not None,
        wider_nodes=_wider_nodes(plan, role) if node.gpus == 1 and role.size.workers > 1 else (),
    )


def _wider_nodes(plan: Plan, role: RolePlan) -> tuple[str, ...]:
    """Instance types that the role could spread over where one GPU a node is too few."""
    from llmdgen.checks._alternatives import spreads, suited, types_to_spread_over

    if plan.model is not None:
        return tuple(types_to_spread_over(plan, role, plan.model)[:3])
    return tuple(row.name for row in suited(plan) if spreads(row))[:3]


def _default_batch(gpu: Gpu, facts: dict[str, Any]) -> int | None:
    """The tokens of a batch that vLLM takes by default on these GPUs."""
    if gpu.memory_mib is None:
        return None
    large = gpu.memory_mib * MIB >= facts["large_gpu_gib"] * GIB
    small = any(name in gpu.model for name in facts["not_large"])
    tokens: int = facts["tokens_large" if large and not small else "tokens_small"]
    return tokens
