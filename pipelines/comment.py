#!/usr/bin/env python3
"""Keep one comment on a pull request up to date, through the `gh` program of the runner.

Usage: comment.py REPORT.md

GH_TOKEN           the token of `gh`, with pull-requests: write
GITHUB_REPOSITORY  owner/name
PULL_REQUEST       its number
CHANGED            'true' where something changes in meaning
EXIT_CODE          that of the checks
COMMENT_KEY        tells the comments of several calls on one pull request apart; may be empty

The comment is found by a hidden mark at its beginning, and only among those of bots, so that nobody can make this write
over a person's text. Where all is well and nothing changes no comment is begun, but an earlier one is brought up to
date. A token that may not write (a pull request from a fork) is no failure: the job summary has the same text.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from cut import cut

LIMIT = 65_000  # bytes; GitHub refuses a body of more than 65536 characters
CUT = "\n**Cut here:** the job summary has the rest.\n"
FORBIDDEN = re.compile(r"HTTP 40[34]|Resource not accessible", re.IGNORECASE)


class Refused(Exception):
    """GitHub does not let this token do that."""


def gh(*arguments: str, body: dict[str, str] | None = None) -> Any:
    """The answer of one call. Raises Refused, and CalledProcessError where it fails otherwise."""
    command = ["gh", "api", *arguments, *(["--input", "-"] if body else [])]
    done = subprocess.run(command, input=json.dumps(body) if body else "", capture_output=True, text=True, check=False)
    if done.returncode:
        if FORBIDDEN.search(done.stderr):
            raise Refused(done.stderr.strip())
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return json.loads(done.stdout)


def earlier(comments: str, mark: str) -> int | None:
    """The number of the comment that bears the mark."""
    for page in gh("--paginate", "--slurp", f"{comments}?per_page=100"):
        for each in page:
            if each["user"] and each["user"]["type"] == "Bot" and each["body"].startswith(mark):
                return int(each["id"])
    return None


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 64
    repository, number = os.environ["GITHUB_REPOSITORY"], os.environ["PULL_REQUEST"]
    if not number.isdigit():
        print("::error title=llmdgen::PULL_REQUEST is not a number")
        return 64
    key = re.sub(r"[^A-Za-z0-9._/-]", "", os.environ.get("COMMENT_KEY", ""))
    mark = f"<!-- llmdgen:{key} -->\n"
    body = {"body": cut(mark + Path(arguments[0]).read_text("utf-8"), LIMIT, CUT)}
    comments = f"repos/{repository}/issues/{number}/comments"
    is_news = os.environ.get("CHANGED") == "true" or os.environ.get("EXIT_CODE") != "0"
    try:
        found = earlier(comments, mark)
        if found is not None:
            gh("--method", "PATCH", f"repos/{repository}/issues/comments/{found}", body=body)
        elif is_news:
            gh("--method", "POST", comments, body=body)
    except Refused:
        print("::notice title=llmdgen::this token may not comment; the job summary has the report")
    except subprocess.CalledProcessError as error:
        print(f"gh: {error.stderr.strip()}", file=sys.stderr)
        print("::error title=llmdgen::the comment could not be written")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
