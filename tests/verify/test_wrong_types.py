"""Values of a type that Kubernetes does not take, anywhere in what helm prints: the rules look at them and go on."""

from __future__ import annotations

import random
from copy import deepcopy
from typing import Any

import pytest
from msgspec import structs

from tests.verify.conftest import CASES, Good
from tests.verify.test_mutants import edits

SEED, SAMPLE = 31, 80
VALUES: list[Any] = [None, [], {}, "", 1, -1, 1.5, True, [[]], [{}], {"a": [1]}, [None], ["x"], {"x": None}, 10**30]


@pytest.mark.parametrize("case", CASES)
def test_the_rules_go_on(case: str) -> None:
    good, chosen = Good(case), random.Random(SEED)
    places = [(manifest, each.path) for manifest in good.manifests for each in edits(str(manifest), manifest.doc)]
    for manifest, path in chosen.sample([each for each in places if each[1]], SAMPLE):
        document = deepcopy(manifest.doc)
        place: Any = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = chosen.choice(VALUES)
        made = structs.replace(manifest, doc=document)
        others = tuple(made if each is manifest else each for each in good.manifests)
        assert isinstance(good.judge(others, None, is_sealed=False), list), (str(manifest), path)
