{{/* Without a token: the operator's pods alone ask for one. */}}
{{- define "base.serviceaccount" -}}
{{- if (.Values.serviceAccount).create }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "base.serviceAccountName" . }}
  labels: {{- include "base.labels" (list . "account") | nindent 4 }}
  {{- include "base.annotations" (list . (.Values.serviceAccount).annotations) | nindent 2 }}
automountServiceAccountToken: false
{{- end }}
{{- end -}}
