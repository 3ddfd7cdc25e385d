{{/* Names, labels and images. Usage: include "service.<name>" $ctx (the context made by service.context) */}}

{{/* The root context with the library's defaults under the chart's own values. Usage: include "service.context" . | fromYaml gives the values */}}
{{- define "service.values" -}}
{{- mergeOverwrite (deepCopy (omit .Values.service "global")) (deepCopy (omit .Values "service")) | toYaml -}}
{{- end -}}

{{- define "service.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "service.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "service.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "service.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Selectors are immutable: name and instance, plus component where it is given; never the version. Usage: include "service.selector" (list $ctx "http") */}}
{{- define "service.selector" -}}
{{- $ctx := index . 0 -}}
app.kubernetes.io/name: {{ include "service.name" $ctx }}
app.kubernetes.io/instance: {{ $ctx.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Usage: include "service.labels" (list $ctx "http") */}}
{{- define "service.labels" -}}
{{- $ctx := index . 0 -}}
{{ include "service.selector" . }}
app.kubernetes.io/version: {{ include "service.version" $ctx | quote }}
app.kubernetes.io/part-of: slipway
app.kubernetes.io/managed-by: {{ $ctx.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $ctx.Chart.Name $ctx.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "service.tag" -}}
{{- .Values.image.tag | default ((.Values.global).imageTag) | default .Chart.AppVersion -}}
{{- end -}}

{{- define "service.version" -}}
{{- include "service.tag" . | trunc 63 -}}
{{- end -}}

{{- define "service.image" -}}
{{- $repository := .Values.image.repository | required "image.repository is not set: name the image of this service, for example registry.example.org/shop/orders" -}}
{{- $registry := (.Values.global).imageRegistry -}}
{{- if $registry }}{{ $repository = printf "%s/%s" (trimSuffix "/" $registry) $repository }}{{ end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (include "service.tag" .) -}}
{{- end -}}
{{- end -}}

{{- define "service.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "service.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "service.databaseSecretName" -}}
{{- $name := .Values.database.secretName | default (((.Values.global).database).secretName) -}}
{{- tpl ($name | required "database.secretName is not set: name the Secret that holds the PostgreSQL URL under the key database.secretKey") . -}}
{{- end -}}

{{- define "service.databaseSecretKey" -}}
{{- tpl ((((.Values.global).database).secretKey) | default .Values.database.secretKey) . -}}
{{- end -}}

{{/* Whose tokens are accepted: the chart's own values, else those of the umbrella chart. */}}
{{- define "service.issuer" -}}
{{- tpl (.Values.auth.issuer | default (((.Values.global).auth).issuer) | default "") . -}}
{{- end -}}

{{- define "service.audience" -}}
{{- tpl (.Values.auth.audience | default (((.Values.global).auth).audience) | default "") . -}}
{{- end -}}

{{- define "service.jwksUrl" -}}
{{- tpl (.Values.auth.jwksUrl | default (((.Values.global).auth).jwksUrl) | default "") . -}}
{{- end -}}

{{- define "service.bootstrapServers" -}}
{{- $servers := .Values.kafka.bootstrapServers | default (((.Values.global).kafka).bootstrapServers) -}}
{{- tpl ($servers | required "kafka.bootstrapServers is not set: name Kafka's brokers, for example kafka-bootstrap:9092") . -}}
{{- end -}}
