"""vLLM's arguments: taken by its parser, said once, and the same in the files of the directory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from llmdgen.kube.command_line import unresolved
from llmdgen.kube.workload import Workload
from llmdgen.registry import Draft, found, rule
from llmdgen.verify.rendered import Rendered

_FOLDER = "vllm/"
_REPEATABLE = frozenset({"--middleware", "--lora-modules", "--override-generation-config"})


@rule("VER004", "error", "pods of a role do not run vLLM")
def roles_run_vllm(rendered: Rendered) -> Iterator[Draft]:
    """Most rules look at the pods that run `vllm serve`. Where none is recognised they would all pass and say nothing,
    so that a deployment without model servers, or a role whose container runs something else, is an error itself.

    Fails:  a container that runs `python -m my_server` in pods labelled llm-d.ai/role: decode.
    Passes: `vllm serve` as the command, or in a shell's script.
    """
    if not rendered.model_servers:
        yield found(
            says="no pod of any release runs vllm serve", fix="see decode.create in the values", of="helmfile.yaml"
        )
    for workload in rendered.workloads:
        if workload.role and workload.vllm is None:
            yield found(
                *workload.in_template("spec", "containers"),
                says=f"the {workload.role} pods have no container that runs vllm serve",
                fix="start vLLM with modelCommand: vllmServe, or with a script that runs vllm serve",
                of=workload.manifest,
            )


@rule("VER090", "error", "vLLM's parser refuses the arguments")
def arguments_are_accepted(rendered: Rendered) -> Iterator[Draft]:
    """What the container really gets, chart additions and the spec's `values` included, must be what the release's vLLM
    accepts. Otherwise the container exits a second after twenty minutes of image pull.

    Fails:  --max-model-length 32000.
    Passes: --max-model-len 32000.
    """
    for workload in rendered.model_servers:
        vllm = workload.vllm
        if vllm is not None and vllm.refused is not None:
            yield found(
                *vllm.route,
                "args",
                says=str(vllm.refused),
                fix="see llmdgen explain and the flag",
                of=workload.manifest,
            )


@rule("VER091", "error", "a flag stands twice")
def flags_are_given_once(rendered: Rendered) -> Iterator[Draft]:
    """vLLM keeps the last of two equal flags. The chart already writes --port, --served-model-name and the parallel
    sizes, so that a second one means that two places disagree.

    Fails:  --tensor-parallel-size 2 from `parallelism` and --tensor-parallel-size=4 from `args`.
    Passes: every flag once.
    """
    for workload in rendered.model_servers:
        vllm = workload.vllm
        if vllm is None:
            continue
        spelled = [_flag(each) for each in vllm.arguments() or () if each.startswith("-")]
        for flag, count in Counter(spelled).items():
            if count > 1 and flag not in _REPEATABLE:
                yield found(
                    *vllm.route,
                    "args",
                    says=f"{flag} stands {count} times",
                    fix=f"leave {flag} to the chart, or set it once",
                    of=workload.manifest,
                )


@rule("VER092", "error", "a file of vLLM arguments is not what the container gets")
def argument_files_are_true(rendered: Rendered) -> Iterator[Draft]:
    """Reviewers read vllm/<role>.args, one argument a line. It holds everything after `vllm serve` that the container
    gets, in its order, for a role of several pods those of the first and of the last pod.

    Fails:  a flag in vllm/decode.args that the values no longer have.
    Passes: line by line the same.
    """
    for workload in rendered.model_servers:
        for name, arguments in _files(workload):
            text = rendered.files.get(name)
            if text is None:
                if any(file.startswith(_FOLDER) for file in rendered.files):
                    yield found(says=f"{workload} has no file of its arguments", fix="render again", of=name)
                continue
            written = [unresolved(line) for line in text.splitlines()]
            real = [unresolved(each) for each in arguments]
            if written != real:
                yield found(says=_difference(written, real, workload), fix="render again, with these charts", of=name)
    known = {name for workload in rendered.model_servers for name, _ in _files(workload)}
    for name in sorted(set(rendered.files) - known):
        if name.startswith(_FOLDER) and rendered.model_servers:
            yield found(says="no pods get these arguments", fix="create the role, or render again", of=name)


@rule("VER093", "error", "the pods of one deployment serve different names or lengths")
def served_model_is_one(rendered: Rendered) -> Iterator[Draft]:
    """The sidecar passes a request on as it came: prefill must know the model under decode's name, and take a prompt of
    the length that decode takes.

    Fails:  --served-model-name a in prefill and b in decode.
    Passes: the same name, the same --max-model-len.
    """
    for flag in ("served-model-name", "max-model-len"):
        values = {str(each.vllm.flags.get(flag)): each for each in rendered.model_servers if each.vllm is not None}
        if len(values) > 1:
            for value, workload in values.items():
                says = f"--{flag} is {value} here, and otherwise elsewhere"
                yield found(says=says, fix=f"set one --{flag}", of=workload.manifest)


def _files(workload: Workload) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The names of a workload's argument files, and what the pod of each really gets."""
    if workload.vllm is None:
        return
    if workload.size == 1:
        yield f"{_FOLDER}{workload.role}.args", workload.vllm.arguments() or ()
        return
    for index in (0, workload.size - 1):
        given = {"LWS_WORKER_INDEX": str(index), "LWS_GROUP_SIZE": str(workload.size)}
        yield f"{_FOLDER}{workload.role}-node{index}.args", workload.vllm.arguments(given) or ()


def _flag(argument: str) -> str:
    return argument.partition("=")[0].replace("_", "-")


def _difference(written: list[str], real: list[str], workload: Workload) -> str:
    """The first line at which the file and the container part."""
    for number, (line, argument) in enumerate(zip(written, real, strict=False), 1):
        if line != argument:
            return f"line {number} is {line}, the container of {workload} gets {argument}"
    if len(written) < len(real):
        return f"the container of {workload} also gets {real[len(written)]}"
    return f"line {len(real) + 1} is {written[len(real)]}, the container of {workload} gets nothing more"
