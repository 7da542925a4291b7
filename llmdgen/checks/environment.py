"""Environment variables that choose how pods talk: the fabric that they pay for, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.engine.checks.values import shown
from llmdgen.kube.node import node_of, runs_models
from llmdgen.kube.platform import efa, platform
from llmdgen.kube.servers import Servers
from llmdgen.registry import Draft, rule
from llmdgen.suggest import one_of

DEVICE_RDMA = "FI_EFA_USE_DEVICE_RDMA"
SWITCHED_OFF = ("", "0", "false", "no", "off")


@rule("EFA019", "error", "an environment variable that keeps traffic off EFA")
def variables_leave_efa_on(servers: Servers) -> Iterator[Draft]:
    """libfabric, NCCL and NVSHMEM choose their transport by variables. With another one than EFA, or with the loopback
    interface between pods, they go over TCP without a word, or never connect.

    Fails:  `{path: pd-disaggregation, engine: {env: {FI_PROVIDER: tcp}}}`;
            `{path: wide-ep, engine: {env: {NCCL_SOCKET_IFNAME: lo}}}`.
    Passes: `{path: pd-disaggregation, engine: {env: {FI_PROVIDER: efa}}}`; none, for the image and the path set what is
            needed: `{path: wide-ep}`.
    """
    wanted = platform()["efa_variables"]
    for workload, vllm in servers.engines:
        node = node_of(workload)
        if not vllm.count(efa()) or not runs_models(workload):
            continue
        rdma = node is None or node.efa.rdma
        for name, value in vllm.variables.items():
            says = ""
            if name == DEVICE_RDMA and node is not None and not rdma:
                if value.lower() not in SWITCHED_OFF and node.efa.interfaces:
                    says, fix = f"EFA of {node.name} has no RDMA, and {name}={value} aborts there", "remove it"
            elif name in wanted["values"] and value not in wanted["values"][name]:
                says = f"{name} {shown(value)} keeps traffic between pods off EFA"
                fix = f"remove it, or write {one_of(wanted['values'][name])}"
            elif name in wanted["interfaces"] and value.removeprefix("=").split(",") == ["lo"]:
                says = f"{name} {shown(value)} is the loopback interface, which reaches no other pod"
                fix = "remove it, or write ^lo,docker,veth"
            if says:
                yield workload.found(*vllm.env_at(name), says=says, fix=fix)


@rule("EFA020", "warning", "an environment variable that aws-ofi-nccl sets better itself")
def variables_are_not_tuned_by_hand(servers: Servers) -> Iterator[Draft]:
    """aws-ofi-nccl and libfabric choose NCCL's protocol, buffers and fork safety for each platform. A value from an
    older recipe overrules that, and is slower or fails on a newer instance type.

    Fails:  `{path: pd-disaggregation, engine: {env: {NCCL_PROTO: simple}}}`;
            `{path: pd-disaggregation, engine: {env: {FI_EFA_FORK_SAFE: "1"}}}`.
    Passes: `{path: pd-disaggregation}`, none of them.
    """
    for workload, vllm in servers.engines:
        if not vllm.count(efa()):
            continue
        for name in vllm.names:
            if name in platform()["efa_variables"]["tuning"]:
                says = f"{name} overrules what aws-ofi-nccl and libfabric choose for the instance type"
                yield workload.found(*vllm.env_at(name), says=says, fix="remove it", on_key=True)
