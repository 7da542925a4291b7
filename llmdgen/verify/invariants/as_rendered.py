"""What a render always writes, and an edit by hand takes away without any other rule seeing it.

Where the lock says that the files are those that llmdgen wrote, a part that is otherwise is the spec's own wish (`pod`,
`images`), and none of the warnings here is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from llmdgen.checks._annotations import wrong
from llmdgen.checks.serving import patience, pause
from llmdgen.facts.catalogue import table
from llmdgen.findings import Route
from llmdgen.kube.workload import ROLE_LABEL, image_name
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, mapping, maps
from llmdgen.verify.invariants.gateway import annotations_and_labels
from llmdgen.verify.invariants.labels import DEPLOYMENT
from llmdgen.verify.rendered import Rendered, differences, match_labels

_OF_A_ROLE = frozenset(
    {"args", "command", "containerPort", "initContainers", "replicas", "resources", "size", ROLE_LABEL, "nodeSelector"}
)
_OF_AN_OBJECT = {("name", ("metadata",)), ("kind", ()), ("annotations", ("metadata",))}
_SELECTING = ("Deployment", "PodDisruptionBudget", "PodMonitor")


@rule("VER118", "warning", "an object that is not marked as the deployment's, or selects more than one role of it")
def objects_are_the_deployments(rendered: Rendered) -> Iterator[Draft]:
    """Every object of chart/ carries llm-d.ai/deployment, and what selects pods selects those of one deployment and
    role: a disruption budget over two roles lets neither be drained, a monitor over two deployments counts both.

    Fails:  a PodDisruptionBudget that selects llm-d.ai/deployment alone; a Gateway without the label.
    Passes: llm-d.ai/deployment and llm-d.ai/role in every selector.
    """
    name = rendered.stated.get("name")
    for manifest in rendered.own() if name else ():
        if at(manifest.doc, "metadata", "labels", DEPLOYMENT) != name:
            says = f"it is not labelled {DEPLOYMENT}: {name}"
            yield found("metadata", "labels", DEPLOYMENT, says=says, fix="render again", of=manifest)
        if manifest.kind in _SELECTING:
            selector = match_labels(manifest)
            roles = [each.role for each in rendered.selected(selector) if each.vllm is not None]
            if selector.get(DEPLOYMENT) != name or selector.get(ROLE_LABEL) not in roles:
                says = f"it does not select the pods of one role of {name}"
                yield found("spec", "selector", says=says, fix=f"select {DEPLOYMENT} and {ROLE_LABEL}", of=manifest)


@rule("VER119", "warning", "a model server ends or starts in another way than it was rendered to")
def servers_end_and_start_in_time(rendered: Rendered) -> Iterator[Draft]:
    """Before a pod ends, it waits until no gateway sends to it any more. While it starts, the startup probe asks for as
    long as weights take to load; then the liveness probe ends a server that hangs, and the deadlines of the Deployment
    and of helm come after that. Whether all of it fits the grace period, VER114 asks.

    Fails:  no preStop; no livenessProbe; progressDeadlineSeconds below what the startup probe waits; readiness that
            takes two minutes to see that vLLM hangs.
    Passes: preStop sleep 15, and a deadline ten minutes after the startup probe's.
    """
    waits = rendered.state.helm_defaults.timeout or 300
    for vllm in () if rendered.is_sealed else rendered.engines:
        workload = vllm.workload
        if not pause(vllm):
            says = "it ends at once, while gateways still send to it"
            yield vllm.found("lifecycle", "preStop", says=says, fix="let it sleep 15 seconds first")
        if not vllm.doc.get("livenessProbe"):
            yield vllm.found("livenessProbe", says="nobody ends a vLLM that hangs", fix="ask /health")
        for probe, longest in (("livenessProbe", 300), ("readinessProbe", 60)):
            asked = mapping(vllm.doc.get(probe))
            if asked and patience(asked) > longest:
                says = f"it takes {patience(asked)} seconds until somebody sees that vLLM hangs"
                yield vllm.found(probe, says=says, fix="ask more often")
        startup = patience(mapping(vllm.doc.get("startupProbe")))
        limit = at(workload.manifest.doc, "spec", "progressDeadlineSeconds")
        is_deployment = workload.manifest.kind == "Deployment"
        if is_deployment and (not isinstance(limit, int) or not startup < limit <= 2 * startup + 1200):
            says = f"the startup probe waits {startup} seconds, the deadline is {limit or 'that of Kubernetes, 600'}"
            place = ("spec", "progressDeadlineSeconds")
            yield workload.found(*place, says=says, fix="make it ten minutes longer than the probe waits")
        if waits < startup:
            says = f"helm gives up after {waits} seconds, {workload} may load for {startup}"
            yield found("helmDefaults", "timeout", says=says, fix="make it longer", of="helmfile.yaml")


@rule("VER122", "warning", "two roles that differ where a render makes them alike")
def roles_are_alike(rendered: Rendered) -> Iterator[Draft]:
    """Prefill and decode run one image with one set of probes, variables, volumes and rights, and differ in arguments,
    ports, resources and the sidecar. What else is otherwise in one of them, a spec says for that role alone, or
    somebody edited it.

    Fails:  a readiness probe every 50 seconds in prefill.yaml and every 5 in decode.yaml.
    Passes: `engine.env` of the spec, which both get; `decode.env`, as long as the lock vouches for what was rendered.
    """
    own = list(rendered.own())
    for first, second in pairwise(each for each in rendered.model_servers if each.manifest in own):
        one, other = (_shared(each.manifest.doc) for each in (first, second))
        for route, says in differences(one, other, str(second)):
            yield found(*route, says=says, fix="make them alike, or say it in the spec", of=first.manifest)


@rule("VER120", "error", "an environment variable without a value")
def variables_have_values(rendered: Rendered) -> Iterator[Draft]:
    """A variable with neither value nor valueFrom is empty, which most readers take for another value than none.

    Fails:  `{name: HF_HOME}`; `{name: POD_IP, valueFrom: {}}`.
    Passes: `value: ""` where the empty text is meant.
    """
    for container in rendered.containers:
        for index, each in enumerate(container.list_of("env")):
            if each.get("value") is None and not any(mapping(each.get("valueFrom")).values()):
                says = f"{each.get('name')} has no value"
                yield container.found("env", index, says=says, fix="give it one, or remove it")


@rule("VER121", "warning", "images from several registries, or from none that llm-d has")
def images_come_from_one_place(rendered: Rendered) -> Iterator[Draft]:
    """`images.registry` moves every image of a deployment to one registry. An image of the release's name that comes
    from elsewhere than the others is one that somebody else built.

    Fails:  example.com/llm-d/llm-d-routing-sidecar:v0.6.0 beside ghcr.io/llm-d/llm-d-aws:v0.5.1.
    Passes: all from ghcr.io/llm-d; all from 111122223333.dkr.ecr.us-east-1.amazonaws.com/llm-d.
    """
    release = rendered.release
    published = {*release.images.values(), *(each.image for each in release.model_servers.values())}
    homes = {image_name(each): _registry(each) for each in published}
    ours = [each for each in rendered.containers if image_name(each.image) in homes]
    moved = [each for each in ours if _registry(each.image) != homes[image_name(each.image)]]
    is_mirror = len(moved) == len(ours) and len({_registry(each.image) for each in moved}) == 1
    for each in () if rendered.is_sealed or is_mirror else moved:
        says = f"{each.image} is from another registry than others of the release's"
        yield each.found("image", says=says, fix=f"take it from {homes[image_name(each.image)]}, or move all")


@rule("VER116", "error", "KV events go to a port that no Service has")
def events_find_a_port(rendered: Rendered) -> Iterator[Draft]:
    """Where the scheduler listens for KV events, up to llm-d v0.6.0, every vLLM connects to a port of its Service. A
    Service without it leaves the index of cached blocks empty, and says nothing.

    Fails:  --kv-events-config with endpoint tcp://x-router-epp.ns.svc.cluster.local:5557, and a Service of 9002 alone.
    Passes: the port among the Service's.
    """
    for vllm in rendered.engines:
        events = mapping(vllm.flags.get("kv-events-config"))
        address = urlsplit(str(events.get("endpoint") or ""))
        host = (address.hostname or "").split(".")
        service = rendered.find("Service", host[0], host[1] if len(host) > 1 else vllm.workload.namespace)
        ports = [each.get("port") for _, each in maps(at(service.doc, "spec", "ports"))] if service else []
        if service is not None and address.port not in ports:
            says = f"vLLM publishes to port {address.port} of it, which it does not have"
            yield found("spec", "ports", says=says, fix=f"give it port {address.port}", of=service)


@rule("VER117", "error", "a load balancer annotation that the controller cannot use")
def annotations_can_be_used(rendered: Rendered) -> Iterator[Draft]:
    """As GW001 and GW002 of a spec: a name that the AWS Load Balancer Controller does not read, or a value that it
    refuses with nothing but an event.

    Fails:  aws-load-balancer-scheme: internalx; aws-load-balancer-shceme: internal.
    Passes: aws-load-balancer-scheme: internal.
    """
    facts = table("nlb.toml")
    for manifest in rendered.own():
        for route, key, value in annotations_and_labels(manifest.doc):
            name = key.removeprefix(facts["prefix"]).partition(".")[0]
            if not key.startswith(f"{facts['prefix']}aws-load-balancer-") or not isinstance(value, str):
                continue
            entry = facts["annotations"].get(name)
            if entry is None:
                yield found(*route, key, says=f"the controller does not read {name}", fix="remove it", of=manifest)
            for says, fix in wrong(value, entry, facts) if entry else ():
                yield found(*route, key, says=says, fix=fix, of=manifest)


def _shared(value: Any, route: Route = ()) -> Any:
    """What of a document two roles have alike; items of lists go by their names."""
    if isinstance(value, dict):
        own = [key for key in value if key in _OF_A_ROLE or (key, route) in _OF_AN_OBJECT]
        return {key: _shared(each, (*route, str(key))) for key, each in value.items() if key not in own}
    if isinstance(value, list):
        return {str(mapping(each).get("name", at)): _shared(each, (*route, at)) for at, each in enumerate(value)}
    return value


def _registry(image: str) -> str:
    return image.rpartition("/")[0]
