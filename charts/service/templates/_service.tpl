{{- define "service.service" }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "service.fullname" . }}
  labels: {{- include "service.labels" (list . "http") | nindent 4 }}
spec:
  type: {{ .Values.http.serviceType }}
  selector: {{- include "service.selector" (list . "http") | nindent 4 }}
  ports:
  - name: http
    port: 80
    targetPort: http
    {{- if and (eq .Values.http.serviceType "NodePort") .Values.http.nodePort }}
    nodePort: {{ .Values.http.nodePort }}
    {{- end }}
{{- end -}}
