"""The templates of a render as Python, made by scripts/compile_templates.py: change the templates instead."""

from __future__ import annotations

from collections.abc import Callable

from llmdgen.rendering.encoding import Encoder, code, comment
from llmdgen.rendering.lookup import Context, defined, get, item, name
from llmdgen.rendering.yaml_text import block, lines


def summary_md(context: Context, encode: Encoder) -> str:
    out: list[str] = []
    out.append('# ')
    out.append(encode(name(context, 'name')))
    out.append(' on ')
    out.append(encode(name(context, 'target')))
    out.append('\n\nllm-d ')
    out.append(encode(get(name(context, 'release'), 'name')))
    out.append(' · ')
    out.append(encode(name(context, 'titles')))
    out.append(' · ')
    out.append(encode(name(context, 'platform')))
    out.append(' · namespace ')
    out.append(encode(code(get(name(context, 'names'), 'namespace'))))
    out.append('\n\nServes ')
    out.append(encode(code(name(context, 'model'))))
    out.append(' from ')
    out.append(encode(code(name(context, 'model_uri'))))
    out.append('.\n\n![Nodes, pods, GPUs and EFA interfaces](topology.svg)\n\n## Allocation\n\n| role | replicas | parallelism | pods | nodes | GPUs a pod | EFA a pod | cpu | memory | /dev/shm |\n|---|---|---|---|---|---|---|---|---|---|\n')
    for role_1 in name(context, 'roles'):
        out.append('| ')
        out.append(encode(get(role_1, 'name')))
        out.append(' | ')
        out.append(encode(get(role_1, 'replicas')))
        out.append(' | ')
        out.append(encode(get(role_1, 'parallelism')))
        out.append(' | ')
        out.append(encode(get(role_1, 'pods')))
        out.append(' | ')
        out.append(encode(get(role_1, 'nodes')))
        out.append(' x ')
        out.append(encode(get(role_1, 'instance')))
        out.append(' | ')
        out.append(encode(get(role_1, 'gpus')))
        out.append(' | ')
        out.append(encode(get(role_1, 'efa')))
        out.append(' | ')
        out.append(encode(get(role_1, 'cpu')))
        out.append(' | ')
        out.append(encode(get(role_1, 'memory')))
        out.append(' | ')
        out.append(encode(get(role_1, 'shm')))
        out.append(' |\n')
    out.append('\n')
    for pool_2 in name(context, 'pools'):
        out.append('- ')
        out.append(encode(get(pool_2, 'nodes')))
        out.append(' x ')
        out.append(encode(get(pool_2, 'instance')))
        out.append(': ')
        out.append(encode(get(pool_2, 'gpus_used')))
        out.append(' of ')
        out.append(encode(get(pool_2, 'gpus')))
        out.append(' GPUs, ')
        out.append(encode(get(pool_2, 'efa_used')))
        out.append(' of ')
        out.append(encode(get(pool_2, 'efa')))
        out.append(' EFA interfaces in use.\n')
    for line_3 in name(context, 'efa'):
        out.append('- ')
        out.append(encode(line_3))
        out.append('\n')
    out.append('\n')
    if name(context, 'memory'):
        out.append("## KV cache\n\nEstimates, from the model's shape and vLLM's own formulas; vLLM prints the real figure when it starts.\n\n| role | weights on a GPU | KV cache on a GPU | bytes a token | tokens a rank | requests of ")
        out.append(encode(code('--max-model-len')))
        out.append(' |\n|---|---|---|---|---|---|\n')
        for row_4 in name(context, 'memory'):
            out.append('| ')
            out.append(encode(get(row_4, 'role')))
            out.append(' | ')
            out.append(encode(get(row_4, 'weights')))
            out.append(' | ')
            out.append(encode(get(row_4, 'kv')))
            out.append(' | ')
            out.append(encode(get(row_4, 'per_token')))
            out.append(' | ')
            out.append(encode(get(row_4, 'tokens')))
            out.append(' | ')
            out.append(encode(get(row_4, 'requests')))
            out.append(' of ')
            out.append(encode(get(row_4, 'max_model_len')))
            out.append(' |\n')
        out.append('\n')
    if name(context, 'tiers'):
        out.append('## Cache tiers\n\n| tier | connector | where | size |\n|---|---|---|---|\n')
        for tier_5 in name(context, 'tiers'):
            out.append('| ')
            out.append(encode(get(tier_5, 'name')))
            out.append(' | ')
            out.append(encode(get(tier_5, 'connector')))
            out.append(' | ')
            out.append(encode(get(tier_5, 'where')))
            out.append(' | ')
            out.append(encode(get(tier_5, 'size')))
            out.append(' |\n')
        out.append('\n')
    out.append('## Notable\n\n')
    for line_6 in name(context, 'notable'):
        out.append('- ')
        out.append(encode(line_6))
        out.append('\n')
    for note_7 in name(context, 'notes'):
        out.append('- ')
        out.append(encode(code(get(note_7, 'code'))))
        out.append(': ')
        out.append(encode(get(note_7, 'says')))
        out.append('.\n')
    if name(context, 'warnings'):
        out.append('\n## Warnings\n\n')
        for warning_8 in name(context, 'warnings'):
            out.append('- ')
            out.append(encode(code(get(warning_8, 'code'))))
            out.append(': ')
            out.append(encode(get(warning_8, 'says')))
            out.append('.')
            if get(warning_8, 'fix'):
                out.append(' Fix: ')
                out.append(encode(get(warning_8, 'fix')))
                out.append('.')
            out.append('\n')
    if name(context, 'suppressed'):
        out.append('\n## Suppressed findings\n\n')
        for each_9 in name(context, 'suppressed'):
            out.append('- ')
            out.append(encode(code(get(each_9, 'code'))))
            out.append(': ')
            out.append(encode(get(each_9, 'reason')))
            out.append('\n')
    out.append('\n## Before the first apply\n\n')
    for step_10 in name(context, 'before'):
        out.append('1. ')
        out.append(encode(step_10))
        out.append('\n')
    out.append('\n## Apply\n\n```bash\nhelmfile apply\nkubectl -n ')
    out.append(encode(get(name(context, 'names'), 'namespace')))
    out.append(' get gateway,httproute,inferencepool,pods\n```\n\n## First request\n\n```bash\n')
    for line_11 in name(context, 'request'):
        out.append(encode(line_11))
        out.append('\n')
    out.append('```\n')
    return "".join(out)


