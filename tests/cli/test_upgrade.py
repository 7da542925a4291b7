"""`llmdgen upgrade`: what it writes, what it leaves alone, what it prints, and its exit codes."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmdgen import resources
from llmdgen.cli import status
from llmdgen.facts import upgrades as moves_module
from tests.cli.conftest import Llmdgen

FACTS = Path(resources.FACTS)

UNREADABLE = """\
  values:
    router:
      inferenceExtension:
        pluginsCustomConfig:
          plugins.yaml: |
            plugins:
              - type: [queue-scorer
"""
STEP = """\
from = "v0.6.0"
sources = []
[flags.max-model-len]
to = "max-num-seqs"
says = "it has another name"
[weights]
queue-scorer = "tokens in flight say more than requests that wait"
[settings."transfer.backend"]
when = "UCX"
says = "UCX is gone"
fix = "write LIBFABRIC"
[replacement]
why = "everything in {namespace} has another name"
[[replacement.steps]]
title = "Render it as {new_name}"
says = "Write metadata.name: {new_name}."
commands = ["llmdgen render {spec}", "helmfile -f rendered/{new_name}/{target}/helmfile.yaml apply", "echo {.items[0]}"]
[[replacement.steps]]
title = "Weights of the route"
providers = ["agentgateway"]
[[replacement.steps]]
title = "Groups first"
multinode = true
[[replacement.steps]]
title = "From {old_pool} to {new_pool}"
disaggregated = true
"""
WRONG = "  engine:\n    env: {VLLM_TORCH_CUDA_PROFILE: '1'}\n"


@pytest.fixture
def spec(spec: Path) -> Path:
    """The spec of all tests of the command line, for the first release."""
    spec.write_text(spec.read_text().replace("  instanceTypes:", "  release: v0.5.1\n  instanceTypes:"))
    return spec


def _upgraded(text: str) -> str:
    return text.replace("release: v0.5.1", "release: v0.6.0")


def test_one_line_is_written(llmdgen: Llmdgen, spec: Path) -> None:
    before = spec.read_text()
    answer = llmdgen("upgrade", "chat.yaml", "--to", "v0.6.0")
    assert answer.code == status.OK
    assert spec.read_text() == _upgraded(before)
    assert answer.out.endswith("chat.yaml: from v0.5.1 to v0.6.0\n")


def test_it_shows_the_edit_the_deployment_and_what_checks_say(llmdgen: Llmdgen, spec: Path) -> None:
    answer = llmdgen("upgrade", "chat.yaml", "--to", "v0.6.0")
    assert "@@ -4,7 +4,7 @@\n" in answer.out
    assert "+  release: v0.6.0\n" in answer.out
    assert "  ~ deployment llm-d release: v0.5.1 -> v0.6.0\n" in answer.out
    assert "  ~ charts inferencepool: v1.3.1 -> v1.4.0\n" in answer.out
    assert "  => interrupts: the scheduler restarts" in answer.out
    assert "chat.yaml:6:9: note UPG002: kv_load_failure_policy of --kv-transfer-config" in answer.err
    assert "\x1b" not in answer.out + answer.err


def test_a_scheduler_text_that_is_no_yaml_is_an_error_at_its_end(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(spec.read_text() + UNREADABLE)
    before = spec.read_text()
    answer = llmdgen("upgrade", "chat.yaml", "--to", "v0.6.0")
    assert (answer.code, spec.read_text()) == (status.ERROR, before)
    last = len(before.splitlines())
    assert f"chat.yaml:{last}:36: error EPP003: it is not YAML that can be read: in the text's line 3" in answer.err
    assert answer.out.endswith("nothing written, 1 error\n")


def test_a_terminal_gets_colours(llmdgen: Llmdgen, spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "\x1b[32m+  release: v0.6.0\x1b[0m" in llmdgen("upgrade", "--dry-run", "chat.yaml", "--to", "v0.6.0").out


def test_dry_run_writes_nothing_and_says_the_same(llmdgen: Llmdgen, spec: Path) -> None:
    before = spec.read_bytes()
    dry = llmdgen("upgrade", "chat.yaml", "--dry-run", "--to", "v0.6.0")
    assert (dry.code, spec.read_bytes()) == (status.OK, before)
    assert "because of --dry-run" in dry.out
    wet = llmdgen("upgrade", "chat.yaml", "--to", "v0.6.0")
    assert dry.out.splitlines()[:-1] == wet.out.splitlines()[:-1]


def test_a_spec_that_is_there_already_is_not_touched(llmdgen: Llmdgen, spec: Path) -> None:
    llmdgen("upgrade", "chat.yaml", "--to", "v0.6.0")
    os.utime(spec, ns=(1, 1))
    before = spec.read_bytes()
    answer = llmdgen("upgrade", "chat.yaml", "--to", "v0.6.0")
    assert (answer.code, answer.out, answer.err) == (status.OK, "chat.yaml: v0.6.0 already\n", "")
    assert (spec.read_bytes(), spec.stat().st_mtime_ns) == (before, 1)


def test_what_it_writes_is_valid_and_renders(llmdgen: Llmdgen, spec: Path) -> None:
    llmdgen("upgrade", "chat.yaml", "--to", "v0.6.0")
    assert llmdgen("validate", "chat.yaml").code == status.OK
    assert llmdgen("render", "chat.yaml").code == status.OK


def test_back_to_an_older_release_is_refused_with_the_reason(llmdgen: Llmdgen, spec: Path) -> None:
    llmdgen("upgrade", "chat.yaml", "--to", "v0.6.0")
    before = spec.read_bytes()
    answer = llmdgen("upgrade", "chat.yaml", "--to", "v0.5.1")
    assert (answer.code, spec.read_bytes()) == (status.ERROR, before)
    assert "chat.yaml:7:12: error UPG003: the spec is for v0.6.0, which is later than v0.5.1" in answer.err


@pytest.mark.parametrize("release", ["v0.6", "0.6.0", "V0.6.0"])
def test_an_unknown_release_is_wrong_usage_and_those_that_are_known_are_named(
    llmdgen: Llmdgen, spec: Path, release: str
) -> None:
    answer = llmdgen("upgrade", "chat.yaml", "--to", release)
    assert answer.code == status.USAGE
    assert "'v0.5.1', 'v0.6.0', 'v0.9.0'" in answer.err


def test_no_spec_is_wrong_usage(llmdgen: Llmdgen) -> None:
    assert llmdgen("upgrade").code == status.USAGE


def test_what_needs_a_person_stops_its_file_and_no_other(llmdgen: Llmdgen, spec: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(spec.read_text().replace("  engine:\n    args: {max-model-len: 8192}\n", WRONG))
    before = other.read_bytes()
    answer = llmdgen("upgrade", "other.yaml", "chat.yaml", "--to", "v0.6.0")
    assert answer.code == status.ERROR
    assert other.read_bytes() == before
    assert "release: v0.6.0" in spec.read_text()
    assert "other.yaml:13:11: error UPG001: VLLM_TORCH_CUDA_PROFILE: vLLM 0.17.1 does not read it (fix: " in answer.err
    assert "other.yaml: from v0.5.1 to v0.6.0: nothing written, 1 error\n" in answer.out


def test_an_error_of_the_new_spec_stops_it_at_the_lines_of_the_file_as_it_is(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(spec.read_text().replace("max-model-len", "max-model-length"))
    before = spec.read_bytes()
    answer = llmdgen("upgrade", "chat.yaml", "--to", "v0.6.0")
    assert (answer.code, spec.read_bytes()) == (status.ERROR, before)
    assert "chat.yaml:13:12: error VLLM001: vLLM 0.17.1 has no flag --max-model-length" in answer.err


def test_a_file_that_is_no_spec_is_reported_as_everywhere(llmdgen: Llmdgen, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("a: b\n")
    answer = llmdgen("upgrade", "bad.yaml", "missing.yaml", "--to", "v0.6.0")
    assert answer.code == status.ERROR
    assert "bad.yaml:1:1: error SPEC020" in answer.err
    assert "missing.yaml:1:1: error SPEC010" in answer.err


def test_markdown_has_the_edit_the_changes_and_the_findings(llmdgen: Llmdgen, spec: Path) -> None:
    answer = llmdgen("upgrade", "chat.yaml", "--dry-run", "--format", "markdown", "--to", "v0.6.0")
    assert answer.out.startswith("### chat.yaml: from v0.5.1 to v0.6.0")
    assert "```diff\n--- chat.yaml\n+++ chat.yaml\n" in answer.out
    assert "| charts | `inferencepool` | `v1.3.1` | `v1.4.0` |" in answer.out
    assert "- `chat.yaml:6:9: note UPG002:" in answer.out


def test_permissions_are_kept(llmdgen: Llmdgen, spec: Path) -> None:
    spec.chmod(0o640)
    llmdgen("upgrade", "chat.yaml", "--to", "v0.6.0")
    assert stat.S_IMODE(spec.stat().st_mode) == 0o640
    assert "release: v0.6.0" in spec.read_text()


def test_a_symbolic_link_is_followed_and_stays(llmdgen: Llmdgen, spec: Path, tmp_path: Path) -> None:
    folder = tmp_path / "real"
    folder.mkdir()
    spec.rename(folder / "spec.yaml")
    (tmp_path / "link.yaml").symlink_to("real/spec.yaml")
    assert llmdgen("upgrade", "link.yaml", "--to", "v0.6.0").code == status.OK
    assert (tmp_path / "link.yaml").is_symlink()
    assert "release: v0.6.0" in (folder / "spec.yaml").read_text()
    assert sorted(each.name for each in folder.iterdir()) == ["spec.yaml"]


def test_a_pipe_is_refused_before_it_is_read(llmdgen: Llmdgen, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    answer = llmdgen("upgrade", "pipe.yaml", "--to", "v0.6.0")
    assert answer.code == status.ERROR
    assert "pipe.yaml:1:1: error UPG005: the file cannot be replaced: it is not a regular file" in answer.err


def test_a_file_that_may_not_be_written_stays(llmdgen: Llmdgen, spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = spec.read_bytes()
    monkeypatch.setattr(os, "access", lambda path, mode, **_: mode != os.W_OK)
    answer = llmdgen("upgrade", "chat.yaml", "--to", "v0.6.0")
    assert (answer.code, spec.read_bytes()) == (status.ERROR, before)
    assert "error UPG005: the file cannot be replaced: it may not be written" in answer.err
    assert "nothing written, 1 error" in answer.out


def test_a_full_disk_leaves_the_file_and_nothing_beside_it(
    llmdgen: Llmdgen, spec: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = spec.read_bytes()
    monkeypatch.setattr(os, "replace", full)
    answer = llmdgen("upgrade", "chat.yaml", "--to", "v0.6.0")
    assert (answer.code, spec.read_bytes()) == (status.ERROR, before)
    assert "No space left on device" in answer.err
    assert [each.name for each in tmp_path.iterdir()] == ["chat.yaml"]


@pytest.fixture
def later_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A release after the others, that is nothing but data."""
    facts = tmp_path / "facts"
    facts.mkdir()
    for each in FACTS.iterdir():
        if each.name != "releases":
            (facts / each.name).symlink_to(each)
    releases = facts / "releases"
    releases.mkdir()
    for name in ("v0.5.1", "v0.6.0"):
        (releases / name).symlink_to(FACTS / "releases" / name)
    new = releases / "v0.7.0"
    new.mkdir()
    for each in (FACTS / "releases/v0.6.0").glob("*.*"):
        (new / each.name).write_bytes(each.read_bytes().replace(b'name = "v0.6.0"', b'name = "v0.7.0"'))
    (new / "upgrade.toml").write_text(STEP)
    scheduler = (new / "scheduler.toml").read_text()
    (new / "scheduler.toml").write_text(scheduler.replace(', { plugin = "queue-scorer", weight = 1 }', ""))
    monkeypatch.setattr(resources, "FACTS", str(facts))
    moves_module.moves.cache_clear()
    yield
    moves_module.moves.cache_clear()


@pytest.mark.usefixtures("later_release")
def test_a_further_release_is_data_alone_and_steps_are_taken_in_order(llmdgen: Llmdgen, spec: Path) -> None:
    assert moves_module.newest() == "v0.7.0"
    text = spec.read_text().replace("args: {max-model-len: 8192}", "args: {max-model-len: 128}")
    spec.write_text(text)
    answer = llmdgen("upgrade", "chat.yaml")
    assert answer.code == status.OK, answer.err
    assert spec.read_text() == _upgraded(text).replace("v0.6.0", "v0.7.0").replace("max-model-len", "max-num-seqs")
    assert "note UPG002: --max-model-len: it has another name" in answer.err
    assert "kv_load_failure_policy" in answer.err


@pytest.mark.usefixtures("later_release")
def test_a_release_in_between_can_be_asked_for(llmdgen: Llmdgen, spec: Path) -> None:
    before = spec.read_text()
    assert llmdgen("upgrade", "chat.yaml", "--to", "v0.6.0").code == status.OK
    assert spec.read_text() == _upgraded(before)


@pytest.mark.usefixtures("later_release")
def test_a_replacement_is_an_ordered_list_of_commands(llmdgen: Llmdgen, spec: Path) -> None:
    answer = llmdgen("upgrade", "chat.yaml", "--dry-run")
    assert "chat is replaced, not updated in place: everything in llm-d-chat has another name\n" in answer.out
    assert "  => breaks: v0.7.0 replaces the deployment, `helmfile apply` over the old one does not: " in answer.out
    assert (
        """
 1. Render it as chat-v0-7-0
    Write metadata.name: chat-v0-7-0.
      llmdgen render chat.yaml
      helmfile -f rendered/chat-v0-7-0/p5.48xlarge/helmfile.yaml apply
      helmfile -f rendered/chat-v0-7-0/p5en.48xlarge/helmfile.yaml apply
      echo {.items[0]}

 2. From chat-router to chat-v0-7-0-router
"""
        in answer.out
    )


@pytest.mark.usefixtures("later_release")
def test_a_replacement_in_markdown_is_a_list_too(llmdgen: Llmdgen, spec: Path) -> None:
    answer = llmdgen("upgrade", "chat.yaml", "--dry-run", "--format", "markdown")
    assert "#### chat is replaced, not updated in place\n\nEverything in llm-d-chat has another name.\n" in answer.out
    assert "1. **Render it as chat-v0-7-0.** Write metadata.name: chat-v0-7-0.\n\n   ```bash\n" in answer.out
    assert "2. **From chat-router to chat-v0-7-0-router.**\n" in answer.out


@pytest.mark.usefixtures("later_release")
def test_an_upgrade_that_is_refused_prints_no_way(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(spec.read_text() + "  transfer: {backend: UCX}\n")
    answer = llmdgen("upgrade", "chat.yaml")
    assert answer.code == status.ERROR
    assert "error UPG001: spec.transfer.backend: UCX is gone (fix: write LIBFABRIC)" in answer.err
    assert "replaced" not in answer.out


@pytest.mark.usefixtures("later_release")
def test_a_setting_of_another_value_is_left_alone(llmdgen: Llmdgen, spec: Path) -> None:
    spec.write_text(spec.read_text() + "  transfer: {backend: LIBFABRIC}\n")
    assert llmdgen("upgrade", "chat.yaml").code == status.OK
    assert "transfer: {backend: LIBFABRIC}\n" in spec.read_text()


@pytest.mark.usefixtures("later_release")
def test_a_weight_goes_with_its_scorer_and_a_mistake_stays(llmdgen: Llmdgen, spec: Path) -> None:
    text = spec.read_text()
    spec.write_text(text + "  scheduler:\n    weights: {queue-scorer: 2, prefix-cache-scorer: 3}\n")
    answer = llmdgen("upgrade", "chat.yaml")
    assert answer.code == status.OK
    assert "    weights: {prefix-cache-scorer: 3}\n" in spec.read_text()
    says = "note UPG002: the weight of queue-scorer is gone, for v0.7.0 has no such scorer here: "
    assert f"{says}tokens in flight say more than requests that wait\n" in answer.err
    spec.write_text(text + "  scheduler:\n    weights: {queue-scorr: 2}\n")
    assert "error EPP001: there is no scorer queue-scorr" in llmdgen("upgrade", "chat.yaml").err
