{{- define "gateway" -}}
{{ .Values.gateway.fullnameOverride | default (printf "%s-inference-gateway" .Release.Name) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- define "annotations" -}}
{{- with merge (dict) .Values.gateway.annotations (default (dict) .Values.commonAnnotations) }}
annotations:
  {{- tpl (toYaml .) $ | nindent 2 }}
{{- end }}
{{- end }}
