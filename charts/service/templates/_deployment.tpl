{{/* Usage: include "service.deployment" (list $ctx "http") */}}
{{- define "service.deployment" }}
{{- $ctx := index . 0 -}}
{{- $component := index . 1 -}}
{{- $options := index $ctx.Values $component }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "base.fullname" $ctx }}-{{ $component }}
  labels: {{- include "base.labels" (list $ctx $component) | nindent 4 }}
spec:
  {{- if and $ctx.Values.autoscaling.enabled (eq $component (include "service.serving" $ctx)) }}
  {{- include "base.liveReplicas" (list $ctx "apps/v1" "Deployment" (printf "%s-%s" (include "base.fullname" $ctx) $component)) | indent 2 }}
  {{- else if and (not (kindIs "invalid" $options.replicas)) (ne $component (include "service.keda.component" $ctx)) }}
  replicas: {{ $options.replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  progressDeadlineSeconds: {{ $ctx.Values.release.progressDeadlineSeconds }}
  # A pod goes only after its successor is ready, so capacity never falls.
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  selector:
    matchLabels: {{- include "base.selector" (list $ctx $component) | nindent 6 }}
  template: {{- include "service.pod" (list $ctx $component $options) | nindent 4 }}
{{- end -}}
