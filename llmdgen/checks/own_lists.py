"""Images, volumes, sidecars and accounts of a spec's own values: that they still hold what others refer to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdgen.checks._own_values import names_of, own_roles, own_servers, role_at, values_written
from llmdgen.facts.catalogue import release_toml
from llmdgen.findings import Route
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import all_of, one_of
from llmdgen.untyped import at as value_at
from llmdgen.untyped import maps

PROXY = ("routing", "proxy", "image")
SCHEDULER = ("inferenceExtension", "image")
REPEAT = "repeat what values/ms.yaml has without this list"


@rule("HELM011", "error", "an image that is not the release's")
def own_images_are_the_releases(plan: Plan) -> Iterator[Draft]:
    """Flags, connectors and EFA libraries are those of the release's images. On AWS every model server runs llm-d-aws:
    the others lack EFA's libfabric, so that NIXL falls back to TCP; scheduler and sidecar have to be of the versions
    whose flags and plugins were written.

    Fails:  values.ms {decode: {containers: [{image: "ghcr.io/llm-d/llm-d-cuda:v0.5.1"}]}}; values.gaie
            {inferenceExtension: {image: {tag: v0.4.0}}}.
    Passes: the release's image from a registry of one's own at the same tag, or by its digest.
    """
    images = plan.release.images
    given: list[tuple[Route, Any, str]] = [
        ((*at, "image"), own.get("image"), str(planned["image"])) for _, planned, own, at in own_servers(plan)
    ]
    values = plan.spec.spec.values
    given.append((("spec", "values", "ms", *PROXY), value_at(values.ms, *PROXY), images["routing_sidecar"]))
    scheduler, name = value_at(values.gaie, *SCHEDULER), _file(images["scheduler"]).partition(":")[0]
    if isinstance(scheduler, dict) and scheduler.keys() & {"name", "tag"} and ":" not in str(scheduler.get("name")):
        tag = images["scheduler"].rpartition(":")[2]
        image = f"{scheduler.get('name', name)}:{scheduler.get('tag', tag)}"
        key = "name" if "name" in scheduler else "tag"
        given.append((("spec", "values", "gaie", *SCHEDULER, key), image, images["scheduler"]))
    for route, image, expected in given:
        if isinstance(image, str) and "@" not in image and _file(image) != _file(expected):
            says = f"{image} is not {_file(expected)} of llm-d {plan.release.name}"
            yield found(*route, says=says, fix=f"use {expected}, its copy in a registry of your own, or a digest")


@rule("HELM012", "error", "a list of one's own without what others refer to")
def own_lists_keep_what_is_referred_to(plan: Plan) -> Iterator[Draft]:
    """Containers mount volumes by name, and some deployments start their routing sidecar as an init container. A list
    that replaces llmdgen's without them gives a pod that the API server refuses, or one that nobody forwards to. A
    deployment over EFA keeps its pods in one zone with an affinity, which null or another one removes.

    Fails:  values.ms {decode: {volumes: [{name: mine, emptyDir: {}}]}}, without the volume shm; {extraConfig: null}
            with pd-disaggregation.
    Passes: all volumes of values/ms.yaml, and further ones.
    """
    for role, planned, own in own_roles(plan):
        for key in ("volumes", "initContainers"):
            given = own.get(key)
            if not isinstance(given, list):
                continue
            names = names_of(given)
            if missing := [name for name in names_of(planned.get(key)) if name not in names]:
                says = f"{role.name} needs {all_of(missing)} in {key}, which the list replaces"
                yield found(*role_at(role), key, says=says, fix=REPEAT, on_key=True)
        volumes = own.get("volumes") if isinstance(own.get("volumes"), list) else planned.get("volumes")
        known = {*names_of(volumes), "model-storage"}
        for key in ("containers", "initContainers"):
            for index, container in maps(own.get(key)):
                for number, mount in maps(container.get("volumeMounts")):
                    name = mount.get("name")
                    if isinstance(name, str) and name not in known:
                        route = (*role_at(role), key, index, "volumeMounts", number, "name")
                        fix = f"add it to {role.name}.volumes, or use {one_of(sorted(known))}"
                        yield found(*route, says=f"there is no volume {name}: the pod is refused", fix=fix)
        yield from _zone(role, planned, own)
        for number, volume in maps(own.get("volumes")):
            wanted = next((each for _, each in maps(planned["volumes"]) if each["name"] == volume.get("name")), None)
            if volume.get("name") == "shm" and wanted is not None and volume != wanted:
                says = f"/dev/shm is not what the plan has: {role.shm} in memory"
                fix = (
                    f"write emptyDir: {{medium: Memory, sizeLimit: {role.shm}}}, or set spec.{role.name}.resources.shm"
                )
                yield found(*role_at(role), "volumes", number, says=says, fix=fix)
    yield from _scheduler_lists(plan)


def _scheduler_lists(plan: Plan) -> Iterator[Draft]:
    """The same for the scheduler's container and its tokenizer."""
    own = plan.spec.spec.values.gaie.get("inferenceExtension")
    if not isinstance(own, dict):
        return
    planned, at = values_written(plan, "gaie")["inferenceExtension"], ("spec", "values", "gaie", "inferenceExtension")
    off = "sidecar" in own and (own["sidecar"] is None or value_at(own, "sidecar", "enabled") is False)
    if plan.scheduler.tokenizer and off:
        says = "the scheduler asks this sidecar for the tokens of each prompt, and does not start without it"
        where: Route = (*at, "sidecar") if own["sidecar"] is None else (*at, "sidecar", "enabled")
        yield found(*where, says=says, fix="remove it", on_key=True)
    paths: tuple[tuple[str, ...], ...] = (
        ("volumes",),
        ("volumeMounts",),
        ("sidecar", "env"),
        ("sidecar", "volumeMounts"),
    )
    for path in paths:
        given, wanted = value_at(own, *path), value_at(planned, *path)
        key = "mountPath" if path[-1] == "volumeMounts" else "name"
        names = {str(each.get(key)) for _, each in maps(given)}
        missing = [each[key] for _, each in maps(wanted) if each[key] not in names]
        if isinstance(given, list) and missing:
            says = f"the scheduler needs {all_of(missing)} in {'.'.join(path)}, which the list replaces"
            yield found(*at, *path, says=says, fix="repeat what values/gaie.yaml has without this list", on_key=True)
    written = release_toml(plan.release.name, "values.toml")["written_env"]["gaie"]
    for index, variable in maps(own.get("env")):
        if variable.get("name") in written:
            says = f"{variable['name']} is set by the chart, and a second one is refused by server-side apply"
            yield found(*at, "env", index, "name", says=says, fix="remove it")
    known = {str(each.get("name")) for each in (*_maps(own, planned, "volumes"), {"name": "plugins-config-volume"})}
    for index, mount in maps(own.get("volumeMounts")):
        if isinstance(mount.get("name"), str) and mount["name"] not in known:
            fix = f"add it to inferenceExtension.volumes, or use {one_of(sorted(known))}"
            says = f"there is no volume {mount['name']}: the pod is refused"
            yield found(*at, "volumeMounts", index, "name", says=says, fix=fix)


