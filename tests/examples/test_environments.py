"""examples/environments: what its README says of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from llmdgen import api
from llmdgen.api import load
from llmdgen.cli.main import main
from llmdgen.findings import SpecError
from llmdgen.planning.model import Plan
from llmdgen.rendering.merged import merged

FOLDER = "examples/environments"
SPECS = ("staging", "production", "production-eu")
Plans = Callable[[str], dict[str, Plan]]


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])


@pytest.fixture
def readme() -> str:
    return Path(FOLDER, "README.md").read_text("utf-8")


def plans(name: str) -> dict[str, Plan]:
    """The plans of an environment by instance type, each without errors."""
    spec = load(f"{FOLDER}/{name}.yaml")
    return {target: api.plan(spec, target) for target in api.targets(spec)}


def test_the_readme_names_every_file() -> None:
    assert {file.stem for file in Path(FOLDER).glob("*.yaml")} == {"base", *SPECS}


def test_the_command_of_the_readme_renders_every_environment(
    readme: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"llmdgen render {FOLDER}/{{{','.join(SPECS)}}}.yaml" in readme
    code = main(["render", *(f"{FOLDER}/{name}.yaml" for name in SPECS), "--output", str(tmp_path)])
    assert (code, capsys.readouterr().err) == (0, "")
    rendered = sorted(file.parent.relative_to(tmp_path).as_posix() for file in tmp_path.glob("*/*/helmfile.yaml"))
    assert rendered == [
        "gpt-oss-production-eu/p5en.48xlarge",
        "gpt-oss-production/p5en.48xlarge",
        "gpt-oss-production/p6-b200.48xlarge",
        "gpt-oss-staging/p5.48xlarge",
    ]


def test_the_base_is_not_rendered_itself() -> None:
    with pytest.raises(SpecError, match="a base is not loaded itself, but the specs that extend it"):
        load(f"{FOLDER}/base.yaml")


def test_each_environment_has_the_nodes_that_the_readme_says() -> None:
    nodes = {name: {on: sum(pool.nodes for pool in each.pools) for on, each in plans(name).items()} for name in SPECS}
    assert nodes == {
        "staging": {"p5.48xlarge": 1},
        "production": {"p5en.48xlarge": 4, "p6-b200.48xlarge": 4},
        "production-eu": {"p5en.48xlarge": 4},
    }


def test_production_is_on_hyperpod_behind_a_load_balancer_and_staging_is_not() -> None:
    specs = {name: load(f"{FOLDER}/{name}.yaml").asked for name in SPECS}
    assert {name: spec.platform for name, spec in specs.items()} == {
        "staging": "eks",
        "production": "hyperpod",
        "production-eu": "hyperpod",
    }
    assert [name for name, spec in specs.items() if spec.gateway.load_balancer] == ["production", "production-eu"]
    assert specs["production-eu"].cluster.zone == "eu-north-1a"


def test_only_staging_has_debug_logs() -> None:
    files = {name: api.render(next(iter(plans(name).values())))["chart/templates/decode.yaml"] for name in SPECS}
    assert [name for name, text in files.items() if "DEBUG" in text] == ["staging"]
    production = Path(FOLDER, "production.yaml").read_text("utf-8")
    assert "VLLM_LOGGING_LEVEL: null" in production


def test_the_readme_shows_what_plan_prints(readme: str) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", readme, re.S)
    assert shown == merged(load(f"{FOLDER}/production-eu.yaml"))


@pytest.mark.parametrize("name", SPECS)
def test_an_environment_names_its_schema_and_is_valid_by_it(name: str) -> None:
    from jsonschema import Draft202012Validator
    from ruamel.yaml import YAML

    from llmdgen.spec.schema import schema

    text = Path(FOLDER, f"{name}.yaml").read_text("utf-8")
    assert text.startswith("# yaml-language-server: $schema=../../schemas/wellitpath.v1alpha1.json\n# ")
    Draft202012Validator(schema()).validate(YAML(typ="safe", pure=True).load(text))
