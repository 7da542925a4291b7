"""SUMMARY.md: what a reviewer reads first, and what a person on call has to know to keep a deployment running."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from llmdgen.composition.contribution import Tier
from llmdgen.engine.memory import Memory
from llmdgen.findings import Located, Severity
from llmdgen.objects.chart import DEPLOYMENT
from llmdgen.objects.pod import OWN_SECONDS, SHARED_SECONDS
from llmdgen.objects.workload import deadline, restart_policy, rollout
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.planning.source import namespace_command, token_command
from llmdgen.quantities import GIB
from llmdgen.rendering.encoding import code, markdown, shell_word
from llmdgen.resources import filled
from llmdgen.yaml_text import Text

FIRST_MESSAGE = "What is an EFA interface?"
MOST_TOKENS = 128
BOUNDED = "LMCacheConnectorV1"  # the connector whose disk tier keeps to a size


def summary(plan: Plan, findings: tuple[Located, ...]) -> str:
    """The Markdown of a target: templates/SUMMARY.md without the sections that have an empty value in them. `findings`
    are the warnings and notes that stand."""
    spec, memory = plan.spec.asked, plan.engine["memory"]
    values = {
        "name": plan.spec.name,
        "target": plan.target,
        "release": plan.release.name,
        "titles": " + ".join(plan.titles),
        "platform": plan.platform[spec.platform]["title"],
        "namespace": code(plan.names.namespace),
        "model": code(spec.model.name),
        "uri": code(plan.model_uri),
        "roles": _rows(map(_role, plan.roles)),
        "used": _list(_used(plan)),
        "basis": memory["basis"],
        "margin": f"{memory['margin_gib']:g}",
        "margin_several": f"{memory['margin_gib_several_gpus']:g}",
        "kv_cache": _rows(_memory(role.name, role.memory_use) for role in plan.roles if role.memory_use),
        "cache_tiers": _rows((tier.name, tier.connector, tier.where, _size(plan, tier)) for tier in plan.tiers),
        "notable": _list([*_notable(plan), *_said(findings, Severity.NOTE)]),
        "warnings": _list(_said(findings, Severity.WARNING)),
        "suppressed": _list(Text(f"{code(each.code)}: {markdown(each.reason)}") for each in spec.suppress),
        "steps": _list(_before(plan), mark="1."),
        **_first_request(plan),
        "keeping": _list(_keep_running(plan)),
    }
    return filled("SUMMARY.md", {name: markdown(value) for name, value in values.items()}, between="\n\n## ") + "\n"


def _lines(lines: Iterable[str]) -> Text:
    return Text("\n".join(lines))


def _list(lines: Iterable[str], mark: str = "-") -> Text:
    """A list of lines, each as text without markup unless it is encoded already."""
    return _lines(f"{mark} {markdown(line)}" for line in lines)


def _said(findings: Iterable[Located], severity: Severity) -> Iterator[Text]:
    """The findings of a severity; what mends a warning is said too."""
    for each in (located.finding for located in findings if located.finding.severity is severity):
        fix = f" Fix: {markdown(each.fix)}." if each.fix and severity is Severity.WARNING else ""
        yield Text(f"{code(each.code)}: {markdown(each.says)}.{fix}")


def _used(plan: Plan) -> Iterator[str]:
    """How the pods fill the nodes, and how each role comes to its EFA interfaces."""
    for pool in plan.pools:
        yield (
            f"{pool.nodes} x {pool.instance}: {pool.gpus_used} of {pool.gpus} GPUs,"
            f" {pool.efa_used} of {pool.efa} EFA interfaces in use."
        )
    for role in plan.roles if plan.one_zone else ():
        gpus, has, share = role.size.gpus_per_pod, role.node, role.efa_share
        rule = f"{has.efa} EFA interfaces / {has.gpus} GPUs x {gpus} GPU{'s' * (gpus > 1)} a pod = {share} a pod"
        own = "" if role.efa_per_pod == share else f"; the spec says {role.efa_per_pod}"
        yield f"{role.name}: {rule}{own}"


def _role(role: RolePlan) -> tuple[Any, ...]:
    size = role.size
    parts = [f"TP {size.tensor}"]
    if size.data > 1:
        parts.append(f"DP {size.data}")
    if size.expert:
        parts.append(f"EP {size.expert_parallel}")
    nodes = f"{role.nodes} x {role.node.instance.name}"
    asked = (size.gpus_per_pod, role.efa_per_pod, role.cpu, role.memory, role.shm)
    return role.name, size.replicas, ", ".join(parts), role.pods, nodes, *asked


def _rows(rows: Iterable[tuple[Any, ...]]) -> Text:
    """Rows of a table, each cell as text without markup."""
    return _lines(f"| {' | '.join(map(markdown, row))} |" for row in rows)


def _memory(role: str, use: Memory) -> tuple[str, ...]:
    return (
        role,
        f"{use.weights / GIB:.1f} GiB of {use.gpu / GIB:.0f}",
        f"{use.kv / GIB:.1f} GiB",
        f"{use.kv_bytes_per_token:,}",
        f"{use.kv_tokens:,}",
        f"{use.sequences:.1f} of {use.max_model_len:,}",
    )


def _size(plan: Plan, tier: Tier) -> str:
    """Per pod, role by role where they differ; storage is one for all pods."""
    sizes = {role.name: f"{tier.bytes[role.name] / GIB:,.0f} GiB" for role in plan.roles}
    if tier.name == "storage":
        return f"{next(iter(sizes.values()))}, shared by all pods"
    if len(set(sizes.values())) == 1:
        return f"{next(iter(sizes.values()))} a pod"
    return ", ".join(f"{size} a {name} pod" for name, size in sizes.items())


def _notable(plan: Plan) -> Iterator[str]:
    """What a reviewer would ask about: transfer, connectors, hybrid cache, flags, scheduling, exposure."""
    for connector in plan.connectors:
        yield Text(f"{code(connector.name)}: {markdown(connector.serves)}.")
    if len(plan.connectors) > 1:
        yield Text(f"{code('MultiConnector')} asks {', then '.join(connector.name for connector in plan.connectors)}.")
    if plan.one_zone:
        zone = plan.spec.asked.cluster.zone
        where = f"zone {zone}" if zone else "the zone of the first pod (pod affinity)"
        yield f"EFA does not leave an availability zone: every pod runs in {where}."
    for role in plan.roles:
        yield Text(f"{role.name} flags: {' '.join(map(code, role.arguments))}")
    yield _scorers(plan)
    service = f"Service {plan.names.gateway_service} of type {plan.gateway.service_type}"
    yield f"Gateway: {plan.gateway.provider}, {service}."
    yield from (f"{note[:1].upper()}{note[1:]}." for note in (*plan.notes, *plan.scheduler.notes))


def _scorers(plan: Plan) -> str:
    """The scorers of each profile with their weights; a profile is named where there are several."""
    if not plan.scheduler.scorers:
        return "The scheduler picks at random."
    profiles = plan.scheduler.config["schedulingProfiles"]
    found = []
    for profile in profiles:
        weights = [(each["pluginRef"], each["weight"]) for each in profile["plugins"] if "weight" in each]
        scorers = ", ".join(f"{name} {weight:g}" for name, weight in weights) or "none, it picks at random"
        found.append(f"of {profile['name']} {scorers}" if len(profiles) > 1 else scorers)
    return f"Scheduler scorers: {'; '.join(found)}."


def _before(plan: Plan) -> Iterator[str]:
    """What the cluster needs and this directory does not bring."""
    namespace, secret = plan.names.namespace, plan.spec.asked.model.auth_secret_name
    over_efa = any(role.efa_per_pod for role in plan.roles)
    yield (
        "The cluster prerequisites: Gateway API and inference extension CRDs, "
        f"{plan.gateway.provider}, the NVIDIA device plugin, Prometheus operator CRDs"
        + (", the EFA device plugin" if over_efa else "")
        + (", LeaderWorkerSet" if plan.multinode else "")
        + (", the AWS Load Balancer Controller" if plan.gateway.needs_controller else "")
        + "."
    )
    yield Text(f"The namespace: {code(namespace_command(namespace))}")
    if secret:
        token = code(token_command(namespace, secret))
        yield Text(f"The Hugging Face token, from your own environment, as a Secret: {token}")
    yield from _storage(plan)
    if over_efa:
        yield "A security group on the nodes that allows all traffic to and from itself, both ways."


def _storage(plan: Plan) -> Iterator[str]:
    """Room for the weights and the cache tiers that the cluster has to have."""
    cache, namespace = plan.spec.asked.cache, plan.names.namespace
    if plan.model_uri.startswith("pvc"):
        claim = plan.model_uri.partition("://")[2].partition("/")[0]
        yield f"The claim {claim} in namespace {namespace}, with the weights, readable by every pod at once."
    elif plan.model_size:
        most = max(min(role.pods, role.pods_per_node) for role in plan.roles)
        pods = f"a node holds up to {most} pod{'s' * (most > 1)}"
        yield f"Ephemeral storage: every pod downloads the weights and requests {plan.model_size}; {pods}."
    if cache.disk:
        path = next(tier.where.removesuffix(" of the node") for tier in plan.tiers if tier.name == "disk")
        yield f"The node's NVMe mounted above {path}, which no Amazon EKS node does by default."
    if cache.storage:
        yield f"The claim {cache.storage.claim} in namespace {namespace}, ReadWriteMany, for the KV cache."


def _first_request(plan: Plan) -> dict[str, Text]:
    """What shell lines need that wait for the servers, find the gateway's address and send a chat request."""
    kubectl, service = f"kubectl -n {plan.names.namespace}", plan.names.gateway_service
    question = {"role": "user", "content": FIRST_MESSAGE}
    asked = {"model": plan.spec.asked.model.name, "messages": [question], "max_tokens": MOST_TOKENS}
    body: str = shell_word(msgspec.json.encode(asked).decode())
    balancer = plan.spec.asked.gateway.load_balancer
    if plan.gateway.service_type == "LoadBalancer":
        path = "'{.status.loadBalancer.ingress[0].hostname}'"
        address = f"address=$({kubectl} get service {service} -o jsonpath={path})"
        if balancer and balancer.scheme == "internal":
            address = f"# The load balancer is internal: run this inside the VPC.\n{address}"
    else:
        # The request waits until the port answers; where the forwarding ends instead, its own error stands above.
        address = (
            f"{kubectl} port-forward service/{service} 8080:80 >/dev/null & forward=$!\n"
            "address=localhost:8080\n"
            'until curl -s -o /dev/null "http://$address/"; do kill -0 $forward || break; sleep 1; done'
        )
        body += "\nkill $forward"
    return {
        "kubectl": Text(kubectl),
        "pods": Text(f"{DEPLOYMENT}={plan.spec.name}"),
        "startup": Text(max(role.life.startup for role in plan.roles)),
        "gateway": Text(plan.names.gateway),
        "address": Text(address),
        "body": Text(body),
    }


