"""Specs whose clusters the tests render: two on each platform, of one gateway provider."""

from __future__ import annotations

from collections.abc import Sequence

from llmdgen.prerequisites import asked_by, clusters, files
from llmdgen.prerequisites.cluster import Cluster
from llmdgen.spec.load import parse
from llmdgen.spec.model import Spec

SCHEDULING = """
apiVersion: llmdgen.dev/v1alpha1
kind: WellLitPath
metadata: {{name: chat, namespace: team}}
spec:
  release: v0.5.1
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
  release: {release}
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


def wide(platform: str = "eks", provider: str = "istio", release: str = "v0.5.1") -> Spec:
    """Model servers of several nodes each."""
    return parse(WIDE.format(platform=platform, provider=provider, release=release), "wide.yaml")[0]


def clusters_of(specs: Sequence[Spec]) -> tuple[Cluster, ...]:
    """What the specs need of their clusters."""
    return clusters((spec, asked_by(spec)) for spec in specs)


def render(specs: Sequence[Spec]) -> dict[str, dict[str, str]]:
    """The files of each cluster that the specs need, by the name of its directory."""
    return {each.directory: files(each) for each in clusters_of(specs)}
