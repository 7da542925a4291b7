"""What a value of a chart must be for whoever reads it at last: Kubernetes objects, durations, ports, names.

Pure: a kind, which the release's values.toml gives for each path, and a value in; what is wrong with it out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from llmdgen.checks._container_kinds import (
    IMAGE,
    containers,
    environment,
    image,
    init_containers,
    mounts,
    ports,
    resources,
    texts,
    volumes,
)
from llmdgen.checks._mistake import Mistake, listing, shown, unknown_keys
from llmdgen.findings import Route
from llmdgen.suggest import did_you_mean, one_of
from llmdgen.untyped import maps

DURATION = r"([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w|y))+"
LABEL = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
KEY = rf"(?:[a-z0-9](?:[-a-z0-9.]{{0,251}}[a-z0-9])?/)?{LABEL}"
NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
PROTOCOLS = ("HTTP", "HTTPS", "TLS", "TCP", "UDP")
TOLERATION_KEYS = ("key", "operator", "value", "effect", "tolerationSeconds")


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
        yield Mistake((), f"{shown(value)} is no text", f'write "{shown(value)}" in quotes')


def _whole(value: Any) -> Iterator[Mistake]:
    """A number that a template prints, so that its digits in quotes are the same."""
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdecimal():
        yield Mistake((), f"{shown(value)} is no whole number", "write a whole number")


def _port(value: Any) -> Iterator[Mistake]:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
        yield Mistake((), f"{shown(value)} is no port", "write a number from 1 to 65535, without quotes")


def _duration(value: Any) -> Iterator[Mistake]:
    if not isinstance(value, str) or not re.fullmatch(DURATION, value):
        unit = f"write {value}s" if isinstance(value, int) and not isinstance(value, bool) else "write such as 30s"
        yield Mistake((), f"{shown(value)} is no duration", unit)


def _labels(value: Any) -> Iterator[Mistake]:
    yield from _annotations(value)
    for key, text in value.items() if isinstance(value, dict) else ():
        if isinstance(text, str) and text and "{{" not in text and not re.fullmatch(LABEL, text):
            fix = "use at most 63 letters, digits, -, _ and ., with a letter or digit at both ends"
            yield Mistake((key,), f"{text!r} cannot be the value of a label", fix)


def _annotations(value: Any) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield Mistake((), f"{shown(value)} is no map of names to texts", "write `name: text` lines")
        return
    for key, text in value.items():
        if not re.fullmatch(KEY, str(key)) and "{{" not in str(key):
            fix = "write prefix/name: a lower-case domain, then at most 63 letters, digits, -, _ and ."
            yield Mistake((key,), f"{key!r} cannot name a label or an annotation", fix, on_key=True)
        if text is not None and not isinstance(text, str):
            says = f"{shown(text)} is no text, and Kubernetes takes nothing else here"
            yield Mistake((key,), says, f'write "{shown(text)}" in quotes')


def _tolerations(value: Any) -> Iterator[Mistake]:
    yield from listing(value)
    for index, each in maps(value):
        at: Route = (index,)
        yield from unknown_keys(each, TOLERATION_KEYS, at, "a toleration")
        operator, effect = each.get("operator"), each.get("effect")
        if operator not in (None, "Exists", "Equal"):
            yield Mistake((*at, "operator"), f"operator is {operator}", "write Exists or Equal")
        if effect not in (None, "", *EFFECTS):
            yield Mistake((*at, "effect"), f"effect is {effect}", did_you_mean(str(effect), EFFECTS))
        if operator == "Exists" and each.get("value"):
            yield Mistake((*at, "value"), "a toleration with operator Exists has no value", "delete the value")
        if not each.get("key") and operator != "Exists":
            yield Mistake(at, "a toleration without a key needs operator Exists", "write the key of the taint")


def _pod(value: Any) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield Mistake((), f"{shown(value)} is no map", "write fields of a pod's spec below it")
        return
    for key, each in value.items():
        if key in POD_FIELDS_OF_THE_CHART:
            says = f"the chart writes {key} itself, and a field that stands twice is refused"
            yield Mistake((key,), says, "use the value of that name beside extraConfig", on_key=True)
        elif key not in POD_FIELDS:
            fix = did_you_mean(str(key), POD_FIELDS) or "remove it"
            yield Mistake((key,), f"a pod's spec has no {key}", fix, on_key=True)
        elif each is not None and not isinstance(each, POD_FIELDS[key]):
            yield Mistake((key,), f"{key} cannot be {shown(each)}", f"write {_type_name(POD_FIELDS[key])}")
        elif key == "affinity":
            for inner in each if isinstance(each, dict) else ():
                if inner not in AFFINITIES:
                    fix = did_you_mean(str(inner), AFFINITIES)
                    yield Mistake((key, inner), f"an affinity has no {inner}", fix, on_key=True)
        elif key == "topologySpreadConstraints":
            for index, entry in maps(each):
                if entry.get("whenUnsatisfiable") not in UNSATISFIABLE:
                    says = f"whenUnsatisfiable is {entry.get('whenUnsatisfiable')}"
                    fix = did_you_mean(str(entry.get("whenUnsatisfiable")), UNSATISFIABLE)
                    yield Mistake((key, index, "whenUnsatisfiable"), says, fix)
        elif key in POD_CHOICES and each not in POD_CHOICES[key]:
            says = f"{key} is {each}, not {one_of(POD_CHOICES[key])}"
            yield Mistake((key,), says, did_you_mean(str(each), POD_CHOICES[key]))


def _tag(value: Any) -> Iterator[Mistake]:
    yield from _text(value)
    if value == "latest":
        yield Mistake((), "latest is another image tomorrow", "name a version")


def _listeners(value: Any) -> Iterator[Mistake]:
    seen: set[str] = set()
    for index, each in maps(value):
        protocol, port = each.get("protocol"), each.get("port")
        for key, example in (("protocol", "HTTP"), ("port", "80")):
            if each.get(key) is None:
                yield Mistake((index,), f"the listener has no {key}", f"write {key}: {example}")
        if protocol is not None and protocol not in PROTOCOLS:
            yield Mistake((index, "protocol"), f"{protocol} is no protocol of a listener", f"write {PROTOCOLS[0]}")
        name, kinds = each.get("name"), each.get("allowedRoutes")
        if name is None:
            yield Mistake((index,), "the listener has no name, and the Gateway is refused", "write name: http")
        elif not re.fullmatch(NAME, str(name)):
            yield Mistake(
                (index, "name"), f"{shown(name)} cannot name a listener", "use lower-case letters, digits and -"
            )
        elif str(name) in seen:
            yield Mistake((index, "name"), f"two listeners are called {name}", "give each a name of its own")
        seen.add(str(name))
        if protocol in ("HTTPS", "TLS") and not isinstance(each.get("tls"), dict):
            says = f"a listener for {protocol} needs tls"
            yield Mistake((index,), says, "write tls: {hostname: ..., mode: Terminate, certificateRefs: [{name: ...}]}")
        allowed = kinds.get("namespaces") if isinstance(kinds, dict) else None
        origin = allowed.get("from") if isinstance(allowed, dict) else None
        if origin is not None and origin not in ("All", "Same", "Selector"):
            fix = did_you_mean(str(origin), ("All", "Same", "Selector"))
            yield Mistake(
                (index, "allowedRoutes", "namespaces", "from"), f"{origin} is not where routes come from", fix
            )
        of_kinds = [kind.get("kind") for _, kind in maps(kinds.get("kinds"))] if isinstance(kinds, dict) else []
        if of_kinds and "HTTPRoute" not in of_kinds:
            says = "the listener takes no HTTPRoute, and llm-d has nothing else"
            yield Mistake((index, "allowedRoutes", "kinds"), says, "add {kind: HTTPRoute}, or remove kinds")
        is_port = isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536
        if port is not None and not is_port:
            yield Mistake(
                (index, "port"), f"{shown(port)} is no port", "write a number from 1 to 65535, without quotes"
            )


def _name(value: Any) -> Iterator[Mistake]:
    """A name of a Kubernetes object."""
    if not isinstance(value, str) or not re.fullmatch(NAME, value) or len(value) > 253:
        fix = "use lower-case letters, digits, - and ., with a letter or digit at both ends"
        yield Mistake((), f"{shown(value)} cannot name a Kubernetes object", fix)


def _image_name(value: Any) -> Iterator[Mistake]:
    """The name of an image whose registry and tag stand beside it."""
    yield from _text(value)
    if isinstance(value, str) and (":" in value or "@" in value):
        yield Mistake((), f"the chart puts a tag after {value}", "write the tag as image.tag")
    elif isinstance(value, str) and not re.fullmatch(IMAGE, value):
        yield Mistake((), f"{value} is no image's name", "use lower-case letters, digits, ., _ and -")


def _objects(value: Any) -> Iterator[Mistake]:
    """Kubernetes objects, or texts of one each that a template makes."""
    yield from listing(value)
    for index, each in enumerate(value if isinstance(value, list) else ()):
        if isinstance(each, str):
            if "{{" not in each and not re.search(r"^kind:", each, re.MULTILINE):
                yield Mistake((index,), f"{shown(each)} is no Kubernetes object", "write apiVersion, kind and metadata")
            continue
        if not isinstance(each, dict):
            yield Mistake((index,), f"{shown(each)} is no Kubernetes object", "write apiVersion, kind and metadata")
            continue
        for key in ("apiVersion", "kind"):
            if not isinstance(each.get(key), str):
                yield Mistake((index,), f"the object has no {key}", f"write {key}: ...")
        metadata = each["metadata"] if isinstance(each.get("metadata"), dict) else {}
        name = metadata.get("name")
        if name is None:
            yield Mistake((index,), "the object has no metadata.name", "write metadata: {name: ...}")
        for key in ("name", "namespace"):
            if metadata.get(key) is not None and "{{" not in str(metadata[key]):
                for mistake in _name(metadata[key]):
                    yield Mistake((index, "metadata", key), mistake.says, mistake.fix)
        for key, kind in (("labels", _labels), ("annotations", _annotations)):
            for mistake in kind(metadata[key]) if metadata.get(key) is not None else ():
                yield Mistake((index, "metadata", key, *mistake.route), mistake.says, mistake.fix, mistake.on_key)


def _mapping(value: Any) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield Mistake((), f"{shown(value)} is no map", "write `name: value` lines below it")


KINDS: dict[str, Callable[[Any], Iterator[Mistake]]] = {
    "annotations": _annotations,
    "containers": containers,
    "duration": _duration,
    "environment": environment,
    "image": image,
    "labels": _labels,
    "image name": _image_name,
    "init containers": init_containers,
    "list": listing,
    "listeners": _listeners,
    "map": _mapping,
    "mounts": mounts,
    "name": _name,
    "objects": _objects,
    "pod": _pod,
    "port": _port,
    "ports": ports,
    "resources": resources,
    "tag": _tag,
    "text": _text,
    "texts": texts,
    "tolerations": _tolerations,
    "volumes": volumes,
    "whole": _whole,
}

POD_FIELDS_OF_THE_CHART = (
    "containers",
    "initContainers",
    "nodeSelector",
    "serviceAccountName",
    "tolerations",
    "volumes",
)
AFFINITIES = ("nodeAffinity", "podAffinity", "podAntiAffinity")
UNSATISFIABLE = ("DoNotSchedule", "ScheduleAnyway")
POD_CHOICES = {
    "dnsPolicy": ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    "preemptionPolicy": ("PreemptLowerPriority", "Never"),
    "restartPolicy": ("Always",),  # a Deployment's and a LeaderWorkerSet's pods know no other
}
POD_FIELDS: dict[str, type] = {
    "activeDeadlineSeconds": int,
    "affinity": dict,
    "automountServiceAccountToken": bool,
    "dnsConfig": dict,
    "enableServiceLinks": bool,
    "dnsPolicy": str,
    "hostAliases": list,
    "hostIPC": bool,
    "hostNetwork": bool,
    "hostPID": bool,
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
    "terminationGracePeriodSeconds": int,
    "topologySpreadConstraints": list,
}


def _type_name(wanted: type) -> str:
    names = {bool: "true or false, without quotes", int: "a whole number", str: "text", list: "a list", dict: "a map"}
    return names[wanted]
