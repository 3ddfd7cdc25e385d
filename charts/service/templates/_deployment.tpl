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
  {{- include "base.annotations" (list $ctx dict) | nindent 2 }}
spec:
  {{- if and $ctx.Values.autoscaling.enabled (eq $component (include "service.serving" $ctx)) }}
  {{- include "base.liveReplicas" (list $ctx "apps/v1" "Deployment" (printf "%s-%s" (include "base.fullname" $ctx) $component)) | indent 2 }}
  {{- else if and (not (kindIs "invalid" $options.replicas)) (ne $component (include "service.keda.component" $ctx)) }}
  replicas: {{ $options.replicas }}
  {{- end }}
  {{- include "base.deploymentSpec" (list $ctx $ctx.Values.release.progressDeadlineSeconds) | nindent 2 }}
  selector:
    matchLabels: {{- include "base.selector" (list $ctx $component) | nindent 6 }}
  template: {{- include "service.pod" (list $ctx $component $options) | nindent 4 }}
{{- end -}}
