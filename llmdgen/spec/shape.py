"""Everything in plain data that does not fit the types of the spec. msgspec converts in microseconds but stops at the
first misfit; this walks the same types where it failed, and finds every one with its key, its reason and its fix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from msgspec import inspect

from llmdgen.findings import Finding, Route, dotted
from llmdgen.spec.kinds import (
    FORMS,
    accepts,
    descriptions,
    document_type,
    expected,
    fix_of_pattern,
    fix_of_type,
    unwrapped,
)
from llmdgen.spec.names import is_retired
from llmdgen.spec.places import described, error, quoted
from llmdgen.suggest import did_you_mean, nearest, one_of, plain

# What people write who come from vLLM, from the charts or from other generators, and where it is written here.
ALSO_CALLED = {
    "parallelism.tensor of a role": ("tp", "tensorParallelSize", "tensorParallelism"),
    "parallelism.data of a role": ("dp", "dataParallelSize", "dataParallelism"),
    "parallelism.expert of a role": ("ep", "enableExpertParallel"),
    "parallelism.tensor (the GPUs of a pod follow from it)": ("gpus", "gpuCount"),
    "efa of a role": ("efaPerPod", "efaInterfaces"),
    "resources.shm of a role": ("shmSize", "sharedMemory"),
    "resources.cpu and resources.memory (request and limit are the same)": ("limits", "requests"),
    "args": ("extraArgs", "flags"),
    "env": ("envVars",),
    "spec.model.authSecretName, the name of a Secret": ("hfToken", "token"),
    "spec.model.name": ("modelName",),
    "spec.release, which pins the images": ("image",),
    "spec.release": ("version",),
    "spec.instanceTypes": ("nodeType", "instances"),
    "pod of a role": ("podSpec", "extraConfig", "volumes", "affinity"),
    "pod.containers of a role": ("volumeMounts",),
    "spec.gateway.loadBalancer.annotations": ("annotations",),
    "extends at the top of the document": ("base", "bases", "inherits"),
}


def misfits(data: Any) -> Iterator[Finding]:
    """Every misfit of a document's data, in the order of the types."""
    return _walk(data, document_type(), ())


def _walk(value: Any, kind: Any, at: Route) -> Iterator[Finding]:
    options = unwrapped(kind)
    if any(isinstance(each, inspect.AnyType) for each in options):
        return
    if value is None:
        yield error("SPEC019", f"{_name(at)} has no value", _fix_of_nothing(options), at, on_key=True)
        return
    fitting = next((each for each in options if accepts(each, value)), None)
    if fitting is None:
        says = f"{_name(at)} must be {expected(options)}, not {described(value)}"
        yield error("SPEC007", says, fix_of_type(options, value), at)
    elif isinstance(fitting, inspect.StructType):
        yield from _struct(value, fitting, at)
    elif isinstance(fitting, inspect.DictType):
        for key, each in value.items():
            yield from _walk(each, fitting.value_type, (*at, key))
    elif isinstance(fitting, inspect.VarTupleType):
        yield from _length(value, fitting, at)
        for index, each in enumerate(value):
            yield from _walk(each, fitting.item_type, (*at, index))
    elif isinstance(fitting, inspect.LiteralType):
        yield from _choice(value, fitting, options, at)
    elif isinstance(fitting, inspect.StrType):
        yield from _text(value, fitting, at)
    elif isinstance(fitting, inspect.IntType):
        yield from _range(value, fitting, at)


def _struct(value: dict[str, Any], kind: inspect.StructType, at: Route) -> Iterator[Finding]:
    fields = {field.encode_name: field for field in kind.fields}
    missing = [name for name, field in fields.items() if field.required and name not in value]
    unknown = [name for name in value if name not in fields and not is_retired((*at, name))]
    for name in missing:
        if not any(means(key, name, tuple(fields)) for key in unknown):
            says = f"{dotted((*at, name))} is missing"
            yield error("SPEC006", says, f"add {name}: {_example(fields[name], kind)}".rstrip(" :"), at, on_key=True)
    for name in unknown:
        says = f"unknown key {quoted(name)}" + (f" in {dotted(at)}" if at else "")
        yield error("SPEC005", says, _fix_of_key(name, at, tuple(fields)), (*at, name), on_key=True)
    for name, field in fields.items():
        if name in value:
            yield from _walk(value[name], field.type, (*at, name))


def _length(value: list[Any], kind: inspect.VarTupleType, at: Route) -> Iterator[Finding]:
    if kind.min_length is not None and len(value) < kind.min_length:
        yield error("SPEC008", f"{_name(at)} is empty", "write at least one entry", at)
    if kind.max_length is not None and len(value) > kind.max_length:
        says = f"{_name(at)} has {len(value)} entries, {kind.max_length} are allowed"
        yield error("SPEC008", says, "spread them over several specs", at)


def _choice(value: str, kind: inspect.LiteralType, options: list[Any], at: Route) -> Iterator[Finding]:
    if value not in kind.values:
        choices = [str(each) for each in kind.values]
        fix = did_you_mean(value, choices) if len(options) == 1 else fix_of_type(options, value)
        says = f"{_name(at)} must be {expected(options)}, not {quoted(value)}"
        yield error("SPEC008", says, fix or f"write {one_of(choices)}", at)


