{{/* `helm test`: asks through the Service and compares what is answered. Usage: include "base.tests" (list $ctx URL QUESTIONS) */}}
{{- define "base.tests" }}
{{- $url := index . 1 }}
{{- $questions := index . 2 }}
{{- with ternary (index . 0) dict (not (empty $questions)) }}
---
apiVersion: v1
kind: Pod
metadata:
  name: {{ include "base.fullname" . }}-test{{ if hasPrefix "grpc" $url }}-grpc{{ end }}
  labels: {{- include "base.labels" (list . "test") | nindent 4 }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
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
    securityContext: {{- include "base.restricted" . | nindent 6 }}
    resources:
      requests: {cpu: 10m, memory: 32Mi}
      limits: {memory: 128Mi}
{{- end }}
{{- end -}}

{{/* Through HTTP, or HTTPS where that alone serves, what values name. */}}
{{- define "base.tests.http" }}
{{- $questions := list }}
{{- range .Values.tests }}
{{- $questions = append $questions (printf "%s %s %d" (.method | default "GET") .path (int .status)) }}
{{- end }}
{{- $tls := (.Values.gateway | default dict).tls | default dict }}
{{- $scheme := ternary "https" "http" (and $tls.enabled $tls.redirect | default false) }}
{{- include "base.tests" (list . (printf "%s://%s%s" $scheme (include "base.fullname" .) (include "base.tests.port" .)) $questions) }}
{{- end -}}

{{/* Of the Service, where it is not that of the scheme. */}}
{{- define "base.tests.port" -}}
{{- with (.Values.http).servicePort }}{{ if ne (int .) 80 }}:{{ int . }}{{ end }}{{ end -}}
{{- end -}}
