"""Which regions offer which instance type, as llmdgen/facts/data/regions.toml: `python scripts/regions.py [WHEEL]`.

The table comes from the package cfn-lint, which reads AWS's price lists twice a day: a region stands there where it has
an on-demand price for the type. Without WHEEL pip downloads the newest one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from llmdgen.facts import catalogue

TABLE = Path(__file__).resolve().parent.parent / "llmdgen" / "facts" / "data" / "regions.toml"
DOWNLOAD = ("-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps", "--only-binary=:all:")
FILE = "cfnlint/data/schemas/extensions/{}/instancetype_enum.json"
RESOURCES = {"": "aws_ec2_instance", catalogue.HYPERPOD_PREFIX: "aws_sagemaker_cluster"}
HEAD = """\
# By scripts/regions.py: the regions that have an on-demand price for an instance type; ml. types are HyperPod's.
# A type without a line has no such price anywhere. Capacity Blocks and reservations are sold in other regions too.
date = "{date}"
sources = ["cfn-lint {version}: {files}, made from AWS's price lists"]

[offered]
"""


def table(wheel: Path) -> str:
    """The table that a wheel of cfn-lint gives. Raises KeyError where the wheel lacks a file that is read."""
    files = {prefix: FILE.format(resource) for prefix, resource in RESOURCES.items()}
    lines = []
    with zipfile.ZipFile(wheel) as opened:
        for prefix, file in files.items():
            read = json.loads(opened.read(file))
            offered = {region: each["enum"] for region, each in read.items() if isinstance(each, dict)}
            for name in catalogue.instance_names():
                regions = sorted(region for region, names in offered.items() if prefix + name in names)
                if regions:
                    lines.append(f'"{prefix}{name}" = {json.dumps(regions)}\n')
        date = "{:04}-{:02}-{:02}".format(*max(opened.getinfo(file).date_time for file in files.values())[:3])
    version = wheel.name.split("-")[1]
    return HEAD.format(date=date, version=version, files=" and ".join(files.values())) + "".join(lines)


def newest(folder: str) -> Path:
    """The newest wheel of cfn-lint, downloaded into a folder. Raises CalledProcessError where pip finds none."""
    subprocess.run([sys.executable, *DOWNLOAD, "--dest", folder, "cfn-lint"], check=True)
    (wheel,) = Path(folder).glob("cfn_lint-*.whl")
    return wheel


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        TABLE.write_text(table(Path(sys.argv[1]) if len(sys.argv) > 1 else newest(folder)), "utf-8")
