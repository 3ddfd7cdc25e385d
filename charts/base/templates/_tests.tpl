{{/* `helm test`: asks through the Service and compares what is answered. Usage: include "base.tests" (list $ctx URL QUESTIONS) */}}
{{- define "base.tests" }}
{{- $url := index . 1 }}
{{- $questions := index . 2 }}
{{- with ternary (index . 0) dict (not (empty $questions)) }}
{{- $words := dict }}{{/* the gateway is asked from outside of it */}}
{{- if not .Values.gateway }}{{ $words = omit (include "base.internalTlsWords" . | fromYaml) "TLS_CALLERS" }}{{ end }}
---
apiVersion: v1
kind: Pod
metadata:
  name: {{ include "base.fullname" . }}-test{{ if hasPrefix "grpc" $url }}-grpc{{ end }}
  labels: {{- include "base.labels" (list . "test") | nindent 4 }}
  {{- include "base.annotations" (list . (dict "helm.sh/hook" "test" "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded")) | nindent 2 }}
spec:
  restartPolicy: Never
  serviceAccountName: {{ include "base.serviceAccountName" . }}
  automountServiceAccountToken: false
  {{- include "base.pod" (list . dict) | nindent 2 }}
  containers:
  - name: test
    image: {{ include "base.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command: [python, -m, slipway_chassis.testing.ask, {{ $url | quote }}]
    args: {{- toYaml $questions | nindent 4 }}
    {{- if $words }}
    env:
    {{- range $name, $value := $words }}
    - {name: {{ $name }}, value: {{ $value }}}
    {{- end }}
    volumeMounts: {{- include "base.internalTlsMount" . | nindent 4 }}
    {{- end }}
    securityContext: {{- include "base.restricted" . | nindent 6 }}
    resources:
      requests: {cpu: 10m, memory: 32Mi}
      limits: {memory: 128Mi}
  {{- if $words }}
  volumes: {{- include "base.internalTlsVolume" . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Through HTTP, or HTTPS where that alone serves, what values name. */}}
{{- define "base.tests.http" }}
{{- $questions := list }}
{{- range .Values.tests }}
{{- $questions = append $questions (printf "%s %s %d" (.method | default "GET") .path (int .status)) }}
{{- end }}
{{- $tls := (.Values.gateway | default dict).tls | default dict }}
{{- $inside := and (include "base.hasInternalTls" .) (not .Values.gateway) }}
{{- $scheme := ternary "https" "http" (or (not (empty $inside)) (and $tls.enabled $tls.redirect | default false)) }}
{{- $port := ternary (printf ":%d" (int (.Values.http).servicePort)) (include "base.tests.port" .) (not (empty $inside)) }}
{{- include "base.tests" (list . (printf "%s://%s%s" $scheme (include "base.fullname" .) $port) $questions) }}
{{- end -}}

{{/* Of the Service, where it is not that of the scheme. */}}
{{- define "base.tests.port" -}}
{{- with (.Values.http).servicePort }}{{ if ne (int .) 80 }}:{{ int . }}{{ end }}{{ end -}}
{{- end -}}
