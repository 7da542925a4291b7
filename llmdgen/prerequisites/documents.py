"""The files of a cluster's prerequisites: a helmfile, its values, and a README for what no chart can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import to_builtins

from llmdgen.prerequisites.cluster import Cluster
from llmdgen.prerequisites.facts import ClusterRelease, CustomResources, Prerequisites, prerequisites
from llmdgen.rendering.encoding import render as template
from llmdgen.rendering.encoding import shell_word
from llmdgen.yaml_text import Text

FOLDER = "prerequisites"
SERVICE_ACCOUNT = "aws-load-balancer-controller"
USER_VALUES = "cluster.yaml"  # written by the user: what only they know of their cluster
EXAMPLE = "cluster.example.yaml"


def files(cluster: Cluster) -> dict[str, str]:
    """The files of one cluster."""
    known = prerequisites(cluster.release)
    releases = [release for release in known.releases if release.needed in cluster.asked.needs]
    found = {
        "README.md": _readme(cluster, known, releases),
        "helmfile.yaml": _helmfile(cluster, known, releases),
    }
    if any(release.cluster_values for release in releases):
        found[EXAMPLE] = template(f"{FOLDER}/{EXAMPLE}.j2")
    for release in releases:
        if release.values is not None:
            found[f"values/{release.name}.yaml"] = template(
                f"{FOLDER}/values/{release.values}.j2",
                labels=cluster.labels,
                nodes=list(cluster.nodes),
                efa_nodes=[label for label, node in cluster.nodes.items() if node.efa.interfaces],
                tolerations=cluster.asked.tolerations,
                service_account=SERVICE_ACCOUNT,
            )
    return dict(sorted(found.items()))


def _helmfile(cluster: Cluster, known: Prerequisites, releases: Sequence[ClusterRelease]) -> str:
    urls = {each.alias: known.pins[each.pin]["repository"] for each in releases if each.alias is not None}
    return template(
        f"{FOLDER}/helmfile.yaml.j2",
        title=f"Cluster prerequisites of llm-d {cluster.release.name}: {cluster.labels[cluster.platform]['title']}, "
        f"gateway provider {cluster.provider}.",
        switches=known.switches_of(cluster.platform, cluster.asked.needs),
        repositories=[{"name": alias, "url": urls[alias]} for alias in sorted(urls)],
        releases=[_release(each, known, releases) for each in releases],
    )


def _release(release: ClusterRelease, known: Prerequisites, releases: Sequence[ClusterRelease]) -> dict[str, Any]:
    pin = known.pins[release.pin]
    namespaces = {each.name: known.pins[each.pin]["namespace"] for each in releases}
    values = [f"values/{release.name}.yaml"] if release.values is not None else []
    return {
        "name": release.name,
        "why": release.why,
        "namespace": pin["namespace"],
        "chart": _chart(release, pin["repository"]),
        "version": pin["version"],
        "switch": release.switch,
        "new_kinds": release.new_kinds,
        "needs": [f"{namespaces[name]}/{name}" for name in release.after if name in namespaces],
        "files": [*values, USER_VALUES] if release.cluster_values else values,
    }


def _chart(release: ClusterRelease, repository: str) -> str:
    """The chart as helmfile names it: an oci:// repository may end in the chart's own name."""
    if release.alias is not None:
        return f"{release.alias}/{release.chart}"
    return repository if repository.endswith(f"/{release.chart}") else f"{repository}/{release.chart}"


def _readme(cluster: Cluster, known: Prerequisites, releases: Sequence[ClusterRelease]) -> str:
    """The steps in their order, with the commands that no chart runs; `releases` are those that the cluster gets."""
    balanced = "load_balancer" in cluster.asked.needs
    apply = 5 if balanced else 4
    pinned = {release.name: known.pins[release.pin]["version"] for release in releases}
    return template(
        f"{FOLDER}/README.md.j2",
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
            {**to_builtins(each), "commands": [Text(line.format(version=pinned[each.release])) for line in each.before]}
            for each in known.hazards
            if each.release in pinned
        ],
        load_balancer=balanced,
        service_account=SERVICE_ACCOUNT,
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
