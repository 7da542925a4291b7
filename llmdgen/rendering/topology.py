"""topology.svg: who talks to whom, nodes, the pods on them, the memory of their GPUs, their EFA interfaces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from llmdgen.kube.room import fitting, minus
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.quantities import GIB
from llmdgen.rendering.encoding import filled_xml, xml
from llmdgen.resources import filled
from llmdgen.spec.fields import ROLES
from llmdgen.yaml_text import Text

MOST_NODES = 12
COLUMNS = 2
GPU_STEP, GPU, GPU_HEIGHT, POD_EDGE, MARGIN = 34, 26, 44, 2, 12
NODE_WIDTH, NODE_HEIGHT, GAP = 294, 146, 16
LEGEND_TOP, LEGEND_STEP = 38, 20
BOX_WIDTH, BOX_HEIGHT, WAY = 144, 50, 104  # of the traffic: a box, and the way between two
DOTS_A_GPU, DOT_STEP = 2, 11
# Widths of a character: SVG without scripts cannot measure its text, so a little more than the common fonts take.
TITLE_CHARACTER, LABEL_CHARACTER = 10, 7
INITIAL = {"prefill": "P", "decode": "D"}


class _Node:
    """A node being filled: the pods on it in their order, each with its first GPU, and the room that is left."""

    def __init__(self, role: RolePlan) -> None:
        self.node = role.node
        self.pods: list[tuple[RolePlan, str]] = []
        self.left = role.node.room

    @property
    def gpus(self) -> int:
        return self.node.gpus - self.left.gpus

    @property
    def efa(self) -> int:
        return self.node.efa - self.left.efa

    @property
    def dots(self) -> tuple[int, int]:
        """Columns and rows of its EFA interfaces."""
        columns = min(self.node.efa, max(1, self.node.gpus) * DOTS_A_GPU)
        return columns, -(-self.node.efa // max(1, columns))

    def takes(self, role: RolePlan) -> bool:
        return self.node.instance.name == role.node.instance.name and fitting(role.need, self.left)[0] > 0

    def add(self, role: RolePlan, label: str) -> None:
        self.pods.append((role, label))
        self.left = minus(self.left, role.need)

    @property
    def placed(self) -> Iterator[tuple[RolePlan, int, str]]:
        """The pods in the order of a request, each with its first GPU."""
        first = 0
        for role, label in sorted(self.pods, key=lambda pod: ROLES.index(pod[0].name)):
            yield role, first, label
            first += role.size.gpus_per_pod


def topology(plan: Plan) -> str:
    """The drawing of a plan; at most twelve nodes of it."""
    nodes = _place(plan)
    widest = max((node.node.gpus for node in nodes), default=1)
    width = max(NODE_WIDTH, widest * GPU_STEP - (GPU_STEP - GPU) + 2 * (MARGIN + POD_EDGE))
    rows = -(-len(nodes) // COLUMNS)
    height = NODE_HEIGHT + max((node.dots[1] - 1 for node in nodes if node.node.efa), default=0) * DOT_STEP
    more = sum(pool.nodes for pool in plan.pools) - len(nodes)
    columns = min(COLUMNS, max(1, len(nodes)))
    hardware = plan.target.replace("_", " and ")  # of prefill and of decode, where they differ
    title = f"{plan.spec.name}: {plan.spec.asked.model.name} on {hardware}"
    legend, legend_end, y = _legend(plan, nodes)
    traffic, traffic_end = _traffic(plan, y)
    top = y + BOX_HEIGHT + GAP
    bottom = top + rows * (height + GAP) + (24 if more else 0)
    zone = plan.spec.asked.cluster.zone or ""
    drawn = [*legend, *traffic, *(_drawn(node, index, width, height, top, zone) for index, node in enumerate(nodes))]
    if more:
        says = f"and {more} more node{'s' * (more > 1)}"
        drawn.append(filled_xml('  <text class="dim" x="16" y="{y}">{says}</text>', y=bottom - 14, says=says))
    picture = _part(
        "picture",
        title=title,
        width=max(columns * (width + GAP) + GAP, 2 * GAP + len(title) * TITLE_CHARACTER, legend_end, traffic_end),
        height=bottom,
        tiles=_lines(map(_tile, plan.roles)),
        drawn=_lines(drawn),
    )
    return f"{picture}\n"


def _place(plan: Plan) -> list[_Node]:
    """The pods on nodes, larger ones first so that small ones fill the gaps; nodes in the order of a request."""
    nodes: list[_Node] = []
    crowded = sum(pool.nodes for pool in plan.pools) > MOST_NODES
    for order, role in enumerate(sorted(plan.roles, key=lambda role: -role.size.gpus_per_pod), 1):
        if not role.pods_per_node:
            continue
        most = MOST_NODES * order // len(plan.roles) if crowded else MOST_NODES  # no role crowds out another
        for index in range(role.pods):
            home = next((node for node in nodes if node.takes(role)), None)
            if home is None:
                if len(nodes) == most:
                    break
                home = _Node(role)
                nodes.append(home)
            replica, worker = divmod(index, role.size.workers)
            rank = f".{worker}" if role.size.workers > 1 else ""
            home.add(role, f"{INITIAL[role.name]}{replica}{rank}")
    return sorted(nodes, key=lambda node: min(ROLES.index(role.name) for role, _ in node.pods))


def _tile(role: RolePlan) -> Text:
    """A GPU of a role, as high as its memory: the weights, above them what vLLM needs or leaves, then the KV cache."""
    parts, bottom = [], float(GPU_HEIGHT)
    for style, share in _memory(role):
        height = round(share * GPU_HEIGHT, 1)
        bottom = round(bottom - height, 1)
        part = '<rect class="{style}" y="{y}" width="26" height="{height}"/>'
        parts.append(filled_xml(part, style=style, y=bottom, height=height))
    tile = '    <g id="{role}"><rect class="page" width="26" height="{height}"/>{parts}</g>'
    return filled_xml(tile, role=role.name, height=GPU_HEIGHT, parts=Text("".join(parts)))


def _memory(role: RolePlan) -> list[tuple[str, float]]:
    """The parts of a GPU's memory and their shares; all of it the role's where the model's shape is not known."""
    use = role.memory_use
    if use is None:
        return [(role.name, 1.0)]
    kv = max(0, use.kv)
    reserve = max(0, use.gpu - use.weights - kv)
    parts = ((role.name, use.weights), ("reserve", reserve), (f"{role.name} kv", kv))
    return [(style, min(1.0, size / use.gpu)) for style, size in parts if size]


