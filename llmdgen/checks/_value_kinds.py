"""What a value of a chart must be for whoever reads it at last: Kubernetes objects, durations, ports, names.

Pure: a kind, which the release's values.toml gives for each path, and a value in; what is wrong with it out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from llmdgen.findings import Route
from llmdgen.suggest import did_you_mean, one_of

QUANTITY = r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][-+]?[0-9]+)?"
DURATION = r"([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w|y))+"
LABEL = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
KEY = rf"(?:[a-z0-9](?:[-a-z0-9.]{{0,251}}[a-z0-9])?/)?{LABEL}"
ENV_NAME = r"[-._A-Za-z][-._A-Za-z0-9]*"
COMPUTE = ("cpu", "memory", "ephemeral-storage")
DEVICES = ("nvidia.com/gpu", "vpc.amazonaws.com/efa")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
PROTOCOLS = ("HTTP", "HTTPS", "TLS", "TCP", "UDP")
TOLERATION_KEYS = ("key", "operator", "value", "effect", "tolerationSeconds")
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


class Mistake(Struct, frozen=True):
    """One thing that is wrong; `route` leads from the value to the part at fault."""

    route: Route
    says: str
    fix: str
    on_key: bool = False


def mistakes(kind: str, value: Any) -> Iterator[Mistake]:
    """Everything that keeps a value from being of a kind: a name of KINDS, "is false", or "one of a, b"."""
    if value is None:
        return
    if kind.startswith("one of "):
        names = kind.removeprefix("one of ").split(", ")
        if value not in names:
            yield Mistake((), f"{value} is not {one_of(names)}", did_you_mean(str(value), names) or f"write {names[0]}")
    elif kind == "is false":
        if value is True:
            yield Mistake((), "gateway, probes and vLLM speak plain HTTP in the pods", "write false, or remove it")
    else:
        yield from KINDS[kind](value)


def _text(value: Any) -> Iterator[Mistake]:
    if not isinstance(value, str):
        yield Mistake((), f"{_shown(value)} is no text", f'write "{_shown(value)}" in quotes')


def _whole(value: Any) -> Iterator[Mistake]:
    """A number that a template prints, so that its digits in quotes are the same."""
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdecimal():
        yield Mistake((), f"{_shown(value)} is no whole number", "write a whole number")


def _port(value: Any) -> Iterator[Mistake]:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
        yield Mistake((), f"{_shown(value)} is no port", "write a number from 1 to 65535, without quotes")


def _duration(value: Any) -> Iterator[Mistake]:
    if not isinstance(value, str) or not re.fullmatch(DURATION, value):
        unit = f"write {value}s" if isinstance(value, int) and not isinstance(value, bool) else "write such as 30s"
        yield Mistake((), f"{_shown(value)} is no duration", unit)


def _labels(value: Any) -> Iterator[Mistake]:
    yield from _annotations(value)
    for key, text in value.items() if isinstance(value, dict) else ():
        if isinstance(text, str) and text and "{{" not in text and not re.fullmatch(LABEL, text):
            fix = "use at most 63 letters, digits, -, _ and ., with a letter or digit at both ends"
            yield Mistake((key,), f"{text!r} cannot be the value of a label", fix)


def _annotations(value: Any) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield Mistake((), f"{_shown(value)} is no map of names to texts", "write `name: text` lines")
        return
    for key, text in value.items():
        if not re.fullmatch(KEY, str(key)) and "{{" not in str(key):
            fix = "write prefix/name: a lower-case domain, then at most 63 letters, digits, -, _ and ."
            yield Mistake((key,), f"{key!r} cannot name a label or an annotation", fix, on_key=True)
        if text is not None and not isinstance(text, str):
            says = f"{_shown(text)} is no text, and Kubernetes takes nothing else here"
            yield Mistake((key,), says, f'write "{_shown(text)}" in quotes')


def _tolerations(value: Any) -> Iterator[Mistake]:
    yield from _listing(value)
    for index, each in _entries(value):
        at: Route = (index,)
        yield from _keys(each, TOLERATION_KEYS, at, "a toleration")
        operator, effect = each.get("operator"), each.get("effect")
        if operator not in (None, "Exists", "Equal"):
            yield Mistake((*at, "operator"), f"operator is {operator}", "write Exists or Equal")
        if effect not in (None, "", *EFFECTS):
            yield Mistake((*at, "effect"), f"effect is {effect}", did_you_mean(str(effect), EFFECTS))
        if operator == "Exists" and each.get("value"):
            yield Mistake((*at, "value"), "a toleration with operator Exists has no value", "delete the value")
        if not each.get("key") and operator != "Exists":
            yield Mistake(at, "a toleration without a key needs operator Exists", "write the key of the taint")


def _environment(value: Any) -> Iterator[Mistake]:
    yield from _listing(value)
    for index, each in _entries(value):
        at: Route = (index,)
        yield from _keys(each, ("name", "value", "valueFrom"), at, "a variable")
        name, text = each.get("name"), each.get("value")
        if not isinstance(name, str) or not re.fullmatch(ENV_NAME, name):
            yield Mistake(at, "the variable has no name that Kubernetes takes", "write name: NAME")
        if text is not None and not isinstance(text, str):
            says = f"{_shown(text)} is no text, and Kubernetes takes nothing else here"
            yield Mistake((*at, "value"), says, f'write "{_shown(text)}" in quotes')


def _resources(value: Any) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield Mistake((), f"{_shown(value)} is no map", "write limits and requests below it")
        return
    yield from _keys(value, ("limits", "requests", "claims"), (), "resources")
    sides = {side: value[side] for side in ("limits", "requests") if isinstance(value.get(side), dict)}
    for side, amounts in sides.items():
        for name, amount in amounts.items():
            at: Route = (side, name)
            if not _is_quantity(amount):
                yield Mistake(at, f"{name}: {_shown(amount)} is no quantity", 'write such as 4, "500m" or 16Gi')
            elif name not in (*COMPUTE, *DEVICES) and not str(name).startswith("hugepages-"):
                known = (*COMPUTE, *DEVICES)
                fix = did_you_mean(str(name), known, listed_up_to=0) or f"use {one_of(known)}"
                yield Mistake(at, f"no node on AWS offers {name}: the pod stays Pending", fix, on_key=True)
            elif name not in COMPUTE and (
                _number(amount) is None or _number(amount) != _number(_other(sides, side, name))
            ):
                says = f"{name} is a whole number, the same in requests and limits"
                yield Mistake(at, says, "write the same whole number in both")


def _other(sides: dict[str, dict[str, Any]], side: str, name: str) -> Any:
    """The other side's amount; a limit alone is the request too."""
    other = "requests" if side == "limits" else "limits"
    own = sides[side][name]
    return sides.get(other, {}).get(name, own if side == "limits" else None)


