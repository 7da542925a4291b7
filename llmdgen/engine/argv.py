"""Typed settings of a spec as vLLM's arguments, and arguments back as settings.

`arguments` writes one argument a line of a pod's `args`. `parse` reads that back, and every other spelling that vLLM's
own parser takes, so that rendered directories of any origin can be compared by meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from llmdgen.engine.flags import Flag, FlagTable
from llmdgen.engine.numbers import human_int

MODEL = "model"


class ArgumentError(ValueError):
    """An argument list that vLLM's parser refuses. `flag` is the flag at fault with its dashes, "" where none is."""

    def __init__(self, says: str, flag: str = "") -> None:
        self.flag = flag
        super().__init__(says)


def arguments(args: Mapping[str, Any], table: FlagTable) -> tuple[str, ...]:
    """The arguments of typed settings, in the order given: everything after `vllm serve MODEL`.

    A switch is `--flag` or `--no-flag`, a scalar and a JSON value one argument `--flag=value`, several values follow
    their flag. None leaves a flag out, so that a spec can remove what its path sets.
    """
    return tuple(line for name, value in args.items() for line in _lines(name, value, table.get(name)))


def _lines(name: str, value: Any, flag: Flag | None) -> Sequence[str]:
    if value is None:
        return ()
    if isinstance(value, bool) and (flag is None or not flag.is_json):
        if value:
            return (f"--{name}",)
        return (f"--no-{name}",) if flag is None or flag.negative else ()
    if flag is not None and flag.many:
        values = value if isinstance(value, (list, tuple)) else (value,)
        if flag.many == "append":
            return tuple(f"--{name}={_text(each)}" for each in values)
        return (f"--{name}", *map(_text, values)) if values else ()
    return (f"--{name}={_text(value)}",)


def _text(value: Any) -> str:
    """A value as vLLM reads it back: text as it is, an integer in digits, all else as compact JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    return msgspec.json.encode(value).decode()


def parse(argv: Sequence[str], table: FlagTable) -> tuple[dict[str, Any], tuple[ArgumentError, ...]]:
    """The settings of an argument list: flag without dashes -> typed value, the model under "model". Flags that the
    parser would refuse are left out, their values too, and why it would is said beside.

    Understands what vLLM's parser does: `--flag value`, `--flag=value`, underscores, short forms, `-O2`,
    `--config.key value`. A unique prefix of a flag is refused although vLLM takes it, because a later vLLM may not.
    The last of repeated flags wins.
    """
    settings: dict[str, Any] = {}
    dotted: dict[str, dict[str, Any]] = {}
    errors: list[ArgumentError] = []
    rest = list(argv)
    while rest:
        argument = rest.pop(0)
        try:
            _read(argument, rest, settings, dotted, table)
        except ArgumentError as error:
            errors.append(error)
            while rest and not _is_flag(rest[0]):
                rest.pop(0)
    for name, nested in dotted.items():
        flag = table.get(name)
        if flag is None or not flag.is_json:
            errors.append(ArgumentError(f"--{name} takes no keys", f"--{name}"))
        else:
            settings[name] = nested
    return settings, tuple(errors)


def _read(
    argument: str, rest: list[str], settings: dict[str, Any], dotted: dict[str, dict[str, Any]], table: FlagTable
) -> None:
    """Read one argument, with what it takes of those behind it; keys inside a flag's JSON go to `dotted`."""
    if not argument.startswith("-") or argument == "-":
        if MODEL in settings:
            raise ArgumentError(f"unrecognized argument {argument!r}")
        settings[MODEL] = argument
        return
    spelled, equals, attached = argument.partition("=")
    name, key = _name(spelled, table)
    if name == "optimization-level" and spelled.startswith("-O") and spelled != "-O":
        attached, equals = spelled[2:] or attached, "="
    given = attached if equals else None
    if key:
        _merge(dotted.setdefault(name, {}), key, given if given is not None else _take(rest, spelled))
        return
    negative = name.startswith("no-") and table.get(name) is None
    flag = table.get(name.removeprefix("no-") if negative else name)
    if flag is None or (negative and not flag.negative):
        raise ArgumentError(f"unrecognized argument {spelled}", spelled)
    _store(settings, flag, negative, given, rest)


