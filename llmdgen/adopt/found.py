"""What is being made of somebody's deployment: a spec that grows, and what was left out of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from llmdgen.kube.workload import Container, Workload
from llmdgen.secrets import mask
from llmdgen.untyped import items

Leave = Callable[[str, str], None]
"""Say that a setting is left out: its key, and why."""

LONGEST = 160  # characters of a value that a line shows


class LeftOut(Struct, frozen=True):
    """A setting that the spec does not hold: where it stands, and why it is left out. `roles` say it alike."""

    file: str
    key: str
    why: str
    roles: tuple[str, ...] = ()

    def __str__(self) -> str:
        key = f"{' and '.join(self.roles)} {self.key}".strip()
        return mask(" ".join(f"{self.file}: {key}: left out: {self.why}".split()))


class UnusableSource(Exception):
    """Nothing can be made of what was named; the text says why and what to do, `left` what was seen and not read."""

    def __init__(self, says: str, left: Sequence[LeftOut] = ()) -> None:
        self.left = tuple(left)
        super().__init__(says)


class Server(Struct, frozen=True):
    """Model servers of one role: the file that they are from, what they are called in it, and their pods."""

    file: str
    called: str
    role: str
    workload: Workload
    vllm: Container


class Found:
    """What the files hold: model servers, what is said of the model beside them, and documents of the router."""

    def __init__(self) -> None:
        self.servers: list[Server] = []
        self.model: dict[str, str] = {}
        self.router: list[tuple[str, dict[str, Any]]] = []
        self.provider = ""
        self._left: dict[tuple[str, str, str], tuple[str, ...]] = {}

    @property
    def left(self) -> list[LeftOut]:
        """Everything that was left out, once for roles that say it alike."""
        return [LeftOut(*entry, roles) for entry, roles in self._left.items()]

    def leave(self, file: str, key: str, why: str, role: str = "") -> None:
        """Say that a setting is left out."""
        roles = self._left.setdefault((file, key, why), ())
        if role and role not in roles:
            self._left[file, key, why] = (*roles, role)

    def leaving(self, server: Server) -> Leave:
        """The same for settings of one role's servers."""
        return partial(self.leave, server.file, role=server.role)


def shortened(value: object) -> str:
    """A value as a line shows it."""
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def with_lists(value: Any, key: str = "") -> Any:
    """A copy in which lists of words are lists of text, which readers of containers rely on."""
    if isinstance(value, dict):
        return {str(name): with_lists(each, str(name)) for name, each in value.items()}
    if key in ("command", "args"):
        words = items(value) if not isinstance(value, str) else [value]
        return [str(each) for each in words if isinstance(each, str | int | float)]
    if isinstance(value, list):
        return [with_lists(each) for each in value]
    return value
