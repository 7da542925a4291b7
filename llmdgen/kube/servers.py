"""The model servers of a deployment, as rules look at them: in memory, or as helm prints them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from llmdgen.facts.types import Release
from llmdgen.kube.manifest import Manifest
from llmdgen.kube.workload import Workload, workloads


class Servers:
    """The objects of the local chart, and the llm-d release whose vLLM runs in them."""

    def __init__(self, manifests: Sequence[Manifest], release: Release) -> None:
        self.manifests = tuple(manifests)
        self.release = release

    def of_kind(self, kind: str, *groups: str) -> Iterator[Manifest]:
        """The objects of a kind, of any API group where none is given."""
        return (each for each in self.manifests if each.kind == kind and (not groups or each.group in groups))

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """Every pod template of every object."""
        return tuple(workloads(self.manifests, self.release.name))

    @cached_property
    def model_servers(self) -> tuple[Workload, ...]:
        """The pod templates that run vLLM."""
        return tuple(each for each in self.workloads if each.vllm is not None)

    def role(self, name: str) -> Workload | None:
        """The model servers of a role, None where there are none."""
        return next((each for each in self.model_servers if each.role == name), None)
