"""Where the cases of these tests are, and what they are about."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from llmdgen.engine.argv import parse
from llmdgen.engine.flags import FlagTable, flag_table
from llmdgen.facts.catalogue import release_names

REPOSITORY = Path(__file__).parents[2]
RELEASE = "v0.5.1"  # of tests that are about no release's own tables
Ask = Callable[[Sequence[Sequence[str]]], list[dict[str, Any]]]


def vllm_wheel(release: str = RELEASE) -> Path | None:
    """The release's vLLM: what LLMDGEN_VLLM_WHEEL names, where that is of its version, else what `make oracle`
    downloaded, None without either."""
    version = flag_table(release).vllm
    named = os.environ.get("LLMDGEN_VLLM_WHEEL")
    if named and f"-{version}" in named:
        return Path(named).resolve()
    return next(iter(sorted((REPOSITORY / ".cache/vllm").glob(f"vllm*-{version}-*.whl"))), None)


def corpus(name: str) -> list[dict[str, Any]]:
    """The cases of a file in corpus/."""
    cases: list[dict[str, Any]] = json.loads((Path(__file__).parent / "corpus" / f"{name}.json").read_text("utf-8"))
    return cases


def release_of(table: FlagTable) -> str:
    """The release whose table that is."""
    return next(name for name in release_names() if flag_table(name).vllm == table.vllm)


def parsed(argv: Sequence[str], table: FlagTable) -> dict[str, Any]:
    """The settings of an argument list that vLLM's parser takes. Raises ArgumentError for any other."""
    settings, refused = parse(argv, table)
    if refused:
        raise refused[0]
    return settings


def of(case: dict[str, Any], key: str, release: str) -> Any:
    """What a case says, which a release may see in its own way: one value for all, or one for each."""
    value = case[key]
    return value[release] if isinstance(value, dict) else value
