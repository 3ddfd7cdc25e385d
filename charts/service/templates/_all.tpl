{{/* Every object of a service. Usage, the one line of a service's chart: {{ include "service.all" . }} */}}
{{- define "service.all" -}}
{{- $ctx := dict "Values" (include "service.values" . | fromYaml) "Release" .Release "Chart" .Chart "Capabilities" .Capabilities "Template" .Template "Files" .Files -}}
{{- include "service.worker.prepare" $ctx -}}
{{- $components := list -}}
{{- range ternary (list "http" "grpc" "worker") (list "http" "grpc" "consumer" "relay") $ctx.Values.worker.enabled -}}
{{- if (index $ctx.Values .).enabled }}{{ $components = append $components . }}{{ end -}}
{{- end -}}
{{ include "base.serviceaccount" $ctx }}
{{ include "service.configmap" $ctx }}
{{- $jobs := list -}}
{{- if $ctx.Values.migration.enabled }}{{ $jobs = append $jobs "migrate" }}{{ end -}}
{{- if $ctx.Values.backup.enabled }}{{ $jobs = append $jobs "backup" }}{{ end -}}
{{- range concat $components $jobs }}
{{ include "service.networkpolicy" (list $ctx .) }}
{{- end }}
{{ include "base.podmonitor" (list $ctx "admin") }}
{{ include "base.internalTlsCertificate" $ctx }}
{{ include "base.extraObjects" $ctx }}
{{ include "service.workloads" (list $ctx $components) }}
{{ include "service.backup" $ctx }}
{{- with include "service.serving" $ctx }}
{{ include "base.hpa" (list $ctx . (include "service.scaleTarget" $ctx)) }}
{{- end }}
{{ include "service.keda" $ctx }}
{{- if $ctx.Values.http.enabled }}
{{ include "base.tests.http" $ctx }}
{{- end }}
{{- if $ctx.Values.grpc.enabled }}
{{ include "base.tests" (list $ctx (printf "%s://%s-pods:%d" (ternary "grpcs" "grpc" (eq "true" (include "base.hasInternalTls" $ctx))) (include "base.fullname" $ctx) (int $ctx.Values.grpc.port)) (list "HEALTH / SERVING")) }}
{{- end }}
{{- end -}}
