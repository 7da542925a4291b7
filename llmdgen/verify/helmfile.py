"""A rendered directory through helmfile and helm: the text of every release, as the cluster would get it.

helm is run with a home of its own in a temporary directory, so that no repository, plugin, kubeconfig or helm setting
of the user changes what is verified. Charts are fetched as helmfile.yaml names them, or taken from a directory.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec import Struct

from llmdgen.objects.chart import FOLDER
from llmdgen.plain_yaml import YAMLError, load, reason
from llmdgen.verify.harmless import refuse_programs
from llmdgen.verify.tools import Tools, VerifyError, find_tools
from llmdgen.yaml_text import dump

HELMFILE = "helmfile.yaml"
TIMEOUT_SECONDS = 180
_IN_SOURCES = "0.0.0"  # what a chart says in its repository where a release sets the version, as inferencepool's
_CHART_VERSION = re.compile(r"^version: *[\"']?([^\s\"'#]+)", re.MULTILINE)
# A proxy or a company's certificate authority is how a machine reaches the charts, not a setting that changes them.
_PASSED_ON = ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "ssl_cert_file", "ssl_cert_dir", "path")


class HelmRelease(Struct, frozen=True):
    """A release as helmfile.yaml states it. `chart` is a path, an oci:// address or repository/name, `values` files."""

    name: str
    namespace: str
    chart: str
    version: str = ""
    needs: tuple[str, ...] = ()
    values: tuple[str, ...] = ()

    @property
    def chart_name(self) -> str:
        return self.chart.rstrip("/").rpartition("/")[2]

    @property
    def is_own(self) -> bool:
        """Whether the chart is the one that lies beside helmfile.yaml."""
        return self.chart == f"./{FOLDER}"

    @property
    def is_local(self) -> bool:
        """Whether the chart is a path: absolute, or relative with a leading dot as helmfile wants it."""
        return self.chart.startswith((".", "/"))


class ReleaseOutput(Struct, frozen=True):
    """What helm makes of one release: the documents of each template file, in the order in which helm installs."""

    release: HelmRelease
    texts: tuple[str, ...]


