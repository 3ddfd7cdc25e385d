{{/* What `slipway gateway render` reads; strings in it may be templates. */}}
{{- define "gateway.settings" -}}
gateway: {{- tpl (toYaml .Values.gateway) . | nindent 2 }}
{{- end -}}

{{/* The descriptor of the transcoded gRPC services, base64; empty without transcoding. */}}
{{- define "gateway.descriptor" -}}
{{- if .Values.gateway.transcode -}}
{{- .Files.Get "files/inventory.binpb" | required "gateway.transcode is set, and this chart has no files/inventory.binpb: make generate writes it; or set gateway.transcode to null" | b64enc -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the certificate: cert-manager's, the chart's own, or one that exists. */}}
{{- define "gateway.tlsSecretName" -}}
{{- if or .Values.tls.issuerRef.name .Values.tls.selfSigned -}}
{{- include "base.fullname" . }}-tls
{{- else -}}
{{- tpl (.Values.tls.secretName | required "gateway.tls.enabled is set, and no certificate is named: set tls.issuerRef.name (cert-manager), tls.selfSigned (development) or tls.secretName") . -}}
{{- end -}}
{{- end -}}

{{/* Names in the certificate, as a YAML list. */}}
{{- define "gateway.tlsHosts" -}}
{{- $name := include "base.fullname" . -}}
{{- .Values.tls.hosts | default (list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace)) | toYaml -}}
{{- end -}}

{{- define "gateway.replicas" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicas .Values.autoscaling.enabled -}}
{{- end -}}
