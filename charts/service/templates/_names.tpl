{{/* The root context with the library's defaults under the chart's own values. Usage: include "service.context" . | fromYaml gives the values */}}
{{- define "service.values" -}}
{{- $own := omit .Values "service" -}}
{{- $merged := mergeOverwrite (deepCopy (omit .Values.service "global" "base")) (deepCopy $own) -}}
{{- include "service.takeAway" (list $merged $own) -}}
{{- range $process := list "http" "grpc" "consumer" "relay" "worker" -}}
{{- range $kind, $probe := (index $own $process).probes -}}
{{- /* A process without a probe that all others have: only null says so. */ -}}
{{- if kindIs "invalid" $probe }}{{ $_ := set (index $merged $process).probes $kind $probe }}{{ end -}}
{{- end -}}
{{- end -}}
{{- range $block := list "serviceAccount" "grpc" "consumer" "relay" "worker" "migration" "database" "auth" "autoscaling" "podDisruptionBudget" "networkPolicy" "keda" "backup" -}}
{{- if not (hasKey $merged $block) }}{{ $_ := set $merged $block (dict "enabled" false) }}{{ end -}}
{{- end -}}
{{- toYaml $merged -}}
{{- end -}}

{{/* null takes a default of the library away, at every depth. Usage: include "service.takeAway" (list INTO VALUES) */}}
{{- define "service.takeAway" -}}
{{- $into := index . 0 -}}
{{- range $key, $value := index . 1 -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $into $key -}}
{{- else if and (kindIs "map" $value) (kindIs "map" (index $into $key)) -}}
{{- include "service.takeAway" (list (index $into $key) $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "service.databaseSecretName" -}}
{{- $name := .Values.database.secretName | default (((.Values.global).database).secretName) -}}
{{- tpl ($name | required "database.secretName is not set: name the Secret that holds the PostgreSQL URL under the key database.secretKey") . -}}
{{- end -}}

{{- define "service.databaseSecretKey" -}}
{{- tpl ((((.Values.global).database).secretKey) | default .Values.database.secretKey) . -}}
{{- end -}}

{{/* Whose tokens are accepted: the chart's own values, else those of the umbrella chart. */}}
{{- define "service.issuer" -}}
{{- tpl (.Values.auth.issuer | default (((.Values.global).auth).issuer) | default "") . -}}
{{- end -}}

{{- define "service.audience" -}}
{{- tpl (.Values.auth.audience | default (((.Values.global).auth).audience) | default "") . -}}
{{- end -}}

{{- define "service.jwksUrl" -}}
{{- tpl (.Values.auth.jwksUrl | default (((.Values.global).auth).jwksUrl) | default "") . -}}
{{- end -}}

{{- define "service.bootstrapServers" -}}
{{- $servers := .Values.kafka.bootstrapServers | default (((.Values.global).kafka).bootstrapServers) -}}
{{- tpl ($servers | required "kafka.bootstrapServers is not set: name Kafka's brokers, for example kafka-bootstrap:9092") . -}}
{{- end -}}

{{/* The group of the consumer, without the prefix. */}}
{{- define "service.consumerGroup" -}}
{{- .Values.release.consumerGroup | default .Chart.Name -}}
{{- end -}}

{{/* What stands before topics and groups of an environment that shares its brokers with others. */}}
{{- define "service.kafkaPrefix" -}}
{{- .Values.kafka.prefix | default (((.Values.global).kafka).prefix) | default "" -}}
{{- end -}}

{{/* How brokers are spoken to: the chart's own words, and for those that it does not set the umbrella's. */}}
{{- define "service.kafkaSecurity" -}}
{{- $security := deepCopy ((((.Values.global).kafka).security) | default dict) -}}
{{- range $name, $value := .Values.kafka.security }}
{{- if $value }}{{ $_ := set $security $name $value }}{{ end }}
{{- end }}
{{- toYaml $security -}}
{{- end -}}
