{{/* Usage: include "platform.labels" (list . "keys") */}}
{{- define "platform.labels" -}}
{{- $ctx := index . 0 -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ $ctx.Release.Name | quote }}
app.kubernetes.io/part-of: slipway
app.kubernetes.io/managed-by: {{ $ctx.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $ctx.Chart.Name $ctx.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Whether the data go with the release: anything but empty. */}}
{{- define "platform.ownDatabase" -}}
{{- $databases := index .Values "dev-databases" -}}
{{- if and $databases.enabled $databases.postgresql.enabled }}yes{{ end -}}
{{- end -}}

{{/*
Parts find each other by RELEASE-CHART. A release that has a chart's name in its own would give that chart the name of
the release alone, as Helm's convention is, and a long one a name that is cut.
*/}}
{{- define "platform.check" -}}
{{- range list "users" "orders" "inventory" "storefront" "gateway" -}}
{{- if contains . $.Release.Name -}}
{{- fail (printf "the release is called %q, and %s is the name of a part of it: parts would not find each other. Choose another name, shop for example" $.Release.Name .) -}}
{{- end -}}
{{- end -}}
{{- range $part := list "users" "orders" "inventory" "storefront" "gateway" -}}
{{- range $key := list "nameOverride" "fullnameOverride" -}}
{{- if index $.Values $part $key -}}
{{- fail (printf "%s.%s is set, and other parts of the platform find %s by its own name: remove it" $part $key $part) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if .Values.gateway.enabled -}}
{{- range $part := list "users" "orders" "storefront" -}}
{{- $port := dig "http" "port" 8000 (index $.Values $part) | int -}}
{{- $let := list -}}
{{- range $.Values.gateway.networkPolicy.upstreamPodPorts }}{{ $let = append $let (int .) }}{{ end -}}
{{- if not (has $port $let) -}}
{{- fail (printf "%s.http.port is %d, and policies keep the gateway from it: add it to gateway.networkPolicy.upstreamPodPorts%s" $part $port (ternary ", and set networkPolicy.issuerPort of all services to it" "" (eq $part "users"))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if gt (len .Release.Name) 29 -}}
{{- fail (printf "the release is called %q, and names of its parts would be too long: choose one of 29 characters at most" .Release.Name) -}}
{{- end -}}
{{- end -}}
