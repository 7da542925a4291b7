"""The whole verification: releases, severities, the text that a user reads, and the guides of llm-d."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from llmdgen.checks import load_all
from llmdgen.findings import Finding, Route, Severity
from llmdgen.registry import RULES
from llmdgen.verify.files import read_files
from llmdgen.verify.helmfile import Tools
from llmdgen.verify.places import lines
from llmdgen.verify.rendered import Rendered
from llmdgen.verify.run import in_order, judged, verify
from tests.verify.conftest import Good
from tests.verify.mutate import DECODE, Docs

VLLM = ("spec", "template", "spec", "containers", "vllm")


def test_a_finding_about_an_object_without_a_file_names_the_directory(tmp_path: Path) -> None:
    finding = Finding("VER012", Severity.ERROR, "two\nlines", "do this", ("spec", "replicas"), of="Deployment/x")
    assert list(lines(tmp_path, [finding])) == [
        f"{tmp_path}: Deployment/x spec.replicas: error VER012: two lines (fix: do this)"
    ]
    assert list(lines(tmp_path, [])) == []


@pytest.mark.parametrize(
    ("of", "route", "place"),
    [
        (DECODE, ("spec", "replicas"), "chart/templates/decode.yaml:{spec.replicas}"),
        (DECODE, (*VLLM, "image"), "chart/templates/decode.yaml:{spec.template.spec.containers.0.image}"),
        (
            DECODE,
            (*VLLM, "args", "--block-size"),
            "chart/templates/decode.yaml:{spec.template.spec.containers.0.args.7}",
        ),
        (DECODE, (), "chart/templates/decode.yaml:1:1"),
        (DECODE, ("spec", "nothing", 4), "chart/templates/decode.yaml:{spec}"),
        ("allocation.yaml", ("roles", "decode", "replicas"), "allocation.yaml:{roles.decode.replicas}"),
        ("helmfile.yaml", ("releases", "pd-servers", "chart"), "helmfile.yaml:{releases.1.chart}"),
        ("vllm/decode.args", (), "vllm/decode.args:1:1"),
    ],
)
def test_a_finding_stands_at_the_line_of_the_directorys_own_file(
    of: str, route: Route, place: str, pd: Good, tmp_path: Path
) -> None:
    directory = pd.write(tmp_path)
    (line,) = lines(directory, [Finding("VER012", Severity.ERROR, "wrong", "do this", route, of=of)])
    name, _, wanted = place.partition(":")
    if wanted.startswith("{"):
        document = YAML().load((directory / name).read_text())
        *above, last = [int(key) if key.isdecimal() else key for key in wanted.strip("{}").split(".")]
        for key in above:
            document = document[key]
        is_block = isinstance(document, dict) and isinstance(document[last], dict)
        row, column = (
            document.lc.key(last)
            if is_block
            else document.lc.item(last)
            if isinstance(last, int)
            else document.lc.value(last)
        )
        wanted = f"{row + 1}:{column + 1}"
    assert line.startswith(f"{directory / name}:{wanted}: error VER012: "), line


def test_every_code_of_verification_explains_itself() -> None:
    load_all()
    codes = {code: rule for code, rule in RULES.items() if code.startswith("VER")}
    assert {f"VER{number:03}" for number in range(1, 8)} <= set(codes)
    for code, rule in codes.items():
        assert "Fails:" in rule.explanation, code
        assert "Passes:" in rule.explanation, code


def test_errors_come_first(pd: Good) -> None:
    manifests = tuple(each for each in pd.manifests if each.kind != "HTTPRoute")
    severities = [each.severity.value for each in in_order(judged(Rendered(manifests, pd.files)))]
    assert severities == sorted(severities)  # error, note, warning happen to be in the order of the alphabet
    assert severities[0] == "error"


def test_what_the_spec_suppresses_is_silent_here_too_and_an_error_never_is(pd: Good) -> None:
    def break_two(docs: Docs) -> None:
        spec = docs[DECODE]["spec"]["template"]["spec"]
        spec["terminationGracePeriodSeconds"] = 30
        spec["containers"][0]["ports"][0]["containerPort"] = 8300

    assert {"VER114", "VER020"} <= pd.codes(break_two)
    suppressed = "suppressed: [{code: VER114, reason: streams are short}, {code: VER020, reason: an error stays}]\n"
    files = {"allocation.yaml": pd.files["allocation.yaml"] + suppressed}
    assert {"VER114", "VER020"} & pd.codes(break_two, files) == {"VER020"}


def test_every_file_is_read(pd: Good, tmp_path: Path) -> None:
    directory = pd.write(tmp_path)
    (directory / ".hidden").write_text("x\n")
    assert read_files(directory) == {**pd.files, ".hidden": "x\n"}


def test_prerequisites_of_a_cluster_are_judged_by_their_lock(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parents[2] / "rendered" / "cluster", tmp_path / "cluster")
    for name in ("eks-istio", "hyperpod-istio"):
        assert [each.code for each in verify(tmp_path / "cluster" / name)] == ["VER109"]
    file = tmp_path / "cluster" / "eks-istio" / "helmfile.yaml"
    file.write_text(file.read_text().replace("istio/istiod", "istio/base"))
    found = verify(tmp_path / "cluster" / "eks-istio")
    assert [(each.code, each.of) for each in found] == [("VER008", "helmfile.yaml"), ("VER109", "helmfile.yaml")]


def test_a_fault_in_the_local_chart_is_found_end_to_end_at_its_line(
    tmp_path: Path, pd: Good, stand_in_charts: Path, helm_tools: Tools
) -> None:
    directory = pd.write(tmp_path)
    file = directory / "chart" / "templates" / "decode.yaml"
    file.write_text(file.read_text().replace("containerPort: 8200", "containerPort: 8300"))
    found = [each for each in verify(directory, stand_in_charts, None, helm_tools) if each.code != "VER007"]
    assert {each.code for each in found} == {"VER020"}
    text = file.read_text().splitlines()
    for line in lines(directory, found):
        place, _, says = line.partition(f": error VER020: {DECODE} spec.template.spec.containers[0].")
        assert place.startswith(f"{file}:"), line
        number = int(place.split(":")[-2])
        assert says.startswith(("ports", "startupProbe", "livenessProbe", "readinessProbe"))
        assert any(word in text[number - 1] for word in ("ports:", "Probe:")), line
