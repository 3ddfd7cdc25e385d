{{/*
What a process needs to reach what is outside of the cluster: proxies, in the words that clients know in either case, and
authorities of one's own; a chart's values, else the global ones.
Usage: include "base.proxyEnv" (list $ctx EXTRA_ENV), items of `env`
*/}}
{{- define "base.proxyEnv" -}}
{{- $ctx := index . 0 -}}
{{- $extra := index . 1 -}}
{{- $proxy := include "base.proxy" $ctx | fromYaml -}}
{{- $words := dict -}}
{{- range $key, $word := dict "http" "HTTP_PROXY" "https" "HTTPS_PROXY" -}}
{{- with index $proxy $key }}{{ $_ := set $words $word (tpl . $ctx) }}{{ end -}}
{{- end -}}
{{- if $words -}}
{{- $near := list "localhost" "127.0.0.1" "::1" (printf ".%s" $ctx.Release.Namespace) ".svc" ".cluster.local" -}}
{{- range $proxy.except }}{{ $near = append $near (tpl . $ctx) }}{{ end -}}
{{- $_ := set $words "NO_PROXY" (join "," ($near | uniq)) -}}
{{- end -}}
{{- range $word, $value := $words }}
{{- range $name := list $word (lower $word) }}
{{- if not (hasKey $extra $name) }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Usage: include "base.authorityEnv" (list $ctx EXTRA_ENV) */}}
{{- define "base.authorityEnv" -}}
{{- if and (include "base.authority" (index . 0)) (not (hasKey (index . 1) "SSL_CERT_FILE")) }}
- {name: SSL_CERT_FILE, value: /etc/authority/ca.crt}
{{- end }}
{{- end -}}

{{/* The ConfigMap or Secret of authorities, as the source of a volume; empty: those of the image. */}}
{{- define "base.authority" -}}
{{- $mine := .Values.authority | default dict -}}
{{- $all := (.Values.global).authority | default dict -}}
{{- $set := ternary $mine $all (or (not (empty $mine.configMapName)) (not (empty $mine.secretName))) -}}
{{- $items := printf "items: [{key: %s, path: ca.crt}]" ($set.key | default "ca.crt") -}}
{{- if $set.configMapName -}}
configMap: {name: {{ tpl $set.configMapName . }}, {{ $items }}}
{{- else if $set.secretName -}}
secret: {secretName: {{ tpl $set.secretName . }}, {{ $items }}}
{{- end -}}
{{- end -}}

{{- define "base.authorityMount" -}}
{{- if include "base.authority" . }}
- {name: authority, mountPath: /etc/authority, readOnly: true}
{{- end }}
{{- end -}}

{{- define "base.authorityVolume" -}}
{{- with include "base.authority" . }}
- name: authority
  {{ . }}
{{- end }}
{{- end -}}

{{/* The chart's own words, and for those that it does not set the global ones. */}}
{{- define "base.proxy" -}}
{{- $proxy := deepCopy ((.Values.global).proxy | default dict) -}}
{{- range $name, $value := .Values.proxy }}{{ if $value }}{{ $_ := set $proxy $name $value }}{{ end }}{{ end -}}
{{- toYaml $proxy -}}
{{- end -}}

{{/* As JSON, empty where none is set. */}}
{{- define "base.proxyPorts" -}}
{{- $ports := list -}}
{{- $proxy := include "base.proxy" . | fromYaml -}}
{{- range list $proxy.http $proxy.https -}}
{{- if . }}{{ $ports = append $ports (include "base.urlPort" (tpl . $) | int) }}{{ end -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}
