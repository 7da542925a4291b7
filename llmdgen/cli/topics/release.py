"""llm-d releases: what each of them pins."""

from __future__ import annotations

from llmdgen.cli.topics.text import sections
from llmdgen.facts import catalogue


def names() -> list[str]:
    """Every release."""
    return list(catalogue.release_names())


def explain(topic: str) -> str | None:
    """Versions, charts and images of a release."""
    name = topic.lower() if topic.lower().startswith("v") else f"v{topic}"
    if name not in catalogue.release_names():
        return None
    found = catalogue.release(name)
    rows: dict[str, object] = {"date": found.date, "vLLM": found.vllm, "NIXL": found.nixl}
    rows |= {f"{chart} chart": f"{pin.name} {pin.version}" for chart, pin in found.charts.items()}
    rows["architectures"] = ", ".join(found.architectures)
    return sections(f"llm-d {name}", rows, sources=found.sources)
