"""`llmdgen preflight`: the table, JSON, exit codes, and clusters that cannot be asked."""

from __future__ import annotations

import gc
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from llmdgen.checks import load_all
from llmdgen.cli.main import main
from llmdgen.registry import RULES
from tests.preflight.api_server import CLASSES, NODES, Api, able, kubeconfig, serving
from tests.preflight.plans import MIRRORED, plan_of
from tests.specs import GPT_OSS, spec_text

P5 = "p5.48xlarge"


class Session(Struct):
    """A spec, a kubeconfig and the API server behind it."""

    api: Api
    spec: Path
    config: Path


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    pytest.importorskip("kubernetes", reason="preflight asks through the kubernetes package")
    spec = tmp_path / "demo.yaml"
    spec.write_text(spec_text("pd-disaggregation", GPT_OSS, (P5,), images=MIRRORED))
    api = able(plan_of("pd-disaggregation", GPT_OSS))
    with serving(api) as address:
        config = kubeconfig(tmp_path, address)
        monkeypatch.setenv("KUBECONFIG", str(config))
        yield Session(api, spec, config)
    gc.enable()


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal in which every row of a table is a line."""
    monkeypatch.setenv("COLUMNS", "400")


def test_the_table_has_a_line_for_each_question_and_exits_0(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preflight", str(session.spec), "--context", "here"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [f"demo on {P5}", "", lines[2]]
    assert lines[2].split() == ["VERDICT", "CODE", "WHAT", "NEEDED", "FOUND"]
    assert all(line.startswith("ok ") for line in lines[3:-2])
    assert lines[-1] == f"the cluster can run it: {len(lines) - 5} questions, {len(lines) - 5} times yes"


def test_what_is_missing_exits_1_and_says_what_helps(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    session.api.answers[f"{CLASSES}/istio"] = 404
    assert main(["preflight", str(session.spec)]) == 1
    assert "PRE102 GatewayClass istio: install istio, which makes it" in capsys.readouterr().out


def test_what_may_not_be_asked_is_unknown_and_exits_2(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    session.api.answers[NODES] = 403
    assert main(["preflight", str(session.spec)]) == 2
    assert "unknown  PRE110" in capsys.readouterr().out


def test_json_holds_every_answer_of_every_instance_type(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    session.spec.write_text(spec_text("pd-disaggregation", GPT_OSS, (P5, "p5en.48xlarge"), images=MIRRORED))
    assert main(["preflight", str(session.spec), "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(each["target"], each["ok"]) for each in found] == [(P5, True), ("p5en.48xlarge", False)]
    (nodes,) = [each for each in found[1]["answers"] if each["code"] == "PRE110"]
    assert (nodes["verdict"], nodes["found"]) == ("missing", "no such node")
    assert main(["preflight", str(session.spec), "--format", "json", "--instance-type", P5]) == 0


@pytest.mark.parametrize(("status", "says"), [(401, "does not accept the credentials"), (500, "with status 500")])
def test_a_cluster_that_refuses_everything_is_one_error(
    session: Session, capsys: pytest.CaptureFixture[str], status: int, says: str
) -> None:
    session.api.answers[NODES] = status
    assert main(["preflight", str(session.spec)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert says in printed.err
    assert printed.err.count("llmdgen: error:") == 1


def test_an_address_that_speaks_no_json_is_one_error(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    session.api.answers[NODES] = "<html>log in</html>"
    assert main(["preflight", str(session.spec)]) == 1
    assert "with nothing that Kubernetes would write: JSON is malformed" in capsys.readouterr().err


def test_a_context_that_is_not_there_is_an_error(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preflight", str(session.spec), "--context", "elsewhere"]) == 1
    error = capsys.readouterr().err
    assert "llmdgen: error: context 'elsewhere' of " in error
    assert "kubectl config get-contexts" in error
    assert session.api.asked == []


@pytest.mark.parametrize("text", [None, "", "[]", "text", "{", "clusters: 1"])
def test_a_kubeconfig_that_is_none_is_an_error(
    session: Session, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    session.config.unlink()
    if text is not None:
        session.config.write_text(text)
    assert main(["preflight", str(session.spec)]) == 1
    assert "leads to no cluster" in capsys.readouterr().err


def test_a_cluster_that_is_not_there_is_an_error(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        kubeconfig(session.config.parent, f"http://127.0.0.1:{free.getsockname()[1]}")
        assert main(["preflight", str(session.spec)]) == 1
    assert "does not answer" in capsys.readouterr().err


def test_without_the_client_the_error_says_how_to_install_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "demo.yaml"
    spec.write_text(spec_text("pd-disaggregation", GPT_OSS, (P5,), images=MIRRORED))
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    assert main(["preflight", str(spec)]) == 1
    gc.enable()
    assert "(fix: pip install kubernetes)" in capsys.readouterr().err


def test_a_busy_cluster_is_asked_again_and_not_for_ever(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    session.api.failing[NODES] = [429, 503]
    assert main(["preflight", str(session.spec)]) == 0
    assert session.api.asked.count(("GET", NODES)) == 3
    session.api.failing[NODES] = [429] * 9
    assert main(["preflight", str(session.spec)]) == 1
    assert "with status 429" in capsys.readouterr().err


def test_a_list_whose_continue_token_is_gone_is_read_again(session: Session) -> None:
    session.api.page = 1
    session.api.answers[NODES] = session.api.answers[NODES] * 2
    session.api.failing[NODES] = [410]
    assert main(["preflight", str(session.spec)]) == 0
    session.api.failing[NODES] = [410, 410]
    assert main(["preflight", str(session.spec)]) == 1


@pytest.mark.parametrize("answer", [[None], ["x"], [{"metadata": []}], {"items": "x"}, {"items": [], "metadata": "x"}])
def test_a_list_of_no_objects_is_one_error(
    session: Session, capsys: pytest.CaptureFixture[str], answer: object
) -> None:
    session.api.answers[NODES] = answer
    assert main(["preflight", str(session.spec)]) == 1
    assert "answers to list nodes with no" in capsys.readouterr().err


def test_a_credential_plugin_that_is_missing_is_an_error_and_not_anonymous(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    config = json.loads(session.config.read_text())
    plugin = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "no-such-aws", "args": []}
    config["users"][0]["user"] = {"exec": plugin}
    session.config.write_text(json.dumps(config))
    assert main(["preflight", str(session.spec)]) == 1
    error = capsys.readouterr().err
    assert "gives no credentials" in error
    assert "no-such-aws" in error
    assert session.api.asked == []


def test_a_certificate_authority_that_is_none_is_one_error(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    config = json.loads(session.config.read_text())
    server = config["clusters"][0]["cluster"]["server"].replace("http:", "https:")
    config["clusters"][0]["cluster"] = {"server": server, "certificate-authority-data": "bm9uZQ=="}
    session.config.write_text(json.dumps(config))
    assert main(["preflight", str(session.spec)]) == 1
    assert capsys.readouterr().err.count("llmdgen: error:") == 1


def test_in_a_pod_without_a_kubeconfig_its_service_account_asks(
    session: Session, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(session.config.parent / "nobody"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    assert main(["preflight", str(session.spec)]) == 1
    assert "the service account of this pod leads to no cluster" in capsys.readouterr().err


def test_a_wrong_spec_asks_no_cluster(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    session.spec.write_text(spec_text("no-path", GPT_OSS, (P5,)))
    assert main(["preflight", str(session.spec)]) == 1
    assert "error SPEC" in capsys.readouterr().err
    assert session.api.asked == []


def test_every_code_that_is_answered_can_be_explained() -> None:
    load_all()
    codes = [code for code in RULES if code.startswith("PRE1")]
    assert len(codes) == 22
    assert all("Fails:" in RULES[code].explanation and "Passes:" in RULES[code].explanation for code in codes)
