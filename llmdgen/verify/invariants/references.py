"""What pods refer to in their namespace."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.kube.workload import Workload
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, items, mapping
from llmdgen.verify.rendered import Rendered


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
    for index, volume in enumerate(items(workload.spec.get("volumes"))):
        source = mapping(at(volume, "configMap"))
        yield (*spec, "volumes", index), "ConfigMap", str(source.get("name") or ""), source.get("optional") is True
    for container in workload.containers:
        for index, each in enumerate(container.list_of("envFrom")):
            source = mapping(each.get("configMapRef"))
            place = (*container.route, "envFrom", index)
            yield place, "ConfigMap", str(source.get("name") or ""), source.get("optional") is True
        for index, each in enumerate(container.list_of("env")):
            source = mapping(at(each, "valueFrom", "configMapKeyRef"))
            place = (*container.route, "env", index)
            yield place, "ConfigMap", str(source.get("name") or ""), source.get("optional") is True
