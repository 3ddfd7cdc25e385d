{{/*
All that runs of a managed service, for the operator. Usage: include "service.microservice" (list $ctx $components)
What people decide about a release (release.promote and so on) is rendered only where it is set: else the field is
theirs, who use kubectl slipway.
*/}}
{{- define "service.microservice" }}
{{- $ctx := index . 0 -}}
{{- $values := $ctx.Values -}}
{{- $release := $values.release }}
---
apiVersion: slipway.dev/v1alpha1
kind: Microservice
metadata:
  name: {{ include "base.serviceName" $ctx }}
  labels: {{- include "base.labels" (list $ctx "release") | nindent 4 }}
  {{- include "base.annotations" (list $ctx dict) | nindent 2 }}
spec:
  version: {{ include "base.version" $ctx | quote }}
  {{- if not $values.autoscaling.enabled }}
  {{- $replicas := ternary $values.http.replicas $values.grpc.replicas $values.http.enabled }}
  {{- if not (kindIs "invalid" $replicas) }}
  replicas: {{ $replicas }}
  {{- end }}
  {{- else if $ctx.Capabilities.APIVersions.Has "slipway.dev/v1alpha1/Microservice" }}
  {{- include "base.liveReplicas" (list $ctx "slipway.dev/v1alpha1" "Microservice" (include "base.fullname" $ctx)) | indent 2 }}
  {{- end }}
  strategy: {{- include "service.microservice.strategy" $release | nindent 4 }}
  watchSeconds: {{ $release.watchSeconds }}
  history: {{ $release.history }}
  {{- with $release.suspend }}
  suspend: {{ . }}
  {{- end }}
  ports:
  {{- if $values.http.enabled }}
  - {name: http, port: {{ $values.http.servicePort }}}
  {{- end }}
  {{- if $values.grpc.enabled }}
  - {name: grpc, port: {{ $values.grpc.port }}, appProtocol: kubernetes.io/h2c}
  {{- end }}
  {{- if $values.consumer.enabled }}
  events:
    group: {{ include "service.kafkaPrefix" $ctx }}{{ include "service.consumerGroup" $ctx }}
    {{- with tpl $release.bootstrapServers $ctx }}
    bootstrapServers: {{ . | quote }}
    {{- end }}
    handover: {{ get (dict "exclusive" "Exclusive" "overlap" "Overlap") $release.handover }}
  {{- end }}
  {{- range $release.gates }}
  {{- if and (eq (toString .type) "http") (include "base.hasInternalTls" $ctx) }}
  {{- fail (printf "the gate %s is of type http, by which the operator asks in plain text, and internalTls.enabled is set: use one of type job or analysis" .name) }}
  {{- end }}
  {{- end }}
  {{- with $release.gates }}
  gates: {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- $decided := dict }}
  {{- range list "promote" "activeVersion" "paused" "retry" }}
  {{- $value := index $release . }}
  {{- if not (kindIs "invalid" $value) }}{{ $_ := set $decided . (kindIs "float64" $value | ternary (include "base.plain" $value) $value) }}{{ end }}
  {{- end }}
  {{- with $decided }}
  release: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if $values.migration.enabled }}
  migrations:
    deadlineSeconds: {{ $values.migration.activeDeadlineSeconds }}
    expand: {{- include "service.pod" (list $ctx "migrate" $values.migration) | nindent 6 }}
  {{- end }}
  components:
    {{- range $component := index . 1 }}
    {{- $options := index $values $component }}
    {{ $component }}:
      {{- if and (has $component (list "consumer" "relay" "worker")) (not (kindIs "invalid" $options.replicas)) }}
      replicas: {{ $options.replicas }}
      {{- end }}
      template: {{- include "service.pod" (list $ctx $component $options) | nindent 8 }}
    {{- end }}
{{- end -}}

{{- define "service.microservice.strategy" -}}
type: {{ get (dict "rolling" "Rolling" "blueGreen" "BlueGreen") .strategy }}
autoPromote: {{ .autoPromote }}
previewReplicas: {{ .previewReplicas }}
{{- if eq .strategy "blueGreen" }}
scaleDownDelaySeconds: {{ .scaleDownDelaySeconds }}
{{- end }}
progressDeadlineSeconds: {{ .progressDeadlineSeconds }}
{{- with .promotionWindow }}
promotionWindow: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
