"""Exit codes, help, and what is imported when."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from llmdgen import __version__
from llmdgen.__main__ import run
from llmdgen.cli import status
from llmdgen.cli.main import COMMANDS, cli, main, terminate
from tests.cli.conftest import Llmdgen

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "paths" / "pd-disaggregation.yaml"
NEVER_IN_A_RENDER = {
    "kubernetes",
    "kubernetes_validate",
    "vllm",
    "nixl",
    "jsonschema",
    "pydantic",
    "jinja2",
    "difflib",
    "json",
    "ruamel.yaml",
    "subprocess",
}
NEVER_IN_HELP = NEVER_IN_A_RENDER | {"msgspec", "ruamel", "tomli", "hashlib"}


def python(code: str, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )


def imported_by(*arguments: str, cwd: Path = ROOT) -> set[str]:
    code = "import sys; from llmdgen.cli.main import main; code = main(sys.argv[1:])"
    code += "; print(*sys.modules, file=sys.stderr); sys.exit(code)"
    done = python(code, *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stderr.splitlines()[-1].split()}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("render", "--help")])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    heavy = NEVER_IN_HELP if arguments[0].startswith("-") else NEVER_IN_A_RENDER
    assert imported_by(*arguments) & heavy == set()


def test_a_render_imports_nothing_that_only_other_commands_need(tmp_path: Path) -> None:
    # --output, because click itself looks for names like `-o` with difflib before it takes it for what it is.
    render = ("render", str(EXAMPLE), "--output", str(tmp_path))
    assert imported_by(*render) & NEVER_IN_A_RENDER == set()
    assert imported_by(*render, "--check") & NEVER_IN_A_RENDER == set()


def test_help_takes_little_more_than_importing_click() -> None:
    def cpu_seconds(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        python(code)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    help_text = "from llmdgen.cli.main import main; main(['--help'])"
    # In turns, and the best of each: what else the machine does must not decide.
    pairs = [(cpu_seconds("import click"), cpu_seconds(help_text)) for _ in range(6)]
    assert min(shown for _, shown in pairs) < 1.6 * min(click for click, _ in pairs)


def test_each_command_exists_and_says_what_it_does(llmdgen: Llmdgen) -> None:
    listed = llmdgen("--help").out
    for name, (module, line) in COMMANDS.items():
        command = cli.get_command(click.Context(cli), name)
        assert isinstance(command, click.Command), module
        assert command.help
        assert " ".join(line.split()[:3]) in listed
        assert llmdgen(name, "--help").code == status.OK


def test_the_version_is_that_of_the_package(llmdgen: Llmdgen) -> None:
    assert llmdgen("--version").out == f"llmdgen {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("--nonsense",),
        ("render",),
        ("render", "--nonsense", "x.yaml"),
        ("validate", "x.yaml", "--format", "xml"),
        ("render", "x.yaml", "--charts", "/nonexistent"),
        ("list", "nonsense"),
        ("completion", "tcsh"),
        ("init", "nonsense"),
        ("verify", "/nonexistent"),
        ("plan",),
    ],
)
def test_wrong_usage_exits_64_and_says_so_on_stderr(llmdgen: Llmdgen, arguments: tuple[str, ...]) -> None:
    answer = llmdgen(*arguments)
    assert (answer.code, answer.out) == (64, "")
    assert "Error: " in answer.err


def test_a_mistyped_command_is_answered_with_the_one_meant(llmdgen: Llmdgen) -> None:
    assert "Did you mean render?" in llmdgen("rendr").err


def test_without_a_command_the_help_is_shown(llmdgen: Llmdgen) -> None:
    answer = llmdgen()
    assert "Commands:" in answer.out + answer.err
    assert answer.code == 64


def test_ctrl_c_exits_130_without_a_traceback(llmdgen: Llmdgen, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(context: click.Context) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(cli, "invoke", interrupt)
    # A shell starts what runs in its background with the signal ignored, and Python then leaves it so.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        answer = llmdgen("schema")
    finally:
        signal.signal(signal.SIGINT, before)
    assert answer.code == 130
    assert "Traceback" not in answer.err


def test_sigterm_exits_143_without_a_traceback(llmdgen: Llmdgen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "invoke", lambda context: signal.raise_signal(signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        answer = llmdgen("schema")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (answer.code, answer.err) == (status.TERMINATED, "llmdgen: terminated\n")


def test_the_program_ends_in_order_when_it_is_terminated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os._exit", lambda code: None)
    monkeypatch.setattr("llmdgen.cli.main.main", lambda: 0)
    monkeypatch.setattr("gc.disable", lambda: None)
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        run()
        assert signal.getsignal(signal.SIGTERM) is terminate
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        run()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("arguments", "closed", "code"), [("schema", ">&-", 0), ("nothing", "2>&-", 64), ("validate x.yaml", ">&- 2>&-", 1)]
)
def test_a_stream_that_the_caller_closed_changes_no_exit_code(arguments: str, closed: str, code: int) -> None:
    done = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m llmdgen {arguments} {closed}"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize("arguments", [["--help"], ["list", "instances"], ["render", str(EXAMPLE), "--check"]])
def test_a_reader_that_goes_away_is_no_error_to_speak_of(arguments: list[str]) -> None:
    code = f"import sys; from llmdgen.cli.main import main; sys.exit(main({arguments}))"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (status.ERROR, b"")


def test_a_directory_that_may_not_be_written_is_one_line_on_stderr(llmdgen: Llmdgen, spec: Path) -> None:
    (spec.parent / "taken").write_text("")
    answer = llmdgen("render", "chat.yaml", "-o", "taken/below")
    assert answer.code == 1
    fix = "let it be written, or name another directory with -o"
    assert answer.err == f"taken/below/chat:1:1: error OUT006: the system says: Not a directory (fix: {fix})\n"


def test_a_full_disk_names_the_file_and_leaves_nothing(
    llmdgen: Llmdgen, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmdgen.output import tree

    def full(final: str, data: bytes) -> str:
        raise OSError(28, "No space left on device", final)

    monkeypatch.setattr(tree, "stage", full)
    answer = llmdgen("render", "chat.yaml")
    assert answer.code == 1
    assert answer.err.startswith("rendered/chat/llmdgen.lock:1:1: error OUT006: the system says: No space left")
    assert "make room" in answer.err
    assert not (spec.parent / "rendered").exists()


def test_an_output_directory_without_a_name_is_wrong_usage(llmdgen: Llmdgen, spec: Path) -> None:
    answer = llmdgen("render", "chat.yaml", "-o", "")
    assert answer.code == 64
    assert "the name is empty" in answer.err
    assert [each.name for each in spec.parent.iterdir()] == ["chat.yaml"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion_script(llmdgen: Llmdgen, shell: str) -> None:
    answer = llmdgen("completion", shell)
    assert answer.code == 0
    assert "_LLMDGEN_COMPLETE" in answer.out


def test_the_shell_is_offered_commands_instance_types_and_topics() -> None:
    def offered(words: str, position: int) -> str:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "_LLMDGEN_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(position),
        }
        return subprocess.run([sys.executable, "-m", "llmdgen"], env=environment, capture_output=True, text=True).stdout

    assert "plain,validate" in offered("llmdgen v", 1)
    assert "ml.p5en.48xlarge" in offered("llmdgen render x.yaml --instance-type ml.p5en", 4)
    assert "plain,max-num-seqs" in offered("llmdgen explain max-num-s", 2)


def test_the_module_runs_as_the_console_script_does() -> None:
    done = subprocess.run([sys.executable, "-m", "llmdgen", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"llmdgen {__version__}\n")


def test_main_gives_its_exit_code_back() -> None:
    assert main(["list", "nonsense"]) == 64
