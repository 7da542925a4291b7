"""The table of regions is what scripts/regions.py makes of a wheel of cfn-lint."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from llmdgen.facts import catalogue
from scripts.regions import FILE, RESOURCES, table

TABLE = catalogue.table("regions.toml")


def wheel(folder: Path, offered: dict[str, dict[str, list[str]]]) -> Path:
    """A wheel that holds of each resource which types its regions have."""
    made = folder / "cfn_lint-9.9.9-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as opened:
        for prefix, resource in RESOURCES.items():
            rows = {region: {"enum": names} for region, names in offered[prefix].items()}
            info = zipfile.ZipInfo(FILE.format(resource), (2027, 1, 2, 3, 4, 6))
            opened.writestr(info, json.dumps({"description": "updated by a script", **rows}))
    return made


def test_a_region_stands_where_the_wheel_has_the_type(tmp_path: Path) -> None:
    ec2 = {"us-west-2": ["p5.48xlarge", "c5.large"], "eu-west-1": ["p5.48xlarge"], "all": []}
    text = table(wheel(tmp_path, {"": ec2, "ml.": {"us-east-1": ["ml.p5.48xlarge"]}}))
    assert 'date = "2027-01-02"' in text
    assert "cfn-lint 9.9.9" in text
    assert text.partition("[offered]\n")[2].splitlines() == [
        '"p5.48xlarge" = ["eu-west-1", "us-west-2"]',
        '"ml.p5.48xlarge" = ["us-east-1"]',
    ]


def test_a_wheel_without_the_files_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "cfn_lint-9.9.9-py3-none-any.whl"
    zipfile.ZipFile(empty, "w").close()
    with pytest.raises(KeyError):
        table(empty)


def test_every_region_of_the_table_is_one_of_aws() -> None:
    regions = {region for offered in TABLE["offered"].values() for region in offered}
    assert regions <= set(catalogue.table("platforms.toml")["regions"]["names"])
