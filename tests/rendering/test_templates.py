"""Templates compiled ahead of time give what Jinja gives, and are used only for the text they were made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmdgen import api
from llmdgen.rendering import compiled, files, roles, summary, templates, topology
from llmdgen.rendering.environment import render as by_jinja
from llmdgen.rendering.lookup import UndefinedName
from llmdgen.rendering.yaml_text import as_yaml
from llmdgen.resources import TEMPLATES
from llmdgen.spec.load import load_all
from scripts.compile_templates import OUTPUT, Compiler, Unsupported, compiled_text

ROOT = Path(__file__).parent.parent.parent
READY = sorted((ROOT / "paths").glob("*.yaml"))
GOLDEN = sorted((ROOT / "tests" / "golden").glob("*/spec.yaml"))


def test_the_compiled_module_is_what_the_templates_give() -> None:
    assert OUTPUT.read_text("utf-8") == compiled_text(), "run scripts/compile_templates.py"


@pytest.mark.parametrize("path", [*READY, *GOLDEN], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_both_ways_give_the_same_bytes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [api.draft(spec, each) for spec in load_all(str(path)) for each in api.targets(spec)]
    ours = [api.render(plan) for plan in plans]
    for module in (files, roles, summary, topology):
        monkeypatch.setattr(module, "render", by_jinja)
    assert [api.render(plan) for plan in plans] == ours


def test_a_template_that_was_changed_is_rendered_by_jinja(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in compiled.SOURCES["start.sh.j2"]:
        (tmp_path / name).write_text((TEMPLATES / name).read_text("utf-8") + "# changed\n", "utf-8")
    monkeypatch.setattr(templates, "TEMPLATES", tmp_path)
    templates._is_compiled.cache_clear()
    try:
        assert not templates._is_compiled("start.sh.j2")
    finally:
        templates._is_compiled.cache_clear()


def test_a_name_that_nobody_gave_is_an_error() -> None:
    with pytest.raises(UndefinedName, match="undefined"):
        compiled.TEMPLATES["helmfile.yaml.j2"]({}, as_yaml)


@pytest.mark.parametrize("text", ["{% macro a() %}{% endmacro %}", "{{ a() }}", "{{ a | upper }}", "{% set a = 1 %}"])
def test_what_the_compiler_does_not_know_stops_it(text: str) -> None:
    compiler: Any = Compiler("start.sh.j2")
    compiler.source = text
    with pytest.raises(Unsupported, match=r"start\.sh\.j2:1"):
        compiler.function()
