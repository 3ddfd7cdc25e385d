{{/*
How a new version replaces the old one. The only file that knows strategies.
Rolling: a pod goes only after its successor is ready, so capacity never falls.
Usage: include "service.strategy" (list $ctx "http")
*/}}
{{- define "service.strategy" -}}
type: RollingUpdate
rollingUpdate:
  maxUnavailable: 0
  maxSurge: 1
{{- end -}}
