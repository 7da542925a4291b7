"""A document over its base: what merges, what replaces, what null does, and where each value then stands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmdgen.findings import Place, Route
from llmdgen.spec.document import Parsed, read
from llmdgen.spec.extends import merge


def parsed(text: str | dict[str, Any], name: str = "base.yaml") -> Parsed:
    written = text if isinstance(text, str) else json.dumps(text, indent=1)
    (document,) = read(written, name).documents
    return document


def merged(base: str, over: str) -> Any:
    return merge(parsed(base), parsed(over, "over.yaml"))[0].data


@pytest.mark.parametrize(
    ("base", "over", "expected"),
    [
        pytest.param("{a: {b: 1}}", "{a: {c: 2}}", {"a": {"b": 1, "c": 2}}, id="maps merge"),
        pytest.param("{a: 1}", "{a: 2}", {"a": 2}, id="a value replaces a value"),
        pytest.param("{a: [1, 2]}", "{a: [3]}", {"a": [3]}, id="a list replaces a list"),
        pytest.param("{a: [{b: 1}]}", "{a: [{c: 2}]}", {"a": [{"c": 2}]}, id="maps in lists do not merge"),
        pytest.param("{a: {b: 1}}", "{a: 2}", {"a": 2}, id="a value replaces a map"),
        pytest.param("{a: 2}", "{a: {b: 1}}", {"a": {"b": 1}}, id="a map replaces a value"),
        pytest.param("{a: {b: 1}}", "{a: {}}", {"a": {"b": 1}}, id="an empty map changes nothing"),
        pytest.param("{a: [1]}", "{a: []}", {"a": []}, id="an empty list is a list"),
        pytest.param("{a: {b: 1, c: 2}}", "{a: {b: null}}", {"a": {"c": 2}}, id="null deletes a key"),
        pytest.param("{a: {b: 1}, c: 2}", "{a: null}", {"c": 2}, id="null deletes a map"),
        pytest.param("{a: null}", "{a: null}", {}, id="null deletes null"),
        pytest.param("{a: null}", "{a: {b: 1}}", {"a": {"b": 1}}, id="a base may leave a value open"),
        pytest.param("{a: 1}", "{b: [null]}", {"a": 1, "b": [None]}, id="null in a list is no key"),
        pytest.param("{b: 1, a: 2}", "{c: 3, a: 4}", {"b": 1, "a": 4, "c": 3}, id="the base's order comes first"),
    ],
)
def test_a_merge_gives(base: str, over: str, expected: Any) -> None:
    found = merged(base, over)
    assert found == expected
    assert json.dumps(found) == json.dumps(expected), "in this order"


def test_null_where_the_base_has_no_such_key_is_told_with_the_keys_that_it_has() -> None:
    whole, idle = merge(parsed("{a: {b: 1, c: 2}}"), parsed("{a: {d: null}, e: {f: null}}"))
    assert [each.at for each in idle] == [("a", "d"), ("e", "f")]
    assert whole.data == {"a": {"b": 1, "c": 2}, "e": {}}


@pytest.mark.parametrize("at", ["values: {router", "engine: {args", "decode: {args"])
def test_under_args_and_values_null_stays_where_it_deletes_nothing(at: str) -> None:
    base, over = f"spec: {{{at}: {{a: 1}}}}}}", f"spec: {{{at}: {{a: null, b: null, c: {{d: null}}}}}}}}"
    whole, idle = merge(parsed(base), parsed(over))
    assert idle == []
    assert whole.data == parsed(f"spec: {{{at}: {{b: null, c: {{d: null}}}}}}}}").data


def test_inside_pod_null_stays_whatever_the_base_says() -> None:
    base, over = "spec: {decode: {pod: {a: 1, b: {c: 2}}}}", "spec: {decode: {pod: {a: null, b: {c: null}, d: null}}}"
    whole, idle = merge(parsed(base), parsed(over))
    assert (whole.data, idle) == (parsed(over).data, [])


def test_null_for_pod_itself_deletes_what_the_base_says_of_it() -> None:
    whole, idle = merge(parsed("spec: {decode: {pod: {a: 1}, efa: 1}}"), parsed("spec: {decode: {pod: null}}"))
    assert (whole.data, idle) == ({"spec": {"decode": {"efa": 1}}}, [])
    _, idle = merge(parsed("spec: {decode: {efa: 1}}"), parsed("spec: {decode: {pod: null}}"))
    assert [each.at for each in idle] == [("spec", "decode", "pod")]


def test_a_null_that_stands_for_what_could_not_be_read_deletes_nothing() -> None:
    whole, idle = merge(parsed("{a: 1}"), parsed("{a: *x, b: *y}"))
    assert (whole.data, idle) == ({"a": None, "b": None}, [])
    assert whole.damaged == {("a",), ("b",)}


def test_places_are_those_of_the_file_that_has_the_value() -> None:
    whole, _ = merge(parsed("a:\n  b: 1\n  c: [2]\n"), parsed("a: {d: 4}\n", "over.yaml"))
    assert whole.places == {
        (): (Place("over.yaml", 1, 1), Place("over.yaml", 1, 1)),
        ("a",): (Place("over.yaml", 1, 1), Place("over.yaml", 1, 4)),
        ("a", "b"): (Place("base.yaml", 2, 3), Place("base.yaml", 2, 6)),
        ("a", "c"): (Place("base.yaml", 3, 3), Place("base.yaml", 3, 6)),
        ("a", "c", 0): (Place("base.yaml", 3, 7), Place("base.yaml", 3, 7)),
        ("a", "d"): (Place("over.yaml", 1, 5), Place("over.yaml", 1, 8)),
    }


def test_what_is_replaced_or_deleted_has_no_place() -> None:
    whole, _ = merge(parsed("{a: {b: 1}, c: [1, 2], d: 3}"), parsed("{a: 1, c: [3], d: null}"))
    assert sorted(whole.places) == [(), ("a",), ("c",), ("c", 0)]


SCALARS = st.integers(0, 9) | st.booleans() | st.sampled_from(["", "x", "y"])
KEYS = st.sampled_from("abcd")
TREES = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS, lambda each: st.lists(each, max_size=2) | st.dictionaries(KEYS, each, max_size=3), max_leaves=8
    ),
    max_size=4,
)


def of_one_kind(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Trees in which a, b hold maps and c, d anything else, so that a key is of one kind in all of them."""
    plain = st.fixed_dictionaries({}, optional={key: SCALARS | st.lists(SCALARS, max_size=2) for key in "cd"})
    if not depth:
        return plain
    inner = of_one_kind(depth - 1)
    return st.fixed_dictionaries(
        {}, optional={**dict.fromkeys("ab", inner), **{key: SCALARS | st.lists(SCALARS, max_size=2) for key in "cd"}}
    )


