"""Our reading of vLLM's flags against vLLM's own parser: both must accept, refuse and understand alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmdgen.engine.argv import ArgumentError, arguments
from llmdgen.engine.checks.settings import RoleSettings
from llmdgen.engine.flags import ConfigField, Flag, FlagTable
from llmdgen.engine.numbers import human_int
from llmdgen.findings import Severity
from llmdgen.registry import run
from tests.engine.cases import REPOSITORY, Ask, corpus, of, parsed

MODEL = "org/model"
NEEDED = {
    "enable-auto-tool-choice": {"tool-call-parser": "openai"},
    "enable-log-outputs": {"enable-log-requests": True},
}
# Lists that stand in one text, split at commas: the value is what vLLM makes of the sample.
SPLIT = ("device-ids",)
# The parser keeps these as they are written; what they mean is known only behind it.
TEXT_TO_THE_PARSER = ("optimization-level", "attention-backend", "mm-encoder-attn-backend")


def errors(args: dict[str, Any], table: FlagTable, release: str) -> list[str]:
    routes = {name: ("spec", "engine", "args", name) for name in args}
    role = RoleSettings(args=args, env={}, release=release, table=table, flag_routes=routes)
    return [found.code for found in run(role) if found.severity is Severity.ERROR]


def same(ours: Any, theirs: Any, config: str | None, table: FlagTable) -> bool:
    """Whether a setting means what vLLM understood. Of a JSON value vLLM reports its own additions too."""
    if config is not None and isinstance(ours, dict):
        fields = table.configs[config]
        return isinstance(theirs, dict) and all(
            same_field(value, theirs.get(key), fields.get(key), table) for key, value in ours.items()
        )
    return bool(ours == theirs)


def same_field(ours: Any, theirs: Any, field: ConfigField | None, table: FlagTable) -> bool:
    if field is None:
        return theirs is None  # vLLM drops it
    if theirs is None:
        return field.default is None or bool(ours == field.default)  # vLLM reports no defaults
    if field.type == "enum":
        names = [name for name in field.choices if isinstance(name, str)]
        return bool(theirs == (names[ours] if isinstance(ours, int) else ours.upper()))
    return same(ours, theirs, field.config, table)


def understood(settings: dict[str, Any], values: dict[str, Any], table: FlagTable) -> Iterator[str]:
    """The settings that vLLM understood in another way, and those it has although nobody set them."""
    for name, ours in settings.items():
        flag = table.get(name)
        default = flag.default if flag else None
        theirs = values.get(name, {} if flag and flag.config else default)
        if name in SPLIT and isinstance(theirs, list):
            theirs = ",".join(map(str, theirs))
        if name in TEXT_TO_THE_PARSER:
            ours, theirs = str(ours).upper(), str(theirs).upper()
        if name == "lora-modules" or (name not in values and ours in (default, None)):
            continue
        if not same(ours, theirs, flag.config if flag else None, table):
            yield f"{name}: {ours!r} became {theirs!r}"
    yield from (f"{name} appeared" for name in values if name not in settings)


def meant(args: dict[str, Any], table: FlagTable) -> dict[str, Any]:
    """Settings with numbers such as 32k written out."""
    found = {}
    for name, value in args.items():
        flag = table.get(name)
        human = flag is not None and flag.type.startswith("human-int") and isinstance(value, str)
        found[name] = (-1 if value == "auto" else human_int(value)) if human else value
    return found


def sample(flag: Flag) -> Any:
    """A value that the flag takes."""
    if flag.choices:
        value: Any = flag.choices[-1]
    else:
        samples: dict[str, Any] = {
            "switch": not flag.default,
            "int": 2,
            "float": 0.25,
            "str": "some/text-1.0",
            "json": {},
            "json-or-text": {"key": [1, "two", 0.5, None, True]},
            "human-int": 4096,
            "human-int-or-auto": 4096,
        }
        value = samples[flag.type]
    if flag.name == "lora-modules":
        return ["name=/path"]
    return [value] if flag.many else value


def test_every_flag_of_the_table_means_what_vllm_understands(table: FlagTable, ask: Ask) -> None:
    # --config reads a file, and --headless false has no spelling.
    flags = [flag for flag in table.flags.values() if flag.name not in ("config", "model")]
    cases = [{flag.name: sample(flag), **NEEDED.get(flag.name, {})} for flag in flags]
    lists = [[MODEL, *arguments(case, table)] for case in cases]
    for case, argv, answer in zip(cases, lists, ask(lists), strict=True):
        assert answer["accepted"], (argv, answer)
        assert list(understood({"model": MODEL, **case}, answer["values"], table)) == [], argv


def test_every_flag_of_the_table_refuses_what_vllm_refuses(table: FlagTable, ask: Ask) -> None:
    typed = [flag for flag in table.flags.values() if flag.type not in ("switch", "str", "json-or-text", "enum")]
    chosen = [flag for flag in table.flags.values() if flag.choices and flag.type == "str"]
    lists = [[MODEL, f"--{flag.name}=no~such"] for flag in (*typed, *chosen) if flag.name != "optimization-level"]
    assert len(lists) > 80
    for argv, answer in zip(lists, ask(lists), strict=True):
        assert not answer["accepted"], argv
        with pytest.raises(ArgumentError):
            parsed(argv, table)


def test_right_settings_are_right_to_both(table: FlagTable, release: str, ask: Ask) -> None:
    cases = corpus("right")
    lists = [[MODEL, *arguments(case["args"], table)] for case in cases]
    for case, argv, answer in zip(cases, lists, ask(lists), strict=True):
        assert errors(case["args"], table, release) == [], case["case"]
        assert answer["accepted"], (case["case"], answer)
        settings = {"model": MODEL, **meant(case["args"], table)}
        assert list(understood(settings, answer["values"], table)) == [], case["case"]
        assert list(understood(parsed(argv, table), answer["values"], table)) == [], case["case"]


def test_vllms_verdict_on_wrong_settings_is_as_recorded(table: FlagTable, release: str, ask: Ask) -> None:
    cases = corpus("wrong")
    lists = [[MODEL, *arguments(case["args"], table)] for case in cases]
    for case, answer in zip(cases, ask(lists), strict=True):
        assert ("accepts" if answer["accepted"] else "refuses") == of(case, "vllm", release), (case["case"], answer)


@pytest.mark.parametrize("case", corpus("wrong"), ids=lambda case: case["case"])
def test_wrong_settings_are_found(table: FlagTable, release: str, case: dict[str, Any]) -> None:
    # VLLM007 speaks of the flags that the spec must not set at all; here they are about their values.
    found = errors(case["args"], table, release)
    assert [code for code in found if code != "VLLM007"] == of(case, "codes", release)


@pytest.mark.parametrize("case", corpus("right"), ids=lambda case: case["case"])
def test_right_settings_pass(table: FlagTable, release: str, case: dict[str, Any]) -> None:
    assert errors(case["args"], table, release) == []


def test_argument_lists_of_any_spelling_are_read_as_vllm_reads_them(table: FlagTable, release: str, ask: Ask) -> None:
    cases = corpus("spellings")
    for case, answer in zip(cases, ask([case["argv"] for case in cases]), strict=True):
        accepted = of(case, "accepted", release)
        assert answer["accepted"] is accepted, (case, answer)
        if accepted:
            assert list(understood(parsed(case["argv"], table), answer["values"], table)) == [], case
        else:
            with pytest.raises(ArgumentError):
                parsed(case["argv"], table)


def rendered(release: str) -> list[Path]:
    """The argument files of the targets of a release, those below tests/golden included."""
    targets = [*(REPOSITORY / "rendered").glob("*/*/"), *(REPOSITORY / "tests" / "golden").glob("*/expected/")]
    of_release = [each for each in targets if f"release: {release}\n" in text_of(each / "allocation.yaml")]
    return sorted(file for target in of_release for file in target.glob("vllm/*.args"))


def text_of(file: Path) -> str:
    return file.read_text("utf-8") if file.is_file() else ""


def test_vllm_starts_with_every_rendered_argument_list(table: FlagTable, release: str, ask: Ask) -> None:
    files = rendered(release)
    assert files
    lists = [text_of(file).splitlines() for file in files]
    for file, argv, answer in zip(files, lists, ask(lists), strict=True):
        assert answer["accepted"], (file, answer)
        assert list(understood(parsed(argv, table), answer["values"], table)) == [], file
