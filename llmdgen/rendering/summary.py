"""SUMMARY.md: what a reviewer reads first, and what a person on call has to know to keep a deployment running."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from llmdgen.composition.contribution import Tier
from llmdgen.engine.memory import Memory
from llmdgen.findings import Finding, Located, Severity
from llmdgen.objects.chart import DEPLOYMENT
from llmdgen.objects.pod import OWN_SECONDS, SHARED_SECONDS
from llmdgen.objects.workload import deadline, restart_policy, rollout
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.planning.source import namespace_command, token_command
from llmdgen.quantities import GIB
from llmdgen.rendering.encoding import code, filled_markdown, markdown, shell_word
from llmdgen.spec.model import Suppression
from llmdgen.yaml_text import Text

FIRST_MESSAGE = "What is an EFA interface?"
MOST_TOKENS = 128

Block = list[Text]
"""Lines of Markdown that belong together; an empty line stands between two blocks."""
BOUNDED = "LMCacheConnectorV1"  # the connector whose disk tier keeps to a size


def summary(plan: Plan, findings: tuple[Located, ...]) -> str:
    """The Markdown of a target. `findings` are the warnings and notes that stand."""
    blocks = [*_about(plan), *_allocation(plan), *_kv_cache(plan), *_cache_tiers(plan)]
    notes = [each.finding for each in findings if each.finding.severity is Severity.NOTE]
    blocks += _section("Notable", [*map(_bullet, _notable(plan)), *map(_note, notes)])
    warnings = [each.finding for each in findings if each.finding.severity is Severity.WARNING]
    blocks += _section("Warnings", list(map(_warning, warnings)))
    blocks += _section("Suppressed findings", list(map(_suppressed, plan.spec.asked.suppress)))
    blocks += _section("Before the first apply", [filled_markdown("1. {step}", step=step) for step in _before(plan)])
    blocks += _section("Apply", _shell(_apply(plan)))
    blocks += _section("First request", _shell(_request(plan)))
    blocks += _section("Keeping it running", [_bullet(line) for line in keep_running(plan)])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _section(title: str, *blocks: Block) -> list[Block]:
    """A heading and what stands below it; nothing where that is empty."""
    found = [block for block in blocks if block]
    return [[filled_markdown("## {title}", title=title)], *found] if found else []


def _bullet(line: Text | str) -> Text:
    return filled_markdown("- {line}", line=line)


def _note(note: Finding) -> Text:
    return filled_markdown("- {code}: {says}.", code=code(note.code), says=note.says)


def _warning(warning: Finding) -> Text:
    fix = filled_markdown(" Fix: {fix}.", fix=warning.fix) if warning.fix else ""
    return filled_markdown("{note}{fix}", note=_note(warning), fix=fix)


def _suppressed(each: Suppression) -> Text:
    return filled_markdown("- {code}: {reason}", code=code(each.code), reason=each.reason)


def _shell(lines: list[Text]) -> Block:
    return [Text("```bash"), *lines, Text("```")]


def _about(plan: Plan) -> list[Block]:
    """The title, what is deployed where, and the picture."""
    spec = plan.spec.asked
    deployed = filled_markdown(
        "llm-d {release} · {titles} · {platform} · namespace {namespace}",
        release=plan.release.name,
        titles=" + ".join(plan.titles),
        platform=plan.platform[spec.platform]["title"],
        namespace=code(plan.names.namespace),
    )
    return [
        [filled_markdown("# {name} on {target}", name=plan.spec.name, target=plan.target)],
        [deployed],
        [filled_markdown("Serves {model} from {uri}.", model=code(spec.model.name), uri=code(plan.model_uri))],
        [Text("![Traffic, nodes, pods, the memory of GPUs, EFA interfaces](topology.svg)")],
    ]


def _allocation(plan: Plan) -> list[Block]:
    """What each role takes, and how its pods fill the nodes."""
    head = ("role", "replicas", "parallelism", "pods", "nodes", "GPUs a pod", "EFA a pod", "cpu", "memory", "/dev/shm")
    used = [
        _bullet(
            f"{pool.nodes} x {pool.instance}: {pool.gpus_used} of {pool.gpus} GPUs,"
            f" {pool.efa_used} of {pool.efa} EFA interfaces in use."
        )
        for pool in plan.pools
    ]
    shares = [_bullet(_efa(role)) for role in plan.roles if role.efa_needed]
    return _section("Allocation", _table(head, map(_role, plan.roles)), [*used, *shares])


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


def _table(head: tuple[Any, ...], rows: Iterable[tuple[Any, ...]]) -> Block:
    """A table of cells, each as text without markup; no table without rows."""
    lines = [Text(f"| {' | '.join(map(markdown, row))} |") for row in (head, *rows)]
    return [lines[0], Text("|---" * len(head) + "|"), *lines[1:]] if len(lines) > 1 else []


def _efa(role: RolePlan) -> str:
    node, gpus = role.node, role.size.gpus_per_pod
    rule = f"{node.efa} EFA interfaces / {node.gpus} GPUs x {gpus} GPU{'s' * (gpus > 1)} a pod = {role.efa_share} a pod"
    own = "" if role.efa_per_pod == role.efa_share else f"; the spec says {role.efa_per_pod}"
    return f"{role.name}: {rule}{own}"


def _kv_cache(plan: Plan) -> list[Block]:
    """How much of a GPU the KV cache gets, where the model's shape is known."""
    uses = [(role.name, role.memory_use) for role in plan.roles if role.memory_use]
    if not uses:
        return []
    settings = plan.engine["memory"]
    about = markdown(
        f"Estimates: {settings['basis']}. Allow {settings['margin_gib']:g} GiB either way on one GPU, "
        f"{settings['margin_gib_several_gpus']:g} GiB where several serve together; vLLM prints the real figure at its "
        "start."
    )
    requests = filled_markdown("requests of {flag}", flag=code("--max-model-len"))
    head = ("role", "weights on a GPU", "KV cache on a GPU", "bytes a token", "tokens a rank", requests)
    return _section("KV cache", [Text(about)], _table(head, (_memory(name, use) for name, use in uses)))


