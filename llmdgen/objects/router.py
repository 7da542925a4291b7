"""The values of the router's chart: the pool of model servers, and the scheduler that picks one for each request.

The charts of the releases read different keys; a function a chart says which.
"""

from __future__ import annotations

from typing import Any

from llmdgen.findings import Route
from llmdgen.objects.chart import pool_selector, present
from llmdgen.planning.model import Plan
from llmdgen.planning.source import split
from llmdgen.yaml_text import dump

CONFIG_DIGEST = "llm-d.ai/scheduler-config"

COMMENTS: dict[Route, str] = {
    ("inferenceExtension", "extraContainerPorts"): "Model servers publish their KV cache events to this port.",
    ("inferenceExtension", "sidecar"): "Tokenizes prompts for the scheduler, over a socket that both mount.",
    ("inferenceExtension", "sidecar", "configMap"): (
        "The chart makes a ConfigMap for a sidecar, whether or not it reads one."
    ),
    ("router", "epp", "podAnnotations"): (
        "The chart restarts no scheduler where its configuration changes; another digest does."
    ),
    ("httpRoute",): "The local chart has a route, without this one's time limit.",
}
"""What stands above the entries of either chart's values."""


def router_values(plan: Plan) -> dict[str, Any]:
    """The values of the release's router chart, the spec's own `values.router` over them."""
    return overridden(_CHARTS[plan.release.charts["router"].name](plan), plan.spec.asked.values.router)


def overridden(values: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    """Values with others over them: maps merge, everything else replaces, null removes a key."""
    merged = dict(values)
    for key, value in override.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = overridden(merged[key], value)
        else:
            merged[key] = value
    return merged


def _inferencepool(plan: Plan) -> dict[str, Any]:
    registry, name, tag = split(plan.images.scheduler)
    extension: dict[str, Any] = {
        "replicas": plan.scheduler.replicas,
        "image": {"hub": registry, "name": name, "tag": tag, "pullPolicy": "IfNotPresent"},
        "extProcPort": plan.engine["ports"]["scheduler"],
        "flags": plan.release.scheduler_flags,
        "monitoring": _monitoring(plan),
    }
    if port := plan.scheduler.kv_events_port:
        extension["extraContainerPorts"] = [{"name": "zmq", "containerPort": port, "protocol": "TCP"}]
        extension["extraServicePorts"] = [{"name": "zmq", "port": port, "targetPort": port, "protocol": "TCP"}]
    if plan.scheduler.tokenizer:
        extension |= _tokenizer(plan)
    return {
        "inferencePool": {
            "apiVersion": "inference.networking.k8s.io/v1",
            "modelServerType": "vllm",
            "targetPorts": _target_ports(plan),
            "modelServers": {"matchLabels": pool_selector(plan)},
        },
        "inferenceExtension": {**extension, **_plugins(plan)},
        "provider": _provider(plan),
    }


def _router_gateway(plan: Plan) -> dict[str, Any]:
    registry, name, tag = split(plan.images.scheduler)
    return {
        "router": {
            "modelServers": {
                "type": "vllm",
                "protocol": "http",
                "targetPorts": _target_ports(plan),
                "matchLabels": pool_selector(plan),
            },
            "inferencePool": {"failureMode": plan.release.pool_failure_mode},
            "epp": {
                "replicas": plan.scheduler.replicas,
                "image": {"registry": registry, "repository": name, "tag": tag, "pullPolicy": "IfNotPresent"},
                "flags": plan.release.scheduler_flags,
                "resources": plan.release.scheduler_resources,
                "podAnnotations": {CONFIG_DIGEST: plan.scheduler.digest},
                **_plugins(plan),
            },
            "monitoring": _monitoring(plan),
        },
        "provider": _provider(plan),
        "httpRoute": {"create": False},
    }


_CHARTS = {"inferencepool": _inferencepool, "llm-d-router-gateway": _router_gateway}


def _target_ports(plan: Plan) -> list[dict[str, int]]:
    return [{"number": port} for port in plan.target_ports]


def _monitoring(plan: Plan) -> dict[str, Any]:
    auth = {"secretName": plan.names.metrics_secret}
    return {"interval": "10s", "prometheus": {"enabled": True, "auth": auth}}


def _plugins(plan: Plan) -> dict[str, Any]:
    """The EndpointPickerConfig, as a text that the scheduler mounts."""
    file = "plugins.yaml"
    return {"pluginsConfigFile": file, "pluginsCustomConfig": {file: dump(plan.scheduler.config)}}


def _provider(plan: Plan) -> dict[str, Any]:
    settings = plan.gateway.settings
    found: dict[str, Any] = {"name": settings["scheduler_provider"]}
    if pool := settings.get("connection_pool"):
        found["istio"] = {"destinationRule": {"trafficPolicy": {"connectionPool": pool}}}
    return found


def _tokenizer(plan: Plan) -> dict[str, Any]:
    """The scheduler's sidecar that tokenizes, its token for the Hugging Face Hub, and the volumes of both."""
    precise, secret = plan.precise, plan.spec.asked.model.auth_secret_name
    tokenizers, socket = precise["tokenizers_dir"], {"name": "tokenizer-uds", "mountPath": precise["socket_dir"]}
    token = [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": secret, "key": "HF_TOKEN"}}}] if secret else []
    config_map = {"name": f"{plan.names.router}-tokenizer", "data": {}}
    sidecar = present(
        enabled=True,
        name="tokenizer-uds",
        image=plan.images.tokenizer,
        imagePullPolicy="IfNotPresent",
        env=[*({"name": name, "value": tokenizers} for name in ("TOKENIZERS_DIR", "HF_HOME")), *token],
        configMap=config_map if precise.get("sidecar_config_map") else None,
        volumeMounts=[{"name": "tokenizers", "mountPath": tokenizers}, socket],
    )
    volumes: list[dict[str, Any]] = [{"name": name, "emptyDir": {}} for name in ("tokenizers", "tokenizer-uds")]
    return present(env=token, sidecar=sidecar, volumes=volumes, volumeMounts=[socket])
