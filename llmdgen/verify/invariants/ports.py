"""Who listens where: vLLM, the routing sidecar in front of it, and the pool that sends requests to them."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.kube.container import PROBES
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, items, mapping
from llmdgen.verify.rendered import Rendered


@rule("VER020", "error", "vLLM does not listen on the port that its container declares")
def vllm_listens_on_its_container_port(rendered: Rendered) -> Iterator[Draft]:
    """The modelservice chart sets --port from `routing`, and the values declare containerPort and probes by hand. Where
    they disagree, probes and metrics ask a port on which nobody listens.

    Fails:  --port 8200 in a container with containerPort 8000, or a probe that asks 8000.
    Passes: --port 8200, containerPort 8200 named vllm, probes on vllm.
    """
    for workload in rendered.model_servers:
        vllm = workload.vllm
        if vllm is None:
            continue
        ports = vllm.list_of("ports")
        if vllm.port not in [each.get("containerPort") for each in ports]:
            yield found(
                *vllm.route,
                "ports",
                says=f"vLLM listens on {vllm.port}, the container declares {_numbers(ports)}",
                fix=f"declare containerPort {vllm.port}",
                of=workload.manifest,
            )
        for index, each in enumerate(ports):
            if each.get("containerPort") == vllm.port and each.get("protocol", "TCP") != "TCP":
                says = f"port {vllm.port} is declared {each['protocol']}, vLLM speaks HTTP over TCP"
                yield found(*vllm.route, "ports", index, "protocol", says=says, fix="write TCP", of=workload.manifest)
        by_name = {each.get("name"): each.get("containerPort") for each in ports}
        for probe in PROBES:
            asked = at(vllm.doc, probe, "httpGet", "port")
            number = by_name.get(asked, asked)
            if isinstance(number, int) and number != vllm.port:
                yield found(
                    *vllm.route,
                    probe,
                    says=f"the probe asks port {number}, vLLM listens on {vllm.port}",
                    fix=f"let it ask {vllm.port}",
                    of=workload.manifest,
                )


@rule("VER021", "error", "requests of the pool reach nobody")
def pool_port_reaches_the_first_listener(rendered: Rendered) -> Iterator[Draft]:
    """The gateway sends a request to the pool's target port of the chosen pod. There the routing sidecar listens where
    the pod has one, and vLLM itself elsewhere, as in every prefill pod.

    Fails:  targetPorts 8000 and a prefill vLLM on 8200.
    Passes: targetPorts 8000, decode's sidecar on 8000, prefill's vLLM on 8000.
    """
    for workload in rendered.model_servers:
        vllm, sidecar = workload.vllm, workload.sidecar
        if vllm is None:
            continue
        if sidecar is not None:
            who, port, place = "the routing sidecar", sidecar.sidecar_flags.get("port", "8000"), sidecar.route
        else:
            who, port, place = "vLLM", str(vllm.port), vllm.route
        for pool in rendered.pools_of(workload):
            targets = [str(mapping(each).get("number")) for each in items(at(pool.doc, "spec", "targetPorts"))]
            if targets and port not in targets:
                yield found(
                    *place,
                    "args",
                    says=f"{who} listens on {port}, {pool} sends to {', '.join(targets)}",
                    fix=f"let {who} listen on {targets[0]}",
                    of=workload.manifest,
                )


@rule("VER022", "error", "the routing sidecar forwards to a port on which vLLM does not listen")
def decode_vllm_listens_where_the_sidecar_forwards(rendered: Rendered) -> Iterator[Draft]:
    """In a decode pod the sidecar holds the pool's port and forwards to vLLM on --vllm-port in the same pod.

    Fails:  --vllm-port=8200 and a vLLM with --port 8000.
    Passes: --vllm-port=8200 and --port 8200.
    """
    for workload in rendered.model_servers:
        vllm, sidecar = workload.vllm, workload.sidecar
        if vllm is None or sidecar is None:
            continue
        flags = sidecar.sidecar_flags
        forwards = flags.get("vllm-port", "8001")
        if forwards != str(vllm.port):
            yield found(
                *sidecar.route,
                "args",
                says=f"the sidecar forwards to {forwards}, vLLM listens on {vllm.port}",
                fix="set routing.proxy.targetPort to vLLM's port",
                of=workload.manifest,
            )


@rule("VER023", "error", "a disaggregated decode pod has no routing sidecar")
def decode_beside_prefill_has_a_sidecar(rendered: Rendered) -> Iterator[Draft]:
    """The scheduler names the prefill pod in a header; the sidecar in the decode pod reads it, has the prompt computed
    there and hands the KV blocks' place to vLLM. Without a sidecar every request is computed by decode alone.

    Fails:  prefill pods in the pool and `routing.proxy.enabled: false`.
    Passes: a sidecar in every decode pod, or no prefill pods.
    """
    if not any(each.role == "prefill" for each in rendered.model_servers):
        return
    for workload in rendered.model_servers:
        if workload.role == "decode" and workload.sidecar is None and not workload.is_leader:
            yield found(
                *workload.in_template("spec", "initContainers"),
                says="there are prefill pods, but nothing in this pod asks them",
                fix="switch routing.proxy on",
                of=workload.manifest,
            )


def _numbers(ports: list[dict[str, object]]) -> str:
    return ", ".join(str(each.get("containerPort")) for each in ports) or "none"
