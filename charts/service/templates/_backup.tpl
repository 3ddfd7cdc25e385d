{{/*
Backs up the database and the offsets of the consumer group, by the service's own role and settings. A backup that can't
be restored in this pod fails the Job and is not offered, so the time of the last success is that of a good one.
*/}}
{{- define "service.backup" -}}
{{- if .Values.backup.enabled }}
{{- if not .Values.database.enabled }}
{{- fail (printf "backup.enabled is set, and database.enabled of %s is false: there is nothing to keep, so set the one to false or the other to true" .Chart.Name) }}
{{- end }}
{{- $backup := .Values.backup }}
{{- $args := list "backup" "pod" "create" "--service" (include "service.backup.name" .) "--to" "/backups" "--keep" (toString (int $backup.keep)) }}
{{- if not $backup.trial }}{{ $args = concat $args (list "--no-trial") }}{{ end }}
{{- with include "service.backup.group" . }}{{ $args = concat $args (list "--group" .) }}{{ end }}
{{- if include "service.backup.secrets" . }}{{ $args = concat $args (list "--secrets" "/secrets") }}{{ end }}
{{- if $backup.passphrase.secretName }}{{ $args = concat $args (list "--passphrase-file" "/passphrase/passphrase") }}{{ end }}
---
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ include "base.fullname" . }}-backup
  labels: {{- include "base.labels" (list . "backup") | nindent 4 }}
  {{- include "base.annotations" (list . dict) | nindent 2 }}
spec:
  schedule: {{ $backup.schedule | quote }}
  {{- with $backup.timeZone }}
  timeZone: {{ . }}
  {{- end }}
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 3600
  successfulJobsHistoryLimit: 1
  failedJobsHistoryLimit: 3
  jobTemplate:
    metadata:
      labels: {{- include "base.labels" (list . "backup") | nindent 8 }}
    spec:
      backoffLimit: 1
      activeDeadlineSeconds: {{ $backup.activeDeadlineSeconds }}
      template: {{- include "service.pod" (list . "backup" (merge (dict "command" (list "slipway") "args" $args) $backup)) | nindent 8 }}
{{- end }}
{{- end -}}

{{- define "service.backup.image" -}}
{{- include "base.mirrored" (list . (.Values.backup.image | required (printf "backup.image of %s is not set: name the image slipway/backup of your release, with its tag" .Chart.Name))) -}}
{{- end -}}

{{/* As backups call the service. */}}
{{- define "service.backup.name" -}}
{{- $name := .Chart.Name | replace "-" "_" -}}
{{- if not (regexMatch "^[a-z][a-z0-9_]{0,39}$" $name) -}}
{{- fail (printf "backup.enabled is set, and the chart is called %q: a backup's service has lower case letters, digits and '-' in its name, at most 40, and begins with a letter, so give the chart such a name, or an alias in the chart around it" .Chart.Name) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* As brokers call the consumer group; empty for a service that reads no events. */}}
{{- define "service.backup.group" -}}
{{- if or .Values.consumer.enabled .Values.worker.enabled -}}
{{- printf "%s%s" (include "service.kafkaPrefix" .) (include "service.consumerGroup" .) -}}
{{- end -}}
{{- end -}}

{{/* Each Secret as a file SERVICE-NAME, as items of a projected volume. */}}
{{- define "service.backup.secrets" -}}
{{- range $name, $from := .Values.backup.secrets }}
{{- with $from }}
- secret:
    name: {{ tpl .secretName $ }}
    items: [{key: {{ tpl .secretKey $ | quote }}, path: {{ printf "%s-%s" (include "service.backup.name" $) $name }}}]
{{- end }}
{{- end }}
{{- end -}}

{{- define "service.backup.mounts" }}
- {name: slipway-backups, mountPath: /backups, subPath: {{ include "base.fullname" . }}}
{{- if include "service.backup.secrets" . }}
- {name: slipway-backup-secrets, mountPath: /secrets, readOnly: true}
{{- end }}
{{- if .Values.backup.passphrase.secretName }}
- {name: slipway-backup-passphrase, mountPath: /passphrase, readOnly: true}
{{- end }}
{{- end -}}

{{- define "service.backup.volumes" }}
- name: slipway-backups
  persistentVolumeClaim:
    claimName: {{ tpl (.Values.backup.claimName | required (printf "backup.claimName of %s is not set: name the PersistentVolumeClaim that takes backups" .Chart.Name)) . }}
{{- with include "service.backup.secrets" . }}
- name: slipway-backup-secrets
  projected:
    defaultMode: 0440
    sources: {{- . | nindent 4 }}
{{- end }}
{{- with .Values.backup.passphrase }}
{{- if .secretName }}
- name: slipway-backup-passphrase
  secret:
    secretName: {{ tpl .secretName $ }}
    defaultMode: 0440
    items: [{key: {{ .secretKey }}, path: passphrase}]
{{- end }}
{{- end }}
{{- end -}}
