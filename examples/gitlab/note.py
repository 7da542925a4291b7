#!/usr/bin/env python3
"""Keep one note on a merge request up to date.

Usage: note.py FILE.md

NOTE_TOKEN is a project access token with the scope `api` and the role Reporter, as a masked variable; a job token may
not write notes. Without it (a merge request from a fork does not get it) nothing is written, and that is not a failure.
CI_API_V4_URL, CI_PROJECT_ID and CI_MERGE_REQUEST_IID are GitLab's own.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

MARK = "<!-- llmdgen -->\n"
LIMIT = 900_000  # characters; GitLab refuses a note of more than a million


def call(method: str, path: str, body: dict[str, str] | None = None) -> Any:
    """The answer of one call. Raises urllib.error.HTTPError."""
    url = f"{os.environ['CI_API_V4_URL']}/{path}"
    headers = {"PRIVATE-TOKEN": os.environ["NOTE_TOKEN"], "Content-Type": "application/json"}
    data = json.dumps(body).encode() if body else None
    with urlopen(Request(url, data, headers, method=method), timeout=30) as answer:
        return json.load(answer)


def earlier(notes: str) -> int | None:
    """The number of the note that bears the mark and that this token's own user wrote."""
    me = call("GET", "user")["id"]
    page = 1
    while found := call("GET", f"{notes}?per_page=100&page={page}"):
        for each in found:
            if each["author"]["id"] == me and each["body"].startswith(MARK.strip()):
                return int(each["id"])
        page += 1
    return None


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 64
    if not os.environ.get("NOTE_TOKEN"):
        print("no NOTE_TOKEN: the note is left out, the job's log and artifact have the text")
        return 0
    text = Path(arguments[0]).read_text("utf-8")
    short = text[:LIMIT].rpartition("\n")[0] + "\n\nCut here.\n" if len(text) > LIMIT else text
    notes = f"projects/{os.environ['CI_PROJECT_ID']}/merge_requests/{os.environ['CI_MERGE_REQUEST_IID']}/notes"
    found = earlier(notes)
    if found is None:
        call("POST", notes, {"body": MARK + short})
    else:
        call("PUT", f"{notes}/{found}", {"body": MARK + short})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
