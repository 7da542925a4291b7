"""Specs made of a few words, and their plans before the checks."""

from __future__ import annotations

import json
from typing import Any

from llmdgen import api
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.spec.load import parse

RELEASE = "v0.5.1"  # where a test names none
QWEN, GPT_OSS, DEEPSEEK = "Qwen/Qwen3-32B", "openai/gpt-oss-120b", "deepseek-ai/DeepSeek-R1-0528"


def spec_text(path: str, model: str, instances: tuple[str, ...], /, **sections: Any) -> str:
    """A spec's text (JSON is YAML); `sections` are further keys of `spec`, `with_` is `with`."""
    given = {key.removesuffix("_"): value for key, value in sections.items()}
    name = {"name": model, **given.pop("model", {})}
    body = {"path": path, "release": RELEASE, "instanceTypes": list(instances), "model": name, **given}
    document = {"apiVersion": "llmdgen.dev/v1alpha1", "kind": "WellLitPath", "metadata": {"name": "demo"}, "spec": body}
    return json.dumps(document, indent=1)


def plan_of(path: str, model: str = QWEN, instance: str = "p5.48xlarge", /, **sections: Any) -> Plan:
    """The plan of such a spec. Raises SpecError where there is none."""
    return api.draft(parse(spec_text(path, model, (instance,), **sections), "spec.yaml")[0], instance)


def role_of(plan: Plan, name: str) -> RolePlan:
    """The role of that name, which the plan has to have."""
    return next(role for role in plan.roles if role.name == name)
