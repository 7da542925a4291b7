"""The package from outside: what it exports, what a wheel carries, and that the wheel works where no checkout is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from operator import attrgetter
from pathlib import Path

import pytest

import llmdgen

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "paths" / "pd-disaggregation.yaml"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a network."""
    pytest.importorskip("hatchling", reason="the wheel is built with hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def built(folder: Path, kind: str, umask: str) -> bytes:
    """The wheel or the source distribution, built from a copy whose files have other times, orders and permissions."""
    copy = folder / "source"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "rendered", "tests", "dist"))
    for number, file in enumerate(sorted(copy.rglob("*"), reverse=umask == "077")):
        os.utime(file, (1_700_000_000 + number, 1_700_000_000 + number))
    build = f"import os, sys; os.umask(0o{umask}); from hatchling.build import build_{kind}; build_{kind}(sys.argv[1])"
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    command = [sys.executable, "-c", build, str(folder)]
    subprocess.run(command, cwd=copy, env=environment, check=True, capture_output=True)
    (made,) = (file for file in folder.iterdir() if file.is_file())
    return made.read_bytes()


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_two_builds_are_the_same_bytes(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the package is built with hatchling")
    first, second = (tmp_path / each for each in ("first", "second"))
    first.mkdir()
    second.mkdir()
    assert built(first, kind, "022") == built(second, kind, "077")


def below(folder: str, pattern: str = "*") -> set[str]:
    return {
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / folder).rglob(pattern)
        if file.is_file() and "__pycache__" not in file.parts
    }


def test_the_public_names_are_these_and_exist() -> None:
    assert sorted(llmdgen.__all__) == ["Plan", "Spec", "__version__", "load", "plan", "render"]
    assert all(getattr(llmdgen, name) is not None for name in llmdgen.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        attrgetter("nonsense")(llmdgen)


def test_three_calls_lead_from_a_file_to_the_files_of_a_directory() -> None:
    files = llmdgen.render(llmdgen.plan(llmdgen.load(EXAMPLE), "p5.48xlarge"))
    assert {"helmfile.yaml", "values/router.yaml", "chart/templates/decode.yaml", "vllm/decode.args"} <= files.keys()
    assert all(isinstance(text, str) for text in files.values())


def test_the_wheel_carries_all_code_facts_templates_and_schemas(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert below("llmdgen", "*.py") <= inside
    assert below("llmdgen/facts/data") <= inside
    assert {f"llmdgen/{name}" for name in below("templates") | below("schemas")} <= inside
    assert "llmdgen/py.typed" in inside
    assert not {name for name in inside if name.startswith(("tests/", "rendered/", "scripts/"))}


def test_the_wheel_needs_what_the_runtime_lock_pins(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    needs = re.findall(r"^Requires-Dist: ([a-zA-Z0-9._-]+)[^;\n]*$", archive.read(name).decode(), re.MULTILINE)
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements/run.lock").read_text(), re.MULTILINE))
    assert {need.lower().replace(".", "-") for need in needs} <= pinned
    assert needs


def test_a_wheel_far_from_any_checkout_renders_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    package = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(package)
    spec = tmp_path / "spec.yaml"
    spec.write_bytes(EXAMPLE.read_bytes())
    outputs = []
    for place in (ROOT, package):
        out = tmp_path / f"from-{place.name}"
        environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run(
            [sys.executable, "-m", "llmdgen", "render", "spec.yaml", "--output", str(out)],
            cwd=tmp_path,
            env=environment,
            check=True,
            capture_output=True,
        )
        outputs.append({file.relative_to(out): file.read_bytes() for file in out.rglob("*") if file.is_file()})
    assert outputs[0] == outputs[1]
    assert outputs[0]


def test_every_lock_pins_hashes_and_names_no_registry() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.lock")):
        text = lock.read_text()
        pins = re.findall(r"^[a-z0-9][^ ]*==[^ ]+ \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
        assert len(pins) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) > 0
        assert "://" not in text
        assert "index" not in re.sub(r"--hash=\S+", "", text)


def test_the_version_is_written_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["dynamic"] == ["version"]
    assert f"[{llmdgen.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
