{{- define "chaperone.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end -}}
{{- end -}}

{{- define "chaperone.labels" -}}
app.kubernetes.io/name: chaperone
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "chaperone.selector" -}}
app.kubernetes.io/name: chaperone
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "chaperone.image" -}}
{{- $tag := .image.tag | default .root.Chart.AppVersion -}}
{{- if .image.digest }}{{ .image.repository }}@{{ .image.digest }}{{ else }}{{ .image.repository }}:{{ $tag }}{{ end -}}
{{- end -}}

{{- define "chaperone.agentAccount" -}}
{{- .Values.agent.serviceAccount.name | default (printf "%s-agent" (include "chaperone.name" .)) -}}
{{- end -}}

{{- define "chaperone.collectorAccount" -}}
{{- .Values.collector.serviceAccount.name | default (printf "%s-collector" (include "chaperone.name" .)) -}}
{{- end -}}

{{- define "chaperone.collectorHost" -}}
{{ include "chaperone.name" . }}-collector.{{ .Release.Namespace }}.svc
{{- end -}}

{{- /* Whether there are several collectors: "true", or nothing. */}}
{{- define "chaperone.hasSeveral" -}}
{{- if gt (int .Values.collector.replicas) 1 }}true{{ end -}}
{{- end -}}

{{- /* The names of collectors, one each, as a JSON array. */}}
{{- define "chaperone.collectorHosts" -}}
{{- $hosts := list -}}
{{- range $number := until (int .Values.collector.replicas) -}}
{{- $hosts = append $hosts (printf "%s-collector-%d.%s.svc" (include "chaperone.name" $) $number $.Release.Namespace) -}}
{{- end -}}
{{- toJson $hosts -}}
{{- end -}}

{{- /* What agents call: with several collectors, a name that has the address of each. */}}
{{- define "chaperone.collectorTarget" -}}
{{ include "chaperone.name" . }}-collector{{ if include "chaperone.hasSeveral" . }}s{{ end }}.{{ .Release.Namespace }}.svc
{{- end -}}

{{- /* What a node needs that has the startup taint: nothing of ours may wait for it to go. */}}
{{- define "chaperone.tolerations" -}}
{{- if or .more .root.Values.startupTaint -}}
tolerations:
  {{- if .root.Values.startupTaint }}
  - {key: chaperone.dev/agent-not-ready, operator: Exists}
  {{- end }}
  {{- with .more }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{- define "chaperone.certificatesJob" -}}
backoffLimit: 6
ttlSecondsAfterFinished: 86400
template:
  metadata:
    labels: {{- include "chaperone.labels" .root | nindent 6 }}
      app.kubernetes.io/component: certificates
  spec:
    serviceAccountName: {{ include "chaperone.name" .root }}-certificates
    restartPolicy: OnFailure
    {{- with include "chaperone.tolerations" (dict "root" .root "more" list) }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- with .root.Values.imagePullSecrets }}
    imagePullSecrets: {{- toYaml . | nindent 6 }}
    {{- end }}
    securityContext:
      runAsNonRoot: true
      runAsUser: 65532
      seccompProfile: {type: RuntimeDefault}
    containers:
      - name: certificates
        image: {{ include "chaperone.image" (dict "image" .root.Values.collector.image "root" .root) | quote }}
        imagePullPolicy: {{ .root.Values.collector.image.pullPolicy }}
        command: [/usr/local/bin/chaperone, certificates, secrets]
        args:
          - --namespace={{ .root.Release.Namespace }}
          - --prefix={{ include "chaperone.name" .root }}-tls-
          {{- range .hosts }}
          - --host={{ . }}
          {{- end }}
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {drop: [ALL]}
        resources:
          requests: {cpu: 10m, memory: 64Mi}
          limits: {memory: 256Mi}
{{- end -}}

{{- /* Where agents are. */}}
{{- define "chaperone.agentNodes" -}}
nodeSelector:
  kubernetes.io/os: linux
  kubernetes.io/arch: amd64
  {{- with .Values.agent.nodeSelector }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.agent.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.agent.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Annotations of what there is only while the chart is being removed; given: when in the order. What fails stays, to be looked at. */}}
{{- define "chaperone.beforeRemoval" -}}
helm.sh/hook: pre-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
