"""The documentation says what the code says, and its links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.write_docs import DIAGNOSTICS, DOCS, diagnostics, documents

ROOT = DOCS.parent
GENERATED = ("commands.md", "diagnostics.md", "spec.md")
WRITTEN_BY_HAND = ("design.md", "efa.md", "paths.md")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def pages() -> list[Path]:
    """The README, what stands beside it, and the documentation."""
    return [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]


def links(page: Path) -> Iterator[str]:
    """The links of a page that lead to this repository; those inside code are no links."""
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


def test_every_page_is_generated_or_written_by_hand() -> None:
    assert sorted(documents()) == sorted(GENERATED)
    assert sorted(page.name for page in DOCS.glob("*.md")) == sorted((*GENERATED, *WRITTEN_BY_HAND))


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in links(page):
        file, _, anchor = target.partition("#")
        found = (page.parent / file).resolve() if file else page
        assert found.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(found), f"{page.name} links to {target}, and there is no such heading"


@pytest.mark.parametrize("name", [*GENERATED, *WRITTEN_BY_HAND])
def test_the_readme_links_to_every_page(name: str) -> None:
    assert f"docs/{name}" in set(links(ROOT / "README.md"))


@pytest.mark.parametrize("name", WRITTEN_BY_HAND)
def test_codes_that_a_page_names_exist(name: str) -> None:
    known = set(re.findall(r"^### ([A-Z0-9]+)", DIAGNOSTICS.read_text("utf-8"), re.M))
    named = set(re.findall(r"\b[A-Z][A-Z0-9]{1,3}[0-9]{3}\b", (DOCS / name).read_text("utf-8")))
    named = {code for code in named if code[:-3] in {each[:-3] for each in known}}
    assert named <= known


def test_codes_of_every_topic_are_on_the_page_of_diagnostics() -> None:
    prefixes = {code[:-3] for code in re.findall(r"^### ([A-Z0-9]+)", DIAGNOSTICS.read_text("utf-8"), re.M)}
    assert {"EFA", "EPP", "FIT", "GW", "HELM", "K8S", "MOD", "PATH", "SEC", "SPEC", "VLLM"} <= prefixes