def gaie_yaml(context: Context, encode: Encoder) -> str:
    out: list[str] = []
    out.append('# Values of the inferencepool chart: the pool of model servers and the endpoint picker that schedules on it.\ninferencePool:\n  apiVersion: inference.networking.k8s.io/v1\n  modelServerType: vllm\n  targetPorts:\n    - number: ')
    out.append(encode(name(context, 'service_port')))
    out.append('\n  modelServers:\n    matchLabels:\n      ')
    out.append(encode(block(name(context, 'selector'), 6)))
    out.append('\n\ninferenceExtension:\n  replicas: ')
    out.append(encode(get(name(context, 'scheduler'), 'replicas')))
    out.append('\n  image:\n    hub: ')
    out.append(encode(get(name(context, 'image'), 'hub')))
    out.append('\n    name: ')
    out.append(encode(get(name(context, 'image'), 'name')))
    out.append('\n    tag: ')
    out.append(encode(get(name(context, 'image'), 'tag')))
    out.append('\n    pullPolicy: IfNotPresent\n  extProcPort: ')
    out.append(encode(name(context, 'scheduler_port')))
    out.append('\n  flags:\n    ')
    out.append(encode(block(name(context, 'flags'), 4)))
    out.append('\n  monitoring:\n    interval: 10s\n    prometheus:\n      enabled: true\n      auth:\n        secretName: ')
    out.append(encode(get(name(context, 'names'), 'metrics_secret')))
    out.append('\n')
    if get(name(context, 'scheduler'), 'kv_events_port'):
        out.append('  # Model servers publish their KV cache events to this port.\n  extraContainerPorts:\n    - name: zmq\n      containerPort: ')
        out.append(encode(get(name(context, 'scheduler'), 'kv_events_port')))
        out.append('\n      protocol: TCP\n  extraServicePorts:\n    - name: zmq\n      port: ')
        out.append(encode(get(name(context, 'scheduler'), 'kv_events_port')))
        out.append('\n      targetPort: ')
        out.append(encode(get(name(context, 'scheduler'), 'kv_events_port')))
        out.append('\n      protocol: TCP\n')
    if get(name(context, 'scheduler'), 'tokenizer'):
        if name(context, 'secret'):
            out.append('  env:\n    - name: HF_TOKEN\n      valueFrom:\n        secretKeyRef:\n          name: ')
            out.append(encode(name(context, 'secret')))
            out.append('\n          key: HF_TOKEN\n')
        out.append('  # Tokenizes prompts for the scheduler, over a socket that both mount.\n  sidecar:\n    enabled: true\n    name: tokenizer-uds\n    image: ')
        out.append(encode(get(get(name(context, 'release'), 'images'), 'tokenizer')))
        out.append('\n    imagePullPolicy: IfNotPresent\n    env:\n      - name: TOKENIZERS_DIR\n        value: ')
        out.append(encode(get(name(context, 'precise'), 'tokenizers_dir')))
        out.append('\n      - name: HF_HOME\n        value: ')
        out.append(encode(get(name(context, 'precise'), 'tokenizers_dir')))
        out.append('\n')
        if name(context, 'secret'):
            out.append('      - name: HF_TOKEN\n        valueFrom:\n          secretKeyRef:\n            name: ')
            out.append(encode(name(context, 'secret')))
            out.append('\n            key: HF_TOKEN\n')
        if defined(lambda: get(name(context, 'precise'), 'sidecar_config_map')):
            out.append('    configMap: # ')
            out.append(encode(comment(get(name(context, 'precise'), 'sidecar_config_map'))))
            out.append('\n      name: ')
            out.append(encode(str(get(name(context, 'names'), 'gaie')) + str('-tokenizer')))
            out.append('\n      data: {}\n')
        out.append('    volumeMounts:\n      - name: tokenizers\n        mountPath: ')
        out.append(encode(get(name(context, 'precise'), 'tokenizers_dir')))
        out.append('\n      - name: tokenizer-uds\n        mountPath: ')
        out.append(encode(get(name(context, 'precise'), 'socket_dir')))
        out.append('\n  volumes:\n    - name: tokenizers\n      emptyDir: {}\n    - name: tokenizer-uds\n      emptyDir: {}\n  volumeMounts:\n    - name: tokenizer-uds\n      mountPath: ')
        out.append(encode(get(name(context, 'precise'), 'socket_dir')))
        out.append('\n')
    out.append('  pluginsConfigFile: plugins.yaml\n  pluginsCustomConfig:\n    plugins.yaml: |\n      ')
    out.append(encode(block(get(name(context, 'scheduler'), 'config'), 6)))
    out.append('\n\nprovider:\n  name: ')
    out.append(encode(get(get(name(context, 'gateway'), 'settings'), 'scheduler_provider')))
    out.append('\n')
    if defined(lambda: get(get(name(context, 'gateway'), 'settings'), 'connection_pool')):
        out.append('  istio:\n    destinationRule:\n      trafficPolicy:\n        connectionPool:\n          ')
        out.append(encode(block(get(get(name(context, 'gateway'), 'settings'), 'connection_pool'), 10)))
        out.append('\n')
    return "".join(out)


