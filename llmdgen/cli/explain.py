"""`llmdgen explain`: diagnostics, vLLM's flags and variables, plugins, paths, releases, hardware and models."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
import msgspec

from llmdgen.cli import options, status
from llmdgen.cli.terminal import complain, tell, width_of
from llmdgen.engine.facts import history, taken
from llmdgen.engine.flags import flag_table
from llmdgen.facts import catalogue
from llmdgen.quantities import GIB
from llmdgen.registry import RULES, Rule
from llmdgen.scheduling.form import form
from llmdgen.shown import filled
from llmdgen.spec.model import DEFAULT_RELEASE
from llmdgen.suggest import did_you_mean, one_of

OTHERWISE = "`llmdgen list` and docs/diagnostics.md show what can be explained"
Rows = dict[str, object]
"""What stands below the title of an explanation: names and values, of which None and empty ones are left out."""

_YES = {True: "yes", False: "no", None: "unknown"}
_WIDTH = 116
_FEW = 8


# --max-num-seqs is a topic here, not an option.
@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="Exit codes: 0 done, 1 nothing is known of TOPIC, 64 wrong usage.",
)
@click.argument("topic", metavar="TOPIC", type=click.UNPROCESSED, shell_complete=options.completed(lambda: names()))
def command(topic: str) -> int:
    """Explain what a spec or a finding names, with its source.

    TOPIC is a diagnostic (EFA003), a family of them (EFA), a vLLM flag (max-num-seqs), a variable of vLLM
    (VLLM_LOGGING_LEVEL), a scheduler plugin (queue-scorer), a well-lit path (wide-ep), a release (v0.5.1), an
    instance type (p5.48xlarge) or a model (openai/gpt-oss-120b).
    """
    text = explain(topic)
    if text is None:
        # Such as the sizes of a family of instances.
        begin = [name for name in names() if topic and name.lower().startswith(topic.lower())]
        few = f"did you mean {one_of(begin)}?" if 0 < len(begin) <= _FEW else ""
        hint = did_you_mean(topic.lstrip("-"), names(), listed_up_to=0) or few or OTHERWISE
        complain(f"llmdgen: error: nothing is known of {topic!r} (fix: {hint})")
        return status.ERROR
    tell(text)
    return status.OK


def names() -> list[str]:
    """Everything that can be explained, by the name one would type."""
    return list(dict.fromkeys(name for names_of, _ in KINDS for name in names_of()))


def explain(topic: str) -> str | None:
    """All that is known of a topic, None where nothing is; case does not matter, nor dashes before a flag. A name may
    be that of several things: tokenizer is a flag of vLLM and a plugin of the scheduler."""
    return "\n\n".join(text for _, explain_it in KINDS if (text := explain_it(topic)) is not None) or None


def _text(title: str, rows: Rows, sources: Iterable[str], notes: Iterable[str] = ()) -> str:
    """A title, the rows that say something, notes and sources."""
    said = {name: value for name, value in rows.items() if value not in (None, "")}
    width = max(map(len, said))
    lines = [title, *(f"  {name.ljust(width)}  {value}" for name, value in said.items())]
    for heading, items in (("notes", tuple(notes)), ("sources", tuple(sources))):
        lines += [f"{heading}:"] if items else []
        lines += [filled(item, width_of(_WIDTH), "  - ", "    ") for item in items]
    return "\n".join(lines)


def _rule(topic: str) -> str | None:
    """A rule's own documentation, or the titles of a family's rules: those whose codes begin with the same letters."""
    name = topic.upper()
    if not (name[-3:].isdigit() or name.isalnum()):
        return None  # no code, and not worth importing every rule for
    rules = _rules()
    titles = {code: f"{rule.code} ({rule.severity.value}): {rule.title}" for code, rule in sorted(rules.items())}
    if name in rules:
        return "\n\n".join([titles[name], *map(_paragraph, rules[name].explanation.split("\n\n"))])
    return "\n".join(title for code, title in titles.items() if code[:-3] == name) or None


def _paragraph(text: str) -> str:
    """Sentences anew for a terminal that is narrower than they are written; examples and lists as they stand."""
    is_prose = all(line[:1].isalnum() for line in text.split("\n")) and not text.startswith(("Fails:", "Passes:"))
    return filled(text, width_of(_WIDTH)) if is_prose and width_of(_WIDTH) < _WIDTH else text


def _rules() -> dict[str, Rule]:
    from llmdgen.checks import load_all

    load_all()
    return RULES


def _instance(topic: str) -> str | None:
    """An instance type with what pods can have of it; `ml.` before the name is taken as well."""
    try:
        found = catalogue.instance(topic.lower())
    except catalogue.UnknownFact:
        return None
    efa = f"{found.efa.interfaces} interfaces, generation {found.efa.generation or 'unknown'}"
    efa += f", RDMA {_YES[found.efa.rdma]}, GPUDirect {_YES[found.efa.gpudirect]}"
    efa += f", {found.efa.bandwidth_gbps} Gbit/s" if found.efa.bandwidth_gbps else ""
    memory = f", {found.gpu.memory_mib / 1024:g} GiB each" if found.gpu.memory_mib else ""
    rooms = {"EKS": found.allocatable, "HyperPod": found.hyperpod_allocatable}
    rows: Rows = {
        "GPUs": f"{found.gpu.count} x {found.gpu.model}{memory}",
        "EFA": efa if found.efa.interfaces else "none",
        "CPU": f"{found.vcpus} vCPUs, {found.architecture}",
        "memory": f"{found.memory_gib} GiB",
        "local NVMe": f"{found.nvme_gb} GB" if found.nvme_gb else "none",
        "HyperPod": found.hyperpod or "not offered",
        **{
            f"for pods on {where}": f"{room.cpu_millis}m cpu, {room.memory_mib}Mi memory"
            for where, room in rooms.items()
            if room
        },
        "confidence": found.confidence,
    }
    return _text(found.name, rows, found.sources, found.notes + found.disagreements)


def _model(topic: str) -> str | None:
    name = {each.lower(): each for each in catalogue.model_names()}.get(topic.lower())
    if name is None:
        return None
    found, experts = catalogue.model(name), catalogue.model(name).experts
    layers = {
        "full attention": found.layers.full,
        "sliding window": found.layers.sliding,
        "linear": found.layers.linear,
    }
    rows: Rows = {
        "architecture": found.architecture,
        "parameters": f"{found.parameters / 1e9:.1f}B" if found.parameters else "unknown",
        "weights": f"{found.weight_bytes / GIB:.1f} GiB, {found.weight_dtype}",
        "layers": ", ".join(f"{number} {kind}" for kind, number in layers.items() if number),
        "attention": f"{found.attention_heads} heads, {found.kv_heads} KV heads" + (", MLA" if found.mla else ""),
        "context": f"{found.max_position_embeddings} tokens",
        "active": f"{found.active_parameters / 1e9:.1f}B parameters a token" if found.active_parameters else "",
        "experts": experts and f"{experts.routed}, {experts.per_token} a token, {experts.shared} shared",
    }
    return _text(found.id, rows, found.sources, found.notes)


def _path(topic: str) -> str | None:
    """What a well-lit path is, and what it sets where a spec says nothing."""
    name = topic.lower()
    if name not in catalogue.path_names():
        return None
    table = catalogue.release_toml(DEFAULT_RELEASE, "paths.toml")
    found, scorers = table[name], form(DEFAULT_RELEASE).paths[name].scorers
    rows: Rows = {
        "is": found["about"],
        "roles": ", ".join(found.get("roles", ())) or "decode",
        "flags": ", ".join(f"{flag}: {str(value).lower()}" for flag, value in found.get("args", {}).items()),
        "scorers": ", ".join(f"{scorer} {weight}" for scorer, weight in scorers.items()),
        "more": f"docs/paths/{name}.md",
    }
    return _text(name, rows, table["sources"])


def _release(topic: str) -> str | None:
    """Versions, charts and images that a release pins; `v` before its name may be left out."""
    name = topic.lower() if topic.lower().startswith("v") else f"v{topic}"
    if name not in catalogue.release_names():
        return None
    found = catalogue.release(name)
    rows: Rows = {"date": found.date, "vLLM": found.vllm, "NIXL": found.nixl}
    rows |= {f"{chart} chart": f"{pin.name} {pin.version}" for chart, pin in found.charts.items()}
    return _text(f"llm-d {name}", {**rows, "architectures": ", ".join(found.architectures)}, found.sources)


def _of_any_release(named: Callable[[str], Iterable[str]]) -> list[str]:
    return sorted({name for release in catalogue.release_names() for name in named(release)})


def _in_each_release(explain_in: Callable[[str, str], str | None], topic: str) -> str | None:
    """What each release that has the thing says of it; what several say alike stands once, above the sources of all."""
    said: dict[str, list[str]] = {}
    for release in catalogue.release_names():
        text = explain_in(topic, release)
        if text is not None:
            what, heading, sources = text.partition("\nsources:\n")
            said.setdefault(what + heading, []).append(sources)
    return "\n\n".join(what + "\n".join(sources) for what, sources in said.items()) or None


def _plugin(topic: str, release: str) -> str | None:
    """A plugin of the release's scheduler, by the type that an EndpointPickerConfig names."""
    name, table = topic.lower(), catalogue.release_toml(release, "plugins.toml")
    found = table["plugins"].get(name)
    if found is None:
        return None
    types = catalogue.release_toml(release, "plugin-parameters.toml").get(name, {})
    untyped = [
        each
        for each in found.get("parameters", ())
        if each not in types and not any(path.startswith((f"{each}.", f"{each}[")) for path in types)
    ]
    parameters = []
    for each in [*types, *untyped]:
        kind = f" ({types[each]})" if each in types else ""
        refers = ", names a plugin" if each in found.get("refers", ()) else ""
        default = found.get("defaults", {}).get(each) or found.get("profiles", {}).get(each)
        parameters.append(f"{each}{kind}{refers}" + (f", default {default}" if default else ""))
    read = found.get("consumes", {}).items()
    instead = f", use {found['use_instead']}" if "use_instead" in found else ""
    rows: Rows = {
        "kind": found["kind"],
        "parameters": next(iter(parameters), "none"),
        **{" " * number: text for number, text in enumerate(parameters) if number},
        "makes": ", ".join(found.get("produces", ())),
        "reads": ", ".join(f"{data} (of the producer in {how})" if how else data for data, how in read),
        "deprecated": f"since {found['deprecated_in']}{instead}" if found.get("deprecated_in") else "",
        "experimental": "only with --allow-experimental-plugins" if found.get("alpha") else "",
    }
    return _text(f"{name} (scheduler of llm-d {release})", rows, table["sources"])


