"""The files of a cluster's prerequisites: a helmfile, its values, and a README for what no chart can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmdgen.prerequisites.cluster import Cluster
from llmdgen.prerequisites.facts import ClusterRelease, Prerequisites, prerequisites
from llmdgen.prerequisites.readme import readme
from llmdgen.rendering.encoding import render as template

FOLDER = "prerequisites"
SERVICE_ACCOUNT = "aws-load-balancer-controller"
USER_VALUES = "cluster.yaml"  # written by the user: what only they know of their cluster
EXAMPLE = "cluster.example.yaml"


def files(cluster: Cluster) -> dict[str, str]:
    """The files of one cluster."""
    known = prerequisites(cluster.release)
    releases = [release for release in known.releases if release.needed in cluster.asked.needs]
    found = {
        "README.md": readme(cluster, known, releases, SERVICE_ACCOUNT),
        "helmfile.yaml": _helmfile(cluster, known, releases),
    }
    if any(release.cluster_values for release in releases):
        found[EXAMPLE] = template(f"{FOLDER}/{EXAMPLE}.j2")
    for release in releases:
        if release.values is not None:
            found[f"values/{release.name}.yaml"] = template(
                f"{FOLDER}/values/{release.values}.j2",
                labels=cluster.labels,
                nodes=cluster.nodes,
                efa_nodes=[node for node in cluster.nodes if node.instance.efa.interfaces],
                tolerations=cluster.asked.tolerations,
                service_account=SERVICE_ACCOUNT,
            )
    return dict(sorted(found.items()))


def _helmfile(cluster: Cluster, known: Prerequisites, releases: Sequence[ClusterRelease]) -> str:
    return template(
        f"{FOLDER}/helmfile.yaml.j2",
        title=f"Cluster prerequisites of llm-d {cluster.release.name}: {cluster.labels[cluster.platform]['title']}, "
        f"gateway provider {cluster.provider}.",
        switches=known.switches_of(cluster.platform, cluster.asked.needs),
        repositories=_repositories(known, releases),
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


def _repositories(known: Prerequisites, releases: Sequence[ClusterRelease]) -> list[dict[str, str]]:
    urls = {release.alias: known.pins[release.pin]["repository"] for release in releases if release.alias is not None}
    return [{"name": alias, "url": urls[alias]} for alias in sorted(urls)]
