"""Containers, their parts and the volumes of a pod, as the API server and the kubelet take them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmdgen.checks._mistake import Mistake, listing, shown, unknown_keys
from llmdgen.findings import Route
from llmdgen.quantities import to_bytes, to_millis
from llmdgen.suggest import did_you_mean, one_of
from llmdgen.untyped import maps

QUANTITY = r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][-+]?[0-9]+)?"
ENV_NAME = r"[-._A-Za-z][-._A-Za-z0-9]*"
DNS_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
PORT_NAME = r"(?=.{1,15}$)(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]*[a-z0-9])?"
REPOSITORY = r"([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
IMAGE = rf"{REPOSITORY}(:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(@sha256:[0-9a-f]{{64}})?"
COMPUTE = ("cpu", "memory", "ephemeral-storage")
DEVICES = ("nvidia.com/gpu", "vpc.amazonaws.com/efa")
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
HANDLERS = ("httpGet", "tcpSocket", "grpc", "exec")
TIMES = (
    "initialDelaySeconds",
    "periodSeconds",
    "timeoutSeconds",
    "successThreshold",
    "failureThreshold",
    "terminationGracePeriodSeconds",
)
SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
POLICIES = ("Always", "IfNotPresent", "Never")
MEDIA = ("", "Memory", "HugePages", "HugePages-2Mi", "HugePages-1Gi")
VOLUME_SOURCES = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "hostPath",
    "image",
    "nfs",
    "persistentVolumeClaim",
    "projected",
    "secret",
)


def containers(value: Any) -> Iterator[Mistake]:
    """The containers that the modelservice chart makes, whose environment, image and so on have kinds of their own."""
    yield from listing(value)
    if value == []:
        yield Mistake((), "a pod without containers is refused", "remove it, and use spec.prefill and spec.decode")
    yield from _listed(value)
    for index, each in maps(value):
        if "image" not in each:
            yield Mistake((index,), "the container has no image, and the chart fails", "write image: registry/name:tag")
        if each.get("modelCommand", "custom") == "custom" and not each.get("command"):
            says = "without modelCommand the container needs a command, and the chart fails"
            yield Mistake((index,), says, "write modelCommand: vllmServe")


def init_containers(value: Any) -> Iterator[Mistake]:
    """Containers that go to the API server as they are."""
    yield from listing(value)
    yield from _listed(value)
    for index, each in maps(value):
        if "image" not in each:
            yield Mistake((index,), "the container has no image", "write image: registry/name:tag")
        for key, kind in PARTS.items():
            for mistake in kind(each[key]) if each.get(key) is not None else ():
                yield Mistake((index, key, *mistake.route), mistake.says, mistake.fix, mistake.on_key)
        if each.get("restartPolicy") not in (None, "Always"):
            yield Mistake((index, "restartPolicy"), f"restartPolicy is {each['restartPolicy']}", "write Always")


def _listed(value: Any) -> Iterator[Mistake]:
    """What holds in each entry of a list of containers, and between them."""
    seen: set[str] = set()
    for index, each in enumerate(value if isinstance(value, list) else ()):
        if not isinstance(each, dict):
            yield Mistake((index,), f"{shown(each)} is no container", "write name: and image: below the dash")
            continue
        name = each.get("name")
        if not isinstance(name, str):
            yield Mistake((index,), "the container has no name", "write name: ...")
        elif not re.fullmatch(DNS_LABEL, name):
            fix = "use at most 63 lower-case letters, digits and -"
            yield Mistake((index, "name"), f"{name!r} cannot be a container's name", fix)
        elif name in seen:
            yield Mistake((index, "name"), f"two containers are called {name}", "give each a name of its own")
        seen.add(str(name))
        ports = [port.get("name") for _, port in maps(each.get("ports"))]
        numbers = [port.get("containerPort") for _, port in maps(each.get("ports"))]
        for probe in PROBES:
            for mistake in _probe(each.get(probe), ports, numbers) if each.get(probe) is not None else ():
                yield Mistake((index, probe, *mistake.route), mistake.says, mistake.fix, mistake.on_key)
        for route in (("extraConfig", "securityContext"), ("securityContext",)):
            context: Any = each
            for key in route:
                context = context.get(key) if isinstance(context, dict) else None
            added = context.get("capabilities") if isinstance(context, dict) else None
            for key, names in added.items() if isinstance(added, dict) else ():
                if not isinstance(names, list):
                    yield Mistake(
                        (index, *route, "capabilities", key), f"{shown(names)} is no list", f"write [{names}]"
                    )


def _probe(value: Any, names: list[Any], numbers: list[Any]) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield Mistake((), f"{shown(value)} is no probe", "write httpGet: {path: /health, port: vllm}")
        return
    yield from unknown_keys(value, (*HANDLERS, *TIMES), (), "a probe")
    handlers = [key for key in HANDLERS if key in value]
    if len(handlers) != 1:
        yield Mistake((), f"the probe has {len(handlers)} handlers", f"keep one of {one_of(HANDLERS)}")
    for key in ("httpGet", "tcpSocket"):
        port = value[key].get("port") if isinstance(value.get(key), dict) else None
        if isinstance(port, str) and port not in names:
            near = did_you_mean(port, [str(name) for name in names if name]) or "name a port of the container"
            yield Mistake((key, "port"), f"the container has no port called {port}", near)
        elif isinstance(port, int) and port not in numbers:
            known = sorted(number for number in numbers if isinstance(number, int))
            fix = f"use {one_of([str(each) for each in known])}" if known else "name a port of the container"
            yield Mistake((key, "port"), f"nothing listens on {port}", fix)
    for key in TIMES:
        if key in value and (isinstance(value[key], bool) or not isinstance(value[key], int) or value[key] < 0):
            yield Mistake((key,), f"{key} is {shown(value[key])}", "write a whole number of seconds or times")


def ports(value: Any) -> Iterator[Mistake]:
    yield from listing(value)
    seen: set[str] = set()
    for index, each in maps(value):
        yield from unknown_keys(each, ("name", "containerPort", "protocol", "hostPort", "hostIP"), (index,), "a port")
        name, number, protocol = each.get("name"), each.get("containerPort"), each.get("protocol", "TCP")
        is_port = isinstance(number, int) and not isinstance(number, bool) and 0 < number < 65536
        if not is_port and not (isinstance(number, str) and "{{" in number):
            fix = "write a number from 1 to 65535, without quotes"
            yield Mistake((index, "containerPort"), f"{shown(number)} is no port", fix)
        if name is not None and not re.fullmatch(PORT_NAME, str(name)):
            fix = "use at most 15 lower-case letters, digits and -"
            yield Mistake((index, "name"), f"{name!r} cannot be a port's name", fix)
        elif name is not None and name in seen:
            yield Mistake((index, "name"), f"two ports are called {name}", "give each a name of its own")
        if protocol not in ("TCP", "UDP", "SCTP"):
            yield Mistake((index, "protocol"), f"protocol is {shown(protocol)}", "write TCP")
        seen.add(str(name))


def texts(value: Any) -> Iterator[Mistake]:
    """A list of arguments: each one text, or the API server refuses all."""
    yield from listing(value)
    for index, each in enumerate(value if isinstance(value, list) else ()):
        if not isinstance(each, str):
            yield Mistake((index,), f"{shown(each)} is no text", f'write "{shown(each)}" in quotes')


def environment(value: Any) -> Iterator[Mistake]:
    yield from listing(value)
    seen: set[str] = set()
    for index, each in maps(value):
        at: Route = (index,)
        yield from unknown_keys(each, ("name", "value", "valueFrom"), at, "a variable")
        name, text, source = each.get("name"), each.get("value"), each.get("valueFrom")
        if not isinstance(name, str) or not re.fullmatch(ENV_NAME, name):
            yield Mistake(at, "the variable has no name that Kubernetes takes", "write name: NAME")
        elif name in seen:
            yield Mistake((*at, "name"), f"{name} stands twice, which server-side apply refuses", "keep one")
        seen.add(str(name))
        if text is not None and not isinstance(text, str):
            says = f"{shown(text)} is no text, and Kubernetes takes nothing else here"
            yield Mistake((*at, "value"), says, f'write "{shown(text)}" in quotes')
        if text and source is not None:
            yield Mistake((*at, "valueFrom"), f"{name} has a value and a source of one", "keep one", on_key=True)
        if isinstance(source, dict):
            yield from unknown_keys(source, SOURCES, (*at, "valueFrom"), "valueFrom")
            if len(source) != 1:
                yield Mistake((*at, "valueFrom"), f"{name} has {len(source)} sources", f"keep one of {one_of(SOURCES)}")
            for kind in ("secretKeyRef", "configMapKeyRef"):
                reference = source.get(kind, {})
                for key in ("name", "key") if reference and isinstance(reference, dict) else ():
                    if not isinstance(reference.get(key), str):
                        yield Mistake((*at, "valueFrom", kind), f"{kind} has no {key}", f"write {key}: ...")


def resources(value: Any) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield Mistake((), f"{shown(value)} is no map", "write limits and requests below it")
        return
    yield from unknown_keys(value, ("limits", "requests", "claims"), (), "resources")
    sides = {side: value[side] for side in ("limits", "requests") if isinstance(value.get(side), dict)}
    for side in ("limits", "requests"):
        if value.get(side) is not None and side not in sides:
            yield Mistake((side,), f"{shown(value[side])} is no map", "write cpu: and memory: below it", on_key=True)
    for side, amounts in sides.items():
        for name, amount in amounts.items():
            at: Route = (side, name)
            if not _is_quantity(amount):
                yield Mistake(at, f"{name}: {shown(amount)} is no quantity", 'write such as 4, "500m" or 16Gi')
            elif name not in (*COMPUTE, *DEVICES) and not str(name).startswith("hugepages-"):
                known = (*COMPUTE, *DEVICES)
                fix = did_you_mean(str(name), known, listed_up_to=0) or f"use {one_of(known)}"
                yield Mistake(at, f"no node on AWS offers {name}: the pod stays Pending", fix, on_key=True)
            elif name not in COMPUTE and (
                _number(amount) is None or _number(amount) != _number(_other(sides, side, name))
            ):
                says = f"{name} is a whole number, the same in requests and limits"
                yield Mistake(at, says, "write the same whole number in both")
            elif name in COMPUTE and side == "requests" and _is_more(name, amount, sides.get("limits", {}).get(name)):
                says = f"{name}: {shown(amount)} is more than the limit of {sides['limits'][name]}"
                yield Mistake(at, says, "write the limit or less")


def _is_more(name: str, request: Any, limit: Any) -> bool:
    if limit is None or not _is_quantity(limit):
        return False
    try:
        read = to_millis if name == "cpu" else to_bytes
        return read(str(request)) > read(str(limit))
    except (ValueError, KeyError):
        return False


def _other(sides: dict[str, dict[str, Any]], side: str, name: str) -> Any:
    """The other side's amount; a limit alone is the request too."""
    other = "requests" if side == "limits" else "limits"
    own = sides[side][name]
    return sides.get(other, {}).get(name, own if side == "limits" else None)


