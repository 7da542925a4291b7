"""Ask vLLM's own parser about argument lists.

    python scripts/vllm_parse.py WHEEL < LISTS

LISTS has one JSON list of arguments a line: everything after `vllm serve`. For each a JSON line comes back:
{"accepted": true, "values": {flag: value, ...}} with what differs from the defaults (inside JSON flags too), or
{"accepted": false, "says": ...}.

Only the parser runs, and what `vllm serve` checks before it starts the engine; it accepts what the engine then refuses.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import enum
import io
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from vllm_wheel import open_wheel, serve_parser


def main() -> None:
    open_wheel(Path(sys.argv[1]))
    parser = serve_parser()
    for line in sys.stdin:
        if line.strip():
            print(json.dumps(answer(parser, json.loads(line))), flush=True)


def answer(parser: argparse.ArgumentParser, arguments: list[str]) -> dict[str, Any]:
    """What vLLM makes of one argument list."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint), contextlib.redirect_stdout(io.StringIO()):
            found = parser.parse_args(arguments)
            _checked(found)
    except SystemExit:
        return {"accepted": False, "says": complaint.getvalue().partition("error: ")[2].strip()[:600]}
    except (LookupError, OSError, TypeError, ValueError) as error:
        return {"accepted": False, "says": f"{type(error).__name__}: {error}"[:600]}
    defaults = {action.dest: action.default for action in parser._actions}
    names = {action.dest: _flag(action) for action in parser._actions}
    changed = {dest: value for dest, value in vars(found).items() if value != defaults.get(dest)}
    return {"accepted": True, "values": {names[dest]: _plain(value) for dest, value in changed.items()}}


def _checked(found: argparse.Namespace) -> None:
    """The checks of `vllm serve` itself; those that read chat templates need more than the parser."""
    if found.enable_auto_tool_choice and not found.tool_call_parser:
        raise TypeError("--enable-auto-tool-choice requires --tool-call-parser")
    if found.enable_log_outputs and not found.enable_log_requests:
        raise TypeError("--enable-log-outputs requires --enable-log-requests")


def _flag(action: argparse.Action) -> str:
    long = [each[2:] for each in action.option_strings if each.startswith("--")]
    return long[0] if long else "model"


def _plain(value: Any) -> Any:
    """A value as JSON: of a configuration class what differs from its defaults."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        found = {}
        for field in dataclasses.fields(value):
            part = getattr(value, field.name, None)
            if field.init and part is not None and part != _default(field):
                found[field.name] = _plain(part)
        return found
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(part) for part in value]
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    default = getattr(field.default, "default", field.default)
    factory = getattr(field.default, "default_factory", None)
    return factory() if factory is not None else default


if __name__ == "__main__":
    main()
