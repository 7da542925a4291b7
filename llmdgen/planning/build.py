"""A spec and an instance type become a plan.

One direction: facts, shapes of the paths, sizes, contributions, their fold, then roles, placement, scheduler, gateway.
What cannot be planned is raised as findings with their places; what can be planned but is wrong is left to the checks.
"""

from __future__ import annotations

from typing import Any

from llmdgen import paths
from llmdgen.composition.contribution import Shape, Situation
from llmdgen.composition.fold import Folded, fold
from llmdgen.composition.names import RoleName, labels, names
from llmdgen.engine.size import Size
from llmdgen.facts import catalogue
from llmdgen.facts.types import ModelFacts
from llmdgen.findings import Finding, Located, Severity, SpecError
from llmdgen.planning import problems
from llmdgen.planning.launch import sidecar_arguments
from llmdgen.planning.model import Plan, RolePlan
from llmdgen.planning.placement import own_tolerations, pools, tolerations
from llmdgen.planning.roles import plan_role, settle
from llmdgen.planning.router import gateway, scheduler
from llmdgen.planning.source import argument, images, model_server, uri, volume_size
from llmdgen.planning.starting import bounds, started
from llmdgen.scheduling.form import form
from llmdgen.spec.fields import ROLES
from llmdgen.spec.model import Spec
from llmdgen.spec.servers import Engine, Role


def build(spec: Spec, instance_type: str) -> Plan:
    """The plan of a spec on one of its instance types. Raises SpecError with every finding that prevents one."""
    situation = _situation(spec, instance_type)
    return started(situation, lambda tried: _attempt(tried, instance_type))


def _attempt(situation: Situation, instance_type: str) -> Plan:
    spec = situation.spec
    modules = [paths.get(name) for name in situation.paths]
    shapes = max(modules, key=lambda module: module.RANK).shapes(situation)
    asked = tuple(name for name in ROLES if getattr(spec.asked, name) is not None)
    _stop(spec, list(problems.roles(situation, tuple(shapes), asked)))
    sizes = {name: settle(shape, spec.role(name), spec.asked.engine) for name, shape in shapes.items()}
    _stop(spec, list(problems.sizes(situation, sizes)))
    own: tuple[Engine | Role, ...] = (spec.asked.engine, *map(spec.role, ROLES))
    settled = {name for part in own for name in (*part.args, *part.env)}
    folded, conflicts = fold([module.contribute(situation, sizes) for module in modules], settled)
    _stop(spec, [*conflicts, *problems.composition(folded, sizes)])
    return _plan(situation, instance_type, shapes, sizes, folded)


def target(spec: Spec, instance_type: str) -> str:
    """The output directory of an instance type: its EC2 name, or <prefill>_<decode> where the roles' types differ."""
    types = {name: _instance_name(spec, name, instance_type) for name in ROLES}
    if spec.asked.prefill is None or types["prefill"] == types["decode"]:
        return types["decode"]
    return f"{types['prefill']}_{types['decode']}"


def _plan(
    situation: Situation,
    instance_type: str,
    shapes: dict[RoleName, Shape],
    sizes: dict[RoleName, Size],
    folded: Folded,
) -> Plan:
    spec, settings = situation.spec, situation.settings
    disaggregated = "prefill" in sizes
    roles: tuple[RolePlan, ...] = tuple(
        plan_role(name, size, shapes[name], situation, folded, behind_sidecar=disaggregated and name == "decode")
        for name, size in sizes.items()
    )
    titles = [settings.get(name, {}).get("title", name.replace("-", " ").capitalize()) for name in situation.paths]
    ranks = max(role.ranks for role in roles if role.name == "decode")
    sidecar = sidecar_arguments(situation.engine, ranks, sampling=folded.prefiller_sampling)
    # What a pod has to find out before vLLM starts: its place in a group, its slot of a volume.
    finds_out = [*(size.workers > 1 for size in sizes.values()), *(volume.slots for volume in folded.volumes)]
    return Plan(
        spec=spec,
        target=target(spec, instance_type),
        instance_type=instance_type,
        release=situation.release,
        model=situation.model,
        model_uri=uri(spec.asked.model),
        model_size=volume_size(spec.asked.model, situation.model),
        paths=situation.paths,
        titles=tuple(titles),
        names=situation.names,
        labels=labels(spec),
        roles=roles,
        pools=pools(roles),
        connectors=folded.connectors,
        tiers=folded.tiers,
        images=images(spec.asked.images, situation.release),
        server=situation.server,
        sidecar=sidecar if disaggregated else None,
        by_script=folded.prefiller_sampling or folded.cleans_shm or any(finds_out),
        one_zone=folded.crosses_pods,
        scheduler=scheduler(situation, folded, roles),
        gateway=gateway(spec.asked.gateway, _provider(spec)),
        tolerations=tolerations(situation.platform, spec.asked.cluster),
        own_tolerations=own_tolerations(spec.asked.cluster),
        notes=(*folded.notes, *bounds(situation)),
        most=situation.most,
        precise=settings["precise-prefix-cache"],
        engine=situation.engine,
        platform=situation.platform,
    )


def _situation(spec: Spec, instance_type: str) -> Situation:
    release = catalogue.release(spec.asked.release)
    return Situation(
        spec=spec,
        release=release,
        model=_model(spec),
        instances={name: catalogue.instance(_instance_name(spec, name, instance_type)) for name in ROLES},
        paths=tuple(dict.fromkeys((spec.asked.path, *spec.asked.with_))),
        settings=catalogue.release_toml(release.name, "paths.toml"),
        engine=catalogue.release_toml(release.name, "engine.toml"),
        platform=catalogue.table("platforms.toml"),
        server=model_server(spec.asked.images, release),
        names=names(spec, _provider(spec)),
        scheduler=form(release.name),
    )


def _provider(spec: Spec) -> dict[str, Any]:
    """What the release's gateways.toml says of the spec's gateway provider."""
    settings: dict[str, Any] = catalogue.release_toml(spec.asked.release, "gateways.toml")[spec.asked.gateway.provider]
    return settings


def _instance_name(spec: Spec, role: RoleName, instance_type: str) -> str:
    return (spec.role(role).instance_type or instance_type).removeprefix(catalogue.HYPERPOD_PREFIX)


def _model(spec: Spec) -> ModelFacts | None:
    """The model's facts: from the config.json that the spec names, else the catalogue's about the repository of the
    weights, else its about the name."""
    model = spec.asked.model
    if model.config is not None:
        from pathlib import Path

        from llmdgen.engine.hf_config import ConfigError, read
        from llmdgen.spec.extends import Tree

        beside = spec.locate(("spec", "model", "config")).path
        file = Path(beside).parent / model.config
        try:
            if not Tree(beside).holds(str(file)):
                raise ConfigError(f"{model.config} is a link that leaves the spec's repository or directory")
            return read(file, model.name)
        except ConfigError as error:
            fix = "store the repository's config.json beside the spec"
            _stop(spec, [problems.CONFIG.at("spec", "model", "config", says=str(error), fix=fix)])
    for name in (argument(model), model.name):
        try:
            return catalogue.model(name)
        except catalogue.UnknownFact:
            continue
    return None


def _stop(spec: Spec, findings: list[Finding]) -> None:
    """Raise what prevents a plan, if anything does."""
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise SpecError(Located(finding, spec.locate(finding.at, finding.on_key)) for finding in findings)
