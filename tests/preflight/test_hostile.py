"""Servers and kubeconfigs that mean harm: each ends in an error or an answer, soon and in little memory."""

from __future__ import annotations

import copy
import gc
import json
import random
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from llmdgen.cli.main import main
from llmdgen.preflight import connection
from tests.edits import places
from tests.preflight.api_server import (
    CLASSES,
    CRDS,
    DAEMON_SETS,
    NAMESPACES,
    NODES,
    PODS,
    Api,
    able,
    kubeconfig,
    serving,
)
from tests.preflight.plans import MIRRORED, plan_of
from tests.specs import GPT_OSS, spec_text

Run = Callable[[str], tuple[int, str, str]]
P5 = "p5.48xlarge"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """`run(address)`: exit code, stdout and stderr of a preflight."""
    pytest.importorskip("kubernetes", reason="preflight asks through the kubernetes package")
    spec = tmp_path / "demo.yaml"
    spec.write_text(spec_text("pd-disaggregation", GPT_OSS, (P5,), images=MIRRORED, model={"authSecretName": "token"}))

    def ask(address: str) -> tuple[int, str, str]:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, address)))
        code = main(["preflight", str(spec)])
        return code, *capsys.readouterr()

    yield ask
    gc.enable()


def cluster() -> Api:
    return able(plan_of("pd-disaggregation", GPT_OSS, model={"authSecretName": "token"}))


def is_one_error(outcome: tuple[int, str, str]) -> bool:
    code, out, err = outcome
    return code == 1 and out == "" and err.count("\n") == 1 and err.startswith("llmdgen: error: ") and "(fix: " in err


# --- bodies of any kind, in place of each answer

