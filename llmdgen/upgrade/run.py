"""A spec file's text, upgraded document by document, and what that does: to the deployment, by the plans before and
after, and to whoever reads its findings. Nothing is read or written here but the bases of the specs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from msgspec import Struct

from llmdgen.api import judged, targets
from llmdgen.diff.fold import Difference, difference
from llmdgen.diff.sources import plans_side
from llmdgen.diff.yaml import DiffError
from llmdgen.facts.upgrades import moves, steps
from llmdgen.findings import Located, Route, SpecError, in_order
from llmdgen.planning.model import Plan
from llmdgen.spec.document import read
from llmdgen.spec.load import parse
from llmdgen.spec.model import Spec
from llmdgen.upgrade.decide import cases, changed_defaults, drop_weights, in_words, own_images, set_release, take_step
from llmdgen.upgrade.edits import Editor
from llmdgen.upgrade.replacement import Way, way
from llmdgen.upgrade.rules import BY_HAND, IN_A_BASE, NO_WAY, noted

_BYTE_ORDER_MARK = "\ufeff"
_RELEASE: Route = ("spec", "release")


class Document(Struct, frozen=True):
    """A document as it was, what is said of its upgrade, and where values stood that stand elsewhere in the new one."""

    spec: Spec
    findings: tuple[Located, ...]
    moved: dict[Route, Route]


class Upgraded(Struct, frozen=True, kw_only=True):
    """A file before and after. `findings` are about the file as it was; where one is an error, `new` is no use. `since`
    are the releases that its documents came from, those apart that were there already."""

    path: str
    old: str
    new: str
    since: tuple[str, ...]
    documents: tuple[Document, ...]

    @property
    def findings(self) -> tuple[Located, ...]:
        return tuple(found for each in self.documents for found in each.findings)

    @property
    def is_refused(self) -> bool:
        return any(each.is_error for each in self.findings)


def upgrade(text: str, path: str, release: str) -> Upgraded:
    """The text of a spec file, for that release. Raises SpecError where the file is not a spec as it is."""
    specs = parse(text, path)
    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    line_break = next((each for each in ("\r\n", "\n", "\r") if each in text), "\n")
    texts, documents, left = [mark], [], iter(specs)
    for part in _parts(text.removeprefix(mark)):
        if not read(part, "").documents:
            texts.append(part)
            continue
        spec, editor = next(left), Editor(part, line_break)
        said = () if spec.asked.release == release else tuple(_document(editor, spec, release))
        documents.append(Document(spec, said, editor.moved))
        texts.append(editor.text)
    since = tuple(dict.fromkeys(spec.asked.release for spec in specs if spec.asked.release != release))
    return Upgraded(path=path, old=text, new="".join(texts), since=since, documents=tuple(documents))


def _document(editor: Editor, spec: Spec, release: str) -> Iterator[Located]:
    """Upgrade one document; what is to say about it."""
    current = spec.asked.release
    releases, place = steps(current, release), spec.locate(_RELEASE)
    if releases is None:
        says = f"the spec is for {current}, which is later than {release}, and an upgrade does not go back"
        fix = f"take the spec out of version control as it was with {release}, or edit it and run llmdgen validate"
        yield noted(NO_WAY, spec, _RELEASE, says, fix)
        return
    if place.path != spec.path and not editor.has(_RELEASE) and _RELEASE in spec.places:
        says = f"spec.release is set in {place.path}, which {spec.path} extends"
        fix = (
            f"give this spec a release of its own, release: {current}, and upgrade again; or set release: {release} "
            "there and let llmdgen validate say what each spec that extends it needs"
        )
        yield noted(IN_A_BASE, spec, _RELEASE, says, fix)
        return
    for each in releases:
        step = moves(each)
        assert step is not None
        for case in cases(spec.said, step):
            place = spec.locate(case.route, True)
            if place.path != spec.path:
                says = f"{case.name} changes with {each}, and stands in {place.path}, which {spec.path} extends"
                fix = f"in {place.path}: {in_words(case)}; or set it in this spec"
                yield noted(IN_A_BASE, spec, case.route, says, fix, True)
        yield from take_step(editor, spec, each, step)
    yield from set_release(editor, spec, release)
    yield from drop_weights(editor, spec, release)
    yield from own_images(spec, release)


def _parts(text: str) -> list[str]:
    """The text cut where documents start; joined they are the text."""
    from ruamel.yaml import YAML

    events = YAML(typ="safe", pure=True).parse(text)
    starts = [int(each.start_mark.index) for each in events if type(each).__name__ == "DocumentStartEvent"]
    return [text[start:end] for start, end in pairwise([0, *starts[1:], len(text)])]


class Effect(Struct, frozen=True, kw_only=True):
    """What changes in the deployment, None where that cannot be said, the `ways` to deployments that are replaced, and
    every finding twice, in the order of its lines: at those of the old text and at those of the new one."""

    difference: Difference | None = None
    ways: tuple[Way, ...] = ()
    at_old: tuple[Located, ...] = ()
    at_new: tuple[Located, ...] = ()

    @property
    def is_wrong(self) -> bool:
        return any(each.is_error for each in self.at_old)


def effect(upgraded: Upgraded, release: str) -> Effect:
    """Plan and check the new text, and compare its plans with those of the old."""
    said = upgraded.findings
    if any(each.is_error and each.finding.code != BY_HAND.code for each in said):
        return Effect(at_old=said)
    try:
        specs = parse(upgraded.new, upgraded.path)
    except SpecError as error:
        return Effect(at_old=(*said, *error.findings))
    before: list[Plan] = []
    after: list[Plan] = []
    at_old: list[Located] = []
    at_new: list[Located] = []
    ways: list[Way] = []
    for document, new in zip(upgraded.documents, specs, strict=True):
        old, checked = document.spec, judged(new, targets(new))
        plans = judged(old, targets(old)).plans  # of a spec as it was, which may be wrong
        before += plans
        after += checked.plans
        if checked.plans and not upgraded.is_refused and (found_way := way(plans, new)):
            ways.append(found_way)
        # What is left to a person is in the new text too, and the checks find it there: it is said once.
        left = {each.finding.at for each in document.findings if each.is_error}
        found = [each for each in checked.findings if each.finding.at not in left]
        if old.asked.release != release:
            found += [each for plan in checked.plans for each in changed_defaults(plan, old.asked.release)]
        at_old += [*document.findings, *_moved(found, old, document.moved)]
        at_new += [*_moved(document.findings, new, {was: now for now, was in document.moved.items()}), *found]
    return Effect(
        difference=None if upgraded.is_refused else _difference(before, after, upgraded.path),
        ways=tuple(ways),
        at_old=in_order(at_old),
        at_new=in_order(at_new),
    )


def _moved(findings: Iterable[Located], spec: Spec, moved: dict[Route, Route]) -> Iterator[Located]:
    """Findings at the places of another text of the spec, in which some values stand elsewhere."""
    for finding in (each.finding for each in findings):
        at = finding.at
        begins = next((at[:depth] for depth in range(len(at), 0, -1) if at[:depth] in moved), ())
        yield Located(finding, spec.locate((*moved.get(begins, ()), *at[len(begins) :]), finding.on_key))


def _difference(before: list[Plan], after: list[Plan], path: str) -> Difference | None:
    """What differs on the targets of both sides; None where a text in the values cannot be read, as the checks say."""
    try:
        old, new = plans_side(before, path), plans_side(after, path)
        both = old.keys() & new.keys()
        return difference(*({key: files for key, files in side.items() if key in both} for side in (old, new)))
    except DiffError:
        return None
