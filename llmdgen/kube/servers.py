"""The model servers of a deployment, in memory or as helm prints them, and vllm/*.args: what each is started with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NewType

from llmdgen.facts.catalogue import UnknownFact, model
from llmdgen.facts.types import ModelFacts, Release
from llmdgen.findings import Route
from llmdgen.kube.command_line import unresolved
from llmdgen.kube.workload import Container, Manifest, Workload, workloads

ARGUMENTS = "vllm/"  # the folder of files with everything after `vllm serve`, one argument a line
Engine = NewType("Engine", Container)
"""The container of a pod that runs vLLM."""
ModelServer = NewType("ModelServer", Workload)
"""A pod template with such a container."""


class Servers:
    """Objects, and the llm-d release whose vLLM runs in them.

    What objects do not say themselves is given: `attached` by role, the EFA interfaces that a node really has;
    `facts`, the model, which else is the one of the catalogue that vLLM is told to serve; `origins` by `Kind/name`,
    the way from a place in an object to the place in the spec that decides about it.
    """

    def __init__(
        self,
        manifests: Sequence[Manifest],
        release: Release,
        *,
        attached: Mapping[str, int] | None = None,
        facts: ModelFacts | None = None,
        origins: Mapping[str, Callable[[Route], Route]] | None = None,
    ) -> None:
        self.manifests = tuple(manifests)
        self.release = release
        self._attached = attached or {}
        self._facts = facts
        self._origins = origins or {}

    def of_kind(self, kind: str, *groups: str) -> Iterator[Manifest]:
        return (each for each in self.manifests if each.kind == kind and (not groups or each.group in groups))

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        return tuple(workloads(self.manifests, self.release.name, self._attached))

    @property
    def containers(self) -> Iterator[Container]:
        return (each for workload in self.workloads for each in workload.containers)

    @cached_property
    def engines(self) -> tuple[Engine, ...]:
        return tuple(Engine(each.vllm) for each in self.workloads if each.vllm is not None)

    @property
    def model_servers(self) -> tuple[ModelServer, ...]:
        return tuple(ModelServer(vllm.workload) for vllm in self.engines)

    @property
    def parts(self) -> dict[str, Iterable[object]]:
        """What rules over a part look at, by the name of its type."""
        return {
            "Workload": self.workloads,
            "ModelServer": self.model_servers,
            "Container": tuple(self.containers),
            "Engine": self.engines,
        }

    def role(self, name: str) -> Workload | None:
        return next((each for each in self.model_servers if each.role == name), None)

    @cached_property
    def model(self) -> ModelFacts | None:
        """The facts of the model that is served, None where there are none."""
        if self._facts is not None:
            return self._facts
        for vllm in self.engines:
            for flag in ("model", "served-model-name"):
                named = vllm.flags.get(flag)
                try:
                    return model(str(named[0] if isinstance(named, list) and named else named))
                except UnknownFact:
                    continue
        return None

    def spec_route(self, of: object, at: Route) -> Route:
        """The place in the spec that decides about a place in an object; () where there is no spec, or it does not."""
        origin = self._origins.get(str(of))
        return origin(at) if origin else ()


def argument_files(servers: Servers) -> dict[str, str]:
    """The texts by the names of their files."""
    return {
        name: "".join(f"{argument}\n" for argument in arguments)
        for workload in servers.model_servers
        for name, arguments in arguments_of(workload)
    }


def arguments_of(workload: Workload) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The arguments of a role's pods by file: one file, or the first and the last pod of several."""
    if workload.vllm is None:
        return
    if workload.size == 1:
        yield f"{ARGUMENTS}{workload.role}.args", tuple(map(unresolved, workload.vllm.arguments() or ()))
        return
    for index in (0, workload.size - 1):
        yield f"{ARGUMENTS}{workload.role}-node{index}.args", tuple(map(unresolved, workload.vllm.arguments_at(index)))