def _pod(value: Any) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield Mistake((), f"{_shown(value)} is no map", "write fields of a pod's spec below it")
        return
    for key, each in value.items():
        if key in POD_FIELDS_OF_THE_CHART:
            says = f"the chart writes {key} itself, and a field that stands twice is refused"
            yield Mistake((key,), says, "use the value of that name beside extraConfig", on_key=True)
        elif key not in POD_FIELDS:
            fix = did_you_mean(str(key), POD_FIELDS) or "remove it"
            yield Mistake((key,), f"a pod's spec has no {key}", fix, on_key=True)
        elif each is not None and not isinstance(each, POD_FIELDS[key]):
            yield Mistake((key,), f"{key} cannot be {_shown(each)}", f"write {_type_name(POD_FIELDS[key])}")


def _volumes(value: Any) -> Iterator[Mistake]:
    yield from _listing(value)
    for index, each in _entries(value):
        yield from _keys(each, ("name", *VOLUME_SOURCES), (index,), "a volume")
        if not isinstance(each.get("name"), str):
            yield Mistake((index,), "the volume has no name", "write name: ...")


def _mounts(value: Any) -> Iterator[Mistake]:
    yield from _listing(value)
    for index, each in _entries(value):
        for key in ("name", "mountPath"):
            if not isinstance(each.get(key), str):
                yield Mistake((index,), f"the volume mount has no {key}", f"write {key}: ...")


def _image(value: Any) -> Iterator[Mistake]:
    """A reference that means the same tomorrow."""
    if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9][-a-zA-Z0-9._/:@]*", value):
        yield Mistake((), f"{_shown(value)} is no image", "write registry/name:tag")
        return
    tag = value.rpartition("/")[2].partition("@")[0].partition(":")[2]
    if "@sha256:" not in value and tag in ("", "latest"):
        yield Mistake((), f"{value} is another image tomorrow", "name a version: registry/name:tag, or a digest")