def helmfile_yaml(context: Context, encode: Encoder) -> str:
    out: list[str] = []
    out.append('# ')
    out.append(encode(comment(name(context, 'title'))))
    out.append('\n# Deploy with `helmfile apply` in this directory; SUMMARY.md says what that gives.\n')
    if name(context, 'charts') is None:
        out.append('repositories:\n')
        for chart_1 in name(context, 'repositories'):
            out.append('  - name: ')
            out.append(encode(get(chart_1, 'name')))
            out.append('\n    url: ')
            out.append(encode(get(chart_1, 'repository')))
            out.append('\n')
        out.append('\n')
    out.append('helmDefaults:\n  createNamespace: true\n')
    if not (name(context, 'charts') is None):
        out.append('  skipDeps: true # the charts directory holds their dependencies\n')
    out.append('\nreleases:\n  # The Gateway.\n  - name: ')
    out.append(encode(get(name(context, 'names'), 'infra')))
    out.append('\n    namespace: ')
    out.append(encode(get(name(context, 'names'), 'namespace')))
    out.append('\n    chart: ')
    out.append(encode(get(name(context, 'chart_of'), 'infra')))
    out.append('\n')
    if name(context, 'charts') is None:
        out.append('    version: ')
        out.append(encode(get(get(get(name(context, 'release'), 'charts'), 'infra'), 'version')))
        out.append('\n')
    out.append('    values:\n      - values/infra.yaml\n\n  # The InferencePool and its scheduler.\n  - name: ')
    out.append(encode(get(name(context, 'names'), 'gaie')))
    out.append('\n    namespace: ')
    out.append(encode(get(name(context, 'names'), 'namespace')))
    out.append('\n    chart: ')
    out.append(encode(get(name(context, 'chart_of'), 'gaie')))
    out.append('\n')
    if name(context, 'charts') is None:
        out.append('    version: ')
        out.append(encode(get(get(get(name(context, 'release'), 'charts'), 'gaie'), 'version')))
        out.append('\n')
    out.append('    needs:\n      - ')
    out.append(encode(str(get(name(context, 'names'), 'namespace')) + str('/') + str(get(name(context, 'names'), 'infra'))))
    out.append('\n    values:\n      - values/gaie.yaml\n\n  # The model servers and the route to the pool.\n  - name: ')
    out.append(encode(get(name(context, 'names'), 'ms')))
    out.append('\n    namespace: ')
    out.append(encode(get(name(context, 'names'), 'namespace')))
    out.append('\n    chart: ')
    out.append(encode(get(name(context, 'chart_of'), 'ms')))
    out.append('\n')
    if name(context, 'charts') is None:
        out.append('    version: ')
        out.append(encode(get(get(get(name(context, 'release'), 'charts'), 'ms'), 'version')))
        out.append('\n')
    out.append('    needs:\n      - ')
    out.append(encode(str(get(name(context, 'names'), 'namespace')) + str('/') + str(get(name(context, 'names'), 'infra'))))
    out.append('\n      - ')
    out.append(encode(str(get(name(context, 'names'), 'namespace')) + str('/') + str(get(name(context, 'names'), 'gaie'))))
    out.append('\n    values:\n      - values/ms.yaml\n')
    return "".join(out)


