"""A spec that extends another: the chain of its bases, and all of them merged. Maps merge, everything else replaces,
null deletes, and each value keeps its place.

Each file has to be a spec of this version and kind and say so, and the spec to have a name of its own. Everything else
is asked of the merged document, whose every value knows the file that it comes from.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

from llmdgen.findings import Finding, Located, Route, SpecError, dotted
from llmdgen.spec.document import Parsed
from llmdgen.spec.model import API_VERSION, KIND
from llmdgen.spec.names import LONGEST_NAME
from llmdgen.spec.places import described, error, quoted
from llmdgen.spec.read import ENDINGS, MAY_BE_A_BASE, TOP_KEYS, documents, foreign, like, text_of, without_secrets
from llmdgen.untyped import at

MOST_BASES = 8
KEY = "extends"
NAME: Route = ("metadata", "name")
_RELATIVE = "write the path from this file to the base, such as ../bases/gpt-oss.yaml"


def extended(spec: Parsed) -> tuple[Parsed | None, list[Located]]:
    """A spec over its bases, None where one of them cannot be used; and what is wrong on the way there. The spec has to
    be a mapping, and of this version and kind as far as it says."""
    layers, tree = [spec], Tree(spec.path)
    findings = [*_unsaid(spec)]
    nameless = at(spec.data, *NAME) is None
    while KEY in layers[-1].data:
        base = _base(layers, tree, findings)
        if base is None:
            return None, findings + [_nameless(layers)] * nameless
        findings += _unsaid(base)
        layers.append(base)
    merged = layers[-1]
    for layer in reversed(layers[:-1]):
        merged, idle = merge(merged, layer)
        findings += [layer.located(each) for each in idle if each.at != NAME]
    # A key in one file and a value in another may be a secret together.
    hidden, merged = without_secrets(merged)
    del merged.data[KEY]
    if nameless:
        findings.append(_nameless(layers))
        metadata = merged.data.get("metadata", {})
        if isinstance(metadata, dict):
            merged.data["metadata"] = {"name": "unnamed", **metadata}  # said once is enough
    return merged, findings + hidden


def _base(layers: list[Parsed], tree: Tree, findings: list[Located]) -> Parsed | None:
    """What the last of the layers extends, None where it cannot be used; what is wrong with it is added."""
    by = layers[-1]
    try:
        path = tree.base(by.data[KEY], by.path)
        _refuse_circle([layer.path for layer in layers], path)
        reading = documents(text_of(path), path)
    except Unusable as unusable:
        findings.append(by.located(unusable.finding))
        return None
    except SpecError as unread:
        findings += unread.findings
        return None
    findings += reading.findings
    if len(reading.documents) > 1:
        says = f"{quoted(by.data[KEY])} holds {len(reading.documents)} documents, a base is one"
        findings.append(by.located(error("SPEC024", says, "give each a file of its own", (KEY,))))
    if len(reading.documents) != 1:
        return None
    (base,) = reading.documents
    stranger = foreign(base.data)
    if stranger:
        findings.append(base.located(stranger))
        return None
    return base


def _refuse_circle(paths: list[str], path: str) -> None:
    """Raises Unusable where a path is one of those above it already, or where those are too many."""
    real, own = [os.path.realpath(each) for each in paths], os.path.realpath(path)
    if own in real:
        circle = [*paths[real.index(own) :], path]
        says = f"the files extend each other: {' -> '.join(quoted(each, bare=True) for each in circle)}"
        if len(circle) == 2:
            says = "the file extends itself"
        raise Unusable("SPEC025", says, "let one of them stand without the others")
    if len(paths) > MOST_BASES:
        says = f"{quoted(paths[0], bare=True)} has more than {MOST_BASES} bases, one on top of the other"
        raise Unusable("SPEC025", says, "merge some of them into one")


def _unsaid(layer: Parsed) -> Iterator[Located]:
    """A file of the chain says by itself what it is, so that nobody has to open another to know."""
    from llmdgen.spec.shape import means

    for key, value in (("apiVersion", API_VERSION), ("kind", KIND)):
        is_misspelt = key not in layer.data and any(means(each, key, TOP_KEYS) for each in layer.data)
        if layer.data.get(key) is None and not is_misspelt:
            yield layer.located(error("SPEC006", f"{key} is missing", f"add {key}: {value}", (key,), on_key=True))


def _nameless(layers: list[Parsed]) -> Located:
    """A name is never that of a base: two specs of one name would be rendered into one directory."""
    base = next((name for name in (at(layer.data, *NAME) for layer in layers[1:]) if isinstance(name, str)), "")
    stem = os.path.splitext(os.path.basename(layers[0].path))[0]
    proposal = re.sub(r"[^a-z0-9]+", "-", f"{base}-{stem}".lower())[:LONGEST_NAME].strip("-")
    says = "metadata.name is missing" + (f", and {quoted(base)} is the name of its base" if base else "")
    fix = f"add metadata: {{name: {proposal or 'gpt-oss-production'}}}{MAY_BE_A_BASE}"
    return layers[0].located(error("SPEC026", says, fix, NAME))


def merge(base: Parsed, over: Parsed) -> tuple[Parsed, list[Finding]]:
    """The mapping `over` on top of the mapping `base`, and a finding for each null in it that deletes nothing. Keys
    come in the order of the base, then those that it lacks; a mapping that both have stands where `over` has it.
    Neither document is changed, and lists may be shared with them."""
    replaced: set[Route] = set()  # values of the base that are there no more
    deleted: set[Route] = set()
    idle: list[Finding] = []

    def mapping(below: dict[str, Any], above: dict[str, Any], at: Route) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for key in below | above:
            route, value = (*at, key), above.get(key)
            if key not in above:
                merged[key] = below[key]
            # A null in a damaged place stands for a value that could not be read, and deletes nothing.
            elif value is None and route not in over.damaged and not _takes_null(route, key in below):
                deleted.add(route)
                replaced.add(route)
                if key not in below:
                    idle.append(_idle(route, below))
            elif isinstance(value, dict):
                inner = below.get(key)
                if not isinstance(inner, dict):
                    replaced.add(route)
                merged[key] = mapping(inner if isinstance(inner, dict) else {}, value, route)
            else:
                replaced.add(route)
                merged[key] = value
        return merged

    data = mapping(base.data, over.data, ())
    of_base = {
        at: place
        for at, place in base.places.items()
        if replaced.isdisjoint(at[:length] for length in range(len(at) + 1))
    }
    of_over = {at: place for at, place in over.places.items() if at not in deleted}
    return Parsed(over.path, data, of_base | of_over, base.damaged | over.damaged), idle


def _takes_null(route: Route, is_in_base: bool) -> bool:
    """Whether null stays, having a meaning to its reader. Inside `pod` it deletes from the pod that llmdgen makes, in
    every file alike; under `args` and `values` it stays where the base has no such key. Elsewhere it is idle there, and
    probably a key misspelt."""
    if len(route) > 3 and route[2] == "pod":
        return True
    return not is_in_base and (route[:2] == ("spec", "values") or route[2:3] == ("args",))


def _idle(at: Route, known: Iterable[str]) -> Finding:
    """A null that deletes nothing; `known` are the keys that the base has beside it."""
    from llmdgen.suggest import did_you_mean

    says = f"null deletes a key of the base, and the base has no {quoted(dotted(at), bare=True)}"
    fix = did_you_mean(str(at[-1]), known, listed_up_to=0) or "delete the line"
    return error("SPEC027", says, fix, at, on_key=True)


class Unusable(Exception):
    """A path that leads to no base; `finding` says why."""

    def __init__(self, code: str, says: str, fix: str, on_key: bool = False) -> None:
        super().__init__(says)
        self.finding = error(code, says, fix, (KEY,), on_key)


class Tree:
    """The files that a spec may extend: those of its repository, or without one, of its own directory."""

    def __init__(self, spec: str) -> None:
        folders = [os.path.realpath(os.path.dirname(spec) or ".")]
        while (above := os.path.dirname(folders[-1])) != folders[-1]:
            folders.append(above)
        repository = next((each for each in folders if os.path.lexists(os.path.join(each, ".git"))), None)
        self.is_repository, self.root = repository is not None, repository or folders[0]

    def base(self, said: Any, by: str) -> str:
        """The file that `by` says it extends, named as `by` itself is. Raises Unusable."""
        _refuse_form(said)
        path = os.path.join(os.path.dirname(by), said)
        real = os.path.realpath(path)
        if not self.holds(real):
            where, fix = "the repository", "put the base into the repository of the spec"
            if not self.is_repository:
                where = "the spec's directory, and no directory above that is a git repository"
                fix = "put the base beside the spec or below it, or both into a git repository"
            raise Unusable("SPEC023", f"{quoted(said)} is outside of {where}", fix)
        if os.path.isdir(real):
            raise Unusable("SPEC024", f"{quoted(said)} is a directory", "name the file in it")
        if not os.path.lexists(real):
            raise Unusable("SPEC024", f"there is no file {quoted(said)}", self._meant(said, by, path))
        if not os.path.isfile(real):
            raise Unusable("SPEC024", f"{quoted(said)} is not a regular file", "put a file there")
        # A short name, unless .. behind a symbolic link makes it another file.
        short = os.path.normpath(path)
        return short if os.path.realpath(short) == real else path

    def holds(self, path: str) -> bool:
        """Whether a file is one of them, links followed."""
        return os.path.realpath(path).startswith(self.root.rstrip(os.sep) + os.sep)

    def _meant(self, said: str, by: str, path: str) -> str:
        """The fix of a path that leads nowhere: a file of a similar name, or the same path from the repository."""
        folder, _ = os.path.split(said)
        from_root = os.path.realpath(os.path.join(self.root, said))
        if self.holds(from_root) and os.path.isfile(from_root):
            own = os.path.realpath(os.path.dirname(by) or ".")
            return f"did you mean {quoted(os.path.relpath(from_root, own), bare=True)}? It starts from this file"
        close = like(path, other_than=os.path.basename(by))
        if close:
            return f"did you mean {quoted(os.path.join(folder, close), bare=True)}?"
        return "check the path, which starts from this file"


def _refuse_form(said: Any) -> None:
    if said is None:
        raise Unusable(
            "SPEC019", f"{KEY} has no value", "name the base after the colon, or delete the key", on_key=True
        )
    if said == "":
        raise Unusable("SPEC008", f"{KEY} is empty", "name the base, or delete the key")
    if not isinstance(said, str):
        fix = "name one file; a base may extend a further one" if isinstance(said, list) else "name one file"
        raise Unusable("SPEC007", f"{KEY} must be the path of one base, not {described(said)}", fix)
    if "://" in said:
        raise Unusable("SPEC023", f"{quoted(said)} is a URL, and nothing is read from the network", _RELATIVE)
    if "\\" in said:
        raise Unusable("SPEC023", f"{quoted(said)} holds a backslash", "write / between directories")
    if said.startswith(("/", "~")) or re.match(r"[A-Za-z]:", said):
        raise Unusable("SPEC023", f"{quoted(said)} is not relative to this file", _RELATIVE)
    if said.endswith("/") or said.split("/")[-1] in (".", ".."):
        raise Unusable("SPEC024", f"{quoted(said)} is a directory", "name the file in it")
    if not said.endswith(ENDINGS):
        raise Unusable("SPEC024", f"{quoted(said)} is not the name of a YAML file", "name a file that ends in .yaml")
