"""A spec file's text, upgraded document by document. Nothing is read or written here but the bases of the specs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct

from llmdgen.facts.upgrades import moves, steps
from llmdgen.findings import Located, Route
from llmdgen.spec.load import parse
from llmdgen.spec.model import Spec
from llmdgen.upgrade.decide import cases, in_words, set_release, take_step
from llmdgen.upgrade.edits import Editor
from llmdgen.upgrade.notes import drop_weights, own_images
from llmdgen.upgrade.rules import IN_A_BASE, NO_WAY, noted

_BYTE_ORDER_MARK = "\ufeff"
_RELEASE: Route = ("spec", "release")


class Document(Struct, frozen=True):
    """A document as it was, what is said of its upgrade, and where values stood that stand elsewhere in the new one."""

    spec: Spec
    findings: tuple[Located, ...] = ()
    moved: dict[Route, Route] = {}


class Upgraded(Struct, frozen=True, kw_only=True):
    """A file before and after. `findings` are about the file as it was; where one is an error, `new` is no use.

    `since` are the releases that its documents came from, those apart that were there already.
    """

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
    parts = _documents(text.removeprefix(mark))
    line_break = next((each for each in ("\r\n", "\n", "\r") if each in text), "\n")
    texts = [part for part, _ in parts]
    numbers = [number for number, (_, is_spec) in enumerate(parts) if is_spec]
    documents = []
    for spec, number in zip(specs, numbers, strict=True):
        if spec.asked.release == release:
            documents.append(Document(spec))
            continue
        editor = Editor(texts[number], line_break)
        documents.append(Document(spec, tuple(_document(editor, spec, release)), editor.moved))
        texts[number] = editor.text
    since = tuple(dict.fromkeys(spec.asked.release for spec in specs if spec.asked.release != release))
    return Upgraded(path=path, old=text, new=mark + "".join(texts), since=since, documents=tuple(documents))


def _document(editor: Editor, spec: Spec, release: str) -> Iterator[Located]:
    """Upgrade one document; what is to say about it."""
    current = spec.asked.release
    way, place = steps(current, release), spec.locate(_RELEASE)
    if way is None:
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
    for each in way:
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


def _documents(text: str) -> list[tuple[str, bool]]:
    """The text cut where documents start, and of each part whether it holds one; joined they are the text."""
    from ruamel.yaml import YAML

    from llmdgen.spec.document import read

    starts = [
        int(event.start_mark.index)
        for event in YAML(typ="safe", pure=True).parse(text)
        if type(event).__name__ == "DocumentStartEvent"
    ]
    cuts = [0, *starts[1:], len(text)]
    parts = [text[start:end] for start, end in pairwise(cuts)]
    if len(parts) == 1:
        return [(text, True)]
    return [(part, bool(read(part, "").documents)) for part in parts]
