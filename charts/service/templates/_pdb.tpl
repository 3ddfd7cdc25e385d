{{/* Usage: include "service.pdb" (list $ctx "http"). Only where an eviction leaves a pod: with one replica a budget would block every node drain. */}}
{{- define "service.pdb" -}}
{{- $ctx := index . 0 -}}
{{- $component := index . 1 -}}
{{- $replicas := ternary $ctx.Values.autoscaling.minReplicas (index $ctx.Values $component).replicas (and $ctx.Values.autoscaling.enabled (eq $component "http")) -}}
{{- if and $ctx.Values.podDisruptionBudget.enabled (gt (int $replicas) 1) }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "service.fullname" $ctx }}{{ if ne $component "http" }}-{{ $component }}{{ end }}
  labels: {{- include "service.labels" (list $ctx $component) | nindent 4 }}
spec:
  maxUnavailable: {{ $ctx.Values.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "service.selector" (list $ctx $component) | nindent 6 }}
{{- end }}
{{- end -}}
