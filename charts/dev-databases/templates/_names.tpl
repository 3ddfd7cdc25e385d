{{/* Usage: include "devDatabases.labels" (list . "postgresql") */}}
{{- define "devDatabases.selector" -}}
{{- $ctx := index . 0 -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ $ctx.Release.Name | quote }}
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
{{- include "base.pullSecrets" . }}
{{- $values := .Values }}
{{- range $key := list "nodeSelector" "tolerations" }}
{{- with index $values $key }}
{{ $key }}: {{ if eq $key "nodeSelector" }}{{ include "base.texts" . | fromYaml | toJson }}{{ else }}{{ toJson . }}{{ end }}
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
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $ctx.Release.Name) -}}
{{- fail (printf "the release is called %q, and Kubernetes takes lower case letters, digits and '-' in the name of a Service, which begins with a letter: choose another one" $ctx.Release.Name) -}}
{{- end -}}
{{- if gt (len $ctx.Release.Name) 40 -}}
{{- fail (printf "the release is called %q, and names of its parts would be too long: choose one of 40 characters at most" $ctx.Release.Name) -}}
{{- end -}}
{{- with lookup "apps/v1" "StatefulSet" $ctx.Release.Namespace $name -}}
{{- $claim := (index .spec.volumeClaimTemplates 0).spec -}}
{{- $there := $claim.resources.requests.storage -}}
{{- $wanted := (index $ctx.Values (index $ 1)).storage -}}
{{- $class := (index $ctx.Values (index $ 1)).storageClass | default "" -}}
{{- if ne $class ($claim.storageClassName | default "") -}}
{{- fail (printf "%s.storageClass is %q, and the volume of %s was made with %q, which Kubernetes changes no more: set it to that, or let the data go and a new one be made, by kubectl -n %s delete statefulset %s" (index $ 1) $class $name ($claim.storageClassName | default "") $ctx.Release.Namespace $name) -}}
{{- end -}}
{{- if ne (include "devDatabases.bytes" $there) (include "devDatabases.bytes" $wanted) -}}
{{- fail (printf "%s.storage is %v, and the volume of %s was made with %s, which Kubernetes changes no more: set it to that, or let the data go and a new one be made, by kubectl -n %s delete statefulset %s" (index $ 1) $wanted $name $there $ctx.Release.Namespace $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Of a quantity, which Kubernetes writes in its own way: 1024Mi is 1Gi. */}}
{{- define "devDatabases.bytes" -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 -}}
{{- $unit := regexFind "[A-Za-z]*$" (toString .) -}}
{{- if hasKey $units $unit -}}
{{- mulf (toString . | trimSuffix $unit | float64) (get $units $unit) | printf "%.0f" -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{/* The rule of who may connect. Usage: include "devDatabases.ingress" (list $ctx PORT MORE PEERS...) */}}
{{- define "devDatabases.ingress" -}}
{{- $ctx := index . 0 -}}
- ports: [{port: {{ index . 1 }}, protocol: TCP}]
{{- with ($ctx.Values.networkPolicy).from }}
  from: {{- tpl (toYaml (concat . (index $ 2 | default list))) $ctx | nindent 2 }}
{{- end }}
{{- end -}}