def infra_yaml(context: Context, encode: Encoder) -> str:
    out: list[str] = []
    out.append('# Values of the llm-d-infra chart: the Gateway, ')
    out.append(encode(comment(get(name(context, 'gateway'), 'service_type'))))
    out.append('.\ngateway:\n')
    if get(name(context, 'gateway'), 'own_gateway'):
        out.append('  enabled: false # the chart has no place for what the Service of this provider needs; see extraDeploy\n')
    else:
        out.append('  ')
        out.append(encode(block(get(get(name(context, 'gateway'), 'settings'), 'chart'), 2)))
        out.append('\n')
        if get(name(context, 'gateway'), 'annotations'):
            out.append("  # Istio copies the Gateway's annotations to the Service that it makes, where the load balancer controller reads them.\n  annotations:\n    ")
            out.append(encode(block(get(name(context, 'gateway'), 'annotations'), 4)))
            out.append('\n')
        out.append('  service:\n    type: ')
        out.append(encode(get(name(context, 'gateway'), 'service_type')))
        out.append('\n  gatewayParameters:\n    ')
        out.append(encode(block(get(get(name(context, 'gateway'), 'settings'), 'chart_parameters'), 4)))
        out.append('\n    resources:\n      ')
        out.append(encode(block(get(get(name(context, 'gateway'), 'settings'), 'resources'), 6)))
        out.append('\n')
    if name(context, 'objects'):
        out.append('\nextraDeploy:\n')
        for object_1 in name(context, 'objects'):
            out.append('  - ')
            out.append(encode(block(object_1, 4)))
            out.append('\n')
    return "".join(out)


