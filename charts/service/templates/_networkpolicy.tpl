{{/* What may reach a process and what it may reach. Usage: include "service.networkpolicy" (list $ctx "http") */}}
{{- define "service.networkpolicy" -}}
{{- $ctx := index . 0 -}}
{{- $component := index . 1 -}}
{{- $policy := $ctx.Values.networkPolicy | default dict -}}
{{- $isJob := has $component (list "migrate" "backup") -}}
{{- if $policy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "base.fullname" $ctx }}-{{ $component }}
  labels: {{- include "base.labels" (list $ctx $component) | nindent 4 }}
  {{- include "base.annotations" (list $ctx dict) | nindent 2 }}
spec:
  podSelector:
    matchLabels: {{- include "base.selector" (list $ctx $component) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress: {{- if or $isJob (not (or (has $component (list "http" "grpc")) $ctx.Values.adminPort $policy.extraIngress)) }} []{{ end }}
  {{- if has $component (list "http" "grpc") }}
  - ports:
    - {port: {{ $component }}, protocol: TCP}
    {{- with include "base.callers" $ctx }}{{ . | nindent 4 }}{{ end }}
  {{- end }}
  {{- if and (not $isJob) $ctx.Values.adminPort }}
  - ports:
    - {port: admin, protocol: TCP}
    {{- include "base.scrapers" $ctx | nindent 4 }}
  {{- end }}
  {{- if not $isJob }}
  {{- with $policy.extraIngress }}
  {{- tpl (toYaml .) $ctx | nindent 2 }}
  {{- end }}
  {{- end }}
  egress:
  {{- include "base.names" $ctx | nindent 2 }}
  {{- if $ctx.Values.database.enabled }}
  - ports:
    {{- range $policy.databasePort | list | compact | default (include "service.databasePorts" $ctx | fromJsonArray) }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
    {{- with tpl (toYaml $policy.databaseTo) $ctx | fromYamlArray }}
    to: {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  {{- if or (has $component (list "consumer" "relay" "worker")) (and (eq $component "backup") (include "service.backup.group" $ctx)) }}
  - ports:
    {{- range $policy.kafkaPort | list | compact | default (include "service.kafkaPorts" $ctx | fromJsonArray) }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
    {{- with tpl (toYaml $policy.kafkaTo) $ctx | fromYamlArray }}
    to: {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  {{- $issuer := include "service.jwksUrl" $ctx | default (include "service.issuer" $ctx) }}
  {{- range $url, $peers := dict $issuer (list $policy.issuerTo $policy.issuerPort) (tpl ($ctx.Values.telemetry.otlpEndpoint | default "") $ctx) (list $policy.telemetryTo nil) }}
  {{- if and $url (or (ne $url $issuer) (has $component (list "http" "grpc"))) }}
  - ports:
    - {port: {{ index $peers 1 | default (include "base.urlPort" $url) }}, protocol: TCP}
    {{- with tpl (toYaml (index $peers 0)) $ctx | fromYamlArray }}
    to: {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  {{- end }}
  {{- with include "base.proxyPorts" $ctx | fromJsonArray }}
  {{- if not $isJob }}
  - ports:
    {{- range . }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
    {{- with tpl (toYaml $policy.proxyTo) $ctx | fromYamlArray }}
    to: {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  {{- end }}
  {{- with $policy.extraEgress }}
  {{- tpl (toYaml .) $ctx | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Of the brokers' addresses, as JSON. */}}
{{- define "service.kafkaPorts" -}}
{{- $ports := list -}}
{{- range regexFindAll ":[0-9]+(,|$)" (include "service.bootstrapServers" . | nospace) -1 -}}
{{- $ports = append $ports (. | trimSuffix "," | trimPrefix ":" | int) -}}
{{- end -}}
{{- $ports | uniq | default (list 9092) | toJson -}}
{{- end -}}

{{/* Of database.hosts, as JSON; of an address in a Secret nothing is known. */}}
{{- define "service.databasePorts" -}}
{{- $ports := list -}}
{{- range .Values.database.hosts -}}
{{- $ports = append $ports (regexFind "[0-9]+$" (regexFind ":[0-9]+$" (regexReplaceAll "^\\[[^]]*\\]" (tpl . $) "")) | default "5432" | int) -}}
{{- end -}}
{{- $ports | uniq | default (list 5432) | toJson -}}
{{- end -}}
