"""Objects against their schemas: Kubernetes' own for built-in kinds, the CRDs' for everything else.

Both are read strictly: a field that the schema does not know is an error, because the API server would drop it and say
nothing. CRD files hold OpenAPI schemas as Kubernetes stores them; they are made into JSON Schema here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from llmdgen.findings import Finding
from llmdgen.kube.workload import Manifest
from llmdgen.registry import Rule, declare
from llmdgen.verify.state import VerifyError

BUILT_IN = declare("""VER005 error: an object does not follow Kubernetes' schema
    The API server refuses an object of a wrong type and drops fields that it does not know. Checked with the package
    kubernetes-validate, strictly, against its newest Kubernetes version.

    Fails:  `replicas: "4"`; `nodeselector` instead of nodeSelector.
    Passes: fields and types that the schema has.
""")
CUSTOM = declare("""VER006 error: an object does not follow its CRD
    The same for custom resources (Gateway, HTTPRoute, InferencePool, LeaderWorkerSet, PodMonitor ...), against the
    openAPIV3Schema of the CRD files that --crds names. CEL rules (x-kubernetes-validations) are not evaluated.

    Fails:  `targetPort` in an InferencePool, which has targetPorts.
    Passes: fields and types that the CRD has, in a version that it serves.
""")
UNCHECKED = declare("""VER007 note: there is no schema for an object
    The object was read, but nothing says what its fields may be: no CRD file for its kind was given with --crds, or
    the optional packages (llmdgen[verify]) are not installed.

    Fails:  a GatewayParameters without kgateway's CRD among the files. Said once, for all kinds and directories.
    Passes: an object whose schema was found.
