"""README.md of a cluster's prerequisites: the steps in their order, with the commands that no chart runs."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import to_builtins

from llmdgen.prerequisites.cluster import Cluster
from llmdgen.prerequisites.facts import ClusterRelease, CustomResources, Hazard, Prerequisites
from llmdgen.rendering.encoding import shell_word
from llmdgen.rendering.environment import render
from llmdgen.yaml_text import Text

MONITORS = "https://raw.githubusercontent.com/prometheus-operator/prometheus-operator"
CONTROLLER = "https://raw.githubusercontent.com/kubernetes-sigs/aws-load-balancer-controller"
POLICY = "AWSLoadBalancerControllerIAMPolicy"


def readme(cluster: Cluster, known: Prerequisites, releases: Sequence[ClusterRelease], service_account: str) -> str:
    """The Markdown of one cluster; `releases` are those that it gets."""
    balanced = "load_balancer" in cluster.needs
    apply = 5 if balanced else 4
    title = cluster.labels[cluster.platform]["title"]
    return render(
        "prerequisites/README.md.j2",
        title=f"Cluster prerequisites: {title}, {cluster.provider}",
        introduction=f"What {title} needs before the deployments of llm-d {cluster.release.name} in this tree.",
        steps={"apply": apply, "see": apply + 1, "deployments": apply + 2},
        tools=known.pins["tools"],
        labels=cluster.labels,
        closed=cluster.labels["efa_closed_families"]["families"],
        hyperpod=cluster.platform == "hyperpod",
        disks=cluster.disks,
        switches=known.switches_of(cluster.platform, cluster.needs),
        crds=[_apply(each, known) for each in known.crds if not each.optional],
        optional_crds=[(each.of, _apply(each, known)) for each in known.crds if each.optional],
        monitor_crds=_monitors(known),
        kubernetes=max((each.needs_kubernetes or "" for each in known.crds), key=_version),
        hazards=[
            {**to_builtins(each), "commands": _first(each, release, known)}
            for each in known.hazards
            for release in releases
            if each.release == release.name
        ],
        load_balancer=balanced,
        identity=_identity(known, service_account),
        look=_look(cluster),
    )


def _apply(crds: CustomResources, known: Prerequisites) -> Text:
    """The command that gives the cluster these kinds."""
    version = known.pins[crds.pin]["crds"]
    if crds.kustomize is not None:
        return Text(f"kubectl apply -k {shell_word(crds.kustomize.format(version=version))}")
    return Text(f"kubectl apply --server-side -f {(crds.url or '').format(version=version)}")


def _first(hazard: Hazard, release: ClusterRelease, known: Prerequisites) -> list[Text]:
    """The commands that come before the step to the release's pinned version."""
    version = known.pins[release.pin]["version"]
    return [Text(command.format(version=version)) for command in hazard.before]


def _monitors(known: Prerequisites) -> list[Text]:
    folder = f"{MONITORS}/{known.pins['prometheus_operator']['crds']}/example/prometheus-operator-crd"
    return [
        Text(f"kubectl apply --server-side -f {folder}/monitoring.coreos.com_{kind}.yaml")
        for kind in ("podmonitors", "servicemonitors")
    ]


def _version(text: str) -> list[int]:
    return [int(part) for part in text.split(".") if part]


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
        "EFA": f".status.allocatable.{_escaped(cluster.labels['efa_resource'])}",
    }
    columns = ",".join(f"{title}:{path}" for title, path in names.items())
    return [Text("kubectl get gatewayclasses"), Text(f"kubectl get nodes -o {shell_word(f'custom-columns={columns}')}")]


def _escaped(key: str) -> str:
    """A label or resource name as one step of a JSONPath."""
    return key.replace(".", "\\.")
