"""topology.svg, measured: nothing lies over something else, and the legend says what is drawn."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
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
        tiles = [(*numbers(each, "x", "y"), 26, 44) for each in node.findall(f"{SVG}use")]
        for x, y, wide, high in (*tiles, *(numbers(each, "x", "y", "width", "height") for each in rectangles)):
            assert x >= 12
            assert x + wide <= width - 12
            assert y + high < 95 - 10
        dots = [numbers(each, "cx", "cy", "r") for each in node.findall(f"{SVG}circle")]
        lowest = max([y + r for _, y, r in dots], default=0)
        (baseline,) = numbers(note, "y")
        assert lowest + 4 < baseline - 10
        assert baseline < height
        assert all(x - r >= 12 and x + r <= width - 12 and y - r > 95 for x, y, r in dots)
        assert len(labels) == 2 + sum(each.get("class") == "pod" for each in rectangles)


@pytest.mark.parametrize("name", DRAWN)
def test_nodes_traffic_and_legend_lie_beside_each_other_on_the_page(name: str) -> None:
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
    highest = min(y for _, y in places)
    for text in svg.findall(f"{SVG}text"):
        around = 3 if text.get("text-anchor") == "middle" else 6
        assert numbers(text, "x")[0] + around * len(text.text or "") <= wide
    boxes = [each for each in svg.findall(f"{SVG}rect") if each.get("class") == "node"]
    for box in boxes:
        x, y, width, height = numbers(box, "x", "y", "width", "height")
        assert x + width <= wide
        assert y + height < highest
        assert all(y > other for each in svg.findall(f"{SVG}circle") for (other,) in [numbers(each, "cy")])


@pytest.mark.parametrize("name", DRAWN)
def test_the_legend_has_what_is_drawn_and_nothing_else(name: str) -> None:
    svg = drawing(name)
    legend = {each.get("class") for each in svg.findall(f"{SVG}rect") if each.get("width") == "12"}
    legend |= {each.get("class") for each in svg.findall(f"{SVG}circle")}
    drawn = {each.get("class") for tag in ("rect", "circle") for each in svg.findall(f"{SVG}g/{SVG}{tag}")}
    used = {str(each.get("href")).removeprefix("#") for each in svg.findall(f"{SVG}g/{SVG}use")}
    tiles = {tile.get("id"): tile for tile in svg.findall(f"{SVG}defs/{SVG}g")}
    drawn |= {each.get("class") for role in used for each in tiles[role].findall(f"{SVG}rect")}
    assert legend == drawn - {"node", "pod", "page"}


@pytest.mark.parametrize("name", DRAWN)
def test_a_tile_is_filled_by_the_memory_of_its_gpu(name: str) -> None:
    for tile in drawing(name).findall(f"{SVG}defs/{SVG}g"):
        page, *parts = tile.findall(f"{SVG}rect")
        heights = [numbers(each, "height")[0] for each in parts]
        assert abs(sum(heights) - numbers(page, "height")[0]) < 0.3
        assert [each.get("class") for each in parts] == [tile.get("id"), "reserve", f"{tile.get('id')} kv"]


def test_prompts_come_before_answers_and_the_traffic_says_so() -> None:
    svg = drawing("two rows of interfaces")
    labels = [each.text for node in svg.findall(f"{SVG}g") for each in node.findall(f"{SVG}text")]
    pods = [each for each in labels if each and each[0] in "PD" and each[1:].isdigit()]
    assert pods == ["P0", "P1", "D0", "P2", "P3", "P4", "P5"]
    boxes = [each.text for each in svg.findall(f"{SVG}text") if each.get("font-weight") == "600"][1:]
    assert boxes == ["prefill", "decode", "gateway"]
    ways = [each.text for each in svg.findall(f"{SVG}text") if each.get("text-anchor") == "middle"]
    assert ways == ["requests", "prompts", "KV cache over EFA"]
    assert "all-to-all over EFA" in words(drawing("groups of nodes"))
    assert "KV cache" not in words(drawing("one interface")).split("gateway")[1]


def test_of_many_nodes_some_of_each_role_are_drawn() -> None:
    many = {"prefill": {"replicas": 80}, "decode": {"replicas": 40}}
    svg = ElementTree.fromstring(topology(plan_of("pd-disaggregation", GPT_OSS, "p5.48xlarge", **many)))
    drawn = [each.get("href") for each in svg.findall(f"{SVG}g/{SVG}use")]
    assert len(svg.findall(f"{SVG}g")) == 12
    assert drawn == ["#prefill"] * 48 + ["#decode"] * 48


def test_light_and_dark_have_each_colour() -> None:
    style = drawing("two types").find(f"{SVG}style")
    assert style is not None
    light, dark = str(style.text).split("@media (prefers-color-scheme: dark)")
    light, dark = (set(re.findall(r"\.(\w+)(?=[^{}]*\{[^{}]*#)", each)) for each in (light, dark))
    assert light == dark
    assert len(light) == 12


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here, which draws the pictures")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_draws_words_that_stand_out(scheme: str, tmp_path: Path) -> None:
    """The page of the picture is bright in light and dark in dark, and what is drawn differs from it."""
    (tmp_path / "topology.svg").write_text(topology(plan_of("pd-disaggregation", GPT_OSS, "p5.48xlarge")), "utf-8")
    dump = "<canvas id=c></canvas><img id=i src=topology.svg><pre id=o></pre><script>"
    dump += "i.onload=()=>{c.width=i.width;c.height=i.height;let x=c.getContext('2d');x.drawImage(i,0,0);"
    dump += "let d=x.getImageData(0,0,c.width,c.height).data,n={};"
    dump += "for(let k=0;k<d.length;k+=4){let v=(d[k]+d[k+1]+d[k+2])/3>>5;n[v]=(n[v]||0)+1};"
    dump += "o.textContent='counts '+JSON.stringify(n)}</script>"
    (tmp_path / "page.html").write_text(dump, "utf-8")
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=5000", "--dump-dom"]
    command += ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    page = (tmp_path / "page.html").as_uri()
    printed = subprocess.run([*command, page], capture_output=True, text=True, timeout=120, check=True).stdout
    counts = {int(level): int(count) for level, count in re.findall(r'"(\d)":(\d+)', printed.partition("counts ")[2])}
    assert counts, printed[:2000]
    background = max(counts, key=lambda level: counts[level])
    assert background == (0 if scheme == "dark" else 7)
    assert sum(count for level, count in counts.items() if abs(level - background) >= 3) > 5000


def test_what_the_words_say() -> None:
    assert "1 of 1 GPUs, no EFA interfaces" in words(drawing("one node, no EFA"))
    assert "on p5en.48xlarge and p5.48xlarge" in words(drawing("two types"))
    assert "(P replica.pod)" in words(drawing("groups of nodes"))
    assert "and 1 more node" in words(drawing("more nodes than are drawn")).split("  ")[-1]
