{{- define "fullname" -}}
{{ .Values.fullnameOverride | default (printf "%s-llm-d-modelservice" .Release.Name) | trunc 55 | trimSuffix "-" }}
{{- end }}

{{- /* The sizes of a role as a YAML mapping, from what of them its parallelism states. */ -}}
{{- define "sizes" -}}
{{- $given := . | default dict }}
{{- $tensor := int ($given.tensor | default 1) }}
{{- $local := int ($given.dataLocal | default (div (int ($given.data | default 1)) (int ($given.workers | default 1)))) }}
{{- $data := int ($given.data | default (mul $local (int ($given.workers | default 1)))) }}
tensor: {{ $tensor }}
local: {{ $local }}
data: {{ $data }}
workers: {{ int ($given.workers | default (ternary (div $data $local) 1 (and (hasKey $given "data") (hasKey $given "dataLocal")))) }}
gpus: {{ mul $tensor $local }}
{{- end }}

{{- define "model" -}}
{{- $place := last (splitList "://" .Values.modelArtifacts.uri) }}
{{- $parts := splitList "/" $place }}
{{- if hasPrefix "hf://" .Values.modelArtifacts.uri -}}
{{ tpl $place . }}
{{- else if hasPrefix "pvc+hf://" .Values.modelArtifacts.uri -}}
{{ index $parts (sub (len $parts) 2) }}/{{ last $parts }}
{{- else -}}
{{ .Values.modelArtifacts.mountPath }}/{{ join "/" (rest $parts) }}
{{- end }}
{{- end }}
