"""What each value of a field with few values means, as an editor's completion shows it.

Apart from the types, because only the schema needs it. The meanings of `path`, `with` and `release` are facts.
"""

from __future__ import annotations

MEANINGS = {
    "spec.platform": {
        "eks": "Amazon EKS: pods select nodes by their EC2 instance type.",
        "hyperpod": "SageMaker HyperPod on EKS: ml. instance types, and healthy nodes only.",
    },
    "spec.gateway.provider": {
        "istio": "Istio with the Gateway API Inference Extension.",
        "kgateway": "kgateway, with Envoy.",
        "agentgateway": "agentgateway of the kgateway project.",
    },
    "spec.gateway.loadBalancer.scheme": {
        "internal": "From the VPC and what is connected to it.",
        "internet-facing": "From anywhere. The API has no authentication of its own: limit who may connect.",
    },
    "spec.gateway.loadBalancer.targetType": {
        "ip": "The gateway's pods.",
        "instance": "A port of the nodes, which forward it.",
    },
    "spec.transfer.backend": {
        "LIBFABRIC": "NIXL over libfabric and EFA.",
        "UCX": "NIXL over UCX, which does not drive EFA: TCP, on pods without EFA.",
    },
    "spec.cache.cpu.connector": {
        "offloading": "vLLM's own OffloadingConnector; CPU memory alone.",
        "lmcache": "LMCache, which can have disk and storage tiers below.",
    },
    "spec.cluster.tolerations[].operator": {
        "Exists": "Any value; takes no `value`.",
        "Equal": "The same value as `value`.",
    },
    "spec.cluster.tolerations[].effect": {
        "NoSchedule": "New pods stay away.",
        "PreferNoSchedule": "New pods stay away where others have room.",
        "NoExecute": "Running pods are evicted too.",
    },
}
