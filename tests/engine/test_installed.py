"""The hooks to an installed vLLM and an installed NIXL. Both are stood in for by the smallest packages that have their
shape, which proves the plumbing alone; one test asks the real parser of the oracle's wheel."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmdgen.engine.installed import NoVllm, check_with_installed_vllm, installed_backends
from tests.engine.cases import REPOSITORY

PARSER = """
import argparse
class FlexibleArgumentParser(argparse.ArgumentParser): pass
"""
CLI = """
def make_arg_parser(parser):
    parser.add_argument("model")
    parser.add_argument("--max-num-seqs", type=int)
    return parser
"""
NIXL = """
class nixl_agent_config:
    def __init__(self, backends): assert backends == []
class nixl_agent:
    def __init__(self, name, config): pass
    def get_plugin_list(self): return ["UCX", "POSIX"]
"""


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on sys.path; what is imported from it is forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("vllm", "nixl"):
            del sys.modules[name]


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.mark.parametrize("home", ["openai", "launchers", "common"])
def test_an_installed_vllm_is_asked_wherever_it_keeps_its_parser(packages: Path, home: str) -> None:
    files = {
        "vllm/__init__.py": "",
        "vllm/utils/argparse_utils.py": PARSER,
        f"vllm/entrypoints/{home}/cli_args.py": CLI,
    }
    write(packages, files)
    before = sys.argv
    assert check_with_installed_vllm(["m", "--max-num-seqs=4"]) == []
    assert check_with_installed_vllm(["m", "--bogus"]) == ["unrecognized arguments: --bogus"]
    assert sys.argv is before


@pytest.mark.skipif("vllm" in sys.modules, reason="vLLM is imported already")
def test_without_vllm_the_hook_says_how_to_install_it(packages: Path) -> None:
    with pytest.raises(NoVllm, match=r"\(fix: pip install vllm\)"):
        check_with_installed_vllm([])


def test_vllms_real_parser_answers_through_the_hook(wheel: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        f"sys.path[:0] = [{str(REPOSITORY)!r}, {str(REPOSITORY / 'scripts')!r}]\n"
        f"from vllm_wheel import open_wheel; open_wheel(Path({str(wheel)!r}))\n"
        "from llmdgen.engine.installed import check_with_installed_vllm as check\n"
        "print(check(['m', '--max-num-seqs=4']), check(['m', '--bogus']))\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[] ['unrecognized arguments: --bogus']"


def test_an_installed_nixl_names_its_backends(packages: Path) -> None:
    write(
        packages,
        {"nixl/__init__.py": "", "nixl/_api.py": NIXL, ".nixl.mesonpy.libs/plugins/libplugin_LIBFABRIC.so": ""},
    )
    assert installed_backends() == ["LIBFABRIC", "POSIX", "UCX"]


def test_without_nixl_there_is_nobody_to_ask(packages: Path) -> None:
    write(packages, {"nixl/__init__.py": "raise ImportError('libucp.so: cannot open')"})
    assert installed_backends() is None
