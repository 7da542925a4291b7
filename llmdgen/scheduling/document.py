"""A scheduler's configuration as it is judged: the document, and the servers that it has to agree with.

The same rules look at what a plan makes, at a text in a spec, and at a ConfigMap in a rendered directory. Who reads one
says where the document stands; a rule names a route inside it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from msgspec import Struct

from llmdgen.findings import Route
from llmdgen.registry import Draft, found
from llmdgen.scheduling.form import Form, form
from llmdgen.scheduling.tables import Tables, name_of, parameters_of, tables
from llmdgen.untyped import at, items, mapping


class Endpoints(Struct, frozen=True, kw_only=True):
    """The model servers of one role, as far as the scheduler has to agree with them.

    `name` is what a message calls them. `count` is how many endpoints they are; `events` is --kv-events-config, None
    where they report none. `gpu_tokens` are the tokens that the GPUs of one endpoint hold, `cpu_bytes` its KV cache in
    CPU memory, `token_bytes` what a token takes there, each 0 where it is not known. The routes lead to the settings of
    a spec, () where it has none.
    """

    name: str
    role: str
    count: int = 1
    block_size: int
    hash_seed: str = ""
    events: dict[str, Any] | None = None
    gpu_tokens: int = 0
    cpu_bytes: int = 0
    token_bytes: int = 0
    block_route: Route = ()
    seed_route: Route = ()
    events_route: Route = ()


class Listed:
    """A plugin of a configuration's list, with what is known of its type; anything but a mapping is an empty one."""

    def __init__(self, config: SchedulerConfig, index: int, given: Any) -> None:
        self.config = config
        self.index = index
        self.given = mapping(given)
        self.type = str(self.given.get("type"))
        self.name = name_of(self.given)
        self.parameters = parameters_of(self.given)
        self.facts = mapping(config.tables.plugins.get(self.type))
        self.kind = str(self.facts.get("kind", ""))

    def at(self, path: str) -> Any:
        """The parameter of that dotted path."""
        return at(self.parameters, *path.split("."))

    def names(self, path: str) -> str:
        """What the parameter of that dotted path names, its default where it is not given, "" without either."""
        return str(self.at(path) or self.facts.get("defaults", {}).get(path, ""))

    def found(self, *inside: str | int, says: str, fix: str, on_key: bool = False) -> Draft:
        """A finding at a route inside the plugin."""
        return self.config.found("plugins", self.index, *inside, says=says, fix=fix, on_key=on_key)

    def found_at(self, path: str, *, says: str, fix: str, on_key: bool = False) -> Draft:
        return self.found("parameters", *path.split("."), says=says, fix=fix, on_key=on_key)


class SchedulerConfig(Struct, frozen=True, kw_only=True, dict=True):
    """A configuration and what it schedules.

    `document` is None where it cannot be read, which `unread` says. `at` and `of` are where it stands; `inside` says
    that routes lead on into it, as into a text, and not into settings of a spec that it was made from. What is empty of
    `model`, `pool_ports`, `hosts` (names of the scheduler's Service) and `tokenizer_socket` is not known.
    """

    release: str
    document: dict[str, Any] | None
    at: Route = ()
    of: str = ""
    inside: bool = True
    unread: tuple[Draft, ...] = ()
    servers: tuple[Endpoints, ...] = ()
    model: str = ""
    pool_ports: tuple[int, ...] = ()
    hosts: tuple[str, ...] = ()
    tokenizer_socket: str = ""
    experimental: bool = False

    @property
    def tables(self) -> Tables:
        return tables(self.release)

    @property
    def form(self) -> Form:
        return form(self.release)

    @property
    def doc(self) -> dict[str, Any]:
        """The document, empty where it cannot be read."""
        return self.document or {}

    @cached_property
    def plugins(self) -> list[Listed]:
        return [Listed(self, index, each) for index, each in enumerate(items(self.doc.get("plugins")))]

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.plugins]

    @property
    def profiles(self) -> list[dict[str, Any]]:
        return list(map(mapping, items(self.doc.get("schedulingProfiles"))))

    def of_kind(self, kind: str) -> list[Listed]:
        return [each for each in self.plugins if each.kind == kind]

    def of_type(self, kind: str) -> list[Listed]:
        return [each for each in self.plugins if each.type == kind]

    def splitting(self) -> list[Listed]:
        """The handlers that send a request to prefill and decode servers."""
        return [each for each in self.of_kind("handler") if "splits" in each.facts and each.names(each.facts["splits"])]

    def found(self, *route: str | int, says: str, fix: str, on_key: bool = False, instead: Route = ()) -> Draft:
        """A finding at a route inside the document; at `instead` where the document is not what a person wrote."""
        if self.inside:
            return found(*self.at, *route, says=says, fix=fix, on_key=on_key, of=self.of)
        return found(*(instead or self.at), says=says, fix=fix, of=self.of)
