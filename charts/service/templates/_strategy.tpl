{{/*
What runs a service and how a new version takes over. This file and _microservice.tpl alone know of strategies:
  unmanaged   Deployments that Kubernetes itself rolls, with their Services, budgets and migration Job
  managed     one Microservice, of which the operator makes all of these: rolling or blueGreen
Usage: include "service.workloads" (list $ctx $components)
*/}}
{{- define "service.workloads" -}}
{{- $ctx := index . 0 -}}
{{- include "service.strategy.check" . -}}
{{- if $ctx.Values.release.managed }}
{{ include "service.microservice" . }}
{{- else }}
{{- range $component := index . 1 }}
{{ include "service.deployment" (list $ctx $component) }}
{{ include "service.pdb" (list $ctx $component) }}
{{- end }}
{{- if $ctx.Values.http.enabled }}
{{ include "service.service" $ctx }}
{{- end }}
{{- if $ctx.Values.grpc.enabled }}
{{ include "service.pods" $ctx }}
{{- end }}
{{ include "service.migration-job" $ctx }}
{{- end }}
{{- end -}}

{{/* What answers requests: HTTP, or gRPC where there is no HTTP. An autoscaler sets its size. */}}
{{- define "service.serving" -}}
{{- if .Values.http.enabled }}http{{ else if .Values.grpc.enabled }}grpc{{ end -}}
{{- end -}}

{{- define "service.scaleTarget" -}}
{{- if .Values.release.managed -}}
apiVersion: slipway.dev/v1alpha1
kind: Microservice
name: {{ include "base.fullname" . }}
{{- else -}}
apiVersion: apps/v1
kind: Deployment
name: {{ include "base.fullname" . }}-{{ include "service.serving" . }}
{{- end -}}
{{- end -}}

{{/* How to watch a release, for NOTES.txt. Usage: include "service.watch" . with the root context */}}
{{- define "service.watch" -}}
{{- $ctx := dict "Values" (include "service.values" . | fromYaml) "Release" .Release "Chart" .Chart -}}
{{- if $ctx.Values.release.managed -}}
kubectl -n {{ .Release.Namespace }} wait --for=condition=Ready --timeout=10m microservice/{{ include "base.fullname" $ctx }}
{{- else -}}
kubectl -n {{ .Release.Namespace }} rollout status deployment -l app.kubernetes.io/instance={{ .Release.Name }}
{{- end -}}
{{- end -}}

{{- define "service.strategy.check" -}}
{{- $ctx := index . 0 -}}
{{- $values := $ctx.Values -}}
{{- $serving := list -}}
{{- range list "http" "grpc" }}{{ if (index $values .).enabled }}{{ $serving = append $serving . }}{{ end }}{{ end -}}
{{- if not $values.release.managed -}}
{{- if eq $values.release.strategy "blueGreen" -}}
{{- fail "release.strategy is blueGreen, which Deployments can't do: set release.managed to true, which needs the operator (charts/operator), or release.strategy to rolling" -}}
{{- end -}}
{{- else -}}
{{- if not $serving -}}
{{- fail "release.managed is true, and nothing answers requests: set http.enabled or grpc.enabled to true, or release.managed to false" -}}
{{- end -}}
{{- range $serving -}}
{{- if and (not (kindIs "invalid" (index $values .).replicas)) (lt (int (index $values .).replicas) 1) -}}
{{- fail (printf "%s.replicas is 0, and a managed release has one pod at least: set it to 1 or more, or release.managed to false" .) -}}
{{- end -}}
{{- end -}}
{{- if and (eq (len $serving) 2) (ne (int $values.http.replicas) (int $values.grpc.replicas)) -}}
{{- fail "http.replicas and grpc.replicas differ, and a managed release has one size for both: set them to the same number" -}}
{{- end -}}
{{- if $values.keda.enabled -}}
{{- fail "keda.enabled is set, and the operator sets the number of consumers of a managed release, since it hands events over between versions: set keda.enabled or release.managed to false" -}}
{{- end -}}
{{- range $serving -}}
{{- if (index $values .).serviceSpec -}}
{{- fail (printf "%s.serviceSpec is set, and the operator makes the Services of a managed release: remove it" .) -}}
{{- end -}}
{{- end -}}
{{- if $values.deploymentSpec -}}
{{- fail "deploymentSpec is set, and the operator makes the Deployments of a managed release: remove it" -}}
{{- end -}}
{{- if and $values.http.enabled (ne $values.http.serviceType "ClusterIP") -}}
{{- fail (printf "http.serviceType is %s, and the Service of a managed release is a ClusterIP: remove it, and reach the service through the gateway" $values.http.serviceType) -}}
{{- end -}}
{{- end -}}
{{- include "service.strategy.checkLive" . -}}
{{- end -}}

{{/*
Helm deletes what is no longer rendered, and would take Deployments and Services from under their requests. So the
other mode's objects have to be handed over first. Nothing is found, and nothing refused, without a cluster to ask.
*/}}
{{- define "service.strategy.checkLive" -}}
{{- $ctx := index . 0 -}}
{{- $namespace := $ctx.Release.Namespace -}}
{{- $name := include "base.fullname" $ctx -}}
{{- if $ctx.Values.release.managed -}}
{{- $wanted := list (list "v1" "Service" $name) (list "v1" "Service" (printf "%s-pods" $name)) -}}
{{- range index . 1 }}{{ $wanted = append $wanted (list "apps/v1" "Deployment" (printf "%s-%s" $name .)) }}{{ end -}}
{{- range $wanted -}}
{{- $there := lookup (index . 0) (index . 1) $namespace (index . 2) -}}
{{- if and $there (ne (dig "metadata" "labels" "slipway.dev/microservice" "" $there) $name) -}}
{{- fail (printf "release.managed is true, and the %s %s is not the operator's: hand it over first, without a lost request, by kubectl slipway adopt %s -n %s" (index . 1) (index . 2) $name $namespace) -}}
{{- end -}}
{{- end -}}
{{- else if $ctx.Capabilities.APIVersions.Has "slipway.dev/v1alpha1/Microservice" -}}
{{- if lookup "slipway.dev/v1alpha1" "Microservice" $namespace $name -}}
{{- fail (printf "release.managed is false, and the operator manages %s: take it back first, without a lost request, by kubectl slipway orphan %s -n %s" $name $name $namespace) -}}
{{- end -}}
{{- end -}}
{{- end -}}
