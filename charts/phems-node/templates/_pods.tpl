{{/* What all pods of the node's own have: the Pod Security Standard "restricted", and no token unless asked.
With `namespaces`, the pod may make namespaces in one of its own, for sandboxes. */}}
{{- define "phems.pod" -}}
automountServiceAccountToken: {{ .token }}
enableServiceLinks: false
{{- with .root.Values.image.pullSecret }}
imagePullSecrets:
  - name: {{ . }}
{{- end }}
{{- if .namespaces }}
hostUsers: false
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: {{ if .namespaces }}Unconfined{{ else }}RuntimeDefault{{ end }}
volumes:
  - name: node
    configMap:
      name: {{ include "phems.name" .root }}-node
  - name: data
    persistentVolumeClaim:
      claimName: {{ .root.Values.volumes.data }}
  - name: releases
    persistentVolumeClaim:
      claimName: {{ .root.Values.volumes.releases }}
  - name: tmp
    emptyDir:
      sizeLimit: 1Gi
  {{- if .root.Values.node.certificates }}
  - name: files
    secret:
      secretName: {{ .root.Values.secrets.files }}
      defaultMode: 0440
  {{- end }}
{{- end -}}

{{- define "phems.container" -}}
image: {{ include "phems.image" .root }}
imagePullPolicy: IfNotPresent
workingDir: {{ .root.Values.node.folder }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities:
    drop: [ALL]
  {{- if .namespaces }}
  procMount: Unmasked
  {{- end }}
  seccompProfile:
    type: {{ if .namespaces }}Unconfined{{ else }}RuntimeDefault{{ end }}
volumeMounts:
  - name: node
    mountPath: {{ .root.Values.node.folder }}/node.yaml
    subPath: node.yaml
    readOnly: true
  - name: data
    mountPath: {{ .root.Values.node.dataFolder }}
  - name: releases
    mountPath: {{ .root.Values.node.releaseFolder }}
  - name: tmp
    mountPath: /tmp
  {{- range .root.Values.node.certificates }}
  - name: files
    mountPath: {{ .path }}
    subPath: {{ .key }}
    readOnly: true
  {{- end }}
env:
  - name: HOME
    value: /tmp
  - name: PHEMS_NODE
    value: {{ .root.Values.node.folder }}
{{- range .root.Values.node.variables }}
  - name: {{ . }}
    valueFrom:
      secretKeyRef:
        name: {{ $.root.Values.secrets.environment }}
        key: {{ . }}
{{- end }}
{{- end -}}

{{/* Its node.yaml is read once, when a process starts: another one starts others. */}}
{{- define "phems.checksum" -}}
phems/node-yaml: {{ .Values.node.file | sha256sum }}
{{- end -}}
