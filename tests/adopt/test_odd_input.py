"""`llmdgen init --from` with whatever a file may hold: a spec that validates or an error, no traceback, no secret."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmdgen import api
from llmdgen.adopt.found import UnusableSource
from llmdgen.adopt.spec import adopted
from llmdgen.findings import SpecError
from llmdgen.spec.load import parse

SOURCES = [file for file in sorted((Path(__file__).parent / "cases").rglob("*.*")) if file.suffix in (".yaml", ".json")]
ODD: list[Any] = [None, True, 0, -1, 3.5, "", "x", [], {}, [1, "a", None], {"a": 1}, {1: 2}, "$(X)", "${Y", "\n"]
ODD += ["9" * 400, [[["x"]]], 10**30, float("inf"), "\u2028", {"name": "x"}, [{"name": None}], [{"name": {}}]]


def mutated(value: Any, dice: random.Random, share: float) -> Any:
    if dice.random() < share:
        return copy.deepcopy(dice.choice(ODD))
    if isinstance(value, dict):
        return {key: mutated(each, dice, share) for key, each in value.items() if dice.random() > share / 3}
    if isinstance(value, list):
        return [mutated(each, dice, share) for each in value if dice.random() > share / 3]
    if isinstance(value, str) and dice.random() < share:
        at = dice.randrange(len(value) + 1)
        return value[:at] + dice.choice(["'", '"', "$", "\\", "{", "\n", " --x "]) + value[at:]
    return value


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_file_gives_a_spec_that_validates_or_an_error(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    source = dice.choice([each for each in SOURCES if each.name != "broken.yaml"])
    documents = list(yaml.safe_load_all(source.read_text("utf-8")))
    file = tmp_path / "odd.yaml"
    damaged = [mutated(each, dice, dice.choice([0.01, 0.03, 0.1])) for each in documents]
    file.write_text(yaml.safe_dump_all(damaged, allow_unicode=True), "utf-8")
    try:
        text, left, _ = adopted(str(file), "spec", "odd", of=None, model=None, nodes="p5en.48xlarge")
    except (SpecError, UnusableSource):
        return
    assert api.plan(parse(text, "spec")[0], "p5en.48xlarge")
    assert all(str(each).count("\n") == 0 for each in left)


def test_no_token_is_written_or_printed(tmp_path: Path) -> None:
    token = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
    script = f"export HF_TOKEN={token}\nexec vllm serve Qwen/Qwen3-32B -tp 2 --api-key {token}"
    container = {"command": ["bash", "-c"], "args": [script], "env": [{"name": "HF_HUB_TOKEN", "value": token}]}
    pod = {"spec": {"containers": [container], "tolerations": [{"key": token, "operator": "Exists"}]}}
    server = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": pod}}
    file = tmp_path / "server.yaml"
    file.write_text(yaml.safe_dump(server))
    text, left, _ = adopted(str(file), "spec", "x", of=None, model=None, nodes="p5.48xlarge")
    assert token not in text
    assert token not in "".join(map(str, left))
    assert [each.key for each in left if "it is a secret" in each.why] == [
        "decode.args.api-key[0]",
        "decode.env.HF_HUB_TOKEN",
        "cluster.tolerations[0].key",
    ]
    assert any("script's other lines" in each.why for each in left)
