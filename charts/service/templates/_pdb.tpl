{{/* Usage: include "service.pdb" (list $ctx "http") */}}
{{- define "service.pdb" -}}
{{- $ctx := index . 0 -}}
{{- $component := index . 1 -}}
{{- $replicas := ternary $ctx.Values.autoscaling.minReplicas (index $ctx.Values $component).replicas (and $ctx.Values.autoscaling.enabled (eq $component "http")) -}}
{{- $name := printf "%s%s" (include "base.fullname" $ctx) (ternary "" (printf "-%s" $component) (eq $component "http")) -}}
{{ include "base.pdb" (list $ctx $component $name $replicas) }}
{{- end -}}
