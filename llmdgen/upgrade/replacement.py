"""The way from a deployment to the one that replaces it, as a list that a person follows. What is done, and why, is
data of the release; here it gets the names of one deployment."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from textwrap import fill, indent

from msgspec import Struct, structs

from llmdgen.api import draft
from llmdgen.facts.upgrades import ReplacementStep, replacement
from llmdgen.planning.model import Plan
from llmdgen.spec.model import Spec

_LONGEST_NAME = 40  # of those that charts do not cut
WIDTH = 96
_TOGETHER = "Old and new stand side by side until the last step. In this order requests are always served:"


class Item(Struct, frozen=True, kw_only=True):
    """One step, every name filled in."""

    title: str
    says: str
    commands: list[str]


class Way(Struct, frozen=True, kw_only=True):
    """Why the deployment `name` is replaced, and the steps in their order."""

    name: str
    why: str
    items: list[Item]


def way(before: Sequence[Plan], new: Spec) -> Way | None:
    """The way for a spec whose plans were these, None where the new release needs none."""
    if not before:
        return None
    old, release = before[0], new.asked.release
    found = replacement(old.release.name, release)
    if found is None:
        return None
    suffix = re.sub(r"[^a-z0-9]+", "-", release.lower())
    name = f"{new.name[: _LONGEST_NAME - len(suffix) - 1].rstrip('-')}-{suffix}"
    metadata = structs.replace(new.metadata, name=name, namespace=old.spec.namespace)
    names = draft(structs.replace(new, metadata=metadata), old.instance_type).names
    values = {
        "spec": shlex.quote(new.path),
        "name": old.spec.name,
        "namespace": old.spec.namespace,
        "old_route": old.names.route,
        "old_pool": old.names.pool,
        "old_gateway": old.names.gateway,
        "new_name": name,
        "new_pool": names.pool,
        "new_gateway": names.gateway,
    }
    targets = [plan.target for plan in before]
    items = []
    for step in (each for each in found.steps if _is_for(each, old)):
        commands = [
            _filled(command, {**values, "target": target})
            for command in step.commands
            for target in (targets if "{target}" in command else targets[:1])
        ]
        items.append(Item(title=_filled(step.title, values), says=_filled(step.says, values), commands=commands))
    return Way(name=old.spec.name, why=_filled(found.why, values), items=items)


def text(way: Way, width: int = WIDTH) -> str:
    """The way for a terminal: sentences at most so wide, and commands each on its line, to be copied."""
    why = f"{way.name} is replaced, not updated in place: {way.why}"
    parts = [fill(why, width), fill(_TOGETHER, width)]
    for number, item in enumerate(way.items, 1):
        lines = [f"{number:2}. {item.title}"]
        if item.says:
            lines.append(indent(fill(item.says, width - 4), " " * 4))
        parts.append("\n".join([*lines, *(f"      {command}" for command in item.commands)]))
    return "\n\n".join(parts) + "\n"


def markdown(way: Way) -> str:
    """The same for a pull request."""
    parts = [f"#### {way.name} is replaced, not updated in place", f"{way.why[:1].upper()}{way.why[1:]}.", _TOGETHER]
    for number, item in enumerate(way.items, 1):
        lines = [f"{number}. **{item.title}.**" + (f" {item.says}" if item.says else "")]
        if item.commands:
            lines.append("\n" + indent("\n".join(["```bash", *item.commands, "```"]), "   "))
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _is_for(step: ReplacementStep, plan: Plan) -> bool:
    return (
        (not step.providers or plan.gateway.provider in step.providers)
        and (plan.multinode or not step.multinode)
        and (plan.disaggregated or not step.disaggregated)
    )


def _filled(text: str, values: dict[str, str]) -> str:
    """The text with its names filled in; other braces are its own."""
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), text)
