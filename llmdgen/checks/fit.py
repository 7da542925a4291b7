"""Node fit: the hardware of a plan, what its nodes leave idle, and disks that their pods share."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.checks.room import RANK_MIB, gib, gib_up
from llmdgen.composition.connectors import LMCACHE
from llmdgen.facts.catalogue import table
from llmdgen.kube.room import sure_nodes
from llmdgen.objects.origin import hardware
from llmdgen.planning.model import Plan
from llmdgen.quantities import GIB, MIB, to_bytes, to_millis
from llmdgen.registry import Draft, found, rule
from llmdgen.spec.texts import region_of
from llmdgen.suggest import one_of

GB = 10**9


@rule("FIT003", "error", "an image that the node cannot run")
def image_runs_on_the_node(plan: Plan) -> Iterator[Draft]:
    """A node pulls the image of its own CPU architecture. Where the release publishes none, containers stop with
    "exec format error" or the pull fails.

    Fails:  `{instanceTypes: [p6e-gb200.36xlarge]}`, which is arm64: the model server's image is amd64 only.
    Passes: `{instanceTypes: [p6-b200.48xlarge]}`.
    """
    for role in {role.node.instance.name: role for role in reversed(plan.roles)}.values():
        architecture = role.node.instance.architecture
        if architecture not in plan.server.architectures:
            offered = " and ".join(plan.server.architectures)
            image = f"the model server image of llm-d {plan.release.name} is {offered} only"
            says = f"{role.node.instance.name} is {architecture}, {image}"
            fix = f"use an {offered} instance type, such as p6-b200.48xlarge"
            yield found(*hardware(plan, role), says=says, fix=fix)


@rule("FIT004", "error", "an instance type that HyperPod does not offer")
def hyperpod_offers_the_type(plan: Plan) -> Iterator[Draft]:
    """HyperPod clusters are made of ml. instance types. G7, G6f and Gr6f have none, so no node ever carries the label
    that the pods select.

    Fails:  `{platform: hyperpod, instanceTypes: [g7.48xlarge]}`.
    Passes: `{platform: hyperpod, instanceTypes: [g7e.48xlarge]}`; `{instanceTypes: [g7.48xlarge]}` on EKS.
    """
    if plan.spec.asked.platform != "hyperpod":
        return
    for role in {role.node.instance.name: role for role in reversed(plan.roles)}.values():
        if role.node.instance.hyperpod is None:
            says = f"HyperPod does not offer {role.node.instance.name}"
            yield found(*hardware(plan, role), says=says, fix="use another instance type, or platform: eks")


@rule("FIT016", "warning", "an instance type without a price in the zone's region")
def region_offers_the_type(plan: Plan) -> Iterator[Draft]:
    """Not every region has every instance type, and pods that select a zone there stay Pending. The table is AWS's
    price list of a day, which changes often and does not know of Capacity Blocks and reservations.

    Fails:  `{instanceTypes: [p6-b200.48xlarge], cluster: {zone: eu-central-1a}}`.
    Passes: `{instanceTypes: [p6-b200.48xlarge], cluster: {zone: us-west-2a}}`; the same without a zone.
    """
    zone_label, regions = plan.platform["zone_label"], table("regions.toml")
    for role in {role.node.instance.name: role for role in reversed(plan.roles)}.values():
        zone, offered = role.node_selector.get(zone_label, ""), regions["offered"].get(role.node.label, ())
        region = region_of(zone)
        if offered and region and region not in offered:
            own = ("spec", "cluster", "zone")
            at = own if plan.spec.asked.cluster.zone else (*own[:2], "nodeSelector", zone_label)
            says = f"{role.node.label} had no on-demand price in {region} on {regions['date']}"
            near = sorted(offered, key=lambda each: (each[:2] != region[:2], each))[:3]
            fix = f"use a zone of {one_of(near)}, or suppress FIT016 where you have capacity there"
            yield found(*at, says=says, fix=fix)


@rule("FIT008", "error", "a disk cache tier larger than the node's NVMe")
def disk_tier_fits(plan: Plan) -> Iterator[Draft]:
    """All pods of a node share its NVMe, and each may fill its part. A full disk makes the kubelet evict pods.

    Fails:  `{path: tiered-prefix-cache, cache: {disk: {size: 10Ti}}}` with 4 pods on p5.48xlarge, which has 30.4 TB.
    Passes: `{path: tiered-prefix-cache, cache: {disk: {size: 6Ti}}}` there.
    """
    disk = next((tier for tier in plan.tiers if tier.name == "disk"), None)
    for role in plan.roles:
        if disk is None or role.name not in disk.bytes:
            continue
        instance = role.node.instance
        if not instance.nvme_gb:
            fix = "use cache.storage, or an instance type with NVMe such as p5.48xlarge"
            yield found("spec", "cache", "disk", says=f"{instance.name} has no local NVMe", fix=fix, on_key=True)
            continue
        pods = min(role.pods, role.pods_per_node)
        if pods and disk.bytes[role.name] * pods > instance.nvme_gb * GB:
            most = instance.nvme_gb * GB // pods // GIB
            asked_for = f"{pods} {role.name} pods x {gib(disk.bytes[role.name] // MIB)} on one node"
            says = f"{asked_for} are more than the {instance.nvme_gb} GB of NVMe of {instance.name}"
            yield found("spec", "cache", "disk", "size", says=says, fix=f"set size: {most}Gi or less")


@rule("FIT018", "note", "a cache tier that nothing keeps to its size", read=True)
def storage_tier_is_bounded(plan: Plan) -> Iterator[Draft]:
    """LMCache writes chunks to shared storage and never removes one: its fs connector has neither a capacity nor an
    eviction. The claim fills, and from then on writes fail. vLLM's own file tiers, of llm-d v0.9.0, are kept to their
    size by the pods.

    Fails:  `{path: tiered-prefix-cache, release: v0.6.0, cache: {storage: {claim: kv}}}`.
    Passes: `{path: tiered-prefix-cache, cache: {storage: {claim: kv}}}` with v0.9.0.
    """
    for tier in plan.tiers:
        if tier.name == "storage" and tier.connector == LMCACHE:
            says = f"nothing evicts from the {tier.where}: LMCache {plan.release.lmcache} only writes there"
            yield found("spec", "cache", "storage", says=says, fix="delete its oldest files by a CronJob", on_key=True)


@rule("FIT010", "warning", "more than half of the GPUs idle")
def nodes_are_used(plan: Plan) -> Iterator[Draft]:
    """A node is paid for as a whole. Where a deployment leaves more than half of its nodes' GPUs idle, more replicas or
    a smaller instance type serve more for the same price, unless something else runs there.

    Fails:  `{decode: {replicas: 1, parallelism: {tensor: 2}}}` on p5.48xlarge.
    Passes: `{decode: {replicas: 4, parallelism: {tensor: 2}}}` on the same node.
    """
    for pool in plan.pools:
        roles = [role for role in plan.roles if role.name in pool.roles]
        if not pool.gpus or pool.gpus_used * 2 >= pool.gpus or not all(role.pods_per_node for role in roles):
            continue
        role = roles[-1]
        more = (pool.gpus - pool.gpus_used) // role.size.gpus_per_pod
        fits = min(more, role.pods_per_node * pool.nodes - role.pods)
        by_gpus = role.size.workers == 1 and role.limited_by == "GPUs"
        raise_it = f"set replicas of {role.name} to {role.size.replicas + fits}, or " if by_gpus and fits > 0 else ""
        at = ("spec", role.name, "replicas") if plan.spec.role(role.name).replicas else hardware(plan, role)
        says = f"the pods use {pool.gpus_used} of the {pool.gpus} GPUs of {pool.nodes} x {pool.instance}"
        yield found(*at, says=says, fix=f"{raise_it}use an instance type with fewer GPUs")


@rule("FIT014", "warning", "a model server without cpu or memory of its own")
def ranks_have_room(plan: Plan) -> Iterator[Draft]:
    """Each rank has a process on the host with a CUDA context, pinned buffers and a thread that feeds the GPU: about
    4 GiB and a core. With less, the container is killed while weights load, or the probe gives up before they have.

    Fails:  `{decode: {parallelism: {tensor: 2}, resources: {memory: 2Gi}}}`; `{decode: {resources: {cpu: 200m}}}`.
    Passes: `{decode: {resources: {memory: 64Gi, cpu: "8"}}}`.
    """
    for role in plan.roles:
        own, ranks = plan.spec.role(role.name).resources, role.size.gpus_per_pod
        least = RANK_MIB * ranks
        if own.memory and GIB <= to_bytes(role.memory) < least * MIB:
            says = f"{role.memory} of memory is little for {ranks} ranks of about {gib(RANK_MIB)} each"
            fix = f"set memory: {gib_up(least + to_bytes(role.shm) // MIB)} or more"
            yield found("spec", role.name, "resources", "memory", says=says, fix=fix)
        if own.cpu and 100 <= to_millis(role.cpu) < 1000 * ranks:
            says = f"{role.cpu} cpu is less than a core for each of {ranks} ranks"
            yield found("spec", role.name, "resources", "cpu", says=says, fix=f'set cpu: "{ranks}" or more')


@rule("FIT019", "warning", "pods that find room only while they are packed")
def pods_find_room_in_any_order(plan: Plan) -> Iterator[Draft]:
    """A plan counts nodes as if they were filled without a gap. The pods of a role prefer nodes where others of it are,
    and so they fill them at first; but in a rolling update, or after a node is lost, small pods may take what is free
    first, a little on every node, and a larger one stays Pending until somebody moves them. One of a higher priority
    makes that room itself.

    Fails:  `{path: pd-disaggregation, prefill: {replicas: 2, parallelism: {tensor: 1}}, decode: {replicas: 3,
            parallelism: {tensor: 4}}}`: 14 GPUs on two nodes of 8.
    Passes: fewer, `{path: pd-disaggregation, prefill: {replicas: 2, parallelism: {tensor: 1}}, decode: {replicas: 2,
            parallelism: {tensor: 4}}}`, or with a PriorityClass: `{path: pd-disaggregation, prefill: {replicas: 2,
            parallelism: {tensor: 1}}, decode: {replicas: 3, parallelism: {tensor: 4}, pod: {priorityClassName: a}}}`.
    """
    for pool in plan.pools:
        roles = [role for role in plan.roles if role.name in pool.roles and role.pods_per_node]
        if len(roles) < 2:
            continue
        small, *_, large = sorted(roles, key=lambda role: role.need)
        sure = sure_nodes([(role.need, role.pods) for role in roles], large.node.room)
        classes = [plan.spec.role(role.name).pod.get("priorityClassName") for role in (small, large)]
        if sure > pool.nodes and (not classes[1] or classes[0] == classes[1]):
            says = (
                f"{pool.nodes} x {pool.instance} have room for all pods only while they are packed: in an update those"
            )
            says += f" of {small.name} may take what {large.name} needs"
            fix = f"give {large.name} a PriorityClass (pod: {{priorityClassName: ...}}), or keep {sure} such nodes"
            yield found("spec", large.name, "replicas", says=says, fix=fix)
