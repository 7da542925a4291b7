"""The scheduler in a rendered directory: its configuration is found, and what it is started with.

What the configuration says is judged by the rules of `llmdgen.checks`, as a spec's is: `scheduler_configs` reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.facts.catalogue import release_toml
from llmdgen.kube.vllm import offloaded
from llmdgen.kube.workload import Container, Manifest, Workload
from llmdgen.plain_yaml import YAMLError, load
from llmdgen.registry import Draft, found, rule
from llmdgen.scheduling.document import Endpoints, SchedulerConfig
from llmdgen.untyped import at, maps
from llmdgen.verify.rendered import Rendered


@rule("VER080", "error", "the scheduler's configuration is not there")
def configuration_is_there(rendered: Rendered) -> Iterator[Draft]:
    """The scheduler reads the file that --config-file names in its ConfigMap, and exits where it is missing.

    Fails:  pluginsConfigFile: custom.yaml with a pluginsCustomConfig of another name.
    Passes: a configuration under the name that the flag has.
    """
    for manifest, container, source in _schedulers(rendered):
        if source is None:
            says = f"no ConfigMap has the configuration {container.sidecar_flags['config-file']}"
            yield found(says=says, fix="name the file in pluginsCustomConfig", of=manifest)


@rule("VER087", "error", "prefill servers without servers that answer")
def somebody_decodes(rendered: Rendered) -> Iterator[Draft]:
    """Prefill pods compute prompts; without decode pods no request gets an answer.

    Fails:  prefill pods alone.
    Passes: prefill and decode pods; decode pods alone.
    """
    roles = {each.role for each in rendered.model_servers}
    if "prefill" in roles and not roles & {"decode", "both"}:
        says = "there are prefill pods, and none that decode"
        yield found(says=says, fix="create the decode role", of="helmfile.yaml")


@rule("VER078", "error", "the scheduler reads a metric that vLLM does not have")
def scheduler_reads_vllms_metrics(rendered: Rendered) -> Iterator[Draft]:
    """kv-cache-utilization-scorer goes by a metric of each pod, whose name the scheduler gets by flag. Its default is
    that of vLLM before 0.10; under a name that vLLM does not have every pod looks empty, without an error.

    Fails:  no flag kv-cache-usage-percentage-metric with llm-d v0.5.1; vllm:kv_cache_usage.
    Passes: kv-cache-usage-percentage-metric: vllm:kv_cache_usage_perc.
    """
    wanted = {name: str(value) for name, value in rendered.release.scheduler_flags.items() if name.endswith("-metric")}
    for manifest, container, _ in _schedulers(rendered):
        flags = container.sidecar_flags
        for name, value in wanted.items():
            if flags.get(name) != value:
                says = f"--{name} is {flags.get(name, 'not set')}, vLLM's metric is {value}"
                yield found(*container.route, "args", says=says, fix=f"set {name}: {value}", of=manifest)


def scheduler_configs(rendered: Rendered) -> Iterator[SchedulerConfig]:
    """The configuration of each scheduler, and the model servers of its namespace."""
    for manifest, container, source in _schedulers(rendered):
        if source is None:
            continue
        where = ("data", _name(container))
        document, problem = _read(at(source.doc, *where))
        unread = (found(*where, says=problem, fix="correct the YAML", of=source),) if problem else ()
        pools = [pool for pool in rendered.pools if pool.namespace == manifest.namespace]
        ports = [each.get("number") for pool in pools for _, each in maps(at(pool.doc, "spec", "targetPorts"))]
        yield SchedulerConfig(
            release=rendered.release.name,
            document=document,
            at=where,
            of=str(source),
            unread=unread,
            servers=tuple(
                _endpoints(rendered, each, each.vllm)
                for each in rendered.model_servers
                if each.vllm is not None and each.namespace == manifest.namespace
            ),
            pool_ports=tuple(port for port in ports if isinstance(port, int)),
            experimental=container.sidecar_flags.get("allow-experimental-plugins", "false") == "true",
        )


def _endpoints(rendered: Rendered, workload: Workload, vllm: Container) -> Endpoints:
    """A workload as the scheduler sees it."""
    events = vllm.flags.get("kv-events-config")
    stated = at(rendered.stated, "roles", workload.role, "kvCache", "bytesPerTokenAndGpu")
    return Endpoints(
        name=str(workload),
        role=workload.role,
        count=workload.replicas * workload.size * len(vllm.served_ports),
        block_size=vllm.size("block-size", release_toml(rendered.release.name, "engine.toml")["block_size"]),
        hash_seed=vllm.variables.get("PYTHONHASHSEED", ""),
        events=events if isinstance(events, dict) else None,
        cpu_bytes=offloaded(vllm) // len(vllm.served_ports),
        token_bytes=stated * vllm.size("tensor-parallel-size", 1) if isinstance(stated, int) else 0,
    )


def _schedulers(rendered: Rendered) -> Iterator[tuple[Manifest, Container, Manifest | None]]:
    """The containers that are started with --config-file, and the ConfigMap that has the file and is mounted there."""
    for workload in rendered.workloads:
        for container in workload.containers:
            flags = container.sidecar_flags
            if "config-file" in flags and "pool-name" in flags:
                folder = flags["config-file"].rpartition("/")[0]
                there = [each for each in container.list_of("volumeMounts") if each.get("mountPath") == folder]
                names = [each.get("name") for each in there]
                volumes = (each for _, each in maps(workload.spec.get("volumes")) if each.get("name") in names)
                named = at(next(volumes, None), "configMap", "name")
                source = rendered.find("ConfigMap", named, workload.namespace)
                is_there = source is not None and isinstance(at(source.doc, "data", _name(container)), str)
                yield workload.manifest, container, source if is_there else None


def _name(container: Container) -> str:
    """What the file of --config-file is called."""
    return container.sidecar_flags["config-file"].rpartition("/")[2]


def _read(text: str) -> tuple[dict[str, Any] | None, str]:
    try:
        document = load(text)
    except (YAMLError, ValueError, RecursionError):
        return None, "it is not YAML that can be read"
    return (document, "") if isinstance(document, dict) else (None, "it is not a mapping")
