{{/* Only where an eviction leaves a pod: with one replica a budget would block every node drain. */}}
{{- define "service.pdb" -}}
{{- $replicas := ternary .Values.autoscaling.minReplicas .Values.http.replicas .Values.autoscaling.enabled -}}
{{- if and .Values.podDisruptionBudget.enabled (gt (int $replicas) 1) }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "service.fullname" . }}
  labels: {{- include "service.labels" (list . "http") | nindent 4 }}
spec:
  maxUnavailable: {{ .Values.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "service.selector" (list . "http") | nindent 6 }}
{{- end }}
{{- end -}}