def ms_yaml(context: Context, encode: Encoder) -> str:
    out: list[str] = []
    out.append('# Values of the llm-d-modelservice chart: the model servers.\nmultinode: ')
    out.append(encode(name(context, 'multinode')))
    out.append('\n\nmodelArtifacts:\n  name: ')
    out.append(encode(get(name(context, 'model'), 'name')))
    out.append('\n  uri: ')
    out.append(encode(get(name(context, 'model'), 'uri')))
    out.append('\n')
    if get(name(context, 'model'), 'size'):
        out.append('  size: ')
        out.append(encode(get(name(context, 'model'), 'size')))
        out.append('\n')
    out.append('  mountPath: ')
    out.append(encode(get(name(context, 'model'), 'mount_path')))
    out.append('\n')
    if name(context, 'secret'):
        out.append('  authSecretName: ')
        out.append(encode(name(context, 'secret')))
        out.append(' # a Secret with the key HF_TOKEN\n')
    out.append("  # These become the workloads' selectors, which Kubernetes never lets change.\n  labels:\n    ")
    out.append(encode(block(name(context, 'labels'), 4)))
    out.append('\n\nrouting:\n  servicePort: ')
    out.append(encode(get(name(context, 'ports'), 'service')))
    out.append('\n  proxy:\n')
    if not (name(context, 'sidecar')):
        out.append('    enabled: false # no prefill servers, so vLLM answers itself\n    targetPort: ')
        out.append(encode(get(name(context, 'ports'), 'service')))
        out.append('\n')
    elif name(context, 'own_sidecar'):
        out.append('    enabled: false # decode.initContainers has it: the chart cannot give it all that is needed here\n    targetPort: ')
        out.append(encode(get(name(context, 'ports'), 'behind_sidecar')))
        out.append('\n')
    else:
        out.append("    enabled: true # asks a prefill server first, then decode's own vLLM\n    image: ")
        out.append(encode(name(context, 'sidecar_image')))
        out.append('\n    imagePullPolicy: IfNotPresent\n    connector: nixlv2\n    targetPort: ')
        out.append(encode(get(name(context, 'ports'), 'behind_sidecar')))
        out.append('\n    secure: false\n    zapLogLevel: error\n')
    out.append('\naccelerator:\n  type: nvidia\n\nprefill:\n')
    if name(context, 'prefill'):
        role_1 = name(context, 'prefill')
        out.append(role_yaml({**context, 'role': role_1}, encode))
    else:
        out.append('  create: false\n')
    out.append('\ndecode:\n')
    role_2 = name(context, 'decode')
    out.append(role_yaml({**context, 'role': role_2}, encode))
    out.append('\n# The route from the Gateway to the pool. Without a time limit, because answers stream for as long as they take.\nextraObjects:\n  - ')
    out.append(encode(block(name(context, 'route'), 4)))
    out.append('\n')
    return "".join(out)


