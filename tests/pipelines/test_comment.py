"""pipelines/comment.py with a stand-in for `gh`: one comment, found again, never a person's, no failure
for a fork."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from .conftest import Done, Repository

GH = Path(__file__).parent / "gh"
FOREIGN_TOKEN = "Resource not accessible by integration (HTTP 403)"


class PullRequest(Struct, frozen=True):
    """A pull request with comments, and what pipelines/comment.py makes of it."""

    repository: Repository
    state: Path
    folder: Path

    def comment(self, report: str = "### llmdgen\n", changed: str = "true", code: str = "0", **given: str) -> Done:
        (self.folder / "report.md").write_text(report, "utf-8")
        settings = {
            "PATH": f"{GH.parent}:{os.environ['PATH']}",
            "GH_STATE": str(self.state),
            "GITHUB_REPOSITORY": "acme/models",
            "PULL_REQUEST": "7",
            "CHANGED": changed,
            "EXIT_CODE": code,
            **given,
        }
        return self.repository.run("comment.py", str(self.folder / "report.md"), **settings)

    def comments(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.state.read_text())
        return found

    def bodies(self) -> list[str]:
        return [each["body"] for each in self.comments()]

    def say(self, body: str, kind: str = "User") -> None:
        comments = [*self.comments(), {"id": 1 + len(self.comments()), "user": {"type": kind}, "body": body}]
        self.state.write_text(json.dumps(comments))


@pytest.fixture
def pull_request(repository: Repository, tmp_path: Path) -> PullRequest:
    state = tmp_path / "comments.json"
    state.write_text("[]")
    return PullRequest(repository, state, tmp_path)


def test_a_change_is_a_comment(pull_request: PullRequest) -> None:
    done = pull_request.comment("### llmdgen\n\nchanges\n")
    assert done.code == 0, done.log
    assert pull_request.bodies() == ["<!-- llmdgen: -->\n### llmdgen\n\nchanges\n"]


def test_the_next_push_updates_it_in_place(pull_request: PullRequest) -> None:
    for number in range(5):
        pull_request.say(f"person {number}")
    pull_request.comment("first\n")
    pull_request.comment("second\n")
    assert pull_request.bodies()[5:] == ["<!-- llmdgen: -->\nsecond\n"]


def test_a_change_that_is_taken_back_updates_it_too(pull_request: PullRequest) -> None:
    pull_request.comment("change\n")
    pull_request.comment("none\n", changed="false")
    assert pull_request.bodies() == ["<!-- llmdgen: -->\nnone\n"]


def test_nothing_to_say_begins_no_comment(pull_request: PullRequest) -> None:
    assert pull_request.comment(changed="false").code == 0
    assert pull_request.comments() == []


def test_a_failure_is_said_though_nothing_changes(pull_request: PullRequest) -> None:
    pull_request.comment(changed="", code="1")
    assert len(pull_request.comments()) == 1


def test_a_person_who_writes_the_mark_is_not_written_over(pull_request: PullRequest) -> None:
    pull_request.say("<!-- llmdgen: -->\nmine")
    pull_request.comment("ours\n")
    assert pull_request.bodies() == ["<!-- llmdgen: -->\nmine", "<!-- llmdgen: -->\nours\n"]


def test_two_trees_have_two_comments(pull_request: PullRequest) -> None:
    for key in ("a/rendered", "b/rendered", "a/rendered"):
        pull_request.comment(f"{key}\n", COMMENT_KEY=f"{key} -->")
    assert pull_request.bodies() == [
        "<!-- llmdgen:a/rendered-- -->\na/rendered\n",
        "<!-- llmdgen:b/rendered-- -->\nb/rendered\n",
    ]


def test_a_token_of_a_fork_is_no_failure(pull_request: PullRequest) -> None:
    done = pull_request.comment(GH_FAILS=FOREIGN_TOKEN)
    assert done.code == 0
    assert "::notice title=llmdgen::this token may not comment" in done.log
    assert pull_request.comments() == []


def test_another_failure_is_one(pull_request: PullRequest) -> None:
    done = pull_request.comment(GH_FAILS="server error (HTTP 502)")
    assert done.code == 1
    assert "HTTP 502" in done.log


def test_a_long_report_is_cut_to_what_github_takes(pull_request: PullRequest) -> None:
    done = pull_request.comment("<details>\n\n" + "| ä🛑 | `replicas` | `1` | `2` | +1 |\n" * 5000)
    assert done.code == 0, done.log
    (body,) = pull_request.bodies()
    assert 60_000 < len(body.encode()) <= 65_536
    assert body.endswith("</details>\n\n\n**Cut here:** the job summary has the rest.\n")


def test_a_number_that_is_none_is_wrong_usage(pull_request: PullRequest) -> None:
    assert pull_request.comment(PULL_REQUEST="7/../../x").code == 64
