{{/*
TLS between services (docs/security.md): a chart's internalTls, and for what it does not set the global one. Each takes a
chart's context. Files are those of a Secret as cert-manager writes it: tls.crt, tls.key and ca.crt.
*/}}
{{- define "base.internalTls" -}}
{{- $set := deepCopy ((.Values.global).internalTls | default dict) -}}
{{- $mine := .Values.internalTls | default dict -}}
{{- range $name, $_ := $set -}}
{{- if not (has $name (list "enabled" "issuerRef" "secretName" "callers")) -}}
{{- fail (printf "global.internalTls.%s is not known, so what it is meant to set would be open: it has enabled, issuerRef, secretName and callers" $name) -}}
{{- end -}}
{{- end -}}
{{- if $mine.secretName }}{{ $_ := unset $set "issuerRef" }}{{ end -}}{{/* of one's own, in place of the issuer of all */}}
{{- range $name, $value := $mine -}}
{{- if kindIs "map" $value -}}
{{- if $value.name }}{{ $_ := set $set $name $value }}{{ end -}}
{{- else if or $value (kindIs "bool" $value) (kindIs "slice" $value) -}}
{{- $_ := set $set $name $value -}}
{{- end -}}
{{- end -}}
{{- if not (or (kindIs "bool" $set.enabled) (kindIs "invalid" $set.enabled)) -}}
{{- fail (printf "internalTls.enabled is the text %q: it is true or false, without quotes" (toString $set.enabled)) -}}
{{- end -}}
{{- if and $mine.callers (not $set.enabled) -}}
{{- fail "internalTls.callers is set, and internalTls.enabled is not: nobody would be asked for a certificate" -}}
{{- end -}}
{{- toYaml $set -}}
{{- end -}}

{{- define "base.hasInternalTls" -}}
{{- if (include "base.internalTls" . | fromYaml).enabled }}true{{ end -}}
{{- end -}}

{{/* The address of a service inside, by the name of its Service. Usage: include "base.insideUrl" (list $ctx NAME) */}}
{{- define "base.insideUrl" -}}
{{- if include "base.hasInternalTls" (index . 0) -}}
https://{{ index . 1 }}:80
{{- else -}}
http://{{ index . 1 }}
{{- end -}}
{{- end -}}

{{/* The same of gRPC. Usage: include "base.insideTarget" (list $ctx HOST:PORT) */}}
{{- define "base.insideTarget" -}}
{{- if include "base.hasInternalTls" (index . 0) }}https://{{ end }}{{ index . 1 -}}
{{- end -}}

{{- define "base.internalTlsSecretName" -}}
{{- $set := include "base.internalTls" . | fromYaml -}}
{{- if ($set.issuerRef).name -}}
{{ include "base.fullname" . }}-internal-tls
{{- else -}}
{{- tpl ($set.secretName | required "internalTls.enabled is set, and no certificate is named: set internalTls.issuerRef.name (cert-manager) or internalTls.secretName") . -}}
{{- end -}}
{{- end -}}

{{/* What the chassis reads; who asks itself (`helm test`) may. */}}
{{- define "base.internalTlsWords" -}}
{{- if include "base.hasInternalTls" . -}}
TLS_CERTIFICATE_FILE: /etc/internal-tls/tls.crt
TLS_KEY_FILE: /etc/internal-tls/tls.key
TLS_CA_FILE: /etc/internal-tls/ca.crt
{{- $callers := list }}
{{- range (include "base.internalTls" . | fromYaml).callers }}{{ $callers = append $callers (tpl . $) }}{{ end }}
{{- if $callers }}
TLS_CALLERS: {{ append $callers (include "base.fullname" .) | uniq | join "," | quote }}
{{- end }}
{{- end -}}
{{- end -}}

{{- define "base.internalTlsMount" -}}
{{- if include "base.hasInternalTls" . }}
- {name: internal-tls, mountPath: /etc/internal-tls, readOnly: true}
{{- end }}
{{- end -}}

{{- define "base.internalTlsVolume" -}}
{{- if include "base.hasInternalTls" . }}
- name: internal-tls
  secret: {secretName: {{ include "base.internalTlsSecretName" . }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{/* Asked of cert-manager, for all names by which the service is called. */}}
{{- define "base.internalTlsCertificate" }}
{{- $set := include "base.internalTls" . | fromYaml }}
{{- if and $set.enabled ($set.issuerRef).name }}
{{- $names := list }}
{{- range list "" "-pods" "-preview" }}
{{- $name := printf "%s%s" (include "base.fullname" $) . }}
{{- $inside := printf "%s.%s" $name $.Release.Namespace }}
{{- $names = concat $names (list $name $inside (printf "%s.svc" $inside) (printf "%s.svc.cluster.local" $inside)) }}
{{- end }}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: {{ include "base.fullname" . }}-internal
  labels: {{- include "base.labels" (list . "tls") | nindent 4 }}
  {{- include "base.annotations" (list . dict) | nindent 2 }}
spec:
  secretName: {{ include "base.internalTlsSecretName" . }}
  dnsNames: {{- toYaml $names | nindent 2 }}
  privateKey: {algorithm: ECDSA, size: 256, rotationPolicy: Always}
  usages: [digital signature, server auth, client auth]
  issuerRef:
    name: {{ tpl $set.issuerRef.name . }}
    kind: {{ $set.issuerRef.kind | default "Issuer" }}
    group: {{ $set.issuerRef.group | default "cert-manager.io" }}
{{- end }}
{{- end -}}
