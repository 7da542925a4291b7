"""prerequisites.toml: what it names is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdgen import resources
from llmdgen.facts import catalogue
from llmdgen.prerequisites.facts import Prerequisites, prerequisites

TEMPLATES = Path(resources.TEMPLATES)

PLATFORMS = ("eks", "hyperpod")


@pytest.fixture(params=catalogue.release_names())
def known(request: pytest.FixtureRequest) -> Prerequisites:
    return prerequisites(catalogue.release(request.param))


def test_every_release_has_a_pin_with_repository_version_and_namespace(known: Prerequisites) -> None:
    for release in known.releases:
        pin = known.pins[release.pin]
        assert pin["version"]
        assert pin["namespace"]
        assert pin["repository"].startswith("oci://") == (release.alias is None)


def test_every_values_template_is_there(known: Prerequisites) -> None:
    wanted = {release.values for release in known.releases if release.values is not None}
    assert {path.name.removesuffix(".j2") for path in (TEMPLATES / "prerequisites" / "values").iterdir()} == wanted


def test_a_release_comes_after_those_it_waits_for(known: Prerequisites) -> None:
    names = [release.name for release in known.releases]
    for place, release in enumerate(known.releases):
        assert set(release.after) <= set(names[:place])


def test_every_switch_has_a_default_on_every_platform_and_a_source(known: Prerequisites) -> None:
    for release in known.releases:
        if release.switch is not None:
            assert all(isinstance(known.switches[release.switch][platform], bool) for platform in PLATFORMS)
            assert known.switches[release.switch]["source"]
