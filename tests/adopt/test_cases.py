"""`llmdgen init --from`: what others deployed becomes spec.expected, and says.txt names all that was left out of it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from llmdgen import api
from llmdgen.cli.main import main
from llmdgen.spec.load import parse

CASES = Path(__file__).parent / "cases"
# What the files do not say themselves.
ASKED = {"groups-by-a-script": ("--instance-type", "p5en.48xlarge")}


@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=lambda case: case.name)
def test_a_deployment_becomes_a_spec_that_validates(
    case: Path, golden: Callable[[Path, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["init", "--from", str(case), *ASKED.get(case.name, ())])
    gc.enable()
    printed = capsys.readouterr()
    golden(case / "spec.expected", printed.out)
    golden(case / "says.txt", printed.err)
    assert code == 0
    (spec,) = parse(printed.out, "adopted")
    assert api.plan(spec, api.targets(spec)[0]).roles


def test_model_sizes_and_flags_are_those_of_the_deployment() -> None:
    texts = {case.name: (case / "spec.expected").read_text() for case in CASES.iterdir()}
    plans = {name: api.plan(spec, api.targets(spec)[0]) for name, text in texts.items() for spec in parse(text, name)}
    sizes = {
        name: [(r.name, r.size.replicas, r.size.tensor, r.size.data, r.size.workers) for r in plan.roles]
        for name, plan in plans.items()
    }
    assert sizes == {
        "values-of-the-charts": [("prefill", 4, 1, 1, 1), ("decode", 1, 4, 1, 1)],
        "groups-by-a-script": [("prefill", 1, 1, 16, 2), ("decode", 1, 1, 16, 2)],
        "cache-tiers": [("decode", 3, 2, 1, 1)],
    }
    llama, deepseek, qwen = (plans[name] for name in ("values-of-the-charts", "groups-by-a-script", "cache-tiers"))
    assert llama.spec.asked.platform == "hyperpod"
    assert [(r.flags["max-model-len"], r.flags["max-num-seqs"], r.efa_per_pod) for r in llama.roles] == [
        (8192, 16, 4),
        (8192, 16, 4),
    ]
    assert deepseek.roles[0].flags["max-model-len"] == 32768
    assert qwen.model_uri == "pvc://models/Qwen3-32B"
    assert [(tier.name, tier.where) for tier in qwen.tiers][1:] == [("storage", "claim kv-cache")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no model server is in it"),
        ("a: &a [x, x]\nb: &b [*a, *a]\n" + "".join(f"c{n}: &c{n} [*b, *b]\n" for n in range(3)), "no model server"),
        ("[" * 3000, "no model server is in it"),
        ("\0", "no model server is in it"),
        ("kind: Deployment\napiVersion: apps/v1\nspec: 7\n", "no model server is in it"),
        (
            "decode: {containers: [{modelCommand: vllmServe, args: 3, env: 7, resources: [1]}]}\n",
            "it does not say on which nodes",
        ),
        ("modelArtifacts: {name: a/b}\naccelerator: {type: google}\n", "no model server is in it"),
    ],
)
def test_what_says_nothing_is_one_line(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(text)
    assert main(["init", "--from", str(file)]) == 1
    gc.enable()
    printed = capsys.readouterr()
    assert not printed.out
    assert printed.err.splitlines()[-1].startswith(f"{file}: error: {says}")


def test_a_spec_is_said_to_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = "apiVersion: llmdgen.dev/v1alpha1\nkind: WellLitPath\nmetadata: {name: chat}\n"
    (tmp_path / "chat.yaml").write_text(spec)
    assert main(["init", "--from", str(tmp_path)]) == 1
    gc.enable()
    assert "WellLitPath/chat: left out: it is a spec of llmdgen already" in capsys.readouterr().err


def test_aliases_that_multiply_are_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (tmp_path / "values.yaml").write_text("\n".join(lines))
    assert main(["init", "--from", str(tmp_path)]) == 1
    gc.enable()
    assert "nested too deeply or too large" in capsys.readouterr().err


def test_the_same_role_twice_is_an_error_that_names_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("decode: {containers: [{modelCommand: vllmServe}]}\n")
    assert main(["init", "--from", str(tmp_path)]) == 1
    gc.enable()
    assert "decode of a.yaml, decode of b.yaml; name one file" in capsys.readouterr().err
