"""The merge is that of Kubernetes' own library, which a small Go program calls, where Go and the library are there."""

from __future__ import annotations

import json
import shutil
import subprocess
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import pytest

from llmdgen.kube.merge import PATCH, RETAIN, merge
from tests.kube.pods import patch, pod
from tests.tools import REPOSITORY

PROGRAM = REPOSITORY / "tests" / "go" / "strategicpatch"
CASES = 500
KEYS = ("name", "containerPort", "mountPath", "topologyKey")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("go") is None:
        pytest.skip("Go is not on this machine")
    built = tmp_path_factory.mktemp("go") / "strategicpatch"
    answer = subprocess.run(
        ["go", "build", "-o", str(built), "."], cwd=PROGRAM, capture_output=True, text=True, check=False, timeout=300
    )
    if answer.returncode:
        pytest.skip(f"the library cannot be built here: {answer.stderr.strip()[-200:]}")
    return built


def test_every_merge_is_that_of_kubernetes(program: Path) -> None:
    random = Random(15)
    bases = [pod(random) for _ in range(CASES)]
    pairs = [(base, patch(random, base)) for base in bases]
    lines = [json.dumps({"base": base, "patch": _said_in_full(change)}) for base, change in pairs]
    answer = subprocess.run([program], input="\n".join(lines), capture_output=True, text=True, check=True)
    theirs = [json.loads(line) for line in answer.stdout.splitlines()]
    assert len(theirs) == CASES
    for (base, change), their in zip(pairs, theirs, strict=True):
        assert "error" not in their, their
        assert _in_one_order(merge(base, change).value) == _in_one_order(their["merged"]), (base, change)


def _said_in_full(change: dict[str, Any]) -> dict[str, Any]:
    """The patch as kubectl sends it: with the keys that a volume keeps, where the patch sets some."""
    change = deepcopy(change)
    volumes = change.get("volumes")
    for each in volumes if isinstance(volumes, list) else ():
        kept = [key for key, value in each.items() if value is not None]
        if PATCH not in each and RETAIN not in each and len(kept) > 1:
            each[RETAIN] = kept
    return change


def _in_one_order(value: Any) -> Any:
    """With merged lists sorted by their key, since new items come first there and last here, and without what the
    library leaves of a patch in what the base lacks: nulls and directives, which the API server drops."""
    if isinstance(value, dict):
        return {key: _in_one_order(each) for key, each in value.items() if each is not None and key[0] != "$"}
    if not isinstance(value, list):
        return value
    items = [_in_one_order(each) for each in value if not isinstance(each, dict) or PATCH not in each]
    key = next((key for key in KEYS if items and all(isinstance(each, dict) and key in each for each in items)), None)
    return sorted(items, key=lambda each: str(each[key])) if key else items
