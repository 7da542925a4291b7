"""Somebody's files, read with care: YAML of any origin, in bounds, and every file that is not read is named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from llmdgen.adopt.charts import is_modelservice, read_values
from llmdgen.adopt.found import Found, UnusableSource, server_of, why
from llmdgen.plain_yaml import YAMLError, load_all, reason
from llmdgen.spec.fields import ROLES
from llmdgen.untyped import at, items, mapping

MOST_FILES, MOST_BYTES = 400, 2**20
_ENDINGS = (".yaml", ".yml", ".json")
# Guides hold the same deployment for several kinds of hardware side by side.
_OTHER_HARDWARE = ("xpu", "hpu", "tpu", "gaudi", "rebellions", "amd", "cpu")
_OTHER_DEVICES = ("google.com/", "gpu.intel.com/", "habana.ai/", "amd.com/", "rebellions.ai/")
ROUTER_KEYS = ("inferenceExtension", "inferencePool", "router")


def read(path: str) -> Found:
    """What a file or the files of a directory say. Raises UnusableSource where no model server is among them."""
    found = Found()
    for file, shown in _files(path, found):
        for doc in _documents(file, shown, found):
            _read(doc, shown, found)
    if not found.servers:
        raise UnusableSource(
            "no model server is in it: neither values of the modelservice chart nor a Deployment or LeaderWorkerSet "
            "whose container runs vllm serve",
            found.left,
        )
    for role in ROLES:
        named = [f"{each.workload.manifest.name} of {each.file}" for each in found.servers if each.role == role]
        if len(named) > 1:
            raise UnusableSource(f"{role} stands there {len(named)} times: {', '.join(named)}; name one file of them")
    return found


def _files(path: str, found: Found) -> Iterator[tuple[str, str]]:
    """The YAML files of a directory in their order, or the one file, each with its name for messages; links to
    directories are not followed."""
    if os.path.isfile(path):
        yield path, os.path.basename(path)
        return
    count = 0
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(names):
            file = os.path.join(folder, name)
            shown = os.path.relpath(file, path)
            words = name.partition(".")[0].replace("_", "-").lower().split("-")
            if name.endswith(".gotmpl"):
                found.leave(shown, "the file", "helmfile would fill it in; only plain values are read")
            elif not name.endswith(_ENDINGS) or not os.path.isfile(file):
                continue
            elif any(word in _OTHER_HARDWARE for word in words[1:]):
                found.leave(shown, "the file", "it is for other hardware than NVIDIA GPUs")
            elif (count := count + 1) > MOST_FILES:
                raise UnusableSource(f"it has more than {MOST_FILES} YAML files; name the directory of one deployment")
            else:
                yield file, shown


def _documents(file: str, shown: str, found: Found) -> Iterator[dict[str, Any]]:
    """The mappings of a file. Whatever cannot be read is left out, with the reason."""
    try:
        with open(file, "rb") as stream:
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
        for doc in documents:
            if isinstance(doc, dict):
                yield from (mapping(each) for each in items(doc.get("items"))) if doc.get("kind") == "List" else [doc]


def _read(doc: dict[str, Any], file: str, found: Found) -> None:
    kind, gateway = doc.get("kind"), at(doc, "gateway", "gatewayClassName")
    if is_modelservice(doc):
        read_values(doc, file, found)
    elif isinstance(kind, str) and "apiVersion" in doc:
        _read_object(doc, kind, file, found)
    elif any(key in doc for key in ROUTER_KEYS):
        found.router.append((file, doc))
    elif isinstance(gateway, str):
        _read_gateway(gateway, "gateway.gatewayClassName", file, found)
    else:
        keys = ", ".join(sorted(str(key) for key in doc)[:6])
        found.leave(file, keys or "the document", "neither values of a chart that llmdgen knows nor an object")


def _read_object(doc: dict[str, Any], kind: str, file: str, found: Found) -> None:
    name = str(at(doc, "metadata", "name") or "")
    called = f"{kind}/{name}" if name else kind
    if kind == "Gateway":
        _read_gateway(str(at(doc, "spec", "gatewayClassName")), called, file, found)
        return
    server = server_of(doc, kind, name, file)
    if server is None:
        found.leave(file, called, why("objects", kind))
        return
    asked = (each for side in ("limits", "requests") for each in mapping(at(server.vllm.doc, "resources", side)))
    if device := next((each for each in asked if each.startswith(_OTHER_DEVICES)), None):
        found.leave(file, called, f"it asks for {device}, and llmdgen plans NVIDIA GPUs alone")
    else:
        found.servers.append(server)


def _read_gateway(name: str, key: str, file: str, found: Found) -> None:
    known = next((each for each in ("agentgateway", "kgateway", "istio") if name.startswith(each)), "")
    if known:
        found.provider = known
    else:
        found.leave(file, key, f"{name} is no gateway class that llmdgen knows")
