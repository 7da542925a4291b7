"""`llmdgen render`: what is written, what is refused, what differs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest

from llmdgen import api
from llmdgen.cli import render
from llmdgen.findings import Finding, Located, Place, Severity
from tests.cli.conftest import SPEC, Llmdgen

ROUTER = "llm-d-router-gateway"  # the only chart of others

TARGETS = {"p5.48xlarge", "p5en.48xlarge"}


def tree(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_each_instance_type_gets_its_directory(llmdgen: Llmdgen, spec: Path) -> None:
    answer = llmdgen("render", "chat.yaml")
    assert (answer.code, answer.err) == (0, "")
    assert {entry.name for entry in Path("rendered/chat").iterdir()} == {*TARGETS, "llmdgen.lock"}
    assert answer.out.startswith("rendered/chat: 2 targets, ")


def test_what_is_written_is_what_the_api_gives(llmdgen: Llmdgen, spec: Path) -> None:
    llmdgen("render", "chat.yaml")
    given = api.render(api.plan(api.load("chat.yaml"), "p5.48xlarge"))
    assert tree(Path("rendered/chat/p5.48xlarge")) == given


def test_a_second_render_writes_nothing(llmdgen: Llmdgen, spec: Path) -> None:
    llmdgen("render", "chat.yaml")
    for file in Path("rendered").rglob("*"):
        os.utime(file, ns=(1, 1))
    assert llmdgen("render", "chat.yaml").out.endswith(": unchanged\n")
    assert {file.stat().st_mtime_ns for file in Path("rendered").rglob("*")} == {1}


def test_a_render_of_one_instance_type_leaves_the_others(llmdgen: Llmdgen, spec: Path) -> None:
    llmdgen("render", "chat.yaml")
    before = tree(Path("rendered"))
    spec.write_text(SPEC + "  decode: {replicas: 2}\n")
    assert llmdgen("render", "chat.yaml", "--instance-type", "ml.p5.48xlarge").code == 0
    after = tree(Path("rendered"))
    changed = {name for name in after if after[name] != before.get(name)}
    assert {name.split("/")[1] for name in changed} == {"p5.48xlarge", "llmdgen.lock"}
    assert before.keys() == after.keys()
    check = llmdgen("render", "chat.yaml", "--check")
    assert check.code == 2
    assert "p5en.48xlarge/chart/templates/decode.yaml: stale: the spec changed" in check.out
    assert "chat/p5.48xlarge" not in check.out


def test_an_instance_type_that_no_spec_has_is_wrong_usage(llmdgen: Llmdgen, spec: Path) -> None:
    answer = llmdgen("render", "chat.yaml", "--instance-type", "p5.84xlarge")
    assert answer.code == 64
    assert "did you mean p5.48xlarge" in answer.err
    assert not Path("rendered").exists()


def test_an_instance_type_that_leaves_the_spec_leaves_the_disk(llmdgen: Llmdgen, spec: Path) -> None:
    llmdgen("render", "chat.yaml")
    spec.write_text(SPEC.replace(", ml.p5en.48xlarge", ""))
    assert "removed" in llmdgen("render", "chat.yaml").out
    assert {entry.name for entry in Path("rendered/chat").iterdir()} == {"p5.48xlarge", "llmdgen.lock"}


def test_an_error_on_one_instance_type_writes_nothing_of_the_spec_and_all_of_the_others(
    llmdgen: Llmdgen, spec: Path
) -> None:
    Path("good.yaml").write_text(SPEC.replace("chat", "good"))
    spec.write_text(SPEC.replace("p5en.48xlarge", "p5en.47xlarge"))
    answer = llmdgen("render", "chat.yaml", "good.yaml")
    assert answer.code == 1
    assert answer.err.startswith("chat.yaml:7:32: error ")
    assert [entry.name for entry in Path("rendered").iterdir()] == ["good"]


def test_the_errors_of_all_specs_are_shown_each_on_a_line(llmdgen: Llmdgen, spec: Path) -> None:
    Path("a.yaml").write_text(SPEC.replace("chat", "a").replace("path: pd", "path: dp"))
    Path("b.yaml").write_text(SPEC.replace("chat", "b") + "  decoed: {}\n")
    answer = llmdgen("render", "a.yaml", "b.yaml", "none.yaml")
    assert answer.code == 1
    assert [line.partition(":")[0] for line in answer.err.splitlines()] == ["a.yaml", "b.yaml", "none.yaml"]
    assert answer.out.splitlines()[-3:] == [f"{name}.yaml: 1 error, nothing written" for name in ("a", "b", "none")]
    assert not Path("rendered").exists()


def test_two_specs_of_one_name_are_refused(llmdgen: Llmdgen, spec: Path) -> None:
    shutil.copy("chat.yaml", "again.yaml")
    answer = llmdgen("render", "chat.yaml", "again.yaml")
    assert answer.code == 1
    assert {line.partition(" (fix")[0].partition(" error ")[2][:6] for line in answer.err.splitlines()} == {"OUT004"}
    assert not Path("rendered").exists()


def test_the_same_file_twice_is_one_spec(llmdgen: Llmdgen, spec: Path) -> None:
    assert llmdgen("render", "chat.yaml", "chat.yaml").code == 0


def test_the_name_of_the_prerequisites_is_taken(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(SPEC.replace("name: chat", "name: cluster"))
    answer = llmdgen("render", "chat.yaml")
    assert answer.code == 1
    assert answer.err.startswith("chat.yaml:4:9: error OUT004")


def test_a_file_of_somebody_else_is_neither_replaced_nor_forgotten(llmdgen: Llmdgen, spec: Path) -> None:
    Path("rendered/chat/p5.48xlarge").mkdir(parents=True)
    Path("rendered/chat/p5.48xlarge/helmfile.yaml").write_text("mine\n")
    answer = llmdgen("render", "chat.yaml")
    assert answer.code == 1
    assert answer.err.startswith("rendered/chat/p5.48xlarge/helmfile.yaml:1:1: error OUT001")
    assert tree(Path("rendered")) == {"chat/p5.48xlarge/helmfile.yaml": "mine\n"}


def test_an_edited_file_is_restored_with_a_word_about_it(llmdgen: Llmdgen, spec: Path) -> None:
    llmdgen("render", "chat.yaml")
    file = Path("rendered/chat/p5.48xlarge/helmfile.yaml")
    text = file.read_text()
    file.write_text("mine\n")
    answer = llmdgen("render", "chat.yaml")
    assert (answer.code, answer.err) == (0, f"{file}: replaced, though it was edited by hand\n")
    assert file.read_text() == text


def test_check_says_nothing_differs_and_exits_0(llmdgen: Llmdgen, spec: Path) -> None:
    llmdgen("render", "chat.yaml")
    answer = llmdgen("render", "chat.yaml", "--check")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.endswith(": up to date\n")


def test_check_tells_every_kind_apart_writes_nothing_and_exits_2(llmdgen: Llmdgen, spec: Path) -> None:
    llmdgen("render", "chat.yaml", "-o", "out dir")
    spec.write_text(SPEC.replace(", ml.p5en.48xlarge", "") + "  decode: {replicas: 2}\n")
    here = Path("out dir/chat/p5.48xlarge")
    (here / "topology.svg").write_text("<mine/>\n")
    (here / "SUMMARY.md").unlink()
    before = tree(Path("out dir"))
    answer = llmdgen("render", "chat.yaml", "-o", "out dir", "--check")
    assert answer.code == 2
    again = "llmdgen render chat.yaml -o 'out dir'"
    assert f"{here}/topology.svg: hand-edited: changed since it was rendered" in answer.out
    assert f"{here}/SUMMARY.md: missing: no such file (fix: {again})" in answer.out
    assert f"{here}/chart/templates/decode.yaml: stale: the spec changed (fix: {again})" in answer.out
    assert "out dir/chat/p5en.48xlarge/helmfile.yaml: orphaned: " in answer.out
    assert "-    replicas: 1\n" in answer.out or "-  replicas: 1\n" in answer.out
    assert tree(Path("out dir")) == before


def test_check_shows_no_secret_that_somebody_wrote_into_a_tree(llmdgen: Llmdgen, spec: Path) -> None:
    llmdgen("render", "chat.yaml")
    file = Path("rendered/chat/p5.48xlarge/chart/templates/decode.yaml")
    token = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz012345"
    variables = {"A": token, "DB_PASSWORD": "hunter2"}
    added = "".join(f"            - name: {name}\n              value: {each}\n" for name, each in variables.items())
    file.write_text(file.read_text().replace("          env:\n", f"          env:\n{added}", 1))
    answer = llmdgen("render", "--check", "chat.yaml")
    assert answer.code == 2
    assert "DB_PASSWORD" in answer.out
    assert token not in answer.out
    assert "hunter2" not in answer.out


def test_check_names_what_it_does_not_compare(llmdgen: Llmdgen, spec: Path) -> None:
    llmdgen("render", "chat.yaml")
    spec.write_text(SPEC.replace("name: chat", "name: talk"))
    assert llmdgen("render", "chat.yaml").out.count("\n") == 1
    answer = llmdgen("render", "chat.yaml", "--check")
    assert answer.code == 0
    assert answer.out.splitlines()[-1] == (
        "rendered: not compared, being of no spec given here: chat (with --prune a difference)"
    )


def test_check_of_a_spec_with_errors_exits_1(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(SPEC.replace("path: pd", "path: dp"))
    assert llmdgen("render", "chat.yaml", "--check").code == 1


def test_charts_are_named_by_a_path_from_the_target(llmdgen: Llmdgen, spec: Path) -> None:
    Path("charts", ROUTER).mkdir(parents=True)
    Path("charts", ROUTER, "Chart.yaml").write_text("")
    assert llmdgen("render", "chat.yaml", "--charts", "charts").code == 0
    helmfile = Path("rendered/chat/p5.48xlarge/helmfile.yaml").read_text()
    assert f"chart: ../../../charts/{ROUTER}" in helmfile.replace('"', "")
    assert "chart: ./chart" in helmfile.replace('"', "")
    assert str(Path.cwd()) not in helmfile


def test_charts_that_are_not_there_stop_everything(llmdgen: Llmdgen, spec: Path) -> None:
    Path("charts").mkdir()
    answer = llmdgen("render", "chat.yaml", "--charts", "charts")
    assert answer.code == 1
    assert answer.err == (f"charts:1:1: error OUT005: there is no {ROUTER}/Chart.yaml (fix: unpack the chart there)\n")
    assert not Path("rendered").exists()


def test_the_same_spec_gives_the_same_bytes_wherever_it_is_rendered(llmdgen: Llmdgen, spec: Path) -> None:
    llmdgen("render", "chat.yaml")
    Path("deep/er").mkdir(parents=True)
    llmdgen("render", str(spec), "-o", "deep/er/out")
    assert tree(Path("rendered")) == tree(Path("deep/er/out"))


def test_manifests_without_helm_are_an_error_and_nothing_is_written(
    llmdgen: Llmdgen, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    answer = llmdgen("render", "chat.yaml", "--manifests")
    assert answer.code == 1
    assert "error VER001: p5.48xlarge: helm is not on PATH" in answer.err
    assert not Path("rendered").exists()


def test_a_bar_is_shown_only_where_somebody_watches_several_specs(
    llmdgen: Llmdgen, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("more.yaml").write_text(SPEC.replace("chat", "more"))
    shown: list[str] = []
    bar = render.click.progressbar

    def spy(outcomes: Iterator[Any], label: str, length: int, file: TextIO) -> Any:
        shown.append(label)
        return bar(outcomes, label=label, length=length, file=file)

    monkeypatch.setattr(render.click, "progressbar", spy)
    llmdgen("render", "chat.yaml", "more.yaml")
    assert shown == []
    monkeypatch.setattr(render.sys.stderr, "isatty", lambda: True)
    llmdgen("render", "chat.yaml")
    assert shown == []
    assert llmdgen("render", "chat.yaml", "more.yaml").code == 0
    assert shown == ["specs"]


def test_prerequisites_are_written_beside_the_specs_and_checked_with_them(llmdgen: Llmdgen, spec: Path) -> None:
    assert llmdgen("render", "chat.yaml", "--prerequisites").code == 0
    assert {entry.name for entry in Path("rendered").iterdir()} == {"chat", "cluster"}
    assert Path("rendered/cluster/eks-istio/helmfile.yaml").is_file()
    assert llmdgen("render", "chat.yaml", "--prerequisites", "--check").code == 0
    Path("rendered/cluster/eks-istio/helmfile.yaml").unlink()
    answer = llmdgen("render", "chat.yaml", "--prerequisites", "--check")
    assert answer.code == 2
    assert "(fix: llmdgen render chat.yaml --prerequisites)" in answer.out


def test_the_prerequisites_of_another_cluster_stay(llmdgen: Llmdgen, spec: Path) -> None:
    llmdgen("render", "chat.yaml", "--prerequisites")
    Path("more.yaml").write_text(SPEC.replace("chat", "more") + "  platform: hyperpod\n")
    assert llmdgen("render", "more.yaml", "--prerequisites").code == 0
    assert {entry.name for entry in Path("rendered/cluster").iterdir()} == {
        "eks-istio",
        "hyperpod-istio",
        "llmdgen.lock",
    }


def test_an_error_in_any_spec_leaves_the_prerequisites_as_they_are(llmdgen: Llmdgen, spec: Path) -> None:
    Path("wrong.yaml").write_text(SPEC.replace("chat", "wrong").replace("path: pd", "path: dp"))
    assert llmdgen("render", "chat.yaml", "wrong.yaml", "--prerequisites").code == 1
    assert [entry.name for entry in Path("rendered").iterdir()] == ["chat"]


def test_notes_are_for_the_summary_and_warnings_for_the_terminal(
    llmdgen: Llmdgen, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def two_findings(plan: object) -> tuple[Located, ...]:
        findings = (
            Finding(f"XXX{severity.value}", severity, "says", "fix") for severity in (Severity.NOTE, Severity.WARNING)
        )
        return tuple(Located(each, Place("chat.yaml")) for each in findings)

    monkeypatch.setattr(api, "_judge", lambda plan: (two_findings(plan), ()))
    assert llmdgen("render", "chat.yaml").err == "chat.yaml:1:1: warning XXXwarning: says (fix: fix)\n"
    assert "XXXnote" in Path("rendered/chat/p5.48xlarge/SUMMARY.md").read_text()


def rendered_two(llmdgen: Llmdgen) -> Path:
    """A second spec, rendered and then deleted; the directory of what it gave."""
    Path("code.yaml").write_text(SPEC.replace("name: chat", "name: code", 1))
    assert llmdgen("render", "--prerequisites", "chat.yaml", "code.yaml").code == 0
    Path("code.yaml").unlink()
    return Path("rendered/code")


def test_what_a_deleted_spec_gave_is_orphaned_where_these_are_all_specs(llmdgen: Llmdgen, spec: Path) -> None:
    left = rendered_two(llmdgen)
    assert llmdgen("render", "--check", "chat.yaml").code == 0
    answer = llmdgen("render", "--check", "--prune", "chat.yaml")
    mend = "llmdgen render --prune chat.yaml"
    assert answer.code == 2
    destroy = "`helmfile destroy` in its directories where it is deployed"
    assert f"\nrendered/code: orphaned: no spec is called code (fix: {destroy}, then {mend})\n" in answer.out
    assert left.is_dir()
    answer = llmdgen(*mend.split()[1:])
    assert answer.code == 0
    assert "rendered/code: no spec is called code: " in answer.out
    assert {entry.name for entry in Path("rendered").iterdir()} == {"chat", "cluster"}
    assert llmdgen("render", "--check", "--prune", "chat.yaml").code == 0


def test_prune_leaves_what_a_person_wrote(llmdgen: Llmdgen, spec: Path) -> None:
    left = rendered_two(llmdgen)
    (left / "p5.48xlarge/SUMMARY.md").write_text("mine\n")
    (left / "notes.md").write_text("mine too\n")
    Path("rendered/foreign").mkdir()
    answer = llmdgen("render", "--prune", "chat.yaml")
    assert answer.code == 0
    assert "p5.48xlarge/SUMMARY.md: no longer made, but edited by hand, and therefore kept" in answer.err
    assert tree(left) == {"p5.48xlarge/SUMMARY.md": "mine\n", "notes.md": "mine too\n"}
    assert Path("rendered/foreign").is_dir()
    assert llmdgen("render", "--check", "--prune", "chat.yaml").code == 0


def test_a_spec_that_is_wrong_prunes_nothing(llmdgen: Llmdgen, spec: Path) -> None:
    left = rendered_two(llmdgen)
    before = tree(left)
    Path("broken.yaml").write_text("spec: [\n")
    assert llmdgen("render", "--prune", "chat.yaml", "broken.yaml").code == 1
    spec.write_text(SPEC.replace("pd-disaggregation", "pd-disagregation"))
    assert llmdgen("render", "--prune", "chat.yaml").code == 1
    assert tree(left) == before


def test_prune_does_not_follow_a_link_and_says_what_is_wrong_with_a_lock(llmdgen: Llmdgen, spec: Path) -> None:
    left = rendered_two(llmdgen)
    left.rename("elsewhere")
    left.symlink_to("../elsewhere")
    assert llmdgen("render", "--prune", "chat.yaml").code == 0
    assert (left / "llmdgen.lock").is_file()
    Path("rendered/broken").mkdir()
    Path("rendered/broken/llmdgen.lock").write_text("{")
    assert llmdgen("render", "--check", "--prune", "chat.yaml").code == 2
    answer = llmdgen("render", "--prune", "chat.yaml")
    assert answer.code == 1
    assert "rendered/broken/llmdgen.lock" in answer.err


def test_prune_takes_the_clusters_of_other_platforms_too(llmdgen: Llmdgen, spec: Path) -> None:
    hyperpod = SPEC.replace("spec:\n", "spec:\n  platform: hyperpod\n").replace("name: chat", "name: code", 1)
    Path("code.yaml").write_text(hyperpod)
    assert llmdgen("render", "--prerequisites", "chat.yaml", "code.yaml").code == 0
    assert Path("rendered/cluster/hyperpod-istio").is_dir()
    Path("code.yaml").unlink()
    assert llmdgen("render", "--prerequisites", "--prune", "chat.yaml").code == 0
    assert not Path("rendered/cluster/hyperpod-istio").exists()
    assert Path("rendered/cluster/eks-istio").is_dir()


def test_two_renders_at_once_both_succeed_and_the_tree_is_whole(llmdgen: Llmdgen, spec: Path) -> None:
    from llmdgen.output.disk import alone

    command = [sys.executable, "-m", "llmdgen", "render", "--prune", "--prerequisites", "chat.yaml"]
    with alone("rendered"):
        running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        for each in running:
            assert each.stderr is not None
            assert each.stderr.readline() == "rendered: another llmdgen writes there; this one waits for it\n"
    assert [each.wait() for each in running] == [0, 0]
    for each in running:
        assert each.stderr is not None
        each.stderr.close()
    assert llmdgen("render", "--check", "--prune", "--prerequisites", "chat.yaml").code == 0


def test_nothing_of_a_strange_tree_is_a_command_or_a_secret_in_the_log(llmdgen: Llmdgen, spec: Path) -> None:
    llmdgen("render", "chat.yaml")
    file, token = Path("rendered/chat/p5.48xlarge/helmfile.yaml"), "hf_" + "aB3" * 12
    strange = f"::error::x\n  ::add-mask::x\n##[error]x\n\x1b[2J\ntoken: {token}\n"
    file.write_text(strange + file.read_text() + strange)
    file.with_name("##[error]x ::error::y").write_text("")
    answer = llmdgen("render", "--check", "chat.yaml")
    assert answer.code == 2
    assert not [line for line in answer.out.splitlines() if line.lstrip().startswith("::") or "##[" in line]
    assert token not in answer.out
    assert "\x1b" not in answer.out