""")
_CRD = re.compile(r"^kind: CustomResourceDefinition\b", re.MULTILINE)
_KIND = re.compile(r"^\s+kind: (\w+)\s*$", re.MULTILINE)
_SERVED = dict[tuple[str, str], dict[str, Any]]


def check(manifests: Iterable[Manifest], crds: Path | None) -> list[Finding]:
    """Every way in which an object differs from its schema, and a note for each kind that has none. Raises VerifyError
    where `crds` cannot be read."""
    manifests = tuple(manifests)
    served = read_crds(crds, {each.kind for each in manifests}) if crds is not None and _installed() else {}
    problems: list[Finding] = []
    without: dict[tuple[str, str], Manifest] = {}
    for manifest in manifests:
        schema = served.get((manifest.api_version, manifest.kind))
        found = _custom(manifest, schema) if schema is not None else _built_in(manifest)
        if found is None:
            without.setdefault((manifest.api_version, manifest.kind), manifest)
        else:
            problems.extend(found)
    unchecked = []
    for (version, kind), manifest in without.items():
        others = sorted({each for each, of_kind in served if of_kind == kind})
        if others and version.partition("/")[0] in {each.partition("/")[0] for each in others}:
            says = f"its CRD does not serve {version}"
            problems.append(CUSTOM.at("apiVersion", says=says, fix=f"use {', '.join(others)}", of=manifest))
        else:
            unchecked.append(kind)
    if not _installed():
        says = "no object was held against its schema: that takes packages of llmdgen's extra `verify`"
        problems.append(UNCHECKED.at(says=says, fix="pip install '.[verify]' in llmdgen's checkout"))
    elif unchecked:
        says = f"no schema is here of {', '.join(sorted(set(unchecked)))}"
        problems.append(UNCHECKED.at(says=says, fix="give their CRDs with --crds; README.md says where they come from"))
    return problems


def read_crds(folder: Path, kinds: Collection[str]) -> _SERVED:
    """The schemas of kinds by (apiVersion, kind), in every version that a CRD file of the folder serves. Raises
    VerifyError where the folder has no CRD at all, or a file is not YAML."""
    kinds_of = _kinds_of(folder.resolve())
    if not kinds_of:
        raise VerifyError(f"there is no CustomResourceDefinition in {folder}", "give a folder of CRD files")
    schemas: _SERVED = {}
    for file, named in kinds_of.items():
        # A CRD can be 20,000 lines long: only those of a kind that is there are parsed.
        if not named.isdisjoint(kinds):
            schemas |= _crds(file)
    return schemas


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        says = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise VerifyError(f"{file} cannot be read: {says}", "give a folder of CRD files") from error


@cache
def _kinds_of(folder: Path) -> dict[Path, frozenset[str]]:
    """The files of a folder that hold CRDs, with every kind that they name: read once, whatever is verified."""
    texts = {file: _text(file) for file in sorted(folder.rglob("*.y*ml")) if file.is_file()}
    return {file: frozenset(_KIND.findall(text)) for file, text in texts.items() if _CRD.search(text)}


@cache
def _crds(file: Path) -> _SERVED:
    import yaml

    try:
        return {
            key: schema
            for document in yaml.load_all(_text(file), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            if isinstance(document, dict) and document.get("kind") == "CustomResourceDefinition"
            for key, schema in _versions(document["spec"])
        }
    except yaml.YAMLError as error:
        raise VerifyError(f"{file} is not YAML: {error}", "give a folder of CRD files") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise VerifyError(f"{file} has no complete CustomResourceDefinition", "give a folder of CRD files") from error


def _versions(spec: dict[str, Any]) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    for version in spec["versions"]:
        schema = version.get("schema", {}).get("openAPIV3Schema")
        if version.get("served", True) and isinstance(schema, dict):
            yield (f"{spec['group']}/{version['name']}", spec["names"]["kind"]), strict(schema)


def strict(schema: dict[str, Any], is_root: bool = True) -> dict[str, Any]:
    """An OpenAPI schema of a CRD as a JSON Schema that refuses unknown fields, as Kubernetes prunes them.

    metadata is the API server's own business and stays open, and so does what x-kubernetes-preserve-unknown-fields
    opens. Combinations (oneOf, allOf ...) only restrict fields that are declared beside them, so they stay open too.
    """
    made = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-")}
    for key in ("default", "example", "format", "description"):
        made.pop(key, None)
    if isinstance(schema.get("properties"), dict):
        made["properties"] = {name: strict(each, False) for name, each in schema["properties"].items()}
        if is_root:
            made["properties"] |= {"metadata": {"type": "object"}, "status": {}}
            made["properties"] |= {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
        if not (schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("additionalProperties")):
            made["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            made[key] = strict(schema[key], False)
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
        made.pop("anyOf", None)
    if schema.get("nullable"):
        made.pop("nullable")
        if isinstance(made.get("type"), str):
            made["type"] = [made["type"], "null"]
        if isinstance(made.get("enum"), list):
            made["enum"] = [*made["enum"], None]
    for key, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(made.get(key), bool):  # OpenAPI 3.0 marks the bound, JSON Schema states it
            is_exclusive, bound = made.pop(key), made.pop(inclusive, None)
            if bound is not None:
                made[key if is_exclusive else inclusive] = bound
    return made


def _custom(manifest: Manifest, schema: dict[str, Any]) -> list[Finding]:
    """What jsonschema finds. Nulls are dropped first, as the API server does."""
    from jsonschema import Draft202012Validator

    errors = Draft202012Validator(schema).iter_errors(_without_nulls(manifest.doc))
    return [_from_error(CUSTOM, manifest, error) for error in sorted(errors, key=lambda error: str(error.json_path))]


def _built_in(manifest: Manifest) -> list[Finding] | None:
    """What kubernetes-validate finds, None where it is not installed or has no schema of the kind."""
    if not _installed():
        return None
    import kubernetes_validate

    # The package finds a schema by the first part of the group alone: networking.istio.io is not networking.k8s.io.
    if "." in manifest.group and not manifest.group.endswith(".k8s.io"):
        return None
    try:
        kubernetes_validate.validate(_without_nulls(manifest.doc), _newest(), strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        return None
    except kubernetes_validate.ValidationError as error:
        return [_from_error(BUILT_IN, manifest, error)]
    return []


@cache
def _newest() -> str:
    """The newest version of Kubernetes that kubernetes-validate knows, which remembers its files from now on: it would
    read all definitions of Kubernetes again for each object."""
    from kubernetes_validate import latest_version, utils

    utils.schema_contents = cache(utils.schema_contents)
    return str(latest_version())


def _from_error(rule: Rule, manifest: Manifest, error: Any) -> Finding:
    """A validator's error at the place that it names; the value itself is cut, it may be a whole object."""
    message = str(error.message)
    if len(message) > 240:
        message = f"...{message[-200:]}"
    return rule.at(*error.absolute_path, says=message, fix="correct the value that makes this field", of=manifest)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value


@cache
def _installed() -> bool:
    """Whether the optional packages are there, without importing them."""
    return all(find_spec(name) is not None for name in ("jsonschema", "kubernetes_validate", "yaml"))
