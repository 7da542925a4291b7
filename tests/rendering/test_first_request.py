"""The commands of SUMMARY.md, run by a shell: the first request waits for its port and shows what fails."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from llmdgen.rendering.summary import summary
from tests.docs import DOCS, ROOT
from tests.specs import GPT_OSS, plan_of

KUBECTL = """#!/bin/sh
case "$*" in
  *port-forward*) test -e refused && { echo 'error: unable to listen on port 8080' >&2; exit 1; }; exec sleep 20 ;;
esac
"""
CURL = """#!/bin/sh
echo . >> asked
case "$*" in *completions*) echo answered; exit 0 ;; esac
test "$(wc -l < asked)" -gt 2
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("kubectl", KUBECTL), ("curl", CURL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    text = summary(plan_of("pd-disaggregation", GPT_OSS, "p5.48xlarge"), ())
    (tmp_path / "request").write_text(re.findall(r"## First request\n\n```bash\n(.*?)```", text, re.S)[0])
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_first_request_waits_until_the_port_answers(run: Path, shell: str) -> None:
    done = subprocess.run([shell, "request"], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "answered\n", "")
    assert len((run / "asked").read_text().splitlines()) == 4


def test_a_port_that_cannot_be_forwarded_ends_the_wait_and_is_shown(run: Path) -> None:
    (run / "refused").touch()
    (run / "curl").write_text("#!/bin/sh\nexit 7\n")
    done = subprocess.run(["bash", "request"], capture_output=True, text=True, timeout=30)
    assert "unable to listen on port 8080" in done.stderr


def test_namespace_and_token_are_made_alike_everywhere() -> None:
    text = summary(plan_of("pd-disaggregation", GPT_OSS, "p5.48xlarge", model={"authSecretName": "llm-d-hf-token"}), ())
    commands = [each for each in re.findall(r"`(.*)`", text) if "kubectl" in each and "create" in each]
    assert len(commands) == 2
    for page in (ROOT / "README.md", DOCS / "quick-start.md"):
        for command in commands:
            assert command.replace("llm-d-demo", "llm-d-chat") in page.read_text("utf-8").splitlines()
