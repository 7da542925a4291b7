"""Specs and rendered trees to compare, rendered once for a test session."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llmdgen.diff.fold import Difference, difference
from llmdgen.diff.reading import Files

PD: dict[str, Any] = {
    "apiVersion": "llmdgen.dev/v1alpha1",
    "kind": "WellLitPath",
    "metadata": {"name": "chat"},
    "spec": {
        "release": "v0.5.1",
        "path": "pd-disaggregation",
        "instanceTypes": ["p5.48xlarge"],
        "model": {"name": "openai/gpt-oss-120b", "authSecretName": "llm-d-hf-token"},
        "gateway": {"provider": "istio", "loadBalancer": {"scheme": "internal"}},
        "engine": {"args": {"max-model-len": 32000, "gpu-memory-utilization": 0.9}},
    },
}


def changed(spec: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy of a spec with values set by their path: `{"spec.decode.replicas": 2}`; None removes a key."""
    copied = copy.deepcopy(spec)
    for path, value in changes.items():
        *parents, last = path.split(".")
        at = copied
        for parent in parents:
            at = at.setdefault(parent, {})
        if value is None:
            at.pop(last, None)
        else:
            at[last] = value
    return copied


@cache
def rendered(text: str) -> dict[tuple[str, str], dict[str, str]]:
    """The files of every target of a spec, by deployment and target."""
    from llmdgen.api import draft, render, targets
    from llmdgen.spec.load import parse

    return {
        (spec.name, plan.target): render(plan)
        for spec in parse(text, "spec.yaml")
        for plan in (draft(spec, each) for each in targets(spec))
    }


def side(spec: dict[str, Any]) -> dict[tuple[str, str], Files]:
    """A spec, which JSON writes as YAML, as one side."""
    made = rendered(msgspec.json.encode(spec).decode())
    return {key: Files(files, "/".join(key)) for key, files in made.items()}


def compared(old: dict[str, Any], new: dict[str, Any]) -> Difference:
    """What differs between two specs."""
    return difference(side(old), side(new))


def with_files(changes: dict[str, str | None], spec: dict[str, Any] = PD) -> Difference:
    """What other texts of files of a spec's only target make of it; None removes one."""
    before = side(spec)
    ((key, files),) = before.items()
    left = {path: text for path, text in {**files, **changes}.items() if text is not None}
    return difference(before, {key: Files(left, "edited")})


def edited(path: str, old: str, new: str, spec: dict[str, Any] = PD) -> Difference:
    """What replacing a text of one file makes."""
    ((_, files),) = side(spec).items()
    assert old in files[path]
    return with_files({path: files[path].replace(old, new)}, spec)


def write_tree(root: Path, spec: dict[str, Any]) -> Path:
    """The rendered tree of a spec on disk."""
    for (name, target), files in rendered(msgspec.json.encode(spec).decode()).items():
        for path, text in files.items():
            file = root / name / target / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
    return root


@pytest.fixture
def llmdgen(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """`llmdgen("diff", "a.yaml", "b.yaml")` in an empty directory: exit code, stdout, stderr."""
    from llmdgen.cli.main import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(arguments)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    yield run
    gc.enable()
