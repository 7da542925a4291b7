"""README.md of a cluster's prerequisites: the steps in their order, with the commands that no chart runs."""

from __future__ import annotations

from typing import Any

from llmdgen.prerequisites.cluster import Cluster, Namespace
from llmdgen.prerequisites.facts import Prerequisites
from llmdgen.rendering.encoding import shell_word
from llmdgen.rendering.environment import render
from llmdgen.yaml_text import Text

KINDS = "https://github.com/kubernetes-sigs"
MONITORS = "https://raw.githubusercontent.com/prometheus-operator/prometheus-operator"
CONTROLLER = "https://raw.githubusercontent.com/kubernetes-sigs/aws-load-balancer-controller"
POLICY = "AWSLoadBalancerControllerIAMPolicy"
P4 = ("p4d.", "p4de.")  # their EFA does not reach that of other families


def readme(cluster: Cluster, known: Prerequisites, service_account: str) -> str:
    """The Markdown of one cluster."""
    balanced = "load_balancer" in cluster.needs
    apply = 5 if balanced else 4
    title = cluster.labels[cluster.platform]["title"]
    return render(
        "prerequisites/README.md.j2",
        title=f"Cluster prerequisites: {title}, {cluster.provider}",
        introduction=f"What {title} needs before the deployments of llm-d {cluster.release.name} in this tree.",
        steps={"apply": apply, "see": apply + 1, "namespaces": apply + 2},
        tools=known.pins["tools"],
        labels=cluster.labels,
        nodes=cluster.nodes,
        efa="efa" in cluster.needs,
        p4_apart=_mixed_p4(cluster),
        hyperpod=cluster.platform == "hyperpod",
        disks=sorted({disk for namespace in cluster.namespaces for disk in namespace.disks}),
        switches=known.switches_of(cluster.platform, cluster.needs),
        crds=_custom_resources(known),
        load_balancer=balanced,
        identity=_identity(known, service_account),
        look=_look(cluster),
        namespaces=[_namespace(namespace) for namespace in cluster.namespaces],
    )


def _mixed_p4(cluster: Cluster) -> bool:
    return len({node.instance.name.startswith(P4) for node in cluster.efa_nodes}) > 1


def _custom_resources(known: Prerequisites) -> list[Text]:
    gateway, inference = known.pins["gateway_api"]["crds"], known.pins["inference_extension"]["crds"]
    monitors = f"{MONITORS}/{known.pins['prometheus_operator']['crds']}/example/prometheus-operator-crd"
    return [
        Text(f"kubectl apply -k {shell_word(f'{KINDS}/gateway-api/config/crd?ref={gateway}')}"),
        Text(f"kubectl apply -k {shell_word(f'{KINDS}/gateway-api-inference-extension/config/crd?ref={inference}')}"),
        *(
            Text(f"kubectl apply --server-side -f {monitors}/monitoring.coreos.com_{kind}.yaml")
            for kind in ("podmonitors", "servicemonitors")
        ),
    ]


def _identity(known: Prerequisites, service_account: str) -> list[Text]:
    pin = known.pins["load_balancer"]
    return [
        Text("cluster=... account=... # yours: the EKS cluster and the AWS account"),
        Text(f"curl -fsSo iam-policy.json {CONTROLLER}/v{pin['version']}/docs/install/iam_policy.json"),
        Text(f"aws iam create-policy --policy-name {POLICY} --policy-document file://iam-policy.json"),
        Text('eksctl utils associate-iam-oidc-provider --cluster "$cluster" --approve'),
        Text('eksctl create iamserviceaccount --cluster "$cluster" \\'),
        Text(f"  --namespace {pin['namespace']} --name {service_account} \\"),
        Text(f'  --attach-policy-arn "arn:aws:iam::$account:policy/{POLICY}" --approve'),
    ]


def _look(cluster: Cluster) -> list[Text]:
    names = {
        "NODE": ".metadata.name",
        "TYPE": f".metadata.labels.{_escaped(cluster.labels['instance_type_label'])}",
        "ZONE": f".metadata.labels.{_escaped(cluster.labels['zone_label'])}",
        "GPU": f".status.allocatable.{_escaped(cluster.labels['gpu_resource'])}",
    }
    if "efa" in cluster.needs:
        names["EFA"] = f".status.allocatable.{_escaped(cluster.labels['efa_resource'])}"
    columns = ",".join(f"{title}:{path}" for title, path in names.items())
    return [Text("kubectl get gatewayclasses"), Text(f"kubectl get nodes -o {shell_word(f'custom-columns={columns}')}")]


def _escaped(key: str) -> str:
    """A label or resource name as one step of a JSONPath."""
    return key.replace(".", "\\.")


def _namespace(namespace: Namespace) -> dict[str, Any]:
    name = shell_word(namespace.name)
    commands = [f"kubectl create namespace {name} --dry-run=client -o yaml | kubectl apply -f -"]
    if namespace.secrets:
        commands.append("read -rs HF_TOKEN # paste the Hugging Face token; it reaches neither a file nor the history")
    for secret in namespace.secrets:
        create = f"kubectl -n {name} create secret generic {shell_word(secret)} --from-file=HF_TOKEN=/dev/stdin"
        commands.append(f'printf %s "$HF_TOKEN" | {create}')
    return {
        "name": namespace.name,
        "specs": namespace.specs,
        "claims": namespace.claims,
        "commands": [Text(command) for command in commands],
    }
