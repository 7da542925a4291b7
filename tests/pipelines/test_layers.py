"""`make lint` states the layers of the package: what its contracts let pass, and that each of them can fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT

pytest.importorskip("importlinter", reason="the layers are stated with import-linter, of the dev extra")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The package and its contracts, to be spoilt."""
    shutil.copytree(ROOT / "llmdgen", tmp_path / "llmdgen", ignore=shutil.ignore_patterns("__pycache__", "data"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(checkout: Path) -> tuple[int, str]:
    """The exit code of lint-imports, and what it prints on lines that do not depend on the terminal's width."""
    program = Path(sys.executable).with_name("lint-imports")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"COLUMNS": "200"}
    done = subprocess.run(
        [program, "--no-cache", "--no-logo"], cwd=checkout, env=environment, capture_output=True, text=True
    )
    return done.returncode, done.stdout


def spoil(checkout: Path, module: str, line: str) -> None:
    with (checkout / "llmdgen" / module).open("a") as file:
        file.write(f"\n\n{line}\n")


def test_the_package_as_it_is_keeps_its_layers(checkout: Path) -> None:
    code, printed = lint(checkout)
    assert (code, "2 kept, 0 broken" in printed) == (0, True), printed


@pytest.mark.parametrize(
    "line",
    [
        "from llmdgen.planning.build import build",
        "def late() -> None:\n    from llmdgen.planning.build import build",
        "if TYPE_CHECKING:\n    from llmdgen.planning.build import build",
        "from llmdgen import load",  # which the package's face takes from the API, above the spec
    ],
)
def test_an_import_that_goes_up_fails_wherever_it_stands(checkout: Path, line: str) -> None:
    spoil(checkout, "spec/places.py", line)
    code, printed = lint(checkout)
    assert code == 1
    assert "llmdgen.spec is not allowed to import llmdgen." in printed


def test_a_ring_of_two_packages_fails(checkout: Path) -> None:
    spoil(checkout, "facts/types.py", "def late() -> None:\n    from llmdgen.engine import argv")
    code, printed = lint(checkout)
    assert code == 1
    assert "llmdgen.facts is not allowed to import llmdgen.engine" in printed


def test_a_ring_inside_a_package_fails(checkout: Path) -> None:
    spoil(checkout, "spec/places.py", "def late() -> None:\n    from llmdgen.spec import load")
    code, printed = lint(checkout)
    assert code == 1
    assert "no ring among the modules of a package, at any depth BROKEN" in printed


def test_a_new_package_has_to_say_where_it_stands(checkout: Path) -> None:
    (checkout / "llmdgen" / "novelty").mkdir()
    (checkout / "llmdgen" / "novelty" / "__init__.py").touch()
    code, printed = lint(checkout)
    assert code == 1
    assert "novelty" in printed