def role_yaml(context: Context, encode: Encoder) -> str:
    out: list[str] = []
    out.append('  create: true\n  replicas: ')
    out.append(encode(get(get(name(context, 'role'), 'size'), 'replicas')))
    out.append('\n  parallelism: # GPUs a pod: ')
    out.append(encode(get(get(name(context, 'role'), 'size'), 'gpus_per_pod')))
    out.append('; the chart asks for them\n    tensor: ')
    out.append(encode(get(get(name(context, 'role'), 'size'), 'tensor')))
    out.append('\n    data: ')
    out.append(encode(get(get(name(context, 'role'), 'size'), 'data')))
    out.append('\n    dataLocal: ')
    out.append(encode(get(get(name(context, 'role'), 'size'), 'data_local')))
    out.append('\n    workers: ')
    out.append(encode(get(get(name(context, 'role'), 'size'), 'workers')))
    out.append('\n  monitoring:\n    podmonitor:\n      enabled: true\n      portName: vllm\n      path: /metrics\n      interval: 30s\n  nodeSelector:\n    ')
    out.append(encode(block(get(name(context, 'role'), 'node_selector'), 4)))
    out.append('\n  tolerations:\n    ')
    out.append(encode(block(name(context, 'tolerations'), 4)))
    out.append('\n')
    if get(name(context, 'role'), 'affinity'):
        out.append('  # EFA does not leave an availability zone, so every pod of this deployment is in one.\n  extraConfig:\n    affinity:\n      ')
        out.append(encode(block(get(name(context, 'role'), 'affinity'), 6)))
        out.append('\n')
    if get(name(context, 'role'), 'init_containers'):
        out.append('  initContainers:\n    ')
        out.append(encode(block(get(name(context, 'role'), 'init_containers'), 4)))
        out.append('\n')
    out.append('  containers:\n    - name: vllm\n      image: ')
    out.append(encode(name(context, 'image')))
    out.append('\n      imagePullPolicy: IfNotPresent\n')
    if get(name(context, 'role'), 'script') is None:
        out.append('      modelCommand: vllmServe\n      args:\n')
        for argument_1 in get(name(context, 'role'), 'arguments'):
            out.append('        - ')
            out.append(encode(argument_1))
            out.append('\n')
    else:
        out.append('      modelCommand: custom\n      command: [/bin/bash, -c]\n      args:\n        - |\n          ')
        out.append(encode(lines(get(name(context, 'role'), 'script'), 10)))
        out.append('\n')
    out.append('      env:\n        ')
    out.append(encode(block(get(name(context, 'role'), 'env'), 8)))
    out.append('\n      ports:\n        - name: vllm\n          containerPort: ')
    out.append(encode(get(name(context, 'role'), 'port')))
    out.append('\n          protocol: TCP\n')
    if get(name(context, 'role'), 'nixl_port'):
        out.append('        - name: nixl\n          containerPort: ')
        out.append(encode(get(name(context, 'role'), 'nixl_port')))
        out.append('\n          protocol: TCP\n')
    out.append('      resources:\n        limits:\n          ')
    out.append(encode(block(get(name(context, 'role'), 'resources'), 10)))
    out.append('\n        requests:\n          ')
    out.append(encode(block(get(name(context, 'role'), 'resources'), 10)))
    out.append('\n')
    if (get(name(context, 'role'), 'capabilities') or get(name(context, 'role'), 'scratch')):
        out.append('      extraConfig:\n')
        if get(name(context, 'role'), 'capabilities'):
            out.append('        securityContext:\n          capabilities:\n            add: ')
            out.append(encode(get(name(context, 'role'), 'capabilities')))
            out.append(' # EFA registers memory that must not be swapped\n')
        if get(name(context, 'role'), 'scratch'):
            out.append("        lifecycle:\n          preStop: # what a pod leaves on the node's disk, nobody finds again\n            exec:\n              command: ")
            out.append(encode(((['find'] + get(name(context, 'role'), 'scratch')) + ['-mindepth', '1', '-delete'])))
            out.append('\n')
    out.append('      mountModelVolume: true\n      volumeMounts:\n        - name: shm\n          mountPath: /dev/shm\n        ')
    out.append(encode(block(get(name(context, 'role'), 'mounts'), 8)))
    out.append('\n      # Weights take long to arrive and to load; until then only this probe runs.\n      startupProbe:\n        httpGet:\n          path: /v1/models\n          port: vllm\n        initialDelaySeconds: 15\n        periodSeconds: 30\n        timeoutSeconds: 5\n        failureThreshold: ')
    out.append(encode(name(context, 'startup_failures')))
    out.append('\n      livenessProbe:\n        httpGet:\n          path: /health\n          port: vllm\n        periodSeconds: 10\n        timeoutSeconds: 5\n        failureThreshold: 3\n      readinessProbe:\n        httpGet:\n          path: /v1/models\n          port: vllm\n        periodSeconds: 5\n        timeoutSeconds: 2\n        failureThreshold: 3\n  volumes:\n    - name: shm\n      emptyDir:\n        medium: Memory\n        sizeLimit: ')
    out.append(encode(get(name(context, 'role'), 'shm')))
    out.append('\n    ')
    out.append(encode(block(get(name(context, 'role'), 'volumes'), 4)))
    out.append('\n')
    return "".join(out)