def _memory(role: str, use: Memory) -> tuple[str, ...]:
    return (
        role,
        f"{use.weights / GIB:.1f} GiB of {use.gpu / GIB:.0f}",
        f"{use.kv / GIB:.1f} GiB",
        f"{use.kv_bytes_per_token:,}",
        f"{use.kv_tokens:,}",
        f"{use.sequences:.1f} of {use.max_model_len:,}",
    )


def _cache_tiers(plan: Plan) -> list[Block]:
    rows = [(tier.name, tier.connector, tier.where, _tier_size(plan, tier)) for tier in plan.tiers]
    return _section("Cache tiers", _table(("tier", "connector", "where", "size"), rows))


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
        zone = plan.spec.asked.cluster.zone
        where = f"zone {zone}" if zone else "the zone of the first pod (pod affinity)"
        found.append(markdown(f"EFA does not leave an availability zone: every pod runs in {where}."))
    for role in plan.roles:
        flags = " ".join(str(code(argument)) for argument in role.arguments)
        found.append(Text(f"{role.name} flags: {flags}"))
    found.append(markdown(_scorers(plan)))
    service = f"Service {plan.names.gateway_service} of type {plan.gateway.service_type}"
    found.append(markdown(f"Gateway: {plan.gateway.provider}, {service}."))
    found += [markdown(f"{note[:1].upper()}{note[1:]}.") for note in (*plan.notes, *plan.scheduler.notes)]
    return found


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


def _before(plan: Plan) -> list[Text]:
    """What the cluster needs and this directory does not bring."""
    namespace, secret = plan.names.namespace, plan.spec.asked.model.auth_secret_name
    found = [
        markdown(
            "The cluster prerequisites: Gateway API and inference extension CRDs, "
            f"{plan.gateway.provider}, the NVIDIA device plugin, Prometheus operator CRDs"
            + (", the EFA device plugin" if any(role.efa_per_pod for role in plan.roles) else "")
            + (", LeaderWorkerSet" if plan.multinode else "")
            + (", the AWS Load Balancer Controller" if plan.gateway.needs_controller else "")
            + "."
        )
    ]
    found.append(Text(f"The namespace: {code(namespace_command(namespace))}"))
    if secret:
        token = code(token_command(namespace, secret))
        found.append(Text(f"The Hugging Face token, from your own environment, as a Secret: {token}"))
    found += map(markdown, _storage(plan))
    if any(role.efa_per_pod for role in plan.roles):
        found.append(Text("A security group on the nodes that allows all traffic to and from itself, both ways."))
    return found


