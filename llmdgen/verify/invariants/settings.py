"""Values files: every path in them is one that the router's chart reads."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.checks._value_paths import dotted as spelled
from llmdgen.checks._value_paths import is_below, read_paths, unread
from llmdgen.facts.catalogue import release_toml
from llmdgen.plain_yaml import YAMLError
from llmdgen.registry import Draft, found, rule
from llmdgen.suggest import did_you_mean
from llmdgen.verify.rendered import Rendered


@rule("VER077", "error", "a value that no template of the chart reads")
def values_are_read(rendered: Rendered) -> Iterator[Draft]:
    """Helm takes any value and says nothing of those that no template uses: a mistyped path changes nothing, and the
    chart's default holds. The paths that the router's chart reads are data of the release.

    Fails:  inferenceExtension.monitoring.prometheus.enable in values/router.yaml.
    Passes: inferenceExtension.monitoring.prometheus.enabled.
    """
    chart = rendered.release.charts["router"].name
    tree = read_paths(rendered.release.name, "router")
    advice = release_toml(rendered.release.name, "values.toml")["advice"].get("router", {})
    for release in rendered.releases:
        for file in release.values if release.chart_name == chart else ():
            try:
                values = rendered.document(file)
            except YAMLError:
                continue
            for each in unread(values or {}, tree):
                path = spelled(each.route)
                known = next((fix for top, fix in advice.items() if is_below(path, top)), None)
                fix = known or did_you_mean(str(each.route[-1]), each.known) or "remove it"
                yield found(*each.route, says=f"the {chart} chart does not read {path}", fix=fix, of=file)
