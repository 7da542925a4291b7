"""Many specs at once: the same files, lines and findings in the same order as one after the other."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import click
import pytest

from llmdgen.cli import processes
from tests.cli.conftest import SPEC, Llmdgen

MANY = 3 * processes.FEWEST


@pytest.fixture
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_processors", lambda: 2)


@pytest.mark.usefixtures("two_processors")
def test_results_come_in_order_and_from_several_processes() -> None:
    found = list(processes.results(lambda number: (number, os.getpid()), MANY))
    assert [number for number, _ in found] == list(range(MANY))
    assert found[0][1] == os.getpid()
    assert os.getpid() not in {process for _, process in found[1:]}


@pytest.mark.usefixtures("two_processors")
def test_few_tasks_stay_in_this_process() -> None:
    assert set(processes.results(lambda _: os.getpid(), processes.FEWEST - 1)) == {os.getpid()}


def test_one_processor_is_used_by_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_processors", lambda: 1)
    assert set(processes.results(lambda _: os.getpid(), MANY)) == {os.getpid()}


@pytest.mark.usefixtures("two_processors")
def test_an_error_in_another_process_is_raised_here() -> None:
    def fails(number: int) -> int:
        return 1 // (MANY - 2 - number)

    with pytest.raises(ZeroDivisionError):
        list(processes.results(fails, MANY))


@pytest.mark.usefixtures("two_processors")
def test_a_process_that_is_killed_is_said_and_not_waited_for() -> None:
    mine = os.getpid()

    def dies(number: int) -> int:
        if os.getpid() != mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    with pytest.raises(click.ClickException, match="was killed"):
        list(processes.results(dies, MANY))


def test_many_specs_give_the_same_in_one_process_and_in_two(
    llmdgen: Llmdgen, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = []
    for number in range(MANY):
        text = SPEC.replace("name: chat", f"name: chat-{number}")
        if number % 5 == 4:
            text = text.replace("max-model-len: 8192", "max-model-length: 8192")
        Path(f"{number}.yaml").write_text(text)
        names.append(f"{number}.yaml")
    answers = {}
    for count in (1, 2):
        monkeypatch.setattr(processes, "_processors", lambda count=count: count)
        calls = [llmdgen("render", *names, "-o", f"out-{count}", *more) for more in ([], ["--check"], ["--prune"])]
        answers[count] = [(each.code, each.out, each.err) for each in calls]
    assert str(answers[1]).replace("out-1", "out-2") == str(answers[2])
    files = [
        {file.relative_to(out): file.read_bytes() for file in out.rglob("*") if file.is_file()}
        for out in (Path("out-1"), Path("out-2"))
    ]
    assert files[0] == files[1] != {}
    assert not Path("out-1/chat-4").exists()
