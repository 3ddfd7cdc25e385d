{{/* Usage: include "devDatabases.labels" (list . "postgresql") */}}
{{- define "devDatabases.selector" -}}
{{- $ctx := index . 0 -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ $ctx.Release.Name }}
{{- end -}}

{{- define "devDatabases.labels" -}}
{{- $ctx := index . 0 -}}
{{ include "devDatabases.selector" . }}
app.kubernetes.io/part-of: slipway
app.kubernetes.io/managed-by: {{ $ctx.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $ctx.Chart.Name $ctx.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Where pods run and what pulls their images. Usage: include "devDatabases.pod" (list $ctx UID) */}}
{{- define "devDatabases.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false # KAFKA_PORT would be taken for a setting by the image
securityContext:
  runAsNonRoot: true
  runAsUser: {{ index . 1 }}
  runAsGroup: {{ index . 1 }}
  fsGroup: {{ index . 1 }}
  seccompProfile: {type: RuntimeDefault}
{{- with index . 0 }}
{{- with concat (.Values.imagePullSecrets | default list) ((.Values.global).imagePullSecrets | default list) | uniq }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- $values := .Values }}
{{- range $key := list "nodeSelector" "tolerations" }}
{{- with index $values $key }}
{{ $key }}: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Usage: include "devDatabases.volume" (list $ctx "kafka") */}}
{{- define "devDatabases.volume" -}}
{{- $values := index (index . 0).Values (index . 1) -}}
- metadata:
    name: data
  spec:
    accessModes: [ReadWriteOnce]
    {{- with $values.storageClass }}
    storageClassName: {{ . }}
    {{- end }}
    resources: {requests: {storage: {{ $values.storage }}}}
{{- end -}}

{{/* Usage: include "devDatabases.check" (list $ctx "kafka") */}}
{{- define "devDatabases.check" -}}
{{- $ctx := index . 0 -}}
{{- $name := printf "%s-%s" $ctx.Release.Name (index . 1) -}}
{{- if gt (len $ctx.Release.Name) 40 -}}
{{- fail (printf "the release is called %q, and names of its parts would be too long: choose one of 40 characters at most" $ctx.Release.Name) -}}
{{- end -}}
{{- with lookup "apps/v1" "StatefulSet" $ctx.Release.Namespace $name -}}
{{- $there := (index .spec.volumeClaimTemplates 0).spec.resources.requests.storage -}}
{{- $wanted := (index $ctx.Values (index $ 1)).storage -}}
{{- if ne (toString $there) (toString $wanted) -}}
{{- fail (printf "%s.storage is %v, and the volume of %s was made with %s, which Kubernetes changes no more: set it to that, or let the data go and a new one be made, by kubectl -n %s delete statefulset %s" (index $ 1) $wanted $name $there $ctx.Release.Namespace $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The rule of who may connect. Usage: include "devDatabases.ingress" (list $ctx PORT MORE PEERS...) */}}
{{- define "devDatabases.ingress" -}}
{{- $ctx := index . 0 -}}
- ports: [{port: {{ index . 1 }}, protocol: TCP}]
{{- with $ctx.Values.networkPolicy.from }}
  from: {{- tpl (toYaml (concat . (index $ 2))) $ctx | nindent 2 }}
{{- end }}
{{- end -}}
