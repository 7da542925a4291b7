"""README.md of a cluster's prerequisites: the steps in their order, with the commands that no chart runs."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import to_builtins

from llmdgen.prerequisites.cluster import Cluster
from llmdgen.prerequisites.facts import ClusterRelease, CustomResources, Hazard, Prerequisites, prerequisites
from llmdgen.rendering.encoding import render, shell_word
from llmdgen.yaml_text import Text


def readme(cluster: Cluster, known: Prerequisites, releases: Sequence[ClusterRelease], service_account: str) -> str:
    """The Markdown of one cluster; `releases` are those that it gets."""
    balanced = "load_balancer" in cluster.asked.needs
    apply = 5 if balanced else 4
    return render(
        "prerequisites/README.md.j2",
        title=cluster.labels[cluster.platform]["title"],
        provider=cluster.provider,
        release=" and ".join(each.name for each in (cluster.release, *cluster.older)),
        steps={"apply": apply, "see": apply + 1, "deployments": apply + 2},
        pins=known.pins,
        labels=cluster.labels,
        closed=cluster.labels["efa_closed_families"]["families"],
        hyperpod=cluster.platform == "hyperpod",
        disks=cluster.asked.disks,
        switches=known.switches_of(cluster.platform, cluster.asked.needs),
        older_crds=_older(cluster, known),
        crds=[_apply(each, known) for each in known.crds if not each.optional],
        optional_crds=[(each.of, _apply(each, known)) for each in known.crds if each.optional],
        kubernetes=max((each.needs_kubernetes or "" for each in known.crds), key=_version),
        hazards=[
            {**to_builtins(each), "commands": _first(each, release, known)}
            for each in known.hazards
            for release in releases
            if each.release == release.name
        ],
        load_balancer=balanced,
        service_account=service_account,
        look=_look(cluster),
    )


def _apply(crds: CustomResources, known: Prerequisites) -> Text:
    """The command that gives the cluster these kinds."""
    version = known.pins[crds.pin]["crds"]
    if crds.kustomize is not None:
        return Text(f"kubectl apply -k {shell_word(crds.kustomize.format(version=version))}")
    return Text(f"kubectl apply --server-side -f {(crds.url or '').format(version=version)}")


def _older(cluster: Cluster, known: Prerequisites) -> list[Text]:
    """The commands for kinds that only deployments of older releases need."""
    served, found = {kind.name for kind in known.kinds}, list[Text]()
    for own in map(prerequisites, cluster.older):
        lacking = {kind.of for kind in own.kinds if kind.name not in served}
        found += [_apply(each, own) for each in own.crds if each.of in lacking and not each.optional]
        served |= {kind.name for kind in own.kinds}
    return found


def _first(hazard: Hazard, release: ClusterRelease, known: Prerequisites) -> list[Text]:
    """The commands that come before the step to the release's pinned version."""
    version = known.pins[release.pin]["version"]
    return [Text(command.format(version=version)) for command in hazard.before]


def _version(text: str) -> list[int]:
    return [int(part) for part in text.split(".") if part]


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
