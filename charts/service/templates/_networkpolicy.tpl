{{/* What may reach a process and what it may reach. Usage: include "service.networkpolicy" (list $ctx "http") */}}
{{- define "service.networkpolicy" -}}
{{- $ctx := index . 0 -}}
{{- $component := index . 1 -}}
{{- $policy := $ctx.Values.networkPolicy -}}
{{- if $policy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "service.fullname" $ctx }}-{{ $component }}
  labels: {{- include "service.labels" (list $ctx $component) | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "service.selector" (list $ctx $component) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
  {{- if eq $component "http" }}
  - ports:
    - {port: http, protocol: TCP}
    {{- with tpl (toYaml $policy.httpFrom) $ctx | fromYamlArray }}
    from: {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  - ports:
    - {port: admin, protocol: TCP}
    from: {{- tpl (toYaml ($policy.metricsFrom | default (list (dict "namespaceSelector" dict)))) $ctx | nindent 4 }}
  egress:
  - ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
  - ports:
    - {port: {{ $policy.databasePort }}, protocol: TCP}
    {{- with tpl (toYaml $policy.databaseTo) $ctx | fromYamlArray }}
    to: {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if ne $component "http" }}
  - ports:
    - {port: {{ $policy.kafkaPort }}, protocol: TCP}
    {{- with tpl (toYaml $policy.kafkaTo) $ctx | fromYamlArray }}
    to: {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end -}}
