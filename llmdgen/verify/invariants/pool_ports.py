"""Who listens where the pool and its endpoint picker are asked."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.facts.catalogue import program_flags, release_toml
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, items, mapping
from llmdgen.verify.rendered import Rendered


@rule("VER021", "error", "requests of the pool reach nobody")
def pool_port_reaches_the_first_listener(rendered: Rendered) -> Iterator[Draft]:
    """The gateway sends a request to the pool's target port of the chosen pod. There the routing sidecar listens where
    the pod has one, and vLLM itself elsewhere, as in every prefill pod.

    Fails:  targetPorts 8000 and a prefill vLLM on 8200.
    Passes: targetPorts 8000, decode's sidecar on 8000, prefill's vLLM on 8000.
    """
    default = str(program_flags(rendered.release.name, "sidecar")["port"].default)
    for workload in rendered.model_servers:
        vllm, sidecar = workload.vllm, workload.sidecar
        if vllm is None:
            continue
        if sidecar is not None:
            who, port, place = "the routing sidecar", sidecar.sidecar_flags.get("port", default), sidecar.route
        else:
            who, port, place = "vLLM", str(vllm.port), vllm.route
        for pool in rendered.pools_of(workload):
            targets = [str(mapping(each).get("number")) for each in items(at(pool.doc, "spec", "targetPorts"))]
            if targets and port not in targets:
                says = f"{who} listens on {port}, {pool} sends to {', '.join(targets)}"
                yield found(*place, "args", says=says, fix=f"let {who} listen on {targets[0]}", of=workload.manifest)


@rule("VER025", "error", "the endpoint picker's port is not the one that it listens on")
def picker_listens_where_the_pool_asks(rendered: Rendered) -> Iterator[Draft]:
    """The gateway asks the pool's endpoint picker through its Service, whose target must be the scheduler's
    --grpc-port, 9002 unless set. 9003, which its pods have too, answers health checks only.

    Fails:  a Service that sends the pool's port to 9003.
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