def read_releases(text: str) -> tuple[HelmRelease, ...]:
    """The releases of a helmfile.yaml, in its order. Raises VerifyError where it is not plain YAML or has none."""
    state = _state(text)
    releases = state.get("releases")
    if not isinstance(releases, list) or not releases:
        raise VerifyError(f"{HELMFILE} has no releases", "render the directory again")
    try:
        return tuple(
            HelmRelease(
                str(each["name"]),
                str(each.get("namespace") or "default"),
                str(each["chart"]),
                str(each.get("version") or ""),
                tuple(str(need) for need in each.get("needs") or ()),
                tuple(file for file in each.get("values") or () if isinstance(file, str)),
            )
            for each in releases
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise VerifyError(f"{HELMFILE}: a release has no name or chart", "render the directory again") from error


def template(directory: Path, charts: Path | None = None, tools: Tools | None = None) -> list[ReleaseOutput]:
    """What helmfile and helm make of a directory with helmfile.yaml and the values files that it names.

    With `charts`, a directory that holds charts by their names, a temporary copy is run whose releases point there.
    Raises VerifyError where a tool is missing or fails; the message holds what it printed.
    """
    helmfile = directory / HELMFILE
    if not helmfile.is_file():
        raise VerifyError(f"{directory} has no {HELMFILE}", "name a directory that `llmdgen render` wrote")
    text = read_text(helmfile)
    releases = _harmless_releases(text)
    named = {name: directory / name for release in releases for name in release.values}
    # Where there is no Chart.yaml, helmfile would make a chart of the folder by other programs.
    used = [release.chart for release in releases if release.is_own or (charts is None and release.is_local)]
    named |= {f"{chart}/Chart.yaml": directory / chart / "Chart.yaml" for chart in used}
    if any(release.is_own for release in releases):
        named |= {file.relative_to(directory).as_posix(): file for file in chart_files(directory)}
    for name, file in named.items():
        if not file.is_file():
            raise VerifyError(f"{HELMFILE} names {name}, and there is no such file", "render the directory again")
    if charts is None:
        return _run(directory, releases, tools or find_tools())
    files = {HELMFILE: text}
    for name, file in named.items():
        if not file.resolve().is_relative_to(directory.resolve()):
            raise VerifyError(f"{name} lies outside of {directory}", "keep its files inside the directory")
        files[name] = read_text(file)
    return template_files(files, charts, tools)


def chart_files(directory: Path) -> list[Path]:
    """The files of the directory's own chart."""
    return sorted(file for file in (directory / FOLDER).rglob("*") if file.is_file())


def read_text(file: Path) -> str:
    """The text of a file. Raises VerifyError where it cannot be read as one."""
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        says = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        fix = "restore the file, or render the directory again"
        raise VerifyError(f"{file} cannot be read: {says}", fix) from error


def template_files(files: Mapping[str, str], charts: Path | None, tools: Tools | None = None) -> list[ReleaseOutput]:
    """The same for files that are not on disk yet, by their paths in the directory.

    Without `charts`, a chart that helmfile.yaml names by a relative path cannot be found and is a VerifyError.
    """
    text = files[HELMFILE]
    releases = _harmless_releases(text)
    if charts is not None:
        text = with_charts(text, charts)
    elif any(release.is_local and not release.is_own for release in releases):
        raise VerifyError(f"{HELMFILE} names charts by a path", "say where the charts are with --charts")
    with TemporaryDirectory(prefix="llmdgen-") as folder:
        for name, content in files.items():
            file = Path(folder, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text if name == HELMFILE else content, "utf-8")
        return _run(Path(folder), read_releases(text), tools or find_tools())


def with_charts(text: str, charts: Path) -> str:
    """That helmfile.yaml with its charts, but for the one beside it, taken from the directory `charts` by their names.

    Raises VerifyError where a chart is not there.
    """
    state = _state(text)
    for release, each in zip(read_releases(text), state["releases"], strict=True):
        if release.is_own:
            continue
        chart = charts.resolve() / release.chart_name
        if not (chart / "Chart.yaml").is_file():
            raise VerifyError(f"there is no chart {release.chart_name} in {charts}", f"put it at {chart}")
        _same_version(release, chart)
        each["chart"] = str(chart)
        each.pop("version", None)
    state.pop("repositories", None)
    return dump(state)


def _same_version(release: HelmRelease, chart: Path) -> None:
    """Raises VerifyError where a chart on disk is of another version than the one that will be installed."""
    match = _CHART_VERSION.search(read_text(chart / "Chart.yaml"))
    there, wanted = (match.group(1) if match else _IN_SOURCES), release.version
    if there == _IN_SOURCES:
        return
    if wanted and not release.is_local and there.removeprefix("v") != wanted.removeprefix("v"):
        says = f"the chart {release.chart_name} at {chart} is {there}, {HELMFILE} installs {wanted}"
        raise VerifyError(says, f"name a folder with {release.chart_name} {wanted}")


def _harmless_releases(text: str) -> tuple[HelmRelease, ...]:
    releases = read_releases(text)
    refuse_programs(text, _state(text), HELMFILE)
    return releases


def _state(text: str) -> dict[str, Any]:
    try:
        state = load(text)
    except (YAMLError, RecursionError) as error:
        says = reason(error) if isinstance(error, YAMLError) else "it is nested too deeply"
        raise VerifyError(f"{HELMFILE} is not plain YAML: {says}", "render the directory again") from error
    if not isinstance(state, dict):
        raise VerifyError(f"{HELMFILE} is not a mapping", "render the directory again")
    return state


def _run(directory: Path, releases: tuple[HelmRelease, ...], tools: Tools) -> list[ReleaseOutput]:
    with TemporaryDirectory(prefix="llmdgen-") as scratch:
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
        if all(release.is_local for release in releases):
            command.append("--skip-deps")
        try:
            answer = subprocess.run(
                command,
                cwd=directory,
                env=_environment(Path(scratch), tools),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            fix = "see whether the charts can be reached, or name local ones with --charts"
            raise VerifyError(f"helmfile did not end within {TIMEOUT_SECONDS} s", fix) from error
        if answer.returncode:
            raise VerifyError(f"helmfile template fails: {_said(answer.stderr)}", "correct the values, or the charts")
        return [ReleaseOutput(release, _texts(output / release.name)) for release in releases]


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
    """What helm printed as an error; where helmfile itself fails, the last lines that it printed.

    helmfile tells a failed command under headings: COMMAND, EXIT STATUS, STDERR, and all once more as COMBINED OUTPUT.
    """
    _, heading, errors = stderr.partition("STDERR:")
    text = errors.partition("COMBINED OUTPUT:")[0] if heading else stderr
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(dict.fromkeys(lines if heading else lines[-10:])) or "it prints nothing"
