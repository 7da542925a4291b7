"""The configuration that a plan's scheduler will read: what the paths make, or a text of the spec in its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.findings import Route
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.registry import Draft, found
from llmdgen.scheduling.document import Endpoints, SchedulerConfig
from llmdgen.scheduling.form import form
from llmdgen.spec.read import BROKEN
from llmdgen.untyped import at, mapping

AT: Route = ("spec", "scheduler")
VALUES: Route = ("spec", "values", "router")
FILE, CHARTS_OWN = "plugins.yaml", "default-plugins.yaml"
EVENTS, SEED = "kv-events-config", "PYTHONHASHSEED"


def scheduler_config(plan: Plan) -> SchedulerConfig:
    """The configuration of a plan, to be judged."""
    document, where, inside = effective(plan)
    cpu = next((tier for tier in plan.tiers if tier.name == "cpu"), None)
    host = f"{plan.names.scheduler_service}.{plan.names.namespace}"
    return SchedulerConfig(
        release=plan.release.name,
        document=document,
        at=where,
        inside=inside,
        unread=tuple(_unread(plan, document, where)),
        servers=tuple(_endpoints(role, cpu.bytes[role.name] if cpu else 0) for role in plan.roles),
        model=plan.spec.asked.model.name,
        pool_ports=plan.target_ports,
        hosts=(plan.names.scheduler_service, host, f"{host}.svc", f"{host}.svc.cluster.local"),
        tokenizer_socket=_socket(plan),
        experimental=bool(at(epp_values(plan), "flags", "allow-experimental-plugins")),
    )


def effective(plan: Plan) -> tuple[dict[str, Any] | None, Route, bool]:
    """The configuration (None for text that is not a YAML mapping), its place, and whether the spec's text holds it."""
    name = config_file(plan)
    text = mapping(epp_values(plan).get("pluginsCustomConfig")).get(name)
    if not isinstance(text, str):
        return plan.scheduler.config, AT, False
    read, _ = _read(text)
    return read, (*override(plan), "pluginsCustomConfig", name), True


def override(plan: Plan) -> Route:
    """Where a spec says what the router's chart makes of the scheduler."""
    return (*VALUES, *form(plan.release.name).values)


def epp_values(plan: Plan) -> dict[str, Any]:
    """The spec's own values of the scheduler."""
    return mapping(at(plan.spec.asked.values.router, *form(plan.release.name).values))


def config_file(plan: Plan) -> str:
    """The file that the scheduler reads; a name that is not text is HELM009's, and the file stays the plan's."""
    name = epp_values(plan).get("pluginsConfigFile", FILE)
    return name if isinstance(name, str) else FILE


def _unread(plan: Plan, document: dict[str, Any] | None, where: Route) -> Iterator[Draft]:
    """Why the scheduler does not read the file that the spec means."""
    values, name, here = epp_values(plan), config_file(plan), override(plan)
    custom = mapping(values.get("pluginsCustomConfig"))
    for file, text in custom.items():
        if not isinstance(text, str):
            says, fix = f"{file} is not text, and the ConfigMap takes nothing else", "write it as a text block, with |"
            yield found(*here, "pluginsCustomConfig", file, says=says, fix=fix, on_key=True)
    if "pluginsConfigFile" in values and name not in {FILE, CHARTS_OWN, *custom}:
        says = f"there is no {name} among the scheduler's files"
        yield found(*here, "pluginsConfigFile", says=says, fix="add it to pluginsCustomConfig, or remove this")
    if name == CHARTS_OWN and (plan.disaggregated or plan.scheduler.kv_events_port is not None):
        says = f"{name} is the chart's own, which knows neither prefill servers nor KV events"
        yield found(*here, "pluginsConfigFile", says=says, fix=f"remove it: the paths make {FILE}")
    elif document is None:
        _, reason = _read(custom[name])
        says = f"it is not YAML that can be read{reason}"
        yield found(*where, BROKEN, says=says, fix="correct the YAML of the text block")


def _read(text: str) -> tuple[dict[str, Any] | None, str]:
    """The mapping that a text holds, or why it holds none."""
    from llmdgen import plain_yaml

    try:
        document = plain_yaml.load(text)
    except plain_yaml.YAMLError as error:
        return None, f": in the text's {plain_yaml.reason(error)}"
    except (ValueError, RecursionError):
        return None, ""
    if isinstance(document, dict):
        return document, ""
    return None, f": it holds {'nothing' if document is None else 'no mapping'}"


def _endpoints(role: RolePlan, cpu_bytes: int) -> Endpoints:
    """A role as the scheduler sees it."""
    events, memory = role.flags.get(EVENTS), role.memory_use
    return Endpoints(
        name=role.name,
        role=role.name,
        count=role.pods * role.ranks,
        block_size=role.block_size,
        hash_seed=next((each.value or "" for each in role.env if each.name == SEED), ""),
        events=events if isinstance(events, dict) else None,
        gpu_tokens=memory.kv_tokens * role.size.data_local // role.ranks if memory else 0,
        cpu_bytes=cpu_bytes // role.ranks,
        token_bytes=memory.stored_bytes_per_token * role.size.tensor if memory else 0,
        block_route=role.flag_routes.get("block-size", ("spec", role.name)),
        seed_route=_own(role.env_routes.get(SEED)),
        events_route=_own(role.flag_routes.get(EVENTS)),
    )


def _own(route: Route | None) -> Route:
    """A route to a setting of the spec, () for one that the path makes."""
    return () if route is None or route[:2] == ("spec", "path") else route


def _socket(plan: Plan) -> str:
    from llmdgen.scheduling.tables import parameters_of

    for plugin in plan.scheduler.config["plugins"]:
        socket = at(parameters_of(plugin), "indexerConfig", "tokenizersPoolConfig", "uds", "socketFile")
        if socket:
            return str(socket)
    return ""
