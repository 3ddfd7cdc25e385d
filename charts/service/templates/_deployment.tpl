{{/* Usage: include "service.deployment" (list $ctx "http") */}}
{{- define "service.deployment" }}
{{- $ctx := index . 0 -}}
{{- $component := index . 1 -}}
{{- $options := index $ctx.Values $component }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "service.fullname" $ctx }}-{{ $component }}
  labels: {{- include "service.labels" (list $ctx $component) | nindent 4 }}
spec:
  {{- if not (and (eq $component "http") $ctx.Values.autoscaling.enabled) }}
  replicas: {{ $options.replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  progressDeadlineSeconds: 300
  strategy: {{- include "service.strategy" . | nindent 4 }}
  selector:
    matchLabels: {{- include "service.selector" (list $ctx $component) | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "service.labels" (list $ctx $component) | nindent 8 }}
        {{- with $ctx.Values.podLabels }}{{ toYaml . | nindent 8 }}{{ end }}
      annotations:
        checksum/config: {{ include "service.settings" $ctx | sha256sum }}
        {{- with $ctx.Values.podAnnotations }}{{ toYaml . | nindent 8 }}{{ end }}
    spec:
      {{- include "service.podspec" (list $ctx $component $options) | nindent 6 }}
      topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: kubernetes.io/hostname
        whenUnsatisfiable: ScheduleAnyway
        labelSelector:
          matchLabels: {{- include "service.selector" (list $ctx $component) | nindent 12 }}
{{- end -}}
