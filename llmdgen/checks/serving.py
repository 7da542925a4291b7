"""How vLLM and the routing sidecar in front of it serve: who listens where, who asks whether it is ready, and how long
it may start, keeps idle connections and gets to end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.engine.facts import engine
from llmdgen.engine.numbers import whole
from llmdgen.facts.catalogue import program_flags
from llmdgen.kube.servers import Engine, Servers
from llmdgen.kube.workload import PROBES
from llmdgen.registry import Draft, rule
from llmdgen.suggest import did_you_mean, one_of
from llmdgen.untyped import at, items, mapping

RANKS = "data-parallel-size"  # of the sidecar: how many ports it holds, and forwards to
_TLS = "secure-proxy"
_CONNECTOR = ("connector", "kv-connector")  # by the release
KEEP_ALIVE, READY = "VLLM_HTTP_TIMEOUT_KEEP_ALIVE", "VLLM_ENGINE_READY_TIMEOUT_S"
_LEAST_STARTUP_SECONDS = 600
_PERIOD, _FAILURES, _GRACE = 10, 3, 30  # Kubernetes' defaults


@rule("VER020", "error", "vLLM does not listen on the port that its container declares")
def vllm_listens_on_its_container_port(vllm: Engine) -> Iterator[Draft]:
    """Where the flag and the container's ports disagree, probes and metrics ask a port on which nobody listens.

    Fails:  `{decode: {pod: {containers: [{name: vllm, ports: [{$patch: replace}, {name: vllm, containerPort:
            8001}]}]}}}` beside --port 8000.
    Passes: `{decode: {pod: {containers: [{name: vllm, ports: [{name: more, containerPort: 8001}]}]}}}`.
    """
    ports = vllm.list_of("ports")
    declared = [each.get("containerPort") for each in ports]
    for port in (each for each in {*vllm.served_ports, vllm.probed_port} if each not in declared):
        says = f"vLLM listens on {port}, the container declares {', '.join(map(str, declared)) or 'none'}"
        yield vllm.found("ports", says=says, fix=f"declare containerPort {port}")
    for index, each in enumerate(ports):
        if each.get("containerPort") == vllm.port and each.get("protocol", "TCP") != "TCP":
            says = f"port {vllm.port} is declared {each['protocol']}, vLLM speaks HTTP over TCP"
            yield vllm.found("ports", index, "protocol", says=says, fix="write TCP")
    by_name = {str(each.get("name")): each.get("containerPort") for each in ports}
    for probe in PROBES:
        asked = at(vllm.doc, probe, "httpGet", "port")
        number = by_name.get(str(asked), asked)
        if isinstance(number, int) and number != vllm.probed_port:
            says = f"the probe asks port {number}, vLLM answers probes on {vllm.probed_port}"
            yield vllm.found(probe, says=says, fix=f"let it ask {vllm.probed_port}")


@rule("VER022", "error", "the routing sidecar forwards to a port on which vLLM does not listen")
def decode_vllm_listens_where_the_sidecar_forwards(vllm: Engine) -> Iterator[Draft]:
    """In a decode pod the sidecar holds the pool's ports and forwards to vLLM in the same pod: to one port, or with
    --data-parallel-size to so many that count up from it.

    Fails:  `{path: pd-disaggregation, decode: {pod: {initContainers: [{name: routing-proxy, args:
            [--model-server-port=8300, --secure-proxy=false]}]}}}`, where vLLM listens on 8200.
    Passes: `{path: pd-disaggregation}`.
    """
    flag = engine(vllm.release)["sidecar"]["server_port_flag"]
    known = program_flags(vllm.release, "sidecar")
    sidecar = vllm.workload.sidecar
    if sidecar is None:
        return
    forwards = sidecar.sidecar_flags.get(flag, str(known[flag].default))
    if forwards != str(vllm.port):
        says = f"the sidecar forwards to {forwards}, vLLM listens on {vllm.port}"
        yield vllm.workload.found(*sidecar.route, "args", says=says, fix=f"set --{flag} to vLLM's port")
    servers_behind = sidecar.sidecar_flags.get(RANKS, "1")
    if servers_behind != str(len(vllm.served_ports)):
        says = f"the sidecar forwards to {servers_behind} ports, vLLM serves on {len(vllm.served_ports)}"
        yield vllm.workload.found(*sidecar.flag_at(RANKS), says=says, fix=f"set --{RANKS}={len(vllm.served_ports)}")


@rule("VER023", "error", "a disaggregated decode pod has no routing sidecar")
def decode_beside_prefill_has_a_sidecar(servers: Servers) -> Iterator[Draft]:
    """The scheduler names the prefill pod in a header; the sidecar in the decode pod reads it, has the prompt computed
    there and hands the KV blocks' place to vLLM. Without a sidecar every request is computed by decode alone.

    Fails:  `{path: pd-disaggregation, decode: {pod: {initContainers: [{name: routing-proxy, $patch: delete}]}}}`.
    Passes: `{path: pd-disaggregation}`.
    """
    if not any(each.role == "prefill" for each in servers.model_servers):
        return
    for workload in servers.model_servers:
        if workload.role == "decode" and workload.sidecar is None and not workload.is_leader:
            says = "there are prefill pods, but nothing in this pod asks them"
            fix = "leave the sidecar in the pod"
            yield workload.found(*workload.in_template("spec", "initContainers"), says=says, fix=fix)


@rule("VER028", "warning", "NIXL's side channel is not among the container's ports")
def side_channel_is_declared(vllm: Engine) -> Iterator[Draft]:
    """The other end reads a pod's memory layout at VLLM_NIXL_SIDE_CHANNEL_PORT, 5600 unless set, plus the data parallel
    rank. Network policies and reviewers go by the ports that a container declares.

    Fails:  `{path: pd-disaggregation, decode: {pod: {containers: [{name: vllm, ports: [{containerPort: 5600, $patch:
            delete}]}]}}}`.
    Passes: `{path: pd-disaggregation}`.
    """
    default = engine(vllm.release)["ports"]["nixl"]
    if vllm.nixl is None:
        return
    port = vllm.variables.get("VLLM_NIXL_SIDE_CHANNEL_PORT", str(default))
    declared = [str(each.get("containerPort")) for each in vllm.list_of("ports")]
    if port.isdigit() and port not in declared:
        says = f"the side channel is on {port}, the container declares {', '.join(declared) or 'nothing'}"
        yield vllm.found("ports", says=says, fix=f"declare containerPort {port}")


@rule("VER024", "error", "the routing sidecar is started with a flag that does not work here")
def sidecar_flags_work(vllm: Engine) -> Iterator[Draft]:
    """The gateway speaks plain HTTP to the pool's port, so that a sidecar which serves TLS there, as it does without
    --secure-proxy=false, refuses every request. Its connector must be the protocol of vLLM's NixlConnector, and a flag
    or a word that it does not know ends it at start.

    Fails:  `{path: pd-disaggregation, decode: {pod: {initContainers: [{name: routing-proxy, args:
            [--secure-proxy=true]}]}}}`.
    Passes: `{path: pd-disaggregation}`.
    """
    sidecar = vllm.workload.sidecar
    known, settings = program_flags(vllm.release, "sidecar"), engine(vllm.release)["sidecar"]
    connectors = settings["nixl_connectors" if vllm.nixl is not None else "connectors"]
    if sidecar is None:
        return
    for flag, value in sidecar.sidecar_flags.items():
        row = known.get(flag)
        words = connectors if flag in _CONNECTOR else row.one_of if row else ()
        if row is None:
            says, fix = f"it has no flag --{flag}", did_you_mean(flag, known) or "remove it"
        elif words and value not in words and not (row.or_whole and value.isdigit()):
            says, fix = f"--{flag} cannot be {value}", f"use {one_of(words)}{' or a number' if row.or_whole else ''}"
        else:
            continue
        yield vllm.workload.found(*sidecar.flag_at(flag), says=says, fix=fix)
    if sidecar.sidecar_flags.get(_TLS, "true") != "false":
        says = "it serves TLS on the pool's port"
        yield vllm.workload.found(*sidecar.flag_at(_TLS), says=says, fix=f"add --{_TLS}=false")


@rule("VER026", "error", "nobody asks whether vLLM is ready, or at an address that it does not have")
def probes_ask_vllm(vllm: Engine) -> Iterator[Draft]:
    """vLLM loads for minutes. Without a readiness probe it gets requests before it listens; with a liveness probe
    and no startup probe it is killed while it loads; a path that it does not serve is a 404, which is never ready.

    Fails:  `{decode: {pod: {containers: [{name: vllm, readinessProbe: null}]}}}`; a livenessProbe without a
            startupProbe; httpGet.path: /healthz.
    Passes: `{decode: {pod: {containers: [{name: vllm, livenessProbe: null}]}}}`.
    """
    answered = engine(vllm.release)["probes"]
    served = answered["supervisor_paths" if vllm.supervisor_port else "paths"]
    probes = {probe: mapping(vllm.doc.get(probe)) for probe in PROBES}
    if not probes["readinessProbe"]:
        yield vllm.found("readinessProbe", says="there is no readiness probe", fix="ask /v1/models")
    if probes["livenessProbe"] and not probes["startupProbe"]:
        says = "the liveness probe kills vLLM while it loads the model"
        yield vllm.found("startupProbe", says=says, fix="add one that waits for it")
    for probe, asked in probes.items():
        path = at(asked, "httpGet", "path")
        if "httpGet" in asked and path not in served:
            says = f"vLLM has no {path or '/'}"
            place = (*vllm.route, probe, "httpGet", "path")
            yield vllm.workload.found(*place, says=says, fix=f"ask {' or '.join(served)}")
        elif asked and not {"httpGet", "tcpSocket", "exec", "grpc"} & set(asked):
            says = "the probe asks nothing, and the API server refuses it"
            yield vllm.found(probe, says=says, fix="give it httpGet")


@rule("VER027", "warning", "vLLM has little time to start")
def startup_has_time(vllm: Engine) -> Iterator[Draft]:
    """The startup probe's period times its failures, and its initial delay, are what vLLM has to fetch and load the
    model and to compile, by Kubernetes' defaults half a minute. Then the container is killed and begins anew.

    Fails:  `{decode: {pod: {containers: [{name: vllm, startupProbe: {failureThreshold: 3}}]}}}` of 30 seconds.
    Passes: `{decode: {pod: {containers: [{name: vllm, startupProbe: {failureThreshold: 120}}]}}}`; an hour.
    """
    seconds = _startup(vllm)
    if seconds is not None and seconds < _LEAST_STARTUP_SECONDS:
        yield vllm.found("startupProbe", says=f"vLLM is killed after {seconds} s", fix="raise failureThreshold")


@rule("VER113", "warning", "front ends that give up before the engines are ready")
def front_ends_wait(vllm: Engine) -> Iterator[Draft]:
    """Where a pod has several engines, each front end waits for them for VLLM_ENGINE_READY_TIMEOUT_S, ten minutes where
    it is not set, and then ends the pod. Weights of hundreds of gigabytes take longer (vllm issue 35547), and the probe
    waits for them. The supervisor of llm-d v0.9.0 has a front end for each engine, which waits without a limit.

    Fails:  `{path: wide-ep, release: v0.6.0, engine: {env: {VLLM_ENGINE_READY_TIMEOUT_S: "600"}}}`.
    Passes: `{path: wide-ep, release: v0.6.0}`, which sets it to what the probe waits for.
    """
    waits = whole(vllm.variables.get(READY), 0) or engine(vllm.release)["timeouts"]["engine_ready"]
    startup, several = _startup(vllm), vllm.size("data-parallel-size", 1) > 1 and not vllm.supervisor_port
    if several and startup is not None and waits < startup - 60:
        says = f"front ends give up after {waits} s, and the startup probe waits {startup} s for the engines"
        yield vllm.workload.found(*vllm.env_at(READY), says=says, fix=f'remove it, or set it to "{startup}"')


@rule("VER112", "warning", "idle connections that vLLM closes first")
def idle_connections_stay_open(vllm: Engine) -> Iterator[Draft]:
    """The routing sidecar keeps idle connections to vLLM for 90 seconds, a gateway's Envoy for an hour, and vLLM closes
    them after 5 unless VLLM_HTTP_TIMEOUT_KEEP_ALIVE is set. A request that is sent just then gets a 502 or 503.

    Fails:  `{path: pd-disaggregation, engine: {env: {VLLM_HTTP_TIMEOUT_KEEP_ALIVE: "30"}}}`.
    Passes: `{path: pd-disaggregation}`, whose 120 seconds are above the sidecar's.
    """
    seconds = engine(vllm.release)["timeouts"]
    kept = vllm.variables.get(KEEP_ALIVE) or str(seconds["keep_alive"])
    if kept.isdigit() and int(kept) <= seconds["keep_alive_of_clients"]:
        says = f"vLLM closes idle connections after {kept} s, and who sends to it keeps them for longer"
        fix = f'set {KEEP_ALIVE}: "{seconds["keep_alive_wanted"]}", or remove it'
        yield vllm.workload.found(*vllm.env_at(KEEP_ALIVE), says=says, fix=fix)


@rule("VER114", "warning", "a pod that is killed while it finishes its answers")
def pods_end_in_time(vllm: Engine) -> Iterator[Draft]:
    """A pod that is asked to end waits in preStop until nobody sends to it any more, and vLLM then finishes its answers
    for --shutdown-timeout. Both have to be over when terminationGracePeriodSeconds are, or the kubelet cuts them off.

    Fails:  `{decode: {pod: {terminationGracePeriodSeconds: 60}}}`, which has 2 minutes for its answers.
    Passes: `{decode: {drain: 30s}}`, from which the period follows.
    """
    needed = pause(vllm) + whole(vllm.flags.get("shutdown-timeout"), 0)
    grace = whole(vllm.workload.spec.get("terminationGracePeriodSeconds"), _GRACE)
    if grace < needed:
        place = vllm.workload.in_template("spec", "terminationGracePeriodSeconds")
        says = f"the pod is killed {grace} s after it is asked to end, and its answers have {needed} s"
        yield vllm.workload.found(*place, says=says, fix=f"set {needed + 15} or more, or a shorter drain")


def pause(vllm: Engine) -> int:
    """Seconds for which preStop sleeps."""
    stop = mapping(at(vllm.doc, "lifecycle", "preStop"))
    words = [*items(at(stop, "exec", "command")), 0, 0]
    return whole(at(stop, "sleep", "seconds"), 0) or (whole(words[1], 0) if words[0] == "sleep" else 0)


def patience(probe: dict[str, Any]) -> int:
    """Seconds that a probe waits before it acts."""
    period, failures = whole(probe.get("periodSeconds"), _PERIOD), whole(probe.get("failureThreshold"), _FAILURES)
    return whole(probe.get("initialDelaySeconds"), 0) + period * failures


def _startup(vllm: Engine) -> int | None:
    """Seconds that the startup probe waits, None without one."""
    probe = mapping(vllm.doc.get("startupProbe"))
    return patience(probe) if probe else None
