"""topology.svg: nodes, the pods on them, their GPUs and EFA interfaces."""

from __future__ import annotations

from llmdgen.kube.room import fitting, minus
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.rendering.encoding import filled_xml
from llmdgen.yaml_text import Text

MOST_NODES = 12
COLUMNS = 2
GPU_STEP, GPU, POD_EDGE, MARGIN = 34, 26, 2, 12
NODE_WIDTH, NODE_HEIGHT, GAP, TOP = 294, 128, 16, 64
DOTS_A_GPU, DOT_STEP = 2, 11
# Widths of a character: SVG without scripts cannot measure its text, so a little more than the common fonts take.
TITLE_CHARACTER, LABEL_CHARACTER = 10, 7
INITIAL = {"prefill": "P", "decode": "D"}

_PICTURE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"\
 font-family="system-ui, sans-serif" font-size="12">
  <title>{title}</title>
  <style>
    .page {{ fill: #ffffff }} .node {{ fill: #f6f8fa; stroke: #8c959f }}\
 .text {{ fill: #1f2328 }} .dim {{ fill: #59636e }}
    .prefill {{ fill: #bf8700 }} .decode {{ fill: #0969da }} .free {{ fill: #d1d9e0 }}\
 .pod {{ fill: none; stroke: #59636e; stroke-width: 1.5 }}
    .on {{ fill: #1a7f37 }} .off {{ fill: #d1d9e0 }}
  </style>
  <rect class="page" width="{width}" height="{height}"/>
  <text class="text" x="16" y="26" font-size="15" font-weight="600">{title}</text>
{drawn}
</svg>
"""
_NODE = """\
  <g transform="translate({x} {y})">
    <rect class="node" width="{width}" height="{height}" rx="6"/>
    <text class="text" x="12" y="20" font-weight="600">{label}</text>
    <text class="dim" x="{right}" y="20" text-anchor="end">{zone}</text>
{parts}
    <text class="dim" x="12" y="{bottom}" font-size="10">{note}</text>
  </g>"""


class _Node:
    """A node being filled: the pods on it in their order, each with its first GPU, and the room that is left."""

    def __init__(self, role: RolePlan) -> None:
        self.node = role.node
        self.pods: list[tuple[RolePlan, int, str]] = []
        self.left = role.node.room

    @property
    def gpus(self) -> int:
        return self.node.gpus - self.left.gpus

    @property
    def efa(self) -> int:
        return self.node.efa - self.left.efa

    def takes(self, role: RolePlan) -> bool:
        return self.node.instance.name == role.node.instance.name and fitting(role.need, self.left)[0] > 0

    def add(self, role: RolePlan, label: str) -> None:
        self.pods.append((role, self.gpus, label))
        self.left = minus(self.left, role.need)


def topology(plan: Plan) -> str:
    """The drawing of a plan; at most twelve nodes of it."""
    nodes = _place(plan)
    widest = max((node.node.gpus for node in nodes), default=1)
    width = max(NODE_WIDTH, widest * GPU_STEP - (GPU_STEP - GPU) + 2 * (MARGIN + POD_EDGE))
    rows = -(-len(nodes) // COLUMNS)
    height = NODE_HEIGHT + max((_dot_rows(node) - 1 for node in nodes if node.node.efa), default=0) * DOT_STEP
    more = sum(pool.nodes for pool in plan.pools) - len(nodes)
    columns = min(COLUMNS, max(1, len(nodes)))
    hardware = plan.target.replace("_", " and ")  # of prefill and of decode, where they differ
    title = f"{plan.spec.name}: {plan.spec.asked.model.name} on {hardware}"
    legend, legend_end = _legend(plan, nodes)
    bottom = TOP + rows * (height + GAP) + (24 if more else 0)
    zone = plan.spec.asked.cluster.zone or ""
    drawn = [*legend, *(_drawn(node, index, width, height, zone) for index, node in enumerate(nodes))]
    if more:
        says = f"and {more} more node{'s' * (more > 1)}"
        drawn.append(filled_xml('  <text class="dim" x="16" y="{y}">{says}</text>', y=bottom - 14, says=says))
    return filled_xml(
        _PICTURE,
        title=title,
        width=max(columns * (width + GAP) + GAP, 2 * GAP + len(title) * TITLE_CHARACTER, legend_end),
        height=bottom,
        drawn=_lines(drawn),
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


def _legend(plan: Plan, nodes: list[_Node]) -> tuple[list[Text], int]:
    """What the drawing shows, from left to right, and where the legend ends."""
    items: list[tuple[str, str]] = []
    for role in plan.roles:
        count = role.size.gpus_per_pod
        pods = f"{INITIAL[role.name]} replica.pod" if role.size.workers > 1 else INITIAL[role.name]
        items.append((role.name, f"{role.name} ({pods}): {count} GPU{'s' * (count > 1)} a pod"))
    if any(node.gpus < node.node.gpus for node in nodes):
        items.append(("free", "free GPU"))
    if any(node.efa for node in nodes):
        items.append(("on", "EFA in use"))
    if any(node.efa < node.node.efa for node in nodes):
        items.append(("off", "free EFA"))
    found, x = [], GAP
    for style, label in items:
        mark = '  <rect class="{style}" x="{x}" y="38" width="12" height="12" rx="2"/>'
        if style in ("on", "off"):
            mark = '  <circle class="{style}" cx="{middle}" cy="44" r="3.5"/>'
        found.append(filled_xml(mark, style=style, x=x, middle=x + 8))
        found.append(filled_xml('  <text class="dim" x="{x}" y="48">{label}</text>', x=x + 18, label=label))
        x += 18 + len(label) * LABEL_CHARACTER + GAP
    return found, x


def _dot_columns(node: _Node) -> int:
    return min(node.node.efa, max(1, node.node.gpus) * DOTS_A_GPU)


def _dot_rows(node: _Node) -> int:
    return -(-node.node.efa // _dot_columns(node))


def _dots(node: _Node) -> list[Text]:
    """EFA interfaces spread below the GPUs, column by column, so that a pod's share lies below its own GPUs."""
    count = node.node.efa
    if not count:
        return []
    rows = _dot_rows(node)
    step = max(1, node.node.gpus) * GPU_STEP / _dot_columns(node)
    left = MARGIN + POD_EDGE - (GPU_STEP - GPU) / 2
    return [
        filled_xml(
            '    <circle class="{style}" cx="{x}" cy="{y}" r="3.5"/>',
            x=round(left + (index // rows + 0.5) * step, 1),
            y=92 + index % rows * DOT_STEP,
            style="on" if index < node.efa else "off",
        )
        for index in range(count)
    ]


def _gpus(node: _Node) -> list[Text]:
    """A square for each GPU, in the colour of the role that has it."""
    styles = ["free"] * node.node.gpus
    for role, first, _ in node.pods:
        count = role.size.gpus_per_pod
        styles[first : first + count] = [role.name] * count
    square = '    <rect class="{style}" x="{x}" y="34" width="26" height="26" rx="3"/>'
    return [
        filled_xml(square, style=style, x=MARGIN + POD_EDGE + place * GPU_STEP) for place, style in enumerate(styles)
    ]


def _pods(node: _Node) -> list[Text]:
    """A frame around the GPUs of each pod, and its number below."""
    found = []
    for role, first, label in node.pods:
        x, width = MARGIN + first * GPU_STEP, role.size.gpus_per_pod * GPU_STEP - 2 * POD_EDGE
        frame = '    <rect class="pod" x="{x}" y="31.5" width="{width}" height="31" rx="5"/>'
        below = '    <text class="dim" x="{x}" y="78" text-anchor="middle" font-size="10">{label}</text>'
        found += [filled_xml(frame, x=x, width=width), filled_xml(below, x=x + width / 2, label=label)]
    return found


def _drawn(node: _Node, index: int, width: int, height: int, zone: str) -> Text:
    row, column = divmod(index, COLUMNS)
    efa = f"{node.efa} of {node.node.efa} EFA interfaces" if node.node.efa else "no EFA interfaces"
    return filled_xml(
        _NODE,
        x=GAP + column * (width + GAP),
        y=TOP + row * (height + GAP),
        width=width,
        height=height,
        right=width - 12,
        bottom=height - 8,
        label=node.node.label,
        zone=zone,
        parts=_lines([*_gpus(node), *_pods(node), *_dots(node)]),
        note=f"{node.gpus} of {node.node.gpus} GPUs, {efa}",
    )


def _lines(parts: list[Text]) -> Text:
    return Text("\n".join(parts))