def _storage(plan: Plan) -> list[str]:
    """Room for the weights and the cache tiers that the cluster has to have."""
    cache, namespace = plan.spec.asked.cache, plan.names.namespace
    found = []
    if plan.model_uri.startswith("pvc"):
        claim = plan.model_uri.partition("://")[2].partition("/")[0]
        found.append(f"The claim {claim} in namespace {namespace}, with the weights, readable by every pod at once.")
    elif plan.model_size:
        most = max(min(role.pods, role.pods_per_node) for role in plan.roles)
        pods = f"a node holds up to {most} pod{'s' * (most > 1)}"
        found.append(f"Ephemeral storage: every pod downloads the weights and requests {plan.model_size}; {pods}.")
    if cache.disk:
        tier = next(each for each in plan.tiers if each.name == "disk")
        path = tier.where.removesuffix(" of the node")
        found.append(f"The node's NVMe mounted above {path}, which no Amazon EKS node does by default.")
    if cache.storage:
        found.append(f"The claim {cache.storage.claim} in namespace {namespace}, ReadWriteMany, for the KV cache.")
    return found


def _apply(plan: Plan) -> list[Text]:
    watch = f"kubectl -n {plan.names.namespace} get gateway,httproute,inferencepool,pods"
    return [Text("helmfile apply"), Text(watch)]


def _request(plan: Plan) -> list[Text]:
    """Shell lines that wait for the servers, find the gateway's address and send a chat request."""
    namespace, service = plan.names.namespace, plan.names.gateway_service
    body = msgspec.json.encode(
        {
            "model": plan.spec.asked.model.name,
            "messages": [{"role": "user", "content": FIRST_MESSAGE}],
            "max_tokens": MOST_TOKENS,
        }
    ).decode()
    start = max(role.life.startup for role in plan.roles)
    kubectl = f"kubectl -n {namespace}"
    lines = [
        f"{kubectl} wait pods -l {DEPLOYMENT}={plan.spec.name} --for=condition=Ready --timeout={start}s",
        f"{kubectl} wait gateway/{plan.names.gateway} --for=condition=Programmed --timeout=300s",
    ]
    if plan.gateway.service_type == "LoadBalancer":
        path = "'{.status.loadBalancer.ingress[0].hostname}'"
        balancer = plan.spec.asked.gateway.load_balancer
        if balancer and balancer.scheme == "internal":
            lines.append("# The load balancer is internal: run this inside the VPC.")
        lines.append(f"address=$({kubectl} get service {service} -o jsonpath={path})")
    else:
        # The request waits until the port answers; where the forwarding ends instead, its own error stands above.
        lines += [
            f"{kubectl} port-forward service/{service} 8080:80 >/dev/null & forward=$!",
            "address=localhost:8080",
            'until curl -s -o /dev/null "http://$address/"; do kill -0 $forward || break; sleep 1; done',
        ]
    curl = "curl -sS --fail-with-body --retry 12 --retry-delay 5 --retry-all-errors"
    after = [] if plan.gateway.service_type == "LoadBalancer" else [Text("kill $forward")]
    return [
        *map(Text, lines),
        Text(f"{curl} \"http://$address/v1/chat/completions\" -H 'Content-Type: application/json' \\"),
        Text(f"  -d {shell_word(body)}"),
        *after,
    ]


def keep_running(plan: Plan) -> Iterator[str]:
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
    yield _scheduler(plan)
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


def _scheduler(plan: Plan) -> str:
    mode = plan.release.pool_failure_mode
    without = "the gateway spreads requests at random" if mode == "FailOpen" else "the gateway refuses requests"
    return f"Scheduler: while none is ready, {without} ({mode}); a change of its configuration restarts it."


def _full(tier: Tier) -> str:
    if tier.connector != BOUNDED:
        looks = f"{OWN_SECONDS if tier.name == 'disk' else SHARED_SECONDS} s"
        return f"Full {tier.name} tier: each pod deletes every {looks} what was written first, until its size is kept."
    if tier.name == "disk":
        return "Full disk tier: LMCache keeps to its size and evicts; a pod empties its directory when it starts."
    return "Full storage tier: nothing evicts from the claim. Delete files by age, or the writes fail once it is full."
