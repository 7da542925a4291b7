"""That pods run vLLM, and that its arguments say everything once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from llmdgen.kube.servers import Servers
from llmdgen.registry import Draft, found, rule

_REPEATABLE = frozenset({"--middleware", "--lora-modules", "--override-generation-config"})


@rule("VER004", "error", "pods of a role do not run vLLM")
def roles_run_vllm(servers: Servers) -> Iterator[Draft]:
    """Most rules look at the pods that run `vllm serve`. Where none is recognised they would all pass and say nothing,
    so that a deployment without model servers, or a role whose container runs something else, is an error itself.

    Fails:  a container that runs `python -m my_server` in pods labelled llm-d.ai/role: decode.
    Passes: `vllm serve` as the command, or in a shell's script.
    """
    if not servers.model_servers:
        yield found(says="no pod of any release runs vllm serve", fix="render again", of="helmfile.yaml")
    for workload in servers.workloads:
        if workload.role and workload.vllm is None:
            says = f"the {workload.role} pods have no container that runs vllm serve"
            fix = "start vLLM by `vllm serve`, or by a script that runs it"
            yield workload.found(*workload.in_template("spec", "containers"), says=says, fix=fix)


@rule("VER091", "error", "a flag stands twice")
def flags_are_given_once(servers: Servers) -> Iterator[Draft]:
    """vLLM keeps the last of two equal flags. llmdgen already writes --port, --served-model-name and the parallel
    sizes, so that a second one means that two places disagree.

    Fails:  --tensor-parallel-size 2 from `parallelism` and --tensor-parallel-size=4 from `args`.
    Passes: every flag once.
    """
    for workload, vllm in servers.engines:
        spelled = [_flag(each) for each in vllm.arguments() or () if each.startswith("-")]
        for flag, count in Counter(spelled).items():
            if count > 1 and flag not in _REPEATABLE:
                says = f"{flag} stands {count} times"
                yield workload.found(*vllm.flag_at(flag.lstrip("-")), says=says, fix=f"set {flag} once")


def _flag(argument: str) -> str:
    return argument.partition("=")[0].replace("_", "-")