@given(TREES)
def test_an_empty_document_changes_nothing_and_is_changed_by_nothing(tree: dict[str, Any]) -> None:
    assert merge(parsed(tree), parsed("{}"))[0].data == tree
    assert merge(parsed("{}"), parsed(tree))[0].data == tree


@given(TREES)
def test_a_document_over_itself_is_itself(tree: dict[str, Any]) -> None:
    whole, idle = merge(parsed(tree), parsed(tree, "over.yaml"))
    assert (whole.data, idle) == (tree, [])
    assert {place.path for pair in whole.places.values() for place in pair} == {"over.yaml"}


@given(of_one_kind(2), of_one_kind(2), of_one_kind(2))
def test_where_a_key_is_of_one_kind_and_nothing_is_deleted_it_does_not_matter_what_is_merged_first(
    a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]
) -> None:
    first = merge(merge(parsed(a), parsed(b))[0], parsed(c))[0]
    last = merge(parsed(a), merge(parsed(b), parsed(c))[0])[0]
    assert first.data == last.data


def with_nulls(tree: dict[str, Any], chosen: st.DataObject) -> dict[str, Any]:
    return {
        key: None
        if chosen.draw(st.integers(0, 4)) == 0
        else with_nulls(value, chosen)
        if isinstance(value, dict)
        else value
        for key, value in tree.items()
    }


def routes(value: Any, at: Route = ()) -> list[tuple[Route, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(at, value), *(found for key, each in items for found in routes(each, (*at, key)))]


@given(TREES, TREES, st.data())
def test_every_place_of_a_merge_leads_to_the_file_and_the_text_that_hold_the_value(
    base: dict[str, Any], over: dict[str, Any], chosen: st.DataObject
) -> None:
    texts = {
        name: json.dumps(tree, indent=1)
        for name, tree in (("base.yaml", base), ("over.yaml", with_nulls(over, chosen)))
    }
    kept = {name: parsed(text, name) for name, text in texts.items()}
    before = json.dumps([each.data for each in kept.values()])
    whole, idle = merge(kept["base.yaml"], kept["over.yaml"])
    assert json.dumps([each.data for each in kept.values()]) == before, "neither is changed"
    found = routes(whole.data)
    assert {at for at, _ in found} == set(whole.places)
    for at, value in found:
        key, own = whole.places[at]
        assert key.path == own.path
        rest = texts[own.path].split("\n")[own.line - 1][own.column - 1 :]
        if isinstance(value, dict | list):
            assert rest.startswith("{" if isinstance(value, dict) else "[")
        else:
            assert rest.rstrip(",") == json.dumps(value)
        if at and isinstance(at[-1], str):
            assert texts[key.path].split("\n")[key.line - 1][key.column - 1 :].startswith(f'"{at[-1]}"')
    assert all(kept["over.yaml"].places[each.at] for each in idle)
