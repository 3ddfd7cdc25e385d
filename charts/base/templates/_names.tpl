{{/* Names, labels and the image. Each takes a chart's context, or one that has Values, Chart and Release. */}}

{{- define "base.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "base.fullname" -}}
{{- $name := printf "%s-%s" .Release.Name (include "base.name" .) -}}
{{- if .Values.fullnameOverride -}}
{{- $name = .Values.fullnameOverride -}}
{{- else if contains (include "base.name" .) .Release.Name -}}
{{- $name = .Release.Name -}}
{{- end -}}
{{- $name = $name | trunc 40 | trimSuffix "-" -}}
{{- if not (regexMatch "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$" $name) -}}
{{- fail (printf "objects of %s would be called %q, and Kubernetes takes lower case letters, digits and '-' in names: choose another name of the release, or set fullnameOverride" .Chart.Name $name) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* Stricter than that of other objects. */}}
{{- define "base.serviceName" -}}
{{- $name := include "base.fullname" . -}}
{{- if not (regexMatch "^[a-z][-a-z0-9]*$" $name) -}}
{{- fail (printf "the Service of %s would be called %q, which begins with a letter and has lower case letters, digits and '-': choose another name of the release, or set fullnameOverride" .Chart.Name $name) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* Selectors are immutable: name, instance and component, never the version. Usage: include "base.selector" (list $ctx "http") */}}
{{- define "base.selector" -}}
{{- $ctx := index . 0 -}}
app.kubernetes.io/name: {{ include "base.name" $ctx | quote }}
app.kubernetes.io/instance: {{ $ctx.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Of pods, with those of values over them, each once. Usage: include "base.podLabels" (list $ctx "http" $labels...) */}}
{{- define "base.podLabels" -}}
{{- $fixed := include "base.selector" (list (index . 0) (index . 1)) | fromYaml -}}
{{- range slice . 2 -}}
{{- range $name, $value := . -}}
{{- if hasKey $fixed $name -}}
{{- fail (printf "podLabels.%s is set, and Deployments find their pods by it: remove it, or name the chart otherwise by nameOverride" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- include "base.labelsWith" . -}}
{{- end -}}

{{/* Those of the chart and further ones, each once: the last wins. Usage: include "base.labelsWith" (list $ctx "http" $labels...) */}}
{{- define "base.labelsWith" -}}
{{- $made := include "base.labels" (list (index . 0) (index . 1)) | fromYaml -}}
{{- range slice . 2 }}{{ $made = mergeOverwrite $made (include "base.texts" . | fromYaml) }}{{ end -}}
{{- toYaml $made -}}
{{- end -}}

{{/* A map as Kubernetes takes it where all values are text: numbers and switches become text, and null is left out.
     Empty where nothing is left. Usage: include "base.texts" MAP */}}
{{- define "base.texts" -}}
{{- $made := dict -}}
{{- range $name, $value := . -}}
{{- if not (kindIs "invalid" $value) }}{{ $_ := set $made $name (include "base.plain" $value) }}{{ end -}}
{{- end -}}
{{- if $made }}{{ toYaml $made }}{{ end -}}
{{- end -}}

{{/* Of every object but pods: those that values give to all, and over them its own. Usage: include "base.annotations" (list $ctx OWN) */}}
{{- define "base.annotations" -}}
{{- with include "base.texts" (mergeOverwrite (dict) ((index . 0).Values.commonAnnotations | default dict) (index . 1 | default dict)) -}}
annotations: {{- . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* A number or a switch as Kubernetes takes it where it takes text; text may be a template. Usage: include "base.text" (list $ctx VALUE) */}}
{{- define "base.text" -}}
{{- $value := index . 1 -}}
{{- if kindIs "string" $value -}}
{{- $foreign := regexFind "\\{\\{-?\\s*([#^>!&%]|/[A-Za-z]|[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z0-9_.]+)?\\s*-?\\}\\}).*" $value -}}
{{- if and $foreign (not (has (regexFind "[A-Za-z_][A-Za-z0-9_.]*" $foreign) (list "end" "else" "break" "continue" "now" "uuidv4"))) -}}
{{- fail (printf "a value of %s has %s, which is no template of Helm: write {{ %q }} in place of {{, and it stays as it is" (index . 0).Chart.Name $foreign "{{") -}}
{{- end -}}
{{- tpl $value (index . 0) -}}
{{- else -}}
{{- include "base.plain" $value -}}
{{- end -}}
{{- end -}}

{{/* As it was written: a large number is not 1e+10. */}}
{{- define "base.plain" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end -}}

{{/* Of every object, pods included. Usage: include "base.labels" (list $ctx "http") */}}
{{- define "base.labels" -}}
{{- $ctx := index . 0 -}}
{{- $own := include "base.selector" . | fromYaml | merge (dict "app.kubernetes.io/version" (include "base.version" $ctx) "app.kubernetes.io/part-of" "slipway" "app.kubernetes.io/managed-by" $ctx.Release.Service "helm.sh/chart" (printf "%s-%s" $ctx.Chart.Name $ctx.Chart.Version | replace "+" "_")) -}}
{{- $common := include "base.texts" $ctx.Values.commonLabels | fromYaml -}}
{{- range $name, $_ := $common -}}
{{- if hasKey $own $name -}}
{{- fail (printf "commonLabels.%s is set, and the chart sets it, since objects are found by it: remove it" $name) -}}
{{- end -}}
{{- end -}}
{{- merge $own $common | toYaml -}}
{{- end -}}

{{/* Without the digest that may follow it, as programs write it that raise versions: 1.4.2@sha256:... */}}
{{- define "base.tag" -}}
{{- $tag := .Values.image.tag | default ((.Values.global).imageTag) | default .Chart.AppVersion -}}
{{- if not (kindIs "string" $tag) -}}
{{- fail (printf "the tag of %s is the number %v, of which zeros at its beginning are lost: put it in quotes, or use --set-string" .Chart.Name (include "base.text" (list . $tag))) -}}
{{- end -}}
{{- if eq $tag (toString .Values.image.tag) }}{{ $tag = regexReplaceAll "@sha256:[0-9a-f]{64}$" $tag "" }}{{ end -}}
{{- if not (regexMatch "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$" $tag) -}}
{{- fail (printf "%q is no tag of an image: letters, digits, '_', '.' and '-', 128 at most; a digest belongs into image.digest of %s" $tag .Chart.Name) -}}
{{- else if eq $tag "latest" -}}
{{- fail (printf "the tag of %s is latest, which names another image tomorrow and can't be gone back to: set image.tag, global.imageTag or image.digest to one version" .Chart.Name) -}}
{{- end -}}
{{- $tag -}}
{{- end -}}

{{/* That of image.digest, else the one behind the tag; empty: none. */}}
{{- define "base.digest" -}}
{{- .Values.image.digest | default (regexFind "sha256:[0-9a-f]{64}$" (regexFind "@.*$" (toString .Values.image.tag))) -}}
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
{{- if regexMatch "@|:[^/]*$" $repository -}}
{{- fail (printf "image.repository of %s is %q, which has a tag or a digest behind it: put these into image.tag and image.digest" .Chart.Name $repository) -}}
{{- end -}}
{{- $repository = include "base.mirrored" (list . $repository) -}}
{{- with include "base.digest" . -}}
{{- printf "%s@%s" $repository . -}}
{{- else -}}
{{- printf "%s:%s" $repository (include "base.tag" .) -}}
{{- end -}}
{{- end -}}

{{- define "base.serviceAccountName" -}}
{{- if (.Values.serviceAccount).create -}}
{{- (.Values.serviceAccount).name | default (include "base.fullname" .) -}}
{{- else -}}
{{- (.Values.serviceAccount).name | default "default" -}}
{{- end -}}
{{- end -}}
