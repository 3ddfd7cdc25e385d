{{/*
The pod of one process, as a template: a Deployment's, a Job's and a Microservice's are the same one.
Usage: include "service.pod" (list $ctx "http" $ctx.Values.http)
*/}}
{{- define "service.pod" -}}
{{- $ctx := index . 0 -}}
{{- $process := index . 1 -}}
{{- $options := index . 2 -}}
{{- $checksum := dict "checksum/config" (include "service.settings" $ctx | sha256sum) -}}{{/* other settings are another version */}}
metadata:
  labels: {{- include "base.podLabels" (list $ctx $process ($ctx.Values.podLabels | default dict) ($options.podLabels | default dict)) | nindent 4 }}
  annotations: {{- include "base.texts" (mergeOverwrite $checksum ($ctx.Values.podAnnotations | default dict) ($options.podAnnotations | default dict)) | nindent 4 }}
spec:
  {{- include "service.podspec" . | nindent 2 }}
  {{- if has $process (list "migrate" "backup") }}
  restartPolicy: Never # a failed try stays, with its log
  {{- else }}
  {{- include "base.spread" (list $ctx $process $options) | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Usage: include "service.podspec" (list $ctx "http" $ctx.Values.http) */}}
{{- define "service.podspec" -}}
{{- $ctx := index . 0 -}}
{{- $process := index . 1 -}}
{{- $options := index . 2 -}}
{{- $values := $ctx.Values -}}
{{- $kafka := dict -}}
{{- if has $process (list "consumer" "relay" "worker" "backup") }}{{ $kafka = include "service.kafkaSecurity" $ctx | fromYaml }}{{ end -}}
serviceAccountName: {{ include "base.serviceAccountName" $ctx }}
automountServiceAccountToken: false
{{ include "base.pod" (list $ctx $options) }}
terminationGracePeriodSeconds: {{ add $values.drain.preStopSeconds $values.drain.gracefulSeconds 10 }}
{{- $isJob := has $process (list "migrate" "backup") -}}
{{- $sidecars := include "base.sidecars" (list $ctx (list $process)) | fromYamlArray -}}
{{- $first := tpl (toYaml ($values.initContainers | default list)) $ctx | fromYamlArray -}}
{{- /* One that goes on would keep a Job from its end: Kubernetes ends it with the others where it stands here. */}}
{{- range ternary $sidecars list $isJob }}{{ $first = append $first (set . "restartPolicy" "Always") }}{{ end -}}
{{- with $first }}
initContainers: {{- toYaml . | nindent 0 }}
{{- end }}
containers:
- name: {{ $process }}
  image: {{ if eq $process "backup" }}{{ include "service.backup.image" $ctx }}{{ else }}{{ include "base.image" $ctx }}{{ end }}
  imagePullPolicy: {{ $values.image.pullPolicy }}
  {{- with $options.command }}
  command: {{- tpl (toYaml .) $ctx | nindent 4 }}
  {{- end }}
  {{- with ternary (list $process) $options.args (kindIs "invalid" $options.args) }}
  args: {{- tpl (toYaml .) $ctx | nindent 4 }}
  {{- end }}
  securityContext: {{- include "base.restricted" $ctx | nindent 4 }}
  envFrom:
  - configMapRef:
      name: {{ include "base.fullname" $ctx }}
  {{- with $values.envFrom }}
  {{- tpl (toYaml .) $ctx | nindent 2 }}
  {{- end }}
  {{- with include "service.env" (list $ctx $options $kafka $process) | trim }}
  env: {{- . | nindent 2 }}
  {{- end }}
  {{- with $options.resources }}
  resources: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if not $isJob }}
  {{- with include "service.ports" (list $ctx $process $options) }}
  ports: {{- . | nindent 2 }}
  {{- end }}
  {{- include "service.probes" (list $ctx $options) | nindent 2 }}
  {{- with $options.lifecycle }}
  {{- $stop := .preStop | default dict }}
  {{- if gt (len $stop) 1 }}{{ $stop = omit $stop "exec" }}{{ end }}
  lifecycle: {{- tpl (ternary (omit . "preStop") (mergeOverwrite (omit . "preStop") (dict "preStop" $stop)) (empty $stop) | toYaml) $ctx | nindent 4 }}
  {{- end }}
  {{- end }}
  volumeMounts: {{- include "base.once" (list "mountPath" (include "service.volumeMounts" (list $ctx $kafka $process)) (tpl (toYaml ($values.extraVolumeMounts | default list)) $ctx)) | nindent 2 }}
{{- with ternary list $sidecars $isJob }}
{{ toYaml . }}
{{- end }}
volumes: {{- include "base.once" (list "name" (include "service.volumes" (list $ctx $kafka $process)) (tpl (toYaml ($values.extraVolumes | default list)) $ctx)) | nindent 0 }}
{{- end -}}

