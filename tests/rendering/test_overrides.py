"""A spec's own values over those that llmdgen wrote."""

from __future__ import annotations

import yaml
from llmdgen.rendering.overrides import merged

TEXT = """# A comment that stays.
gateway:
  service:
    type: ClusterIP # and one at the end of a line
  list:
    - a
    - b
"""


def test_no_override_changes_nothing() -> None:
    assert merged(TEXT, {}) == TEXT


def test_maps_merge_lists_are_replaced_and_null_removes() -> None:
    found = merged(TEXT, {"gateway": {"service": {"type": "LoadBalancer", "port": 8080}, "list": None}, "new": ["x"]})
    assert yaml.safe_load(found) == {"gateway": {"service": {"type": "LoadBalancer", "port": 8080}}, "new": ["x"]}


def test_comments_stay() -> None:
    found = merged(TEXT, {"gateway": {"service": {"port": 80}}})
    assert "# A comment that stays." in found
    assert "# and one at the end of a line" in found


def test_strings_stay_strings_to_every_yaml() -> None:
    awkward = ["no", "1e3", "0x10", "12:30", "{{ x }}", "~", "a: b", "", "1_000"]
    assert yaml.safe_load(merged(TEXT, {"new": awkward}))["new"] == awkward
    assert yaml.safe_load(merged(TEXT, {"new": {each: each for each in awkward}}))["new"] == {
        each: each for each in awkward
    }


def test_whole_numbers_stay_whole() -> None:
    assert "1000000\n" in merged(TEXT, {"new": 1000000})
