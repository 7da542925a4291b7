"""Probes and ports of the model servers, and the flags of the sidecar and the scheduler beside them."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.facts.catalogue import release_toml
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, items, mapping
from llmdgen.verify.rendered import Rendered

_LEAST_STARTUP_SECONDS = 600
_PERIOD, _FAILURES = 10, 3  # Kubernetes' defaults


@rule("VER024", "error", "the routing sidecar is started with a flag that does not work here")
def sidecar_flags_work(rendered: Rendered) -> Iterator[Draft]:
    """The gateway speaks plain HTTP to the pool's port, so that a sidecar which serves TLS there, as it does without
    --secure-proxy=false, refuses every request. Its --connector must be the protocol of vLLM's NixlConnector, and a log
    level that it does not know ends it at start.

    Fails:  --secure-proxy=true, or no such flag; --connector=lmcache beside a NixlConnector.
    Passes: --secure-proxy=false --connector=nixlv2.
    """
    known = release_toml(rendered.release.name, "engine.toml")["sidecar"]
    for workload in rendered.model_servers:
        vllm, sidecar = workload.vllm, workload.sidecar
        if vllm is None or sidecar is None:
            continue
        flags = sidecar.sidecar_flags
        wrong: list[tuple[str, str]] = []
        if flags.get("secure-proxy", "true") != "false":
            wrong.append(("it serves TLS on the pool's port", "set routing.proxy.secure to false"))
        connector = flags.get("connector", known["default_connector"])
        wanted = known["nixl_connectors"] if vllm.nixl is not None else known["connectors"]
        if connector not in wanted:
            wrong.append((f"its connector is {connector}", f"use {' or '.join(wanted)}"))
        level = flags.get("zap-log-level", "info")
        if level not in known["log_levels"] and not level.isdigit():
            wrong.append((f"there is no log level {level}", f"use {', '.join(known['log_levels'])} or a number"))
        for says, fix in wrong:
            yield found(*sidecar.route, "args", says=says, fix=fix, of=workload.manifest)


@rule("VER025", "error", "the endpoint picker's port is not the one that it listens on")
def picker_listens_where_the_pool_asks(rendered: Rendered) -> Iterator[Draft]:
    """The gateway asks the pool's endpoint picker through its Service, whose target must be the scheduler's
    --grpc-port, 9002 unless set. 9003, which its pods have too, answers health checks only.

    Fails:  inferenceExtension.extProcPort: 9003.
    Passes: 9002.
    """
    default = release_toml(rendered.release.name, "engine.toml")["ports"]["scheduler"]
    for pool in rendered.pools:
        reference = mapping(at(pool.doc, "spec", "endpointPickerRef") or at(pool.doc, "spec", "extensionRef"))
        number = at(reference, "port", "number") or reference.get("portNumber") or default
        service = rendered.find("Service", reference.get("name"), pool.namespace)
        if service is None:
            continue
        selector = mapping(at(service.doc, "spec", "selector"))
        targets = [
            port.get("targetPort", port.get("port"))
            for port in map(mapping, items(at(service.doc, "spec", "ports")))
            if port.get("port") == number
        ]
        for workload in rendered.workloads:
            if not selector or not all(workload.labels.get(key) == value for key, value in selector.items()):
                continue
            for container in workload.containers:
                flags = container.sidecar_flags
                if "pool-name" not in flags:
                    continue
                names = {port.get("name"): port.get("containerPort") for port in container.list_of("ports")}
                listens = flags.get("grpc-port", str(default))
                for target in targets:
                    if str(names.get(target, target)) != listens:
                        says = f"it sends port {number} to {target}, the scheduler listens on {listens}"
                        yield found("spec", "ports", says=says, fix=f"send to {listens}", of=service)


@rule("VER026", "error", "nobody asks whether vLLM is ready, or at an address that it does not have")
def probes_ask_vllm(rendered: Rendered) -> Iterator[Draft]:
    """vLLM needs minutes to load a model. Without a readiness probe it gets requests before it listens; with a liveness
    probe and no startup probe it is killed while it loads; a path that it does not serve is a 404, which is never
    ready.

    Fails:  no readinessProbe; a livenessProbe without a startupProbe; httpGet.path: /healthz.
    Passes: startupProbe and readinessProbe on /v1/models, livenessProbe on /health.
    """
    served = release_toml(rendered.release.name, "engine.toml")["probes"]["paths"]
    for workload in rendered.model_servers:
        vllm = workload.vllm
        if vllm is None:
            continue
        probes = {probe: mapping(vllm.doc.get(probe)) for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
        if not probes["readinessProbe"]:
            says = "there is no readiness probe"
            yield found(*vllm.route, "readinessProbe", says=says, fix="ask /v1/models", of=workload.manifest)
        if probes["livenessProbe"] and not probes["startupProbe"]:
            says = "the liveness probe kills vLLM while it loads the model"
            yield found(*vllm.route, "startupProbe", says=says, fix="add one that waits for it", of=workload.manifest)
        for probe, asked in probes.items():
            path = at(asked, "httpGet", "path")
            if "httpGet" in asked and path not in served:
                says = f"vLLM has no {path or '/'}"
                place = (*vllm.route, probe, "httpGet", "path")
                yield found(*place, says=says, fix=f"ask {' or '.join(served)}", of=workload.manifest)
            elif asked and not {"httpGet", "tcpSocket", "exec", "grpc"} & set(asked):
                says = "the probe asks nothing, and the API server refuses it"
                yield found(*vllm.route, probe, says=says, fix="give it httpGet", of=workload.manifest)


@rule("VER027", "warning", "vLLM has little time to start")
def startup_has_time(rendered: Rendered) -> Iterator[Draft]:
    """The startup probe's period times its failures, and its initial delay, are what vLLM has to fetch and load the
    model and to compile. Kubernetes' defaults, where one of them is left out, are half a minute. Then the container is
    killed and begins anew.

    Fails:  periodSeconds 30 without failureThreshold: 90 seconds.
    Passes: 120 failures of 30 seconds: an hour.
    """
    for workload in rendered.model_servers:
        probe = mapping(workload.vllm.doc.get("startupProbe")) if workload.vllm is not None else {}
        if not probe or workload.vllm is None:
            continue
        seconds = _whole(probe.get("initialDelaySeconds"), 0) + _whole(probe.get("periodSeconds"), _PERIOD) * _whole(
            probe.get("failureThreshold"), _FAILURES
        )
        if seconds < _LEAST_STARTUP_SECONDS:
            says = f"vLLM is killed after {seconds} s"
            yield found(
                *workload.vllm.route, "startupProbe", says=says, fix="raise failureThreshold", of=workload.manifest
            )


@rule("VER028", "warning", "NIXL's side channel is not among the container's ports")
def side_channel_is_declared(rendered: Rendered) -> Iterator[Draft]:
    """The other end reads a pod's memory layout at VLLM_NIXL_SIDE_CHANNEL_PORT, 5600 unless set, plus the data parallel
    rank. Network policies and reviewers go by the ports that a container declares.

    Fails:  containerPort 5601 called nixl, and no variable that says so.
    Passes: containerPort 5600.
    """
    default = release_toml(rendered.release.name, "engine.toml")["ports"]["nixl"]
    for workload in rendered.model_servers:
        vllm = workload.vllm
        if vllm is None or vllm.nixl is None:
            continue
        port = vllm.variables.get("VLLM_NIXL_SIDE_CHANNEL_PORT", str(default))
        declared = [str(each.get("containerPort")) for each in vllm.list_of("ports")]
        if port.isdigit() and port not in declared:
            says = f"the side channel is on {port}, the container declares {', '.join(declared) or 'nothing'}"
            yield found(*vllm.route, "ports", says=says, fix=f"declare containerPort {port}", of=workload.manifest)


def _whole(value: object, default: int) -> int:
    return value if isinstance(value, int) else default
