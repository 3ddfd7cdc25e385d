{{/* What KEDA scales by the lag of the consumer group: the consumer, or the worker in its place. Empty: nothing. */}}
{{- define "service.keda.component" -}}
{{- if .Values.keda.enabled }}{{ ternary "worker" "consumer" .Values.worker.enabled }}{{ end -}}
{{- end -}}

{{- define "service.keda" -}}
{{- $values := .Values -}}
{{- if $values.keda.enabled }}
{{- if not $values.consumer.enabled }}
{{- fail "keda.enabled is set, and consumer.enabled is false: there is no consumer to scale, so set the one to false or the other to true" }}
{{- end }}
{{- $keda := $values.keda }}
{{- $most := $keda.maxReplicas | default $values.kafka.topicPartitions | int }}
{{- if gt (int $keda.minReplicas) $most }}
{{- fail (printf "keda.minReplicas is %d and keda.maxReplicas is %d: lower the one or raise the other" (int $keda.minReplicas) $most) }}
{{- end }}
{{- $security := include "service.kafkaSecurity" . | fromYaml }}
{{- $isProved := ne ($security.protocol | default "PLAINTEXT") "PLAINTEXT" }}
{{- $component := include "service.keda.component" . }}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ include "base.fullname" . }}-{{ $component }}
  labels: {{- include "base.labels" (list . $component) | nindent 4 }}
  {{- include "base.annotations" (list . dict) | nindent 2 }}
spec:
  scaleTargetRef: {name: {{ include "base.fullname" . }}-{{ $component }}}
  minReplicaCount: {{ $keda.minReplicas | int }}
  maxReplicaCount: {{ $most }}
  pollingInterval: {{ $keda.pollingInterval | int }}
  cooldownPeriod: {{ $keda.cooldownPeriod | int }}
  {{- with $keda.advanced }}
  advanced: {{- toYaml . | nindent 4 }}
  {{- end }}
  triggers:
  - type: kafka
    metadata: # all topics of the group, since none is named
      bootstrapServers: {{ tpl $keda.bootstrapServers . | default (include "service.bootstrapServers" .) | quote }}
      consumerGroup: {{ printf "%s%s" (include "service.kafkaPrefix" .) (include "service.consumerGroup" .) | quote }}
      lagThreshold: {{ $keda.lagThreshold | int | quote }}
      {{- if contains "SSL" ($security.protocol | default "") }}
      tls: enable
      {{- end }}
      {{- if contains "SASL" ($security.protocol | default "") }}
      sasl: {{ get (dict "PLAIN" "plaintext" "SCRAM-SHA-256" "scram_sha256" "SCRAM-SHA-512" "scram_sha512" "OAUTHBEARER" "oauthbearer") $security.mechanism }}
      {{- end }}
    {{- if $keda.authentication }}
    authenticationRef: {{- tpl (toYaml $keda.authentication) . | nindent 6 }}
    {{- else if $isProved }}
    authenticationRef: {name: {{ include "base.fullname" . }}-{{ $component }}}
    {{- end }}
  {{- with $keda.triggers }}
  {{- tpl (toYaml .) $ | nindent 2 }}
  {{- end }}
{{- if and $isProved (not $keda.authentication) }}
{{ include "service.keda.authentication" (list . $component $security) }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The service's own proof: what is no secret from its ConfigMap, what is one from the same Secrets. */}}
{{- define "service.keda.authentication" -}}
{{- $ctx := index . 0 -}}
{{- $security := index . 2 -}}
{{- $name := include "base.fullname" $ctx -}}
{{- $isBearer := eq ($security.mechanism | default "") "OAUTHBEARER" -}}
---
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata:
  name: {{ $name }}-{{ index . 1 }}
  labels: {{- include "base.labels" (list $ctx (index . 1)) | nindent 4 }}
  {{- include "base.annotations" (list $ctx dict) | nindent 2 }}
spec:
  {{- if contains "SASL" $security.protocol }}
  configMapTargetRef:
  - {parameter: username, name: {{ $name }}, key: {{ ternary "KAFKA_SASL_OAUTHBEARER_CLIENT_ID" "KAFKA_SASL_USERNAME" $isBearer }}}
  {{- if $isBearer }}
  - {parameter: oauthTokenEndpointUri, name: {{ $name }}, key: KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL}
  {{- if $security.scope }}
  - {parameter: scopes, name: {{ $name }}, key: KAFKA_SASL_OAUTHBEARER_SCOPE}
  {{- end }}
  {{- end }}
  {{- end }}
  {{- $secrets := list }}
  {{- if contains "SASL" $security.protocol }}
  {{- $secrets = append $secrets (list "password" (required "kafka.security.secretName is not set: name the Secret with the password, or a TriggerAuthentication in keda.authentication" $security.secretName) ($security.secretKey | default "password")) }}
  {{- end }}
  {{- with $security.caSecretName }}
  {{- $secrets = append $secrets (list "ca" . ($security.caSecretKey | default "ca.crt")) }}
  {{- end }}
  {{- with $security.certificateSecretName }}
  {{- $secrets = concat $secrets (list (list "cert" . "tls.crt") (list "key" . "tls.key")) }}
  {{- end }}
  {{- with $secrets }}
  secretTargetRef:
  {{- range . }}
  - {parameter: {{ index . 0 }}, name: {{ tpl (index . 1) $ctx }}, key: {{ index . 2 }}}
  {{- end }}
  {{- end }}
{{- end -}}
