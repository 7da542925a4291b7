"""How one model server spreads over GPUs: the parallelism that vLLM is started with."""

from __future__ import annotations

from msgspec import Struct


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