def _keep_running(plan: Plan) -> Iterator[str]:
    """One sentence or two for each thing that a person on call has to know, each true of what is rendered."""
    for role in plan.roles:
        yield f"Lost node, {role.name}: {_lost(plan, role)}"
        yield f"Rollout, {role.name}: {_rollout(plan, role)}"
    ends = ", ".join(f"{role.life.shutdown or role.life.pre_stop} s in {role.name}" for role in plan.roles)
    yield f"Drain: a pod that is asked to end goes on with its answers for at most {ends}; longer ones are cut."
    if plan.transfers:
        yield (
            "A prefill pod that ends takes KV cache with it that decode has not read yet. Engines of different vLLM"
            " versions refuse each other's transfers: deploy a new one beside this one (llmdgen upgrade prints how)."
        )
    mode = plan.release.pool_failure_mode
    without = "spreads requests at random" if mode == "FailOpen" else "refuses requests"
    yield f"Scheduler: while none is ready, the gateway {without} ({mode}); a change of its configuration restarts it."
    yield from map(_full, (tier for tier in plan.tiers if tier.name != "cpu"))
    if plan.gateway.service_type == "LoadBalancer":
        given = plan.gateway.annotations.items()
        idle = next((value for key, value in given if "/aws-load-balancer-listener-attributes" in key), "")
        if not idle:
            yield "Quiet streams: the load balancer of EKS Auto Mode cuts one that is silent for 350 s."
        else:
            seconds = idle.rpartition("=")[2]
            yield f"Quiet streams: the load balancer cuts one that is silent for {seconds} s (gateway.idleTimeout)."


