"""The GitLab example: its jobs' commands in a scratch repository, and note.py against a server of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ruamel.yaml import YAML

from .conftest import ROOT, Repository, environment, executable, program

EXAMPLE = ROOT / "examples/gitlab"
PIPELINE: dict[str, Any] = YAML(typ="safe").load(EXAMPLE / ".gitlab-ci.yml")
NOTES = "/api/v4/projects/3/merge_requests/7/notes"


def job(repository: Repository, name: str, **given: str) -> subprocess.CompletedProcess[str]:
    """The script of a job, as one shell runs it that stops at the first failure."""
    program(repository.outside)
    settings = dict(PIPELINE["variables"])
    path = f"{repository.outside}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = environment() | settings | {"PATH": path, "CI_DEFAULT_BRANCH": "main"} | given
    script = "set -e\n" + "\n".join(PIPELINE[name]["script"]).replace("/opt/llmdgen", str(ROOT))
    return subprocess.run(
        ["sh", "-c", script], cwd=repository.root, env=env, capture_output=True, text=True, check=False
    )


def test_a_clean_tree_passes_every_check(repository: Repository) -> None:
    assert job(repository, "validate").returncode == 0
    assert job(repository, "check").returncode == 0
    assert json.loads((repository.root / "gl-code-quality-report.json").read_text()) == []


def test_a_broken_spec_is_a_report_and_an_error(repository: Repository) -> None:
    repository.change("replicas: 2", "replica: 2", render=False)
    assert job(repository, "validate").returncode == 1
    (issue,) = json.loads((repository.root / "gl-code-quality-report.json").read_text())
    assert issue["location"] == {"path": "paths/chat.yaml", "lines": {"begin": 8}}


def test_drift_exits_2(repository: Repository) -> None:
    repository.change("replicas: 2", "replicas: 3", render=False)
    assert job(repository, "check").returncode == 2


def test_a_change_is_no_failure_of_the_diff(repository: Repository) -> None:
    (repository.root / "json.py").write_text("raise SystemExit('run from the merge request')\n")
    repository.change("replicas: 2", "replicas: 3")
    done = job(repository, "diff", CI_MERGE_REQUEST_DIFF_BASE_SHA=repository.git("rev-parse", "main").strip())
    assert done.returncode == 0, done.stderr
    assert "| `replicas` | `2` | `3` | +1 |" in done.stdout
    assert "no NOTE_TOKEN" in done.stdout


def test_a_diff_that_fails_is_a_failure(repository: Repository) -> None:
    assert job(repository, "diff", CI_MERGE_REQUEST_DIFF_BASE_SHA="0" * 40).returncode == 1


def test_apply_refuses_what_main_has_changed_since(repository: Repository) -> None:
    executable(repository.outside / "helmfile", '#!/bin/sh\necho "helmfile $*"\n')
    repository.git("remote", "add", "origin", str(repository.root))
    target = {"TARGET": "chat/p5.48xlarge"}
    assert "helmfile apply" in job(repository, "helmfile apply", **target).stdout
    repository.change("replicas: 2", "replicas: 3")
    done = job(repository, "helmfile apply", **target)
    assert done.returncode == 1
    assert "main has another chat/p5.48xlarge by now" in done.stdout


def test_apply_refuses_charts_that_main_has_changed_since(repository: Repository) -> None:
    executable(repository.outside / "helmfile", '#!/bin/sh\necho "helmfile $*"\n')
    repository.git("remote", "add", "origin", str(repository.root))
    (repository.root / "charts").mkdir()
    (repository.root / "charts/x").write_text("newer")
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", "charts")
    target = {"TARGET": "chat/p5.48xlarge"}
    assert job(repository, "helmfile apply", **target).returncode == 0
    assert job(repository, "helmfile apply", CHARTS="charts", **target).returncode == 1


def test_llmdgen_comes_from_a_commit_and_its_scripts_with_it() -> None:
    assert len(PIPELINE["variables"]["LLMDGEN_COMMIT"]) == 40
    commands = PIPELINE[".llmdgen"]["before_script"]
    assert 'git -C /opt/llmdgen checkout --quiet --detach "$LLMDGEN_COMMIT"' in commands
    assert not any("pip install" in each for each in commands)


def test_apply_is_manual_of_the_main_branch_and_behind_the_environment() -> None:
    apply = PIPELINE["helmfile apply"]
    (rule,) = apply["rules"]
    assert rule["when"] == "manual"
    assert "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in rule["if"]
    assert apply["environment"]["name"] == "production"


class Notes(BaseHTTPRequestHandler):
    """GitLab's notes of one merge request, kept in memory; every user but 9 is a person."""

    notes: ClassVar[list[dict[str, Any]]] = []

    def answer(self, value: object) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def body(self) -> str:
        text: str = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        return text

    def do_GET(self) -> None:
        if self.path == "/api/v4/user":
            self.answer({"id": 9})
        else:
            path, _, query = self.path.partition("?per_page=100&page=")
            assert path == NOTES
            self.answer(self.notes[(int(query) - 1) * 100 : int(query) * 100])

    def do_POST(self) -> None:
        assert (self.path, self.headers["PRIVATE-TOKEN"]) == (NOTES, "secret")
        self.notes.append({"id": len(self.notes), "author": {"id": 9}, "body": self.body()})
        self.answer({})

    def do_PUT(self) -> None:
        self.notes[int(self.path.rpartition("/")[2])]["body"] = self.body()
        self.answer({})

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def server() -> Iterator[str]:
    Notes.notes = []
    made = ThreadingHTTPServer(("127.0.0.1", 0), Notes)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{made.server_address[1]}/api/v4"
    made.shutdown()
    thread.join()
    made.server_close()


def note(server: str, folder: Path, text: str) -> int:
    (folder / "diff.md").write_text(text, "utf-8")
    given = {"CI_API_V4_URL": server, "CI_PROJECT_ID": "3", "CI_MERGE_REQUEST_IID": "7", "NOTE_TOKEN": "secret"}
    command = [sys.executable, str(EXAMPLE / "note.py"), str(folder / "diff.md")]
    env = {**environment(), "no_proxy": "*", **given}
    return subprocess.run(command, env=env, check=False).returncode


def test_one_note_is_updated_in_place_and_no_person_is_written_over(server: str, tmp_path: Path) -> None:
    Notes.notes += [{"id": at, "author": {"id": 1}, "body": "<!-- llmdgen -->\nmine"} for at in range(120)]
    assert note(server, tmp_path, "first\n") == 0
    assert note(server, tmp_path, "second\n") == 0
    assert [each["body"] for each in Notes.notes[119:]] == ["<!-- llmdgen -->\nmine", "<!-- llmdgen -->\nsecond\n"]


def test_a_long_note_is_cut(server: str, tmp_path: Path) -> None:
    assert note(server, tmp_path, "line\n" * 300_000) == 0
    assert len(Notes.notes[0]["body"]) < 1_000_000
    assert Notes.notes[0]["body"].endswith("Cut here.\n")
