"""Names, numbers and secrets: what must not stand in a manifest, whatever the object."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmdgen.registry import Draft, found, rule
from llmdgen.secrets import names_a_secret, spans
from llmdgen.untyped import at, mapping, nodes
from llmdgen.verify.rendered import Rendered

_SCIENTIFIC = re.compile(r"(?<![\w.])\d(?:\.\d+)?e\+\d+(?![\w.])")
_LONGEST_LABEL = 63
_SHORT_NAMES = frozenset({"Service", "Namespace", "Gateway", "LeaderWorkerSet", "Deployment", "InferencePool"})
# A ReplicaSet and a pod add "-<10 characters>-<5>" to a Deployment's name and lose nothing; a LeaderWorkerSet's pods
# get "-<group>-<index>", and the name with the group is a label of every pod.
_LONGEST_LEADER_WORKER_SET = _LONGEST_LABEL - len("-00-00")


@rule("VER015", "error", "a name or label is longer than Kubernetes takes")
def names_fit(rendered: Rendered) -> Iterator[Draft]:
    """Services, gateways and everything that becomes a label hold at most 63 characters, and a LeaderWorkerSet leaves
    room for the group and the pod index that its pods' names add. Istio names a gateway's Service `<gateway>-istio`.

    Fails:  Gateway <a name of 55 characters>-gateway under Istio.
    Passes: every name and label value with at most 63 characters.
    """
    for manifest in rendered.manifests:
        name = manifest.name
        if manifest.kind == "Gateway" and at(manifest.doc, "spec", "gatewayClassName") == "istio":
            name += "-istio"
        longest = _LONGEST_LEADER_WORKER_SET if manifest.kind == "LeaderWorkerSet" else _LONGEST_LABEL
        if manifest.kind in _SHORT_NAMES and len(name) > longest:
            says = f"{name} has {len(name)} characters, at most {longest} fit"
            yield found("metadata", "name", says=says, fix="choose a shorter metadata.name in the spec", of=manifest)
        for key, value in mapping(at(manifest.doc, "metadata", "labels")).items():
            if isinstance(value, str) and len(value) > _LONGEST_LABEL:
                says = f"the label has {len(value)} characters, at most {_LONGEST_LABEL} fit"
                yield found("metadata", "labels", str(key), says=says, fix="choose a shorter name", of=manifest)


@rule("VER016", "error", "a number came out as 1e+06")
def numbers_are_written_out(rendered: Rendered) -> Iterator[Draft]:
    """Helm reads numbers in values as float64 and prints an integer from 1,000,000 on as 1e+06, which vLLM, the
    scheduler and the AWS Load Balancer Controller do not take for an integer. A quoted number stays as it is, and so
    does one in chart/templates, which Helm only passes on.

    Fails:  a flag of the scheduler from an unquoted 1000000 in values/router.yaml, rendered 1e+06.
    Passes: "1000000".
    """
    for manifest in rendered.manifests:
        for path, value in nodes(manifest.doc):
            whole = isinstance(value, float) and value >= 1_000_000 and value.is_integer()
            if whole or (isinstance(value, str) and _SCIENTIFIC.search(value)):
                says = f"{value!r} was an integer"
                yield found(*path, says=says, fix="quote the number where it is written", of=manifest)


@rule("VER017", "error", "a secret is part of what is rendered")
def no_secret_is_rendered(rendered: Rendered) -> Iterator[Draft]:
    """Rendered directories go to git. A token belongs in a Secret that the user makes in the cluster, and a pod refers
    to it. The one Secret that a chart may render has no data: that of the scheduler's token, which the cluster fills.

    Fails:  HF_TOKEN with a value in env; a Secret with data.
    Passes: HF_TOKEN with valueFrom.secretKeyRef.
    """
    for manifest in rendered.of_kind("Secret"):
        for key in ("data", "stringData"):
            if manifest.doc.get(key):
                says = "the Secret is rendered with its data"
                yield found(key, says=says, fix="make the Secret in the cluster, and name it here", of=manifest)
    for workload in rendered.workloads:
        for container in workload.containers:
            for index, variable in enumerate(container.list_of("env")):
                name = str(variable.get("name"))
                if variable.get("value") and names_a_secret(name, variable["value"]):
                    says = f"{name} of container {container.name} has its value written down"
                    fix = "refer to a Secret with valueFrom.secretKeyRef"
                    yield found(*container.route, "env", index, says=says, fix=fix, of=workload.manifest)
    for manifest in rendered.manifests:
        for path, value in nodes(manifest.doc):
            for kind, _, _ in spans(value) if isinstance(value, str) else ():
                says = f"the text holds {kind.name}"
                yield found(*path, says=says, fix="refer to a Secret instead", of=manifest)


@rule("VER018", "error", "an object lies in another namespace than its release")
def namespaces_agree(rendered: Rendered) -> Iterator[Draft]:
    """A Gateway, its route, the pool, the scheduler and the model servers find each other by name in one namespace.

    Fails:  release x-servers in namespace llm-d-x, its PodMonitor in namespace monitoring.
    Passes: every object and every release in one namespace.
    """
    namespaces = {each.name: each.namespace for each in rendered.releases}
    first = rendered.releases[0]
    for release in rendered.releases:
        if release.namespace != first.namespace:
            says = f"release {release.name} is in namespace {release.namespace}, {first.name} in {first.namespace}"
            yield found(says=says, fix="give all releases one namespace", of="helmfile.yaml")
    for manifest in rendered.manifests:
        if manifest.namespace and manifest.namespace != namespaces.get(manifest.release, manifest.namespace):
            says = f"{manifest.namespace} is not {namespaces[manifest.release]}, its release's"
            yield found("metadata", "namespace", says=says, fix="leave the namespace to the release", of=manifest)
