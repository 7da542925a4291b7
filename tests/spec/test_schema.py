from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmdgen import api, resources
from llmdgen.engine.checks.settings import RoleSettings
from llmdgen.engine.flags import flag_table
from llmdgen.facts import catalogue
from llmdgen.registry import run
from llmdgen.spec.document import Parsed
from llmdgen.spec.load import build, parse
from llmdgen.spec.model import DEFAULT_RELEASE
from llmdgen.spec.schema import FILE, FLAGS, INSTANCE_TYPES, SNIPPETS, complete, overlay, schema, schema_text
from llmdgen.spec.texts import FLAG_NAME

from .conftest import FULL

SCHEMAS = Path(resources.SCHEMAS)

SCHEMA = schema()
COMPLETE = complete()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
STRUCTURAL = {f"SPEC{number:03}" for number in (5, 6, 7, 8, 11, 16, 17, 19, 20)}
VALUES = (
    None,
    True,
    0,
    -1,
    3,
    64,
    70000,
    1.5,
    "",
    "x",
    "64Gi",
    "8 Gi",
    "UPPER",
    "auto",
    "a" * 300,
    [],
    ["x"],
    [1],
    [None],
)
MAPPINGS: tuple[dict[str, Any], ...] = (
    {},
    {"x": 1},
    {"x": "y"},
    {"--flag": 1},
    {"a-b": "c"},
    {"x": None},
    {"name": "x"},
)


def test_the_file_is_what_the_types_say() -> None:
    assert (SCHEMAS / FILE).read_text("utf-8") == schema_text(), "python -m llmdgen.spec.schema writes it anew"


def test_the_schema_is_a_schema_that_refers_to_proposals_alone() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert "$ref" not in json.dumps([COMPLETE, overlay()])
    referred = set(re.findall(r'"\$ref": "#/\$defs/(\w+)"', schema_text()))
    assert referred == set(SCHEMA["$defs"])
    assert None not in types(COMPLETE)


@pytest.mark.parametrize("name", sorted(SCHEMA["$defs"].keys() - {FLAGS, INSTANCE_TYPES}))
def test_a_proposal_refuses_nothing(name: str) -> None:
    proposed = SCHEMA["$defs"][name]
    validator = jsonschema.Draft202012Validator(proposed)
    assert [value for value in (*VALUES, *MAPPINGS) if not validator.is_valid(value)] == []


def test_the_flags_of_every_release_are_proposed_except_those_that_a_spec_may_not_set() -> None:
    proposed = SCHEMA["$defs"][FLAGS]["properties"]
    assert "gpu-memory-utilization" in proposed
    assert not {"port", "tensor-parallel-size", "served-model-name"} & proposed.keys()
    assert proposed["kv-cache-dtype"]["examples"][0] == "auto"
    assert "Only in llm-d v0.6.0 and v0.9.0." in proposed["performance-mode"]["description"]


def test_a_proposed_instance_type_is_one_that_a_spec_may_name() -> None:
    snippets = SCHEMA["$defs"][INSTANCE_TYPES][SNIPPETS]
    named = {each["label"]: each["description"] for each in snippets}
    assert named["ml.p5.48xlarge"] == named["p5.48xlarge"] == "8 x NVIDIA H100 SXM, 32 EFA interfaces."
    assert {each.removeprefix("ml.") for each in named} <= set(catalogue.instance_names())
    assert not any(each.startswith(("g6f.", "p6e-gb200.")) for each in named)


def test_the_proposed_start_is_a_spec() -> None:
    (start,) = SCHEMA[SNIPPETS]
    text = re.sub(r"\$\{\d:([^}]+)\}", r"\1", json.dumps(start["body"]))
    VALIDATOR.validate(json.loads(text))
    assert api.targets(parse(text, "start.yaml")[0]) == ("p5.48xlarge",)


def test_what_a_pattern_refuses_is_said_in_words() -> None:
    size = SCHEMA["else"]["properties"]["spec"]["properties"]["model"]["properties"]["size"]
    assert size["patternErrorMessage"] == "Expected a Kubernetes size such as 64Gi or 2Ti."
    silent = [node for node in nodes(SCHEMA) if "pattern" in node and not node.get("patternErrorMessage")]
    assert silent == []
    assert not any("of the form ^" in node.get("patternErrorMessage", "") for node in nodes(SCHEMA))


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of a schema that describes a value."""
    if isinstance(node, dict) and isinstance(node.get("pattern", ""), str):
        yield node
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(each)


def types(node: Any) -> list[Any]:
    """What a schema names as types and choices, null as None."""
    if isinstance(node, list):
        return [found for each in node for found in types(each)]
    if not isinstance(node, dict):
        return []
    kinds = node.get("type", [])
    named = [*(kinds if isinstance(kinds, list) else [kinds]), *node.get("enum", ())]
    inner = [found for each in node.values() for found in types(each)]
    return [None if each == "null" else each for each in named if isinstance(each, str | None)] + inner


def fields(node: dict[str, Any], at: str = "") -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Every field of the format: where it stands, its schema, and whether a spec must have it."""
    for key, value in node.get("properties", {}).items():
        yield f"{at}.{key}", value, key in node.get("required", ())
        yield from fields(value, f"{at}.{key}")
        yield from fields(value.get("items", {}), f"{at}.{key}[]")


