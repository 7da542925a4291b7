"""The release's tables are what scripts/vllm_tables.py makes of the release's vLLM."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llmdgen import resources
from llmdgen.facts import catalogue
from tests.engine.cases import REPOSITORY, vllm_wheel

FACTS = Path(resources.FACTS)

TABLES = ("vllm-serve.json", "vllm-env.json", "vllm-help.json")
MEASURED = REPOSITORY.parent / "shared/facts"


@pytest.fixture(scope="module", params=catalogue.release_names())
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def made(release: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    wheel = vllm_wheel(release)
    if wheel is None:
        pytest.skip("no vLLM wheel: run `make oracle` or set LLMDGEN_VLLM_WHEEL")
    folder = tmp_path_factory.mktemp("tables")
    subprocess.run([sys.executable, REPOSITORY / "scripts/vllm_tables.py", wheel, folder], check=True)
    return folder


@pytest.mark.parametrize("name", TABLES)
def test_the_wheel_gives_the_committed_table(made: Path, release: str, name: str) -> None:
    assert (made / name).read_text("utf-8") == (FACTS / "releases" / release / name).read_text("utf-8")


@pytest.fixture(scope="module")
def rows(release: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((FACTS / "releases" / release / "vllm-serve.json").read_text("utf-8"))
    return table["flags"]


@pytest.fixture(scope="module")
def measured(release: str) -> dict[str, Any]:
    """The flags as another reading of this vLLM found them, by name."""
    file = MEASURED / f"vllm-serve-{catalogue.release(release).vllm}.json"
    if not file.is_file():
        pytest.skip(f"{file.name} is not beside the repository")
    table = json.loads(file.read_text("utf-8"))
    return {row["flag"].removeprefix("--"): row for row in table["arguments"] if not row.get("positional")}


def test_the_table_has_the_flags_of_another_reading(rows: dict[str, Any], measured: dict[str, Any]) -> None:
    assert set(rows) == set(measured)


def test_the_table_agrees_with_another_reading_about_each_flag(rows: dict[str, Any], measured: dict[str, Any]) -> None:
    for name, row in rows.items():
        other = measured[name]
        assert (row["type"] == "switch") == (other["action"] in ("boolean-optional", "store_true")), name
        assert row.get("negative", False) == bool(other.get("negative")), name
        assert row.get("short") in (other.get("aliases") or [None]), name
        assert (row.get("many") == "values") == (other.get("nargs") == "+"), name
        if other.get("choices"):
            assert row["choices"] == [each for each in other["choices"] if each not in ("None", None)], name
        if other.get("json_class"):
            assert row["config"] == other["json_class"], name
        if other.get("default") is not None and not isinstance(other["default"], dict):
            assert row["default"] == other["default"], name