def start_sh(context: Context, encode: Encoder) -> str:
    out: list[str] = []
    out.append('set -euo pipefail\n\n# A crashed vLLM leaves its segments behind, and a restarted container would run out of shared memory.\nfind /dev/shm -type f -delete\n\n# The image carries NCCL\'s EFA plugin outside its library path.\nfor directory in /opt/amazon/ofi-nccl/lib /opt/amazon/ofi-nccl/lib64 /opt/amazon/ofi-nccl/lib/x86_64-linux-gnu; do\n  if [ -d "$directory" ]; then\n    export LD_LIBRARY_PATH="$directory${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"\n  fi\ndone\n\n')
    if (name(context, 'workers') > 1):
        out.append('# Each pod of the group serves its own ranks.\nstart_rank=$((LWS_WORKER_INDEX * ')
        out.append(encode(name(context, 'data_local')))
        out.append('))\n\n')
    out.append('exec vllm serve ')
    out.append(encode(item(name(context, 'head'), 0)))
    out.append(' \\\n')
    for flag_1, value_2 in name(context, 'head_flags'):
        out.append('  ')
        out.append(encode(flag_1))
        out.append(' ')
        out.append(encode(value_2))
        out.append(' \\\n')
    if (name(context, 'workers') > 1):
        out.append('  --data-parallel-address="$LWS_LEADER_ADDRESS" \\\n  --data-parallel-start-rank="$start_rank" \\\n')
    items_4 = list(name(context, 'arguments'))
    for index_4, argument_3 in enumerate(items_4):
        out.append('  ')
        out.append(encode(argument_3))
        out.append(encode((name(context, 'last') if get({"last": index_4 == len(items_4) - 1}, 'last') else name(context, 'more'))))
        out.append('\n')
    return "".join(out)


def topology_svg(context: Context, encode: Encoder) -> str:
    out: list[str] = []
    out.append('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ')
    out.append(encode(name(context, 'width')))
    out.append(' ')
    out.append(encode(name(context, 'height')))
    out.append('" width="')
    out.append(encode(name(context, 'width')))
    out.append('" height="')
    out.append(encode(name(context, 'height')))
    out.append('" role="img" font-family="system-ui, sans-serif" font-size="12">\n  <title>')
    out.append(encode(name(context, 'title')))
    out.append('</title>\n  <style>\n    .page { fill: #ffffff } .node { fill: #f6f8fa; stroke: #8c959f } .text { fill: #1f2328 } .dim { fill: #59636e }\n    .prefill { fill: #bf8700 } .decode { fill: #0969da } .free { fill: #d1d9e0 } .pod { fill: none; stroke: #59636e; stroke-width: 1.5 }\n    .on { fill: #1a7f37 } .off { fill: #d1d9e0 }\n  </style>\n  <rect class="page" width="')
    out.append(encode(name(context, 'width')))
    out.append('" height="')
    out.append(encode(name(context, 'height')))
    out.append('"/>\n  <text class="text" x="16" y="26" font-size="15" font-weight="600">')
    out.append(encode(name(context, 'title')))
    out.append('</text>\n')
    for item_1 in name(context, 'legend'):
        if get(item_1, 'dot'):
            out.append('  <circle class="')
            out.append(encode(get(item_1, 'style')))
            out.append('" cx="')
            out.append(encode((get(item_1, 'x') + 8)))
            out.append('" cy="44" r="3.5"/>\n')
        else:
            out.append('  <rect class="')
            out.append(encode(get(item_1, 'style')))
            out.append('" x="')
            out.append(encode(get(item_1, 'x')))
            out.append('" y="38" width="12" height="12" rx="2"/>\n')
        out.append('  <text class="dim" x="')
        out.append(encode((get(item_1, 'x') + 18)))
        out.append('" y="48">')
        out.append(encode(get(item_1, 'label')))
        out.append('</text>\n')
    for node_2 in name(context, 'nodes'):
        out.append('  <g transform="translate(')
        out.append(encode(get(node_2, 'x')))
        out.append(' ')
        out.append(encode(get(node_2, 'y')))
        out.append(')">\n    <rect class="node" width="')
        out.append(encode(get(node_2, 'width')))
        out.append('" height="')
        out.append(encode(get(node_2, 'height')))
        out.append('" rx="6"/>\n    <text class="text" x="12" y="20" font-weight="600">')
        out.append(encode(get(node_2, 'label')))
        out.append('</text>\n    <text class="dim" x="')
        out.append(encode((get(node_2, 'width') - 12)))
        out.append('" y="20" text-anchor="end">')
        out.append(encode(get(node_2, 'zone')))
        out.append('</text>\n')
        for gpu_3 in get(node_2, 'gpus'):
            out.append('    <rect class="')
            out.append(encode(get(gpu_3, 'style')))
            out.append('" x="')
            out.append(encode(get(gpu_3, 'x')))
            out.append('" y="34" width="26" height="26" rx="3"/>\n')
        for pod_4 in get(node_2, 'pods'):
            out.append('    <rect class="pod" x="')
            out.append(encode(get(pod_4, 'x')))
            out.append('" y="31.5" width="')
            out.append(encode(get(pod_4, 'width')))
            out.append('" height="31" rx="5"/>\n    <text class="dim" x="')
            out.append(encode((get(pod_4, 'x') + (get(pod_4, 'width') / 2))))
            out.append('" y="78" text-anchor="middle" font-size="10">')
            out.append(encode(get(pod_4, 'label')))
            out.append('</text>\n')
        for dot_5 in get(node_2, 'efa'):
            out.append('    <circle class="')
            out.append(encode(get(dot_5, 'style')))
            out.append('" cx="')
            out.append(encode(get(dot_5, 'x')))
            out.append('" cy="')
            out.append(encode(get(dot_5, 'y')))
            out.append('" r="3.5"/>\n')
        out.append('    <text class="dim" x="12" y="')
        out.append(encode((get(node_2, 'height') - 8)))
        out.append('" font-size="10">')
        out.append(encode(get(node_2, 'note')))
        out.append('</text>\n  </g>\n')
    if name(context, 'more'):
        out.append('  <text class="dim" x="16" y="')
        out.append(encode((name(context, 'height') - 14)))
        out.append('">')
        out.append(encode(name(context, 'more')))
        out.append('</text>\n')
    out.append('</svg>\n')
    return "".join(out)


