"""precise-prefix-cache: model servers report KV blocks to the scheduler, which routes by what is really cached."""

from __future__ import annotations

from llmdgen.composition.contribution import Contribution, EnvVar, Shape, Situation
from llmdgen.composition.names import RoleName
from llmdgen.composition.shapes import contribution, whole_model_servers
from llmdgen.engine.size import Size
from llmdgen.scheduling.form import filled

NAME = "precise-prefix-cache"
RANK = 4
RESTARTED = (
    "a restarted scheduler does not know what the model servers held before: restart it seldom, and the model servers "
    "after it"
)
POD_IP = EnvVar(name="POD_IP", field="status.podIP")


def shapes(situation: Situation) -> dict[RoleName, Shape]:
    return whole_model_servers(situation, NAME)


def contribute(situation: Situation, sizes: dict[RoleName, Size]) -> Contribution:
    """KV events from every vLLM to the scheduler, in the direction and under the topic that the release's knows.

    Behind a routing sidecar too the topic's port is the pool's, by which the scheduler knows its pods.
    """
    spec, events, ports = situation.spec, situation.scheduler.kv_events, situation.engine["ports"]
    places = {
        "scheduler_host": f"{situation.names.scheduler_service}.{spec.namespace}.svc.cluster.local",
        "port": ports["kv_events"],
        "service_port": ports["service"],
        "model": spec.asked.model.name,
    }
    reported = {
        "enable_kv_cache_events": True,
        "publisher": "zmq",
        "endpoint": filled(events.endpoint, places),
        "topic": filled(events.topic, places),
    }
    return contribution(
        situation,
        NAME,
        args={"kv-events-config": reported},
        env=(POD_IP, EnvVar(name="PYTHONHASHSEED", value=situation.engine["hash_seed"])),
        kv_events=True,
        notes=(RESTARTED,) if events.listens == "engine" else (),
    )
