"""inference-scheduling: model servers that each hold the whole model, behind a scheduler that knows their load."""

from __future__ import annotations

from llmdgen.composition.contribution import Contribution, Shape, Situation
from llmdgen.composition.names import RoleName
from llmdgen.composition.shapes import contribution, whole_model_servers
from llmdgen.engine.size import Size

NAME = "inference-scheduling"
RANK = 10


def shapes(situation: Situation) -> dict[RoleName, Shape]:
    return whole_model_servers(situation, NAME)


def contribute(situation: Situation, sizes: dict[RoleName, Size]) -> Contribution:
    """Flags alone; nothing crosses pods, so no pod asks for EFA."""
    return contribution(situation, NAME)
