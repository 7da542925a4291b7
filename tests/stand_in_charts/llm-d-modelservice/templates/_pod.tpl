{{- /* Labels of a role's pods: (list root role). */ -}}
{{- define "roleLabels" -}}
{{ toYaml (index . 0).Values.modelArtifacts.labels }}
llm-d.ai/role: {{ index . 1 }}
{{- end }}

{{- define "proxy" -}}
{{- $proxy := .Values.routing.proxy }}
- name: routing-proxy
  image: {{ required "routing.proxy.image is required" $proxy.image }}
  imagePullPolicy: {{ $proxy.imagePullPolicy | default "Always" }}
  args:
    - --port={{ .Values.routing.servicePort }}
    - --vllm-port={{ $proxy.targetPort }}
    - --connector={{ $proxy.connector }}
    {{- if hasKey $proxy "zapEncoder" }}
    - --zap-encoder={{ $proxy.zapEncoder }}
    {{- end }}
    {{- if hasKey $proxy "zapLogLevel" }}
    - --zap-log-level={{ $proxy.zapLogLevel }}
    {{- end }}
    {{- if hasKey $proxy "secure" }}
    - --secure-proxy={{ $proxy.secure }}
    {{- end }}
    {{- if hasKey $proxy "prefillerUseTLS" }}
    - --prefiller-use-tls={{ $proxy.prefillerUseTLS }}
    {{- end }}
  ports: [{containerPort: {{ .Values.routing.servicePort }}}]
  resources: {}
  restartPolicy: Always
  securityContext: {allowPrivilegeEscalation: false, runAsNonRoot: true}
{{- end }}

{{- /* The pod spec of a role: (list root role). */ -}}
{{- define "pod" -}}
{{- $root := index . 0 }}{{ $role := index . 1 }}
{{- $given := index $root.Values $role }}
{{- $uri := $root.Values.modelArtifacts.uri }}
{{- $mounted := false }}
{{- range $given.containers }}{{ if .mountModelVolume }}{{ $mounted = true }}{{ end }}{{ end }}
{{- with $given.extraConfig }}
{{ tpl (toYaml .) $root }}
{{- end }}
{{- with pick $given "nodeSelector" "tolerations" "imagePullSecrets" "schedulerName" "enableServiceLinks" "terminationGracePeriodSeconds" "hostIPC" "hostPID" }}
{{ toYaml . }}
{{- end }}
serviceAccountName: {{ $root.Values.serviceAccountOverride | default (include "fullname" $root) }}
{{- $proxied := and (eq $role "decode") $root.Values.routing.proxy.enabled }}
{{- if or $proxied $given.initContainers }}
initContainers:
  {{- if $proxied }}
  {{- include "proxy" $root | nindent 2 }}
  {{- end }}
  {{- with $given.initContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
containers:
  {{- range $given.containers }}
  {{- include "container" (list $root $role .) | nindent 2 }}
  {{- end }}
volumes:
  {{- with $given.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- if $mounted }}
  - name: model-storage
    {{- if hasPrefix "hf://" $uri }}
    emptyDir: {sizeLimit: {{ $root.Values.modelArtifacts.size }}}
    {{- else }}
    persistentVolumeClaim: {claimName: {{ first (splitList "/" (last (splitList "://" $uri))) }}, readOnly: true}
    {{- end }}
  {{- end }}
{{- end }}

{{- /* A container of a role: (list root role container). */ -}}
{{- define "container" -}}
{{- $root := index . 0 }}{{ $role := index . 1 }}{{ $given := index . 2 }}
{{- $sizes := include "sizes" (index $root.Values $role).parallelism | fromYaml }}
{{- $proxied := and (eq $role "decode") $root.Values.routing.proxy.enabled }}
- name: {{ $given.name | default "vllm" }}
  image: {{ required "image is required" $given.image }}
  {{- with $given.extraConfig }}
  {{- tpl (toYaml .) $root | nindent 2 }}
  {{- end }}
  {{- with pick $given "securityContext" "imagePullPolicy" "livenessProbe" "readinessProbe" "startupProbe" "workingDir" "stdin" "tty" }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- if eq ($given.modelCommand | default "custom") "custom" }}
  {{- toYaml (pick $given "command" "args") | nindent 2 }}
  {{- else }}
  {{- if eq $given.modelCommand "vllmServe" }}
  command: [vllm, serve]
  {{- end }}
  args:
    {{- if eq $given.modelCommand "imageDefault" }}
    - --model
    {{- end }}
    - {{ include "model" $root | quote }}
    - --port
    - {{ ternary $root.Values.routing.proxy.targetPort $root.Values.routing.servicePort $proxied | quote }}
    {{- range $flag, $size := dict "1:tensor-parallel-size" $sizes.tensor "2:data-parallel-size" $sizes.data "3:data-parallel-size-local" $sizes.local }}
    {{- if gt (int $size) 1 }}
    - --{{ last (splitList ":" $flag) }}
    - {{ $size | quote }}
    {{- end }}
    {{- end }}
    - --served-model-name
    - {{ $root.Values.modelArtifacts.name | quote }}
    {{- with $given.args }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  env:
    {{- with $given.env }}
    {{- tpl (toYaml .) $root | nindent 4 }}
    {{- end }}
    - {name: DP_SIZE, value: {{ $sizes.data | quote }}}
    - {name: TP_SIZE, value: {{ $sizes.tensor | quote }}}
    - {name: DP_SIZE_LOCAL, value: {{ $sizes.local | quote }}}
    {{- if and $given.mountModelVolume (hasPrefix "hf://" $root.Values.modelArtifacts.uri) }}
    - {name: HF_HOME, value: {{ $root.Values.modelArtifacts.mountPath }}}
    {{- end }}
    {{- if and $given.mountModelVolume (hasPrefix "pvc+hf://" $root.Values.modelArtifacts.uri) }}
    {{- $parts := splitList "/" (last (splitList "://" $root.Values.modelArtifacts.uri)) }}
    - {name: HF_HUB_CACHE, value: /model-cache/{{ join "/" (slice $parts 1 (sub (len $parts) 2)) }}}
    {{- end }}
    {{- with $root.Values.modelArtifacts.authSecretName }}
    - {name: HF_TOKEN, valueFrom: {secretKeyRef: {name: {{ . }}, key: HF_TOKEN}}}
    {{- end }}
  {{- with $given.ports }}
  ports:
    {{- tpl (toYaml .) $root | nindent 4 }}
  {{- end }}
  {{- $resources := $given.resources | default dict }}
  resources:
    {{- range $side := list "limits" "requests" }}
    {{ $side }}:
      {{- toYaml (merge (dict) (get $resources $side | default dict) (dict "nvidia.com/gpu" (toString $sizes.gpus))) | nindent 6 }}
    {{- end }}
  {{- if or $given.volumeMounts $given.mountModelVolume }}
  volumeMounts:
    {{- with $given.volumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if $given.mountModelVolume }}
    - name: model-storage
      mountPath: {{ $root.Values.modelArtifacts.mountPath }}
      {{- if hasPrefix "pvc://" $root.Values.modelArtifacts.uri }}
      readOnly: true
      {{- end }}
    {{- end }}
  {{- end }}
{{- end }}
