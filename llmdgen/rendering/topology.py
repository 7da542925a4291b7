"""topology.svg: nodes, the pods on them, their GPUs and EFA interfaces."""

from __future__ import annotations

from typing import Any

from llmdgen.planning.model import Plan, RolePlan
from llmdgen.rendering.templates import render

MOST_NODES = 12
COLUMNS = 2
GPU_STEP, NODE_WIDTH, NODE_HEIGHT, GAP, TOP = 34, 300, 128, 16, 64
DOTS_A_GPU, DOT_STEP = 2, 11
# Widths of a character: SVG without scripts cannot measure its text, so a little more than the common fonts take.
TITLE_CHARACTER, LABEL_CHARACTER = 9, 7
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
        limits = (
            (self.node.cpu_millis, self.cpu + role.cpu_millis),
            (self.node.memory_mib, self.memory + role.memory_mib),
        )
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
    width = max(NODE_WIDTH, widest * GPU_STEP + 18)
    rows = -(-len(nodes) // COLUMNS)
    total = sum(pool.nodes for pool in plan.pools)
    columns = min(COLUMNS, max(1, len(nodes)))
    title = f"{plan.spec.name}: {plan.spec.spec.model.name} on {plan.target}"
    legend, legend_end = _legend(plan)
    return render(
        "topology.svg.j2",
        title=title,
        width=max(columns * (width + GAP) + GAP, 2 * GAP + len(title) * TITLE_CHARACTER, legend_end),
        height=TOP + rows * (NODE_HEIGHT + GAP) + (24 if total > len(nodes) else 0),
        legend=legend,
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


def _legend(plan: Plan) -> tuple[list[dict[str, Any]], int]:
    """The legend's items from left to right, and where they end."""
    items: list[tuple[str, str]] = []
    for role in plan.roles:
        count = role.size.gpus_per_pod
        items.append((role.name, f"{role.name} ({INITIAL[role.name]}): {count} GPU{'s' * (count > 1)} a pod"))
    items.append(("free", "free GPU"))
    if any(role.efa_per_pod for role in plan.roles):
        items.append(("on", "EFA interface in use"))
    found, x = [], GAP
    for style, label in items:
        found.append({"style": style, "label": label, "x": x})
        x += 18 + len(label) * LABEL_CHARACTER + GAP
    return found, x


def _dots(node: _Node) -> list[dict[str, Any]]:
    """EFA interfaces spread below the GPUs, column by column, so that a pod's share lies below its own GPUs."""
    count = node.node.efa
    columns = min(count, max(1, node.node.gpus) * DOTS_A_GPU)
    if not columns:
        return []
    rows = -(-count // columns)
    step = max(1, node.node.gpus) * GPU_STEP / columns
    return [
        {
            "x": round(6 + (index // rows + 0.5) * step, 1),
            "y": 92 + index % rows * DOT_STEP,
            "style": "on" if index < node.efa else "off",
        }
        for index in range(count)
    ]


def _drawn(plan: Plan, node: _Node, index: int, width: int) -> dict[str, Any]:
    row, column = divmod(index, COLUMNS)
    styles = ["free"] * node.node.gpus
    pods = []
    for role, first, label in node.pods:
        count = role.size.gpus_per_pod
        styles[first : first + count] = [role.name] * count
        pods.append({"x": 7 + first * GPU_STEP, "width": count * GPU_STEP - 2, "label": label})
    return {
        "x": GAP + column * (width + GAP),
        "y": TOP + row * (NODE_HEIGHT + GAP),
        "width": width,
        "height": NODE_HEIGHT,
        "label": node.node.label,
        "zone": plan.spec.spec.cluster.zone or "",
        "gpus": [{"x": 10 + place * GPU_STEP, "style": style} for place, style in enumerate(styles)],
        "pods": pods,
        "efa": _dots(node),
        "note": f"{node.gpus} of {node.node.gpus} GPUs, {node.efa} of {node.node.efa} EFA interfaces",
    }
