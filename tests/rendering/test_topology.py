"""topology.svg, measured: nothing lies over something else, and the legend says what is drawn."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from llmdgen.rendering.topology import topology
from tests.specs import DEEPSEEK, GPT_OSS, QWEN, plan_of

SVG = "{http://www.w3.org/2000/svg}"
DRAWN: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "one node, no EFA": ("inference-scheduling", "Qwen/Qwen3-0.6B", "g6e.xlarge", {"decode": {"replicas": 1}}),
    "one interface": ("inference-scheduling", QWEN, "g6e.12xlarge", {}),
    "two rows of interfaces": ("pd-disaggregation", GPT_OSS, "p5.48xlarge", {"prefill": {"replicas": 6}}),
    "two types": ("pd-disaggregation", GPT_OSS, "p5.48xlarge", {"prefill": {"instanceType": "p5en.48xlarge"}}),
    "groups of nodes": ("wide-ep", DEEPSEEK, "p5.48xlarge", {}),
    "more nodes than are drawn": ("inference-scheduling", QWEN, "p5.48xlarge", {"decode": {"replicas": 52}}),
}


def drawing(name: str) -> ElementTree.Element:
    path, model, instance, sections = DRAWN[name]
    return ElementTree.fromstring(topology(plan_of(path, model, instance, **sections)))


def numbers(element: ElementTree.Element, *names: str) -> list[float]:
    return [float(element.attrib[name]) for name in names]


def words(element: ElementTree.Element) -> str:
    return " ".join(each.text or "" for each in element.iter(f"{SVG}text"))


@pytest.mark.parametrize("name", DRAWN)
def test_the_rows_of_a_node_keep_their_distance(name: str) -> None:
    nodes = drawing(name).findall(f"{SVG}g")
    assert nodes
    for node in nodes:
        box, *rectangles = node.findall(f"{SVG}rect")
        *labels, note = node.findall(f"{SVG}text")
        width, height = numbers(box, "width", "height")
        for x, y, wide, high in (numbers(each, "x", "y", "width", "height") for each in rectangles):
            assert x >= 12
            assert x + wide <= width - 12
            assert y + high < 78 - 10
        dots = [numbers(each, "cx", "cy", "r") for each in node.findall(f"{SVG}circle")]
        lowest = max([y + r for _, y, r in dots], default=0)
        (baseline,) = numbers(note, "y")
        assert lowest + 4 < baseline - 10
        assert baseline < height
        assert all(x - r >= 12 and x + r <= width - 12 and y - r > 78 for x, y, r in dots)
        assert len(labels) == 2 + sum(each.get("class") == "pod" for each in rectangles)


@pytest.mark.parametrize("name", DRAWN)
def test_nodes_and_legend_lie_beside_each_other_on_the_page(name: str) -> None:
    svg = drawing(name)
    wide, high = numbers(svg, "width", "height")
    places = []
    for node in svg.findall(f"{SVG}g"):
        x, y = (float(each) for each in node.attrib["transform"].removeprefix("translate(").removesuffix(")").split())
        width, height = numbers(node.findall(f"{SVG}rect")[0], "width", "height")
        assert x + width <= wide
        assert y + height <= high
        assert all(abs(x - left) >= width or abs(y - above) >= height for left, above in places)
        places.append((x, y))
    for text in svg.findall(f"{SVG}text"):
        assert numbers(text, "x")[0] + 6 * len(text.text or "") <= wide


@pytest.mark.parametrize("name", DRAWN)
def test_the_legend_has_what_is_drawn_and_nothing_else(name: str) -> None:
    svg = drawing(name)
    legend = {each.get("class") for tag in ("rect", "circle") for each in svg.findall(f"{SVG}{tag}")} - {"page"}
    drawn = {each.get("class") for tag in ("rect", "circle") for each in svg.findall(f"{SVG}g/{SVG}{tag}")}
    assert legend == drawn - {"node", "pod"}


def test_what_the_words_say() -> None:
    assert "1 of 1 GPUs, no EFA interfaces" in words(drawing("one node, no EFA"))
    assert "on p5en.48xlarge and p5.48xlarge" in words(drawing("two types"))
    assert "(P replica.pod)" in words(drawing("groups of nodes"))
    assert "and 1 more node" in words(drawing("more nodes than are drawn")).split("  ")[-1]
