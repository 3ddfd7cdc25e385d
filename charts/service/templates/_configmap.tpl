{{/* Settings of all processes of the service, as environment variables; see slipway_chassis.config. */}}
{{- define "service.configmap" }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "base.fullname" . }}
  labels: {{- include "base.labels" (list . "config") | nindent 4 }}
  {{- include "base.annotations" (list . dict) | nindent 2 }}
data: {{- include "service.settings" . | nindent 2 }}
{{- end -}}

{{/* Each name once: what values say wins. */}}
{{- define "service.settings" -}}
{{- $settings := include "service.settings.own" . | fromYaml -}}
{{- range $name, $value := .Values.settings -}}
{{- if not (kindIs "invalid" $value) }}{{ $_ := set $settings $name (include "base.text" (list $ $value)) }}{{ end -}}
{{- end -}}
{{- toYaml $settings -}}
{{- end -}}

{{- define "service.settings.own" -}}
LOG_LEVEL: {{ .Values.logLevel | quote }}
SERVICE_VERSION: {{ include "base.version" . | quote }}
BIND_HOST: {{ .Values.bindHost | default "0.0.0.0" | quote }}
HTTP_PORT: {{ .Values.http.port | int | quote }}
HTTP_THREADS: {{ .Values.http.threads | int | quote }}
{{- if .Values.grpc.enabled }}
GRPC_PORT: {{ .Values.grpc.port | int | quote }}
GRPC_THREADS: {{ .Values.grpc.threads | int | quote }}
{{- end }}
GRACEFUL_TIMEOUT: {{ .Values.drain.gracefulSeconds | int | quote }}
{{- with .Values.adminPort }}
ADMIN_PORT: {{ . | int | quote }}
{{- end }}
DRAIN_FILE: /tmp/draining
LEVELS_FILE: /etc/slipway/levels
TRACE_SAMPLE_RATIO: {{ .Values.telemetry.traceSampleRatio | quote }}
{{- with tpl (.Values.telemetry.otlpEndpoint | default "") . }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ . | quote }}
{{- end }}
{{- with include "service.issuer" . }}
AUTH_ISSUER: {{ . | quote }}
{{- end }}
{{- if include "service.issuer" . }}
AUTH_AUDIENCE: {{ include "service.audience" . | required "auth.audience is not set, and auth.issuer is: name who tokens must be meant for" | quote }}
AUTH_LEEWAY_SECONDS: {{ .Values.auth.leewaySeconds | quote }}
{{- with include "service.jwksUrl" . }}
AUTH_JWKS_URL: {{ . | quote }}
{{- end }}
{{- end }}
{{- with include "base.internalTlsWords" . }}
{{ . }}
{{- end }}
{{- if or .Values.consumer.enabled .Values.relay.enabled }}
KAFKA_BOOTSTRAP_SERVERS: {{ include "service.bootstrapServers" . | quote }}
KAFKA_CREATE_TOPICS: {{ .Values.kafka.createTopics | quote }}
KAFKA_TOPIC_PARTITIONS: {{ .Values.kafka.topicPartitions | int | quote }}
KAFKA_CLIENT: {{ .Values.kafka.client | quote }}
{{- if .Values.consumer.enabled }}
CONSUMER_GROUP: {{ include "service.consumerGroup" . | quote }}
{{- end }}
{{- with include "service.kafkaPrefix" . }}
KAFKA_PREFIX: {{ . | quote }}
{{- end }}
{{- include "base.kafkaWords" (list . (include "service.kafkaSecurity" . | fromYaml)) }}
{{- end }}
{{- end -}}
