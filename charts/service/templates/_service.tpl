{{/* All pods by one name, without an address of its own: gRPC has one connection for all calls, so callers must
     spread their calls over the pods themselves. */}}
{{- define "service.pods" }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "base.serviceName" . }}-pods
  labels: {{- include "base.labels" (list . "grpc") | nindent 4 }}
  {{- include "base.annotations" (list . dict) | nindent 2 }}
spec:
  clusterIP: None
  {{- with .Values.grpc.serviceSpec }}
  {{- tpl (toYaml .) $ | nindent 2 }}
  {{- end }}
  selector: {{- include "base.selector" (list . "grpc") | nindent 4 }}
  ports:
  - {name: grpc, port: {{ .Values.grpc.port }}, targetPort: grpc, appProtocol: kubernetes.io/h2c}
{{- end -}}

{{- define "service.service" }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "base.serviceName" . }}
  labels: {{- include "base.labels" (list . "http") | nindent 4 }}
  {{- include "base.annotations" (list . .Values.http.serviceAnnotations) | nindent 2 }}
spec:
  type: {{ .Values.http.serviceType }}
  {{- with .Values.http.serviceSpec }}
  {{- tpl (toYaml .) $ | nindent 2 }}
  {{- end }}
  selector: {{- include "base.selector" (list . "http") | nindent 4 }}
  ports:
  - name: http
    port: {{ .Values.http.servicePort }}
    targetPort: http
    {{- if and (ne .Values.http.serviceType "ClusterIP") .Values.http.nodePort }}
    nodePort: {{ .Values.http.nodePort }}
    {{- end }}
{{- end -}}
