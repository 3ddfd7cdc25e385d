{{/*
A worker is consumer and relay in one process, and runs in place of them. It gets what is set for either. Refused is what
can't be meant: half a worker, and two values for one variable.
Usage: include "service.worker.prepare" $ctx, before anything else is made
*/}}
{{- define "service.worker.prepare" -}}
{{- $values := .Values -}}
{{- if $values.worker.enabled -}}
{{- range list "consumer" "relay" -}}
{{- if not (index $values .).enabled -}}
{{- fail (printf "worker.enabled is true, and %s.enabled is false: a worker is consumer and relay in one process, so set both to true, or worker.enabled to false" .) -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := $values.consumer.extraEnv -}}
{{- if and (hasKey $values.relay.extraEnv $name) (not (hasKey $values.worker.extraEnv $name)) (ne (toJson $value) (toJson (index $values.relay.extraEnv $name))) -}}
{{- fail (printf "worker.enabled is true, and consumer.extraEnv.%s differs from relay.extraEnv.%s: set worker.extraEnv.%s, which wins" $name $name $name) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $values.worker "extraEnv" (merge dict $values.worker.extraEnv $values.consumer.extraEnv $values.relay.extraEnv) -}}
{{- end -}}
{{- end -}}
