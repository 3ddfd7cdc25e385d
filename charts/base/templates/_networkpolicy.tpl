{{/* Parts of NetworkPolicies: who may ask, which is everybody where networkPolicy.httpFrom names nobody. */}}
{{- define "base.callers" -}}
{{- with tpl (toYaml .Values.networkPolicy.httpFrom) . | fromYamlArray -}}
from:
{{ toYaml . }}
- podSelector: # helm test
    matchLabels: {{- include "base.selector" (list $ "test") | nindent 6 }}
{{- end -}}
{{- end -}}

{{/* Who may read metrics: any pod, unless networkPolicy.metricsFrom says more. */}}
{{- define "base.scrapers" -}}
from: {{- tpl (toYaml (.Values.networkPolicy.metricsFrom | default (list (dict "namespaceSelector" dict)))) . | nindent 0 }}
{{- end -}}

{{/* The port of a URL. Usage: include "base.urlPort" "http://otel-collector:4318" */}}
{{- define "base.urlPort" -}}
{{- $url := urlParse . -}}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (ternary "443" "80" (eq $url.scheme "https")) -}}
{{- end -}}

{{/* Whom names are asked of: port 53 of anybody, unless networkPolicy.dnsPorts and dnsTo say otherwise. Policies see the port of
     the pods, which need not be that of the Service (OpenShift: 5353). */}}
{{- define "base.names" -}}
- ports:
  {{- range .Values.networkPolicy.dnsPorts | default (list 53) }}
  - {port: {{ . }}, protocol: UDP}
  - {port: {{ . }}, protocol: TCP}
  {{- end }}
  {{- with tpl (toYaml .Values.networkPolicy.dnsTo) . | fromYamlArray }}
  to: {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
