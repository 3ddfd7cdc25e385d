{{- define "operator.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "operator.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "operator.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "operator.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Selectors are immutable: never the version. Usage: include "operator.selector" (list . "http") */}}
{{- define "operator.selector" -}}
{{- $ctx := index . 0 -}}
app.kubernetes.io/name: {{ include "operator.name" $ctx }}
app.kubernetes.io/instance: {{ $ctx.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Usage: include "operator.labels" (list . "http") */}}
{{- define "operator.labels" -}}
{{- $ctx := index . 0 -}}
{{ include "operator.selector" . }}
app.kubernetes.io/version: {{ include "operator.version" $ctx | quote }}
app.kubernetes.io/part-of: slipway
app.kubernetes.io/managed-by: {{ $ctx.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $ctx.Chart.Name $ctx.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "operator.tag" -}}
{{- .Values.image.tag | default ((.Values.global).imageTag) | default .Chart.AppVersion -}}
{{- end -}}

{{- define "operator.version" -}}
{{- include "operator.tag" . | trunc 63 -}}
{{- end -}}

{{- define "operator.image" -}}
{{- $repository := .Values.image.repository | required "image.repository is not set: name the operator's image, for example registry.example.org/shop/operator" -}}
{{- $registry := (.Values.global).imageRegistry -}}
{{- if $registry }}{{ $repository = printf "%s/%s" (trimSuffix "/" $registry) $repository }}{{ end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (include "operator.tag" .) -}}
{{- end -}}
{{- end -}}

{{- define "operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "operator.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* What the restricted Pod Security Standard asks of a container. */}}
{{- define "operator.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "operator.restrictedPod" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* The rules of what the operator may do to services. No wildcards, and nothing about Secrets. */}}
{{- define "operator.rules" -}}
- apiGroups: [slipway.dev]
  resources: [microservices, releaseplans]
  verbs: [get, list, watch]
- apiGroups: [slipway.dev]
  resources: [microservices/status, releaseplans/status, serviceversions/status]
  verbs: [patch]
- apiGroups: [slipway.dev]
  resources: [serviceversions]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create] # each version keeps a copy of its configuration
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, patch] # patch: the label that tells a pod that its version drains
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}
