"""`llmdgen validate --engine`: a stand-in vLLM and NIXL are asked, and their answers stand at places of the spec."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmdgen import api
from llmdgen.checks import engine as installed
from llmdgen.engine import installed as engine
from llmdgen.planning.model import Plan
from tests.cli.conftest import SPEC, Llmdgen
from tests.engine.test_installed import NIXL, PARSER, write
from tests.specs import DEEPSEEK, GPT_OSS, plan_of

# A vLLM that takes whatever it gets but --max-model-len.
CLI = """
class Parser:
    def parse_args(self, argv):
        import sys
        for argument in argv:
            if argument.startswith("--max-model-len"):
                print("vllm serve: error: unrecognized arguments: " + argument, file=sys.stderr)
                raise SystemExit(2)
def make_arg_parser(parser):
    return Parser()
"""
VLLM = {
    "vllm/__init__.py": "",
    "vllm/utils/argparse_utils.py": PARSER,
    "vllm/entrypoints/openai/cli_args.py": CLI,
}


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on sys.path; what is imported from it is forgotten afterwards."""
    before = set(sys.modules)
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("vllm", "nixl"):
            del sys.modules[name]


def version(monkeypatch: pytest.MonkeyPatch, installed_version: str) -> None:
    monkeypatch.setattr(engine, "installed_version", lambda: installed_version)


def codes(plan: Plan) -> list[str]:
    return [each.finding.code for each in installed.installed_findings(plan)]


def test_what_the_installed_vllm_refuses_stands_at_the_flags_line(
    llmdgen: Llmdgen, spec: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(packages, VLLM)
    version(monkeypatch, "0.26.0")
    answer = llmdgen("validate", "chat.yaml", "--engine")
    errors = [line for line in answer.err.splitlines() if " error " in line]
    assert answer.code == 1
    assert len(errors) == 2
    assert errors[0] == (
        "chat.yaml:12:27: error VLLM023: the installed vLLM refuses vllm/prefill.args: unrecognized arguments: "
        "--max-model-len=8192 (fix: correct the flag, or remove it from args)"
    )


def test_arguments_that_the_installed_vllm_takes_pass(
    llmdgen: Llmdgen, spec: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(packages, VLLM)
    version(monkeypatch, "0.26.0+cpu")
    spec.write_text(SPEC.partition("  engine:")[0])
    answer = llmdgen("validate", "chat.yaml", "--engine")
    assert "VLLM02" not in answer.err
    assert answer.code == 0


def test_every_pod_of_a_role_of_several_nodes_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(engine, "check_with_installed_vllm", lambda argv: asked.append(argv) or [])
    plan = plan_of("wide-ep", DEEPSEEK)
    version(monkeypatch, plan.release.vllm)
    installed.installed_findings(plan)
    written = {name: text for name, text in api.render(plan).items() if name.startswith("vllm/")}
    assert sorted(asked) == sorted(tuple(text.splitlines()) for text in written.values())
    assert len(asked) == 4


def test_without_vllm_the_command_says_how_to_install_it(
    llmdgen: Llmdgen, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    monkeypatch.setattr(engine, "_HOMES", ("no_vllm_here.cli_args",))
    answer = llmdgen("validate", "chat.yaml", "--engine")
    assert answer.code == 1
    assert answer.err.splitlines()[-1] == ("llmdgen: error: --engine: vLLM is not installed (fix: pip install vllm)")


def test_another_version_than_the_releases_is_a_warning(
    llmdgen: Llmdgen, spec: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(packages, VLLM)
    version(monkeypatch, "0.16.0")
    spec.write_text(SPEC.partition("  engine:")[0])
    answer = llmdgen("validate", "chat.yaml", "--engine")
    said = "VLLM025: vLLM 0.16.0 is installed, and llm-d v0.9.0 has 0.26.0 (fix: pip install vllm==0.26.0)"
    assert answer.err.count(said) == 1
    assert answer.code == 0
    assert llmdgen("validate", "chat.yaml", "--engine", "--strict").code == 1


def test_a_suppressed_warning_is_not_said(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(packages, VLLM)
    version(monkeypatch, "0.16.0")
    quiet = [{"code": "VLLM025", "reason": "the newest vLLM is asked on purpose"}]
    assert codes(plan_of("inference-scheduling", suppress=quiet)) == []


@pytest.mark.parametrize("paths", [{}, {"with_": ["tiered-prefix-cache"]}], ids=["alone", "inside a MultiConnector"])
def test_a_backend_that_the_installed_nixl_lacks_is_an_error(
    packages: Path, monkeypatch: pytest.MonkeyPatch, paths: dict[str, list[str]]
) -> None:
    write(packages, {**VLLM, "nixl/__init__.py": "", "nixl/_api.py": NIXL})
    plan = plan_of("pd-disaggregation", GPT_OSS, **paths)
    version(monkeypatch, plan.release.vllm)
    found = installed.installed_findings(plan)
    assert {each.finding.code for each in found} == {"VLLM024"}
    assert found[0].finding.says == "the installed NIXL has no backend LIBFABRIC"
    assert found[0].finding.fix == "use one of POSIX, UCX"


def test_without_nixl_backends_are_not_asked_about(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(packages, {**VLLM, "nixl/__init__.py": "raise ImportError('libucp.so: cannot open')"})
    plan = plan_of("pd-disaggregation", GPT_OSS)
    version(monkeypatch, plan.release.vllm)
    assert codes(plan) == []