def _legend(plan: Plan, nodes: list[_Node]) -> tuple[list[Text], int, int]:
    """What the drawing shows, a line for each role and one for the rest; where that ends to the right and below."""
    lines: list[list[tuple[str, str]]] = []
    for role in plan.roles:
        count = role.size.gpus_per_pod
        pods = f"{INITIAL[role.name]} replica.pod" if role.size.workers > 1 else INITIAL[role.name]
        about = f"{role.name} ({pods}): {count} GPU{'s' * (count > 1)} a pod"
        line: list[tuple[str, str]] = [(role.name, about)]
        if use := role.memory_use:
            sizes = {style: share * use.gpu / GIB for style, share in _memory(role)}
            words: dict[str, str] = {role.name: "weights", "reserve": "reserve", f"{role.name} kv": "KV cache"}
            items = [(style, f"{words[style]} {size:.1f}") for style, size in sizes.items()]
            items[-1] = (items[-1][0], f"{items[-1][1]} of {use.gpu / GIB:.0f} GiB")
            line = [(role.name, f"{about}, {items[0][1]}"), *items[1:]]
        lines.append(line)
    rest = [
        ("free", "free GPU" if any(node.gpus < node.node.gpus for node in nodes) else ""),
        ("on", "EFA in use" if any(node.efa for node in nodes) else ""),
        ("off", "free EFA" if any(node.efa < node.node.efa for node in nodes) else ""),
    ]
    lines.append([(style, label) for style, label in rest if label])
    found, end, y = [], 0, LEGEND_TOP
    for line in filter(None, lines):
        x = GAP
        for style, label in line:
            mark = '  <rect class="{style}" x="{x}" y="{y}" width="12" height="12" rx="2"/>'
            if style in ("on", "off"):
                mark = '  <circle class="{style}" cx="{middle}" cy="{centre}" r="3.5"/>'
            found.append(filled_xml(mark, style=style, x=x, y=y, middle=x + 8, centre=y + 6))
            text = '  <text class="dim" x="{x}" y="{y}">{label}</text>'
            found.append(filled_xml(text, x=x + 18, y=y + 10, label=label))
            x += 18 + len(label) * LABEL_CHARACTER + GAP
        end, y = max(end, x), y + LEGEND_STEP
    return found, end, y


