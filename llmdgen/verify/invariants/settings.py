"""What reads the settings, asked whether it does: vLLM its flags and environment, the router's chart its values."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.checks._value_paths import dotted as spelled
from llmdgen.checks._value_paths import is_below, read_paths, unread
from llmdgen.engine.check import Numbers, RoleSettings, check_role
from llmdgen.engine.flags import flag_table
from llmdgen.facts.catalogue import release_toml
from llmdgen.findings import Severity
from llmdgen.kube.container import Container
from llmdgen.kube.workload import Workload
from llmdgen.plain_yaml import YAMLError
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import did_you_mean
from llmdgen.verify.rendered import Rendered

_TRANSPORT = ("FI_", "UCX_", "NIXL_", "NCCL_", "NVSHMEM_")


@rule("VER094", "error", "vLLM would refuse a setting, or not read it")
def settings_are_read(rendered: Rendered) -> Iterator[Draft]:
    """The rules over a spec's flags and environment (VLLM001 and on), asked about what the container really gets: a
    connector that this vLLM does not have, a key inside JSON that nothing reads, a VLLM_ variable that is misspelt.

    Fails:  "kv_connector": "OffloadConnector"; "kv_role": "both"; VLLM_LOGING_LEVEL.
    Passes: what `llmdgen validate` passes.
    """
    for workload in rendered.model_servers:
        vllm = workload.vllm
        if vllm is None or vllm.refused is not None:
            continue
        for finding in check_role(_role(rendered, workload, vllm)):
            if finding.severity is Severity.ERROR:
                says = f"{finding.says} ({finding.code})"
                yield found(*vllm.route, says=says, fix=finding.fix, of=workload.manifest)


@rule("VER077", "error", "a value that no template of the chart reads")
def values_are_read(rendered: Rendered) -> Iterator[Draft]:
    """Helm takes any value and says nothing of those that no template uses: a mistyped path changes nothing, and the
    chart's default holds. The paths that the router's chart reads are data of the release.

    Fails:  inferenceExtension.monitoring.prometheus.enable in values/router.yaml.
    Passes: inferenceExtension.monitoring.prometheus.enabled.
    """
    chart = rendered.release.charts["router"].name
    tree = read_paths(rendered.release.name, "router")
    advice = release_toml(rendered.release.name, "values.toml")["advice"].get("router", {})
    for release in rendered.releases:
        for file in release.values if release.chart_name == chart else ():
            try:
                values = rendered.document(file)
            except YAMLError:
                continue
            for each in unread(values or {}, tree):
                path = spelled(each.route)
                known = next((fix for top, fix in advice.items() if is_below(path, top)), None)
                fix = known or did_you_mean(str(each.route[-1]), each.known) or "remove it"
                yield found(*each.route, says=f"the {chart} chart does not read {path}", fix=fix, of=file)


@rule("VER058", "error", "a pod's libfabric is not set to EFA")
def libfabric_uses_efa(rendered: Rendered) -> Iterator[Draft]:
    """Of libfabric's providers only `efa` drives the interfaces that the pod pays for. What the environment forces on
    libfabric or NVSHMEM must name it; another provider is found, works, and runs over TCP.

    Fails:  FI_PROVIDER=tcp; FI_EFA_USE_DEVICE_RDMA=0 on an instance type with RDMA; NVSHMEM_REMOTE_TRANSPORT=ibrc.
    Passes: FI_PROVIDER=efa, or no such variable.
    """
    from llmdgen.verify.invariants.resources import EFA, node_of

    for workload in rendered.model_servers:
        vllm, node = workload.vllm, node_of(workload)
        if vllm is None or not vllm.count(EFA):
            continue
        rdma = "1" if node is None or node.efa.rdma else "0"
        wanted = {
            "FI_PROVIDER": "efa",
            "FI_EFA_USE_DEVICE_RDMA": rdma,
            "NVSHMEM_REMOTE_TRANSPORT": "libfabric",
            "NVSHMEM_LIBFABRIC_PROVIDER": "efa",
        }
        for name, value in wanted.items():
            given = value if vllm.sets(name) is None else vllm.sets(name)
            if given != value:
                says = f"{name} is {given!r}"
                yield found(
                    *vllm.route, "env", says=says, fix=f"set it to {value}, or leave it out", of=workload.manifest
                )


@rule("VER059", "error", "the two ends of the KV transfer are set up differently")
def ends_are_set_up_alike(rendered: Rendered) -> Iterator[Draft]:
    """Both ends of one transfer run the same transport and must set it up alike: a variable that only one has is a
    typing error or half a change, and the slower end decides. The same holds for NIXL's connector itself.

    Fails:  FI_PROVIDER in decode and FI_PROVIDERS in prefill; kv_buffer_device at one end.
    Passes: the same FI_, UCX_, NIXL_, NCCL_ and NVSHMEM_ variables, the same NixlConnector, in prefill and decode.
    """
    ends = [
        (each, each.vllm) for each in rendered.model_servers if each.vllm is not None and each.vllm.nixl is not None
    ]
    if len({workload.role for workload, _ in ends}) < 2:
        return
    (_, first), *others = ends
    for workload, vllm in others:
        names = {name for each in (first, vllm) for name in each.names if name.startswith(_TRANSPORT)}
        for name in sorted(names):
            if first.sets(name) != vllm.sets(name):
                says = f"{name} is {vllm.sets(name)} here, {first.sets(name)} at the other end"
                yield found(*vllm.route, "env", says=says, fix=f"set {name} alike at both ends", of=workload.manifest)
        ours, theirs = dict(vllm.nixl or {}), dict(first.nixl or {})
        for key in sorted({*ours, *theirs} - {"kv_role", "engine_id", "kv_rank"}):
            if ours.get(key) != theirs.get(key):
                says = f"NixlConnector's {key} is {ours.get(key)} here, {theirs.get(key)} at the other end"
                yield found(*vllm.route, "args", says=says, fix="write the same at both ends", of=workload.manifest)


def _role(rendered: Rendered, workload: Workload, vllm: Container) -> RoleSettings:
    flags = dict(vllm.flags)
    return RoleSettings(
        args=flags,
        env={name: vllm.variables.get(name) for name in vllm.names},
        release=rendered.release.name,
        table=flag_table(rendered.release.name),
        numbers=Numbers(
            tensor=vllm.size("tensor-parallel-size", 1),
            data=vllm.size("data-parallel-size", 1),
            data_local=vllm.size("data-parallel-size-local", vllm.size("data-parallel-size", 1)),
            workers=workload.size,
            expert_parallel=flags.get("enable-expert-parallel") is True,
        ),
    )
