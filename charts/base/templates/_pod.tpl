{{/* What the restricted Pod Security Standard asks of a container. */}}
{{- define "base.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* And of a pod: the user is that of our images. */}}
{{- define "base.restrictedPod" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* What all pods take from values: pull secrets, priority and nodes. Usage: include "base.pod" $ctx */}}
{{- define "base.pod" -}}
enableServiceLinks: false # variables like ORDERS_PORT would be taken for settings
securityContext: {{- include "base.restrictedPod" . | nindent 2 }}
{{- with concat (.Values.imagePullSecrets | default list) ((.Values.global).imagePullSecrets | default list) | uniq }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Over nodes, and over zones where there are several. Usage: include "base.spread" (list $ctx COMPONENT) */}}
{{- define "base.spread" -}}
topologySpreadConstraints:
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "base.selector" $ | nindent 6 }}
{{- end }}
{{- end -}}

{{/* Liveness asks no dependency. Usage: include "base.probes" "admin", the name of the port */}}
{{- define "base.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: {{ . }}}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: {{ . }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: {{ . }}}
  periodSeconds: 2
  timeoutSeconds: 6
  failureThreshold: 2
{{- end -}}
