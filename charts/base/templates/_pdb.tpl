{{/* Only where an eviction leaves a pod: with one replica a budget would block every node drain.
     Usage: include "base.pdb" (list $ctx COMPONENT NAME REPLICAS) */}}
{{- define "base.pdb" -}}
{{- $ctx := index . 0 -}}
{{- $component := index . 1 -}}
{{- if and $ctx.Values.podDisruptionBudget.enabled (gt (int (index . 3)) 1) }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ index . 2 }}
  labels: {{- include "base.labels" (list $ctx $component) | nindent 4 }}
spec:
  maxUnavailable: {{ $ctx.Values.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "base.selector" (list $ctx $component) | nindent 6 }}
{{- end }}
{{- end -}}