def volumes(value: Any) -> Iterator[Mistake]:
    yield from listing(value)
    seen: set[str] = set()
    for index, each in maps(value):
        yield from unknown_keys(each, ("name", *VOLUME_SOURCES), (index,), "a volume")
        name, scratch = each.get("name"), each.get("emptyDir")
        if not isinstance(name, str):
            yield Mistake((index,), "the volume has no name", "write name: ...")
        elif not re.fullmatch(DNS_LABEL, name):
            fix = "use at most 63 lower-case letters, digits and -"
            yield Mistake((index, "name"), f"{name!r} cannot be a volume's name", fix)
        elif name in seen or name == "model-storage":
            says = f"a volume is called {name} already"
            yield Mistake((index, "name"), says, "give each a name of its own; model-storage is the chart's")
        seen.add(str(name))
        sources = [key for key in each if key != "name"]
        if len(sources) != 1:
            yield Mistake((index,), f"the volume has {len(sources)} sources", "give it one, such as emptyDir: {}")
        if isinstance(scratch, dict):
            yield from unknown_keys(scratch, ("medium", "sizeLimit"), (index, "emptyDir"), "emptyDir")
            if scratch.get("medium", "") not in MEDIA:
                fix = did_you_mean(str(scratch["medium"]), MEDIA[1:], listed_up_to=0) or "write Memory"
                yield Mistake((index, "emptyDir", "medium"), f"{shown(scratch['medium'])} is no medium", fix)
            if "sizeLimit" in scratch and not _is_quantity(scratch["sizeLimit"]):
                says = f"{shown(scratch['sizeLimit'])} is no quantity"
                yield Mistake((index, "emptyDir", "sizeLimit"), says, "write such as 16Gi")


