"""Probes of the model servers, and the flags of the sidecar beside them."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.engine.facts import engine
from llmdgen.facts.catalogue import program_flags
from llmdgen.kube.container import PROBES
from llmdgen.kube.servers import Servers
from llmdgen.registry import Draft, rule
from llmdgen.suggest import did_you_mean, one_of
from llmdgen.untyped import at, mapping

_TLS = "secure-proxy"
_CONNECTOR = ("connector", "kv-connector")  # by the release
_LEAST_STARTUP_SECONDS = 600
_PERIOD, _FAILURES = 10, 3  # Kubernetes' defaults


@rule("VER024", "error", "the routing sidecar is started with a flag that does not work here")
def sidecar_flags_work(servers: Servers) -> Iterator[Draft]:
    """The gateway speaks plain HTTP to the pool's port, so that a sidecar which serves TLS there, as it does without
    --secure-proxy=false, refuses every request. Its connector must be the protocol of vLLM's NixlConnector, and a flag
    or a word that it does not know ends it at start.

    Fails:  --secure-proxy=true, or no such flag; --connector=lmcache beside a NixlConnector.
    Passes: --secure-proxy=false --connector=nixlv2.
    """
    for workload, vllm in servers.engines:
        if workload.sidecar is not None:
            for flag, says, fix in _wrong(servers.release.name, workload.sidecar.sidecar_flags, vllm.nixl is not None):
                yield workload.found(*workload.sidecar.flag_at(flag), says=says, fix=fix)


def _wrong(release: str, flags: dict[str, str], transfers: bool) -> Iterator[tuple[str, str, str]]:
    """The flags of a sidecar that are wrong, what about them, and what helps."""
    known, settings = program_flags(release, "sidecar"), engine(release)["sidecar"]
    connectors = settings["nixl_connectors"] if transfers else settings["connectors"]
    for flag, value in flags.items():
        row = known.get(flag)
        words = connectors if flag in _CONNECTOR else row.one_of if row else ()
        if row is None:
            yield flag, f"it has no flag --{flag}", did_you_mean(flag, known) or "remove it"
        elif words and value not in words and not (row.or_whole and value.isdigit()):
            yield flag, f"--{flag} cannot be {value}", f"use {one_of(words)}{' or a number' if row.or_whole else ''}"
    if flags.get(_TLS, "true") != "false":
        yield _TLS, "it serves TLS on the pool's port", f"add --{_TLS}=false"


@rule("VER026", "error", "nobody asks whether vLLM is ready, or at an address that it does not have")
def probes_ask_vllm(servers: Servers) -> Iterator[Draft]:
    """vLLM needs minutes to load a model. Without a readiness probe it gets requests before it listens; with a liveness
    probe and no startup probe it is killed while it loads; a path that it does not serve is a 404, which is never
    ready.

    Fails:  no readinessProbe; a livenessProbe without a startupProbe; httpGet.path: /healthz.
    Passes: startupProbe and readinessProbe on /v1/models, livenessProbe on /health.
    """
    answered = engine(servers.release.name)["probes"]
    for workload, vllm in servers.engines:
        served = answered["supervisor_paths" if vllm.supervisor_port else "paths"]
        probes = {probe: mapping(vllm.doc.get(probe)) for probe in PROBES}
        if not probes["readinessProbe"]:
            says = "there is no readiness probe"
            yield workload.found(*vllm.route, "readinessProbe", says=says, fix="ask /v1/models")
        if probes["livenessProbe"] and not probes["startupProbe"]:
            says = "the liveness probe kills vLLM while it loads the model"
            yield workload.found(*vllm.route, "startupProbe", says=says, fix="add one that waits for it")
        for probe, asked in probes.items():
            path = at(asked, "httpGet", "path")
            if "httpGet" in asked and path not in served:
                says = f"vLLM has no {path or '/'}"
                place = (*vllm.route, probe, "httpGet", "path")
                yield workload.found(*place, says=says, fix=f"ask {' or '.join(served)}")
            elif asked and not {"httpGet", "tcpSocket", "exec", "grpc"} & set(asked):
                says = "the probe asks nothing, and the API server refuses it"
                yield workload.found(*vllm.route, probe, says=says, fix="give it httpGet")


@rule("VER027", "warning", "vLLM has little time to start")
def startup_has_time(servers: Servers) -> Iterator[Draft]:
    """The startup probe's period times its failures, and its initial delay, are what vLLM has to fetch and load the
    model and to compile. Kubernetes' defaults, where one of them is left out, are half a minute. Then the container is
    killed and begins anew.

    Fails:  periodSeconds 30 without failureThreshold: 90 seconds.
    Passes: 120 failures of 30 seconds: an hour.
    """
    for workload, vllm in servers.engines:
        probe = mapping(vllm.doc.get("startupProbe"))
        if not probe:
            continue
        seconds = _whole(probe.get("initialDelaySeconds"), 0) + _whole(probe.get("periodSeconds"), _PERIOD) * _whole(
            probe.get("failureThreshold"), _FAILURES
        )
        if seconds < _LEAST_STARTUP_SECONDS:
            says = f"vLLM is killed after {seconds} s"
            yield workload.found(*vllm.route, "startupProbe", says=says, fix="raise failureThreshold")


def _whole(value: object, default: int) -> int:
    return value if isinstance(value, int) else default
