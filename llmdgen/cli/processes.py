"""The same task for many things: in several processes where that pays, in order and with one result each either way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

Result = TypeVar("Result")

FEWEST = 8  # tasks; to start processes takes about as long as so many
AT_A_TIME = 4  # tasks that a process is given at once

_task: Callable[[int], Any]


def results(task: Callable[[int], Result], number: int) -> Iterator[Result]:
    """task(0), task(1) and so on, in that order. Results have to be picklable. Raises click.ClickException where one of
    the processes was killed."""
    processes = min(_processors(), number // FEWEST + 1)
    if processes < 2 or not hasattr(os, "fork"):
        yield from map(task, range(number))
        return
    yield task(0)  # what every task imports and reads is there when the processes part
    from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(processes, get_context("fork"), _begin, (task,))
    try:
        yield from pool.map(_run, range(1, number), chunksize=AT_A_TIME)
    except BrokenExecutor as error:
        raise click.ClickException("a process that worked on some of the specs was killed") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begin(task: Callable[[int], Any]) -> None:
    """In a new process: ctrl-C, which reaches it too, is for the one that started it; what is begun is finished."""
    import signal

    global _task
    _task = task
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run(number: int) -> Any:
    return _task(number)
