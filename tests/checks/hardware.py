"""Findings of the hardware and memory rules on a spec that a test writes as keyword arguments."""

from __future__ import annotations

import json
from typing import Any

from llmdgen import api
from llmdgen.findings import Located
from tests.checks.conftest import plan_of
from tests.specs import RELEASE

GPT = "openai/gpt-oss-120b"
QWEN = "Qwen/Qwen3-32B"
DEEPSEEK = "deepseek-ai/DeepSeek-R1-0528"
PREFIXES = ("EFA", "FIT", "MOD", "PAR")


def findings(path: str, instance: str, model: str = GPT, **spec: Any) -> list[Located]:
    """What EFA, FIT, MOD and PAR rules say, notes left out. Keys of `spec` stand below the document's `spec`; the
    release is the one of tests.specs where they name none."""
    named = {"name": model} | spec.pop("model_settings", {})
    whole = {"path": path, "release": RELEASE, "instanceTypes": [instance], "model": named, **spec}
    text = f"""apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {{name: test}}
spec: {json.dumps(whole)}
"""
    found = api.check(plan_of(text, instance))
    return [each for each in found if each.finding.code.startswith(PREFIXES) and each.finding.severity.value != "note"]


def codes(path: str, instance: str, model: str = GPT, **spec: Any) -> list[str]:
    """The codes of `findings`, each once, in order."""
    return sorted({each.finding.code for each in findings(path, instance, model, **spec)})


def the(code: str, path: str, instance: str, model: str = GPT, **spec: Any) -> tuple[str, str, str]:
    """The one finding of that code: its route with dots, what it says, its fix."""
    (found,) = [each.finding for each in findings(path, instance, model, **spec) if each.finding.code == code]
    return ".".join(str(part) for part in found.at), found.says, found.fix
