{{/* Usage: include "service.pdb" (list $ctx "http") */}}
{{- define "service.pdb" -}}
{{- $ctx := index . 0 -}}
{{- $component := index . 1 -}}
{{- $scaled := and $ctx.Values.autoscaling.enabled (eq $component (include "service.serving" $ctx)) -}}
{{- $replicas := ternary $ctx.Values.autoscaling.minReplicas (index $ctx.Values $component).replicas $scaled -}}
{{- if eq $component (include "service.keda.component" $ctx) }}{{ $replicas = $ctx.Values.keda.minReplicas }}{{ end -}}
{{- $name := printf "%s%s" (include "base.fullname" $ctx) (ternary "" (printf "-%s" $component) (eq $component "http")) -}}
{{ include "base.pdb" (list $ctx $component $name ($replicas | default 0)) }}
{{- end -}}
