"""What the checks of this package look at: one role's flags and environment, and the numbers around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from llmdgen.engine.argv import ArgumentError
from llmdgen.engine.flags import FlagTable
from llmdgen.findings import Route
from llmdgen.registry import Draft, found


class Numbers(Struct, frozen=True, kw_only=True):
    """What is known of the model and the node. None where it does not know; a check then stays silent.

    `gpus` and `host_memory_bytes` are the node's, `pod_memory_bytes` the container's limit, `routed_experts` the
    model's in a layer, 0 for a dense model, `max_position_embeddings` the longest context its config.json allows,
    `default_batch_tokens` the max-num-batched-tokens that vLLM takes on the node's GPUs where it is not told.
    """

    tensor: int = 1
    data: int = 1
    data_local: int = 1
    gpus: int | None = None
    host_memory_bytes: int | None = None
    pod_memory_bytes: int | None = None
    attention_heads: int | None = None
    kv_heads: int | None = None
    routed_experts: int | None = None
    max_position_embeddings: int | None = None
    default_batch_tokens: int | None = None
    mla: bool = False


class RoleSettings(Struct, frozen=True, kw_only=True):
    """The flags and the environment of one role's vLLM, as its container has them.

    `env` maps a name to its value, None for one that Kubernetes fills in from the pod; `refused` is what the parser
    would refuse of the arguments, beside `args`. `flag_routes` and `env_routes` lead to their places, `place` is where
    all others are found: a route that ends in the name itself says that the spec sets it, any other that the path does.
    """

    args: Mapping[str, Any]
    env: Mapping[str, str | None]
    release: str
    table: FlagTable
    refused: tuple[ArgumentError, ...] = ()
    flag_routes: Mapping[str, Route] = {}
    env_routes: Mapping[str, Route] = {}
    place: Route = ("spec", "path")
    numbers: Numbers = Numbers()

    def at(self, flag: str, *inside: str | int) -> Route:
        """The place of a flag, or of a key inside its JSON value."""
        return (*self.flag_routes.get(flag, self.place), *inside)

    def found(self, flag: str, *inside: str | int, says: str, fix: str, on_key: bool = False) -> Draft:
        """A finding at a flag, or at a key inside its JSON value."""
        return found(*self.at(flag, *inside), says=says, fix=fix, on_key=on_key)

    def env_at(self, name: str) -> Route:
        """The place of an environment variable."""
        return self.env_routes.get(name, self.place)

    def spec_sets(self, flag: str) -> bool:
        """Whether the spec itself names the flag, rather than its path."""
        return self.at(flag)[-1:] == (flag,)

    def value(self, flag: str) -> Any:
        """What the flag is set to, else vLLM's default, None where it has none."""
        if self.args.get(flag) is not None:
            return self.args[flag]
        known = self.table.get(flag)
        return known.default if known else None

    def refusals(self) -> Iterator[tuple[str, ArgumentError]]:
        """What the parser would refuse of flags that `args` does not have, each with the flag's name."""
        given = {_bare(flag) for flag in self.args}
        return ((_bare(each.flag), each) for each in self.refused if _bare(each.flag) not in given)


def _bare(flag: str) -> str:
    """A flag's name as vLLM's table has it, however it was spelled."""
    return flag.lstrip("-").replace("_", "-")


def integer(value: Any) -> int | None:
    """The value where it is an integer, None where it is anything else (another check says so)."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: Any) -> float | None:
    """The same for any number."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