def _flag(topic: str) -> str | None:
    """A vLLM flag of each release that has it; of one that none has, when vLLM had it."""
    name = topic.lstrip("-").lower().replace("_", "-")
    text = _in_each_release(_flag_in, topic)
    if text is None and name in history().flags:
        return _text(f"--{name}", {"releases": "no llm-d release here has it", **_versions(name)}, sources=())
    return text


def _flag_in(topic: str, release: str) -> str | None:
    """What the parser says of a flag."""
    name, table = topic.lstrip("-").lower().replace("_", "-"), flag_table(release)
    flag = table.get(name) or table.by_short(topic)
    if flag is None and name.startswith("no-"):
        switch = table.get(name.removeprefix("no-"))
        flag = switch if switch is not None and switch.negative else None
    if flag is None:
        return None
    several = "several values after one flag" if flag.many == "values" else "the flag may be repeated"
    choices = flag.choices or tuple(filter(None, taken(release).names.get(flag.name, ())))  # looked up when it starts
    limits = {">=": flag.at_least, ">": flag.more_than, "<=": flag.at_most, "<": flag.less_than}
    rows: Rows = {
        "type": flag.type + (f" ({flag.config})" if flag.config else ""),
        "short": flag.short,
        "many": flag.many and several,
        "negative": f"--no-{flag.name}" if flag.negative else "",
        "default": msgspec.json.encode(flag.default).decode() if flag.default is not None else "vLLM decides",
        "choices": ", ".join(map(str, choices)),
        "among others": "" if choices else ", ".join(map(str, flag.usual)),
        "range": ", ".join(f"{sign} {limit}" for sign, limit in limits.items() if limit is not None),
        **_versions(flag.name),
    }
    return _text(f"--{flag.name}", rows, [f"vLLM {table.vllm} of llm-d {release}: {table.source}"])


