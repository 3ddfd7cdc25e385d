{{/* Usage: include "base.hpa" (list $ctx COMPONENT TARGET), a scaleTargetRef as YAML */}}
{{- define "base.hpa" -}}
{{- with index . 0 }}
{{- if (.Values.autoscaling).enabled }}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) }}
{{- fail (printf "autoscaling.minReplicas of %s is %d and autoscaling.maxReplicas is %d: raise the one or lower the other" .Chart.Name (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- end }}
{{- if not (or .Values.autoscaling.targetCPUUtilizationPercentage .Values.autoscaling.metrics) }}
{{- fail (printf "autoscaling.enabled of %s is true, and nothing says by what: set autoscaling.targetCPUUtilizationPercentage or autoscaling.metrics" .Chart.Name) }}
{{- end }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "base.fullname" . }}
  labels: {{- include "base.labels" (list . (index $ 1)) | nindent 4 }}
  {{- include "base.annotations" (list . dict) | nindent 2 }}
spec:
  scaleTargetRef: {{- index $ 2 | nindent 4 }}
  minReplicas: {{ .Values.autoscaling.minReplicas }}
  maxReplicas: {{ .Values.autoscaling.maxReplicas }}
  metrics:
  {{- with .Values.autoscaling.targetCPUUtilizationPercentage }}
  - type: Resource
    resource:
      name: cpu
      target: {type: Utilization, averageUtilization: {{ . }}}
  {{- end }}
  {{- with .Values.autoscaling.metrics }}
  {{- tpl (toYaml .) (index $ 0) | nindent 2 }}
  {{- end }}
  {{- with .Values.autoscaling.behavior }}
  behavior: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
Where an autoscaler sets the number of pods, an upgrade states the one that is there, within the autoscaler's bounds: what
states none any more falls to one pod until the autoscaler looks again. Without a cluster to ask nothing is stated.
Usage: include "base.liveReplicas" (list $ctx API_VERSION KIND NAME)
*/}}
{{- define "base.liveReplicas" -}}
{{- $ctx := index . 0 -}}
{{- with lookup (index . 1) (index . 2) $ctx.Release.Namespace (index . 3) }}
replicas: {{ max (int .spec.replicas) (int $ctx.Values.autoscaling.minReplicas) }}
{{- end }}
{{- end -}}
