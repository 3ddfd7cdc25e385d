{{/* What `slipway gateway render` reads; strings in it may be templates. */}}
{{- define "gateway.settings" -}}
{{- $gateway := .Values.gateway -}}
{{- if ((.Values.tls).acme).enabled -}}
{{- $upstream := dict "address" (printf "%s-acme" (include "base.fullname" .)) "port" 8089 -}}
{{- $route := dict "prefix" "/.well-known/acme-challenge" "methods" (list "GET") "upstream" "acme" "public" true -}}
{{- $gateway = merge (dict "upstreams" (merge (dict "acme" $upstream) (.Values.gateway.upstreams | default dict)) "routes" (prepend (.Values.gateway.routes | default list) $route)) .Values.gateway -}}
{{- end -}}
{{- if include "base.hasInternalTls" . -}}
{{- $words := include "base.internalTlsWords" . | fromYaml -}}
{{- $tls := dict "enabled" true "caFile" $words.TLS_CA_FILE "certificateFile" $words.TLS_CERTIFICATE_FILE "keyFile" $words.TLS_KEY_FILE -}}
{{- $upstreams := dict -}}
{{- range $name, $upstream := $gateway.upstreams -}}
{{- $plain := or (and (eq $name "acme") (($.Values.tls).acme).enabled) (hasKey $upstream "tls") -}}
{{- /* The port is that of the Service, also where TLS has another one by default. */ -}}
{{- $_ := set $upstreams $name (ternary $upstream (merge (dict "tls" $tls) $upstream (dict "port" 80)) $plain) -}}
{{- end -}}
{{- $gateway = merge (dict "upstreams" $upstreams) $gateway -}}
{{- end -}}
gateway: {{- tpl (toYaml $gateway) . | nindent 2 }}
{{- end -}}

{{/* Descriptors of transcoded gRPC services, file: base64; empty without transcoding. */}}
{{- define "gateway.descriptors" -}}
{{- with .Values.gateway.transcode -}}
{{- $file := trimPrefix "/settings/" .descriptorFile -}}
{{- if and (ne $file .descriptorFile) (not (hasKey ($.Values.descriptors | default dict) $file)) -}}
{{- fail (printf "gateway.transcode.descriptorFile is %s, and descriptors has no %s: add it in base64, by --set-file for example" .descriptorFile $file) -}}
{{- end -}}
{{- range $name, $content := $.Values.descriptors }}
{{ $name }}: {{ tpl $content $ | nospace }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* The Secret with the certificate: cert-manager's, the chart's own, or one that exists. */}}
{{- define "gateway.tlsSecretName" -}}
{{- if or ((.Values.tls).issuerRef).name (.Values.tls).selfSigned -}}
{{- include "base.fullname" . }}-tls
{{- else -}}
{{- tpl (.Values.tls.secretName | required "gateway.tls.enabled is set, and no certificate is named: set tls.issuerRef.name (cert-manager), tls.selfSigned (development) or tls.secretName") . -}}
{{- end -}}
{{- end -}}

{{/* Names in the certificate, as a YAML list. */}}
{{- define "gateway.tlsHosts" -}}
{{- $name := include "base.fullname" . -}}
{{- tpl ((.Values.tls).hosts | default (list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace)) | toYaml) . -}}
{{- end -}}

{{- define "gateway.replicas" -}}
{{- if (.Values.autoscaling).enabled }}{{ .Values.autoscaling.minReplicas }}{{ else }}{{ .Values.replicas }}{{ end -}}
{{- end -}}