def _maps(own: dict[str, Any], planned: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The entries of a list of the scheduler's as they will be."""
    return [each for _, each in maps(own[key] if isinstance(own.get(key), list) else planned.get(key))]


@rule("HELM014", "warning", "a service account that no release makes")
def service_accounts_are_there(plan: Plan) -> Iterator[Draft]:
    """With serviceAccountOverride the chart makes no service account of its own. Where the named one is not in the
    namespace, no pod is created, and only an event of the ReplicaSet says so.

    Fails:  values.ms {serviceAccountOverride: model-reader} alone.
    Passes: the same with a ServiceAccount model-reader in extraObjects; suppress it for one that is made elsewhere.
    """
    values = plan.spec.spec.values
    name = values.ms.get("serviceAccountOverride")
    made = [each for _, each in (*maps(values.ms.get("extraObjects")), *maps(values.infra.get("extraDeploy")))]
    accounts = {str(value_at(each, "metadata", "name")) for each in made if each.get("kind") == "ServiceAccount"}
    if isinstance(name, str) and name not in ("", "default", *accounts):
        says = f"no release makes the ServiceAccount {name} in {plan.names.namespace}"
        fix = "add it to extraObjects, or suppress this where it is there already"
        yield found("spec", "values", "ms", "serviceAccountOverride", says=says, fix=fix)


@rule("HELM015", "warning", "pods on the host's network that share a node")
def host_network_is_one_pod_a_node(plan: Plan) -> Iterator[Draft]:
    """With hostNetwork the container's ports are the node's, and the scheduler puts no second pod with the same port on
    it: where the plan has several pods on a node, the others need nodes of their own, or stay Pending.

    Fails:  values.ms {prefill: {extraConfig: {hostNetwork: true}}} with 4 pods on a node.
    Passes: the same with one pod of 8 GPUs.
    """
    for role, _, own in own_roles(plan):
        shared = min(role.pods, role.pods_per_node)
        if value_at(own, "extraConfig", "hostNetwork") is True and shared > 1:
            says = f"{shared} {role.name} pods of a node would listen on port {role.port} of the host"
            route = (*role_at(role), "extraConfig", "hostNetwork")
            yield found(*route, says=says, fix="remove it: EFA needs no host network")


def _zone(role: RolePlan, planned: dict[str, Any], own: dict[str, Any]) -> Iterator[Draft]:
    """The affinity that keeps a deployment in one zone: still there once the spec's own is merged over it."""
    path = ("extraConfig", "affinity", "podAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    terms, value = value_at(planned, *path), own
    if not terms:
        return
    for depth, part in enumerate(path, start=1):
        if not isinstance(value, dict) or part not in value:
            return
        value = value[part]
        kept = isinstance(value, dict) or (depth == len(path) and all(term in (value or []) for term in terms))
        if not kept:
            says = "it removes the affinity that keeps the pods in one zone, which EFA does not leave"
            fix = "keep that affinity, or set spec.cluster.zone"
            yield found(*role_at(role), *path[:depth], says=says, fix=fix, on_key=True)
            return


def _file(image: str) -> str:
    """The last part of an image's name, with its tag."""
    return image.rpartition("/")[2]
