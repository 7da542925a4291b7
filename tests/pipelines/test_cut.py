from __future__ import annotations

import subprocess
import sys

import pytest

from .conftest import PIPELINES


def cut(text: str, limit: int) -> str:
    command = [sys.executable, str(PIPELINES / "cut.py"), str(limit)]
    return subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout.decode()


def test_what_fits_stays_as_it_is() -> None:
    assert cut("# ä\n", 100) == "# ä\n"


@pytest.mark.parametrize("line", ["| row |\n", "ä🛑" * 20 + "\n", "<details>\n\n<pre>\n</pre>\n\n</details>\n"])
def test_what_does_not_fit_ends_at_a_line_and_says_so(line: str) -> None:
    short = cut(line * 2000, 5000)
    assert 4000 < len(short.encode()) <= 5000
    assert short.endswith("**Cut here:** the rest is too long for this place.\n")


def test_folds_that_were_open_are_closed() -> None:
    short = cut("<details>\n\n<pre>\n" + "line\n" * 5000, 5000)
    assert short.count("</pre>") == short.count("</details>") == 1
    assert short.index("</pre>") < short.index("</details>") < short.index("**Cut here:**")


def test_one_endless_line_is_left_out() -> None:
    assert cut("x" * 10_000, 1000).strip().startswith("**Cut here:**")


def test_a_limit_that_is_no_number_is_wrong_usage() -> None:
    command = [sys.executable, str(PIPELINES / "cut.py"), "many"]
    assert subprocess.run(command, input=b"", capture_output=True, check=False).returncode == 64
