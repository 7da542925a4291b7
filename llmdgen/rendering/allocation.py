"""allocation.yaml: what the deployment takes of the cluster, role by role, for people and for quota scripts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from llmdgen.engine.memory import margin
from llmdgen.findings import Located, Severity
from llmdgen.objects.chart import present
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.quantities import GIB, cpu_text, mib_text


def allocation(plan: Plan, findings: Iterable[Located] = ()) -> dict[str, Any]:
    """Replicas, pods, nodes, GPUs, EFA interfaces, cpu, memory and KV cache of each role, the nodes together, and which
    warnings stand, so that a comparison of two revisions shows those that are new."""
    found: dict[str, Any] = {
        "name": plan.spec.name,
        "target": plan.target,
        "release": plan.release.name,
        "paths": list(plan.paths),
        "roles": {role.name: _role(plan, role) for role in plan.roles},
        "nodes": [
            {
                "instanceType": pool.instance,
                "roles": list(pool.roles),
                "nodes": pool.nodes,
                "gpus": {"used": pool.gpus_used, "of": pool.gpus},
                "efa": {"used": pool.efa_used, "of": pool.efa},
            }
            for pool in plan.pools
        ],
        "total": {
            "nodes": sum(pool.nodes for pool in plan.pools),
            "pods": sum(role.pods for role in plan.roles),
            "gpus": sum(pool.gpus_used for pool in plan.pools),
            "efa": sum(pool.efa_used for pool in plan.pools),
        },
    }
    stands = [each.finding for each in findings if each.finding.severity is Severity.WARNING]
    return found | present(
        warnings=[{"code": each.code, "says": each.says} for each in stands],
        suppressed=[{"code": each.code, "reason": each.reason} for each in plan.spec.asked.suppress],
    )


def _role(plan: Plan, role: RolePlan) -> dict[str, Any]:
    found: dict[str, Any] = {
        "instanceType": role.node.instance.name,
        "replicas": role.size.replicas,
        "podsPerReplica": role.size.workers,
        "podsPerNode": role.pods_per_node,
        "nodes": role.nodes,
        "parallelism": {
            "tensor": role.size.tensor,
            "data": role.size.data,
            "dataLocal": role.size.data_local,
            "expert": role.size.expert_parallel,
        },
        "gpusPerPod": role.size.gpus_per_pod,
        "efaPerPod": role.efa_per_pod,
        "efaPerNode": role.node.efa,
        "efaFrom": "rule" if plan.spec.role(role.name).efa == "auto" else "override",
        "cpuPerPod": cpu_text(role.need.cpu_millis),
        "memoryPerPod": mib_text(role.need.memory_mib),
        "shmPerPod": role.shm,
    }
    if use := role.memory_use:
        found["kvCache"] = {
            "estimate": True,
            "marginGib": margin(role.size, plan.engine) / GIB,
            "gibPerGpu": round(use.kv / GIB, 1),
            "bytesPerTokenAndGpu": use.kv_bytes_per_token,
            "tokensPerRank": use.kv_tokens,
            "maxModelLen": use.max_model_len,
            "fullLengthRequestsPerRank": round(use.sequences, 1),
        }
    return found | present(cacheTiers={tier.name: f"{tier.bytes[role.name] / GIB:.0f}Gi" for tier in plan.tiers})
