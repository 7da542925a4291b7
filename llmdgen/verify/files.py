"""The files of a rendered directory: read as what they are, held against the lock above it, and against what a render
writes at all, before any program sees one of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from llmdgen.facts.catalogue import release_names
from llmdgen.findings import Finding
from llmdgen.objects.chart import FOLDER, chart_files, passed_on
from llmdgen.output.disk import Standing
from llmdgen.output.lock import LOCK_NAME, USERS_OWN, LockError, digest, parse
from llmdgen.output.rules import OutputError
from llmdgen.registry import declare
from llmdgen.verify.state import VerifyError

EDITED = declare("""VER008 error: a file is not the one that llmdgen wrote
    llmdgen.lock, beside the targets of a deployment, has the sha256 of every file. A file that differs was edited by
    hand, or half merged: what it deploys stands in no spec, nobody reviewed it as one, and the next render takes it
    back. Deployments without a lock, such as a directory written by hand, are not judged; prerequisites of a cluster
    have to have one, because nothing else here judges them.

    Fails:  chart/templates/decode.yaml with another number of replicas than was rendered; a missing vllm/decode.args;
            a file that the lock does not name, wherever in the directory; prerequisites without a lock.
    Passes: the files as they were rendered; the change in the spec, under `<role>.pod` or `values.router` where it has
            no field for it.
""")
STRANGE = declare("""VER110 error: a file that no render writes, or that Helm would do more with than pass it on
    Whatever lies in the directory is applied by somebody, now or later: Helm executes all files of chart/templates,
    kubectl and Flux take a kustomization.yaml. The files of chart/templates are the objects that the cluster gets, and
    what a reviewer reads. An action in one of them makes Helm apply what stands in no file. Two opening braces inside a
    text are written as an action that prints them; that is the only one. helm is not started on such a chart.

    Fails:  image: {{ .Values.image }} in chart/templates/decode.yaml; chart/values.yaml; chart/crds/x.yaml;
            dependencies in chart/Chart.yaml; kustomization.yaml.
    Passes: "{{ `{{` }} role }}", which Helm prints as "{{ role }}".
""")
_READ_ONLY_BY_PEOPLE = ("SUMMARY.md", "topology.svg")  # a reviewer may write notes into them
# What values/, vllm/ and manifests/ hold is held against what reads or makes it: VER009, VER092, VER101.
_WRITTEN = re.compile(
    r"SUMMARY\.md|allocation\.yaml|helmfile\.yaml|topology\.svg|values/[a-z0-9.-]+\.yaml|vllm/[a-z0-9-]+\.args|manifests/.+"
    r"|chart/Chart\.yaml|chart/templates/[a-z0-9][a-z0-9.-]*\.yaml"
)


def read_files(directory: Path) -> dict[str, str]:
    """The text of every file of a directory, by its path there. Raises VerifyError where one is no text, or where a
    link or anything else that is not a file stands there: it would lead out of what was rendered."""
    files = {}
    try:
        there = Standing(os.path.realpath(directory))
        for path in sorted(there.paths):
            files[path] = (there.read(path) or b"").decode()
    except (OSError, OutputError) as error:
        first = error.findings[0] if isinstance(error, OutputError) else None
        says = f"{first.place.path} {first.finding.says}" if first else f"it cannot be read: {error}"
        raise VerifyError(says, "restore the file, or render the directory again") from error
    except UnicodeDecodeError as error:
        raise VerifyError(f"{path} is not UTF-8 text", "restore the file, or render the directory again") from error
    return files


def against_lock(directory: Path, files: Mapping[str, str], is_cluster: bool) -> tuple[list[Finding], bool]:
    """A problem for each file that is not the lock's, edited, missing, or beside those that it names; and whether the
    lock vouches for all of them."""
    here = directory.resolve()
    lock = here.parent / LOCK_NAME
    try:
        entry = parse(lock.read_bytes()).targets.get(here.name) if lock.is_file() else None
    except (OSError, LockError) as error:
        return [EDITED.at(says=f"it cannot be read: {error}", fix="render the deployment again", of=LOCK_NAME)], False
    if entry is None:
        says = "nothing says that a render wrote this directory"
        unknown = EDITED.at(says=says, fix="render with --prerequisites", of=LOCK_NAME)
        return [unknown] if is_cluster else [], False
    found = []
    for name, seal in entry.files.items():
        if name not in files:
            found.append(
                EDITED.at(says="it was rendered, and is not there", fix="render the deployment again", of=name)
            )
        elif name not in _READ_ONLY_BY_PEOPLE and digest(files[name].encode()) != seal:
            fix = "make the change in the spec, and render again; `<role>.pod` takes what has no field"
            found.append(EDITED.at(says=f"it was edited since llmdgen {entry.tool} wrote it", fix=fix, of=name))
    for name in sorted(files.keys() - entry.files.keys() - set(USERS_OWN if is_cluster else ())):
        fix = "say in the spec what it is for, and render again"
        found.append(EDITED.at(says=f"{LOCK_NAME} does not know it: no render wrote it", fix=fix, of=name))
    return found, not found


def strange(files: Mapping[str, str]) -> Iterator[Finding]:
    """A problem for each file that no render writes, and for what Helm would execute in the local chart."""
    about = f"{FOLDER}/Chart.yaml"
    for name, text in files.items():
        if not _WRITTEN.fullmatch(name):
            yield STRANGE.at(says="no render writes such a file", fix="keep it elsewhere", of=name)
        elif name == about and text not in (chart_files((), release)[about] for release in release_names()):
            yield STRANGE.at(says="it is not the one that a render writes", fix="render again", of=name)
        elif name.startswith(f"{FOLDER}/") and "{{" in text.replace(passed_on("{{"), ""):
            yield STRANGE.at(says="it holds an action that Helm executes", fix="render again", of=name)
