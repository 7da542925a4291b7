"""The types of a spec in words: what a place takes, how what was written becomes that, and what is said of each field.

A field's text is read from the source, since Python keeps none of it at run time. Its first paragraph describes the
field and may end in an example of its value, in YAML; below it stands a line for each word that the field takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

from msgspec import Struct, inspect

from llmdgen.plain_yaml import load
from llmdgen.spec import fields, model
from llmdgen.spec.places import quoted
from llmdgen.spec.texts import ENV_NAME, FLAG_NAME
from llmdgen.suggest import one_of

BASE_FILE = r"^[^/~\\][^\\]*\.ya?ml$"
"""What `extends` looks like; whether it leads somewhere, only reading it can say."""

_KINDS: dict[type[inspect.Type], tuple[str, tuple[type, ...]]] = {
    inspect.StructType: ("a mapping", (dict,)),
    inspect.DictType: ("a mapping", (dict,)),
    inspect.VarTupleType: ("a list", (list,)),
    inspect.LiteralType: ("", (str,)),
    inspect.StrType: ("text", (str,)),
    inspect.BoolType: ("true or false", (bool,)),
    inspect.IntType: ("a whole number", (int,)),
    inspect.FloatType: ("a number", (int, float)),
}
"""Each kind of value that a spec has: in words, and the types of Python that it has in plain data."""

FORMS = {
    fields.DNS_LABEL: "a Kubernetes name: lower-case letters, digits and -, with a letter or digit at both ends",
    fields.DNS_SUBDOMAIN: "a Kubernetes name: lower-case letters, digits, - and ., with a letter or digit at both ends",
    fields.CPU: "cores or millicores such as 8, 1.5 or 500m",
    fields.SIZE: "a Kubernetes size such as 64Gi or 2Ti",
    fields.DURATION: "a whole number of seconds, minutes or hours such as 120s, 45m or 1h",
    fields.COMMIT: "the 40 hexadecimal digits of a commit",
    fields.REGISTRY: "a registry and an organisation, without https:// and tag, such as registry.example.com/llm-d",
    fields.ABSOLUTE_PATH: "an absolute path of letters, digits and -._/, such as /mnt/k8s-disks/0/kv",
    fields.FINDING_CODE: "a finding's code, such as GW004",
    BASE_FILE: "a relative path of a .yaml file",
    FLAG_NAME: "a vLLM flag without its dashes, such as max-model-len",
    ENV_NAME: "a variable's name, such as VLLM_LOGGING_LEVEL",
}
"""What each pattern asks for, in words."""
_TRUTHS = {"true": "true", "yes": "true", "on": "true", "y": "true", "1": "true"}
_TRUTHS |= {"false": "false", "no": "false", "off": "false", "n": "false", "0": "false"}
_WHOLE = r"[-+]?[0-9]{1,18}"
_EXAMPLES = re.compile(r"(?P<text>.*?) (?P<number>Examples?): (?P<values>.*)")
_UNIT = r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgtp]?)(i?)b?\s*"


class Description(Struct, frozen=True):
    """What stands below a field: a text, examples of its value, and what each word means that it takes."""

    text: str
    examples: tuple[Any, ...] = ()
    meanings: dict[str, str] = {}


@cache
def descriptions(part: type[fields.Base]) -> dict[str, Description]:
    """What a part of the spec says of its fields, by their names in Python."""
    from inspect import cleandoc

    return {name: _described(cleandoc(text)) for name, text in _texts(part)}


def _texts(part: type[fields.Base]) -> Iterator[tuple[str, str]]:
    import ast
    from inspect import getsource

    (body,) = ast.parse(getsource(part)).body
    assert isinstance(body, ast.ClassDef)
    for field, below in pairwise(body.body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, text


def _described(written: str) -> Description:
    text, _, words = written.partition("\n\n")
    meanings = {word: meaning for word, _, meaning in (line.partition(": ") for line in words.splitlines())}
    text = " ".join(text.split())
    found = _EXAMPLES.fullmatch(text)
    if found is None:
        return Description(text, (), meanings)
    values = load(found["values"])
    return Description(found["text"], tuple(values) if found["number"] == "Examples" else (values,), meanings)


@cache
def document_type() -> Any:
    """The type of a whole document, as msgspec describes it."""
    return inspect.type_info(model.Document)


def unwrapped(kind: Any) -> list[Any]:
    """The kinds a value may be of, without the annotations around them and without null."""
    if isinstance(kind, inspect.Metadata):
        return unwrapped(kind.type)
    if isinstance(kind, inspect.UnionType):
        return [option for each in kind.types for option in unwrapped(each)]
    return [] if isinstance(kind, inspect.NoneType) else [kind]


def accepts(kind: inspect.Type, value: Any) -> bool:
    """Whether a value is of the kind, as msgspec sees it when it is strict; its range is another question."""
    return type(value) in _KINDS[type(kind)][1]


def expected(options: list[Any]) -> str:
    """What a place takes: "auto or a whole number from 0 to 64"."""
    return one_of(word for each in options for word in getattr(each, "values", (_in_words(each),)))


def _in_words(kind: inspect.Type) -> str:
    word, least, most = _KINDS[type(kind)][0], getattr(kind, "ge", None), getattr(kind, "le", None)
    if least is None:
        return word
    return f"{word} of at least {least}" if most is None else f"{word} from {least} to {most}"


def fix_of_type(options: list[Any], value: Any) -> str:
    """How a value of the wrong type becomes one of the right type."""
    fixes = (_fix_of_kind(kind, value) for kind in options)
    return next(filter(None, fixes), f"write {expected(options)}")


def _fix_of_kind(kind: Any, value: Any) -> str:
    is_number = isinstance(value, int | float)
    match kind:
        case inspect.StrType() | inspect.LiteralType() if isinstance(value, bool):
            return f'put it in quotes: "{str(value).lower()}"'
        case inspect.StrType(pattern=fields.CPU | fields.SIZE) if is_number and value < 0:
            return "write a quantity that is not negative"
        case inspect.StrType(pattern=fields.SIZE) if is_number:
            return f"write {value}Gi"
        case inspect.StrType(pattern=fields.CPU) if is_number:
            return f'put it in quotes: "{value}"'
        case inspect.StrType() if isinstance(value, int):
            return f'put it in quotes: "{value}"'
        case inspect.StrType() if isinstance(value, float):
            return "put it in quotes"
        case inspect.IntType() | inspect.FloatType() if isinstance(value, str) and re.fullmatch(_WHOLE, value):
            return f"remove the quotes: {value}"
        case inspect.IntType() if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
            return f"write {int(value)}"
        case inspect.BoolType() if truth := _TRUTHS.get(str(value).lower()):
            return f"write {truth}, without quotes" if isinstance(value, str) else f"write {truth}"
        case inspect.VarTupleType() if is_number or isinstance(value, str):
            return f"write [{quoted(str(value), bare=True)}]"
        case inspect.VarTupleType():
            return "write each entry on its own line after a dash"
        case inspect.StructType():
            return f"write its keys below it, indented: {', '.join(field.encode_name for field in kind.fields)}"
        case inspect.DictType():
            return "write `name: value` lines below it, indented, without dashes"
    return ""


def fix_of_pattern(pattern: str, value: str) -> str:
    """How a text that does not match becomes one that does; a proposal is only made where it matches."""
    if pattern == fields.CPU:
        return "write cores such as 8, or millicores such as 500m"
    if pattern == fields.SIZE:
        return _fix_of_size(value)
    proposal = value.strip()
    if pattern in (fields.DNS_LABEL, fields.DNS_SUBDOMAIN):
        allowed = "a-z0-9." if pattern == fields.DNS_SUBDOMAIN else "a-z0-9"
        proposal = re.sub(rf"[^{allowed}]+", "-", value.lower()).strip("-.")
    if proposal != value and re.search(pattern, proposal):
        return f"write {quoted(proposal, bare=True)}"
    return f"write {FORMS[pattern]}"


def _fix_of_size(value: str) -> str:
    parts = re.fullmatch(_UNIT, value, re.IGNORECASE)
    if parts is None:
        return "write a number and a unit, such as 64Gi"
    number, unit, is_binary = parts[1], parts[2].upper(), parts[3]
    if not unit:
        return f"write {number}Gi for gibibytes, or {number} for bytes"
    if is_binary:
        return f"write {number}{unit}i"
    return f"write {number}{unit}i (powers of 1024) or {number}{'k' if unit == 'K' else unit} (powers of 1000)"
