"""What a chart's values.schema.json decides, without its words: `chart_schema.py CHART > values-<chart>.schema.json`.

Descriptions, titles and defaults are left out, and empty lists of required keys. llmdgen/checks/_chart_schema.py reads
the rest; the file of a release is made anew from the chart that release.toml pins.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

KEPT = (
    "additionalProperties",
    "anyOf",
    "enum",
    "items",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "type",
)


def decisive(schema: Any) -> Any:
    """The schema with nothing in it but what accepts or refuses a value."""
    if isinstance(schema, list):
        return [decisive(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: schema[key] for key in KEPT if key in schema and schema[key] != []}
    if "properties" in kept:
        kept["properties"] = {name: decisive(each) for name, each in kept["properties"].items()}
    for key in ("additionalProperties", "items", "anyOf", "oneOf"):
        if key in kept:
            kept[key] = decisive(kept[key])
    return kept


def source(chart: Path) -> str:
    """Which chart this is, in words."""
    text = (chart / "Chart.yaml").read_text("utf-8")
    name, version = (re.findall(rf"^{key}: *\"?([^\"\s]+)", text, re.MULTILINE)[0] for key in ("name", "version"))
    return f"values.schema.json of the chart {name} {version}, by scripts/chart_schema.py"


if __name__ == "__main__":
    chart = Path(sys.argv[1])
    schema = json.loads((chart / "values.schema.json").read_text("utf-8"))
    print(json.dumps({"$comment": source(chart), **decisive(schema)}, separators=(",", ":")))
