{{/* `helm test`: asks the service through its Service and compares the answers' status. */}}
{{- define "service.tests" }}
---
apiVersion: v1
kind: Pod
metadata:
  name: {{ include "service.fullname" . }}-test
  labels: {{- include "service.labels" (list . "test") | nindent 4 }}
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
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    seccompProfile: {type: RuntimeDefault}
  containers:
  - name: test
    image: {{ include "service.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command: [python, -m, slipway_chassis.testing.ask, "http://{{ include "service.fullname" . }}"]
    args:
    {{- range .Values.tests }}
    - {{ printf "%s %s %d" (.method | default "GET") .path (int .status) | quote }}
    {{- end }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    resources:
      requests: {cpu: 10m, memory: 32Mi}
      limits: {memory: 128Mi}
{{- end -}}
