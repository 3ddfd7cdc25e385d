{{/*
The pod of one process, as a template: a Deployment's, a Job's and a Microservice's are the same one.
Usage: include "service.pod" (list $ctx "http" $ctx.Values.http)
*/}}
{{- define "service.pod" -}}
{{- $ctx := index . 0 -}}
{{- $process := index . 1 -}}
metadata:
  labels:
    {{- include "base.labels" (list $ctx $process) | nindent 4 }}
    {{- with $ctx.Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    checksum/config: {{ include "service.settings" $ctx | sha256sum }} # other settings are another version
    {{- with $ctx.Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  {{- include "service.podspec" . | nindent 2 }}
  {{- if eq $process "migrate" }}
  restartPolicy: Never # a failed try stays, with its log
  {{- else }}
  {{- include "base.spread" (list $ctx $process) | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Usage: include "service.podspec" (list $ctx "http" $ctx.Values.http) */}}
{{- define "service.podspec" -}}
{{- $ctx := index . 0 -}}
{{- $process := index . 1 -}}
{{- $options := index . 2 -}}
{{- $values := $ctx.Values -}}
{{- $kafka := dict -}}
{{- if has $process (list "consumer" "relay" "worker") }}{{ $kafka = include "service.kafkaSecurity" $ctx | fromYaml }}{{ end -}}
{{- $kafkaProof := include "base.kafkaProof" (list $ctx $kafka) -}}
serviceAccountName: {{ include "base.serviceAccountName" $ctx }}
automountServiceAccountToken: false
{{ include "base.pod" $ctx }}
terminationGracePeriodSeconds: {{ add $values.drain.preStopSeconds $values.drain.gracefulSeconds 10 }}
{{- with $values.initContainers }}
initContainers: {{- tpl (toYaml .) $ctx | nindent 0 }}
{{- end }}
containers:
- name: {{ $process }}
  image: {{ include "base.image" $ctx }}
  imagePullPolicy: {{ $values.image.pullPolicy }}
  args: [{{ $process }}]
  securityContext: {{- include "base.restricted" $ctx | nindent 4 }}
  envFrom:
  - configMapRef:
      name: {{ include "base.fullname" $ctx }}
  {{- if or $values.database.enabled $options.extraEnv $kafkaProof }}
  env:
  {{- end }}
  {{- with $kafkaProof }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- if $values.database.enabled }}
  - name: DATABASE_URL
    valueFrom:
      secretKeyRef:
        name: {{ include "service.databaseSecretName" $ctx }}
        key: {{ include "service.databaseSecretKey" $ctx }}
  {{- end }}
  {{- range $name, $value := $options.extraEnv }}
  - name: {{ $name }}
    {{- if kindIs "map" $value }}
    {{- tpl (toYaml $value) $ctx | nindent 4 }}
    {{- else }}
    value: {{ tpl $value $ctx | quote }}
    {{- end }}
  {{- end }}
  resources: {{- toYaml $options.resources | nindent 4 }}
  {{- if ne $process "migrate" }}
  ports:
  {{- if has $process (list "http" "grpc") }}
  - {name: {{ $process }}, containerPort: {{ $options.port }}}
  {{- end }}
  - {name: admin, containerPort: 9100}
  {{- include "base.probes" "admin" | nindent 2 }}
  {{- if has $process (list "http" "grpc") }}
  lifecycle:
    preStop:
      # Endpoints are withdrawn and kept-alive connections closed, one answer each, while this sleeps;
      # only then does the server stop accepting.
      exec: {command: [/bin/sh, -c, "touch /tmp/draining; sleep {{ $values.drain.preStopSeconds }}"]}
  {{- end }}
  {{- end }}
  volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- with include "base.kafkaVolumeMounts" $kafka }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with $values.extraVolumeMounts }}
  {{- tpl (toYaml .) $ctx | nindent 2 }}
  {{- end }}
volumes:
- name: tmp
  emptyDir: {}
{{- include "base.kafkaVolumes" (list $ctx $kafka) }}
{{- with $values.extraVolumes }}
{{ tpl (toYaml .) $ctx }}
{{- end }}
{{- end -}}