FIELDS = list(fields(COMPLETE))


def test_every_mapping_of_the_format_is_closed() -> None:
    def walk(node: Any, at: str) -> Iterator[str]:
        if isinstance(node, dict) and "properties" in node and node.get("additionalProperties") is not False:
            yield at
        for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            yield from walk(value, f"{at}.{key}")

    assert list(walk({"then": SCHEMA["then"], "else": SCHEMA["else"]}, "")) == []


def test_every_field_says_what_it_is() -> None:
    assert [at for at, field, _ in FIELDS if not field.get("description", "").endswith(".")] == []
    assert ".spec.cluster.tolerations[].effect" in {at for at, _, _ in FIELDS}


def test_every_field_that_may_be_left_out_says_what_it_is_then() -> None:
    silent = [
        at
        for at, field, required in FIELDS
        if not required and "default" not in field and "Default: " not in field["description"]
    ]
    assert silent == []


def test_every_value_of_an_enum_says_what_it_means() -> None:
    enums = {at: field for at, field, _ in FIELDS if len(field.get("enum", ())) > 1}
    assert {".spec.path", ".spec.platform", ".spec.transfer.backend"} <= enums.keys()
    for at, field in enums.items():
        assert len(field["markdownEnumDescriptions"]) == len(field["enum"]), at
        assert all(text.endswith(".") for text in field["markdownEnumDescriptions"]), at


def test_the_meaning_of_a_value_stands_at_its_place() -> None:
    platform = COMPLETE["properties"]["spec"]["properties"]["platform"]
    assert "SageMaker HyperPod" in platform["markdownEnumDescriptions"][platform["enum"].index("hyperpod")]


def test_free_values_come_with_an_example() -> None:
    free = [at for at, field, _ in FIELDS if field.get("type") == "string" and not {"enum", "default"} & field.keys()]
    assert [at for at, field, _ in FIELDS if at in free and not field.get("examples")] == []


def test_examples_are_what_the_field_takes() -> None:
    for at, field, _ in FIELDS:
        for example in field.get("examples", ()):
            assert jsonschema.Draft202012Validator(field).is_valid(example), (at, example)


def test_defaults_of_a_path_are_those_of_its_settings() -> None:
    described = {at: field["description"] for at, field, _ in FIELDS}
    of_release = {name: catalogue.release_toml(name, "paths.toml") for name in catalogue.release_names()}
    tokens = {name: each["pd-disaggregation"]["non_cached_tokens"] for name, each in of_release.items()}
    assert tokens == {"v0.5.1": 16, "v0.6.0": 16, "v0.9.0": 0}
    assert described[".spec.scheduler.nonCachedTokens"].endswith(
        "Default: 0; 16 in pd-disaggregation up to llm-d v0.6.0."
    )
    settings = of_release[DEFAULT_RELEASE]
    assert f"Default: {settings['tiered-prefix-cache']['storage_size']}." in described[".spec.cache.storage.size"]


def test_good_specs_are_valid() -> None:
    VALIDATOR.validate(FULL)
    assert build(Parsed("", FULL, {}))[1] == []


def test_every_flag_of_every_release_can_be_written() -> None:
    for release in catalogue.release_names():
        flags = catalogue.release_json(release, "vllm-serve.json")["flags"]
        validator = jsonschema.Draft202012Validator({"propertyNames": {"pattern": FLAG_NAME}})
        validator.validate(flags)


@pytest.mark.parametrize("release", catalogue.release_names())
def test_what_the_schema_refuses_of_a_flag_the_checks_refuse(release: str) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA["$defs"][FLAGS])
    table = flag_table(release)
    refused = 0
    for name in (*table.flags, "max-num-seq", "port"):
        for value in (True, 3, 1.5, "x", "32k", ["x"], {"x": 1}):
            if not validator.is_valid({name: value}):
                refused += 1
                routes = {name: ("spec", "engine", "args", name)}
                role = RoleSettings(args={name: value}, env={}, release=release, table=table, flag_routes=routes)
                found = run(role)
                assert {"VLLM001", "VLLM002", "VLLM003", "VLLM007"} & {each.code for each in found}, (name, value)
            else:
                assert name in table.flags
    assert refused > 500
    assert validator.is_valid(dict.fromkeys(SCHEMA["$defs"][FLAGS]["properties"]))


@pytest.mark.parametrize("name", ["p5.48xlage", "P5.48xlarge", "ml.p5", ""])
def test_an_instance_type_that_does_not_exist_is_refused(name: str) -> None:
    for route in (("spec", "instanceTypes"), ("spec", "decode", "instanceType")):
        data: Any = copy.deepcopy(FULL)
        change(data, route, name if route[-1] == "instanceType" else [name])
        assert not VALIDATOR.is_valid(data)


def routes(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*at, key)
        yield from routes(value, (*at, key))


