"""What of a helmfile.yaml `verify` lets helmfile see: plain data, and nothing that runs a program.

helmfile executes hooks, post-renderers and, in its own templates, any command (`{{ exec }}`), for `template` as for
`apply`. `verify` also runs on directories of a stranger's pull request, so that whatever a render does not write is
refused before helmfile reads it. The lists hold what a render writes, and what somebody may add who deploys otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from llmdgen.untyped import items, mapping
from llmdgen.verify.tools import VerifyError

_HOW_HELM_WAITS = ("atomic", "cleanupOnFail", "createNamespace", "force", "timeout", "wait", "waitForJobs")
_TOP = ("helmDefaults", "releases", "repositories")
_REPOSITORY = ("name", "oci", "url")
_DEFAULTS = (*_HOW_HELM_WAITS, "historyMax", "skipDeps")
_RELEASE = (
    *_HOW_HELM_WAITS,
    "chart",
    "disableValidation",
    "disableValidationOnInstall",
    "installed",
    "labels",
    "name",
    "namespace",
    "needs",
    "values",
    "version",
)
_TEMPLATE = ".gotmpl"
_FIX = "remove it, or run helmfile by hand where you trust the directory"


def refuse_programs(text: str, state: dict[str, Any], file: str) -> None:
    """Raises VerifyError where helmfile could do more with that text than render charts; `state` is what it holds."""
    if "{{" in text:
        raise VerifyError(f"{file} holds {{{{, which helmfile executes", _FIX)
    _only(_TOP, state, file)
    _only(_DEFAULTS, mapping(state.get("helmDefaults")), f"helmDefaults of {file}")
    for each in map(mapping, items(state.get("repositories"))):
        _only(_REPOSITORY, each, f"repository {each.get('name')} of {file}")
    for each in map(mapping, items(state.get("releases"))):
        _only(_RELEASE, each, f"release {each.get('name')} of {file}")
        for name in items(each.get("values")):
            if isinstance(name, str) and name.endswith(_TEMPLATE):
                raise VerifyError(f"{name} is a template, which helmfile executes", _FIX)


def _only(known: Iterable[str], there: dict[str, Any], what: str) -> None:
    for key in there:
        if key not in known:
            raise VerifyError(f"{what} has {key}, which no render writes and helmfile may run", _FIX)
