"""The rules that reading a spec applies, as the catalogue shows them: code, title, explanation. Reading does not need
this file; `llmdgen explain`, the documentation and the reports do."""

from __future__ import annotations

import re

from llmdgen.registry import entered

_RULES = """
SPEC001 the file is not YAML
    A spec is a UTF-8 file of YAML 1.2. What a parser cannot read has no meaning to check, so this comes first; of a
    file with several documents, those before the error are still checked.

    Fails:  name: gpt: oss             a second colon; put the text in quotes
    Passes: name: "gpt: oss"

SPEC002 the file is larger than a spec can be
    At most 256 KiB, 100 documents, 10,000 keys and values, and 32 levels of nesting. A spec has about a hundred lines;
    what is larger was not written by a person, and nobody would review it.

    Fails:  a rendered manifest of two megabytes given as a spec
    Passes: one document for each deployment

SPEC003 a key stands twice
    YAML readers keep the first, the last or neither of two equal keys, and a reviewer sees only one of them.

    Fails:  decode: {replicas: 1, replicas: 2}
    Passes: decode: {replicas: 2}

SPEC004 anchors, aliases, merge keys, tags and directives
    They make a line mean what another line says, or a value be of a kind that it does not look like. A diff of such a
    file shows less than what changes, so a spec is written out.

    Fails:  prefill: &role {replicas: 1}, then decode: *role
    Passes: prefill: {replicas: 1}, then decode: {replicas: 1}

SPEC005 unknown key
    A key that nothing reads has no effect, and its author believes that it has. The fix names what was probably meant:
    another spelling, the key's right place, or `args` for a flag of vLLM. Inside `pod` the keys are Kubernetes' own.

    Fails:  decode: {replica: 2}       did you mean replicas?
    Passes: decode: {replicas: 2}

SPEC006 missing key
    apiVersion, kind, metadata.name, spec.path, spec.instanceTypes and spec.model.name have no default, nor has
    cache.storage.claim where there is a storage cache. A spec that extends another may leave to its base all but
    apiVersion, kind and metadata.name.

    Fails:  a spec without instanceTypes
    Passes: instanceTypes: [p5.48xlarge]

SPEC007 wrong type
    Values are not converted: 4 is a number, "4" is text, yes is text and true is a truth value. A conversion would
    guess, and guess wrong where it matters (1.10 would become 1.1, on would become true).

    Fails:  cpu: 8                     resources are text, as in Kubernetes
    Passes: cpu: "8"

SPEC008 a value that its key does not take
    A number out of its range, a text that does not match its form, a choice that does not exist.

    Fails:  platform: sagemaker        the choices are eks and hyperpod
    Passes: platform: hyperpod

SPEC009 unknown path, release or instance type
    These names lead to facts: the shape of a well-lit path, the images and charts of a release, the GPUs and EFA
    interfaces of an instance type. Without facts nothing can be checked or rendered. `llmdgen list` shows them.

    Fails:  instanceTypes: [p5.48xlage]
    Passes: instanceTypes: [p5.48xlarge, ml.p5en.48xlarge]

SPEC010 the file cannot be read
    There is no such file, it is a directory, or the system does not let it be read.

    Fails:  llmdgen render paths/
    Passes: llmdgen render paths/pd-disaggregation.yaml

SPEC011 a name or text is too long
    The router's chart keeps 40 characters of the name of its release, <name>-router, so 33 are left for metadata.name:
    with a longer one the scheduler's Service has another name than the objects that refer to it say.

    Fails:  name: deepseek-r1-0528-wide-expert-parallel
    Passes: name: deepseek-r1-wide-ep

SPEC012 the model's URI
    A model server reads its weights from hf://org/name, pvc://claim/path or pvc+hf://claim/path/org/name. Without a
    uri they come from hf://<spec.model.name>.

    Fails:  uri: https://huggingface.co/openai/gpt-oss-120b
    Passes: uri: hf://openai/gpt-oss-120b

SPEC013 a path that leaves its place
    spec.model.config stays in the directory of the file that names it, so that a spec means the same in every checkout
    and cannot read other files. spec.cache.disk.path becomes a hostPath, in which Kubernetes refuses .. .

    Fails:  config: ../../secrets/config.json
    Passes: config: ./config.json

SPEC014 the same thing twice
    Two documents of one name, or one instance type by two names, would be rendered into the same directory; a path
    composed with itself has no meaning.

    Fails:  instanceTypes: [p5.48xlarge, ml.p5.48xlarge]
    Passes: instanceTypes: [p5.48xlarge]

SPEC015 a zone or node label that no node has
    Pods that select a label which cannot exist stay Pending, and a label that the API server refuses fails the release
    halfway. Zones are names (us-east-1a), not regions and not zone ids (use1-az1).

    Fails:  zone: us-east-1
    Passes: zone: us-east-1a

SPEC016 the name of an environment variable
    Letters, digits and underscores, the first not a digit. Kubernetes takes more, but shells, and launchers that pass
    an environment on through a shell, drop such variables without a word.

    Fails:  env: {VLLM-LOGGING-LEVEL: INFO}
    Passes: env: {VLLM_LOGGING_LEVEL: INFO}

SPEC017 the spelling of a vLLM flag
    Flags are written without leading dashes and with - between words, value after the colon, so that one flag has one
    spelling: of two, one would win unseen.

    Fails:  args: {--max_num_seqs: 256}
    Passes: args: {max-num-seqs: 256}

SPEC018 characters that nobody sees
    Control characters, marks that reorder text on the screen, no-break spaces, and line breaks in a name: a reviewer
    does not see them, and their reader takes them literally. Editors and chats put them into copied text.

    Fails:  a no-break space between a colon and its value; name: | with the name in the next line
    Passes: the same text typed anew, in one line

SPEC019 a key without a value
    An empty loadBalancer: could mean "none" or "one with the defaults". Only args, pod and values may hold null,
    since their readers give it a meaning. In a file that extends another, null deletes the key of the base.

    Fails:  loadBalancer:              with nothing below it
    Passes: loadBalancer: {}           an internal load balancer

SPEC020 not a spec, or of another version
    apiVersion is llmdgen.dev/v1alpha1 and kind is WellLitPath. Nothing else is said of a document of another kind.

    Fails:  apiVersion: apps/v1, kind: Deployment
    Passes: apiVersion: llmdgen.dev/v1alpha1, kind: WellLitPath

SPEC021 a toleration that the API server refuses
    operator Exists takes no value, a toleration without a key needs operator Exists, and tolerationSeconds belongs to
    effect NoExecute. The API server refuses the whole pod otherwise.

    Fails:  {key: nvidia.com/gpu, operator: Exists, value: "true"}
    Passes: {key: nvidia.com/gpu, operator: Exists}

SPEC023 a base outside of the repository
    `extends` names a file by its path from the file that says so. Links followed, it lies in the repository of the
    spec, the nearest directory above that holds .git; without one, in the spec's own directory or below. So a spec
    means the same in every checkout, a review sees all of it, and it cannot read other files of a machine.

    Fails:  extends: /etc/llmdgen/base.yaml, https://example.com/base.yaml or ../../../elsewhere/base.yaml
    Passes: extends: ../bases/gpt-oss.yaml

SPEC024 a base that is not there, or is not one document
    A base is a YAML file of one document. Which of several was meant, nobody could see in the spec that extends it.

    Fails:  extends: bases                         a directory
    Passes: extends: bases/gpt-oss.yaml

SPEC025 files that extend each other, or too many bases
    A chain of bases ends in a file that extends nothing, after at most eight. Two or three are what a reader keeps in
    mind; `llmdgen plan SPEC --format yaml` shows which file a value comes from.

    Fails:  a.yaml extends b.yaml, which extends a.yaml
    Passes: production.yaml extends staging.yaml, which extends base.yaml

SPEC026 a spec that extends another and has no name of its own
    metadata.name is not taken from a base. It names the rendered directory and the Helm releases, so that a second
    spec of the same name would replace the first one's deployment.

    Fails:  extends: staging.yaml, without metadata
    Passes: extends: staging.yaml, metadata: {name: gpt-oss-production}

SPEC027 null that deletes nothing
    In a file that extends another, null deletes the key of the base. Where the base has no such key, the key is
    misspelt, or the base has changed, and what was to be deleted is still there. Under args and values null stays
    instead, and leaves out what the path or the chart sets; inside pod it always stays, and deletes from the pod.

    Fails:  prefil: null               the base has prefill
    Passes: prefill: null

SPEC029 values of a chart that is no longer used
    llmdgen makes the model servers and the Gateway itself: spec.values is for the router's chart alone, and `pod` of a
    role changes its pods. The fix says where each key went.

    Fails:  values: {ms: {decode: {extraConfig: {priorityClassName: serving}}}}
    Passes: decode: {pod: {priorityClassName: serving}}

SEC001 a Hugging Face token
    Fails:  env: {HF_TOKEN: hf_...}
    Passes: model: {authSecretName: llm-d-hf-token}

SEC002 an AWS credential
    Fails:  env: {AWS_ACCESS_KEY_ID: AKIA...}
    Passes: a service account with EKS Pod Identity or IRSA

SEC003 a private key
    Fails:  a PEM block that begins with BEGIN PRIVATE KEY
    Passes: a Kubernetes Secret of type kubernetes.io/tls, made outside

SEC004 another service's token
    Keys and tokens of GitHub, GitLab, Slack, OpenAI, Anthropic, NVIDIA, Groq, Google, npm, PyPI, Stripe, Docker and
    age, and JSON Web Tokens, are known by their form.

    Fails:  # works with ghp_...
    Passes: a comment that names the Secret

SEC005 a password in a URL
    Fails:  env: {LMCACHE_REMOTE_URL: "redis://user:password@cache:6379"}
    Passes: env: {LMCACHE_REMOTE_URL: "redis://cache:6379"}

SEC006 a value whose key says that it is a secret
    A key that ends in password, _pwd, _pass, pgpass, api-key, secret-key, access-key, hf-token, auth-token or
    session-token holds a secret, whatever the secret looks like; also inside a text, as in `export DB_PASSWORD=...`.

    Fails:  args: {api-key: changeme}
    Passes: no api-key, and authentication at the gateway
"""
_WHY_NOT_SECRETS = """
    A spec is committed, reviewed, and copied into what is rendered: a secret in it is public to everyone who reads any
    of them, and stays in the history after it is deleted. It is looked for in the whole text, comments included, and
    no message repeats it. Revoke it: deleting it is not enough.
"""

for _text in re.split(r"\n(?=[A-Z]+[0-9]{3} )", _RULES.strip()):
    _head, _, _explanation = _text.partition("\n")
    _code, _, _title = _head.partition(" ")
    entered(_code, "error", _title, f"{_WHY_NOT_SECRETS}\n" * _code.startswith("SEC") + _explanation)
