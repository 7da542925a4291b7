"""What Kubernetes itself would refuse, or take for something else: quantities, node selectors, references."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmdgen.facts.catalogue import instance, instance_names
from llmdgen.facts.types import Instance
from llmdgen.planning.model import Plan
from llmdgen.quantities import GIB, MIB, to_bytes, to_millis
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import did_you_mean

GPU_NAME = r"\b[A-Z]+[0-9]+[A-Z]?\b"
SAGEMAKER = "sagemaker.amazonaws.com"
OLD_INSTANCE_LABEL = "beta.kubernetes.io/instance-type"
SYSTEM = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/run", "/sbin", "/sys", "/usr")
SYSTEM_STATE = ("/var/lib/kubelet", "/var/lib/containerd", "/var/lib/etcd", "/var/lib/docker", "/var/run", "/var/log")
SMALLEST_MEMORY = GIB
SMALLEST_SHM = 64 * MIB
SMALLEST_VOLUME = 100 * MIB
LEAST_CPU_MILLIS = 100
MOST_CPU_MILLIS = 1024 * 1000


@rule("K8S002", "error", "a quantity that cannot be meant")
def quantities_are_sane(plan: Plan) -> Iterator[Draft]:
    """A memory size without a unit is in bytes, and a cpu quantity with one is in thousands or millions of cores: both
    are valid to Kubernetes, and no pod starts with them.

    Fails:  `{decode: {resources: {memory: "64"}}}`, which is 64 bytes; `{decode: {resources: {shm: 16M}}}`.
    Passes: `{decode: {resources: {memory: 64Gi, cpu: 1500m, shm: 16Gi}}}`.
    """
    for role in plan.roles:
        at, given = ("spec", role.name, "resources"), plan.spec.role(role.name).resources
        if given.cpu is not None and given.cpu[-1] not in "0123456789m":
            says = f"cpu {given.cpu} has the unit of a size"
            yield found(*at, "cpu", says=says, fix="write cores, such as 16 or 1500m")
        elif not LEAST_CPU_MILLIS <= to_millis(role.cpu) <= MOST_CPU_MILLIS:
            says = f"cpu {role.cpu} is {to_millis(role.cpu) / 1000:g} cores"
            yield found(*at, "cpu", says=says, fix="write cores, such as 16")
        yield from _size(given.memory, SMALLEST_MEMORY, *at, "memory")
        yield from _size(given.shm, SMALLEST_SHM, *at, "shm")
    yield from _size(plan.spec.asked.model.size, SMALLEST_VOLUME, "spec", "model", "size")
    cache = plan.spec.asked.cache
    for name, tier in (("cpu", cache.cpu), ("disk", cache.disk), ("storage", cache.storage)):
        yield from _size(tier.size if tier else None, SMALLEST_VOLUME, "spec", "cache", name, "size")


@rule("K8S003", "error", "a node selector that contradicts the rest of the spec")
def selectors_agree(plan: Plan) -> Iterator[Draft]:
    """llmdgen selects the instance type, the zone and, on HyperPod, healthy nodes itself. A label of
    cluster.nodeSelector replaces that for every role and every instance type, and sends pods to hardware that the
    plan was not made for, or to nodes that are being replaced.

    Fails:  `{cluster: {nodeSelector: {node.kubernetes.io/instance-type: p5.48xlarge}}}`;
            `{cluster: {nodeSelector: {sagemaker.amazonaws.com/compute-type: hyperpod}}}` on EKS;
            `{cluster: {nodeSelector: {kubernetes.io/os: windows}}}`;
            `{cluster: {nodeSelector: {karpenter.k8s.aws/instance-family: p4d}}}` for p5.48xlarge.
    Passes: `{platform: hyperpod, cluster: {nodeSelector: {sagemaker.amazonaws.com/instance-group-name: inference}}}`.
    """
    for key, value in plan.spec.asked.cluster.node_selector.items():
        found_here = _wrong_label(plan, key, value)
        if found_here is None:
            for role in plan.roles:
                carried = _carried(key, value, role.node.instance)
                if carried is not None and value != carried:
                    says = f"{role.node.instance.name} has {carried}, and this selects {value}"
                    found_here = says, "remove it: the instance type decides", False
                    break
        if found_here is not None:
            says, fix, on_key = found_here
            yield found("spec", "cluster", "nodeSelector", key, says=says, fix=fix, on_key=on_key)


def _wrong_label(plan: Plan, key: str, value: str) -> tuple[str, str, bool] | None:
    """What is wrong with a label that llmdgen selects itself, or that no node of the platform carries, or not with this
    value; what helps, and whether the key is wrong."""
    domain, _, name = key.rpartition("/")
    platform, zone = plan.platform, plan.spec.asked.cluster.zone
    hyperpod = plan.spec.asked.platform == "hyperpod"
    known, values = platform["node_labels"].get(domain), platform["node_label_values"].get(key)
    healthy = platform[plan.spec.asked.platform]["node_selector"].get(key, value)
    if key in (platform["instance_type_label"], OLD_INSTANCE_LABEL):
        fix = "remove it, and use instanceTypes, or instanceType of a role"
        return "llmdgen selects the instance type of each role", fix, True
    if domain == SAGEMAKER and not hyperpod:
        return "only nodes of HyperPod carry it", "remove it, or set platform: hyperpod", True
    if key == "eks.amazonaws.com/nodegroup" and hyperpod:
        fix = f"use {SAGEMAKER}/instance-group-name"
        return "nodes of HyperPod belong to instance groups, not node groups", fix, True
    if value != healthy:
        says = f"pods would select nodes that are {value}, which HyperPod keeps free or replaces"
        return says, "remove it: healthy nodes are selected anyway", False
    if known is not None and name not in known:
        return f"no node carries a label {key}", did_you_mean(name, known) or "remove it", True
    if values is not None and value not in values:
        return f"no node of model servers has {key}={value}", did_you_mean(value, values), False
    if key == "topology.kubernetes.io/region" and zone and not zone.startswith(value):
        return f"the zone {zone} is not in {value}", "remove it: the zone decides", False
    return None


def _carried(key: str, value: str, given: Instance) -> str | None:
    """What nodes of an instance type carry in a label of Kubernetes', Karpenter's or NVIDIA's, where it is known."""
    family, _, size = given.name.partition(".")
    domain, _, name = key.rpartition("/")
    if domain not in ("kubernetes.io", "beta.kubernetes.io", "karpenter.k8s.aws", "eks.amazonaws.com", "nvidia.com"):
        return None
    if name in ("instance-gpu-name", "gpu.product"):
        models = (instance(each).gpu.model for each in instance_names())
        named = {each.lower() for model in models for each in re.findall(GPU_NAME, model)}
        own = {each.lower() for each in re.findall(GPU_NAME, given.gpu.model)}
        selected = set(re.split(r"[^a-z0-9]+", value.lower())) & named
        return None if not selected or selected & own else given.gpu.model
    return {
        "arch": {"x86_64": "amd64"}.get(given.architecture, given.architecture),
        "instance-family": family,
        "instance-size": size,
        "instance-gpu-count": str(given.gpu.count),
        "gpu.count": str(given.gpu.count),
        "instance-cpu": str(given.vcpus),
        "instance-category": re.split(r"[0-9]", family)[0],
    }.get(name)


