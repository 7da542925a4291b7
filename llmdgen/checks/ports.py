"""Who listens where: vLLM, and the routing sidecar in front of it."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.engine.facts import engine
from llmdgen.facts.catalogue import program_flags
from llmdgen.kube.container import PROBES
from llmdgen.kube.servers import Servers
from llmdgen.registry import Draft, rule
from llmdgen.untyped import at

RANKS = "data-parallel-size"  # of the sidecar: how many ports it holds, and forwards to


@rule("VER020", "error", "vLLM does not listen on the port that its container declares")
def vllm_listens_on_its_container_port(servers: Servers) -> Iterator[Draft]:
    """Where the flag and the container's ports disagree, probes and metrics ask a port on which nobody listens.

    Fails:  --port 8200 in a container with containerPort 8000, or a probe that asks 8000.
    Passes: --port 8200, containerPort 8200 named vllm, probes on vllm.
    """
    for workload, vllm in servers.engines:
        ports = vllm.list_of("ports")
        declared = [each.get("containerPort") for each in ports]
        for port in {*vllm.served_ports, vllm.probed_port} - set(declared):
            says = f"vLLM listens on {port}, the container declares {_numbers(ports)}"
            yield workload.found(*vllm.route, "ports", says=says, fix=f"declare containerPort {port}")
        for index, each in enumerate(ports):
            if each.get("containerPort") == vllm.port and each.get("protocol", "TCP") != "TCP":
                says = f"port {vllm.port} is declared {each['protocol']}, vLLM speaks HTTP over TCP"
                yield workload.found(*vllm.route, "ports", index, "protocol", says=says, fix="write TCP")
        by_name = {each.get("name"): each.get("containerPort") for each in ports}
        for probe in PROBES:
            asked = at(vllm.doc, probe, "httpGet", "port")
            number = by_name.get(asked, asked)
            if isinstance(number, int) and number != vllm.probed_port:
                says = f"the probe asks port {number}, vLLM answers probes on {vllm.probed_port}"
                yield workload.found(*vllm.route, probe, says=says, fix=f"let it ask {vllm.probed_port}")


@rule("VER022", "error", "the routing sidecar forwards to a port on which vLLM does not listen")
def decode_vllm_listens_where_the_sidecar_forwards(servers: Servers) -> Iterator[Draft]:
    """In a decode pod the sidecar holds the pool's ports and forwards to vLLM in the same pod: to one port, or with
    --data-parallel-size to so many that count up from it.

    Fails:  --vllm-port=8200 and a vLLM with --port 8000; a supervisor of 8 ranks behind one forwarded port.
    Passes: --vllm-port=8200 and --port 8200.
    """
    flag = engine(servers.release.name)["sidecar"]["server_port_flag"]
    known = program_flags(servers.release.name, "sidecar")
    for workload, vllm in servers.engines:
        sidecar = workload.sidecar
        if sidecar is None:
            continue
        forwards = sidecar.sidecar_flags.get(flag, str(known[flag].default))
        if forwards != str(vllm.port):
            says = f"the sidecar forwards to {forwards}, vLLM listens on {vllm.port}"
            yield workload.found(*sidecar.route, "args", says=says, fix=f"set --{flag} to vLLM's port")
        servers_behind = sidecar.sidecar_flags.get(RANKS, "1")
        if servers_behind != str(len(vllm.served_ports)):
            says = f"the sidecar forwards to {servers_behind} ports, vLLM serves on {len(vllm.served_ports)}"
            yield workload.found(*sidecar.flag_at(RANKS), says=says, fix=f"set --{RANKS}={len(vllm.served_ports)}")


@rule("VER023", "error", "a disaggregated decode pod has no routing sidecar")
def decode_beside_prefill_has_a_sidecar(servers: Servers) -> Iterator[Draft]:
    """The scheduler names the prefill pod in a header; the sidecar in the decode pod reads it, has the prompt computed
    there and hands the KV blocks' place to vLLM. Without a sidecar every request is computed by decode alone.

    Fails:  prefill pods, and decode pods that vLLM is alone in.
    Passes: a sidecar in every decode pod, or no prefill pods.
    """
    if not any(each.role == "prefill" for each in servers.model_servers):
        return
    for workload in servers.model_servers:
        if workload.role == "decode" and workload.sidecar is None and not workload.is_leader:
            says = "there are prefill pods, but nothing in this pod asks them"
            fix = "leave the sidecar in the pod"
            yield workload.found(*workload.in_template("spec", "initContainers"), says=says, fix=fix)


@rule("VER028", "warning", "NIXL's side channel is not among the container's ports")
def side_channel_is_declared(servers: Servers) -> Iterator[Draft]:
    """The other end reads a pod's memory layout at VLLM_NIXL_SIDE_CHANNEL_PORT, 5600 unless set, plus the data parallel
    rank. Network policies and reviewers go by the ports that a container declares.

    Fails:  containerPort 5601 called nixl, and no variable that says so.
    Passes: containerPort 5600.
    """
    default = engine(servers.release.name)["ports"]["nixl"]
    for workload, vllm in servers.engines:
        if vllm.nixl is None:
            continue
        port = vllm.variables.get("VLLM_NIXL_SIDE_CHANNEL_PORT", str(default))
        declared = [str(each.get("containerPort")) for each in vllm.list_of("ports")]
        if port.isdigit() and port not in declared:
            says = f"the side channel is on {port}, the container declares {', '.join(declared) or 'nothing'}"
            yield workload.found(*vllm.route, "ports", says=says, fix=f"declare containerPort {port}")


def _numbers(ports: list[dict[str, object]]) -> str:
    return ", ".join(str(each.get("containerPort")) for each in ports) or "none"
