"""pipelines/review.sh in scratch repositories: a clean pull request, a drifted one, a broken spec, and odd inputs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from .conftest import Repository, Review, environment, executable

DRIFT = "rendered is not what the specs give"


def test_a_pull_request_that_changes_nothing_passes(review: Review) -> None:
    done = review()
    assert done.code == 0, done.log
    assert done.outputs["changed"] == "false"
    assert [done.outputs[f"{each}-exit-code"] for each in ("validate", "check", "diff")] == ["0", "0", "0"]
    assert "::error" not in done.log
    assert "nothing changes in meaning" in done.summary


def test_a_clean_change_passes_and_says_what_it_means(repository: Repository, review: Review) -> None:
    repository.change("replicas: 2", "replicas: 3")
    done = review()
    assert done.code == 0, done.log
    assert (done.outputs["changed"], done.outputs["diff-exit-code"], done.outputs["exit-code"]) == ("true", "2", "0")
    diff = Path(done.outputs["diff-file"]).read_text("utf-8")
    assert "| decode | `replicas` | `2` | `3` | +1 |" in diff
    assert diff in done.summary
    assert Path(done.outputs["report-file"]).read_text("utf-8") == done.summary


def test_a_spec_that_was_not_rendered_is_drift(repository: Repository, review: Review) -> None:
    repository.change("replicas: 2", "replicas: 3", render=False)
    done = review()
    assert done.code == 2
    assert (done.outputs["check-exit-code"], done.outputs["exit-code"]) == ("2", "2")
    assert f"::error title=llmdgen::{DRIFT}" in done.log
    assert "exit 2" in done.summary
    assert "stale" in done.summary


def test_a_file_edited_by_hand_is_drift(repository: Repository, review: Review) -> None:
    path = "rendered/chat/p5.48xlarge/chart/templates/decode.yaml"
    repository.change("replicas: 2", "replicas: 7", path=path, render=False)
    done = review()
    assert done.code == 2
    assert "hand-edited" in done.summary


def test_a_broken_spec_is_an_error_and_no_drift(repository: Repository, review: Review) -> None:
    repository.change("replicas: 2", "replica: 2", render=False)
    done = review()
    assert done.code == 1
    assert (done.outputs["validate-exit-code"], done.outputs["check-exit-code"]) == ("1", "1")
    assert DRIFT not in done.log
    assert "::error file=paths/chat.yaml,line=8,col=12,title=SPEC" in done.log
    assert "did you mean replicas" in done.summary
    sarif = json.loads(Path(done.outputs["sarif-file"]).read_text("utf-8"))
    (result,) = sarif["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "paths/chat.yaml"


def test_without_a_base_there_is_no_diff(review: Review) -> None:
    done = review(BASE="")
    assert done.code == 0
    assert (done.outputs["changed"], done.outputs["diff-exit-code"]) == ("", "")
    assert "diff-file" not in done.outputs


def test_a_base_that_is_nowhere_is_an_error(review: Review) -> None:
    done = review(BASE="no-such-branch")
    assert (done.code, done.outputs["diff-exit-code"], done.outputs["changed"]) == (1, "1", "")
    assert "fetch-depth: 0" in done.summary


@pytest.mark.parametrize("specs", ["nothing/*.yaml", "", "\n\n"])
def test_no_spec_is_an_error(review: Review, specs: str) -> None:
    done = review(SPECS=specs or " ")
    assert (done.code, done.outputs["exit-code"]) == (1, "1")
    assert "::error title=llmdgen::" in done.log


def test_specs_are_files_and_globs_one_a_line(repository: Repository, review: Review) -> None:
    (repository.root / "paths/chat.yaml").rename(repository.root / "paths/a chat.yaml")
    assert review(SPECS="paths/a chat.yaml\n\npaths/*.yaml\n", BASE="").code == 0
    assert review(SPECS="  \npaths/a c*.yaml", BASE="").code == 0
    assert review(SPECS="paths/a\nchat.yaml", BASE="").code == 1


def test_inputs_are_data_and_never_run(repository: Repository, review: Review) -> None:
    evil = "$(touch owned)`touch owned`;touch owned\"'"
    done = review(SPECS=evil, BASE=evil, RENDERED=evil, CHARTS=evil, DIRECTORY=evil)
    assert done.code == 1
    review(BASE="--output=owned")
    review(BASE=evil)
    assert not list(repository.root.rglob("owned"))


def test_a_directory_below_the_root_gives_paths_from_the_root(repository: Repository, review: Review) -> None:
    (repository.root / "infra").mkdir()
    repository.git("mv", "paths", "rendered", "infra/")
    repository.git("commit", "-q", "-m", "move")
    clean = review(DIRECTORY="infra", BASE="HEAD")
    assert clean.code == 0, clean.log
    file = repository.root / "infra/paths/chat.yaml"
    file.write_text(file.read_text("utf-8").replace("replicas:", "replica:"), "utf-8")
    assert "file=infra/paths/chat.yaml" in review(DIRECTORY="./infra/", BASE="").log


def test_warnings_fail_when_strict(repository: Repository, review: Review) -> None:
    public = "gateway: {provider: istio, loadBalancer: {scheme: internet-facing}}"
    repository.change("{replicas: 2}\n", f"{{replicas: 2}}\n  {public}\n")
    lenient, strict = review(), review(STRICT="true")
    assert lenient.code == 0, lenient.log
    assert "::warning file=paths/chat.yaml" in lenient.log
    assert (strict.code, strict.outputs["check-exit-code"]) == (1, "0")


def test_prerequisites_are_checked_when_asked_for(repository: Repository, review: Review) -> None:
    assert review(PREREQUISITES="true").code == 2
    assert repository.llmdgen("render", "--prerequisites", "paths/chat.yaml").returncode == 0
    assert review(PREREQUISITES="true").code == 0


def test_text_of_the_tree_gives_the_runner_no_commands(repository: Repository, review: Review) -> None:
    path = "rendered/chat/p5.48xlarge/SUMMARY.md"
    repository.change("# chat", "::error::from the tree\n# chat</pre>", path=path, render=False)
    done = review()
    before, _, quoted = done.log.partition("::stop-commands::")
    mark = quoted.partition("\n")[0]
    assert "from the tree" not in before
    inside, _, after = quoted.partition(f"::{mark}::")
    assert "from the tree" in inside
    assert "::error::from the tree" not in after.partition("::stop-commands::")[0]
    assert done.summary.count("</pre>") == 1
    assert "&lt;/pre&gt;" in done.summary


def test_a_shallow_clone_is_completed(repository: Repository, tmp_path: Path) -> None:
    repository.change("replicas: 2", "replicas: 3")
    clone = Repository(tmp_path / "clone", tmp_path)
    source = f"file://{repository.root}"
    command = ["git", "clone", "-q", "--depth=1", "--single-branch", "--branch=change", source, str(clone.root)]
    subprocess.run(command, env=environment(), check=True)
    assert clone.git("rev-parse", "--is-shallow-repository").strip() == "true"
    done = clone.run("review.sh", SPECS="paths/*.yaml", BASE="main")
    assert (done.code, done.outputs["changed"]) == (0, "true"), done.log


def test_a_merge_commit_is_compared_with_what_it_was_merged_into(repository: Repository, review: Review) -> None:
    """As a pull request is checked out on GitHub: HEAD is the merge of both sides."""
    repository.change("replicas: 2", "replicas: 3")
    repository.git("checkout", "-q", "main")
    (repository.root / "other").write_text("of main")
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", "main goes on")
    repository.git("checkout", "-q", "--detach")
    repository.git("merge", "-q", "--no-edit", "change")
    done = review()
    assert (done.code, done.outputs["changed"]) == (0, "true"), done.log


def test_what_a_deleted_spec_left_behind_is_drift(repository: Repository, review: Review) -> None:
    two = repository.root / "paths/two.yaml"
    two.write_text((repository.root / "paths/chat.yaml").read_text("utf-8").replace("chat", "two"))
    assert repository.llmdgen("render", "paths/two.yaml").returncode == 0
    assert review(BASE="").code == 0
    two.unlink()
    done = review(BASE="")
    assert (done.code, done.outputs["check-exit-code"]) == (2, "2")
    assert "rendered/two: orphaned: no spec is called two" in done.summary
    assert review(BASE="", PRUNE="false").code == 0


def test_the_first_pull_request_has_nothing_to_be_compared_with(repository: Repository, review: Review) -> None:
    repository.git("rm", "-rq", "paths", "rendered")
    repository.git("commit", "-q", "-m", "nothing yet")
    repository.git("branch", "-f", "empty")
    repository.git("revert", "--no-edit", "HEAD")
    done = review(BASE="empty")
    assert done.code == 0
    assert "added: `chat on p5.48xlarge`" in done.summary


def test_a_stale_tree_does_not_push_the_meaning_out_of_a_comment(repository: Repository, review: Review) -> None:
    """A comment is cut at its end, so the long raw difference comes last."""
    repository.change("replicas: 2", "replicas: 3")
    repository.change("replicas: 3", "replicas: 4", render=False)
    done = review()
    assert done.code == 2
    assert done.summary.index("### llmdgen diff") < done.summary.index("What `llmdgen render --check` says")


def test_the_deployments_that_differ_are_verified_and_no_others(repository: Repository, review: Review) -> None:
    """What helm is run with: a directory of a pull request that would have a program executed is refused before."""
    for name in ("helm", "helmfile"):
        executable(repository.outside / name, '#!/bin/sh\necho "v3.15.3"\n')
    path = f"{repository.outside}:{os.environ['PATH']}"
    assert review(VERIFY="true", PATH=path).outputs["verify-exit-code"] == ""
    mark = repository.outside / "mark"
    file = "rendered/chat/p5.48xlarge/helmfile.yaml"
    hook = f"    chart: ./chart\n    hooks: [{{events: [prepare], command: touch, args: [{mark}]}}]\n"
    repository.change("    chart: ./chart\n", hook, path=file, render=False)
    done = review(VERIFY="true", PATH=path)
    assert (done.code, done.outputs["verify-exit-code"]) == (1, "1"), done.log
    assert "unknown field `hooks`" in done.summary
    assert not mark.exists()


def test_a_file_that_no_render_wrote_is_drift(repository: Repository, review: Review) -> None:
    file = repository.root / "rendered/chat/p5.48xlarge/manifests/9-clusterrolebinding.yaml"
    file.parent.mkdir()
    file.write_text("kind: ClusterRoleBinding\n")
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", "a present")
    done = review()
    assert (done.code, done.outputs["check-exit-code"]) == (2, "2")
    assert "9-clusterrolebinding.yaml: not ours" in done.summary
