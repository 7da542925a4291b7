"""precise-prefix-cache: model servers report KV blocks to the scheduler, which routes by what is really cached."""

from __future__ import annotations

from typing import Any

from llmdgen.composition.contribution import Contribution, EnvVar, Scorer, Shape, Situation
from llmdgen.composition.names import RoleName
from llmdgen.composition.shapes import whole_model_servers
from llmdgen.engine.size import Size

NAME = "precise-prefix-cache"
RANK = 4
SCORER = "precise-prefix-cache-scorer"
POD_IP = EnvVar(name="POD_IP", field="status.podIP")


def shapes(situation: Situation) -> dict[RoleName, Shape]:
    """Decode servers only, as many as fill a node."""
    return whole_model_servers(situation, NAME)


def contribute(situation: Situation, sizes: dict[RoleName, Size]) -> Contribution:
    """KV events from every vLLM to the scheduler's Service, and the scorer that listens.

    The block size is filled in by the scheduler's plan, which knows what the paths agreed on.
    """
    settings, engine = situation.settings[NAME], situation.engine
    port = engine["ports"]["kv_events"]
    spec = situation.spec
    args = {flag: value for flag, value in settings["args"].items() if flag != "block-size"}
    args["kv-events-config"] = {
        "enable_kv_cache_events": True,
        "publisher": "zmq",
        "endpoint": f"tcp://{situation.names.scheduler_service}.{spec.namespace}.svc.cluster.local:{port}",
        "topic": f"kv@$(POD_IP)@{spec.spec.model.name}",
    }
    return Contribution(
        path=NAME,
        args=args,
        env=(POD_IP, EnvVar(name="PYTHONHASHSEED", value=engine["hash_seed"])),
        scorers=tuple(
            Scorer(
                type=name,
                name=name,
                weight=weight,
                parameters=_scorer_parameters(situation, sizes) if name == SCORER else {},
            )
            for name, weight in settings["scorers"].items()
        ),
        replaces=("prefix-cache-scorer", "gpu-prefix-cache-scorer"),
        block_size=settings["args"]["block-size"],
        kv_events=True,
        startup_minutes=settings["startup_minutes"],
    )


def _scorer_parameters(situation: Situation, sizes: dict[RoleName, Size]) -> dict[str, Any]:
    settings, engine = situation.settings[NAME], situation.engine
    replicas = sum(size.replicas * size.workers for size in sizes.values())
    return {
        "tokenProcessorConfig": {"hashSeed": engine["hash_seed"]},
        "indexerConfig": {
            "kvBlockIndexConfig": {
                # An index entry forgets pods beyond this many, so it has to hold them all.
                "inMemoryConfig": {
                    "size": settings["index_size"],
                    "podCacheSize": max(settings["pod_cache_size"], replicas),
                },
            },
            "tokenizersPoolConfig": {
                "modelName": situation.spec.spec.model.name,
                "local": None,
                "hf": None,
                "uds": {"socketFile": f"{settings['socket_dir']}/tokenizer-uds.socket"},
            },
        },
        "kvEventsConfig": {
            "topicFilter": "kv@",
            "concurrency": settings["concurrency"],
            "discoverPods": False,
            "zmqEndpoint": f"tcp://*:{engine['ports']['kv_events']}",
        },
    }
