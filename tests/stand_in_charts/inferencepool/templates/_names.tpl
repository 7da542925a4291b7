{{- define "scheduler" -}}
{{ .Release.Name | lower | trunc 40 }}-epp
{{- end }}
{{- define "labels" -}}
app.kubernetes.io/name: {{ include "scheduler" . }}
{{- end }}
