"""Golden files: an expectation beside its input, compared, or rewritten with `pytest --update-golden`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is: what has to be fast has a test that measures it.
settings.register_profile("llmdgen", parent=settings(), deadline=None)
settings.load_profile("llmdgen")

Golden = Callable[[Path, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Write golden files instead of comparing with them.")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was skipped: a line for each reason, and one for all that asks for files which no checkout has."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", ()):
        where = report.longrepr
        reason = str(where[2] if isinstance(where, tuple) else where).removeprefix("Skipped: ").splitlines()[0]
        reasons["what they compare with is not beside this repository" if " beside " in reason else reason] += 1
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"skipped {count}: {reason}")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """`golden(path, text)`: the file holds exactly that text. Under --update-golden it is made to."""
    update = request.config.getoption("--update-golden")

    def compare(path: Path, text: str) -> None:
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_file() or path.read_bytes() != text.encode():
                path.write_bytes(text.encode())
            return
        assert path.is_file(), f"{path} is missing; pytest --update-golden writes it"
        assert text.splitlines() == path.read_text("utf-8").splitlines(), f"{path} differs; see --update-golden"
        assert text.encode() == path.read_bytes()

    return compare
