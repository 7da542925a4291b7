"""topology.svg: nodes, the pods on them, their GPUs and EFA interfaces."""

from __future__ import annotations

from typing import Any

from llmdgen.plan.model import Plan, RolePlan
from llmdgen.render.environment import render

MOST_NODES = 12
COLUMNS = 2
GPU_STEP, NODE_HEIGHT, GAP, TOP = 34, 124, 16, 64
DOT_STEP = 11
INITIAL = {"prefill": "P", "decode": "D"}


class _Node:
    """A node being filled: GPUs and EFA interfaces in use, and the pods in their order."""

    def __init__(self, role: RolePlan) -> None:
        self.node = role.node
        self.pods: list[tuple[RolePlan, int, str]] = []
        self.gpus = 0
        self.efa = 0
        self.cpu = 0
        self.memory = 0

    def takes(self, role: RolePlan) -> bool:
        limits = ((self.node.cpu_millis, self.cpu + role.cpu_millis), (self.node.memory_mib, self.memory + role.memory_mib))
        return (
            self.node.instance.name == role.node.instance.name
            and self.gpus + role.size.gpus_per_pod <= self.node.gpus
            and self.efa + role.efa_per_pod <= self.node.efa
            and all(limit is None or used <= limit for limit, used in limits)
        )

    def add(self, role: RolePlan, label: str) -> None:
        self.pods.append((role, self.gpus, label))
        self.gpus += role.size.gpus_per_pod
        self.efa += role.efa_per_pod
        self.cpu += role.cpu_millis
        self.memory += role.memory_mib


def topology(plan: Plan) -> str:
    """The drawing of a plan; at most twelve nodes of it."""
    nodes = _place(plan)
    widest = max((node.node.gpus for node in nodes), default=1)
    width = max(360, widest * GPU_STEP + 20)
    rows = -(-len(nodes) // COLUMNS)
    total = sum(pool.nodes for pool in plan.pools)
    columns = min(COLUMNS, max(1, len(nodes)))
    return render(
        "topology.svg.j2",
        title=f"{plan.spec.name}: {plan.spec.spec.model.name} on {plan.target}",
        width=columns * (width + GAP) + GAP,
        height=TOP + rows * (NODE_HEIGHT + GAP) + (24 if total > len(nodes) else 0),
        legend=_legend(plan),
        nodes=[_drawn(plan, node, index, width) for index, node in enumerate(nodes)],
        more=f"and {total - len(nodes)} more nodes" if total > len(nodes) else None,
    )


def _place(plan: Plan) -> list[_Node]:
    nodes: list[_Node] = []
    for role in sorted(plan.roles, key=lambda role: -role.size.gpus_per_pod):
        if not role.pods_per_node:
            continue
        for index in range(role.pods):
            home = next((node for node in nodes if node.takes(role)), None)
            if home is None:
                if len(nodes) == MOST_NODES:
                    break
                home = _Node(role)
                nodes.append(home)
            replica, worker = divmod(index, role.size.workers)
            rank = f".{worker}" if role.size.workers > 1 else ""
            home.add(role, f"{INITIAL[role.name]}{replica}{rank}")
    return nodes


def _legend(plan: Plan) -> list[dict[str, Any]]:
    items = [(role.name, f"{role.name}: {role.size.gpus_per_pod} GPUs a pod") for role in plan.roles]
    items += [("free", "free GPU")] + ([("on", "EFA interface in use")] if any(r.efa_per_pod for r in plan.roles) else [])
    return [{"style": style, "label": label, "x": 16 + index * 170} for index, (style, label) in enumerate(items)]


def _drawn(plan: Plan, node: _Node, index: int, width: int) -> dict[str, Any]:
    row, column = divmod(index, COLUMNS)
    styles = ["free"] * node.node.gpus
    pods = []
    for role, first, label in node.pods:
        count = role.size.gpus_per_pod
        styles[first : first + count] = [role.name] * count
        pods.append({"x": 8 + first * GPU_STEP, "width": count * GPU_STEP - 6, "label": label})
    return {
        "x": GAP + column * (width + GAP),
        "y": TOP + row * (NODE_HEIGHT + GAP),
        "width": width,
        "height": NODE_HEIGHT,
        "label": node.node.label,
        "zone": plan.spec.spec.cluster.zone or "",
        "gpus": [{"x": 10 + place * GPU_STEP, "style": style} for place, style in enumerate(styles)],
        "pods": pods,
        "efa": [
            {"x": 14 + place % 24 * DOT_STEP, "y": 90 + place // 24 * DOT_STEP, "style": "on" if place < node.efa else "off"}
            for place in range(node.node.efa)
        ],
        "note": f"{node.gpus} of {node.node.gpus} GPUs, {node.efa} of {node.node.efa} EFA interfaces",
    }
