"""Secrets are found wherever they stand and never repeated. Samples are put together here, so that no scanner of
repositories takes this file for a leak."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmdgen.findings import SpecError
from llmdgen.secrets import KINDS, mask, mask_value
from llmdgen.spec.load import parse
from llmdgen.spec.secrets import find

ROOT = Path(__file__).parents[2]
LETTERS = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
SAMPLES = {
    "SEC001": ["hf_" + LETTERS[:34], "api_org_" + LETTERS[:34]],
    "SEC002": ["AKIA" + "IOSFODNN7EXAMPLE", "ASIA" + "IOSFODNN7EXAMPLE", "IQoJb3JpZ2lu" + LETTERS * 3],
    "SEC003": ["-----BEGIN " + "PRIVATE KEY-----\n  MIIE\n  -----END PRIVATE KEY-----"],
    "SEC004": [
        "ghp_" + LETTERS,
        "github_pat_" + LETTERS,
        "glpat-" + LETTERS[:20],
        "xoxb-" + "1234567890-abcdef",
        "sk-" + "proj-" + LETTERS,
        "sk-" + "ant-api03-" + LETTERS,
        "nvapi-" + LETTERS,
        "AIza" + LETTERS[:35],
        "eyJ" + LETTERS + ".eyJ" + LETTERS + "." + LETTERS,
        "glrt-" + LETTERS[:20],
        "npm_" + LETTERS,
        "pypi-" + "AgEIcHlwaS5vcmcC" + LETTERS,
        "sk_live_" + LETTERS[:24],
        "rk_test_" + LETTERS[:24],
        "dckr_pat_" + LETTERS[:27],
        "gsk_" + LETTERS + LETTERS[:16],
        "AGE-SECRET-KEY-1" + LETTERS.upper() + LETTERS[:10].upper(),
    ],
}
EACH = [(code, secret) for code, secrets in SAMPLES.items() for secret in secrets]


def body(secret: str) -> str:
    """The part of a secret that is its own, without line breaks."""
    return secret.split("\n")[min(1, secret.count("\n"))].strip()[-12:]


@pytest.mark.parametrize(("code", "secret"), EACH, ids=lambda value: value[:8])
@pytest.mark.parametrize("around", ["a: {}\n", "a: '{}'\n", "# {}\n", "- [x, {}]\n", "{}: b\n", "a: x={},y\n"])
def test_a_secret_is_found_anywhere_and_masked_where_it_stands(code: str, secret: str, around: str) -> None:
    text = around.replace("{}", secret)
    findings, masked = find(text, "a.yaml")
    assert [each.finding.code for each in findings] == [code]
    assert (findings[0].place.line, findings[0].place.column) == (1, around.index("{}") + 1)
    assert body(secret) not in masked
    assert len(masked) == len(text)
    assert body(secret) not in str(findings[0])


def test_an_aws_secret_key_is_known_by_the_key_before_it() -> None:
    secret = "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"
    for text in (f"AWS_SECRET_ACCESS_KEY: {secret}", f"# aws_secret_access_key = {secret}", f"secretKey: '{secret}'"):
        findings, masked = find(text, "a.yaml")
        assert [each.finding.code for each in findings] == ["SEC002"]
        assert secret not in masked


@pytest.mark.parametrize(
    "text",
    [
        "authSecretName: llm-d-hf-token",
        "name: hf_internal-testing/tiny-random",
        "path: /mnt/k8s-disks/0/kv",
        "uri: hf://openai/gpt-oss-120b",
        "digest: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sk-learn-disk-usage-of-the-task-runner",
        "url: redis://cache:6379/0",
        "reason: the password is kept in a Secret",
        "max-num-batched-tokens: 8192",
        "-----BEGIN CERTIFICATE-----",
        "npm_config_registry_of_the_company_it_is",
        "pypi-server-of-the-company-behind-the-proxy",
        "url: https://user:$(PASSWORD)@cache",
    ],
)
def test_what_only_resembles_a_secret_is_none(text: str) -> None:
    assert find(text, "a.yaml") == ([], text)


@pytest.mark.parametrize(
    "value",
    [
        {"HF_TOKEN": "anything"},
        {"VLLM_API_KEY": 12345678},
        {"REDIS_PASSWORD": "changeme"},
        {"AWS_SESSION_TOKEN": "x y"},
        {"list": [{"name": "HF_TOKEN", "value": "anything"}]},
        {"MYSQL_PWD": "anything"},
        {"PGPASS": "anything"},
        {"REDIS_PASS": "anything"},
        {"command": ["sh", "-c", "export DB_PASSWORD=anything && serve"]},
        {"args": ["--api-key=anything"]},
        {"args": ["https://proxy/?user=a&api_key=anything&b=1"]},
    ],
)
def test_a_value_whose_key_says_that_it_is_secret_is_one(
    value: dict[str, Any], report_of: Callable[[str, Any], str]
) -> None:
    told = report_of("spec.values.router", value)
    assert "SEC006" in told
    assert "anything" not in told


@pytest.mark.parametrize(
    "value",
    [
        {"list": [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "HF_TOKEN"}}}]},
        {"VLLM_API_KEY": ""},
        {"enable-auth-token": True},
        {"authSecretName": "llm-d-hf-token"},
        {"PWD": "/home/chat"},
        {"command": ["sh", "-c", "export DB_PASSWORD=$PASSWORD; PW={{x}}; API_KEY=$(cat /key)"]},
        {"args": ["--max-num-batched-tokens=8192", "--tokenizer=org/tokenizer-2"]},
    ],
)
def test_a_reference_to_a_secret_is_none(value: dict[str, Any], report_of: Callable[[str, Any], str]) -> None:
    assert report_of("spec.values.router", value) == ""


def test_a_secret_written_with_escapes_is_found_and_not_repeated(report: Callable[[str], str], short: str) -> None:
    secret = "hf_" + LETTERS[:34]
    hidden = "\\x68" + secret[1:]
    told = report(short + f'  platform: "{hidden}"\n  "{hidden}": 1\n')
    assert "SEC001" in told
    assert secret not in told
    assert LETTERS[:10] not in told


@pytest.mark.parametrize(
    "line",
    [
        "  platform: {}",
        "  {}: 1",
        "  release: [{}]",
        "  decode: &{} 1",
        "  x: '{}",
        "  decode: {replicas: {}}",
        "  {} x",
    ],
)
def test_no_other_finding_of_the_file_repeats_a_secret(line: str, report: Callable[[str], str], short: str) -> None:
    secret = "hf_" + LETTERS[:34]
    told = report(short + line.replace("{}", secret) + "\n")
    assert "SEC001" in told
    assert LETTERS[:10] not in told


def test_the_name_of_every_kind_is_said_without_its_value() -> None:
    assert all(kind.name.startswith(("a ", "an ")) for kind in KINDS)


@pytest.mark.parametrize(
    "text",
    [
        "+        - name: HF_TOKEN\n+          value: hunter2",
        '{"name": "DB_PASSWORD", "value": "hunter2"}',
        '  + decode env 0: {"name":"DB_PASSWORD","value":"hunter2"}',
        "-  --api-key=hunter2",
        "  ~ decode --api-key: hunter2",
        "env: {VLLM_API_KEY: 'hunter2'}",
        "postgres://chat:hunter2$@db",
    ],
)
def test_what_is_shown_of_a_text_has_no_value_of_a_key_that_names_a_secret(text: str) -> None:
    shown = mask(text)
    assert "hunter2" not in shown
    assert len(shown) == len(text)
    assert mask_value("HF_TOKEN", "from the vault") == "xxxx xxx xxxxx"
    assert mask_value("MODEL", "from the vault") == "from the vault"


def test_no_text_of_the_repository_is_taken_for_a_secret() -> None:
    files = [file for folder in ("paths", "rendered", "examples", "templates") for file in (ROOT / folder).rglob("*")]
    texts = [file.read_text("utf-8") for file in files if file.is_file()]
    assert len(texts) > 100
    assert [text for text in texts if mask(text) != text] == []


@given(st.text(max_size=60), st.sampled_from([secret for _, secret in EACH]), st.text(max_size=60))
@settings(max_examples=150)
def test_a_text_with_a_secret_is_masked_to_the_same_length(before: str, secret: str, after: str) -> None:
    text = f"{before} {secret} {after}"
    masked = mask(text)
    assert len(masked) == len(text)
    assert body(secret) not in masked or body(secret) in before + after
    assert mask(masked) == masked


@given(st.integers(0, 200), st.sampled_from([secret for _, secret in EACH]))
@settings(max_examples=150)
def test_no_report_of_a_broken_file_holds_a_secret_of_it(at: int, secret: str) -> None:
    text = "apiVersion: llmdgen.dev/v1alpha1\nkind: WellLitPath\nmetadata:\n  name: x\nspec: {path: a, model: [b]}\n"
    at = min(at, len(text))
    with pytest.raises(SpecError) as caught:
        parse(f"{text[:at]} {secret} {text[at:]}", "a.yaml")
    assert body(secret) not in str(caught.value)


def in_base64(text: str) -> str:
    return b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        in_base64("hf_" + LETTERS[:34]),
        in_base64("export HF_TOKEN=hf_" + LETTERS[:34]).rstrip("="),
        in_base64("[default]\naws_access_key_id = AKIA" + "IOSFODNN7EXAMPLE\n"),
        in_base64('{"auths": {"ghcr.io": {"auth": "' + in_base64("user:ghp_" + LETTERS) + '"}}}'),
        in_base64("machine huggingface.co login me password hf_" + LETTERS[:34])[:60]
        + "\n    "
        + in_base64("machine huggingface.co login me password hf_" + LETTERS[:34])[60:],
    ],
)
def test_base64_is_looked_into(text: str) -> None:
    findings, masked = find(f"a: {text}\n", "a.yaml")
    assert [each.finding.says for each in findings] == ["the spec holds a secret in base64"]
    assert text.split("\n")[0][10:40] not in masked


@pytest.mark.parametrize(
    "text",
    [
        in_base64("nothing but words, and some more of them"),
        in_base64(LETTERS * 40),
        "9f86d081884c7d659a2feaa0c55ad015a3b",
    ],
)
def test_base64_of_something_else_is_no_secret(text: str) -> None:
    assert find(f"a: {text}\n", "a.yaml") == ([], f"a: {text}\n")


def test_a_token_over_two_lines_is_one() -> None:
    text = "a: >-\n  hf_" + LETTERS[:12] + "\n  " + LETTERS[12:34] + "\n"
    findings, masked = find(text, "a.yaml")
    assert [(each.finding.code, each.place.line) for each in findings] == [("SEC001", 2)]
    assert LETTERS[12:34] not in masked
    assert find("- hf_transfer\n- somethingElseAltogether\n", "a.yaml")[0] == []
