{{/* `helm test`: asks through the Service and compares the answers' status. */}}
{{- define "base.tests" }}
---
apiVersion: v1
kind: Pod
metadata:
  name: {{ include "base.fullname" . }}-test
  labels: {{- include "base.labels" (list . "test") | nindent 4 }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext: {{- include "base.restrictedPod" . | nindent 4 }}
  containers:
  - name: test
    image: {{ include "base.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command: [python, -m, slipway_chassis.testing.ask, "http://{{ include "base.fullname" . }}"]
    args:
    {{- range .Values.tests }}
    - {{ printf "%s %s %d" (.method | default "GET") .path (int .status) | quote }}
    {{- end }}
    securityContext: {{- include "base.restricted" . | nindent 6 }}
    resources:
      requests: {cpu: 10m, memory: 32Mi}
      limits: {memory: 128Mi}
{{- end -}}
