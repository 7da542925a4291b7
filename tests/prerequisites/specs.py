"""Specs whose clusters the tests render: two on each platform, of one gateway provider."""

from __future__ import annotations

from llmdgen.spec.load import parse
from llmdgen.spec.model import Spec

SCHEDULING = """
apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {{name: chat, namespace: team}}
spec:
  path: inference-scheduling
  platform: {platform}
  instanceTypes: [p5.48xlarge, {second}]
  model: {{name: Qwen/Qwen3-32B, authSecretName: llm-d-hf-token}}
  gateway: {{provider: {provider}{balancer}}}
  {more}
"""
WIDE = """
apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {{name: wide, namespace: team}}
spec:
  path: wide-ep
  platform: {platform}
  instanceTypes: [p5en.48xlarge]
  model: {{name: deepseek-ai/DeepSeek-R1-0528, uri: "pvc://models/deepseek-r1", authSecretName: llm-d-hf-token}}
  gateway: {{provider: {provider}}}
"""
BALANCED = ", loadBalancer: {scheme: internal}"


def scheduling(
    platform: str = "eks", provider: str = "istio", second: str = "g6e.48xlarge", balancer: str = "", more: str = ""
) -> Spec:
    """Model servers of one node each."""
    text = SCHEDULING.format(platform=platform, provider=provider, second=second, balancer=balancer, more=more)
    return parse(text, "chat.yaml")[0]


def wide(platform: str = "eks", provider: str = "istio") -> Spec:
    """Model servers of several nodes each."""
    return parse(WIDE.format(platform=platform, provider=provider), "wide.yaml")[0]