def _tag(value: Any) -> Iterator[Mistake]:
    yield from _text(value)
    if value == "latest":
        yield Mistake((), "latest is another image tomorrow", "name a version")


def _containers(value: Any) -> Iterator[Mistake]:
    yield from _listing(value)
    if value == []:
        yield Mistake((), "a pod without containers is refused", "remove it, and use spec.prefill and spec.decode")
    for index, each in _entries(value):
        if not isinstance(each.get("name"), str):
            yield Mistake((index,), "the container has no name", "write name: ...")


def _listeners(value: Any) -> Iterator[Mistake]:
    for index, each in _entries(value):
        protocol, port = each.get("protocol"), each.get("port")
        if protocol not in PROTOCOLS:
            yield Mistake((index, "protocol"), f"{protocol} is no protocol of a listener", f"write {PROTOCOLS[0]}")
        if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
            yield Mistake((index, "port"), f"{_shown(port)} is no port", "write a number from 1 to 65535")


def _listing(value: Any) -> Iterator[Mistake]:
    if not isinstance(value, list):
        yield Mistake((), f"{_shown(value)} is no list", "write each entry after a dash")


def _mapping(value: Any) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield Mistake((), f"{_shown(value)} is no map", "write `name: value` lines below it")


KINDS: dict[str, Callable[[Any], Iterator[Mistake]]] = {
    "annotations": _annotations,
    "containers": _containers,
    "duration": _duration,
    "environment": _environment,
    "image": _image,
    "labels": _labels,
    "list": _listing,
    "listeners": _listeners,
    "map": _mapping,
    "mounts": _mounts,
    "pod": _pod,
    "port": _port,
    "resources": _resources,
    "tag": _tag,
    "text": _text,
    "tolerations": _tolerations,
    "volumes": _volumes,
    "whole": _whole,
}

POD_FIELDS_OF_THE_CHART = (
    "containers",
    "enableServiceLinks",
    "hostIPC",
    "hostPID",
    "initContainers",
    "nodeSelector",
    "serviceAccountName",
    "terminationGracePeriodSeconds",
    "tolerations",
    "volumes",
)
POD_FIELDS: dict[str, type] = {
    "activeDeadlineSeconds": int,
    "affinity": dict,
    "automountServiceAccountToken": bool,
    "dnsConfig": dict,
    "dnsPolicy": str,
    "hostAliases": list,
    "hostNetwork": bool,
    "hostUsers": bool,
    "hostname": str,
    "imagePullSecrets": list,
    "nodeName": str,
    "os": dict,
    "overhead": dict,
    "preemptionPolicy": str,
    "priority": int,
    "priorityClassName": str,
    "readinessGates": list,
    "resourceClaims": list,
    "resources": dict,
    "restartPolicy": str,
    "runtimeClassName": str,
    "schedulerName": str,
    "schedulingGates": list,
    "securityContext": dict,
    "serviceAccount": str,
    "setHostnameAsFQDN": bool,
    "shareProcessNamespace": bool,
    "subdomain": str,
    "topologySpreadConstraints": list,
}


def _entries(value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """The entries of a list that are maps."""
    for index, each in enumerate(value if isinstance(value, list) else ()):
        if isinstance(each, dict):
            yield index, each


def _keys(value: dict[str, Any], known: tuple[str, ...], at: Route, what: str) -> Iterator[Mistake]:
    for key in value:
        if key not in known:
            yield Mistake((*at, key), f"{what} has no {key}", did_you_mean(str(key), known), on_key=True)


def _is_quantity(value: Any) -> bool:
    if isinstance(value, str):
        return "{{" in value or bool(re.fullmatch(QUANTITY, value))
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _number(value: Any) -> str | None:
    """A whole number or quantity as text, None for a part of one."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else None
    return None if value is None or (isinstance(value, str) and "." in value) else str(value)


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)[:60]


def _type_name(wanted: type) -> str:
    names = {bool: "true or false, without quotes", int: "a whole number", str: "text", list: "a list", dict: "a map"}
    return names[wanted]
