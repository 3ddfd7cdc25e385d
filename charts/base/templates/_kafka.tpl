{{/*
How brokers are spoken to, in the words that the chassis and the operator read. All of them take `security`, the values
of kafka.security; nothing is rendered for plain text.
Usage: include "base.kafkaWords" (list $ctx $security)
*/}}
{{- define "base.kafkaWords" -}}
{{- $ctx := index . 0 -}}
{{- $security := index . 1 -}}
{{- if ne ($security.protocol | default "PLAINTEXT") "PLAINTEXT" }}
KAFKA_SECURITY_PROTOCOL: {{ $security.protocol }}
{{- if contains "SASL" $security.protocol }}
KAFKA_SASL_MECHANISM: {{ $security.mechanism | required "kafka.security.mechanism is not set, and kafka.security.protocol wants a proof of who connects" }}
{{- $username := tpl ($security.username | required "kafka.security.username is not set: name the user that brokers know") $ctx }}
{{- if eq $security.mechanism "OAUTHBEARER" }}
KAFKA_SASL_OAUTHBEARER_CLIENT_ID: {{ $username | quote }}
KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: {{ $security.tokenUrl | required "kafka.security.tokenUrl is not set: name where tokens are fetched" | quote }}
{{- with $security.scope }}
KAFKA_SASL_OAUTHBEARER_SCOPE: {{ . | quote }}
{{- end }}
{{- else }}
KAFKA_SASL_USERNAME: {{ $username | quote }}
{{- end }}
{{- end }}
{{- if $security.caSecretName }}
KAFKA_SSL_CAFILE: /etc/kafka-ca/ca.crt
{{- end }}
{{- if $security.certificateSecretName }}
KAFKA_SSL_CERTFILE: /etc/kafka-certificate/tls.crt
KAFKA_SSL_KEYFILE: /etc/kafka-certificate/tls.key
{{- end }}
{{- end }}
{{- end -}}

{{/* The proof itself, as an item of `env`, unless extraEnv brings it. Usage: include "base.kafkaProof" (list $ctx $security $extraEnv) */}}
{{- define "base.kafkaProof" -}}
{{- $ctx := index . 0 -}}
{{- $security := index . 1 -}}
{{- $isBrought := or (hasKey (index . 2) "KAFKA_SASL_PASSWORD") (hasKey (index . 2) "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET") }}
{{- if and (contains "SASL" ($security.protocol | default "PLAINTEXT")) (not $isBrought) }}
- name: {{ ternary "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET" "KAFKA_SASL_PASSWORD" (eq $security.mechanism "OAUTHBEARER") }}
  valueFrom:
    secretKeyRef:
      name: {{ tpl ($security.secretName | required "kafka.security.secretName is not set: name the Secret with the password") $ctx }}
      key: {{ $security.secretKey | default "password" }}
{{- end }}
{{- end -}}

{{/* Usage: include "base.kafkaVolumeMounts" $security */}}
{{- define "base.kafkaVolumeMounts" -}}
{{- if contains "SSL" (.protocol | default "PLAINTEXT") }}
{{- if .caSecretName }}
- {name: kafka-ca, mountPath: /etc/kafka-ca, readOnly: true}
{{- end }}
{{- if .certificateSecretName }}
- {name: kafka-certificate, mountPath: /etc/kafka-certificate, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{/* Usage: include "base.kafkaVolumes" (list $ctx $security) */}}
{{- define "base.kafkaVolumes" -}}
{{- $ctx := index . 0 -}}
{{- $security := index . 1 -}}
{{- if contains "SSL" ($security.protocol | default "PLAINTEXT") }}
{{- with $security.caSecretName }}
- name: kafka-ca
  secret:
    secretName: {{ tpl . $ctx }}
    items: [{key: {{ $security.caSecretKey | default "ca.crt" }}, path: ca.crt}]
{{- end }}
{{- with $security.certificateSecretName }}
- name: kafka-certificate
  secret: {secretName: {{ tpl . $ctx }}}
{{- end }}
{{- end }}
{{- end -}}
