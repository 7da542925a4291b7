"""Write docs/diagnostics.md from the rules, the source of `llmdgen explain`: `python scripts/write_docs.py`."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

from llmdgen.checks import load_all
from llmdgen.checks.registry import RULES, Rule

DIAGNOSTICS = Path(__file__).parent.parent / "docs" / "diagnostics.md"
TOPICS = {
    "EFA": "EFA interfaces and KV transfer",
    "EPP": "The scheduler (endpoint picker)",
    "FIT": "Pods and nodes",
    "GW": "Gateway and load balancer",
    "HELM": "Values of the charts",
    "K8S": "Kubernetes names, quantities and selectors",
    "MOD": "The model and GPU memory",
    "OUT": "Writing rendered directories",
    "PAR": "Parallelism",
    "PATH": "Paths and their composition",
    "PRE": "Cluster prerequisites",
    "SEC": "Secrets",
    "SPEC": "The spec as a file",
    "VER": "Rendered manifests (llmdgen verify)",
    "VLLM": "vLLM's flags and environment",
}
HEAD = """# Diagnostics

Every finding has a stable code. `llmdgen explain CODE` prints the same text. An error stops the spec, a warning is
printed and goes into SUMMARY.md, a note is for the summary alone. A warning that does not apply is silenced in the
spec, with its reason: `suppress: [{code: GW004, reason: the security group admits our VPN only}]`.
"""


def diagnostics() -> str:
    """The page: every rule by topic, each with its severity, title and explanation."""
    load_all()
    sections = [HEAD]
    for prefix, rules in groupby(sorted(RULES.values(), key=lambda rule: rule.code), key=_prefix):
        sections.append(f"## {TOPICS[prefix]}\n")
        sections += [
            f"### {rule.code}: {rule.title}\n\n{rule.severity.value}\n\n```text\n{rule.explanation}\n```\n"
            for rule in rules
        ]
    return "\n".join(sections)


def _section(rule: Rule) -> str:
    return f"### {rule.code}: {rule.title}\n\n{rule.severity.value}\n\n```text\n{rule.explanation}\n```\n"


def _prefix(rule: Rule) -> str:
    return rule.code[:-3]


if __name__ == "__main__":
    DIAGNOSTICS.write_text(diagnostics(), "utf-8")
    sys.stdout.write(f"{DIAGNOSTICS.name}: {len(RULES)} rules\n")