def mounts(value: Any) -> Iterator[Mistake]:
    yield from listing(value)
    seen: set[str] = set()
    for index, each in maps(value):
        path = each.get("mountPath")
        for key in ("name", "mountPath"):
            if not isinstance(each.get(key), str):
                yield Mistake((index,), f"the volume mount has no {key}", f"write {key}: ...")
        if isinstance(path, str) and path in seen:
            yield Mistake((index, "mountPath"), f"{path} is mounted twice", "keep one")
        elif isinstance(path, str) and (":" in path or not path.startswith("/")):
            yield Mistake((index, "mountPath"), f"{path} is no absolute path, or holds a colon", "write /a/path")
        seen.add(str(path))


def image(value: Any) -> Iterator[Mistake]:
    """A reference that means the same tomorrow."""
    if not isinstance(value, str) or not re.fullmatch(IMAGE, value):
        fix = "write registry/name:tag, the name in lower case"
        yield Mistake((), f"{shown(value)} is no image", fix)
        return
    tag = value.rpartition("/")[2].partition("@")[0].partition(":")[2]
    if "@sha256:" not in value and tag in ("", "latest"):
        yield Mistake((), f"{value} is another image tomorrow", "name a version: registry/name:tag, or a digest")


def _policy(value: Any) -> Iterator[Mistake]:
    if value not in POLICIES:
        yield Mistake((), f"{shown(value)} is not {one_of(POLICIES)}", did_you_mean(str(value), POLICIES))


def _is_quantity(value: Any) -> bool:
    if isinstance(value, str):
        return "{{" in value or bool(re.fullmatch(QUANTITY, value))
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _number(value: Any) -> str | None:
    """A whole number or quantity as text, None for a part of one."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else None
    return None if value is None or (isinstance(value, str) and ("." in value or value.endswith("m"))) else str(value)


PARTS = {
    "args": texts,
    "command": texts,
    "env": environment,
    "image": image,
    "imagePullPolicy": _policy,
    "ports": ports,
    "resources": resources,
    "volumeMounts": mounts,
}