{{/* Usage: include "service.volumeMounts" (list $ctx KAFKA_SECURITY PROCESS) */}}
{{- define "service.volumeMounts" -}}
{{- $database := (index . 0).Values.database -}}
- {name: tmp, mountPath: /tmp}
- {name: slipway-levels, mountPath: /etc/slipway, readOnly: true}
{{- include "base.authorityMount" (index . 0) }}
{{- if eq (index . 2) "backup" }}{{ include "service.backup.mounts" (index . 0) }}
{{- else if ne (index . 2) "migrate" }}{{ include "base.internalTlsMount" (index . 0) }}{{ end }}
{{- if and $database.enabled $database.caSecretName }}
- {name: database-ca, mountPath: /etc/database-ca, readOnly: true}
{{- end }}
{{- include "base.kafkaVolumeMounts" (index . 1) }}
{{- end -}}

{{/* Usage: include "service.volumes" (list $ctx KAFKA_SECURITY PROCESS) */}}
{{- define "service.volumes" -}}
{{- $ctx := index . 0 -}}
{{- $database := $ctx.Values.database -}}
- name: tmp
  emptyDir: {}
- name: slipway-levels # changed while it runs: kubectl annotate pod ... slipway.dev/levels='LOG_LEVEL=DEBUG'
  downwardAPI:
    items: [{path: levels, fieldRef: {fieldPath: "metadata.annotations['slipway.dev/levels']"}}]
{{- include "base.authorityVolume" $ctx }}
{{- if eq (index . 2) "backup" }}{{ include "service.backup.volumes" $ctx }}
{{- else if ne (index . 2) "migrate" }}{{ include "base.internalTlsVolume" $ctx }}{{ end }}
{{- if and $database.enabled $database.caSecretName }}
- name: database-ca
  secret:
    secretName: {{ tpl $database.caSecretName $ctx }}
    items: [{key: {{ $database.caSecretKey | default "ca.crt" }}, path: ca.crt}]
{{- end }}
{{- include "base.kafkaVolumes" (list $ctx (index . 1)) }}
{{- end -}}

{{/* Each variable once: what values say wins. Usage: include "service.env" (list $ctx OPTIONS KAFKA_SECURITY PROCESS) */}}
{{- define "service.env" -}}
{{- $ctx := index . 0 -}}
{{- $extra := (index . 1).extraEnv | default dict -}}
{{- include "base.kafkaProof" (list $ctx (index . 2) $extra) }}
{{- if $ctx.Values.database.enabled }}
{{- include "service.databaseEnv" (list $ctx (index . 3) $extra) }}
{{- end }}
{{- include "base.proxyEnv" (list $ctx $extra) }}
{{- include "base.authorityEnv" (list $ctx $extra) }}
{{ include "base.extraEnv" (list $ctx $extra) }}
{{- end -}}

{{- define "service.ports" -}}
{{- $ctx := index . 0 -}}
{{- $process := index . 1 -}}
{{- if has $process (list "http" "grpc") }}
- {name: {{ $process }}, containerPort: {{ (index . 2).port }}}
{{- if eq (int (index . 2).port) (int $ctx.Values.adminPort) }}
{{- fail (printf "%s.port is %d, and so is adminPort, that of health and metrics: choose another one" $process (int $ctx.Values.adminPort)) }}
{{- end }}
{{- end }}
{{- with $ctx.Values.adminPort }}
- {name: admin, containerPort: {{ . }}}
{{- end }}
{{- range (index . 2).extraPorts }}
{{- if or (has .name (list $process "admin")) (has (int .containerPort) (list (int (index $ctx.Values $process).port) (int $ctx.Values.adminPort))) }}
{{- fail (printf "%s.extraPorts has %s with %d, and the chart has a port of that name or number: set %s.port or adminPort for that one" $process .name (int .containerPort) $process) }}
{{- end }}
- {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Of the process, over those of all. Usage: include "service.probes" (list $ctx OPTIONS) */}}
{{- define "service.probes" -}}
{{- $ctx := index . 0 -}}
{{- $probes := deepCopy ($ctx.Values.probes | default dict) -}}
{{- $mine := (index . 1).probes | default dict -}}
{{- $probes = mergeOverwrite $probes (deepCopy $mine) -}}
{{- include "service.takeAway" (list $probes $mine) -}}
{{- range $kind, $probe := $probes }}
{{- if and $probe (ne (toString $probe.enabled) "false") }}
{{- if or $probe.tcpSocket $probe.exec $probe.grpc }}{{ $probe = omit $probe "httpGet" }}{{ end }}
{{- if and (not $ctx.Values.adminPort) (eq (toString ($probe.httpGet).port) "admin") }}
{{- fail (printf "adminPort is not set, and probes.%s asks it: set probes.%s.httpGet.path and port to what your application answers, or probes.%s.enabled to false" $kind $kind $kind) }}
{{- end }}
{{ $kind }}Probe: {{- omit $probe "enabled" | toYaml | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}
