{{/* Parts of the operator's pod, which those of values may take the place of. */}}
{{- define "operator.env" -}}
{{- $extra := .Values.extraEnv | default dict -}}
{{- $kafka := .Values.kafka | default dict -}}
{{- $security := $kafka.security | default dict -}}
- {name: SERVICE_VERSION, value: {{ include "base.version" . | quote }}}
- {name: LOG_LEVEL, value: {{ .Values.logLevel }}}
- {name: BIND_HOST, value: {{ .Values.bindHost | default "0.0.0.0" | quote }}}
- {name: LEASE_NAME, value: {{ include "base.fullname" . }}}
- {name: MAX_CONCURRENCY, value: {{ .Values.atOnce | int | quote }}}
{{- with .Values.watchNamespaces }}
- {name: WATCH_NAMESPACES, value: {{ join "," . | quote }}}
{{- end }}
{{- with .Values.allowedAddresses }}
- {name: ALLOWED_ADDRESSES, value: {{ join "," . | quote }}}
{{- end }}
{{- with $kafka.bootstrapServers }}
- {name: KAFKA_BOOTSTRAP_SERVERS, value: {{ . | quote }}}
{{- end }}
{{- range $name, $value := include "base.kafkaWords" (list . $security) | fromYaml }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- include "base.kafkaProof" (list . $security $extra) }}
{{- include "base.authorityEnv" (list . $extra) }}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- end -}}

{{- define "operator.volumeMounts" -}}
- {name: tmp, mountPath: /tmp}
{{- include "base.authorityMount" . }}
{{- include "base.kafkaVolumeMounts" ((.Values.kafka).security | default dict) }}
{{- end -}}

{{- define "operator.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 16Mi}
{{- include "base.authorityVolume" . }}
{{- include "base.kafkaVolumes" (list . ((.Values.kafka).security | default dict)) }}
{{- end -}}
