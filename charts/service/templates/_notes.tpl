{{/* What a person does next. Usage, the one line of a service's NOTES.txt: {{ include "service.notes" . }} */}}
{{- define "service.notes" -}}
{{- $ctx := dict "Values" (include "service.values" . | fromYaml) "Release" .Release "Chart" .Chart -}}
{{ .Chart.Name }} {{ include "base.version" $ctx }} is on its way. Watch it:
  {{ include "service.watch" . }}
{{- if or $ctx.Values.grpc.enabled (and $ctx.Values.http.enabled $ctx.Values.tests) }}
Then prove that it works:
  helm -n {{ .Release.Namespace }} test {{ .Release.Name }}
{{- end }}
{{- if and $ctx.Values.migration.enabled (not $ctx.Values.release.managed) }}
Pods that do not get ready wait for the schema. What its migration says, and, once the cause is mended, another try:
  kubectl -n {{ .Release.Namespace }} logs -l app.kubernetes.io/instance={{ .Release.Name }},app.kubernetes.io/name={{ include "base.name" $ctx }},app.kubernetes.io/component=migrate
  kubectl -n {{ .Release.Namespace }} delete job -l app.kubernetes.io/instance={{ .Release.Name }},app.kubernetes.io/name={{ include "base.name" $ctx }},app.kubernetes.io/component=migrate
  helm -n {{ .Release.Namespace }} upgrade {{ .Release.Name }} CHART --reset-then-reuse-values
{{- end }}
{{- end -}}
