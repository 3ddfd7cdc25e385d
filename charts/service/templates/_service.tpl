{{/* All pods by one name, without an address of its own: gRPC has one connection for all calls, so callers must
     spread their calls over the pods themselves. */}}
{{- define "service.pods" }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "base.fullname" . }}-pods
  labels: {{- include "base.labels" (list . "grpc") | nindent 4 }}
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
  name: {{ include "base.fullname" . }}
  labels: {{- include "base.labels" (list . "http") | nindent 4 }}
  {{- with .Values.http.serviceAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
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
    {{- if and (eq .Values.http.serviceType "NodePort") .Values.http.nodePort }}
    nodePort: {{ .Values.http.nodePort }}
    {{- end }}
{{- end -}}
