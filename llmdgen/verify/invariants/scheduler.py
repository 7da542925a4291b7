"""The scheduler's EndpointPickerConfig: that its plugin loader takes it, and that nothing in it is ignored silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from msgspec import Struct

from llmdgen.facts.catalogue import release_toml
from llmdgen.kube.container import Container
from llmdgen.kube.manifest import Manifest
from llmdgen.plain_yaml import YAMLError, load
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, items, mapping
from llmdgen.verify.rendered import Rendered

_PREFIX, _PRECISE, _PD_HANDLER = "prefix-cache-scorer", "precise-prefix-cache-scorer", "pd-profile-handler"
_BY_PREFIX = "prefix-based-pd-decider"
_REFERENCES = ("deciderPluginName", "prefixPluginName")
_BLOCK_SIZE = 16


class Config(Struct, frozen=True):
    """The configuration that a scheduler reads: its ConfigMap, the file in it, and the parsed text."""

    map: Manifest
    file: str
    doc: dict[str, Any]

    @property
    def plugins(self) -> list[dict[str, Any]]:
        return [mapping(each) for each in items(self.doc.get("plugins"))]

    @property
    def names(self) -> list[str]:
        return [name_of(each) for each in self.plugins]

    @property
    def profiles(self) -> list[dict[str, Any]]:
        return [mapping(each) for each in items(self.doc.get("schedulingProfiles"))]

    def of_type(self, kind: str) -> list[tuple[int, dict[str, Any]]]:
        """The plugins of a type with their place in the list."""
        return [(index, each) for index, each in enumerate(self.plugins) if each.get("type") == kind]

    def found(self, *path: str | int, says: str, fix: str) -> Draft:
        return found("data", self.file, *path, says=says, fix=fix, of=self.map)


def name_of(plugin: dict[str, Any]) -> str:
    """The name by which others refer to a plugin: its type where it has none."""
    return str(plugin.get("name") or plugin.get("type") or "")


@rule("VER080", "error", "the scheduler's configuration cannot be read")
def configuration_is_readable(rendered: Rendered) -> Iterator[Draft]:
    """The scheduler reads the file that --config-file names in its ConfigMap, and exits where it is missing, no YAML
    or of another API version or kind.

    Fails:  pluginsConfigFile: custom.yaml with a pluginsCustomConfig of another name.
    Passes: an EndpointPickerConfig of the release's API version under the name that the flag has.
    """
    version = release_toml(rendered.release.name, "plugins.toml")["api_version"]
    for workload, container, file in _schedulers(rendered):
        source = _config_map(rendered, workload, container, file)
        text = at(source.doc, "data", _base(file)) if source is not None else None
        if source is None or not isinstance(text, str):
            yield found(
                says=f"no ConfigMap has the configuration {file}",
                fix="name the file in pluginsCustomConfig",
                of=workload,
            )
            continue
        doc = _parsed(text)
        if doc is None:
            yield found("data", _base(file), says="it is no YAML mapping", fix="correct the YAML", of=source)
        elif doc.get("apiVersion") != version or doc.get("kind") != "EndpointPickerConfig":
            says = f"it is a {doc.get('apiVersion')} {doc.get('kind')}"
            yield found("data", _base(file), says=says, fix=f"make it an EndpointPickerConfig of {version}", of=source)


@rule("VER081", "error", "a scheduling profile refers to a plugin that is not there")
def plugin_references_exist(rendered: Rendered) -> Iterator[Draft]:
    """A pluginRef is the name of a plugin of the list, its type where it has no name. The scheduler exits otherwise,
    and where two plugins have one name.

    Fails:  pluginRef: gpu-prefix-cache-scorer with a plugin of type prefix-cache-scorer and no name.
    Passes: every pluginRef names one plugin.
    """
    for config in configs(rendered):
        for name, count in Counter(config.names).items():
            if count > 1:
                says = f"{count} plugins are called {name}"
                yield config.found("plugins", says=says, fix="give each a name of its own")
        for number, profile in enumerate(config.profiles):
            for index, reference in enumerate(map(mapping, items(profile.get("plugins")))):
                if reference.get("pluginRef") not in config.names:
                    yield config.found(
                        "schedulingProfiles",
                        number,
                        "plugins",
                        index,
                        says=f"there is no plugin {reference.get('pluginRef')}",
                        fix=f"name one of {', '.join(config.names)}",
                    )


@rule("VER082", "error", "a plugin stands before one that it refers to, or refers to none")
def referred_plugins_come_first(rendered: Rendered) -> Iterator[Draft]:
    """The scheduler builds plugins in list order: a plugin that names another one must come after it. The
    pd-profile-handler names its decider, or takes one by default, and its profiles.

    Fails:  pd-profile-handler without a decider in the list, or before it.
    Passes: the decider, then the handler, and a profile for each name that it has.
    """
    known = release_toml(rendered.release.name, "plugins.toml")["plugins"]
    for config in configs(rendered):
        for index, plugin in enumerate(config.plugins):
            parameters = mapping(plugin.get("parameters"))
            wanted = {key: str(parameters[key]) for key in _REFERENCES if parameters.get(key)}
            wanted = {**mapping(mapping(known.get(str(plugin.get("type")))).get("defaults")), **wanted}
            for key, name in wanted.items():
                if name not in config.names[:index]:
                    where = "stands behind it" if name in config.names else "is not in the list"
                    yield config.found(
                        "plugins",
                        index,
                        says=f"{name_of(plugin)} needs {name} ({key}), which {where}",
                        fix=f"put {name} before {name_of(plugin)}",
                    )
            if plugin.get("type") == _PD_HANDLER:
                profiles = [each.get("name") for each in config.profiles]
                for key, default in (("decodeProfile", "decode"), ("prefillProfile", "prefill")):
                    if parameters.get(key, default) not in profiles:
                        says = f"there is no scheduling profile {parameters.get(key, default)}"
                        yield config.found("plugins", index, says=says, fix="add the profile")


@rule("VER083", "error", "a feature gate is missing or unknown")
def feature_gates_are_set(rendered: Rendered) -> Iterator[Draft]:
    """prefix-based-pd-decider with nonCachedTokens above 0 reads what a prefix-cache-scorer prepares, behind the
    feature gate prepareDataPlugins. Without gate or scorer every request goes to decode only, without an error.

    Fails:  nonCachedTokens: 16 without featureGates: [prepareDataPlugins].
    Passes: with the gate and a prefix-cache-scorer.
    """
    known = release_toml(rendered.release.name, "plugins.toml")["feature_gates"]
    for config in configs(rendered):
        gates = items(config.doc.get("featureGates"))
        for index, gate in enumerate(gates):
            if gate not in known:
                says, fix = f"there is no feature gate {gate}", f"use {', '.join(known)}"
                yield config.found("featureGates", index, says=says, fix=fix)
        for index, decider in config.of_type(_BY_PREFIX):
            if not mapping(decider.get("parameters")).get("nonCachedTokens"):
                continue
            if "prepareDataPlugins" not in gates:
                yield config.found(
                    "plugins",
                    index,
                    says=f"{name_of(decider)} reads nothing without prepareDataPlugins",
                    fix="add prepareDataPlugins",
                )
            if not config.of_type(_PREFIX):
                yield config.found(
                    "plugins",
                    index,
                    says=f"{name_of(decider)} has no {_PREFIX} to read from",
                    fix=f"add a {_PREFIX} to the plugins and to the profiles",
                )


@rule("VER084", "error", "a plugin is not of this scheduler")
def plugin_types_are_known(rendered: Rendered) -> Iterator[Draft]:
    """The scheduler exits at a plugin type that it does not have.

    Fails:  type: prefix-scorer.
    Passes: type: prefix-cache-scorer.
    """
    known = release_toml(rendered.release.name, "plugins.toml")["plugins"]
    for config in configs(rendered):
        for index, plugin in enumerate(config.plugins):
            kind = plugin.get("type")
            if kind not in known:
                yield config.found(
                    "plugins", index, "type", says=f"there is no plugin type {kind}", fix=f"use {_near(kind, known)}"
                )


@rule("VER085", "error", "a plugin does not read a parameter that it is given")
def plugin_parameters_are_known(rendered: Rendered) -> Iterator[Draft]:
    """The Go loader ignores parameters that it does not know: the plugin then runs with its default and says nothing.
    `blockSize` of a prefix-cache-scorer is known but, alone, makes the scheduler fail at start.

    Fails:  threshold: 0 and hashBlockSize: 5 of pd-profile-handler, both gone in scheduler v0.6.0.
    Passes: deciderPluginName of pd-profile-handler.
    """
    known = release_toml(rendered.release.name, "plugins.toml")["plugins"]
    for config in configs(rendered):
        for index, plugin in enumerate(config.plugins):
            if plugin.get("type") not in known:
                continue
            read = mapping(known[plugin["type"]]).get("parameters", [])
            given = mapping(plugin.get("parameters"))
            for name in given:
                if name not in read:
                    yield config.found(
                        "plugins",
                        index,
                        "parameters",
                        name,
                        says=f"{plugin['type']} does not read {name}",
                        fix=f"use {_near(name, read)}" if read else "remove it",
                    )
            if plugin.get("type") == _PREFIX and "blockSize" in given and "blockSizeTokens" not in given:
                yield config.found(
                    "plugins",
                    index,
                    "parameters",
                    "blockSize",
                    says="with blockSize alone the scheduler does not start",
                    fix="use blockSizeTokens",
                )


@rule("VER086", "error", "scheduler and vLLM count KV blocks differently")
def block_hashes_agree(rendered: Rendered) -> Iterator[Draft]:
    """The precise-prefix-cache-scorer hashes prompts itself and compares with what vLLM reports: block size and hash
    seed must be vLLM's --block-size and PYTHONHASHSEED, and vLLM must report at all (--kv-events-config).

    Fails:  tokenProcessorConfig.blockSize 64 and --block-size 128.
    Passes: 64 and 64, one seed everywhere, events switched on.
    """
    for config in configs(rendered):
        for index, scorer in config.of_type(_PRECISE):
            processor = mapping(at(scorer, "parameters", "tokenProcessorConfig"))
            size, seed = processor.get("blockSize", _BLOCK_SIZE), str(processor.get("hashSeed", ""))
            for workload in rendered.model_servers:
                vllm = workload.vllm
                if vllm is None or workload.namespace != config.map.namespace:
                    continue
                place = ("plugins", index, "parameters")
                if vllm.size("block-size", _BLOCK_SIZE) != size:
                    says = f"blockSize is {size}, {workload} has --block-size {vllm.size('block-size', _BLOCK_SIZE)}"
                    yield config.found(*place, says=says, fix="make the two agree")
                if vllm.variables.get("PYTHONHASHSEED", "") != seed:
                    says = f"hashSeed is {seed!r}, {workload} has PYTHONHASHSEED {vllm.variables.get('PYTHONHASHSEED')}"
                    yield config.found(*place, says=says, fix="make the two agree")
                if workload.role != "prefill" and not mapping(vllm.flags.get("kv-events-config")).get(
                    "enable_kv_cache_events"
                ):
                    says = f"{workload} reports no KV cache events"
                    yield config.found(*place, says=says, fix="set --kv-events-config with enable_kv_cache_events")


@rule("VER087", "error", "the scheduler picks one role, the pods have another")
def profiles_match_the_roles(rendered: Rendered) -> Iterator[Draft]:
    """Prefill pods need decode pods, which answer, and a prefill profile in the scheduler, or it sends whole requests
    to pods that only compute prompts; without prefill pods, a profile with prefill-filter finds none.

    Fails:  prefill pods and a single-profile-handler; pd-profile-handler and decode pods only.
    Passes: pd-profile-handler where there are prefill pods, nowhere else.
    """
    has_prefill = any(each.role == "prefill" for each in rendered.model_servers)
    known = release_toml(rendered.release.name, "plugins.toml")["plugins"]
    if has_prefill and not any(each.role in ("decode", "both") for each in rendered.model_servers):
        says, fix = "there are prefill pods, and none that decode", "create the decode role"
        yield found(says=says, fix=fix, of="helmfile.yaml")
    for config in configs(rendered):
        disaggregates = any("splits" in mapping(known.get(str(each.get("type")))) for each in config.plugins)
        if disaggregates != has_prefill and rendered.model_servers:
            yield config.found(
                "plugins",
                says=f"there are {'' if has_prefill else 'no '}prefill pods and {'a' if disaggregates else 'no'} "
                f"{_PD_HANDLER}",
                fix=f"{'add' if has_prefill else 'remove'} the {_PD_HANDLER} with its profiles",
            )


def configs(rendered: Rendered) -> Iterator[Config]:
    """The configuration of each scheduler, where it can be read."""
    for workload, container, file in _schedulers(rendered):
        source = _config_map(rendered, workload, container, file)
        doc = _parsed(at(source.doc, "data", _base(file))) if source is not None else None
        if source is not None and doc is not None:
            yield Config(source, _base(file), doc)


def _schedulers(rendered: Rendered) -> Iterator[tuple[Manifest, Container, str]]:
    """The containers that are started with --config-file, and that file."""
    for workload in rendered.workloads:
        for container in workload.containers:
            flags = container.sidecar_flags
            if "config-file" in flags and "pool-name" in flags:
                yield workload.manifest, container, flags["config-file"]


def _config_map(rendered: Rendered, manifest: Manifest, container: Container, file: str) -> Manifest | None:
    """The ConfigMap whose volume is mounted where the file lies."""
    folder = file.rpartition("/")[0]
    mounts = {each.get("name") for each in container.list_of("volumeMounts") if each.get("mountPath") == folder}
    for workload in rendered.workloads:
        if workload.manifest is manifest:
            for volume in map(mapping, items(workload.spec.get("volumes"))):
                if volume.get("name") in mounts:
                    return rendered.find("ConfigMap", at(volume, "configMap", "name"), manifest.namespace)
    return None


def _base(file: str) -> str:
    return file.rpartition("/")[2]


@lru_cache(maxsize=16)
def _parsed(text: object) -> dict[str, Any] | None:
    """The configuration, None where the text is none; cached because every rule of this file reads it."""
    if not isinstance(text, str):
        return None
    try:
        doc = load(text)
    except YAMLError:
        return None
    return doc if isinstance(doc, dict) else None


def _near(name: object, known: Any) -> str:
    from difflib import get_close_matches

    return next(iter(get_close_matches(str(name), list(known), 1)), None) or ", ".join(known)
