#!/usr/bin/env python3
"""`helm diff upgrade NAME CHART ...` as helmfile calls it: the objects of a release beside those of its chart.

With --detailed-exitcode it ends with 2 where they differ. Flags that only change how a diff looks are left out; helm
itself takes --namespace, and hands it on to its plugins and to what they call by the environment.
"""

from __future__ import annotations

import difflib
import os
import subprocess
import sys

HELM = os.environ["HELM_BIN"]
PASSED_ON = ("--version", "--values", "--set", "--kube-version", "--api-versions")


def main(arguments: list[str]) -> int:
    words = iter(arguments[1:])  # behind "upgrade"
    named: list[str] = []
    flags: list[str] = []
    for word in words:
        if word in PASSED_ON:
            flags += [word, next(words)]
        elif word.startswith(PASSED_ON):
            flags.append(word)
        elif word in ("--context", "--output", "--suppress", "--kube-context"):
            next(words)
        elif not word.startswith("-"):
            named.append(word)
    name, chart = named
    now = subprocess.run([HELM, "get", "manifest", name], capture_output=True, text=True, check=False)
    if now.returncode and "not found" not in now.stderr:
        sys.stderr.write(now.stderr)
        return 1
    then = subprocess.run(
        [HELM, "template", name, chart, *flags, "--no-hooks", "--validate", "--is-upgrade"],
        capture_output=True,
        text=True,
        check=False,
    )
    if then.returncode:
        sys.stderr.write(then.stderr)
        return 1
    found = list(difflib.unified_diff(objects(now.stdout), objects(then.stdout), "now", "then", lineterm="", n=2))
    print("\n".join(found))
    return 2 if found and "--detailed-exitcode" in arguments else 0


def objects(text: str) -> list[str]:
    """The lines of all objects, in an order that does not depend on that in which helm prints them."""
    documents = sorted(each.strip("\n") for each in f"\n{text}".split("\n---\n") if each.strip())
    return [line for each in documents for line in ["---", *each.splitlines()]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
