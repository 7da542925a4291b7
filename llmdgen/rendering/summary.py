"""SUMMARY.md: what a reviewer reads first."""

from __future__ import annotations

from typing import Any

import msgspec

from llmdgen.composition.contribution import Tier
from llmdgen.findings import Located, Severity
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.quantities import GIB
from llmdgen.rendering.encoding import code, markdown, shell_word
from llmdgen.rendering.environment import render
from llmdgen.yaml_text import Text

FIRST_MESSAGE = "What is an EFA interface?"
MOST_TOKENS = 128


def summary(plan: Plan, findings: tuple[Located, ...]) -> str:
    """The Markdown of a target. `findings` are the warnings and notes that stand."""
    return render(
        "SUMMARY.md.j2",
        name=plan.spec.name,
        target=plan.target,
        release=plan.release,
        titles=" + ".join(plan.titles),
        platform=plan.platform[plan.spec.spec.platform]["title"],
        names=plan.names,
        model=plan.spec.spec.model.name,
        model_uri=plan.model_uri,
        roles=[_role(role) for role in plan.roles],
        pools=plan.pools,
        efa=[_efa(role) for role in plan.roles if role.efa_needed],
        memory=[_memory(role) for role in plan.roles if role.memory_use],
        tiers=[_tier(plan, tier) for tier in plan.tiers],
        notable=_notable(plan),
        notes=[found.finding for found in findings if found.finding.severity is Severity.NOTE],
        warnings=[found.finding for found in findings if found.finding.severity is Severity.WARNING],
        suppressed=plan.spec.spec.suppress,
        before=_before(plan),
        request=_request(plan),
    )


def _role(role: RolePlan) -> dict[str, Any]:
    size = role.size
    parts = [f"TP {size.tensor}"]
    if size.data > 1:
        parts.append(f"DP {size.data}")
    if size.expert:
        parts.append(f"EP {size.expert_parallel}")
    return {
        "name": role.name,
        "replicas": size.replicas,
        "parallelism": ", ".join(parts),
        "pods": role.pods,
        "nodes": role.nodes,
        "instance": role.node.instance.name,
        "gpus": size.gpus_per_pod,
        "efa": role.efa_per_pod,
        "cpu": role.cpu,
        "memory": role.memory,
        "shm": role.shm,
    }


def _efa(role: RolePlan) -> str:
    node, gpus = role.node, role.size.gpus_per_pod
    rule = f"{node.efa} EFA interfaces / {node.gpus} GPUs x {gpus} GPU{'s' * (gpus > 1)} a pod = {role.efa_share} a pod"
    own = "" if role.efa_per_pod == role.efa_share else f"; the spec says {role.efa_per_pod}"
    return f"{role.name}: {rule}{own}"


def _memory(role: RolePlan) -> dict[str, Any]:
    use = role.memory_use
    assert use is not None
    return {
        "role": role.name,
        "weights": f"{use.weights / GIB:.1f} GiB of {use.gpu / GIB:.0f}",
        "kv": f"{use.kv / GIB:.1f} GiB",
        "per_token": f"{use.kv_bytes_per_token:,}",
        "tokens": f"{use.kv_tokens:,}",
        "requests": f"{use.sequences:.1f}",
        "max_model_len": f"{use.max_model_len:,}",
    }


def _tier(plan: Plan, tier: Tier) -> dict[str, Any]:
    return {
        "name": tier.name,
        "connector": tier.connector,
        "where": tier.where,
        "size": _tier_size(plan, tier),
    }


def _tier_size(plan: Plan, tier: Tier) -> str:
    """Per pod, role by role where they differ; storage is one for all pods."""
    sizes = {role.name: f"{tier.bytes[role.name] / GIB:,.0f} GiB" for role in plan.roles}
    if tier.name == "storage":
        return f"{next(iter(sizes.values()))}, shared by all pods"
    if len(set(sizes.values())) == 1:
        return f"{next(iter(sizes.values()))} a pod"
    return ", ".join(f"{size} a {name} pod" for name, size in sizes.items())


