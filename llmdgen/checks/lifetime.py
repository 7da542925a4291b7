"""How long vLLM may take to start, keeps idle connections, and gets to end."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.engine.facts import engine
from llmdgen.engine.numbers import whole
from llmdgen.kube.servers import Engine
from llmdgen.registry import Draft, rule
from llmdgen.untyped import at, items, mapping

KEEP_ALIVE, READY = "VLLM_HTTP_TIMEOUT_KEEP_ALIVE", "VLLM_ENGINE_READY_TIMEOUT_S"
_LEAST_STARTUP_SECONDS = 600
_PERIOD, _FAILURES, _GRACE = 10, 3, 30  # Kubernetes' defaults


@rule("VER027", "warning", "vLLM has little time to start")
def startup_has_time(vllm: Engine) -> Iterator[Draft]:
    """The startup probe's period times its failures, and its initial delay, are what vLLM has to fetch and load the
    model and to compile. Kubernetes' defaults, where one of them is left out, are half a minute. Then the container is
    killed and begins anew.

    Fails:  `{decode: {pod: {containers: [{name: vllm, startupProbe: {failureThreshold: 3}}]}}}` of 30 seconds.
    Passes: `{decode: {pod: {containers: [{name: vllm, startupProbe: {failureThreshold: 120}}]}}}`; an hour.
    """
    seconds = _startup(vllm)
    if seconds is not None and seconds < _LEAST_STARTUP_SECONDS:
        yield vllm.found("startupProbe", says=f"vLLM is killed after {seconds} s", fix="raise failureThreshold")


@rule("VER113", "warning", "front ends that give up before the engines are ready")
def front_ends_wait(vllm: Engine) -> Iterator[Draft]:
    """Where a pod has several engines, each front end waits for them for VLLM_ENGINE_READY_TIMEOUT_S, ten minutes where
    it is not set, and then ends the pod. Weights of hundreds of gigabytes take longer (vllm issue 35547), and the probe
    waits for them. The supervisor of llm-d v0.9.0 has a front end for each engine, which waits without a limit.

    Fails:  `{path: wide-ep, release: v0.6.0, engine: {env: {VLLM_ENGINE_READY_TIMEOUT_S: "600"}}}`.
    Passes: `{path: wide-ep, release: v0.6.0}`, which sets it to what the probe waits for.
    """
    waits, startup = (
        whole(vllm.variables.get(READY), 0) or engine(vllm.release)["timeouts"]["engine_ready"],
        _startup(vllm),
    )
    if (
        vllm.size("data-parallel-size", 1) > 1
        and not vllm.supervisor_port
        and startup is not None
        and waits < startup - 60
    ):
        says = f"front ends give up after {waits} s, and the startup probe waits {startup} s for the engines"
        yield vllm.workload.found(*vllm.env_at(READY), says=says, fix=f'remove it, or set it to "{startup}"')


@rule("VER112", "warning", "idle connections that vLLM closes first")
def idle_connections_stay_open(vllm: Engine) -> Iterator[Draft]:
    """The routing sidecar keeps idle connections to vLLM for 90 seconds, a gateway's Envoy for an hour, and vLLM closes
    them after 5 where VLLM_HTTP_TIMEOUT_KEEP_ALIVE does not say otherwise. A request that is sent just then is answered
    with 502 or 503.

    Fails:  `{path: pd-disaggregation, engine: {env: {VLLM_HTTP_TIMEOUT_KEEP_ALIVE: "30"}}}`.
    Passes: `{path: pd-disaggregation}`, whose 120 seconds are above the sidecar's.
    """
    seconds = engine(vllm.release)["timeouts"]
    kept = vllm.variables.get(KEEP_ALIVE) or str(seconds["keep_alive"])
    if kept.isdigit() and int(kept) <= seconds["keep_alive_of_clients"]:
        says = f"vLLM closes idle connections after {kept} s, and who sends to it keeps them for longer"
        fix = f'set {KEEP_ALIVE}: "{seconds["keep_alive_wanted"]}", or remove it'
        yield vllm.workload.found(*vllm.env_at(KEEP_ALIVE), says=says, fix=fix)


@rule("VER114", "warning", "a pod that is killed while it finishes its answers")
def pods_end_in_time(vllm: Engine) -> Iterator[Draft]:
    """A pod that is asked to end waits in preStop until nobody sends to it any more, and vLLM then finishes its answers
    for --shutdown-timeout. Both have to be over when terminationGracePeriodSeconds are, or the kubelet cuts them off.

    Fails:  `{decode: {pod: {terminationGracePeriodSeconds: 60}}}`, which has 2 minutes for its answers.
    Passes: `{decode: {drain: 30s}}`, from which the period follows.
    """
    stop = mapping(at(vllm.doc, "lifecycle", "preStop"))
    words = items(at(stop, "exec", "command"))
    waits = whole(at(stop, "sleep", "seconds"), 0) or (
        whole(words[1], 0) if words[:1] == ["sleep"] and words[1:] else 0
    )
    needed = waits + whole(vllm.flags.get("shutdown-timeout"), 0)
    grace = whole(vllm.workload.spec.get("terminationGracePeriodSeconds"), _GRACE)
    if grace < needed:
        place = vllm.workload.in_template("spec", "terminationGracePeriodSeconds")
        says = f"the pod is killed {grace} s after it is asked to end, and its answers have {needed} s"
        yield vllm.workload.found(*place, says=says, fix=f"set {needed + 15} or more, or a shorter drain")


def _startup(vllm: Engine) -> int | None:
    """Seconds that the startup probe waits, None without one."""
    probe = mapping(vllm.doc.get("startupProbe"))
    period, failures = whole(probe.get("periodSeconds"), _PERIOD), whole(probe.get("failureThreshold"), _FAILURES)
    return whole(probe.get("initialDelaySeconds"), 0) + period * failures if probe else None
