"""The documentation says what the code says, and its links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.write_docs import DIAGNOSTICS, diagnostics, documents

from .docs import DOCS, GENERATED, ROOT, by_hand, pages

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def links(page: Path) -> Iterator[str]:
    """The links of a page that lead to this repository; those inside code are not links."""
    for target in LINK.findall(CODE.sub("", page.read_text("utf-8"))):
        if "://" not in target and not target.startswith("mailto:"):
            yield target


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_page_of_diagnostics_is_what_the_rules_say() -> None:
    assert DIAGNOSTICS.read_text("utf-8") == diagnostics(), "run `make docs`"


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == documents()[name], "run `make docs`"


def test_the_generated_pages_are_these() -> None:
    assert sorted(documents()) == sorted(GENERATED)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in links(page):
        file, _, anchor = target.partition("#")
        found = (page.parent / file).resolve() if file else page
        assert found.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(found), f"{page.name} links to {target}, and there is no such heading"


@pytest.mark.parametrize("name", [*GENERATED, *by_hand()])
def test_every_page_is_found_from_the_readme(name: str) -> None:
    """Those of a folder through its README.md."""
    found, waiting = {ROOT / "README.md"}, [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        linked = {(page.parent / target.partition("#")[0]).resolve() for target in links(page)}
        new = {each for each in linked if each.suffix == ".md" and each.is_relative_to(DOCS)} - found
        found |= new
        waiting += [each for each in new if each.name == "README.md"]
    assert DOCS / name in found


@pytest.mark.parametrize("name", [*GENERATED, *by_hand()])
def test_every_page_is_in_the_navigation_of_the_site(name: str) -> None:
    assert re.search(rf"[ :-] {re.escape(name)}( #.*)?$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.M)


@pytest.mark.parametrize("name", by_hand())
def test_codes_that_a_page_names_exist(name: str) -> None:
    known = set(re.findall(r"^### ([A-Z0-9]+)", DIAGNOSTICS.read_text("utf-8"), re.M))
    text = (DOCS / name).read_text("utf-8")
    named = set(re.findall(r"\b[A-Z][A-Z0-9]{1,3}[0-9]{3}\b", text)) - set(re.findall(r'@rule\("(\w+)"', text))
    named = {code for code in named if code[:-3] in {each[:-3] for each in known}}
    assert named <= known


def test_codes_of_every_topic_are_on_the_page_of_diagnostics() -> None:
    prefixes = {code[:-3] for code in re.findall(r"^### ([A-Z0-9]+)", DIAGNOSTICS.read_text("utf-8"), re.M)}
    assert {"EFA", "EPP", "FIT", "GW", "HELM", "K8S", "MOD", "PATH", "SEC", "SPEC", "VLLM"} <= prefixes
