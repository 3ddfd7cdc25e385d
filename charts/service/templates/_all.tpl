{{/* Every object of a service. Usage, the one line of a service's chart: {{ include "service.all" . }} */}}
{{- define "service.all" -}}
{{- $ctx := dict "Values" (include "service.values" . | fromYaml) "Release" .Release "Chart" .Chart "Capabilities" .Capabilities "Template" .Template "Files" .Files -}}
{{- $components := list -}}
{{- range list "http" "grpc" "consumer" "relay" -}}
{{- if (index $ctx.Values .).enabled }}{{ $components = append $components . }}{{ end -}}
{{- end -}}
{{ include "service.serviceaccount" $ctx }}
{{ include "service.configmap" $ctx }}
{{- range $components }}
{{ include "service.deployment" (list $ctx .) }}
{{ include "service.networkpolicy" (list $ctx .) }}
{{- end }}
{{- range list "http" "grpc" }}
{{- if (index $ctx.Values .).enabled }}
{{ include "service.pdb" (list $ctx .) }}
{{- end }}
{{- end }}
{{- if $ctx.Values.http.enabled }}
{{ include "service.service" $ctx }}
{{ include "service.hpa" $ctx }}
{{ include "service.tests" $ctx }}
{{- end }}
{{- if $ctx.Values.grpc.enabled }}
{{ include "service.pods" $ctx }}
{{- end }}
{{ include "service.migration-job" $ctx }}
{{- end -}}