BODIES: dict[str, str] = {
    "empty": "",
    "html": "<html>log in</html>",
    "null": "null",
    "number": "7",
    "text": '"x"',
    "list": "[]",
    "true": "true",
    "cut": '{"items": [{"metadata": {"na',
    "cut in a text": '{"metadata": {"name": "x',
    "two documents": "{}{}",
    "no number": '{"spec": NaN}',
    "infinite": '{"status": {"allocatable": {"cpu": 1e999}}, "items": [{"status": {"allocatable": {"cpu": 1e999}}}]}',
    "deep lists": "[" * 100_000,
    "deep maps": '{"spec":' * 100_000,
    "deep and whole": '{"x":' * 50_000 + "1" + "}" * 50_000,
    "long number": '{"spec": ' + "9" * 100_000 + "}",
    "lone surrogate": '{"metadata": {"name": "\\ud800"}, "items": [{"metadata": {"name": "\\ud800"}}]}',
    "zero byte": '{"metadata": {"name": "\\u0000"}, "items": [{"metadata": {"labels": {"\\u0000": "\\u001b[31m"}}}]}',
    "long text": json.dumps({"metadata": {"name": "x" * 10**6}, "items": [{"metadata": {"name": "x" * 10**6}}]}),
    "many containers": json.dumps(
        {"items": [{"spec": {"containers": [{}] * 10**5}}], "spec": {"taints": [{}] * 10**5}}
    ),
    "items of nothing": '{"items": [null]}',
    "items of text": '{"items": ["x"]}',
    "items as a map": '{"items": {"a": 1}}',
    "metadata as a list": '{"items": [], "metadata": []}',
    "a token of another type": '{"items": [], "metadata": {"continue": 5}}',
    "conditions as text": '{"status": {"conditions": "Ready"}, "items": [{"status": {"conditions": "Ready"}}]}',
}
PLACES = {
    "a kind": f"{CRDS}/inferencepools.inference.networking.k8s.io",
    "the class": f"{CLASSES}/istio",
    "the namespace": f"{NAMESPACES}/llm-d-demo",
    "the secret": f"{NAMESPACES}/llm-d-demo/secrets/token",
    "nodes": NODES,
    "pods": PODS,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("body", BODIES)
def test_a_body_of_any_kind_is_an_answer_or_one_error(run: Run, body: str, place: str) -> None:
    api = cluster()
    api.answers[PLACES[place]] = BODIES[body]
    with serving(api) as address:
        code, out, err = outcome = run(address)
    assert is_one_error(outcome) or (err == "" and "the cluster can" in out and code == ("cannot" in out))
    assert not {"\x1b", "\0"} & set(out + err)
    assert len(out) + len(err) < 20_000


# --- a wrong type in every place of an answer

WRONG = [None, True, 0, -1, 1e300, 10**40, "", "x", [], ["x"], [[]], {}, {"a": {"b": []}}, [{"a": 1}]]


def _mutants(rng: random.Random, value: Any) -> Any:
    """The value with something else in one place."""
    copied = copy.deepcopy(value)
    tree, key = rng.choice(places(copied))
    tree[key] = rng.choice(WRONG)
    return copied


def test_a_wrong_type_anywhere_is_an_answer_or_one_error(run: Run) -> None:
    rng, whole = random.Random(19), cluster()
    whole.answers[DAEMON_SETS] = [
        {"metadata": {"name": "d"}, "spec": {"template": {"spec": {"containers": [{"image": "x/efa:1"}]}}}}
    ]
    for each in whole.answers[NODES]:
        each["status"]["allocatable"].pop("vpc.amazonaws.com/efa")  # so that DaemonSets are read
    whole.answers[PODS] = [
        {
            "metadata": {"name": "p", "namespace": "n"},
            "status": {"phase": "Running"},
            "spec": {
                "nodeName": "node-0",
                "containers": [{"resources": {"requests": {"cpu": "1"}}}],
                "initContainers": [{"restartPolicy": "Always", "resources": {"requests": {"memory": "1Gi"}}}],
                "overhead": {"cpu": "250m"},
            },
        }
    ]
    api = Api()
    with serving(api) as address:
        for _ in range(150):
            api.answers = dict(whole.answers)
            path = rng.choice([path for path, answer in whole.answers.items() if answer])
            api.answers[path] = _mutants(rng, whole.answers[path])
            code, out, err = outcome = run(address)
            assert is_one_error(outcome) or (err == "" and code == 1 and "cannot run it" in out), (
                path,
                api.answers[path],
            )


@pytest.mark.parametrize(
    "quantity", ["1e9999999", "9" * 5000, "-", "0x10", "1Zi", "\u0663", "1e-99999", "NaN", "1 Gi", " "]
)
def test_quantities_that_kubernetes_would_not_write_are_one_error(run: Run, quantity: str) -> None:
    api = cluster()
    api.answers[NODES][0]["status"]["allocatable"]["memory"] = quantity
    with serving(api) as address:
        assert is_one_error(run(address))


# --- what no body says: refusals, redirects, lists without end, slow and large answers


def test_a_cluster_that_refuses_everything_confirms_nothing(run: Run) -> None:
    api = cluster()
    api.answers = dict.fromkeys(api.answers, 403)
    with serving(api) as address:
        code, out, _ = run(address)
    assert code == 2
    assert out.splitlines()[-1] == "nothing could be confirmed: the cluster refused every question"
    assert "can run it" not in out


def test_one_refused_question_leaves_it_unknown(run: Run) -> None:
    api = cluster()
    api.answers[PODS] = 403
    with serving(api) as address:
        code, out, _ = run(address)
    assert code == 2
    assert "unknown whether the cluster can run it: it refused 2 of " in out


def test_a_refused_question_beside_a_wrong_answer_is_a_no(run: Run) -> None:
    api = cluster()
    api.answers |= {PODS: 403, f"{CLASSES}/istio": 404}
    with serving(api) as address:
        code, out, _ = run(address)
    assert code == 1
    assert "the cluster cannot run it: 1 of " in out


@pytest.mark.parametrize("status", [204, 301, 302, 307, 308, 400, 402, 418, 500, 502, 599])
def test_any_other_status_is_one_error(run: Run, status: int) -> None:
    api = cluster()
    api.answers[NODES] = status
    with serving(api) as address:
        assert is_one_error(run(address))


def test_no_redirect_takes_the_credentials_elsewhere(run: Run) -> None:
    thief = Api()
    with (
        serving(thief) as elsewhere,
        raw(b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % elsewhere.encode()) as address,
    ):
        assert is_one_error(run(address))
    assert thief.asked == []


def test_a_list_without_end_ends(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from llmdgen.preflight import cluster as asked

    monkeypatch.setattr(asked, "PAGES", 20)
    api = cluster()
    api.answers[NODES] = {"items": [], "metadata": {"continue": "more"}}
    with serving(api) as address:
        outcome = run(address)
    assert is_one_error(outcome)
    assert "without end" in outcome[2]
    assert api.asked.count(("GET", NODES)) == 20


@contextmanager
def raw(*pieces: bytes, pause: float = 0.0, for_ever: bool = False) -> Iterator[str]:
    """A server that answers each connection with these bytes, the last of them again and again where it is for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    ended: list[bool] = []

    def answer(client: socket.socket) -> None:
        try:
            client.recv(65536)
            for piece in pieces:
                client.sendall(piece)
                time.sleep(pause)
            while for_ever and not ended:
                client.sendall(pieces[-1])
                time.sleep(pause)
        except OSError:
            pass
        finally:
            client.close()

    def accept() -> None:
        while not ended:
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            Thread(target=answer, args=(client,), daemon=True).start()

    thread = Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.append(True)
        thread.join()
        listener.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SPEECH = {
    "nothing": (b"",),
    "noise": (b"\x00\xff\xfe" * 100,),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n",),
    "no status": (b"HTTP/1.1\r\n\r\n",),
    "a status that is none": (b"HTTP/1.1 abc OK\r\n\r\n",),
    "a huge status": (b"HTTP/1.1 99999999999 OK\r\n\r\n",),
    "a negative length": (HEAD + b"Content-Length: -5\r\n\r\n{}",),
    "a length that is none": (HEAD + b"Content-Length: five\r\n\r\n{}",),
    "a longer length": (HEAD + b"Content-Length: 99999999\r\n\r\n{}",),
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",),
    "chunks without end": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",),
    "a chunk that is none": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",),
    "a huge chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",),
    "gzip that is none": (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}x",),
    "a long header": (HEAD + b"X: " + b"x" * 100_000 + b"\r\n\r\n{}",),
    "many headers": (HEAD + b"X: y\r\n" * 1000 + b"\r\n{}",),
    "a busy server with a long wait": (b"HTTP/1.1 429 Busy\r\nRetry-After: \xc2\xb2\r\nContent-Length: 0\r\n\r\n",),
    "a redirect to itself": (b"HTTP/1.1 307 Again\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",),
    "a redirect to a file": (b"HTTP/1.1 302 There\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",),
}


@pytest.mark.parametrize("speech", SPEECH)
def test_whatever_is_spoken_is_a_no_or_one_error(run: Run, speech: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LONGEST_WAIT", 0.01)
    with raw(*SPEECH[speech]) as address:
        outcome = run(address)
    assert is_one_error(outcome) or (outcome[0] == 1 and "the cluster cannot run it" in outcome[1])


@pytest.mark.parametrize(
    "pieces",
    [
        (HEAD + b"Content-Length: 1000000\r\n\r\n", b" "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X"),
        (b"HTTP/1.1 100 Continue\r\n\r\n",),
    ],
    ids=["body", "chunks", "headers", "continue"],
)
def test_a_byte_now_and_then_does_not_hold_us_up(
    run: Run, pieces: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.5)
    with raw(*pieces, pause=0.01, for_ever=True) as address:
        started = time.monotonic()
        outcome = run(address)
    assert is_one_error(outcome)
    assert "no end after" in outcome[2]
    assert time.monotonic() - started < 5


def test_all_answers_together_have_an_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ALL_SECONDS", 0.3)
    body = HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}"
    with raw(b"", body, pause=0.1) as address:
        assert "no end after 0 seconds" in run(address)[2]
    monkeypatch.undo()


def test_a_body_without_end_takes_little_memory(run: Run) -> None:
    piece = HEAD + b"\r\n" + b'{"items": [', b"{}," * 30_000
    tracemalloc.start()
    try:
        with raw(*piece, for_ever=True) as address:
            outcome = run(address)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert is_one_error(outcome)
    assert "more than 16 MiB" in outcome[2]
    assert peak < 100 * 2**20


def test_many_answers_together_have_a_limit_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ALL_BYTES", 500)
    api = cluster()
    with serving(api) as address:
        outcome = run(address)
    assert is_one_error(outcome)
    assert "to answer" in outcome[2]


# --- kubeconfigs


def _with(config: dict[str, Any], part: str, **fields: Any) -> str:
    config[part][0][part.removesuffix("s")] |= fields
    return json.dumps(config)


CONFIGS: dict[str, Callable[[dict[str, Any]], str]] = {
    "a proxy without a scheme": lambda config: _with(config, "clusters", **{"proxy-url": "10.0.0.1:3128"}),
    "a proxy of another scheme": lambda config: _with(config, "clusters", **{"proxy-url": "ftp://10.0.0.1"}),
    "a proxy that is a list": lambda config: _with(config, "clusters", **{"proxy-url": ["http://x"]}),
    "deep": lambda config: "[" * 5000,
    "deep and whole": lambda config: '{"a":' * 3000 + "1" + "}" * 3000,
    "no server": lambda config: _with(config, "clusters", server=None),
    "a server that is a map": lambda config: _with(config, "clusters", server={}),
    "a server without a scheme": lambda config: _with(config, "clusters", server="127.0.0.1:1"),
    "a server that is no address": lambda config: _with(config, "clusters", server="http://[::1"),
    "a server with a port that is none": lambda config: _with(config, "clusters", server="http://127.0.0.1:port"),
    "a server of another scheme": lambda config: _with(config, "clusters", server="file:///etc/passwd"),
    "a host beyond IDNA": lambda config: _with(config, "clusters", server=f"http://{'x' * 70}.test"),
    "a token with a line break": lambda config: _with(config, "users", token="a\r\nX-Evil: b"),
    "a token beyond latin": lambda config: _with(config, "users", token="\u4f60"),
    "a token that is a list": lambda config: _with(config, "users", token=["t"]),
    "a certificate that is no base64": lambda config: _with(
        config, "clusters", server="https://127.0.0.1:1", **{"certificate-authority-data": "%"}
    ),
    "a certificate file that is none": lambda config: _with(config, "users", **{"client-certificate": "/no/such"}),
    "an exec that is text": lambda config: _with(config, "users", exec="aws"),
    "users as a map": lambda config: json.dumps({**config, "users": {}}),
    "a context that is text": lambda config: json.dumps({**config, "contexts": ["here"]}),
    "a current context that is a number": lambda config: json.dumps({**config, "current-context": 7}),
    "bytes": lambda config: "\x00\x01",
    "a tag of Python": lambda config: "!!python/object/apply:os.system [echo]",
    "an anchor of itself": lambda config: "&a [*a]",
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_kubeconfig_of_any_kind_is_one_error(
    run: Run, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = kubeconfig(tmp_path, "http://127.0.0.1:1")
    file.write_text(CONFIGS[name](json.loads(file.read_text())))
    monkeypatch.setenv("KUBECONFIG", str(file))
    code = main(["preflight", str(tmp_path / "demo.yaml")])
    assert is_one_error((code, *capsys.readouterr()))


def test_tokens_in_answers_and_addresses_are_not_shown(run: Run) -> None:
    token = "hf_" + "aB3dE6gH9jK2mN5pQ8sT1vW4"
    api = cluster()
    api.answers[NODES][0]["spec"]["taints"] = [{"key": token, "effect": "NoSchedule"}]
    with serving(api) as address:
        code, out, _ = run(address)
        assert (code, token in out) == (1, False)
        api.answers[NODES] = 500
        outcome = run(address.replace("http://", f"http://user:{token[3:]}@"))
    assert is_one_error(outcome)
    assert token[3:] not in outcome[2]
