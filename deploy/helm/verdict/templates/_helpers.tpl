{{- define "verdict.name" -}}
{{- $n := .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- if contains "verdict" $n }}{{ $n }}{{ else }}{{ $n }}-verdict{{ end -}}
{{- end -}}

{{- define "verdict.serviceAccount" -}}
{{- default (include "verdict.name" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "verdict.selector" -}}
app.kubernetes.io/name: verdict
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "verdict.labels" -}}
{{ include "verdict.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/* StatefulSet where a pod keeps something of its own. */}}
{{- define "verdict.stateful" -}}
{{- if or (eq .Values.database.engine "sqlite") .Values.anchor.persistent }}yes{{ end -}}
{{- end -}}

{{/* The reference of a key: to a vault, or to the file of a secret. */}}
{{- define "verdict.keyReference" -}}
{{- if .reference }}{{ .reference }}{{ else if .secret.name }}file:/etc/verdict/keys/{{ .secret.key }}{{ end -}}
{{- end -}}

{{/* Nine tenths of the memory limit in bytes: memory is collected sooner before the kernel ends the process. Nothing where there is no limit in the usual units. */}}
{{- define "verdict.memory" -}}
{{- $units := dict "" 1.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 -}}
{{- $limit := dig "limits" "memory" "" (.Values.resources | default dict) -}}
{{- if kindIs "float64" $limit }}{{ $limit = int64 $limit }}{{ end -}}
{{- $limit = toString $limit -}}
{{- if regexMatch "^[0-9]+(\\.[0-9]+)?([kMGT]|[KMGT]i)?$" $limit -}}
{{- $unit := regexFind "[A-Za-z]*$" $limit -}}
{{- mulf (float64 (trimSuffix $unit $limit)) (get $units $unit) 0.9 | int64 -}}
{{- end -}}
{{- end -}}

{{/* What the schema cannot say, each with what to do. */}}
{{- define "verdict.validate" -}}
{{- $v := .Values -}}
{{- if not $v.image.repository }}{{ fail "image.repository is empty: push the image (make image PUSH=REGISTRY/verdict:TAG) and name it with --set image.repository=REGISTRY/verdict" }}{{ end -}}
{{- if not $v.image.digest }}{{ fail "image.digest is empty: what runs is named by its digest, which make image printed: --set image.digest=sha256:…" }}{{ end -}}
{{- if not $v.publicUrl }}{{ fail "publicUrl is empty: tokens and links need the address under which the server is reached: --set publicUrl=https://HOST" }}{{ end -}}
{{- if not $v.signIn }}{{ fail "signIn is empty: nobody could sign in: --set-file signIn=sign-in.yaml, as docs/sign-in.md has it" }}{{ end -}}
{{- if eq $v.database.engine "sqlite" -}}
{{- if gt (int $v.replicas) 1 }}{{ fail (printf "replicas is %d with the embedded engine, which one process writes: set replicas to 1, or database.engine to postgres" (int $v.replicas)) }}{{ end -}}
{{- if $v.database.secret.name }}{{ fail "database.secret.name is set with the embedded engine: set database.engine to postgres, or leave the secret out" }}{{ end -}}
{{- else -}}
{{- if not $v.database.secret.name }}{{ fail "database.secret.name is empty: make a secret with the address of the database and name it, or set database.engine to sqlite and replicas to 1" }}{{ end -}}
{{- if not $v.blobs }}{{ fail "blobs is empty: every replica must find what another one stored: --set blobs=s3://BUCKET, azblob://ACCOUNT/CONTAINER or gs://BUCKET" }}{{ end -}}
{{- if not (include "verdict.keyReference" $v.logKey) }}{{ fail "logKey is empty: replicas sign one log with one key: set logKey.reference to a key vault, or logKey.secret.name" }}{{ end -}}
{{- if not (include "verdict.keyReference" $v.signer) }}{{ fail "signer is empty: replicas sign as one server: set signer.reference to a key vault, or signer.secret.name" }}{{ end -}}
{{- end -}}
{{- range $name := list "logKey" "signer" -}}
{{- $k := index $v $name -}}
{{- if and $k.reference $k.secret.name }}{{ fail (printf "%s has a reference and a secret: keep one of them" $name) }}{{ end -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.host) }}{{ fail "ingress.host is empty: set the name under which the server is reached" }}{{ end -}}
{{- if and $v.admission.enabled (gt (int $v.replicas) 1) (not $v.admission.authoritySecret.name) }}{{ fail "admission.authoritySecret.name is empty: replicas show certificates of one authority, or the API server trusts only one of them: make a secret with it and name it" }}{{ end -}}
{{- if and $v.admission.webhook.enabled (not $v.admission.enabled) }}{{ fail "admission.webhook.enabled needs admission.enabled: the API server would ask nobody" }}{{ end -}}
{{- if and $v.admission.webhook.enabled (not $v.admission.webhook.caBundle) }}{{ fail "admission.webhook.caBundle is empty: the API server trusts no certificate by itself: take the one that verdict admission manifests prints" }}{{ end -}}
{{- end -}}
