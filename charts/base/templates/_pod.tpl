{{/* What the restricted Pod Security Standard asks of a container, unless values say otherwise. */}}
{{- define "base.restricted" -}}
{{- if hasKey .Values "securityContext" }}
{{- toYaml (.Values.securityContext | default dict) }}
{{- else -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
{{- end -}}

{{/* What all pods take from values; OPTIONS are those of one process, which win.
     Usage: include "base.pod" (list $ctx OPTIONS) */}}
{{- define "base.pod" -}}
{{- $ctx := index . 0 -}}
{{- $options := index . 1 -}}
{{- with $ctx -}}
enableServiceLinks: false # variables like ORDERS_PORT would be taken for settings
{{- with .Values.podSecurityContext }}
securityContext: {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "base.pullSecrets" . }}
{{- $values := .Values }}
{{- range $key := list "priorityClassName" "nodeSelector" "tolerations" "affinity" }}
{{- with index $options $key | default (index $values $key) }}
{{ $key }}: {{ if eq $key "nodeSelector" }}{{ include "base.texts" . | fromYaml | toJson }}{{ else }}{{ toJson . }}{{ end }}
{{- end }}
{{- end }}
{{- with .Values.podSpec }}
{{ tpl (toYaml .) $ctx }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Of a Deployment, with what values say in place of it. A pod goes only after its successor is ready, so that capacity
     never falls. Usage: include "base.deploymentSpec" (list $ctx PROGRESS_DEADLINE_SECONDS) */}}
{{- define "base.deploymentSpec" -}}
{{- $strategy := dict "type" "RollingUpdate" "rollingUpdate" (dict "maxUnavailable" 0 "maxSurge" 1) -}}
{{- $spec := dict "revisionHistoryLimit" 3 "progressDeadlineSeconds" (index . 1) "strategy" $strategy -}}
{{- range $name, $value := (index . 0).Values.deploymentSpec }}{{ $_ := set $spec $name $value }}{{ end -}}
{{- toYaml $spec -}}
{{- end -}}

{{/* Of values and of the umbrella chart, each as {name: ...} or by its name alone. */}}
{{- define "base.pullSecrets" -}}
{{- $names := list -}}
{{- range concat (.Values.imagePullSecrets | default list) ((.Values.global).imagePullSecrets | default list) -}}
{{- $names = append $names (kindIs "map" . | ternary . (dict "name" .)) -}}
{{- end -}}
{{- with $names | uniq }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
Items of the chart and of values as one list; of two with the same KEY that of values. Empty where there are none.
Usage: include "base.once" (list KEY OWN MORE), both of them YAML
*/}}
{{- define "base.once" -}}
{{- $key := index . 0 -}}
{{- $more := index . 2 | fromYamlArray -}}
{{- $taken := list -}}
{{- range $more }}{{ $taken = append $taken (index . $key) }}{{ end -}}
{{- $kept := list -}}
{{- range index . 1 | fromYamlArray -}}
{{- if not (has (index . $key) $taken) }}{{ $kept = append $kept . }}{{ end -}}
{{- end -}}
{{- with concat $kept ($more | default list) }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* Containers of values beside those of the chart. Usage: include "base.sidecars" (list $ctx NAMES) */}}
{{- define "base.sidecars" -}}
{{- $ctx := index . 0 -}}
{{- $names := index . 1 -}}
{{- range concat ($ctx.Values.sidecars | default list) ($ctx.Values.initContainers | default list) -}}
{{- if has .name $names -}}
{{- fail (printf "a container of sidecars or initContainers is called %s, and so is another one of this pod of %s: choose another name" .name $ctx.Chart.Name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- with $ctx.Values.sidecars }}{{ tpl (toYaml .) $ctx }}{{ end -}}
{{- end -}}

{{/* As values say, else over nodes, and over zones where there are several.
     Usage: include "base.spread" (list $ctx COMPONENT OPTIONS) */}}
{{- define "base.spread" -}}
{{- $values := (index . 0).Values -}}
{{- $mine := (index . 2).topologySpreadConstraints -}}
{{- $set := ternary $values.topologySpreadConstraints $mine (kindIs "invalid" $mine) -}}
{{- $selector := dict "matchLabels" (include "base.selector" . | fromYaml) -}}
{{- if kindIs "invalid" $set }}
{{- include "base.spread.wide" . }}
{{- else if $set }}
topologySpreadConstraints:
{{- range $set }}
- {{- merge (dict) . (dict "labelSelector" $selector) | toYaml | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "base.spread.wide" -}}
topologySpreadConstraints:
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "base.selector" $ | nindent 6 }}
{{- end }}
{{- end -}}

{{/* Of our own images; liveness asks no dependency. Usage: include "base.probes" "admin", the name of the port */}}
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

{{/* Objects of values, each a map or text with templates. Usage: include "base.extraObjects" $ctx */}}
{{- define "base.extraObjects" -}}
{{- range .Values.extraObjects }}
---
{{ tpl (kindIs "string" . | ternary . (toYaml .)) $ }}
{{- end }}
{{- end -}}

{{/* Variables of values, as a list. Usage: include "base.extraEnv" (list $ctx ENV) */}}
{{- define "base.extraEnv" -}}
{{- $ctx := index . 0 -}}
{{- range $name, $value := index . 1 }}
{{- if kindIs "map" $value }}
- name: {{ $name }}
  {{- tpl (toYaml $value) $ctx | nindent 2 }}
{{- else if not (kindIs "invalid" $value) }}
- name: {{ $name }}
  value: {{ include "base.text" (list $ctx $value) | quote }}
{{- end }}
{{- end }}
{{- end -}}
