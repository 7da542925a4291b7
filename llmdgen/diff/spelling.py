"""Values of a pod in one spelling each, as short as one would say them."""

from __future__ import annotations

import re
from typing import Any

from llmdgen.diff.state import Facts, Key, Value, fact, taken, under
from llmdgen.diff.yaml import compact
from llmdgen.kube.container import PROBES
from llmdgen.untyped import mapping

_SERVES = re.compile(r"vllm\s+serve(?=\s|$)")


def variable(source: dict[str, Any]) -> Value:
    """The value of an environment variable, or where it comes from."""
    if set(source) == {"value"}:
        return fact(source["value"])
    for kind, inner in mapping(source.get("valueFrom")).items():
        if isinstance(inner, dict):
            return "from " + " ".join([kind, *(compact(inner[key]) for key in sorted(inner, reverse=True))])
    return compact(source)


def resource_facts(role: str, prefix: str, resources: dict[str, Any]) -> Facts:
    """What a container requests; the limit apart only where it is another."""
    facts: Facts = {}
    limits, requests = mapping(taken(resources, "limits")), mapping(taken(resources, "requests"))
    for name in {**requests, **limits}:
        topic = "device" if "/" in name else "resource"
        label = "EFA interfaces of a pod" if name.endswith("/efa") else name
        limit, request = size(name, limits.get(name)), size(name, requests.get(name))
        if limit == request:
            facts[Key(role, topic, f"{prefix}{label}")] = limit
            continue
        facts[Key(role, topic, f"{prefix}{label} limit")] = limit
        facts[Key(role, topic, f"{prefix}{label} request")] = request
    facts |= under(role, "pod", f"{prefix}resources", resources)
    return {key: value for key, value in facts.items() if value is not None}


def probe_facts(role: str, prefix: str, container: dict[str, Any]) -> Facts:
    """The probes of a container, taken out of it."""
    facts: Facts = {}
    for probe in PROBES:
        facts |= under(role, "probe", f"{prefix}{probe}", taken(container, probe) or {})
    return facts


def size(name: str, value: Any) -> Value:
    """A quantity of a resource in one spelling: "8000m" and 8 are 8, 65536Mi is 64Gi; a count of devices is a
    number."""
    from llmdgen.quantities import MIB, cpu_text, mib_text, to_bytes, to_millis

    text = compact(value)
    if value is None or len(text) > 30:
        return fact(value)
    if "/" in name:
        return int(text) if text.isascii() and text.isdigit() else text
    try:
        if name == "cpu":
            return cpu_text(to_millis(text))
        number = to_bytes(text)
        return mib_text(number // MIB) if number % MIB == 0 else text
    except ValueError:
        return text


def toleration(given: dict[str, Any]) -> tuple[str, str]:
    """What a toleration is called, and the rest of it."""
    key, operator, effect = (str(given.get(name, default)) for name, default in _TOLERATION)
    name = " ".join(part for part in ("toleration", key or "of everything", effect) if part)
    rest = {item: value for item, value in given.items() if item not in ("key", "operator", "effect", "value")}
    says = operator if operator == "Exists" else f"= {compact(given.get('value', ''))}"
    return name, f"{says} {compact(rest)}" if rest else says


_TOLERATION = (("key", ""), ("operator", "Equal"), ("effect", ""))


def without_serving(script: str) -> str:
    """The lines of a script but for comments and the command that starts vLLM, whose arguments are compared by
    meaning."""
    kept, is_command = [], False
    for line in script.split("\n"):
        is_comment = line.lstrip().startswith("#")
        is_command = is_command or (not is_comment and _SERVES.search(line) is not None)
        if not is_command and line.strip() and not is_comment:
            kept.append(line.strip())
        is_command = is_command and line.rstrip().endswith("\\")
    return "\n".join(kept)
