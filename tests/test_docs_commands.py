"""Every command of the documentation does what its page says.

The blocks of a page are run in their order, in an empty directory; those of a page for developers in a copy of the
checkout. What needs a cluster or a package registry is parsed, and its options are asked of the program's own help.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from llmdgen.cli.main import cli

from .docs import ROOT, Block, blocks, pages
from .tools import tools_folder

IN_A_CHECKOUT = {"CONTRIBUTING.md", "docs/extending.md", "examples/environments/README.md"}
OF_A_CHECKOUT = ("llmdgen", "templates", "schemas", "paths", "examples", "pyproject.toml")
# How a program says what options it has; `git revert --help` would open a manual.
HELP = {"helm": "--help", "helmfile": "--help", "kubectl": "--help", "git": "-h", "pip": "--help"}
SHELL_WORDS = {"&&", "||", "|", ";", "&"}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


WITH_COMMANDS = [page for page in pages() if any(block.language == "bash" for block in blocks(page))]
NOT_RUN = [
    pytest.param(block, id=f"{name_of(page)}:{block.line}")
    for page in WITH_COMMANDS
    for block in blocks(page)
    if block.kind == "not run"
]


class Walk:
    """A reader at the keyboard: a directory, in which each block goes on where the one before it stopped."""

    def __init__(self, folder: Path) -> None:
        self.folder = self.here = folder / "work"
        self.here.mkdir()
        programs = folder / "bin"
        programs.mkdir()
        (programs / "llmdgen").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m llmdgen "$@"\n')
        (programs / "llmdgen").chmod(0o755)
        who = {"NAME": "Reader", "EMAIL": "reader@example.com"}
        self.environment = {
            "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()},
        }

    def checkout(self) -> None:
        """Put a copy of the checkout here, to which commands may add."""
        ignored = shutil.ignore_patterns("__pycache__")
        for name in OF_A_CHECKOUT:
            source = ROOT / name
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, self.here / name, **({"ignore": ignored} if source.is_dir() else {}))
        self.environment["PYTHONPATH"] = str(self.here)

    def run(self, block: Block) -> subprocess.CompletedProcess[str]:
        """Run a block as bash does, and stop at its first command that fails."""
        went = self.folder.parent / "went"
        script = f"set -eo pipefail\ntrap {shlex.quote(f'pwd > {shlex.quote(str(went))}')} EXIT\n{block.text}"
        answer = subprocess.run(
            ["bash", "-c", script],
            cwd=self.here,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        self.here = Path(went.read_text().strip())
        return answer

    def write(self, block: Block) -> None:
        for name in block.argument.split():
            file = self.here / name
            file.parent.mkdir(parents=True, exist_ok=True)
            before = file.read_text() if block.kind == "append to" else ""
            file.write_text(before + ("\n\n" if before and file.suffix == ".py" else "") + block.text)


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name_of)
def test_the_commands_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    walk = Walk(tmp_path)
    if name_of(page) in IN_A_CHECKOUT:
        walk.checkout()
    printed = ""
    for block in blocks(page):
        where = f"{name_of(page)}:{block.line}"
        if block.kind in ("run", "exits"):
            answer = walk.run(block)
            printed = answer.stdout
            assert answer.returncode == int(block.argument or 0), f"{where}: {block.text}{printed}"
        elif block.kind == "output":
            assert printed.rstrip().endswith(block.text.rstrip()), f"{where}: it printed\n{printed}"
        elif block.kind in ("file", "append to"):
            walk.write(block)


def test_the_finding_in_the_readme_is_what_validate_prints(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    example = next(block for block in blocks(ROOT / "README.md") if block.language == "yaml")
    walk = Walk(tmp_path)
    walk.write(
        Block("file", "paths/pd.yaml", "yaml", f"{example.text}  decode:\n    args:\n      max-num-seq: 256\n", 0)
    )
    answer = walk.run(Block("exits", "1", "bash", "llmdgen validate paths/pd.yaml", 0))
    (shown,) = (line for line in text.splitlines() if line.startswith("paths/pd.yaml:"))
    assert shown in answer.stdout.splitlines()


@pytest.mark.parametrize("block", NOT_RUN)
def test_what_is_not_run_says_why_and_is_bash(block: Block) -> None:
    assert block.argument in (
        "needs a cluster",
        "needs a package registry",
        "needs a git remote",
        "needs the charts",
        "needs a release",
    )
    subprocess.run(["bash", "-n", "-c", block.text], check=True, capture_output=True)


@pytest.mark.parametrize("block", NOT_RUN)
def test_options_of_what_is_not_run_exist(block: Block) -> None:
    for words in commands(block.text):
        known = options(*command_of(words))
        unknown = [word for word in words[1:] if word.startswith("--") and word.partition("=")[0] not in known]
        assert not known or not unknown, f"{words[0]} has no {unknown}"


def commands(script: str) -> Iterator[list[str]]:
    """The simple commands of a script, as words. Enough for what a page shows: no loops, no here-documents."""
    joined = script.replace("\\\n", " ")
    for line in joined.splitlines():
        words: list[str] = []
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        for word in (*lexer, ";"):
            if word in SHELL_WORDS:
                if words:
                    yield words
                words = []
            elif word == "--":
                break
            else:
                words.append(word)


def command_of(words: list[str]) -> tuple[str, str]:
    """The program and its subcommand, empty where there is none."""
    return words[0], next((word for word in words[1:] if not word.startswith("-")), "")


@cache
def options(program: str, subcommand: str) -> frozenset[str]:
    """The options of a program's subcommand, by its own help; none where the program is not here."""
    if program == "llmdgen":
        command = cli.get_command(click.Context(cli), subcommand)
        assert command is not None, f"llmdgen has no {subcommand}"
        return frozenset(each for option in command.params for each in option.opts) | {"--help"}
    if program == "make":
        subprocess.run(["make", "--dry-run", subcommand], cwd=ROOT, check=True, capture_output=True)
        return frozenset()
    tools = os.pathsep.join([str(tools_folder() or ""), os.environ["PATH"]])
    found = shutil.which(program, path=tools) if program in HELP else None
    if found is None:
        return frozenset()
    answer = subprocess.run([found, subcommand, HELP[program]], text=True, capture_output=True, check=False)
    return frozenset(re.findall(r"--[a-z][-a-z0-9]*", negatable(answer.stdout)))


def negatable(usage: str) -> str:
    """git's usage with both forms of an option: --[no-]edit is --edit and --no-edit."""
    return re.sub(r"--\[no-\]([a-z][-a-z0-9]*)", r"--\1 --no-\1", usage)
