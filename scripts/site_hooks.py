"""Hooks of `mkdocs build`: what stands outside docs/ becomes a part of the site.

README.md is the home page, and CONTRIBUTING.md and CHANGELOG.md are pages. Links that leave docs/ work on a checkout
and where the repository is browsed; for the site, the files that they lead to are added to it, such as an example's
spec, its SUMMARY.md and the picture in that. A link to a folder, or to code, becomes its text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
DOCS = "docs/"
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
SHOWN = {".md", ".yaml", ".svg", ".json"}
CODE = re.compile(r"(^```.*?^```)", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(!?)\[((?:[^][]|\[[^][]*\])*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages beside docs/, and every file that a page links to."""
    from mkdocs.structure.files import File

    waiting = [*PAGES, *(DOCS + file.src_uri for file in files.documentation_pages())]
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

    return outside_code(markdown, lambda text: LINK.sub(relink, text))


def targets(source: str) -> Iterator[str]:
    """The files that a page of the repository links to and that the site shows."""
    text = CODE.sub("", (ROOT / source).read_text("utf-8"))
    for match in LINK.finditer(text):
        path = match.group(3).partition("#")[0]
        file = resolve(source, path)
        if path and is_local(path) and is_shown(file) and (ROOT / file).is_file():
            yield file


def in_site(source: str) -> str:
    """The name in the site of a file of the repository."""
    return PAGES.get(source) or source.removeprefix(DOCS)


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