def _notable(plan: Plan) -> list[Text]:
    """What a reviewer would ask about: transfer, connectors, hybrid cache, flags, scheduling, exposure."""
    found = []
    for connector in plan.connectors:
        found.append(Text(f"{code(connector.name)}: {markdown(connector.serves)}."))
    if len(plan.connectors) > 1:
        order = ", then ".join(connector.name for connector in plan.connectors)
        found.append(Text(f"{code('MultiConnector')} asks {markdown(order)}."))
    if plan.one_zone:
        zone = plan.spec.spec.cluster.zone
        where = f"zone {zone}" if zone else "the zone of the first pod (pod affinity)"
        found.append(markdown(f"EFA does not leave an availability zone: every pod runs in {where}."))
    for role in plan.roles:
        flags = " ".join(str(code(argument)) for argument in role.arguments)
        found.append(Text(f"{role.name} flags: {flags}"))
    scorers = ", ".join(f"{scorer.name} {scorer.weight:g}" for scorer in plan.scheduler.scorers)
    found.append(markdown(f"Scheduler scorers: {scorers}.") if scorers else Text("The scheduler picks at random."))
    service = f"Service {plan.names.gateway_service} of type {plan.gateway.service_type}"
    found.append(markdown(f"Gateway: {plan.gateway.provider}, {service}."))
    return found


def _before(plan: Plan) -> list[Text]:
    """What the cluster needs and this directory does not bring."""
    namespace, secret = plan.names.namespace, plan.spec.spec.model.auth_secret_name
    found = [
        markdown(
            "The cluster prerequisites: Gateway API and inference extension CRDs, "
            f"{plan.gateway.provider}, the NVIDIA device plugin, Prometheus operator CRDs"
            + (", the EFA device plugin" if any(role.efa_per_pod for role in plan.roles) else "")
            + (", LeaderWorkerSet" if plan.multinode else "")
            + (", the AWS Load Balancer Controller" if plan.gateway.service_type == "LoadBalancer" else "")
            + "."
        )
    ]
    if secret:
        create = (
            f"kubectl create namespace {namespace} && kubectl -n {namespace} create secret generic {secret}"
            ' --from-literal=HF_TOKEN="$HF_TOKEN"'
        )
        found.append(Text(f"The namespace and the Hugging Face token, from your own environment: {code(create)}"))
    found += map(markdown, _storage(plan))
    if any(role.efa_per_pod for role in plan.roles):
        found.append(Text("A security group on the nodes that allows all traffic to and from itself, both ways."))
    return found


def _storage(plan: Plan) -> list[str]:
    """Room for the weights and the cache tiers that the cluster has to have."""
    cache, namespace = plan.spec.spec.cache, plan.names.namespace
    found = []
    if plan.model_uri.startswith("pvc"):
        claim = plan.model_uri.partition("://")[2].partition("/")[0]
        found.append(f"The claim {claim} in namespace {namespace}, with the weights, readable by every pod at once.")
    elif plan.model_size:
        copies = f"every pod downloads its own copy, up to {plan.model_size}"
        found.append(f"Ephemeral storage on each node for the weights: {copies}.")
    if cache.disk:
        found.append(f"The node's NVMe mounted above {cache.disk.path}, which no Amazon EKS node does by default.")
    if cache.storage:
        found.append(f"The claim {cache.storage.claim} in namespace {namespace}, ReadWriteMany, for the KV cache.")
    return found


def _request(plan: Plan) -> list[Text]:
    """Shell lines that find the gateway's address and send a chat request."""
    namespace, service = plan.names.namespace, plan.names.gateway_service
    body = msgspec.json.encode(
        {
            "model": plan.spec.spec.model.name,
            "messages": [{"role": "user", "content": FIRST_MESSAGE}],
            "max_tokens": MOST_TOKENS,
        }
    ).decode()
    if plan.gateway.service_type == "LoadBalancer":
        path = "'{.status.loadBalancer.ingress[0].hostname}'"
        address = [f"address=$(kubectl -n {namespace} get service {service} -o jsonpath={path})"]
        if plan.spec.spec.gateway.load_balancer and plan.spec.spec.gateway.load_balancer.scheme == "internal":
            address.insert(0, "# The load balancer is internal: run this inside the VPC.")
    else:
        address = [f"kubectl -n {namespace} port-forward service/{service} 8080:80 &", "address=localhost:8080"]
    return [
        *map(Text, address),
        Text("curl -s \"http://$address/v1/chat/completions\" -H 'Content-Type: application/json' \\"),
        Text(f"  -d {shell_word(body)}"),
    ]
