"""Write the pages that are made from the code: `make docs`, or `python scripts/write_docs.py`.

docs/diagnostics.md comes from the rules, the source of `llmdgen explain`; docs/spec.md from the types of a spec;
docs/commands.md from the commands' own help. tests/test_docs.py says when one of them is stale.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from llmdgen.checks import load_all
from llmdgen.cli.main import cli
from llmdgen.registry import RULES, Rule
from llmdgen.spec.schema import FILE, complete

DOCS = Path(__file__).parent.parent / "docs"
DIAGNOSTICS = DOCS / "diagnostics.md"
TOPICS = {
    "EFA": "EFA interfaces and KV transfer",
    "EPP": "The scheduler (endpoint picker)",
    "FIT": "Pods and nodes",
    "GW": "Gateway and load balancer",
    "HELM": "Values of the router's chart",
    "IMG": "Images",
    "K8S": "Kubernetes names, quantities and selectors",
    "KVT": "KV caches on their way between servers and tiers",
    "MOD": "The model and GPU memory",
    "OUT": "Writing rendered directories",
    "PAR": "Parallelism",
    "PATH": "Paths and their composition",
    "POD": "Users and rights of pods",
    "PRE": "Cluster prerequisites",
    "SEC": "Secrets",
    "SPEC": "The spec as a file",
    "UPG": "Upgrades to another release",
    "VER": "Rendered manifests (llmdgen verify)",
    "VLLM": "vLLM's flags and environment",
}
HEAD = """# Diagnostics

Every finding has a stable code. `llmdgen explain CODE` prints the same text. An error stops the spec, a warning is
printed and goes into SUMMARY.md, a note is for the summary alone. A warning that does not apply is silenced in the
spec, with its reason: `suppress: [{code: GW004, reason: the security group admits our VPN only}]`. What it silences
is in `llmdgen validate --format json` and in SUMMARY.md; a suppression that nothing needs is a warning of its own.
"""
SPEC_HEAD = f"""# The spec

A spec is a YAML document of kind WellLitPath; a file may hold several. Unknown and duplicate keys, anchors, aliases
and tags are errors. `prefill` has the fields of `decode`. [Paths](paths/README.md) says what each path decides,
[many specs](many-specs.md) how specs share what they have in common.

Editors complete and check a spec that begins with `# yaml-language-server: $schema=../schemas/{FILE}`: VS Code with
the YAML extension of Red Hat, and whatever else has a YAML language server. `llmdgen schema` prints that file. One
beside the specs, at the root of the repository or in its `schemas/` serves them all, and `llmdgen init -o` names it.
"""
COMMANDS_HEAD = """# Commands

What `llmdgen --help` and `llmdgen COMMAND --help` print. Findings go to stderr, one a line, as
`file:line:column: severity CODE: reason (fix: ...)`; [diagnostics.md](diagnostics.md) has the codes.
"""


def diagnostics() -> str:
    """The page: every rule by topic, each with its severity, title and explanation."""
    load_all()
    sections = [HEAD]
    for prefix, rules in groupby(sorted(RULES.values(), key=lambda rule: rule.code), key=_prefix):
        sections.append(f"## {TOPICS[prefix]}\n")
        sections += map(_section, rules)
    return "\n".join(sections)


def _section(rule: Rule) -> str:
    return f"### {rule.code}: {rule.title}\n\n{rule.severity.value}\n\n```text\n{rule.explanation}\n```\n"


def _prefix(rule: Rule) -> str:
    return rule.code[:-3]


def documents() -> dict[str, str]:
    """Every generated page: its name below docs/ -> its text."""
    return {"commands.md": commands(), "diagnostics.md": diagnostics(), "spec.md": spec()}


def spec() -> str:
    """Every field of a spec, as the types describe it."""
    lines = [SPEC_HEAD]
    for name, node in _objects("", complete()):
        lines.append(f"## {name or 'The document'}\n")
        if name and node.get("description"):
            lines.append(f"{node['description']}\n")
        lines += ["| field | type | default | description |", "|---|---|---|---|"]
        required = node.get("required", ())
        lines += [_field(key, each, key in required) for key, each in node["properties"].items()]
        lines.append("")
    return "\n".join(lines)


def commands() -> str:
    """The help of every command, as click prints it on a terminal of 100 columns."""
    settings: dict[str, Any] = {"terminal_width": 100, "max_content_width": 100}
    top = click.Context(cli, info_name="llmdgen", help_option_names=["-h", "--help"], **settings)
    sections = [COMMANDS_HEAD, f"```text\n{cli.get_help(top)}\n```\n"]
    for name in cli.list_commands(top):
        command = cli.get_command(top, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=top, **settings)
        sections.append(f"## llmdgen {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(line.rstrip() for line in "\n".join(sections).split("\n"))


def _objects(name: str, node: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a schema that have fields, outer ones first. `decode` stands for `prefill` too: both are roles."""
    yield name, node
    for key, each in node["properties"].items():
        inner = each if "properties" in each else each.get("items", {})
        if "properties" in inner and (name, key) != ("spec", "prefill"):
            suffix = "" if inner is each else "[]"
            yield from _objects(f"{name}.{key}{suffix}".lstrip("."), inner)


def _field(key: str, node: dict[str, Any], required: bool) -> str:
    described, _, chosen = node.get("description", "").partition(" Default: ")
    default = "required" if required else chosen.rstrip(".") or _default(node)
    if node.get("examples"):
        described += " For example " + ", ".join(_code(each) for each in node["examples"]) + "."
    return "| " + " | ".join(_cell(each) for each in (f"`{key}`", _type(node), default, described)) + " |"


def _type(node: dict[str, Any]) -> str:
    if "anyOf" in node:
        return " or ".join(_type(each) for each in node["anyOf"])
    if "enum" in node:
        return ", ".join(_code(each) for each in node["enum"])
    match node.get("type"):
        case "array":
            items = node.get("items", {})
            return "list of " + ("objects" if "properties" in items else _type(items))
        case "object" if "properties" not in node:
            values = node.get("additionalProperties")
            return f"map to {_type(values)}" if isinstance(values, dict) and values else "map"
        case "integer" | "number" as number:
            low, high = node.get("minimum"), node.get("maximum")
            limits = [f"from {low}"] * (low is not None) + [f"to {high}"] * (high is not None)
            return " ".join((number, *limits))
        case other:
            return str(other or "any")


def _default(node: dict[str, Any]) -> str:
    """The format's own default; that of an object stands with its fields."""
    return "" if "properties" in node or node.get("default") in (None, {}, []) else _code(node["default"])


def _code(value: Any) -> str:
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _cell(text: str) -> str:
    """A text inside a table, where a placeholder such as <name> would be taken for HTML."""
    parts = text.replace("|", "\\|").replace("\n", " ").split("`")
    return "`".join(part if index % 2 else part.replace("<", "&lt;") for index, part in enumerate(parts))


if __name__ == "__main__":
    for name, text in documents().items():
        (DOCS / name).write_text(text, "utf-8")
        sys.stdout.write(f"{name}: {text.count(chr(10))} lines\n")
