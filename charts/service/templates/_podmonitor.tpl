{{/* All processes of a service, workers included, which have no Service. Usage: include "service.podmonitor" $ctx */}}
{{- define "service.podmonitor" -}}
{{- with .Values.podMonitor }}
{{- if .enabled }}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ include "base.fullname" $ }}
  labels:
    {{- include "base.labels" (list $ "metrics") | nindent 4 }}
    {{- with .labels }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  selector:
    matchLabels:
      app.kubernetes.io/name: {{ include "base.name" $ }}
      app.kubernetes.io/instance: {{ $.Release.Name }}
  podTargetLabels:
  - app.kubernetes.io/name
  - app.kubernetes.io/component
  - app.kubernetes.io/version
  # Gates of type analysis tell versions apart by these two.
  - slipway.dev/microservice
  - slipway.dev/version
  podMetricsEndpoints:
  - {port: admin, path: /metrics, interval: {{ .interval }}}
{{- end }}
{{- end }}
{{- end -}}
