"""What a well-lit path adds to a plan. Paths compose: the contributions of several fold into one (`plan.fold`)."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from llmdgen.facts.types import Instance, ModelFacts, Release
from llmdgen.spec.model import Spec

RoleName = Literal["prefill", "decode"]


class Situation(Struct, frozen=True, kw_only=True):
    """What a path may look at: the spec, and the facts it leads to.

    `settings` are the release's paths.toml, `engine` its engine.toml; `paths` are all paths of this plan, main first.
    """

    spec: Spec
    release: Release
    model: ModelFacts | None
    instances: dict[RoleName, Instance]
    paths: tuple[str, ...]
    settings: dict[str, Any]
    engine: dict[str, Any]


class Shape(Struct, frozen=True, kw_only=True):
    """The size of a role as its path would choose it, before the spec has its say. cpu, memory and shm are quantities."""

    replicas: int
    tensor: int
    data_local: int = 1
    workers: int = 1
    expert: bool = False
    cpu: str
    memory: str
    shm: str


class Size(Struct, frozen=True, kw_only=True):
    """The settled parallelism of a role. `data` counts over all pods of one replica, `data_local` in each pod."""

    replicas: int
    tensor: int
    data: int
    data_local: int
    workers: int
    expert: bool

    @property
    def gpus_per_pod(self) -> int:
        return self.tensor * self.data_local

    @property
    def expert_parallel(self) -> int:
        """Ranks that share the experts: all of one replica's, 1 without expert parallelism."""
        return self.tensor * self.data if self.expert else 1


class EnvVar(Struct, frozen=True, kw_only=True):
    """An environment variable: a value, or a field of the pod (fieldPath)."""

    name: str
    value: str | None = None
    field: str | None = None


class Volume(Struct, frozen=True, kw_only=True):
    """A pod volume and where the vLLM container mounts it. `source` is the Kubernetes volume source."""

    name: str
    mount_path: str
    source: dict[str, Any]


class Connector(Struct, frozen=True, kw_only=True):
    """A vLLM KV connector. `serves` says what it is for, in a reviewer's words."""

    name: str
    extra: dict[str, Any] = {}
    serves: str


class Scorer(Struct, frozen=True, kw_only=True):
    """A scorer plugin of the scheduler; `name` distinguishes two of one type."""

    type: str
    name: str
    weight: float
    parameters: dict[str, Any] = {}


class Contribution(Struct, frozen=True, kw_only=True):
    """All that one path adds. Empty fields add nothing.

    `block_size` is a wish: where paths differ the largest wins, because transfers cost by the block.
    `non_cached_tokens` is set by paths that split prefill from decode. `memory_mib` and `init_directories` are for
    cache tiers: container memory on top of the role's own, host directories that the image's user must own.
    """

    path: str
    args: dict[str, Any] = {}
    role_args: dict[RoleName, dict[str, Any]] = {}
    env: tuple[EnvVar, ...] = ()
    volumes: tuple[Volume, ...] = ()
    connectors: tuple[Connector, ...] = ()
    scorers: tuple[Scorer, ...] = ()
    block_size: int | None = None
    non_cached_tokens: int | None = None
    prefiller_sampling: bool = False
    kv_events: bool = False
    crosses_pods: bool = False
    memory_mib: int = 0
    owned_directories: tuple[str, ...] = ()
    startup_minutes: int = 0
    notes: tuple[str, ...] = ()