def _text(value: str, kind: inspect.StrType, at: Route) -> Iterator[Finding]:
    if kind.min_length is not None and len(value) < kind.min_length:
        least = f"shorter than {kind.min_length} characters" if value else "empty"
        yield error("SPEC008", f"{_name(at)} is {least}", "write it out", at)
    elif kind.max_length is not None and len(value) > kind.max_length:
        says = f"{_name(at)} has {len(value)} characters, {kind.max_length} are allowed"
        yield error("SPEC011", says, "shorten it", at)
    elif kind.pattern is not None and not re.search(kind.pattern, value):
        says = f"{quoted(value)} is not {FORMS[kind.pattern]}"
        yield error("SPEC008", f"{_name(at)}: {says}", fix_of_pattern(kind.pattern, value), at)


def _range(value: int, kind: inspect.IntType, at: Route) -> Iterator[Finding]:
    too_small = kind.ge is not None and value < kind.ge
    too_large = kind.le is not None and value > kind.le
    if too_small or too_large:
        bound = kind.ge if too_small else kind.le
        says = f"{_name(at)} must be {expected([kind])}, not {value}"
        fix = _SERVERS_OF_BOTH if too_small and at in _REPLICAS else ""
        yield error("SPEC008", says, fix or f"write {bound} or {'more' if too_small else 'less'}", at)


_REPLICAS = (("spec", "prefill", "replicas"), ("spec", "decode", "replicas"))
_SERVERS_OF_BOTH = "write 1 or more; where prefill is split from decode, both are needed"


def _name(at: Route) -> str:
    """A value's short name: its own key, or its list's with the index."""
    last = len(at) - 1
    while last > 0 and isinstance(at[last], int):
        last -= 1
    shown = quoted(dotted(at[last:]), bare=True)
    return shown or "the document"


def _example(field: inspect.Field, part: inspect.StructType) -> str:
    """A value that could stand there, as what is said of the field shows one."""
    for each in descriptions(part.cls)[field.name].examples:
        return f"[{', '.join(each)}]" if isinstance(each, list) else str(each)
    (kind,) = unwrapped(field.type)
    if isinstance(kind, inspect.LiteralType):
        return str(kind.values[0])
    required = [each for each in kind.fields if each.required]
    return f"{{{', '.join(f'{each.encode_name}: {_example(each, kind)}' for each in required)}}}"


def _fix_of_nothing(options: list[Any]) -> str:
    needy = [each for each in options if any(field.required for field in getattr(each, "fields", ()))]
    if needy:
        return fix_of_type(needy, None)
    if any(isinstance(each, inspect.StructType | inspect.DictType) for each in options):
        return "delete the key, or write {} for an empty mapping"
    if any(isinstance(each, inspect.VarTupleType) for each in options):
        return "delete the key, or write [] for an empty list"
    return "write a value after the colon, or delete the key"


def _fix_of_key(key: str, at: Route, known: tuple[str, ...]) -> str:
    """The fix of an unknown key. `at` is the mapping's route, `known` its keys."""
    close = nearest(key, known, limit=1)
    if close:
        return f"did you mean {close[0]}?"
    for name, places in _homes().items():
        if plain(name) == plain(key):
            return f"write {'it' if name == key else name} under {one_of(places)}"
    for place, names in ALSO_CALLED.items():
        if plain(key) in map(plain, names):
            return f"write {place}"
    if _is_flag(key):
        under = f"{dotted(at)}.args" if "args" in known else "spec.engine.args, or args of a role"
        return f"this is a vLLM flag, write it under {under}"
    elsewhere = nearest(key, _homes(), limit=1)
    if elsewhere:
        return f"did you mean {elsewhere[0]}, under {one_of(_homes()[elsewhere[0]])}?"
    return f"delete it; known here: {', '.join(known)}"


@cache
def _homes() -> dict[str, tuple[str, ...]]:
    """Where each key of the format may stand, as dotted places."""
    homes: dict[str, tuple[str, ...]] = {}
    for key, place in _keys(document_type(), ()):
        homes[key] = (*homes.get(key, ()), place)
    return homes


def _keys(kind: Any, at: Route) -> Iterator[tuple[str, str]]:
    for each in unwrapped(kind):
        for field in getattr(each, "fields", ()):
            yield field.encode_name, dotted(at) or "the document itself"
            yield from _keys(field.type, (*at, field.encode_name))
        if isinstance(each, inspect.VarTupleType):
            yield from _keys(each.item_type, at)


def _is_flag(key: str) -> bool:
    """Whether any release's vLLM knows the flag."""
    from llmdgen.facts import catalogue

    name = key.strip("-").replace("_", "-")
    releases = catalogue.release_names()
    return any(name in catalogue.release_json(release, "vllm-serve.json")["flags"] for release in releases)


def means(key: str, name: str, known: tuple[str, ...]) -> bool:
    """Whether an unknown key is that name misspelt, so that its absence is not worth a second finding."""
    return nearest(key, known, limit=1) == (name,)
