{{/* Every object of the node's namespace is named after the release. */}}
{{- define "phems.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "phems.labels" -}}
app.kubernetes.io/name: phems-node
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.Version | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* What selects the pods of one kind: (list $ "control"). */}}
{{- define "phems.selector" -}}
app.kubernetes.io/name: {{ if eq (index . 1) "worker" }}phems-worker{{ else }}phems-node{{ end }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "phems.image" -}}
{{- required "image.control: give the image of the node's processes by its digest" .Values.image.control -}}
{{- end -}}
