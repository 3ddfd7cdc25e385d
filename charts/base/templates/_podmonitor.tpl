{{/* All pods of a chart, workers included, which have no Service. Usage: include "base.podmonitor" (list $ctx PORT) */}}
{{- define "base.podmonitor" -}}
{{- $ctx := index . 0 -}}
{{- with $ctx.Values.podMonitor }}
{{- if .enabled }}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ include "base.fullname" $ctx }}
  labels: {{- include "base.labelsWith" (list $ctx "metrics" .labels) | nindent 4 }}
  {{- include "base.annotations" (list $ctx dict) | nindent 2 }}
spec:
  selector:
    matchLabels:
      app.kubernetes.io/name: {{ include "base.name" $ctx | quote }}
      app.kubernetes.io/instance: {{ $ctx.Release.Name | quote }}
  podTargetLabels:
  - app.kubernetes.io/name
  - app.kubernetes.io/component
  - app.kubernetes.io/version
  # Gates of type analysis tell versions apart by these two.
  - slipway.dev/microservice
  - slipway.dev/version
  podMetricsEndpoints:
  {{- $own := dict "port" (.port | default (index $ 1)) "path" (.path | default "/metrics") "interval" (.interval | default "15s") }}
  - {{- merge (dict) (.endpoint | default dict) $own | toYaml | nindent 4 }}
{{- end }}
{{- end }}
{{- end -}}
