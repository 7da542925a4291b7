"""A rendered directory through helmfile and helm: the text of every release, as the cluster would get it.

helmfile runs in a temporary directory that holds what was read and judged harmless, and nothing else of the rendered
one. helm has a home of its own there, so that no repository, plugin, kubeconfig or helm setting of the user changes
what is verified. The router's chart is fetched from where llm-d's releases have it, or taken from a directory.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct, structs

from llmdgen.facts.catalogue import release, release_names
from llmdgen.facts.types import Chart
from llmdgen.objects.chart import FOLDER as CHART
from llmdgen.verify.state import HELMFILE, HelmRelease, VerifyError, read_state, state_text

TIMEOUT_SECONDS = 180
_IN_SOURCES = "0.0.0"  # what a chart says in its repository where a release sets the version, as inferencepool's
_CHART_VERSION = re.compile(r"^version: *[\"']?([^\s\"'#]+)", re.MULTILINE)
_VERSION = re.compile(r"(\d+)\.\d+\.\d+")
# A proxy or a company's certificate authority is how a machine reaches the charts, not a setting that changes them.
_PASSED_ON = ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "ssl_cert_file", "ssl_cert_dir", "path")


class ToolError(VerifyError):
    """A program is missing or too old, whatever the directory."""


class Tools(Struct, frozen=True):
    """The two programs, by their absolute paths."""

    helm: str
    helmfile: str


class ReleaseOutput(Struct, frozen=True):
    """What helm makes of one release: the documents of each template file, in the order in which helm installs."""

    release: HelmRelease
    texts: tuple[str, ...]


def find_tools(helm: str = "helm", helmfile: str = "helmfile") -> Tools:
    """The programs by name or path. Raises ToolError where one is missing or does not say its version, and where helm
    is version 4 and helmfile 0.x, which calls it with flags that helm 4 no longer has."""
    tools = Tools(_located(helm, "helm"), _located(helmfile, "helmfile"))
    of_helm = _version([tools.helm, "version", "--template", "{{.Version}}"])
    of_helmfile = _version([tools.helmfile, "--version"])
    if int(of_helm[1]) >= 4 and of_helmfile[1] == "0":
        raise ToolError(f"helmfile {of_helmfile[0]} does not drive helm {of_helm[0]}", "use helmfile 1.2, or helm 3")
    return tools


def template(
    files: Mapping[str, str], charts: Path | None = None, tools: Tools | None = None, directory: Path | None = None
) -> list[ReleaseOutput]:
    """What helmfile and helm make of a directory's files, by their paths in it.

    The router's chart is that of its name in `charts`, else the one that helmfile.yaml names, by a path in `directory`
    or in the registry where an llm-d release has it. Raises VerifyError where a tool is missing or fails; the message
    holds what it printed.
    """
    if HELMFILE not in files:
        raise VerifyError(f"there is no {HELMFILE}", "name a directory that `llmdgen render` wrote")
    state = read_state(files[HELMFILE])
    needed = {
        name for each in state.releases for name in (*each.values, *([f"{CHART}/Chart.yaml"] if each.is_own else []))
    }
    for name in needed:
        if name not in files:
            raise VerifyError(f"{HELMFILE} names {name}, and there is no such file", "render the directory again")
    state = structs.replace(state, releases=tuple(_with_chart(each, charts, directory) for each in state.releases))
    tools = tools or find_tools()
    with TemporaryDirectory(prefix="llmdgen-") as scratch:
        place = Path(scratch, "directory")
        for name, text in {**files, HELMFILE: state_text(state)}.items():
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        output = Path(scratch, "output")
        command = [
            tools.helmfile,
            "--no-color",
            f"--helm-binary={tools.helm}",
            f"--file={HELMFILE}",
            "template",
            f"--output-dir={output}",
            "--output-dir-template={{ .OutputDir }}/{{ .Release.Name }}",
        ]
        if all(each.is_local for each in state.releases):
            command.append("--skip-deps")
        _run(command, place, Path(scratch), tools)
        return [ReleaseOutput(each, _texts(output / each.name)) for each in state.releases]


def fetch_chart(chart: Chart, charts: Path, tools: Tools) -> None:
    """Put a chart into a directory, below its name, where it is not there yet. Raises VerifyError where helm fails."""
    if (charts / chart.name / "Chart.yaml").is_file():
        return
    charts.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="llmdgen-") as scratch:
        where = ["--version", chart.version, "--untar", f"--untardir={charts.resolve()}"]
        _run([tools.helm, "pull", chart.repository, *where], charts, Path(scratch), tools)


def _with_chart(of: HelmRelease, charts: Path | None, directory: Path | None) -> HelmRelease:
    """The release with its chart by an absolute path, or by the address of one that an llm-d release has."""
    if of.is_own:
        return of
    if charts is None and not of.is_local:
        if of.chart not in (release(name).charts["router"].repository for name in release_names()):
            says = f"{of.name} takes its chart from {of.chart}, where no llm-d release has one"
            raise VerifyError(says, "use the release's chart, or name a directory of charts with --charts")
        return of
    if charts is None and directory is None:
        raise VerifyError(f"{HELMFILE} names charts by a path", "say where the charts are with --charts")
    chart = (charts / of.chart_name if charts else Path(directory or "", of.chart)).resolve()
    try:
        text = (chart / "Chart.yaml").read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise VerifyError(f"there is no chart {of.chart_name} in {chart.parent}", f"put it at {chart}") from error
    match = _CHART_VERSION.search(text)
    there = match.group(1) if match else _IN_SOURCES
    if of.version and there not in (_IN_SOURCES, of.version, f"v{of.version}", of.version.removeprefix("v")):
        says = f"the chart {of.chart_name} at {chart} is {there}, {HELMFILE} installs {of.version}"
        raise VerifyError(says, f"name a folder with {of.chart_name} {of.version}")
    return structs.replace(of, chart=str(chart), version="")


def _located(program: str, name: str) -> str:
    found = shutil.which(program)
    if found is None:
        says = f"{name} is not {'on PATH' if program == name else f'an executable file at {program}'}"
        raise ToolError(says, f"install {name} and put it on PATH, or name the program")
    return str(Path(found).resolve())


def _version(command: Sequence[str]) -> re.Match[str]:
    """The version that a program says, and the first number of it."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{command[0]} does not run: {error}", "install a working program") from error
    match = _VERSION.search(answer.stdout)
    if answer.returncode or match is None:
        said = (answer.stderr or answer.stdout).strip()
        raise ToolError(f"{command[0]} does not say its version: {said}", "install a working program")
    return match


