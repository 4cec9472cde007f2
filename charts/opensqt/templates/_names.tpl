{{- define "opensqt.name" -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "opensqt.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: opensqt
{{- end }}

{{- define "opensqt.image.operator" -}}
{{ .Values.image.operator.repository }}:{{ .Values.image.operator.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "opensqt.image.bot" -}}
{{ .Values.image.bot.repository }}:{{ .Values.image.bot.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "opensqt.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* What the restricted Pod Security Standard asks for, and a read-only root. */}}
{{- define "opensqt.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "opensqt.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Whether the trial PostgreSQL runs: it is enabled and no other database is named. */}}
{{- define "opensqt.trial" -}}
{{- if and .Values.journal.postgres.enabled (not .Values.journal.dsn) }}true{{ end }}
{{- end }}

{{/* Ports of the databases that bots may reach, as a policy's JSON list. */}}
{{- define "opensqt.databasePorts" -}}
{{- $hosts := regexReplaceAll "^[a-z]+://(.*@)?" .Values.journal.dsn "" | splitList "/" | first }}
{{- $ports := list }}
{{- range .Values.networkPolicies.databasePorts | default (regexFindAll ":[0-9]+(,|$)" $hosts -1) | default (list 5432) }}
{{- $ports = append $ports (dict "port" (toString . | trimAll ":," | int)) }}
{{- end }}
{{- $ports | toJson }}
{{- end }}

{{/* The namespaces that get the journal's Secret, as a JSON list. */}}
{{- define "opensqt.journalNamespaces" -}}
{{ prepend .Values.journal.namespaces .Release.Namespace | uniq | toJson }}
{{- end }}

{{- define "opensqt.hook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/* What the operator may do, verb by verb. */}}
{{- define "opensqt.operatorRules" -}}
- apiGroups: [opensqt.io]
  resources: [gridbots, exchangeconnectors]
  verbs: [get, list, watch, patch]
- apiGroups: [opensqt.io]
  resources: [gridbots/status, exchangeconnectors/status]
  verbs: [patch]
# Owner references with blockOwnerDeletion.
- apiGroups: [opensqt.io]
  resources: [gridbots/finalizers, exchangeconnectors/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services, serviceaccounts]
  verbs: [get, list, watch, create, patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end }}
