"""What a release's tables say of each other: images, variants, plugins, flags, paths, gateways and prerequisites."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llmdgen import resources
from llmdgen.engine.facts import connectors, lmcache, taken, variables
from llmdgen.engine.flags import ConfigField, flag_table
from llmdgen.facts import catalogue
from llmdgen.facts.types import Release

FACTS = Path(resources.FACTS)

RELEASES = catalogue.release_names()
each_release = pytest.mark.parametrize("name", RELEASES)
NEWEST = "v0.9.0"
KINDS = ("handler", "decider", "producer", "filter", "scorer", "picker")
SCALARS = ("text", "boolean", "count", "positive", "port", "duration", "number", "list", "any")
CACHES = {"HF_HOME", "VLLM_CACHE_ROOT", "TRITON_CACHE_DIR"}


@pytest.fixture
def release(name: str) -> Release:
    return catalogue.release(name)


def table(name: str, file: str) -> dict[str, Any]:
    return catalogue.release_toml(name, file)


def test_releases_stand_in_the_order_of_their_versions() -> None:
    assert RELEASES[:3] == ("v0.5.1", "v0.6.0", "v0.9.0")
    assert tuple(sorted(RELEASES, key=lambda name: [int(part) for part in name[1:].split(".")])) == RELEASES


def test_a_draft_is_no_release() -> None:
    for file in (FACTS / "drafts").glob("*/release.toml"):
        draft = tomllib.loads(file.read_text("utf-8"))
        assert draft["draft"] is True
        assert draft["sources"]
        assert file.parent.name not in RELEASES


@each_release
def test_every_table_names_its_sources(name: str) -> None:
    for file in (FACTS / "releases" / name).glob("*.toml"):
        assert tomllib.loads(file.read_text("utf-8"))["sources"], file.name


# Images and the model servers' variants


@each_release
def test_the_default_model_server_is_one_of_the_release(name: str, release: Release) -> None:
    assert release.model_server() == release.model_servers[release.default_model_server]
    assert set(release.architectures) >= set(release.model_server().architectures)


@each_release
def test_every_variant_has_what_a_container_needs(name: str, release: Release) -> None:
    for variant in release.model_servers.values():
        assert re.search(r":[\w.-]+$", variant.image)
        assert "latest" not in variant.image
        assert variant.command == ("vllm", "serve")
        assert set(variant.caches) >= CACHES
        assert not any(path.startswith("/") for path in variant.caches.values())
        assert all(folder.startswith("/") for folder in (variant.home, *variant.library_path))
        assert set(variant.architectures) <= {"amd64", "arm64"}
        assert (variant.user_id == 0) == (variant.home == "/root")
        assert not variant.caches.keys() & variant.environment.keys()
        assert variant.sources


def test_aws_image_is_the_newest_releases_default() -> None:
    release = catalogue.release(NEWEST)
    assert release.default_model_server == "aws-dlc"
    assert set(release.model_servers) == {"aws-dlc", "llm-d-aws"}
    with pytest.raises(KeyError):
        release.model_server("llm-d-cuda")


@each_release
def test_withdrawals_are_of_images_of_the_release(name: str, release: Release) -> None:
    assert set(release.withdrawn) <= set(release.images)
    for each in release.withdrawn.values():
        assert each.source
        assert each.date is None or re.fullmatch(r"2026-\d\d-\d\d", each.date)
        assert each.survives or each.rebuild


def test_the_old_schedulers_and_sidecars_are_withdrawn_and_the_new_are_not() -> None:
    for name in ("v0.5.1", "v0.6.0"):
        assert set(catalogue.release(name).withdrawn) == {"scheduler", "routing_sidecar"}
    assert catalogue.release(NEWEST).withdrawn == {}


# Architectures


@each_release
def test_architectures_are_an_allow_list_without_doubles(name: str) -> None:
    lines = [line for line in (FACTS / "releases" / name / "architectures.txt").read_text("utf-8").splitlines() if line]
    names = [line for line in lines if not line.startswith("#")]
    assert len(names) == len(set(names))
    assert catalogue.architectures(name) == frozenset(names)
    assert "Source: vllm" in lines[2]
    assert all(re.fullmatch(r"\w+", each) for each in names)


def test_every_model_is_served_from_some_release_on() -> None:
    models = {name: catalogue.model(name).architecture for name in catalogue.model_names()}
    for older, newer in pairwise(RELEASES):
        served = {id for id, architecture in models.items() if architecture in catalogue.architectures(older)}
        assert served <= {id for id, architecture in models.items() if architecture in catalogue.architectures(newer)}
    assert set(models.values()) <= catalogue.architectures(NEWEST)


# Flags of the scheduler and of the sidecar


@each_release
@pytest.mark.parametrize("program", ["scheduler", "sidecar"])
def test_every_default_is_of_its_flags_type(name: str, program: Any) -> None:
    types = {"boolean": bool, "whole": int, "text": str, "duration": str}
    found = catalogue.program_flags(name, program)
    assert len(found) >= 20
    for flag, row in found.items():
        assert row.default is None or type(row.default) is types[row.type], flag
        assert not row.one_of or row.default in (None, *row.one_of), flag
        assert not row.items or row.type == "list", flag
        assert not row.port or row.default is None or 0 <= int(row.default) < 65536, flag


@each_release
def test_the_sidecars_facts_agree_with_its_flags(name: str) -> None:
    sidecar, flags = table(name, "engine.toml")["sidecar"], catalogue.program_flags(name, "sidecar")
    assert set(sidecar["flags"]) <= set(flags)
    connector = "kv-connector" if "kv-connector" in flags else "connector"
    assert flags[connector].one_of == tuple(sidecar["connectors"])
    assert flags[connector].default == sidecar["default_connector"]
    assert flags["zap-log-level"].one_of == tuple(sidecar["log_levels"])
    assert flags[sidecar["server_port_flag"]].port


def test_flags_that_are_gone_are_gone() -> None:
    gone = table(NEWEST, "sidecar.toml")["gone"]
    assert not set(gone) & set(catalogue.program_flags(NEWEST, "sidecar"))
    assert set(gone) <= set(catalogue.program_flags("v0.6.0", "sidecar"))
    for name in RELEASES:
        assert set(table(name, "scheduler-flags.toml")["taken"]) <= set(catalogue.program_flags(name, "scheduler"))
        assert set(catalogue.release(name).scheduler_flags) <= set(catalogue.program_flags(name, "scheduler"))


# The scheduler's plugins


@each_release
def test_every_parameter_of_a_plugin_has_a_type(name: str) -> None:
    plugins, types = table(name, "plugins.toml")["plugins"], table(name, "plugin-parameters.toml")
    for plugin, row in plugins.items():
        for parameter in row.get("parameters", ()):
            paths = [path for path in types.get(plugin, {}) if re.split(r"[.\[]", path)[0] == parameter]
            assert paths or name != NEWEST, f"{plugin} {parameter}"
        assert set(row.get("refers", ())) <= set(types.get(plugin, {})), plugin
    for plugin, parameters in types.items():
        if plugin in plugins:
            assert set(parameters.values()) <= set(SCALARS), plugin


def test_what_a_plugin_consumes_is_made_by_another() -> None:
    known = table(NEWEST, "plugins.toml")
    plugins = known["plugins"]
    made = {data for row in plugins.values() for data in row.get("produces", ())}
    for plugin, row in plugins.items():
        assert set(row.get("consumes", ())) <= made, plugin
        for parameter in row.get("consumes", {}).values():
            assert not parameter or parameter.split()[0] in row["parameters"], plugin
        assert row.get("use_instead", "").split(" and ")[0] in ("", *plugins), plugin
    for data, producer in known["data_default_producer"].items():
        assert data in plugins[producer]["produces"]
        assert plugins[producer]["auto_created"]


def test_defaults_and_words_are_of_typed_parameters() -> None:
    types = table(NEWEST, "plugin-parameters.toml")
    for plugin, defaults in table(NEWEST, "plugin-defaults.toml").items():
        assert plugin == "sources" or set(defaults) <= set(types[plugin]), plugin
    for words in (types["words"], types["ranges"]):
        for plugin, rows in words.items():
            assert set(rows) <= set(types[plugin]), plugin


# The paths


def test_the_newest_release_has_every_path() -> None:
    assert set(catalogue.path_names(NEWEST)) >= set(catalogue.path_names("v0.6.0"))


@each_release
def test_a_schedulers_form_names_plugins_that_there_are(name: str) -> None:
    form, plugins = table(name, "scheduler.toml"), table(name, "plugins.toml")["plugins"]
    views = {view["name"] for view in form.get("views", {}).values() if "name" in view}
    asked = {each["type"] for each in (*form["pickers"].values(), form["single"]["handler"], form["split"]["handler"])}
    asked |= {form["split"]["always"]["type"], form["split"]["by_prefix"]["type"], *form["split"]["roles"].values()}
    asked |= {view["type"] for view in form.get("views", {}).values()}
    lists = [each for path in form["paths"].values() for each in path.get("profiles", {}).values()]
    lists += [each for path in form["paths"].values() for each in (path.get("by_prefix") or {}).values()]
    asked |= {row["plugin"] for each in lists for row in each}
    assert asked <= set(plugins)
    if name == NEWEST:  # whose form is for later routers too
        assert not [each for each in asked if "deprecated_in" in plugins[each] or plugins[each].get("alpha")]
        assert set(form["parameters"]) - views <= set(plugins)


@each_release
def test_a_path_sets_flags_and_variables_that_vllm_reads(name: str) -> None:
    flags, read = flag_table(name), variables(name)
    for path in catalogue.path_names(name):
        settings = table(name, "paths.toml")[path]
        for flag in (*settings["args"], *settings.get("decode_args", {})):
            assert flag in flags.flags, (path, flag)
        own = [each for each in settings.get("env", {}) if each.startswith("VLLM_")]
        assert [each for each in own if each not in read] == [], path
        for key in settings.get("eplb", {}):
            assert key in flags.configs["EPLBConfig"]


@each_release
def test_a_pods_memory_holds_its_shared_memory(name: str) -> None:
    gib = re.compile(r"(\d+)Gi")
    for path in catalogue.path_names(name):
        for role in table(name, "paths.toml")[path]["roles"].values():
            memory, shared = (int(gib.fullmatch(role[key])[1]) for key in ("memory", "shm"))  # type: ignore[index]
            assert memory > shared, path


# The engine


@each_release
def test_the_engines_numbers_are_its_flags_defaults(name: str) -> None:
    engine, flags = table(name, "engine.toml"), flag_table(name).flags
    assert engine["gpu_memory_utilization"] == flags["gpu-memory-utilization"].default
    ports = engine["ports"]
    assert ports["nixl"] == 5600
    assert ports["scheduler"] == catalogue.program_flags(name, "scheduler")["grpc-port"].default
    assert set(engine["probes"]["paths"]) >= {"/health", "/v1/models"}


def test_the_newest_engine_has_every_number_of_the_one_before() -> None:
    # What vLLM swaps it swaps no more, and no attention backend asserts that the KV cache is contiguous;
    # hybrid_kv_off_with is empty, since a connector alone decides now.
    old, new = table("v0.6.0", "engine.toml"), table(NEWEST, "engine.toml")
    assert set(old) - set(new) == {"swap_space_gib", "swap_share_of_memory"}
    for key, value in old.items():
        if isinstance(value, dict):
            assert set(value) - set(new[key]) <= {"asserts_contiguous", "moe_tokens_most"}, key


def test_architectures_and_connectors_of_the_engine_are_this_vllms() -> None:
    engine = table(NEWEST, "engine.toml")
    assert set(engine["eplb"]["architectures"]) <= catalogue.architectures(NEWEST)
    assert set(engine["hybrid_kv_off_with_connectors"]) <= set(connectors(NEWEST))
    served = catalogue.architectures(NEWEST)
    for start in engine["eagle3_architectures"]:
        assert any(each.startswith(start) for each in served), start
    backends = set(flag_table(NEWEST).flags["attention-backend"].choices)
    for kind, by_capability in engine["attention"].items():
        chosen = by_capability if kind == "block_size" else by_capability.values()
        unknown = {each for each in chosen if each not in backends}
        assert unknown <= {"FLASH_ATTN_MLA", "FLASH_ATTN_MLA_SPARSE"} & unknown, kind


def test_all2all_backends_are_accounted_for() -> None:
    backends = set(flag_table(NEWEST).flags["all2all-backend"].choices)
    assert backends == set(taken(NEWEST).all2all_backends) | set(
        table(NEWEST, "engine.toml")["all2all"]["works_on_efa"]
    )


@each_release
def test_names_that_vllm_looks_up_are_values_of_its_flags(name: str) -> None:
    flags = flag_table(name)
    for flag, names in taken(name).names.items():
        top, _, key = flag.partition(".")
        assert top in flags.flags
        assert not key or key in flags.configs[flags.flags[top].config or ""]
        assert len(names) == len(set(names))
    assert lmcache(name).settings
    assert set(taken(name).old_flags).isdisjoint(flags.flags)
    assert set(taken(name).gone).isdisjoint(variables(name))


def test_the_offloading_tiers_have_keys_of_known_types() -> None:
    tiers = table(NEWEST, "connectors.toml")["tiers"]
    assert set(tiers) == {"fs", "obj"}
    for tier in (*tiers.values(), tiers["obj"]["store_config"]):
        keys = msgspec.convert(tier["keys"], dict[str, ConfigField])
        assert set(tier["required"]) <= set(keys)


# Gateways, prerequisites, the router's values


@each_release
def test_a_gateway_provider_of_a_release_can_be_installed(name: str, release: Release) -> None:
    providers = set(table(name, "gateways.toml")) - {"sources"}
    assert providers <= set(release.prerequisites)
    assert {"istio", "agentgateway"} <= providers
    assert ("kgateway" in providers) == (name in ("v0.5.1", "v0.6.0"))  # its classes are deprecated since


def test_the_newest_releases_pins_are_those_of_its_guides() -> None:
    pins = catalogue.release(NEWEST).prerequisites
    assert pins["istio"]["version"] == "1.29.2"
    assert (pins["gateway_api"]["crds"], pins["inference_extension"]["crds"]) == ("v1.5.1", "v1.5.0")
    assert pins["lws"]["version"] == "0.9.0"
    chart = catalogue.release(NEWEST).charts["router"]
    assert chart.repository.endswith(f"/{chart.name}")
    assert chart.version == "v0.10.0"


def test_a_hazard_is_about_a_release_that_is_installed_and_comes_with_commands() -> None:
    known = table(NEWEST, "prerequisites.toml")
    installed = {each["name"] for each in known["releases"]}
    pins = {**catalogue.release(NEWEST).prerequisites, **known["pins"]}
    for hazard in known["hazards"]:
        assert hazard["release"] in installed
        assert hazard["says"]
        assert all(command.startswith(("kubectl ", "helm pull ")) for command in hazard["before"])
    for each in known["crds"]:
        assert "{version}" in each["url"]
        assert pins[each["pin"]]["crds"]


def test_advice_is_about_paths_that_the_routers_chart_does_not_read() -> None:
    lines = (FACTS / "releases" / NEWEST / "values-router.txt").read_text("utf-8").splitlines()
    read = {line for line in lines if not line.startswith("#")}
    assert len(read) == 122
    values = table(NEWEST, "values.toml")
    for path in values["advice"]["router"]:
        assert path not in read
        assert not any(each == path or each.startswith((f"{path}.", f"{path}[")) for each in read), path
    kept = (*values["depended_on"]["router"], *values["lists"]["router"], *values["kinds"]["router"])
    for path in kept:
        below = any(each == path or each.startswith((f"{path}.", f"{path}[")) for each in read)
        assert below or any(path.startswith(f"{each}.") for each in read), path
