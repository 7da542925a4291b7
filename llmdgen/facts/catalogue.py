"""The catalogue: instance types, models and releases, read from `facts/data` when they are asked for.

A new instance type is a table in `instances/<family>.toml`, a new model a file in `models/`, a new release a folder in
`releases/`; `drafts/`, what is known of a release to come, is not part of it. Only the files that a name leads to are
opened, so that a render does not pay for the whole catalogue.
"""

from __future__ import annotations

import marshal
import os
import re
import sys
from contextlib import suppress
from functools import cache
from hashlib import sha256
from typing import Any, Literal, TypeVar

import msgspec

from llmdgen.facts.types import Instance, ModelFacts, ProgramFlag, Release
from llmdgen.resources import fact, read_fact

HYPERPOD_PREFIX = "ml."
LONGEST_NAME = 250
_F = TypeVar("_F")
_KEPT = f".{sys.implementation.cache_tag}.marshal"


class UnknownFact(LookupError):
    """No row of that name. `name` is what was asked for, `known` every name there is."""

    def __init__(self, what: str, name: str, known: tuple[str, ...]) -> None:
        self.what, self.name, self.known = what, name, known
        super().__init__(f"unknown {what} {name!r}")


@cache
def instance(name: str) -> Instance:
    """The instance type of that EC2 or ml. name. Raises UnknownFact."""
    ec2_name = name.removeprefix(HYPERPOD_PREFIX)
    file = fact("instances", f"{ec2_name.partition('.')[0]}.toml")
    if not _is_plain(ec2_name) or not os.path.isfile(file) or ec2_name not in _toml(file):
        raise UnknownFact("instance type", name, instance_names())
    return as_fact({"name": ec2_name, **_toml(file)[ec2_name]}, Instance, file)


@cache
def instance_names() -> tuple[str, ...]:
    """Every instance type by its EC2 name, in the order of the files."""
    return tuple(name for file in _files("instances") for name in _toml(file))


def model(name: str) -> ModelFacts:
    """The model of that Hugging Face id (organisation/name). Raises UnknownFact."""
    file = fact("models", f"{name.replace('/', '--')}.toml")
    if not _is_plain(name.replace("/", "--")) or not os.path.isfile(file):
        raise UnknownFact("model", name, model_names())
    return as_fact(_toml(file), ModelFacts, file)


def model_names() -> tuple[str, ...]:
    """Every model by its Hugging Face id."""
    names = (os.path.basename(file).removesuffix(".toml") for file in _files("models"))
    return tuple(name.replace("--", "/") for name in names)


def release(name: str) -> Release:
    """The llm-d release of that tag. Raises UnknownFact."""
    file = fact("releases", name, "release.toml")
    if not _is_plain(name) or not os.path.isfile(file):
        raise UnknownFact("llm-d release", name, release_names())
    return as_fact(_toml(file), Release, file)


def release_names() -> tuple[str, ...]:
    """Every llm-d release, oldest first."""
    names = (name for name in os.listdir(fact("releases")) if os.path.isfile(fact("releases", name, "release.toml")))
    return tuple(sorted(names, key=lambda name: [int(part) for part in re.findall(r"\d+", name)]))


def path_names(name: str | None = None) -> tuple[str, ...]:
    """The well-lit paths that a release has settings for, or any release where none is named."""
    releases = release_names() if name is None else (name,)
    tables = [release_toml(each, "paths.toml") for each in releases]
    return tuple(sorted({path for found in tables for path, settings in found.items() if "title" in settings}))


def release_json(name: str, file: str) -> Any:
    """A generated table of a release, such as vllm-serve.json."""
    return msgspec.json.decode(read_fact("releases", name, file))


@cache
def release_toml(name: str, file: str) -> dict[str, Any]:
    """A written table of a release, such as plugins.toml."""
    return _toml(fact("releases", name, file))


@cache
def architectures(name: str) -> frozenset[str]:
    """The architectures that a release's vLLM serves for generation, by the names in config.json."""
    lines = read_fact("releases", name, "architectures.txt").decode().splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


@cache
def program_flags(name: str, program: Literal["scheduler", "sidecar"]) -> dict[str, ProgramFlag]:
    """The flags of a release's scheduler or routing sidecar, without dashes."""
    file = fact("releases", name, {"scheduler": "scheduler-flags.toml", "sidecar": "sidecar.toml"}[program])
    return {flag: as_fact(row, ProgramFlag, file) for flag, row in _toml(file)["flags"].items()}


@cache
def table(file: str) -> dict[str, Any]:
    """A table that no release owns, such as platforms.toml."""
    return _toml(fact(file))


def gpu_fact(kind: str, model: str) -> Any:
    """What a table of gpus.toml says of GPUs of an instance type's gpu.model; None where it has no such row."""
    rows, name = table("gpus.toml")[kind], model.removeprefix("NVIDIA ")
    return rows.get(max((words for words in rows if name.startswith(words)), key=len, default=None))


@cache
def facts_digest(release: str, model: str) -> str:
    """sha256 over the facts of a release and of a model, and what every render shares: names and contents of files,
    each told apart from the next one's."""
    total = sha256()
    paths = [fact("models", f"{model.replace('/', '--')}.toml")]
    for folder in (fact("instances"), fact("releases", release), fact()):
        paths[:0] = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    for path in filter(os.path.isfile, paths):
        data = read_fact(path)
        total.update(f"{os.path.basename(path)}\0{len(data)}\0".encode() + data)
    return total.hexdigest()


def _is_plain(name: str) -> bool:
    """A name that cannot leave its folder, and that a file can have."""
    return 0 < len(name) < LONGEST_NAME and not name.startswith(".") and not any(each in name for each in "/\\\0")


def _files(folder: str) -> list[str]:
    return sorted(fact(folder, name) for name in os.listdir(fact(folder)) if name.endswith(".toml"))


def as_fact(row: dict[str, Any], kind: type[_F], file: str) -> _F:
    """A row of a file as its type. Raises ValueError, which names the file."""
    try:
        return msgspec.convert(row, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{file}: {error}") from error


def parse(path: str) -> dict[str, Any]:
    """What a TOML file says. Raises FileNotFoundError, and ValueError where it is no TOML.

    Parsing the tables of a release takes as long as everything that a plan decides, so what a file says is kept as
    Python keeps its own modules, in __pycache__ beside the source. It is taken only while the source has the time and
    size that it names, and is missing where nothing may be written: then the source is parsed again.
    """
    status = os.stat(path)
    seal = f"{status.st_mtime_ns} {status.st_size}\n".encode()
    folder, name = os.path.split(path)
    kept = os.path.join(folder, "__pycache__", name + _KEPT)
    with suppress(OSError, ValueError, EOFError, TypeError), open(kept, "rb") as file:
        if file.readline() == seal:
            table: dict[str, Any] = marshal.loads(file.read())
            return table
    import tomli

    with open(path, "rb") as file:
        table = tomli.load(file)
    if not sys.dont_write_bytecode:
        _keep(kept, seal, table)
    return table


def _keep(kept: str, seal: bytes, table: dict[str, Any]) -> None:
    """Write the file whole or not at all; a table with a date, which marshal does not know, is not kept."""
    new = f"{kept}.{os.getpid()}"
    with suppress(OSError, ValueError):
        data = seal + marshal.dumps(table)
        os.makedirs(os.path.dirname(kept), exist_ok=True)
        with open(new, "wb") as file:
            file.write(data)
        os.replace(new, kept)


_toml = cache(parse)
