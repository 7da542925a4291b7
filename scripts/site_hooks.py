"""Hooks of `mkdocs build`: what stands outside docs/ becomes a part of the site.

README.md is the home page, CONTRIBUTING.md, SECURITY.md and CHANGELOG.md are pages. Links that leave docs/ work on a
checkout and where the repository is browsed; for the site, the files that they lead to are added to it, such as an
example's spec, its SUMMARY.md and the picture in that. A link to a folder, or to code, becomes its text.

docs/diagnostics.md, one long page, becomes an index and a page for each family of codes, and a code that any page names
is a link to its explanation.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
DOCS = "docs/"
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
SHOWN = {".md", ".yaml", ".yml", ".svg", ".json"}
DIAGNOSTICS = "diagnostics.md"
CODE = re.compile(r"(^```.*?^```)", re.DOTALL | re.MULTILINE)
# What may hold a code of a finding: a heading and a link, which stay as they are, code between backticks, plain words.
NAMED = re.compile(
    r"(^#.*$|!?\[(?:[^][]|\[[^][]*\])*\]\([^)\s]+\)|`[^`\n]+`|\b[A-Z][A-Z0-9]{1,4}\d{3}\b)", re.MULTILINE
)
LINK = re.compile(r"(!?)\[((?:[^][]|\[[^][]*\])*)\]\(([^)\s]+)\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the families of diagnostics into the navigation, below their index."""
    config.nav = _with_families(config.nav, [{"All codes": DIAGNOSTICS}, *families()])
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages beside docs/, and every file that a page links to."""
    from mkdocs.structure.files import File

    for uri, text in families().items():
        files.append(File.generated(config, uri, content=text))
    waiting = [*PAGES, *(DOCS + file.src_uri for file in files.documentation_pages() if not file.generated_by)]
    known = set(waiting)
    while waiting:
        source = waiting.pop()
        if not source.startswith(DOCS):
            files.append(File.generated(config, in_site(source), abs_src_path=str(ROOT / source)))
        if source.endswith(".md"):
            found = {target for target in targets(source) if not target.startswith(DOCS)} - known
            known |= found
            waiting += sorted(found)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point the links of a page to where their files are in the site."""
    if page.file.src_uri == DIAGNOSTICS:
        return index_of_codes()
    source = in_repository(page.file.src_uri)
    here = os.path.dirname(page.file.src_uri)

    def relink(match: re.Match[str]) -> str:
        picture, text, target = match.groups()
        path, mark, anchor = target.partition("#")
        if not is_local(target) or not path:
            return match.group()
        file = resolve(source, path)
        if not is_shown(file):
            return text
        return f"{picture}[{text}]({os.path.relpath(in_site(file), here or '.')}{mark}{anchor})"

    def linked(match: re.Match[str]) -> str:
        place = places_of_codes().get(match.group().strip("`"))
        return f"[{match.group()}]({os.path.relpath(place, here or '.')})" if place else match.group()

    return outside_code(markdown, lambda text: NAMED.sub(linked, LINK.sub(relink, text)))


@cache
def places_of_codes() -> dict[str, str]:
    """The page and anchor in the site of each code's explanation."""
    from markdown.extensions.toc import slugify

    return {
        code: f"{uri}#{slugify(f'{code}: {title}', '-')}"
        for uri, text in families().items()
        for code, title in re.findall(r"^## (\w+): (.*)$", text, re.M)
    }


def families() -> dict[str, str]:
    """The pages of diagnostics, by their names in the site: each family of codes with its explanations."""
    _, *sections = re.split(r"^## ", (ROOT / DOCS / DIAGNOSTICS).read_text("utf-8"), flags=re.M)
    found = {}
    for section in sections:
        code = re.search(r"^### (\w+?)\d{3}:", section, re.M)
        if code is not None:
            found[f"diagnostics/{code[1].lower()}.md"] = "# " + section.replace("\n### ", "\n## ")
    return found


def index_of_codes() -> str:
    """What stands above the families, and a table of every code with its severity."""
    head, _, _ = (ROOT / DOCS / DIAGNOSTICS).read_text("utf-8").partition("\n## ")
    lines = [head]
    for uri, text in families().items():
        lines += [f"\n## [{text.splitlines()[0][2:]}]({uri})\n", "| code | severity | |", "|---|---|---|"]
        for code, title, severity in re.findall(r"^## (\w+): (.*)\n\n(\w+)$", text, re.M):
            lines.append(f"| [{code}]({places_of_codes()[code]}) | {severity} | {title} |")
    return "\n".join(lines) + "\n"


def _with_families(nav: Any, pages: list[Any]) -> Any:
    """The navigation with the page of diagnostics replaced by several."""
    if isinstance(nav, list):
        return [_with_families(each, pages) for each in nav]
    if isinstance(nav, dict):
        return {title: pages if each == DIAGNOSTICS else _with_families(each, pages) for title, each in nav.items()}
    return nav


def targets(source: str) -> Iterator[str]:
    """The files that a page of the repository links to and that the site shows."""
    text = CODE.sub("", (ROOT / source).read_text("utf-8"))
    for match in LINK.finditer(text):
        path = match.group(3).partition("#")[0]
        file = resolve(source, path)
        if path and is_local(path) and is_shown(file) and (ROOT / file).is_file():
            yield file


def in_site(source: str) -> str:
    """The name in the site of a file of the repository. mkdocs leaves out what begins with a dot."""
    return PAGES.get(source) or re.sub(r"(^|/)\.", r"\1", source.removeprefix(DOCS))


def in_repository(uri: str) -> str:
    """The file of the repository behind a page of the site."""
    for source, page in PAGES.items():
        if uri == page:
            return source
    return DOCS + uri if (ROOT / DOCS / uri).is_file() else uri


def resolve(source: str, path: str) -> str:
    """A relative path on a page, from the root of the repository."""
    return os.path.normpath(os.path.join(os.path.dirname(source), path))


def is_local(target: str) -> bool:
    return "://" not in target and not target.startswith("mailto:")


def is_shown(file: str) -> bool:
    """Whether the site has a file; one that is missing stays a link, which mkdocs then reports."""
    path = ROOT / file
    return not path.is_dir() and (path.suffix in SHOWN or not path.exists())


def outside_code(markdown: str, change: Callable[[str], str]) -> str:
    """A page changed outside its code. Odd parts of a split by one group are what the group matched."""
    parts = CODE.split(markdown)
    return "".join(part if index % 2 else change(part) for index, part in enumerate(parts))
