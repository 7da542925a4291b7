"""What is being made of somebody's deployment: the servers that were found, and what was left out of the spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from llmdgen.facts.catalogue import table
from llmdgen.kube.workload import Container, Manifest, Workload, workloads
from llmdgen.secrets import mask
from llmdgen.spec.fields import ROLES
from llmdgen.spec.model import DEFAULT_RELEASE
from llmdgen.untyped import at, items

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
    """Model servers of one role: the file that they are from, their pods, and the container that runs vLLM."""

    file: str
    role: str
    workload: Workload
    vllm: Container


def server_of(doc: Mapping[str, Any], kind: str, name: str, file: str) -> Server | None:
    """The model servers of an object, None where none of its containers runs vLLM. Their role is said by a label, else
    by the object's name; who computes prompts and answers alike is decode."""
    manifest = Manifest("", 0, file, str(doc.get("apiVersion")), kind, name, "", _with_lists(doc))
    workload = next(workloads([manifest], DEFAULT_RELEASE), None)
    if workload is None or workload.vllm is None:
        return None
    role = workload.role if workload.role in ROLES else "prefill" if "prefill" in name else "decode"
    return Server(file, role, workload, workload.vllm)


def _with_lists(value: Any, key: str = "") -> Any:
    """A copy in which lists of words are lists of text, which readers of containers rely on."""
    if isinstance(value, dict):
        return {str(name): _with_lists(each, str(name)) for name, each in value.items()}
    if key in ("command", "args"):
        words = items(value) if not isinstance(value, str) else [value]
        return [str(each) for each in words if isinstance(each, str | int | float)]
    return [_with_lists(each) for each in value] if isinstance(value, list) else value


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

    def leave_rest(self, file: str, said: Mapping[str, Any], of: str, under: str = "", role: str = "") -> None:
        """Say so of all that is not read of settings and that is neither empty nor switched off; `of` is their table
        of reasons."""
        for key, value in said.items():
            if value in ({}, [], "", None, False) or at(value, "enabled") is False:
                continue
            if key not in rules(of)["read"]:
                self.leave(file, f"{under}{key}", why(of, key), role)


def rules(of: str) -> dict[str, Any]:
    """What is read and what is left out of settings, by where they stand."""
    found: dict[str, Any] = table("adopt/left-out.toml")[of]
    return found


def why(of: str, key: str) -> str:
    """Why a setting is left out."""
    return str(rules(of)["why"].get(key, rules(of)["otherwise"]))


def shortened(value: object) -> str:
    """A value as a line shows it."""
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
