"""The spec that the files add up to, without what llmdgen refuses, each with its reason, so that it validates."""

from __future__ import annotations

import re
from typing import Any

from llmdgen import api
from llmdgen.adopt.charts import scheduler_spec
from llmdgen.adopt.files import read
from llmdgen.adopt.found import Found, LeftOut, Server, UnusableSource, shortened
from llmdgen.adopt.servers import EVENTS, cache_tiers, placement, role_spec, token_secret
from llmdgen.facts import catalogue
from llmdgen.findings import Located, Route, SpecError, dotted
from llmdgen.kube.workload import mounted_at
from llmdgen.planning.model import Plan
from llmdgen.secrets import mask_value
from llmdgen.spec.fields import ROLES
from llmdgen.spec.load import parse
from llmdgen.spec.model import DEFAULT_RELEASE
from llmdgen.untyped import at, mapping, maps
from llmdgen.yaml_text import dump

MODEL_VOLUME = "model-storage"  # to which the modelservice chart, and llmdgen, download weights
MOST_ROUNDS = 120
_SIZES = ("replicas", "parallelism", "instanceType")
_ALWAYS = {("path",), ("with",), ("instanceTypes",), ("model",), ("model", "name"), ("decode",), ("prefill",)}


def adopted(
    path: str, source: str, name: str, *, of: str | None, model: str | None, nodes: str | None
) -> tuple[str, list[LeftOut], Plan]:
    """The spec's text, what was left out of it, and its plan on the first nodes.

    `path` is the file or directory to read, `source` what findings call the spec; `of` the well-lit path, `model` and
    `nodes` are said by the caller where the files do not or should not say them. Raises UnusableSource, and
    SpecError where nothing that can be left out makes it validate.
    """
    found = read(path)
    spec = _spec(found, of, model, nodes)
    _take_secrets(spec, (), found)
    plan = _fitted(spec, source, name, found)
    _shared(spec)
    return _text(spec, name), found.left, plan


def _spec(found: Found, of: str | None, model: str | None, nodes: str | None) -> dict[str, Any]:
    servers = sorted(found.servers, key=lambda each: ROLES.index(each.role))
    roles = {each.role: role_spec(each, found) for each in servers}
    places = {each.role: placement(each, found) for each in servers}
    tiers = [cache_tiers(each, found) for each in servers]
    paths = _paths(servers, roles, any(tiers))
    main = of or paths[0]
    types = {role: nodes or place["instance"] for role, place in places.items()}
    first = types.get("decode") or next(iter(types.values()))
    if not first:
        raise UnusableSource("it does not say on which nodes it runs; name their type with --instance-type")
    if types.get("prefill") and types["prefill"] != first:
        roles["prefill"]["instanceType"] = types["prefill"]
    secrets = dict.fromkeys(each for place in places.values() for each in place["pullSecrets"])
    named, scheduler = _model(found, servers, model), scheduler_spec(found)
    return {
        "path": main,
        "with": [each for each in paths if each != main and of is None],
        "release": DEFAULT_RELEASE,
        "platform": "hyperpod" if first.startswith("ml.") else "eks",
        "instanceTypes": [first],
        "images": {"pullSecrets": [*secrets]},
        "model": named,
        "gateway": {"provider": found.provider} if found.provider else {},
        **roles,
        "cache": next(filter(None, tiers), {}),
        "scheduler": scheduler,
        "cluster": _cluster(places),
    }


def _take_secrets(value: Any, route: Route, found: Found) -> None:
    """Take every value out that is a secret, or holds one: nothing writes or shows it."""
    keys = [*value] if isinstance(value, dict) else reversed(range(len(value)))
    for key in keys:
        inner = value[key]
        if isinstance(inner, str) and mask_value(str(key), inner) != inner:
            found.leave("spec", dotted((*route, key)), "it is a secret, or holds one: read it from a Secret")
            del value[key]
        elif isinstance(inner, dict | list):
            _take_secrets(inner, (*route, key), found)


def _paths(servers: list[Server], roles: dict[str, dict[str, Any]], tiered: bool) -> list[str]:
    """The paths that the servers take, by what they do and not by what they are called."""
    wide = any(at(role, "parallelism", "data") and at(role, "parallelism", "expert") for role in roles.values())
    taken = ["wide-ep"] if wide else ["pd-disaggregation"] if "prefill" in roles else []
    taken += ["precise-prefix-cache"] if any(EVENTS in each.vllm.flags for each in servers) else []
    taken += ["tiered-prefix-cache"] if tiered else []
    return taken or ["inference-scheduling"]


def _model(found: Found, servers: list[Server], asked: str | None) -> dict[str, str]:
    said = dict(found.model)
    for server in servers:
        vllm = server.vllm
        given, served = vllm.flags.get("model", ""), vllm.flags.get("served-model-name", [""])[0]
        if given.startswith("/") and "uri" not in said:
            volume = mapping(mounted_at(vllm, given))
            mounts = {str(each.get("name")): str(each.get("mountPath")) for each in vllm.list_of("volumeMounts")}
            claim = at(volume, "persistentVolumeClaim", "claimName")
            if isinstance(claim, str):
                path = given.removeprefix(mounts.get(str(volume.get("name")), ""))
                said["uri"] = f"pvc://{claim}/{path.strip('/')}"
        elif given and not given.startswith("/"):
            said.setdefault("uri", f"hf://{given}")
            served = served or given
        if served:
            said.setdefault("name", served)
        volumes = {str(each.get("name")): each for _, each in maps(server.workload.spec.get("volumes"))}
        if limit := at(volumes.get(MODEL_VOLUME), "emptyDir", "sizeLimit"):
            said.setdefault("size", str(limit))
        secret, key = token_secret(vllm)
        if secret:
            said.setdefault("authSecretName", secret)
            if key != "HF_TOKEN":
                found.leave(server.file, f"key {key} of {secret}", "llmdgen reads the key HF_TOKEN", server.role)
    if asked:
        said["name"] = asked
        if said.get("uri", "").startswith("hf://"):
            del said["uri"]  # of another model
    if not said.get("name"):
        raise UnusableSource("it does not say which model it serves; name it with --model")
    if said.get("uri") == f"hf://{said['name']}":
        del said["uri"]
    if "size" in said and said["name"] in catalogue.model_names():
        del said["size"]
        found.leave("spec", "model.size", "llmdgen knows the size of this model's repository")
    return {key: said[key] for key in ("name", "uri", "size", "authSecretName") if said.get(key)}


