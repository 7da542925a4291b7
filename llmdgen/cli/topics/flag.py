"""vLLM flags, with or without dashes: what each release's parser takes, and which versions have the flag."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec

from llmdgen.cli.topics.text import sections
from llmdgen.engine.facts import taken
from llmdgen.engine.flags import Flag, flag_table
from llmdgen.facts import catalogue
from llmdgen.resources import read_fact


def names() -> list[str]:
    """Every flag of any release."""
    return sorted({name for release in catalogue.release_names() for name in flag_table(release).flags})


def explain(topic: str) -> str | None:
    """A flag of each release that has it; of one that none has, when vLLM had it."""
    name = topic.lstrip("-").lower().replace("_", "-")
    texts = []
    for release in catalogue.release_names():
        table = flag_table(release)
        flag = table.get(name) or table.by_short(topic) or _negated(table.get(name.removeprefix("no-")))
        if flag is not None:
            source = f"vLLM {table.vllm} of llm-d {release}: {table.source}"
            looked_up = taken(release).names.get(flag.name, ())
            texts.append(sections(f"--{flag.name}", _rows(flag, looked_up) | _versions(flag.name), sources=(source,)))
    if not texts and name in _history()["flags"]:
        return sections(f"--{name}", {"releases": "no llm-d release here has it", **_versions(name)}, sources=())
    return "\n\n".join(texts) or None


def _negated(flag: Flag | None) -> Flag | None:
    return flag if flag is not None and flag.negative else None


def _rows(flag: Flag, looked_up: Sequence[str]) -> dict[str, object]:
    """What the parser says of a flag; `looked_up` are the names that vLLM accepts in it only when it starts."""
    rows: dict[str, object] = {"type": flag.type + (f" ({flag.config})" if flag.config else "")}
    if flag.short:
        rows["short"] = flag.short
    if flag.many:
        rows["many"] = "several values after one flag" if flag.many == "values" else "the flag may be repeated"
    if flag.negative:
        rows["negative"] = f"--no-{flag.name}"
    rows["default"] = msgspec.json.encode(flag.default).decode() if flag.default is not None else "vLLM decides"
    choices = flag.choices or tuple(name for name in looked_up if name)
    if choices or flag.usual:
        rows["choices" if choices else "among others"] = ", ".join(map(str, choices or flag.usual))
    limits = {">=": flag.at_least, ">": flag.more_than, "<=": flag.at_most, "<": flag.less_than}
    if any(limit is not None for limit in limits.values()):
        rows["range"] = ", ".join(f"{sign} {limit}" for sign, limit in limits.items() if limit is not None)
    return rows


def _versions(name: str) -> dict[str, object]:
    """Which of the vLLM versions that were compared have the flag."""
    history = _history()
    compared = history["versions_compared"]
    seen = history["flags"].get(name)
    if seen is None:
        return {"vLLM": f"every version from {compared[0]} to {compared[-1]}"}
    until = f", no longer in {seen['missing_from']}" if "missing_from" in seen else ""
    since = "in" if seen["first_seen"] == compared[0] else "first in"
    return {"vLLM": f"{since} {seen['first_seen']}{until} ({compared[0]} to {compared[-1]} compared)"}


@cache
def _history() -> dict[str, Any]:
    """vllm-flag-history.json, with flags named as a spec names them."""
    history: dict[str, Any] = msgspec.json.decode(read_fact("vllm-flag-history.json"))
    return {**history, "flags": {name.removeprefix("--"): seen for name, seen in history["flags"].items()}}
