"""Whatever a spec holds, its upgrade says the same but for what was meant to change, or is left to a person."""

from __future__ import annotations

import io
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from llmdgen.spec.document import read
from llmdgen.upgrade.run import upgrade

TO = "v0.6.0"
KEYS = {
    "VLLM_PROFILER_MAX_ITERS": ("max_iterations", int),
    "VLLM_PROFILER_DELAY_ITERS": ("delay_iterations", int),
    "VLLM_TORCH_PROFILER_WITH_STACK": ("torch_profiler_with_stack", lambda text: text == "1"),
}

numbers = some.sampled_from(["0", "1", "16"])
environments = some.dictionaries(some.sampled_from([*KEYS, "VLLM_LOGGING_LEVEL", "B"]), numbers, max_size=4)
flags = some.dictionaries(
    some.sampled_from(["max-num-seqs", "block-size", "disable-log-requests"]), some.sampled_from([16, 32]), max_size=2
)
texts = some.sampled_from(["a", "no", "1.5", "a: b", "# a", "it's", '"', "two words", "über", "[", "{{ x }}", " a "])
others = some.dictionaries(some.sampled_from(["x.y/z", "w"]), texts, max_size=2)


@some.composite
def specs(draw: Any) -> dict[str, Any]:
    """A spec's data, with settings of one role or of all that move, and others that do not."""
    spec: dict[str, Any] = {"path": "inference-scheduling", "release": "v0.5.1"}
    spec |= {"instanceTypes": ["p5.48xlarge"], "model": {"name": "openai/gpt-oss-120b"}}
    section = draw(some.sampled_from(["engine", "decode"]))
    spec[section] = {"args": draw(flags), "env": draw(environments)}
    for key in draw(some.sets(some.sampled_from(["args", "env"]))):
        if not spec[section][key]:
            del spec[section][key]
    router: dict[str, Any] = {}
    if draw(some.booleans()):
        router["istio"] = {"destinationRule": {"host": draw(texts)}}
    if draw(some.booleans()):
        router["inferenceExtension"] = {"flags": draw(others)}
    spec["values"] = {"router": router}
    spec = dict(draw(some.permutations(list(spec.items()))))
    return {
        "apiVersion": "llmdgen.dev/v1alpha1",
        "kind": "WellLitPath",
        "metadata": {"name": "chat"},
        "spec": spec,
    }


@some.composite
def written(draw: Any, data: dict[str, Any]) -> str:
    """The data as somebody may have written it: JSON, or YAML of any indentation, some maps in brackets, commented."""
    form = draw(some.sampled_from(["json", "json on one line", "yaml", "yaml", "yaml"]))
    if form != "yaml":
        return json.dumps(data, indent=None if form.endswith("line") else draw(some.integers(1, 4)))
    yaml = YAML()
    step = draw(some.integers(1, 4))
    yaml.indent(mapping=step, sequence=step + 2, offset=step)
    yaml.width = draw(some.sampled_from([20, 4096]))
    yaml.default_flow_style = False
    text = io.StringIO()
    yaml.dump(_dressed(data, draw), text)
    lines = text.getvalue()
    if draw(some.booleans()):
        lines = lines.rstrip("\n")
    return lines.replace("\n", draw(some.sampled_from(["\n", "\r\n"])))


def _dressed(value: Any, draw: Any, depth: int = 0) -> Any:
    if not isinstance(value, dict):
        return value
    mapping = CommentedMap((key, _dressed(item, draw, depth + 1)) for key, item in value.items())
    if depth > 1 and draw(some.integers(0, 3)) == 0:
        mapping.fa.set_flow_style()
    elif depth:
        for key in mapping:
            if draw(some.integers(0, 3)) == 0:
                mapping.yaml_add_eol_comment("why: {so}", key)
            if draw(some.integers(0, 5)) == 0:
                mapping.yaml_set_comment_before_after_key(key, before="above", indent=0)
    return mapping


def _expected(data: dict[str, Any]) -> dict[str, Any]:
    """What the upgrade means, on plain data."""
    spec = json.loads(json.dumps(data["spec"]))
    spec["release"] = TO
    for name in ("engine", "decode"):
        section = spec.get(name, {})
        for variable, (key, read_as) in KEYS.items():
            if variable in section.get("env", {}):
                value = read_as(section["env"].pop(variable))
                section.setdefault("args", {}).setdefault("profiler-config", {})[key] = value
        section.get("args", {}).pop("disable-log-requests", None)
    router = spec["values"]["router"]
    if "istio" in router:
        router["provider"] = {"istio": router.pop("istio")}
    return {**data, "spec": spec}


def _without_empty(value: Any) -> Any:
    """Empty maps say what their absence does, apart from that of a role."""
    if not isinstance(value, dict):
        return value
    return {key: inner for key, item in value.items() if (inner := _without_empty(item)) != {}}


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(some.data())
def test_an_upgrade_changes_what_was_meant_and_nothing_else(data: some.DataObject) -> None:
    before = data.draw(specs())
    text = data.draw(written(before))
    (parsed,) = read(text, "spec.yaml").documents
    assert parsed.data == before
    done = upgrade(text, "spec.yaml", TO)
    if done.is_refused:
        assert all(
            "comment" in each.finding.says or "shares its line" in each.finding.says
            for each in done.findings
            if each.is_error
        )
        return
    (after,) = read(done.new, "spec.yaml").documents
    assert _without_empty(after.data) == _without_empty(_expected(before))
    assert upgrade(done.new, "spec.yaml", TO).new == done.new
    kept, lost = done.new.count("#"), done.old.count("#")
    assert kept <= lost