def _run(command: list[str], directory: Path, scratch: Path, tools: Tools) -> None:
    """Run a program where it sees nothing of the user's. Raises VerifyError where it fails."""
    name = os.path.basename(command[0])
    try:
        answer = subprocess.run(
            command,
            cwd=directory,
            env=_environment(scratch, tools),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        fix = "see whether the charts can be reached, or name local ones with --charts"
        raise VerifyError(f"{name} did not end within {TIMEOUT_SECONDS} s", fix) from error
    if answer.returncode:
        says = f"{name} fails: {_said(answer.stderr)}"
        raise VerifyError(says, "correct the values, or see whether the charts can be reached")


def _texts(folder: Path) -> tuple[str, ...]:
    """The text of every template's output, in the order of their paths, which is the same on every machine."""
    return tuple(file.read_text("utf-8") for file in sorted(folder.rglob("*")) if file.is_file())


def _environment(scratch: Path, tools: Tools) -> dict[str, str]:
    """An environment in which helm and helmfile see nothing of the user's."""
    environment = {name: value for name, value in os.environ.items() if name.lower() in _PASSED_ON}
    home = scratch / "home"
    home.mkdir()
    environment["PATH"] = os.pathsep.join([str(Path(tools.helm).parent), environment.get("PATH", os.defpath)])
    environment |= {
        "HOME": str(home),
        "KUBECONFIG": str(home / "kubeconfig"),
        "HELMFILE_UPGRADE_NOTICE_DISABLED": "1",
        "HELMFILE_CACHE_HOME": str(home / "helmfile"),
        "TMPDIR": str(home),
        "LC_ALL": "C",
    }
    for kind in ("CACHE", "CONFIG", "DATA"):
        environment[f"XDG_{kind}_HOME"] = str(home / "xdg" / kind.lower())
        environment[f"HELM_{kind}_HOME"] = str(home / "helm" / kind.lower())
    return environment


def _said(stderr: str) -> str:
    """What helm printed as an error, which helmfile tells under headings: COMMAND, EXIT STATUS, STDERR, and all once
    more as COMBINED OUTPUT; where helmfile itself fails, the last lines that it printed."""
    _, heading, errors = stderr.partition("STDERR:")
    text = errors.partition("COMBINED OUTPUT:")[0] if heading else stderr
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(dict.fromkeys(lines if heading else lines[-10:])) or "it prints nothing"