def _lost(plan: Plan, role: RolePlan) -> str:
    if role.size.workers > 1:
        loading = " While the group still loads, it alone starts anew." if restart_policy(plan) else ""
        return f"one lost pod restarts its whole group of {role.size.workers}, which loads the weights again.{loading}"
    anew = f"must start anew on a node of {role.node.label} with room"
    if role.pods == 1:
        return f"its pod {anew}, and stays Pending without one."
    return f"up to {min(role.pods, role.pods_per_node)} of {role.pods} pods {anew}, and stay Pending without one."


def _rollout(plan: Plan, role: RolePlan) -> str:
    how = rollout(plan, role)
    if how["maxSurge"]:
        first = "a new server starts before an old one ends, because the plan leaves room for it"
    elif role.size.replicas == 1:
        first = "the only server ends before the new one starts, and nothing serves in between"
    else:
        first = f"{how['maxUnavailable']} of {role.size.replicas} servers at a time ends before a new one starts"
    late = "" if plan.multinode else f", and after {deadline(role) / 60:g} the rollout counts as failed"
    return f"{first}; it may take {role.life.startup / 60:g} minutes to start{late}."


def _full(tier: Tier) -> str:
    if tier.connector != BOUNDED:
        looks = f"{OWN_SECONDS if tier.name == 'disk' else SHARED_SECONDS} s"
        return f"Full {tier.name} tier: each pod deletes every {looks} what was written first, until its size is kept."
    if tier.name == "disk":
        return "Full disk tier: LMCache keeps to its size and evicts; a pod empties its directory when it starts."
    return "Full storage tier: nothing evicts from the claim. Delete files by age, or the writes fail once it is full."
