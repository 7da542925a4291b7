"""What Istio lays over the gateway's Deployment."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.checks.devices import wrong_amounts
from llmdgen.plain_yaml import YAMLError, load
from llmdgen.registry import Draft, found, rule
from llmdgen.untyped import at, maps
from llmdgen.verify.rendered import Rendered

_OVERLAY = "deployment"  # its key in Istio's ConfigMap


@rule("VER111", "error", "Istio cannot lay this over the gateway's Deployment")
def overlay_is_taken(rendered: Rendered) -> Iterator[Draft]:
    """The resources of the gateway's proxy come from a text in a ConfigMap that Istio lays over its Deployment. What is
    wrong in it, the API server refuses, and only Istio's log says so.

    Fails:  `cpus: "2"` under the limits in that text; a text that is not YAML.
    Passes: cpu and memory, requests up to the limits.
    """
    for manifest in rendered.of_kind("ConfigMap"):
        text = at(manifest.doc, "data", _OVERLAY)
        if not isinstance(text, str):
            continue
        try:
            spec = at(load(text), "spec", "template", "spec")
        except YAMLError:
            yield found("data", _OVERLAY, says="it is not YAML", fix="render again", of=manifest)
            continue
        for index, each in maps(at(spec, "containers")):
            place = ("data", _OVERLAY, "spec", "template", "spec", "containers", index, "resources")
            for path, says, fix in wrong_amounts(each.get("resources")):
                yield found(*place, *path, says=says, fix=fix, of=manifest)
