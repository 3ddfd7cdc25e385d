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
  labels:
    {{- include "base.labels" (list $ctx "metrics") | nindent 4 }}
    {{- with .labels }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  selector:
    matchLabels:
      app.kubernetes.io/name: {{ include "base.name" $ctx }}
      app.kubernetes.io/instance: {{ $ctx.Release.Name }}
  podTargetLabels:
  - app.kubernetes.io/name
  - app.kubernetes.io/component
  - app.kubernetes.io/version
  # Gates of type analysis tell versions apart by these two.
  - slipway.dev/microservice
  - slipway.dev/version
  podMetricsEndpoints:
  - {port: {{ .port | default (index $ 1) }}, path: {{ .path | default "/metrics" }}, interval: {{ .interval }}}
{{- end }}
{{- end }}
{{- end -}}
