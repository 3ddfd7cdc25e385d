{{/* Only where an eviction leaves a pod: with one replica a budget would block every node drain.
     Usage: include "base.pdb" (list $ctx COMPONENT NAME REPLICAS) */}}
{{- define "base.pdb" -}}
{{- $ctx := index . 0 -}}
{{- $component := index . 1 -}}
{{- $replicas := int (index . 3) -}}
{{- $budget := $ctx.Values.podDisruptionBudget | default dict -}}
{{- if and $budget.enabled (gt $replicas 1) }}
{{- $least := $budget.minAvailable }}
{{- $pods := int (trimSuffix "%" (toString ($least | default 0))) }}
{{- $share := hasSuffix "%" (toString $least) }}
{{- if and $share (ge (int (div (add (mul $pods $replicas) 99) 100)) $replicas) }}
{{- $least = sub $replicas 1 }}{{/* Kubernetes rounds up, and of so few that would be all of them: a share means to let one go */}}
{{- else if and (not $share) (ge (int $pods) $replicas) }}
{{- fail (printf "podDisruptionBudget.minAvailable is %s and %s of %s has %d pods: no eviction would be allowed, and no node be drained. Lower it, or set podDisruptionBudget.maxUnavailable" (include "base.text" (list $ctx $least)) $component $ctx.Chart.Name $replicas) }}
{{- end }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ index . 2 }}
  labels: {{- include "base.labels" (list $ctx $component) | nindent 4 }}
  {{- include "base.annotations" (list $ctx dict) | nindent 2 }}
spec:
  {{- if $least }}
  minAvailable: {{ ternary $least $pods $share }}
  {{- else }}
  maxUnavailable: {{ $budget.maxUnavailable | default 1 }}
  {{- end }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "base.selector" (list $ctx $component) | nindent 6 }}
{{- end }}
{{- end -}}