ROUTES = sorted(routes(FULL), key=str)


def agree(data: Any) -> None:
    """A spec is refused by its structure exactly where the schema refuses it; inside `pod` the schema lets all pass."""
    by_schema = next((each for each in VALIDATOR.iter_errors(data) if "args" not in each.absolute_path), None)
    _, findings = build(Parsed("", data, {}))
    ours = [
        each
        for each in findings
        if (each.code in STRUCTURAL and not (len(each.at) > 3 and each.at[2] == "pod"))
        or (each.code == "SPEC009" and each.at[:2] != ("spec", "gateway"))
    ]
    ours = [each for each in ours if "args" not in each.at]
    assert bool(ours) == bool(by_schema), (findings, by_schema)


@pytest.mark.parametrize("value", [None, True, 3, 1.5, "x", [], {}], ids=str)
def test_a_document_of_any_kind_is_judged_alike(value: Any) -> None:
    agree(value)


@given(st.lists(st.tuples(st.sampled_from(ROUTES), st.sampled_from((*VALUES, *MAPPINGS))), min_size=1, max_size=2))
@settings(max_examples=500)
def test_the_schema_and_the_types_agree_on_any_changed_value(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    data: Any = copy.deepcopy(FULL)
    for route, value in changes:
        change(data, route, copy.deepcopy(value))
    agree(data)


@given(st.sampled_from(ROUTES), st.sampled_from(["delete", "add"]))
@settings(max_examples=300)
def test_the_schema_and_the_types_agree_on_missing_and_added_keys(route: tuple[Any, ...], how: str) -> None:
    data: Any = copy.deepcopy(FULL)
    parent = data
    for key in route[:-1]:
        parent = parent[key]
    if isinstance(parent, dict):
        if how == "delete":
            del parent[route[-1]]
        else:
            parent["unheard-of"] = "x"
    agree(data)


OVERLAY = {key: FULL[key] for key in ("apiVersion", "kind")} | {"extends": "base.yaml", "metadata": {"name": "a"}}


def is_valid(data: Any) -> bool:
    return VALIDATOR.is_valid(data)


def test_a_file_that_extends_another_may_leave_out_all_but_what_it_is_and_its_name() -> None:
    assert is_valid(OVERLAY)
    assert is_valid({**FULL, "extends": "../bases/gpt-oss.yml"})
    assert not is_valid({key: value for key, value in OVERLAY.items() if key != "extends"})
    for key in OVERLAY:
        assert not is_valid({each: value for each, value in OVERLAY.items() if each != key}), key


@pytest.mark.parametrize("key", ["apiVersion", "kind", "extends", "metadata"])
def test_what_a_file_has_to_say_itself_cannot_be_null(key: str) -> None:
    assert not is_valid({**OVERLAY, key: None})


def test_any_key_of_a_mapping_may_be_null_where_there_is_a_base() -> None:
    named = [route for route in ROUTES if isinstance(route[-1], str) and not any(isinstance(key, int) for key in route)]
    for route in named:
        data = copy.deepcopy(FULL)
        change(data, route, None)
        if route[:-1] != () and route != ("metadata", "name"):
            assert is_valid({**data, "extends": "base.yaml"}), route
    assert is_valid({**OVERLAY, "spec": None})
    assert is_valid({**OVERLAY, "spec": {"gateway": {"loadBalancer": {"annotations": {"a": None}}}}})


@pytest.mark.parametrize(
    "spec",
    [
        {"unheard-of": 1},
        {"decode": {"replica": None}},
        {"decode": {"replicas": "2"}},
        {"instanceTypes": []},
        {"instanceTypes": [None]},
        {"cluster": {"tolerations": [{"key": None}]}},
        {"suppress": [{"code": "GW004"}]},
        {"platform": "gke"},
    ],
    ids=str,
)
def test_what_a_file_with_a_base_says_is_checked(spec: Any) -> None:
    assert not is_valid({**OVERLAY, "spec": spec})


@pytest.mark.parametrize(
    "path", ["", "/etc/base.yaml", "~/base.yaml", "bases\\base.yaml", "base.json", "bases", 3, ["base.yaml"]], ids=str
)
def test_an_editor_sees_a_path_that_cannot_lead_to_a_base(path: Any) -> None:
    assert not is_valid({**OVERLAY, "extends": path})


def change(data: Any, route: tuple[Any, ...], value: Any) -> None:
    """Set a value where its parents are still there."""
    for key in route[:-1]:
        fits = (
            key in data
            if isinstance(data, dict)
            else isinstance(data, list) and isinstance(key, int) and key < len(data)
        )
        if not fits:
            return
        data = data[key]
    last = route[-1]
    if isinstance(data, dict) or (isinstance(data, list) and isinstance(last, int) and last < len(data)):
        data[last] = value


def test_a_spec_names_the_schema_by_a_path_that_exists() -> None:
    assert Path(SCHEMA["$id"]).name == FILE
    assert json.loads((SCHEMAS / FILE).read_text("utf-8"))["$id"] == SCHEMA["$id"]