def _name(spelled: str, table: FlagTable) -> tuple[str, str]:
    """The flag's name and, behind its first dot, the key inside its JSON value."""
    if spelled.startswith("--"):
        name, _, key = spelled[2:].partition(".")
        return name.replace("_", "-"), key
    head, _, key = spelled.partition(".")
    if head.startswith("-O"):
        return "optimization-level", key
    flag = table.by_short(head)
    if flag is None:
        raise ArgumentError(f"unrecognized argument {spelled}", spelled)
    return flag.name, key


def _store(settings: dict[str, Any], flag: Flag, negative: bool, given: str | None, rest: list[str]) -> None:
    """Set the flag from what is attached to it or, where nothing is, from what follows in `rest`."""
    if flag.is_switch:
        if given is not None:
            raise ArgumentError(f"{flag} is a switch and takes no value, got {given!r}", str(flag))
        settings[flag.name] = not negative
    elif flag.bare and given is None and (not rest or _is_flag(rest[0])):
        settings[flag.name] = True
    else:
        values = [_value(flag, _take(rest, str(flag)) if given is None else given)]
        while flag.many == "values" and given is None and rest and not _is_flag(rest[0]):
            values.append(_value(flag, rest.pop(0)))
        if flag.many:
            settings[flag.name] = [*(settings.get(flag.name, ()) if flag.many == "append" else ()), *values]
        else:
            settings[flag.name] = values[0]


def _value(flag: Flag, text: str) -> Any:
    """What vLLM reads from that text for the flag. Raises ArgumentError where it refuses the text."""
    if flag.optional and text in ("", "None"):
        return None
    try:
        value = _typed(flag, text)
    except ValueError as error:
        raise ArgumentError(f"{flag}: {text!r} is no {flag.type}", str(flag)) from error
    if flag.choices and value not in flag.choices:
        raise ArgumentError(f"{flag}: {text!r} is not one of {', '.join(map(str, flag.choices))}", str(flag))
    return value


def _typed(flag: Flag, text: str) -> Any:
    bare = text.strip()
    if flag.type == "human-int-or-auto" and bare.lower() in ("-1", "auto"):
        return -1
    if flag.type == "json-or-text" and not (bare.startswith("{") and bare.endswith("}")):
        return text
    return _READERS.get(flag.type, str)(text)


def word(text: str) -> str:
    """A word as vLLM compares it with its own: in small letters, with underscores."""
    return text.lower().replace("-", "_")


_READERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "human-int": human_int,
    "human-int-or-auto": human_int,
    "enum": str.upper,
    "word": word,
    "json": msgspec.json.decode,
    "json-or-text": msgspec.json.decode,
}


def _is_flag(text: str) -> bool:
    """Whether argparse would read that text as a flag rather than as a value (a negative number is a value)."""
    if not text.startswith("-") or text == "-":
        return False
    return re.fullmatch(r"-\d+|-\d*\.\d+", text) is None and (" " not in text or text.startswith("--"))


def _take(rest: list[str], flag: str) -> str:
    if not rest or _is_flag(rest[0]):
        raise ArgumentError(f"{flag} expects a value", flag)
    return rest.pop(0)


def _merge(target: dict[str, Any], key: str, text: str) -> None:
    """Put `--flag.a.b text` into {"a": {"b": ...}}; a key that ends in + adds to a list."""
    *parents, last = key.removesuffix("+").split(".")
    for parent in parents:
        inner = target.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise ArgumentError(f"{key}: {parent} is already a value")
        target = inner
    if key.endswith("+"):
        target.setdefault(last, []).extend(text.split(","))
        return
    try:
        target[last] = msgspec.json.decode(text)
    except msgspec.DecodeError:
        target[last] = text
