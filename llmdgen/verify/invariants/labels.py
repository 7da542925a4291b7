"""Labels, selectors and names: that objects find the pods and objects that they are for, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.composition.names import model_label
from llmdgen.kube.node import gpu
from llmdgen.kube.workload import ROLE_LABEL, Workload
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, mapping, maps
from llmdgen.verify.rendered import Rendered, match_labels, selects

DEPLOYMENT, _MODEL, _VENDOR = "llm-d.ai/deployment", "llm-d.ai/model", "llm-d.ai/accelerator-vendor"


@rule("VER030", "error", "a model server is in no pool")
def every_model_server_is_in_a_pool(rendered: Rendered) -> Iterator[Draft]:
    """The scheduler sees only the pods that the InferencePool selects: a model server outside serves nothing.

    Fails:  a pool that selects llm-d.ai/deployment: x and pods with another value.
    Passes: every label of the pool's selector on every model server's pods.
    """
    for workload in rendered.model_servers:
        if not rendered.pools_of(workload):
            says = "no InferencePool of the namespace selects these pods"
            fix = "make the pool's matchLabels in values/router.yaml and the labels of these pods agree"
            yield found(*workload.in_template("metadata", "labels"), says=says, fix=fix, of=workload.manifest)


@rule("VER031", "error", "a pool selects pods that are not model servers")
def pools_select_model_servers_only(rendered: Rendered) -> Iterator[Draft]:
    """The scheduler scrapes and chooses every pod of the pool. A pod that does not run vLLM fails requests there.

    Fails:  a pool that selects inferencepool: x-router-epp, the label of the scheduler's own pods.
    Passes: a selector that only model servers match, and that is not empty.
    """
    for pool in rendered.pools:
        selector = match_labels(pool)
        if not selector:
            fix = "select the model servers' labels"
            yield found("spec", "selector", says="the selector is empty", fix=fix, of=pool)
            continue
        for workload in rendered.selected(selector):
            if workload.vllm is None and workload.namespace == pool.namespace:
                says = f"it selects the pods of {workload}, which do not serve vLLM"
                yield found("spec", "selector", says=says, fix="select labels that only model servers have", of=pool)


@rule("VER032", "error", "a Deployment does not select its own pods")
def selectors_match_their_templates(rendered: Rendered) -> Iterator[Draft]:
    """The API server refuses a Deployment whose selector does not match its pod template. The selector cannot change
    later, so that two Deployments of one namespace must not select each other's pods either.

    Fails:  selector llm-d.ai/role: decode over a template with llm-d.ai/role: prefill.
    Passes: the selector is part of the template's labels, and of no other Deployment's.
    """
    for workload in rendered.workloads:
        if workload.manifest.kind not in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"):
            continue
        selector = match_labels(workload.manifest)
        if not selects(selector, workload.labels):
            says = "the selector does not match the labels of the pod template"
            fix = "give the template every label of the selector"
            yield found("spec", "selector", says=says, fix=fix, of=workload.manifest)
        for other in rendered.selected(selector):
            same = other.manifest is workload.manifest or other.namespace != workload.namespace
            if not same and other.manifest.kind == workload.manifest.kind:
                says = f"it also selects the pods of {other}"
                fix = "add a label that tells them apart"
                yield found("spec", "selector", says=says, fix=fix, of=workload.manifest)


@rule("VER033", "error", "a model server has no role, or one that the scheduler does not know")
def roles_are_labelled(rendered: Rendered) -> Iterator[Draft]:
    """The scheduler's prefill-filter and decode-filter read the label llm-d.ai/role: prefill, decode or both.

    Fails:  a decode pod labelled llm-d.ai/role: decoder.
    Passes: llm-d.ai/role: decode.
    """
    for workload in rendered.model_servers:
        if workload.role not in ("prefill", "decode", "both"):
            place = workload.in_template("metadata", "labels", ROLE_LABEL)
            says = f"the role is {workload.role or 'missing'}"
            yield found(*place, says=says, fix="label the pods prefill or decode", of=workload.manifest)


@rule("VER034", "error", "a monitor watches no pods, or a port that they do not have")
def monitors_find_their_targets(rendered: Rendered) -> Iterator[Draft]:
    """A PodMonitor that selects nothing, or names a port or path that the pods do not have, fails silently: Prometheus
    has no series and no error. The same holds for a ServiceMonitor and the ports of its Services.

    Fails:  podMetricsEndpoints with port metrics over pods whose port is called vllm.
    Passes: the selector matches a pod template that has a port of that name.
    """
    for monitor in rendered.of_kind("PodMonitor"):
        watched = rendered.selected(match_labels(monitor))
        if not watched:
            yield found("spec", "selector", says="it selects no pods", fix="select the labels of the role", of=monitor)
        for index, endpoint in maps(at(monitor.doc, "spec", "podMetricsEndpoints")):
            place, path = ("spec", "podMetricsEndpoints", index), endpoint.get("path", "/metrics")
            if path != "/metrics" and any(each.vllm is not None for each in watched):
                says = f"vLLM has no metrics at {path}"
                yield found(*place, "path", says=says, fix="scrape /metrics", of=monitor)
            for workload in watched:
                for says, fix in _wrong_port(workload, endpoint.get("port")):
                    yield found(*place, "port", says=says, fix=fix, of=monitor)
    for monitor in rendered.of_kind("ServiceMonitor"):
        every = [(each, mapping(at(each.doc, "metadata", "labels"))) for each in rendered.of_kind("Service")]
        services = [service for service, labels in every if selects(match_labels(monitor), labels)]
        if not services:
            yield found("spec", "selector", says="it selects no Service", fix="select the Service's labels", of=monitor)
        for index, endpoint in maps(at(monitor.doc, "spec", "endpoints")):
            name = endpoint.get("port")
            for service in services:
                if name not in [port.get("name") for _, port in maps(at(service.doc, "spec", "ports"))]:
                    says = f"{service} has no port called {name}"
                    yield found("spec", "endpoints", index, "port", says=says, fix="name one of its ports", of=monitor)


def _wrong_port(workload: Workload, name: Any) -> Iterator[tuple[str, str]]:
    """Why the port of that name has no metrics of these pods, and what to name instead."""
    ports = [port.get("name") for each in workload.containers for port in each.list_of("ports")]
    vllm = workload.vllm
    if name is not None and name not in ports:
        known = ", ".join(str(port) for port in ports if port)
        yield f"the pods of {workload} have no port called {name}", f"name one of {known or 'their ports'}"
    elif vllm is not None:
        declared = [(each.get("name"), each.get("containerPort")) for each in vllm.list_of("ports")]
        numbers = [number for called, number in declared if called == name]
        if numbers and vllm.port in [number for _, number in declared] and not {*numbers} & {*vllm.served_ports}:
            yield f"port {name} is {numbers[0]}, vLLM has its metrics on {vllm.port}", f"name the port of {vllm.port}"


@rule("VER035", "error", "a Service reaches no pods")
def services_reach_pods(rendered: Rendered) -> Iterator[Draft]:
    """A Service whose selector matches no pods, or whose target port no container holds, answers nothing.

    Fails:  a Service for KV events with targetPort 5557 over a scheduler that declares only 9002.
    Passes: the scheduler's Service, which selects its pods.
    """
    for service in rendered.of_kind("Service"):
        selector = mapping(at(service.doc, "spec", "selector"))
        pods = rendered.selected(selector)
        if selector and not pods:
            yield found("spec", "selector", says="it selects no pods", fix="select the labels of its pods", of=service)
        for index, port in maps(at(service.doc, "spec", "ports")):
            target = port.get("targetPort", port.get("port"))
            for workload in pods:
                ports = [each for container in workload.containers for each in container.list_of("ports")]
                known = [each.get(key) for each in ports for key in ("name", "containerPort")]
                if target not in known:
                    says = f"no container of {workload} has port {target}"
                    fix = "declare the port in the container, or send to one that it has"
                    yield found("spec", "ports", index, says=says, fix=fix, of=service)


@rule("VER104", "warning", "a label does not say what the pods are")
def labels_say_what_pods_are(rendered: Rendered) -> Iterator[Draft]:
    """Dashboards and quotas go by the labels llm-d.ai/model and llm-d.ai/accelerator-vendor, and a pool finds the pods
    of its own deployment by llm-d.ai/deployment. Nothing stops working when they are wrong, until a second deployment
    shares the namespace, or somebody reads them.

    Fails:  llm-d.ai/accelerator-vendor: amd on pods with nvidia.com/gpu; a pool that does not select
            llm-d.ai/deployment, which its pods carry.
    Passes: the last part of the served model's name as llm-d.ai/model; neither of the two labels.
    """
    for workload in rendered.model_servers:
        vllm = workload.vllm
        if vllm is None or not {_MODEL, _VENDOR} & set(workload.labels):
            continue
        served = str(vllm.flags.get("served-model-name") or vllm.flags.get("model") or "")
        wanted = {_MODEL: model_label(served) if served else None, _VENDOR: "nvidia" if vllm.count(gpu()) else None}
        for key, value in wanted.items():
            if value is not None and workload.labels.get(key) != value:
                says = f"it is {workload.labels.get(key) or 'missing'}, the pods are {value}"
                place = workload.in_template("metadata", "labels", key)
                yield found(*place, says=says, fix=f"write {value}", of=workload.manifest)
    for pool in rendered.pools:
        selector = match_labels(pool)
        servers = [each for each in rendered.model_servers if each.namespace == pool.namespace]
        carried = {str(each.labels[DEPLOYMENT]) for each in servers if DEPLOYMENT in each.labels}
        ours = any(str(key).startswith("llm-d.ai/") for key in selector)
        if ours and DEPLOYMENT not in selector and len(carried) == 1:
            says = f"it does not select {DEPLOYMENT}, and would take another deployment's pods too"
            yield found("spec", "selector", says=says, fix=f"add {DEPLOYMENT}: {carried.pop()}", of=pool)


@rule("VER014", "error", "a pod refers to an object that is not there")
def references_exist(rendered: Rendered) -> Iterator[Draft]:
    """A pod whose ConfigMap or ServiceAccount is missing is never created or never starts. Secrets and volume claims
    are the user's own and not looked for here; `llmdgen preflight` asks the cluster for them.

    Fails:  a volume from ConfigMap lmcache-config that no release makes.
    Passes: the plugins' ConfigMap, which the router's chart makes.
    """
    for workload in rendered.workloads:
        for path, kind, name, optional in _references(workload):
            if name and not optional and rendered.find(kind, name, workload.namespace) is None:
                if kind == "ServiceAccount" and name == "default":
                    continue
                says = f"no release makes {kind} {name} in namespace {workload.namespace}"
                yield found(*path, says=says, fix=f"name a {kind} that is there", of=workload.manifest)


def _references(workload: Workload) -> Iterator[tuple[tuple[str | int, ...], str, str, bool]]:
    """The path, kind, name and optional mark of every object of the namespace that a pod cannot start without."""
    spec = workload.in_template("spec")
    yield (*spec, "serviceAccountName"), "ServiceAccount", str(workload.spec.get("serviceAccountName") or ""), False
    sources = [((*spec, "volumes", index), each.get("configMap")) for index, each in maps(workload.spec.get("volumes"))]
    for container in workload.containers:
        for index, each in enumerate(container.list_of("envFrom")):
            sources.append(((*container.route, "envFrom", index), each.get("configMapRef")))
        for index, each in enumerate(container.list_of("env")):
            sources.append(((*container.route, "env", index), at(each, "valueFrom", "configMapKeyRef")))
    for place, source in sources:
        named = mapping(source)
        yield place, "ConfigMap", str(named.get("name") or ""), named.get("optional") is True
