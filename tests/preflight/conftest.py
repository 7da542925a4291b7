"""A plan's preflight against a cluster of the test's own making."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llmdgen.planning.model import Plan
from llmdgen.preflight import preflight
from llmdgen.preflight.answer import Answer
from llmdgen.preflight.cluster import Cluster
from llmdgen.preflight.connection import connect
from tests.preflight.api_server import Api, kubeconfig, serving

Ask = Callable[[Plan, Api], dict[str, list[Answer]]]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """`ask(plan, api)`: the answers by their codes."""
    pytest.importorskip("kubernetes", reason="preflight asks through the kubernetes package")

    def run(plan: Plan, api: Api) -> dict[str, list[Answer]]:
        with serving(api) as address:
            answers = preflight(plan, Cluster(connect(None, str(kubeconfig(tmp_path, address)))))
        found: dict[str, list[Answer]] = {}
        for each in answers:
            found.setdefault(each.code, []).append(each)
        return found

    return run
