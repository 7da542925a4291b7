"""vllm/*.args: what reviewers read is what the containers get."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.kube.argument_files import FOLDER, arguments_of
from llmdgen.kube.command_line import unresolved
from llmdgen.kube.workload import Workload
from llmdgen.registry import Draft, found, rule
from llmdgen.verify.rendered import Rendered


@rule("VER092", "error", "a file of vLLM arguments is not what the container gets")
def argument_files_are_true(rendered: Rendered) -> Iterator[Draft]:
    """Reviewers read vllm/<role>.args, one argument a line. It holds everything after `vllm serve` that the container
    gets, in its order, for a role of several pods those of the first and of the last pod.

    Fails:  a flag in vllm/decode.args that the container does not have.
    Passes: line by line the same.
    """
    for workload in rendered.model_servers:
        for name, arguments in arguments_of(workload):
            text = rendered.files.get(name)
            if text is None:
                if any(file.startswith(FOLDER) for file in rendered.files):
                    yield found(says=f"{workload} has no file of its arguments", fix="render again", of=name)
                continue
            written = [unresolved(line) for line in text.splitlines()]
            if written != list(arguments):
                says = _difference(written, list(arguments), workload)
                yield found(says=says, fix="render again, with these charts", of=name)
    known = {name for workload in rendered.model_servers for name, _ in arguments_of(workload)}
    for name in sorted(set(rendered.files) - known):
        if name.startswith(FOLDER) and rendered.model_servers:
            yield found(says="no pods get these arguments", fix="create the role, or render again", of=name)


def _difference(written: list[str], real: list[str], workload: Workload) -> str:
    """The first line at which the file and the container part."""
    for number, (line, argument) in enumerate(zip(written, real, strict=False), 1):
        if line != argument:
            return f"line {number} is {line}, the container of {workload} gets {argument}"
    if len(written) < len(real):
        return f"the container of {workload} also gets {real[len(written)]}"
    return f"line {len(real) + 1} is {written[len(real)]}, the container of {workload} gets nothing more"
