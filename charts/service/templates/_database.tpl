{{/*
How the database is reached: by a URL from a Secret, or by parts (database.hosts), where the password may have any
characters, since libpq takes it as it is. Each variable once: what extraEnv says wins. Who migrates owns the tables, so a backup is theirs too.
Usage: include "service.databaseEnv" (list $ctx PROCESS EXTRA_ENV)
*/}}
{{- define "service.databaseEnv" -}}
{{- $ctx := index . 0 -}}
{{- $extra := index . 2 -}}
{{- $database := $ctx.Values.database -}}
{{- $own := ternary ($database.migration | default dict) dict (has (index . 1) (list "migrate" "backup")) -}}
{{- $secret := include "service.databaseSecretName" $ctx -}}
{{- with $own.secretName }}{{ $secret = tpl . $ctx }}{{ end -}}
{{- $keys := dict -}}
{{- if $database.hosts -}}
{{- $keys = dict "PGUSER" ($own.usernameKey | default $database.usernameKey) "PGPASSWORD" ($own.passwordKey | default $database.passwordKey) -}}
{{- if not (hasKey $extra "DATABASE_URL") }}
- name: DATABASE_URL
  value: {{ include "service.databaseUrl" $ctx | quote }}
{{- end }}
{{- else -}}
{{- $_ := set $keys "DATABASE_URL" ($own.secretKey | default (ternary $database.secretKey (include "service.databaseSecretKey" $ctx) (not (empty $own.secretName)))) -}}
{{- end -}}
{{- range $name, $key := $keys }}
{{- if not (hasKey $extra $name) }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: {{ tpl $key $ctx }}
{{- end }}
{{- end }}
{{- $tls := dict "PGSSLMODE" $database.sslMode -}}
{{- if $database.caSecretName }}{{ $_ := set $tls "PGSSLROOTCERT" "/etc/database-ca/ca.crt" }}{{ end -}}
{{- range $name, $value := $tls }}
{{- if and $value (not (hasKey $extra $name)) }}
- {name: {{ $name }}, value: {{ $value }}}
{{- end }}
{{- end }}
{{- end -}}

{{/* Without user and password, which are in variables of their own. */}}
{{- define "service.databaseUrl" -}}
{{- $options := list -}}
{{- range $name, $value := .Values.database.options }}{{ $options = append $options (printf "%s=%s" $name (include "base.text" (list $ $value) | urlquery)) }}{{ end -}}
{{- $hosts := list -}}
{{- range .Values.database.hosts }}{{ $hosts = append $hosts (tpl . $) }}{{ end -}}
{{- $name := tpl (.Values.database.name | default .Chart.Name) . -}}
postgresql://{{ join "," $hosts }}/{{ $name }}{{ with $options }}?{{ join "&" . }}{{ end -}}
{{- end -}}
