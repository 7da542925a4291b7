"""Text of a spec that means something to Helm, to YAML or to a shell: what helm prints is what went in."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdgen import api
from llmdgen.kube.servers import Servers
from llmdgen.objects import objects
from llmdgen.planning.model import Plan
from llmdgen.rendering.files import files
from llmdgen.spec.load import parse
from llmdgen.verify.helmfile import Tools, template
from llmdgen.verify.manifests import read
from tests.specs import DEEPSEEK, GPT_OSS, spec_text

HOSTILE = (
    '{{ exec "id" (list) }}',
    "{{- fail `no` -}}",
    "}}",
    "{{/*",
    "*/}}",
    "`",
    "{{ `{{` }}",
    "{{{{",
    "{{",
    "'{{' \"{{\"",
    "$(id) ${HOME} `id` $HOME",
    "a: b # c",
    "yes",
    "1e3",
    "~",
    "%",
    "\\n{{\\",
)
NLB = "service.beta.kubernetes.io/aws-load-balancer-additional-resource-tags"


def hostile_plan(path: str, model: str, text: str) -> Plan:
    """A plan with a text wherever a spec takes any: arguments, environment, annotations, the model's other names."""
    sections = {
        "release": "v0.5.1",
        "engine": {"args": {"chat-template": text, "served-model-name": [model, text]}, "env": {"HOSTILE": text}},
        "decode": {"env": {"OF_A_ROLE": text}},
        "gateway": {"loadBalancer": {"scheme": "internal", "annotations": {NLB: text}}},
    }
    document = spec_text(path, model, ("p5en.48xlarge",), **sections)
    return api.draft(parse(document, "spec.yaml")[0], "p5en.48xlarge")


@pytest.mark.parametrize(("path", "model"), [("pd-disaggregation", GPT_OSS), ("wide-ep", DEEPSEEK)])
@pytest.mark.parametrize("text", HOSTILE)
def test_what_helm_prints_is_what_went_in(
    path: str, model: str, text: str, stand_in_charts: Path, helm_tools: Tools
) -> None:
    plan = hostile_plan(path, model, text)
    printed, problems = read(template(files(plan), stand_in_charts, helm_tools))
    assert problems == []
    made = {str(each): each.doc for each in objects(plan)}
    assert {str(each): each.doc for each in printed if each.order == 2} == made
    (decode,) = (each for each in Servers(printed, plan.release).model_servers if each.role == "decode")
    (gateway,) = (each for each in printed if each.kind == "Gateway")
    assert decode.vllm is not None
    env = {each["name"]: each.get("value") for each in decode.vllm.list_of("env")}
    assert (env["HOSTILE"], env["OF_A_ROLE"]) == (text, text)
    assert decode.vllm.flags["served-model-name"] == [model, text]
    assert gateway.doc["metadata"]["annotations"][NLB] == text