def _cluster(places: dict[str, dict[str, Any]]) -> dict[str, Any]:
    said: dict[str, Any] = {"zone": None, "nodeSelector": {}, "tolerations": []}
    for place in places.values():
        said["zone"] = place["zone"] or said["zone"]
        said["nodeSelector"] |= place["nodeSelector"]
        said["tolerations"] += [each for each in place["tolerations"] if each not in said["tolerations"]]
    return said


def _fitted(spec: dict[str, Any], source: str, name: str, found: Found) -> Plan:
    """The plan of the spec, which has lost what the path says anyway and what llmdgen refuses."""
    compared = False
    for _ in range(MOST_ROUNDS):
        try:
            if not compared:
                sizes: dict[str, Any] = {
                    role: {key: spec[role].get(key) for key in _SIZES} for role in ROLES if role in spec
                }
                _compared(spec, _planned({**spec, **sizes, "scheduler": {}}, source, name), found)
                compared = True
            return api.plan(parse(_text(spec, name), source)[0], spec["instanceTypes"][0])
        except SpecError as error:
            refused = error.findings
        removed = [each for each in refused if each.is_error and _removed(spec, each, found)]
        if not removed:
            added = _planned(spec, source, name).most
            own = spec.setdefault("engine", {}).setdefault("args", {})
            if not added or added.items() <= own.items():
                raise SpecError(refused)
            own |= added
    raise SpecError(refused)


def _shared(spec: dict[str, Any]) -> None:
    """Say once, under `engine`, what both roles say alike."""
    for key in ("args", "env"):
        prefill, decode = (mapping(at(spec, role, key)) for role in ROLES)
        alike = {name: value for name, value in prefill.items() if name in decode and decode[name] == value}
        if alike:
            engine = spec.setdefault("engine", {})
            engine[key] = alike | mapping(engine.get(key))
            spec["prefill"][key], spec["decode"][key] = (
                {name: value for name, value in said.items() if name not in alike} for said in (prefill, decode)
            )


def _planned(spec: dict[str, Any], source: str, name: str) -> Plan:
    """The plan before its checks. Raises SpecError where there is none."""
    return api.draft(parse(_text(spec, name), source)[0], spec["instanceTypes"][0])


def _compared(spec: dict[str, Any], plan: Plan, found: Found) -> None:
    """Take out of the spec what the plan says without it; say of the rest what llmdgen sets otherwise."""
    for role in plan.roles:
        said = mapping(spec.get(role.name))
        args, env = mapping(said.get("args")), mapping(said.get("env"))
        own = {each.name: each.value for each in role.env}
        for flag in [flag for flag, value in args.items() if role.flags.get(flag) == value]:
            del args[flag]
        for variable in [each for each in env if each in own]:
            if own[variable] != env[variable]:
                found.leave("spec", f"env {variable}", "llmdgen sets it itself, otherwise", role.name)
            del env[variable]
        if said.get("efa") == role.efa_per_pod:
            del said["efa"]
        for key, planned in (("startup", role.life.startup // 60), ("drain", role.life.grace - 30)):
            if key in said and int(said[key][:-1]) <= planned:
                found.leave("spec", key, f"{said[key]}: the path's {planned}{said[key][-1]} are no less", role.name)
                del said[key]
    weights = mapping(at(spec, "scheduler", "weights"))
    scorers = {name: float(weight) for name, weight in plan.scheduler.scorers.items()}
    for scorer in [*weights]:
        if scorer not in scorers:
            found.leave("spec", f"scheduler.weights.{scorer}", f"the path scores by {', '.join(scorers)}")
        if scorer not in scorers or scorers[scorer] == weights[scorer]:
            del weights[scorer]


def _removed(spec: dict[str, Any], refused: Located, found: Found) -> bool:
    """Whether what a finding is about could be left out of the spec."""
    route = refused.finding.at[1:]
    while route:
        if route not in _ALWAYS and at(spec, *route) is not None:
            del at(spec, *route[:-1])[route[-1]]
            _leave(found, route, refused)
            return True
        route = route[:-1]
    # What is wrong between two objects has no place in the spec, but its text names the flag or variable.
    words = set(re.findall(r"[\w-]+", refused.finding.says))
    for role in ROLES:
        for key in ("args", "env"):
            if named := words.intersection(mapping(at(spec, role, key))):
                name = min(named)
                del spec[role][key][name]
                _leave(found, (role, key, name), refused)
                return True
    return False


def _leave(found: Found, route: Route, refused: Located) -> None:
    found.leave("spec", dotted(route), f"{refused.finding.code}: {shortened(refused.finding.says)}")


def _text(spec: dict[str, Any], name: str) -> str:
    """The document, without what is or became empty."""
    kept = _without_empty(spec)
    return dump({"apiVersion": "llmdgen.dev/v1alpha1", "kind": "WellLitPath", "metadata": {"name": name}, "spec": kept})


def _without_empty(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _without_empty(each) for key, each in value.items()}
    return {key: each for key, each in inner.items() if each not in ({}, [], None)}
