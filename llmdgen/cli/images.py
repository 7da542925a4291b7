"""`llmdgen images`: every image and chart that a cluster pulls, for mirrors and scanners."""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote

import click
from msgspec import structs

from llmdgen.cli import options, status, work
from llmdgen.cli.terminal import print_json, say
from llmdgen.objects.pulled import Pulled, pulled
from llmdgen.planning.source import mirrored

REGISTRY = '"$REGISTRY"'  # where a spec names none


@click.command(epilog="Exit codes: 0 done, 1 an error, 64 wrong usage.")
@options.SPEC_FILES
@options.INSTANCE_TYPES
@options.form("text", "json", "copy", text="copy: commands that fill a registry, of images.registry or $REGISTRY.")
def command(specs: tuple[str, ...], instance_types: tuple[str, ...], form: str) -> int:
    """Name every image and chart that the clusters of the specs pull, each once.

    What values.router switches on in the router's chart is not among them.
    """
    plans = work.sound_plans(specs, instance_types)
    together = _together(each for plan in plans for each in pulled(plan))
    if form == "json":
        print_json(together)
    elif form == "copy":
        say("\n".join(map(_copy, together)))
    else:
        say("\n".join(each.reference for each in together))
    return status.OK


def _together(found: Iterable[Pulled]) -> list[Pulled]:
    """Each reference once, with all that use it, images before charts."""
    by_reference: dict[str, Pulled] = {}
    for each in found:
        known = by_reference.get(each.reference, each)
        users = tuple(dict.fromkeys((*known.used_by, *each.used_by)))
        by_reference[each.reference] = structs.replace(each, used_by=users)
    return sorted(by_reference.values(), key=lambda each: (each.kind == "chart", each.reference))


def _copy(each: Pulled) -> str:
    """The command that copies an image, with every architecture, or a chart; a comment where nothing can be copied."""
    if each.upstream is None:
        return f"# {each.reference} is the spec's own"
    if each.kind == "chart":
        address, _, version = each.upstream.rpartition(":")
        return f"helm pull {quote(address)} --version {quote(version)}"
    target = quote(each.reference) if each.reference != each.upstream else mirrored(each.upstream, REGISTRY)
    if each.withdrawn is not None:
        rebuilt = f": build {target} from {each.rebuild}" if each.rebuild else ""
        return f"# {each.withdrawn}{rebuilt}"
    return f"skopeo copy --all docker://{quote(each.upstream)} docker://{target}"
