{{/* Usage: include "base.hpa" (list $ctx COMPONENT TARGET), a scaleTargetRef as YAML */}}
{{- define "base.hpa" -}}
{{- with index . 0 }}
{{- if .Values.autoscaling.enabled }}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) }}
{{- fail (printf "autoscaling.minReplicas of %s is %d and autoscaling.maxReplicas is %d: raise the one or lower the other" .Chart.Name (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- end }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "base.fullname" . }}
  labels: {{- include "base.labels" (list . (index $ 1)) | nindent 4 }}
spec:
  scaleTargetRef: {{- index $ 2 | nindent 4 }}
  minReplicas: {{ .Values.autoscaling.minReplicas }}
  maxReplicas: {{ .Values.autoscaling.maxReplicas }}
  metrics:
  - type: Resource
    resource:
      name: cpu
      target: {type: Utilization, averageUtilization: {{ .Values.autoscaling.targetCPUUtilizationPercentage }}}
  {{- with .Values.autoscaling.behavior }}
  behavior: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
Where an autoscaler sets the number of pods, an upgrade states the one that is there: a Deployment that states none any
more falls to one pod, and stays there until the autoscaler looks again. Without a cluster to ask nothing is stated.
Usage: include "base.liveReplicas" (list $ctx NAME), the name of the Deployment
*/}}
{{- define "base.liveReplicas" -}}
{{- with lookup "apps/v1" "Deployment" (index . 0).Release.Namespace (index . 1) }}
replicas: {{ .spec.replicas }}
{{- end }}
{{- end -}}