@rule("K8S006", "error", "a cache directory that belongs to the node's system")
def host_paths_are_safe(plan: Plan) -> Iterator[Draft]:
    """cache.disk.path is a directory of the node that llmdgen's init container writes to as root, and that vLLM fills
    to its limit. On the system's own disk that evicts every pod of the node.

    Fails:  `{path: tiered-prefix-cache, cache: {disk: {path: /etc/kv}}}`.
    Passes: `{path: tiered-prefix-cache, cache: {disk: {path: /mnt/k8s-disks/0/kv}}}`, where EKS and Karpenter mount the
            node's NVMe.
    """
    disk = plan.spec.asked.cache.disk
    if disk is None or disk.path is None:
        return
    nvme = plan.platform[plan.spec.asked.platform]["nvme_path"]
    parts = [part for part in disk.path.split("/") if part not in ("", ".")]
    path = "/" + "/".join(parts)
    inside = next((each for each in (*SYSTEM, *SYSTEM_STATE) if path == each or path.startswith(each + "/")), None)
    if inside or path in ("/", "/var", "/var/lib", "/home", "/opt", "/mnt"):
        says = f"{disk.path} is {'in ' + inside if inside else 'a directory'} of the node's own system"
    elif parts[0] == "tmp":
        says = f"{disk.path} is on the node's root volume and is emptied at a reboot"
    else:
        return
    yield found("spec", "cache", "disk", "path", says=says, fix=f"use a directory of the NVMe: {nvme}/kv")


def _size(quantity: str | None, least: int, *at: str) -> Iterator[Draft]:
    size = least if quantity is None else to_bytes(quantity)
    if quantity is None or size >= least:
        return
    number = quantity.rstrip("kMGTPiK")
    unit = quantity[len(number) :][:1]
    better = f"{number}{'G' if unit in ('', 'k', 'K', 'M') else unit}i"
    fix = f"did you mean {better}?" if to_bytes(better) >= least else f"write {least // MIB}Mi or more"
    yield found(*at, says=f"{at[-1]} {quantity} is {size} bytes", fix=fix)
