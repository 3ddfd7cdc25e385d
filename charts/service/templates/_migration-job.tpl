{{/*
Brings the schema up to date. Not a hook: the first install may bring its database along, which hooks
would wait for in vain, and uninstall would leave a hook's objects behind. Pods become ready only when
the schema is there, so the order needs no help. The name carries a hash: a Job can't be changed.
*/}}
{{- define "service.migration-job" -}}
{{- if .Values.migration.enabled }}
{{- $pod := include "service.pod" (list . "migrate" .Values.migration) }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ include "base.fullname" . }}-migrate-{{ list ($pod | fromYaml) .Values.migration.activeDeadlineSeconds .Values.migration.ttlSecondsAfterFinished | toJson | sha256sum | trunc 8 }}
  labels: {{- include "base.labels" (list . "migrate") | nindent 4 }}
  {{- include "base.annotations" (list . dict) | nindent 2 }}
spec:
  backoffLimit: 6
  activeDeadlineSeconds: {{ .Values.migration.activeDeadlineSeconds }}
  {{- if not (kindIs "invalid" .Values.migration.ttlSecondsAfterFinished) }}
  ttlSecondsAfterFinished: {{ .Values.migration.ttlSecondsAfterFinished }}
  {{- end }}
  template: {{- $pod | nindent 4 }}
{{- end }}
{{- end -}}
