{{- define "epp" -}}
{{ .Release.Name | lower | trunc 40 | trimSuffix "-" }}-epp
{{- end }}