TEMPLATES: dict[str, Callable[[Context, Encoder], str]] = {
    "SUMMARY.md.j2": summary_md,
    "gaie.yaml.j2": gaie_yaml,
    "helmfile.yaml.j2": helmfile_yaml,
    "infra.yaml.j2": infra_yaml,
    "ms.yaml.j2": ms_yaml,
    "role.yaml.j2": role_yaml,
    "start.sh.j2": start_sh,
    "topology.svg.j2": topology_svg,
}
# The text that each was made of, its includes too.
SOURCES: dict[str, dict[str, str]] = {
    "SUMMARY.md.j2": {'SUMMARY.md.j2': 'd3c86c2dc392814d2a8f78c3022fe1b9814a46616b8c0d75738cc5570735c8b2'},
    "gaie.yaml.j2": {'gaie.yaml.j2': 'a0a77e41bf83b1714c7239e38afe78a311c31ff3a5884f90067c84d501f92017'},
    "helmfile.yaml.j2": {'helmfile.yaml.j2': '462acaaaca43116f323508d1d0efa789e6011c1f24c5f49a0bf0dfcf69c012cd'},
    "infra.yaml.j2": {'infra.yaml.j2': 'd041feb87e4ff05e29be7cb71ba2f396f6a037450f10e0cd2baa5e0aadd00ab8'},
    "ms.yaml.j2": {'ms.yaml.j2': '2b54f52b6a0baa9a25ca3de1bbfb3e905f0b8664a37d6ace3cb8c27b64770767', 'role.yaml.j2': '3cde7024b726cba34c4f096a8cecb32448bf234c2d862323062d017c233f81da'},
    "role.yaml.j2": {'role.yaml.j2': '3cde7024b726cba34c4f096a8cecb32448bf234c2d862323062d017c233f81da'},
    "start.sh.j2": {'start.sh.j2': 'a8d0fb11d9c25204652ef203851d556c5c89703cec5c67b25dfa8977e5d29281'},
    "topology.svg.j2": {'topology.svg.j2': 'ea6b8650d7f37d844832d1e5ac14650b91fa179a773849464fe8ef319fb91065'},
}
