{{/* Names, labels and the image. Each takes a chart's context, or one that has Values, Chart and Release. */}}

{{- define "base.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "base.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "base.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "base.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Selectors are immutable: name, instance and component, never the version. Usage: include "base.selector" (list $ctx "http") */}}
{{- define "base.selector" -}}
{{- $ctx := index . 0 -}}
app.kubernetes.io/name: {{ include "base.name" $ctx }}
app.kubernetes.io/instance: {{ $ctx.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Of pods, with those of values over them, each once. Usage: include "base.podLabels" (list $ctx "http" $labels...) */}}
{{- define "base.podLabels" -}}
{{- $own := include "base.labels" (list (index . 0) (index . 1)) | fromYaml -}}
{{- $fixed := include "base.selector" (list (index . 0) (index . 1)) | fromYaml -}}
{{- range slice . 2 -}}
{{- range $name, $value := . -}}
{{- if hasKey $fixed $name -}}
{{- fail (printf "podLabels.%s is set, and Deployments find their pods by it: remove it, or name the chart otherwise by nameOverride" $name) -}}
{{- end -}}
{{- if not (kindIs "invalid" $value) }}{{ $_ := set $own $name $value }}{{ end -}}
{{- end -}}
{{- end -}}
{{- toYaml $own -}}
{{- end -}}

{{/* A number or a switch as Kubernetes takes it where it takes text; text may be a template. Usage: include "base.text" (list $ctx VALUE) */}}
{{- define "base.text" -}}
{{- $value := index . 1 -}}
{{- if kindIs "string" $value -}}
{{- tpl $value (index . 0) -}}
{{- else if and (kindIs "float64" $value) (eq $value (floor $value)) -}}
{{- $value | int64 -}}
{{- else -}}
{{- $value -}}
{{- end -}}
{{- end -}}

{{/* Usage: include "base.labels" (list $ctx "http") */}}
{{- define "base.labels" -}}
{{- $ctx := index . 0 -}}
{{ include "base.selector" . }}
app.kubernetes.io/version: {{ include "base.version" $ctx | quote }}
app.kubernetes.io/part-of: slipway
app.kubernetes.io/managed-by: {{ $ctx.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $ctx.Chart.Name $ctx.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "base.tag" -}}
{{- $tag := .Values.image.tag | default ((.Values.global).imageTag) | default .Chart.AppVersion -}}
{{- if not (kindIs "string" $tag) -}}
{{- fail (printf "the tag of %s is the number %v, of which zeros at its beginning are lost: put it in quotes, or use --set-string" .Chart.Name (include "base.text" (list . $tag))) -}}
{{- end -}}
{{- if not (regexMatch "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$" $tag) -}}
{{- fail (printf "%q is no tag of an image: letters, digits, '_', '.' and '-', 128 at most; a digest belongs into image.digest of %s" $tag .Chart.Name) -}}
{{- else if eq $tag "latest" -}}
{{- fail (printf "the tag of %s is latest, which names another image tomorrow and can't be gone back to: set image.tag, global.imageTag or image.digest to one version" .Chart.Name) -}}
{{- end -}}
{{- $tag -}}
{{- end -}}

{{/* What runs, as labels allow it: the tag; of an image that is named by digest alone, the first part of that. */}}
{{- define "base.version" -}}
{{- if and .Values.image.digest (not .Values.image.tag) -}}
{{- .Values.image.digest | trimPrefix "sha256:" | trunc 12 -}}
{{- else -}}
{{- include "base.tag" . | trunc 63 | trimAll "-_." -}}
{{- end -}}
{{- end -}}

{{/* A mirror takes the place of a registry; a first part is one where it looks like a host, as Docker has it.
     Usage: include "base.mirrored" (list $ctx IMAGE) */}}
{{- define "base.mirrored" -}}
{{- $registry := ((index . 0).Values.global).imageRegistry -}}
{{- if $registry -}}
{{- printf "%s/%s" (trimSuffix "/" $registry) (regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" (index . 1) "") -}}
{{- else -}}
{{- index . 1 -}}
{{- end -}}
{{- end -}}

{{- define "base.image" -}}
{{- $repository := .Values.image.repository | required (printf "image.repository is not set: name the image of %s, for example registry.example.org/shop/%s" .Chart.Name .Chart.Name) -}}
{{- $repository = include "base.mirrored" (list . $repository) -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (include "base.tag" .) -}}
{{- end -}}
{{- end -}}

{{- define "base.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "base.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}
