"""The site builds with every link and anchor in place, from this checkout alone, and asks nothing of the network."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import pytest

from .docs import DOCS, ROOT

WITHOUT_MKDOCS = pytest.mark.skipif(
    find_spec("material") is None, reason="mkdocs-material is not installed: `make site` installs it"
)
FOREIGN = re.compile(r"<(?:script|img|iframe)\b[^>]*\bsrc=[\"']?https?:|<link\b[^>]*\bhref=[\"']?https?:")


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """mkdocs as `make site` calls it, without a way to the network."""
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=root,
        env={**os.environ, **nowhere, "NO_MKDOCS_2_WARNING": "1"},
        text=True,
        capture_output=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    answer = build(ROOT, folder)
    assert answer.returncode == 0, answer.stderr
    return folder


@WITHOUT_MKDOCS
def test_every_page_is_in_the_site(site: Path) -> None:
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).with_suffix(".html").as_posix().replace("README", "index")
        assert (site / name).is_file(), name
    assert {"index.html", "contributing.html", "changelog.html"} <= {file.name for file in site.glob("*.html")}


@WITHOUT_MKDOCS
def test_every_diagnostic_is_in_the_index_and_on_the_page_of_its_family(site: Path) -> None:
    index = (site / "diagnostics.html").read_text("utf-8")
    for code in re.findall(r"^### (\w+):", (DOCS / "diagnostics.md").read_text("utf-8"), re.M):
        family = f"diagnostics/{code[:-3].lower()}.html"
        assert f'href="{family}#{code.lower()}-' in index
        assert f'id="{code.lower()}-' in (site / family).read_text("utf-8")


@WITHOUT_MKDOCS
def test_every_link_within_the_site_leads_to_a_file_and_an_anchor_of_it(site: Path) -> None:
    """Those too that mkdocs does not judge: to files that are not pages, and out of generated pages."""
    pages = {file: file.read_text("utf-8") for file in site.rglob("*.html")}
    anchors = {file: set(re.findall(r'\bid="([^"]+)"', text)) for file, text in pages.items()}
    lost = set()
    for file, text in pages.items():
        for target in re.findall(r'<(?:a|img)\b[^>]*?\b(?:href|src)="([^"]+)"', text):
            path, _, anchor = unquote(html.unescape(target)).partition("#")
            if re.match(r"[a-z]+:", path) or path.startswith("/"):
                continue
            found = (file.parent / path).resolve() if path else file
            found = found / "index.html" if found.is_dir() else found
            if not found.is_file() or (anchor and found in anchors and anchor not in anchors[found]):
                lost.add((file.relative_to(site).as_posix(), target))
    assert lost == set()
    assert (site / "examples/gitlab/gitlab-ci.yml").is_file()


@WITHOUT_MKDOCS
def test_a_page_of_a_path_shows_the_picture_that_was_rendered(site: Path) -> None:
    picture = "rendered/wide-ep/p5.48xlarge/topology.svg"
    assert (site / picture).read_bytes() == (ROOT / picture).read_bytes()
    assert f"../{picture}" in (site / "paths" / "wide-ep.html").read_text("utf-8")


@WITHOUT_MKDOCS
def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    foreign = {file.name: found for file in site.rglob("*.html") if (found := FOREIGN.findall(file.read_text("utf-8")))}
    assert foreign == {}


@WITHOUT_MKDOCS
def test_a_link_that_leads_nowhere_stops_the_build(tmp_path: Path) -> None:
    """On a small site with the settings and hooks of ours."""
    settings = (ROOT / "mkdocs.yml").read_text("utf-8")
    nav = "nav: [index.md, page.md, contributing.md, changelog.md, security.md, diagnostics.md]\n\n"
    (tmp_path / "mkdocs.yml").write_text(re.sub(r"^nav:\n.*?\n\n", nav, settings, flags=re.M | re.S))
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "docs").mkdir()
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs/page.md", "docs/diagnostics.md"):
        (tmp_path / name).write_text("# A page\n\n[Home](#a-page)\n")
    right = build(tmp_path, tmp_path / "site")
    assert right.returncode == 0, right.stderr
    wrong = ("absent.md", "../README.md#absent", "../rendered/absent.md")
    with (tmp_path / "docs" / "page.md").open("a", encoding="utf-8") as page:
        page.writelines(f"\n[a link]({link})\n" for link in wrong)
    answer = build(tmp_path, tmp_path / "site")
    assert answer.returncode != 0
    assert answer.stderr.count("absent") >= len(wrong), answer.stderr


def test_the_site_is_no_part_of_a_commit() -> None:
    assert "site/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


@WITHOUT_MKDOCS
def test_a_code_that_a_page_names_leads_to_its_explanation(site: Path) -> None:
    index = (site / "diagnostics.html").read_text("utf-8")
    known = set(re.findall(r">([A-Z][A-Z0-9]+\d{3})</a>", index))
    for page in (site / "efa.html", site / "operations.html", site / "paths" / "wide-ep.html"):
        text = re.sub(r"<(pre|h\d|title)\b.*?</\1>|<nav\b.*?</nav>", "", page.read_text("utf-8"), flags=re.S)
        unlinked = re.sub(r"<a\b.*?</a>", "", text, flags=re.S)
        assert known.intersection(re.findall(r"\b[A-Z][A-Z0-9]+\d{3}\b", text))
        assert not known.intersection(re.findall(r"\b[A-Z][A-Z0-9]+\d{3}\b", unlinked))


@WITHOUT_MKDOCS
def test_a_search_finds_what_llmdgen_does_not_do(site: Path) -> None:
    found = json.loads((site / "search" / "search_index.json").read_text("utf-8"))["docs"]
    page = [
        f"{each['title']} {each['text']}".lower() for each in found if each["location"].startswith("not-here.html#")
    ]
    for word in ("autoscaling", "lora", "prices", "trainium", "authentication", "dashboards"):
        assert any(word in text for text in page), word
