{{- define "gateway.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "gateway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "gateway.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "gateway.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Selectors are immutable: never the version. Usage: include "gateway.selector" (list . "http") */}}
{{- define "gateway.selector" -}}
{{- $ctx := index . 0 -}}
app.kubernetes.io/name: {{ include "gateway.name" $ctx }}
app.kubernetes.io/instance: {{ $ctx.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Usage: include "gateway.labels" (list . "http") */}}
{{- define "gateway.labels" -}}
{{- $ctx := index . 0 -}}
{{ include "gateway.selector" . }}
app.kubernetes.io/version: {{ include "gateway.version" $ctx | quote }}
app.kubernetes.io/part-of: slipway
app.kubernetes.io/managed-by: {{ $ctx.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $ctx.Chart.Name $ctx.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "gateway.tag" -}}
{{- .Values.image.tag | default ((.Values.global).imageTag) | default .Chart.AppVersion -}}
{{- end -}}

{{- define "gateway.version" -}}
{{- include "gateway.tag" . | trunc 63 -}}
{{- end -}}

{{- define "gateway.image" -}}
{{- $repository := .Values.image.repository | required "image.repository is not set: name the gateway's image, for example registry.example.org/shop/gateway" -}}
{{- $registry := (.Values.global).imageRegistry -}}
{{- if $registry }}{{ $repository = printf "%s/%s" (trimSuffix "/" $registry) $repository }}{{ end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (include "gateway.tag" .) -}}
{{- end -}}
{{- end -}}

{{- define "gateway.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "gateway.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* What the restricted Pod Security Standard asks of a container. */}}
{{- define "gateway.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "gateway.restrictedPod" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

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
{{- include "gateway.fullname" . }}-tls
{{- else -}}
{{- tpl (.Values.tls.secretName | required "gateway.tls.enabled is set, and no certificate is named: set tls.issuerRef.name (cert-manager), tls.selfSigned (development) or tls.secretName") . -}}
{{- end -}}
{{- end -}}

{{/* Names in the certificate, as a YAML list. */}}
{{- define "gateway.tlsHosts" -}}
{{- $name := include "gateway.fullname" . -}}
{{- .Values.tls.hosts | default (list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace)) | toYaml -}}
{{- end -}}

{{- define "gateway.replicas" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicas .Values.autoscaling.enabled -}}
{{- end -}}

{{/* The port of a URL. Usage: include "gateway.urlPort" "http://otel-collector:4318" */}}
{{- define "gateway.urlPort" -}}
{{- $url := urlParse . -}}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (ternary "443" "80" (eq $url.scheme "https")) -}}
{{- end -}}
