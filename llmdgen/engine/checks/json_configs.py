"""The keys inside JSON flags."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.engine.checks.settings import RoleSettings
from llmdgen.engine.checks.types import drafts
from llmdgen.registry import Draft, rule


@rule("VLLM004", "error", "an unknown key in a JSON flag")
def json_key_exists(role: RoleSettings) -> Iterator[Draft]:
    """Each JSON flag fills a configuration class of vLLM. vLLM 0.17 stops at a key that the class does not have;
    vLLM 0.15 does so in --compilation-config alone, and in all others, such as --kv-transfer-config, drops the key
    without a word, so that the setting does nothing.

    Fails:  kv-transfer-config: {kv_conector: NixlConnector}, compilation-config: {pass_config: {fuse_norm: true}}.
    Passes: kv-transfer-config: {kv_connector: NixlConnector, kv_role: kv_both}.
    """
    yield from drafts(role, "key")
