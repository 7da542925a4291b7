"""helmfile.yaml as types, which are the list of all that `verify` lets helmfile see: plain data that runs no program.

helmfile executes hooks, post-renderers, other helm programs and, in templates, any command (`{{ exec }}`), for
`template` as for `apply`, and fetches values and charts by whatever address stands there. `verify` also runs on the
directory of a stranger's pull request. So a file is read into these types, what they do not know is refused, and
helmfile gets what was read, written anew. They hold what a render writes, and what somebody may add who deploys
otherwise.
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from llmdgen.objects.chart import FOLDER
from llmdgen.plain_yaml import YAMLError, load, reason
from llmdgen.yaml_text import dump

HELMFILE = "helmfile.yaml"
_NAME = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"
Name = Annotated[str, Meta(pattern=_NAME)]
Need = Annotated[str, Meta(pattern=r"^([a-z0-9.-]+/)?[a-z0-9][a-z0-9.-]*$")]
ValuesFile = Annotated[str, Meta(pattern=r"^values/[a-z0-9][a-z0-9.-]*\.yaml$")]
# Beside the directory's own: published in a registry, or in a folder that `render --charts` named.
Chart = Annotated[
    str,
    Meta(
        pattern=rf"^(\./{FOLDER}|oci://[a-z0-9][a-z0-9.:-]*(/[a-z0-9][a-z0-9._-]*)+|\.\./([^/]+/)*[a-z0-9][a-z0-9.-]*)$"
    ),
]


class VerifyError(Exception):
    """A tool is missing, or a directory is not a rendered one. `fix` says what helps."""

    def __init__(self, says: str, fix: str) -> None:
        self.says, self.fix = says, fix
        super().__init__(f"{says} (fix: {fix})")


class _Installing(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, rename="camel"):
    """How helm installs and how long it waits, which a release says, or the defaults of all."""

    atomic: bool = False
    cleanup_on_fail: bool = False
    create_namespace: bool = True
    force: bool = False
    timeout: int | None = None
    wait: bool = False
    wait_for_jobs: bool = False


class HelmRelease(_Installing, frozen=True, kw_only=True):
    """A release. `chart` is a path or an oci:// address, `values` are files."""

    name: Name
    chart: Chart
    namespace: Name = "default"
    version: str = ""
    needs: tuple[Need, ...] = ()
    values: tuple[ValuesFile, ...] = ()
    installed: bool = True
    labels: dict[str, str] = {}
    disable_validation: bool = False
    disable_validation_on_install: bool = False

    @property
    def chart_name(self) -> str:
        return self.chart.rpartition("/")[2]

    @property
    def is_own(self) -> bool:
        """Whether the chart is the one that lies beside helmfile.yaml."""
        return self.chart == f"./{FOLDER}"

    @property
    def is_local(self) -> bool:
        """Whether the chart is a path."""
        return not self.chart.startswith("oci://")


class Defaults(_Installing, frozen=True, kw_only=True):
    """What holds for every release."""

    history_max: int | None = None
    skip_deps: bool = False


class State(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, rename="camel"):
    """The whole file."""

    releases: Annotated[tuple[HelmRelease, ...], Meta(min_length=1)]
    helm_defaults: Defaults = Defaults()


def read_state(text: str) -> State:
    """The state of a helmfile.yaml. Raises VerifyError where it is anything but plain YAML of the types above."""
    if "{{" in text:
        raise VerifyError(f"{HELMFILE} holds {{{{, which helmfile executes", _FIX)
    try:
        return msgspec.convert(load(text), State)
    except RecursionError as error:
        raise VerifyError(f"{HELMFILE} is nested too deeply", "render the directory again") from error
    except YAMLError as error:
        raise VerifyError(f"{HELMFILE} is not plain YAML: {reason(error)}", "render the directory again") from error
    except msgspec.ValidationError as error:
        what = re.sub(r" matching regex '.*'", " of another form", str(error))
        says = f"{HELMFILE} is not what a render writes, and helmfile may run it: {what}"
        raise VerifyError(says, _FIX) from error


def state_text(state: State) -> str:
    """The text of a helmfile.yaml with this state."""
    return dump(msgspec.to_builtins(state))


_FIX = "remove it, or run helmfile by hand where you trust the directory"
