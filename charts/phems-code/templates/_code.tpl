{{/* One for each project, and short enough for the pods of a Job. */}}
{{- define "phems.code" -}}
{{- $code := required "code: give the project whose code is brought in step" .Values.code -}}
{{- $whole := printf "%s-code-%s" (include "phems.name" .) $code.project -}}
{{- if gt (len $whole) 63 -}}
{{- printf "%s-%s" ($whole | trunc 54 | trimSuffix "-") ($whole | sha256sum | trunc 8) -}}
{{- else -}}
{{- $whole -}}
{{- end -}}
{{- end -}}
