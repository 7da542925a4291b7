"""A command line in this process, and specs to give it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from llmdgen.cli.main import main

SPEC = """\
apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata:
  name: chat
spec:
  path: pd-disaggregation
  instanceTypes: [p5.48xlarge, ml.p5en.48xlarge]
  model:
    name: openai/gpt-oss-120b
    authSecretName: llm-d-hf-token
  engine:
    args: {max-model-len: 8192}
"""


class Answer(Struct, frozen=True):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


Llmdgen = Callable[..., Answer]


@pytest.fixture
def llmdgen(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Llmdgen]:
    """`llmdgen("render", "chat.yaml")`, in an empty directory of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Answer:
        capsys.readouterr()
        code = main(arguments)
        printed = capsys.readouterr()
        return Answer(code, printed.out, printed.err)

    yield run
    gc.enable()


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A spec of two instance types, in the directory that commands run in."""
    file = tmp_path / "chat.yaml"
    file.write_text(SPEC)
    return file
