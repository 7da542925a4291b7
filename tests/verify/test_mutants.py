"""A program edits rendered trees, one leaf at a time, and the rules see it; no lock helps them here.

`python -m tests.verify.test_mutants` tries every edit and prints which share is caught, and what is not.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from msgspec import Struct, structs

from llmdgen.plain_yaml import load
from llmdgen.verify import schemas
from llmdgen.yaml_text import dump
from tests.verify.conftest import CASES, Good, crds_of

ALLOCATION = "allocation.yaml"
SEED, SAMPLE, LEAST = 19, 120, 0.9
# Edits after which the cluster does the same: defaults of Kubernetes and Helm written out, names and notes for people.
SAME = re.compile(
    r"(protocol|imagePullPolicy|strategy\.type|metadata\.namespace|weight|emptyDir) delete$"
    r"|parentRefs\.\d+\.(kind|group) delete$"
    r"|(from|allowedRoutes|namespaces|matches(\.\d+(\.path(\.(value|type))?)?)?|replicas) delete$"
    r"|timeouts(\.\w+)? delete$|metadata\.name set$|weight set$|\.name set$"
    r"|llm-d\.ai/(guide|accelerator-variant)|efaFrom|requests\.(cpu|memory) delete$"
)


class Edit(Struct, frozen=True):
    """A leaf of a document and what it becomes; None: it goes."""

    of: str
    path: tuple[str | int, ...]
    new: Any = None

    def __str__(self) -> str:
        return f"{self.of} {'.'.join(map(str, self.path))} {'delete' if self.new is None else 'set'}"


def edits(of: str, value: Any, path: tuple[str | int, ...] = ()) -> Iterator[Edit]:
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield Edit(of, (*path, key))
        yield from edits(of, each, (*path, key))
    if not isinstance(value, dict | list):
        yield Edit(of, path, other(value))


def other(value: Any) -> Any:
    """Another value of the kind: twice a number, another word, another registry."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return not value
    if not isinstance(value, str):
        return value * 2 or 1
    name, equals, text = value.partition("=") if value.startswith("--") else ("", "", value)
    if number := re.fullmatch(r"([1-9]\d*)(.*)", text):
        return f"{name}{equals}{int(number[1]) * 2}{number[2]}"
    return f"example.com/{value}" if re.fullmatch(r"[a-z][a-z.]+/\S+:\S+", value) else f"{value}x"


def all_edits(good: Good) -> list[Edit]:
    found = [each for each in edits(ALLOCATION, load(good.files[ALLOCATION])) if each.path]
    for manifest in good.manifests:
        if manifest.order == 2:  # what stands in chart/templates; the others follow from values/router.yaml
            found += edits(str(manifest), manifest.doc)
    return [each for each in found if not SAME.search(str(each))]


def is_caught(good: Good, edit: Edit) -> bool:
    document = load(good.files[ALLOCATION]) if edit.of == ALLOCATION else None
    edited = next((each for each in good.manifests if str(each) == edit.of), None)
    document = deepcopy(edited.doc) if edited else document
    place = document
    for key in edit.path[:-1]:
        place = place[key]
    if edit.new is None:
        del place[edit.path[-1]]
    else:
        place[edit.path[-1]] = edit.new
    if edited is None:
        return bool(good.judge(good.manifests, {ALLOCATION: dump(document)}, is_sealed=False))
    metadata = document.get("metadata") or {}
    kind, version, name = document.get("kind"), document.get("apiVersion"), metadata.get("name")
    if not all(isinstance(each, str) and each for each in (kind, version, name)):
        return True  # VER002
    namespace = metadata.get("namespace") or edited.namespace
    made = structs.replace(edited, doc=document, kind=kind, api_version=version, name=name, namespace=namespace)
    others = tuple(made if each is edited else each for each in good.manifests)
    wrong = [each for each in schemas.check([made], crds_of(good.plan.release.name)) if each.code != "VER007"]
    return bool(wrong or good.judge(others, None, is_sealed=False))


@pytest.mark.parametrize("case", CASES)
def test_the_tree_as_it_is_has_nothing_to_be_caught(case: str) -> None:
    good = Good(case)
    assert good.judge(good.manifests, None, is_sealed=False) == []


@pytest.mark.parametrize("case", CASES)
def test_most_edits_that_change_what_runs_are_caught(case: str) -> None:
    pytest.importorskip("kubernetes_validate")
    good = Good(case)
    tried = random.Random(SEED).sample(all_edits(good), SAMPLE)
    missed = [str(each) for each in tried if not is_caught(good, each)]
    assert 1 - len(missed) / len(tried) >= LEAST, missed


if __name__ == "__main__":
    for each in CASES:
        tree = Good(each)
        everything = all_edits(tree)
        unseen = [edit for edit in everything if not is_caught(tree, edit)]
        print(f"{each}: {1 - len(unseen) / len(everything):.1%} of {len(everything)} edits are caught")
        print("".join(f"  {edit} {edit.new!r}\n" for edit in unseen), end="")