def _traffic(plan: Plan, top: int) -> tuple[list[Text], int]:
    """Who talks to whom, and where that ends to the right: requests reach decode servers, whose sidecar has prompts
    computed by prefill servers first; KV caches come back."""
    boxes: list[tuple[str, str, str, str]] = []
    for role in plan.roles:
        nodes, gpus = role.size.workers, role.size.gpus_per_pod * role.size.workers
        says = f"{role.size.replicas} x {gpus} GPU{'s' * (gpus > 1)}{f' on {nodes} nodes' * (nodes > 1)}"
        boxes.append((role.name, role.name, says, "all-to-all over EFA" * (nodes > 1)))
    boxes.append(("off", "gateway", plan.gateway.provider, "and the scheduler"))
    found = []
    for index, (style, name, says, more) in enumerate(boxes):
        x = GAP + index * (BOX_WIDTH + WAY)
        lines = {"first": top + 17, "second": top + 31, "third": top + 43}
        place = {"x": x, "y": top, "left": x + 12, "width": BOX_WIDTH, "height": BOX_HEIGHT, **lines}
        found.append(_part("box", style=style, name=name, says=says, more=more, **place))
    last = GAP + (len(boxes) - 1) * (BOX_WIDTH + WAY)
    found.append(_way(last, top + 26, "requests", -8, is_back=True))
    if plan.disaggregated:
        across = "EFA" if plan.roles[0].efa_per_pod else "TCP"
        found.append(_way(last - BOX_WIDTH - WAY, top + 16, "prompts", -5, is_back=True))
        found.append(_way(last - BOX_WIDTH - WAY, top + 34, f"KV cache over {across}", 13, is_back=False))
    return found, last + BOX_WIDTH + GAP


def _way(right: int, y: int, label: str, below: int, *, is_back: bool) -> Text:
    """An arrow over the gap that ends at the box at `right`."""
    left, right = right - WAY + 6, right - 6
    path = f"M{right} {y}H{left}m6 -4l-6 4l6 4" if is_back else f"M{left} {y}H{right}m-6 -4l6 4l-6 4"
    return _part("way", path=path, middle=(left + right) / 2, below=y + below, label=label)


def _dots(node: _Node) -> Iterator[Text]:
    """EFA interfaces spread below the GPUs, column by column, so that a pod's share lies below its own GPUs."""
    step = max(1, node.node.gpus) * GPU_STEP / node.dots[0] if node.node.efa else 0
    left = MARGIN + POD_EDGE - (GPU_STEP - GPU) / 2
    for index in range(node.node.efa):
        column, row = divmod(index, node.dots[1])
        style, x = "on" if index < node.efa else "off", round(left + (column + 0.5) * step, 1)
        dot = '    <circle class="{style}" cx="{x}" cy="{y}" r="3.5"/>'
        yield filled_xml(dot, x=x, y=110 + row * DOT_STEP, style=style)


def _gpus(node: _Node) -> Iterator[Text]:
    """A tile for each GPU, of the role that has it."""
    tile = '    <use href="#{role}" x="{x}" y="34"/>'
    free = '    <rect class="free" x="{x}" y="34" width="26" height="{height}"/>'
    owners: list[str] = [role.name for role, _, _ in node.placed for _ in range(role.size.gpus_per_pod)]
    owners += [""] * (node.node.gpus - len(owners))
    for place, role in enumerate(owners):
        yield filled_xml(tile if role else free, role=role, x=MARGIN + POD_EDGE + place * GPU_STEP, height=GPU_HEIGHT)


def _pods(node: _Node) -> Iterator[Text]:
    """A frame around the GPUs of each pod, and its number below."""
    frame = '    <rect class="pod" x="{x}" y="31.5" width="{width}" height="49" rx="3"/>'
    below = '    <text class="dim" x="{x}" y="95" text-anchor="middle" font-size="10">{label}</text>'
    for role, first, label in node.placed:
        x, width = MARGIN + first * GPU_STEP, role.size.gpus_per_pod * GPU_STEP - 2 * POD_EDGE
        yield filled_xml(frame, x=x, width=width)
        yield filled_xml(below, x=x + width / 2, label=label)


def _drawn(node: _Node, index: int, width: int, height: int, top: int, zone: str) -> Text:
    row, column = divmod(index, COLUMNS)
    efa = f"{node.efa} of {node.node.efa} EFA interfaces" if node.node.efa else "no EFA interfaces"
    return _part(
        "node",
        x=GAP + column * (width + GAP),
        y=top + row * (height + GAP),
        width=width,
        height=height,
        right=width - 12,
        bottom=height - 8,
        label=node.node.label,
        zone=zone,
        parts=_lines([*_gpus(node), *_pods(node), *_dots(node)]),
        note=f"{node.gpus} of {node.node.gpus} GPUs, {efa}",
    )


def _part(name: str, /, **values: Any) -> Text:
    """A file of templates/topology with these values."""
    return Text(filled(f"topology/{name}.svg", {key: xml(value) for key, value in values.items()}))


def _lines(parts: Iterable[Text]) -> Text:
    return Text("\n".join(parts))
