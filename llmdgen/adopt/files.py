"""Somebody's files, read with care: YAML of any origin, in bounds, and every file that is not read is named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from llmdgen.adopt.found import Found, Server, UnusableSource, with_lists
from llmdgen.adopt.modelservice import is_modelservice, read_values
from llmdgen.kube.workload import Manifest, workloads
from llmdgen.plain_yaml import YAMLError, load_all, reason
from llmdgen.spec.fields import ROLES
from llmdgen.spec.model import DEFAULT_RELEASE
from llmdgen.untyped import at, items, mapping

MOST_FILES, MOST_BYTES, MOST_NODES, DEEPEST = 400, 2**20, 50_000, 60
_ENDINGS = (".yaml", ".yml", ".json")
# Guides hold the same deployment for several kinds of hardware side by side.
_OTHER_HARDWARE = ("xpu", "hpu", "tpu", "gaudi", "rebellions", "amd", "cpu")
_OTHER_DEVICES = ("google.com/", "gpu.intel.com/", "habana.ai/", "amd.com/", "rebellions.ai/")
_MADE = "llmdgen makes its own"
_OBJECTS = {
    "ServiceAccount": _MADE,
    "HTTPRoute": _MADE,
    "InferencePool": "the router's chart makes it",
    "PodMonitor": f"{_MADE}; monitoring.labels names its labels",
    "PodDisruptionBudget": _MADE,
    "Service": _MADE,
    "WellLitPath": "it is a spec of llmdgen already: `llmdgen validate` takes it",
    "Namespace": "metadata.namespace names it, and SUMMARY.md has the command",
}
ROUTER_KEYS = ("inferenceExtension", "inferencePool", "router")


def read(path: str) -> Found:
    """What a file or the files of a directory say. Raises UnusableSource where no model server is among them."""
    found = Found()
    for name in _files(path, found):
        shown = os.path.relpath(name, path) if os.path.isdir(path) else os.path.basename(name)
        for doc in _documents(name, shown, found):
            _read(doc, shown, found)
    if not found.servers:
        raise UnusableSource(
            "no model server is in it: neither values of the modelservice chart nor a Deployment or LeaderWorkerSet "
            "whose container runs vllm serve",
            found.left,
        )
    for role in ROLES:
        named = [f"{each.called} of {each.file}" for each in found.servers if each.role == role]
        if len(named) > 1:
            raise UnusableSource(f"{role} stands there {len(named)} times: {', '.join(named)}; name one file of them")
    return found


def _files(path: str, found: Found) -> Iterator[str]:
    """The YAML files of a directory in their order, or the one file; links to directories are not followed."""
    if os.path.isfile(path):
        yield path
        return
    count = 0
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(names):
            full = os.path.join(folder, name)
            shown = os.path.relpath(full, path)
            if name.endswith(".gotmpl"):
                found.leave(shown, "the file", "helmfile would fill it in; only plain values are read")
            if not name.endswith(_ENDINGS) or not os.path.isfile(full):
                continue
            if _is_of_other_hardware(name):
                found.leave(shown, "the file", "it is for other hardware than NVIDIA GPUs")
                continue
            count += 1
            if count > MOST_FILES:
                raise UnusableSource(f"it has more than {MOST_FILES} YAML files; name the directory of one deployment")
            yield full


def _is_of_other_hardware(name: str) -> bool:
    words = os.path.splitext(name)[0].replace("_", "-").replace(".", "-").lower().split("-")
    return any(word in _OTHER_HARDWARE for word in words[1:])


def _documents(name: str, shown: str, found: Found) -> Iterator[dict[str, Any]]:
    """The mappings of a file. Whatever cannot be read is left out, with the reason."""
    try:
        with open(name, "rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            found.leave(shown, "the file", f"it is larger than {MOST_BYTES // 2**20} MiB")
            return
        documents = load_all(content.decode())
    except OSError as error:
        found.leave(shown, "the file", f"it cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        found.leave(shown, "the file", "it is not UTF-8")
    except YAMLError as error:
        found.leave(shown, "the file", f"it is not YAML: {reason(error)}")
    except (RecursionError, ValueError, TypeError):
        found.leave(shown, "the file", "it is not YAML that Kubernetes would take")
    else:
        for index, doc in enumerate(documents):
            if _nodes(doc, DEEPEST) > MOST_NODES:
                found.leave(shown, f"document {index + 1}", "it is nested too deeply or too large, aliases included")
            elif isinstance(doc, dict):
                yield from (mapping(each) for each in items(doc.get("items"))) if doc.get("kind") == "List" else [doc]


def _nodes(value: Any, depth: int, room: int = MOST_NODES + 1) -> int:
    """How many values a tree has, no further than it matters."""
    if depth == 0:
        return room
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    count = 1
    for each in inner:
        count += _nodes(each, depth - 1, room - count)
        if count >= room:
            break
    return count


def _read(doc: dict[str, Any], file: str, found: Found) -> None:
    kind = doc.get("kind")
    if is_modelservice(doc):
        read_values(doc, file, found)
    elif isinstance(kind, str) and "apiVersion" in doc:
        _read_object(doc, kind, file, found)
    elif any(key in doc for key in ROUTER_KEYS):
        found.router.append((file, doc))
    elif isinstance(at(doc, "gateway", "gatewayClassName"), str):
        _read_gateway(str(at(doc, "gateway", "gatewayClassName")), "gateway.gatewayClassName", file, found)
    else:
        keys = ", ".join(sorted(str(key) for key in doc)[:6])
        found.leave(file, keys or "the document", "neither values of a chart that llmdgen knows nor an object")


def _read_object(doc: dict[str, Any], kind: str, file: str, found: Found) -> None:
    name = str(at(doc, "metadata", "name") or "")
    manifest = Manifest("", 0, file, str(doc["apiVersion"]), kind, name, "", with_lists(doc))
    workload = next(workloads([manifest], DEFAULT_RELEASE), None)
    vllm = workload.vllm if workload else None
    if kind == "Gateway":
        _read_gateway(str(at(doc, "spec", "gatewayClassName")), f"Gateway/{name}", file, found)
    elif kind == "Kustomization":
        says = "patches are not applied: write what `kubectl kustomize` prints to a file, and name that"
        found.leave(file, "the file", says)
    elif workload is None or vllm is None:
        found.leave(file, str(manifest), _OBJECTS.get(kind, "a spec has no field for it: deploy it beside"))
    elif device := next(_other_devices(vllm.doc), None):
        found.leave(file, str(manifest), f"it asks for {device}, and llmdgen plans NVIDIA GPUs alone")
    else:
        found.servers.append(Server(file, str(manifest), _role(workload.role, name), workload, vllm))


def _other_devices(container: dict[str, Any]) -> Iterator[str]:
    for side in ("limits", "requests"):
        yield from (each for each in mapping(at(container, "resources", side)) if each.startswith(_OTHER_DEVICES))


def _role(label: str, name: str) -> str:
    """The role by its label, else by the object's name; who computes prompts and answers alike is decode."""
    return next((role for role in ROLES if role == label), None) or ("prefill" if "prefill" in name else "decode")


def _read_gateway(name: str, key: str, file: str, found: Found) -> None:
    known = next((each for each in ("agentgateway", "kgateway", "istio") if name.startswith(each)), "")
    if known:
        found.provider = known
    else:
        found.leave(file, key, f"{name} is no gateway class that llmdgen knows")
