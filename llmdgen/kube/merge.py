"""A part of a PodSpec merged into a PodSpec, as Kubernetes itself merges a strategic merge patch.

Maps merge, null deletes a key. Lists that have a merge key merge by it (containers and env by name, ports by
containerPort, volumeMounts by mountPath), all others are replaced. Three directives steer that: `$patch: replace` and
`$patch: delete` in a map or as an item of a list, and `$retainKeys`. As `kubectl apply` does, a volume or a resource
claim keeps only what the patch sets of it, so that it never has two sources.

One thing differs from Kubernetes: items of a list stay in the base's order, and new ones come last, where kubectl puts
them first. A variable may refer to those before it, and the first container is the one that logs are read from.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from llmdgen.findings import Route
from llmdgen.kube.typed import MAP, POD, ListMerge, item_type, kind_named
from llmdgen.untyped import mapping

PATCH = "$patch"
RETAIN = "$retainKeys"
DIRECTIVES = (PATCH, RETAIN)
_REPLACE = ListMerge("replace")

Origins = dict[Route, Route]


class Merged(Struct, frozen=True):
    """The result of a merge, and where in the patch it comes from.

    `origins` leads from the route of everything that the patch set or removed to its route in the patch. What lies
    below such a route is the patch's too, all else the base's. The value may share parts with base and patch.
    """

    value: dict[str, Any]
    origins: Origins


class BadPatch(ValueError):
    """A patch that Kubernetes would refuse: `route` leads to what is wrong in it, `fix` says what to write."""

    def __init__(self, route: Route, says: str, fix: str) -> None:
        super().__init__(says)
        self.route = route
        self.fix = fix


def merge(base: dict[str, Any], patch: dict[str, Any], kind: str = POD) -> Merged:
    """The patch on top of the base, both of that type of Kubernetes. Raises BadPatch."""
    origins: Origins = {}
    value = _Merge(origins).maps(base, patch, kind, (), ())
    return Merged(value, origins)


class _Merge(Struct, frozen=True):
    """A merge under way. Everywhere `at` is a route in the result and `told` the one in the patch."""

    origins: Origins

    def maps(self, base: Any, patch: dict[str, Any], kind: str, at: Route, told: Route) -> dict[str, Any]:
        if not isinstance(base, dict) or PATCH in patch:
            self.origins[at] = told
        match patch.get(PATCH):
            case "delete":
                return {}
            case "replace":
                base = {}
            case directive if directive is not None:
                raise BadPatch((*told, PATCH), f"{directive} is not replace or delete", "write one of them")
        merged: dict[str, Any] = dict(base) if isinstance(base, dict) else {}
        if RETAIN in patch:
            retained = _retained(patch, told)
            merged = {key: value for key, value in merged.items() if key in retained}
        for key, value in patch.items():
            route, source = (*at, key), (*told, key)
            if key in DIRECTIVES:
                continue
            if key.startswith("$"):
                raise BadPatch(source, f"there is no directive {key} here", "use null, $patch or $retainKeys")
            if value is None or (key not in merged and mapping(value).get(PATCH) == "delete"):
                merged.pop(key, None)
                self.origins[route] = source
            else:
                merged[key] = self.value(merged.get(key), value, kind, route, source)
        return merged

    def value(self, base: Any, patch: Any, parent: str, at: Route, told: Route) -> Any:
        """The merged value of the last key of `at`; `parent` is the type of the map that holds it."""
        key, described = str(at[-1]), kind_named(parent)
        kind = item_type(parent) if parent.startswith(MAP) else described.fields.get(key, "") if described else ""
        if isinstance(patch, dict):
            return self.maps(base, patch, kind, at, told)
        if isinstance(patch, list):
            how = described.merge.get(key, _REPLACE) if described else _REPLACE
            return self.lists(base, patch, (item_type(kind), how), at, told)
        self.origins[at] = told
        return patch

    def lists(self, base: Any, patch: list[Any], items: tuple[str, ListMerge], at: Route, told: Route) -> list[Any]:
        """The merged list; `items` are the type of its items and how they are merged."""
        kind, how = items
        asked = [_directive(each, (*told, index)) for index, each in enumerate(patch)]
        replaces = how is _REPLACE or "replace" in asked or not isinstance(base, list)
        if replaces:
            self.origins[at] = told
        gone = [_key_of(each, how, (*told, index)) for index, each in enumerate(patch) if asked[index] == "delete"]
        merged = [] if replaces else [each for each in base if not gone or mapping(each).get(str(how.key)) not in gone]
        for index, each in enumerate(patch):
            if asked[index] is not None:
                continue
            place = len(merged) if how is _REPLACE else _place(merged, each, how, (*told, index))
            own = merged[place] if place < len(merged) else None
            if isinstance(each, dict):
                kept = _source_kept(own, each) if how.retains_keys and isinstance(own, dict) else own
                new: Any = self.maps(kept, each, kind, (*at, place), (*told, index))
            else:
                self.origins[(*at, place)] = (*told, index)
                new = each
            merged[place : place + 1] = [new]
        return merged


def _place(items: list[Any], patch: Any, how: ListMerge, told: Route) -> int:
    """The index of the item that the patch is about, that behind the last for a new one."""
    if how.key is None:
        return items.index(patch) if patch in items else len(items)
    wanted = _key_of(patch, how, told)
    return next((at for at, each in enumerate(items) if mapping(each).get(str(how.key)) == wanted), len(items))


def _source_kept(base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """The item without what the patch does not set, unless the patch only names it or deletes of it."""
    sets = {key for key, value in patch.items() if value is not None}
    return {key: value for key, value in base.items() if key in sets} if len(sets) > 1 and RETAIN not in sets else base


def _directive(item: Any, told: Route) -> str | None:
    """What an item asks of its whole list: to delete the item of its key, or to replace the list by the others."""
    directive = mapping(item).get(PATCH)
    if directive not in (None, "delete", "replace"):
        raise BadPatch((*told, PATCH), f"{directive} is not replace or delete", "write one of them")
    if directive == "replace" and len(item) > 1:
        says = "$patch: replace in an item replaces the whole list by the other items, and this one is lost"
        raise BadPatch(told, says, "write it as an item that has nothing else")
    return directive


def _key_of(item: Any, how: ListMerge, told: Route) -> Any:
    key = mapping(item).get(str(how.key))
    if key is None:
        if how.key is None:
            raise BadPatch(told, "the list is not merged, and no item of it can be deleted", "write the whole list")
        raise BadPatch(told, f"the item has no {how.key}, by which the list is merged", f"add {how.key}")
    return key


def _retained(patch: dict[str, Any], told: Route) -> set[Any]:
    """The keys that $retainKeys names; those that the patch sets have to be among them."""
    names = patch[RETAIN]
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise BadPatch((*told, RETAIN), f"{RETAIN} is not a list of keys", "write [key, ...]")
    for key, value in patch.items():
        if value is not None and key not in names and key not in DIRECTIVES:
            raise BadPatch((*told, key), f"{key} is set, and {RETAIN} does not name it", f"add {key} to it")
    return set(names)
