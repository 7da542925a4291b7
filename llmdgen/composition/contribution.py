"""What a well-lit path adds to a plan. Paths compose: `composition.fold` makes one contribution of several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from llmdgen.composition.names import Names, RoleName
from llmdgen.facts.types import Instance, ModelFacts, ModelServer, Release
from llmdgen.scheduling.form import Form, PathForm
from llmdgen.spec.model import Spec


class Situation(Struct, frozen=True, kw_only=True):
    """What a path may look at: the spec, and the facts it leads to.

    `settings` are the release's paths.toml, `engine` its engine.toml, `scheduler` the form of its scheduler's
    configuration, `platform` is platforms.toml; `server` is what the model server's image holds; `paths` are all paths
    of this plan, main first. `doubled` says how often a path doubles the GPUs that it would give a server of a role,
    and `most` holds upper bounds of vLLM flags that the spec leaves open: both make room for the KV cache.
    """

    spec: Spec
    release: Release
    model: ModelFacts | None
    instances: dict[RoleName, Instance]
    paths: tuple[str, ...]
    settings: dict[str, Any]
    engine: dict[str, Any]
    platform: dict[str, Any]
    server: ModelServer
    names: Names
    scheduler: Form
    doubled: dict[RoleName, int] = {}
    most: dict[str, int] = {}


class Shape(Struct, frozen=True, kw_only=True):
    """The size of a role as its path would choose it, before the spec has its say; cpu, memory, shm are quantities."""

    replicas: int
    tensor: int
    data_local: int = 1
    workers: int = 1
    expert: bool = False
    cpu: str
    memory: str
    shm: str


class EnvVar(Struct, frozen=True, kw_only=True):
    """An environment variable: a value, one for each role, a field of the pod, or the key of its name in a Secret."""

    name: str
    value: str | None = None
    by_role: dict[RoleName, str] = {}
    field: str | None = None
    secret: str | None = None

    def for_role(self, role: RoleName) -> EnvVar:
        return EnvVar(name=self.name, value=self.by_role.get(role, self.value), field=self.field, secret=self.secret)


def variables(values: Mapping[str, str | None]) -> tuple[EnvVar, ...]:
    """Variables with one value for all roles."""
    return tuple(EnvVar(name=name, value=value) for name, value in values.items())


SLOT = "/tmp/kv-disk"


class Volume(Struct, frozen=True, kw_only=True):
    """A pod volume and where the vLLM container mounts it. `source` is the Kubernetes volume source.

    `own_directory` is a directory inside the volume that the container mounts instead of its root, made for the image's
    user: host directories and shared claims need it, an emptyDir does not. `slots`: pods of one node share the volume,
    and each takes a slot that no other holds, which vLLM finds at SLOT. `keeps` are the bytes to which each role's pods
    keep the files in it, where the engine itself does not.
    """

    name: str
    mount_path: str
    source: dict[str, Any]
    own_directory: str | None = None
    slots: bool = False
    keeps: dict[RoleName, int] = {}
    read_only: bool = False


class Connector(Struct, frozen=True, kw_only=True):
    """A vLLM KV connector. `serves` says what it is for, to a reviewer; `extra` is kv_connector_extra_config, `roles`
    its kv_role where that is not kv_both."""

    name: str
    roles: dict[RoleName, str] = {}
    extra: dict[str, Any] = {}
    extra_by_role: dict[RoleName, dict[str, Any]] = {}
    serves: str


class Tier(Struct, frozen=True, kw_only=True):
    """A KV cache tier below GPU memory, its `bytes` those of each pod, by role. `in_shm`: a file in /dev/shm."""

    name: Literal["cpu", "disk", "storage"]
    connector: str
    where: str
    bytes: dict[RoleName, int]
    in_shm: bool = False


class Contribution(Struct, frozen=True, kw_only=True):
    """All that one path adds. Empty fields add nothing.

    `block_size` is a wish: where paths differ the largest wins, because transfers cost by the block.
    `non_cached_tokens` is set by paths that split prefill from decode. `memory_mib` is container memory on top of each
    role's own, `shm_mib` the part of it that lies in /dev/shm. `scheduling` is what the path asks of the scheduler.
    `supervised`: each rank of a pod serves on a port of its own, below one supervisor. `cleans_shm`: what a crashed
    engine leaves in /dev/shm has to go before the next one starts.
    """

    path: str
    args: dict[str, Any] = {}
    role_args: dict[RoleName, dict[str, Any]] = {}
    env: tuple[EnvVar, ...] = ()
    volumes: tuple[Volume, ...] = ()
    connectors: tuple[Connector, ...] = ()
    scheduling: PathForm = PathForm()
    block_size: int | None = None
    non_cached_tokens: int | None = None
    prefiller_sampling: bool = False
    supervised: bool = False
    cleans_shm: bool = False
    kv_events: bool = False
    crosses_pods: bool = False
    memory_mib: dict[RoleName, int] = {}
    shm_mib: dict[RoleName, int] = {}
    tiers: tuple[Tier, ...] = ()
    startup_minutes: int = 0
    notes: tuple[str, ...] = ()