def _versions(flag: str) -> Rows:
    """Which of the vLLM versions that were compared have the flag."""
    compared, seen = history().versions_compared, history().flags.get(flag)
    if seen is None:
        return {"vLLM": f"every version from {compared[0]} to {compared[-1]}"}
    until = f", no longer in {seen.missing_from}" if seen.missing_from else ""
    since = "in" if seen.first_seen == compared[0] else "first in"
    return {"vLLM": f"{since} {seen.first_seen}{until} ({compared[0]} to {compared[-1]} compared)"}


def _variable(topic: str, release: str) -> str | None:
    """An environment variable, and what the release's vLLM makes of its values."""
    table = catalogue.release_json(release, "vllm-env.json")
    found = table["variables"].get(topic.upper())
    if found is None:
        return None
    kinds = {"int": "a whole number", "float": "a number", "choice": "one of several", "switch": "on or off"}
    any_case = ", in any case" if found.get("any_case") else ""
    rows: Rows = {
        "type": kinds.get(found["kind"], "text"),
        "choices": ", ".join(map(str, found["choices"])) + any_case if "choices" in found else "",
        "on": ", ".join(found.get("true", ())),
        "else": "off, or an error where it is not a number" if "true" in found and found.get("strict") else "",
    }
    return _text(topic.upper(), rows, [f"vLLM {table['vllm']} of llm-d {release}: {table['source']}"])


KINDS: tuple[tuple[Callable[[], Iterable[str]], Callable[[str], str | None]], ...] = (
    (lambda: sorted({*_rules(), *(code[:-3] for code in _rules())}), _rule),
    (catalogue.instance_names, _instance),
    (catalogue.model_names, _model),
    (catalogue.path_names, _path),
    (catalogue.release_names, _release),
    (
        lambda: _of_any_release(lambda each: catalogue.release_toml(each, "plugins.toml")["plugins"]),
        lambda topic: _in_each_release(_plugin, topic),
    ),
    (lambda: _of_any_release(lambda each: flag_table(each).flags), _flag),
    (
        lambda: _of_any_release(lambda each: catalogue.release_json(each, "vllm-env.json")["variables"]),
        lambda topic: _in_each_release(_variable, topic),
    ),
)
"""Of each kind what can be asked, and what there is to say of a topic: None where it is nothing of the kind."""
