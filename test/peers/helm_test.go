package peers

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// privileged are the places of containers that may do everything, and which of them are old.
func (f found) privileged() map[string]bool {
	out := map[string]bool{}
	for _, h := range f.Hits {
		if h.Detector == "AVD-KSV-0017" {
			out[h.Path] = h.Old
		}
	}
	return out
}

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "shop.name" . }}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: shop
          image: {{ .Values.image | quote }}
          securityContext:
            {{- toYaml .Values.security | nindent 12 }}
          env:
            - {name: SIZE, value: {{ .Files.Get "files/size" | trim | quote }}}
{{- if .Values.debug }}
---
apiVersion: v1
kind: Pod
metadata: {name: debug}
spec:
  containers:
    - name: debug
      image: debug:1
      securityContext:
        privileged: true
{{- end }}
`

func shop(security string) map[string]string {
	return map[string]string{
		"deploy/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n", "deploy/values.yaml": "image: shop:1\ndebug: false\nsecurity: {" + security + "}\n",
		"deploy/templates/_helpers.tpl": "{{- define \"shop.name\" -}}{{ .Chart.Name }}-{{ .Release.Name }}{{- end -}}\n", "deploy/templates/deployment.yaml": deployment,
		"deploy/files/size": "12\n",
	}
}

// What helm itself makes of a chart is what is judged: helpers, values, files and charts
// within the chart; and what a change brings is told from what was there.
func TestChartsAreRenderedByHelm(t *testing.T) {
	w := newWorld(t)
	repo := w.releases(t, "  helm: {command: ["+filepath.Join(program(t, "helm"), "helm")+", template], format: helm}\n")
	w.in(t, repo, shop("privileged: false"))
	r := w.checked(t, repo, "iac")
	if ok, blocks := r.told("deploy/Chart.yaml", "was rendered by helm v3.18"); !ok || blocks || !r.Complete || len(r.privileged()) != 0 || len(r.Hits) == 0 {
		t.Fatalf("%d hits, %+v", len(r.Hits), r.Open)
	}
	if !slices.ContainsFunc(r.Hits, func(h hit) bool {
		return strings.HasPrefix(h.Key, "iac:AVD-KSV-0014:Deployment/shop-release-name:deploy/templates/deployment.yaml")
	}) {
		t.Errorf("the name that helm gives it is in no key: %+v", r.Hits)
	}
	w.in(t, repo, shop("privileged: true"))
	for _, judge := range []func() found{ // before it is committed, and after
		func() found { return w.judged(t, repo, "iac", "--diff", "main") }, func() found { return w.checked(t, repo, "iac") },
	} {
		r = judge()
		if old, ok := r.privileged()["deploy/templates/deployment.yaml"]; !ok || old {
			t.Errorf("what the change opens is not found, or counts as old: %+v", r.Open)
		}
	}
	r = w.checked(t, repo, "iac")
	if old := r.privileged()["deploy/templates/deployment.yaml"]; !old {
		t.Error("what was there before counts as new")
	}

	// A chart within it, as a folder and as the archive that helm makes of it.
	w.in(t, repo, map[string]string{
		"deploy/charts/db/Chart.yaml": "apiVersion: v2\nname: db\nversion: 1.0.0\n", "deploy/charts/db/values.yaml": "open: true\n",
		"deploy/charts/db/templates/pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: db-{{ .Release.Name }}\nspec:\n  containers:\n    - name: db\n      image: db:1\n      securityContext:\n        privileged: {{ .Values.open }}\n",
	})
	if r = w.checked(t, repo, "iac"); !r.Complete || len(r.privileged()) != 2 {
		t.Errorf("a chart in the chart: %v, %+v", r.privileged(), r.Open)
	}
	if exit, said := w.run(t, true, filepath.Join(program(t, "helm"), "helm"), "package", filepath.Join(repo, "deploy/charts/db"), "-d", filepath.Join(repo, "deploy/charts")); exit != 0 {
		t.Fatal(said)
	}
	if err := os.RemoveAll(filepath.Join(repo, "deploy/charts/db")); err != nil {
		t.Fatal(err)
	}
	r = w.checked(t, repo, "iac")
	if _, ok := r.privileged()["deploy/Chart.yaml"]; !ok || !r.Complete {
		t.Errorf("a chart in an archive: %v, %+v", r.privileged(), r.Open)
	}
}

// What helm refuses leaves the check incomplete, in words that help; and a chart reaches
// neither the network nor what lies around it.
func TestAChartThatHelmRefusesIsNotASafeOne(t *testing.T) {
	w := newWorld(t)
	repo := w.releases(t, "  helm: {command: ["+filepath.Join(program(t, "helm"), "helm")+", template], format: helm}\n")
	for name, c := range map[string]struct {
		files map[string]string
		told  string
	}{
		"a value is missing":      {map[string]string{"deploy/templates/x.yaml": "{{ required \"say who\" .Values.who }}"}, "say who"},
		"a template is broken":    {map[string]string{"deploy/templates/x.yaml": "{{ if }}"}, "templates/x.yaml"},
		"a dependency is missing": {map[string]string{"deploy/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n- {name: db, version: 1.0.0, repository: \"https://charts.example\"}\n"}, "run `helm dependency build` there, and commit what it fetched"},
		"a schema from elsewhere": {map[string]string{"deploy/values.schema.json": `{"$ref": "https://charts.example/s.json"}`}, "127.0.0.1:9"},
		"no YAML":                 {map[string]string{"deploy/templates/x.yaml": "a: [\n"}, "YAML"},
		"no manifest":             {map[string]string{"deploy/templates/x.yaml": "just: this\n"}, "begins no manifest"},
		"it calls itself":         {map[string]string{"deploy/templates/_x.tpl": `{{ define "x" }}{{ include "x" . }}{{ end }}`, "deploy/templates/x.yaml": `{{ include "x" . }}`}, "error calling include"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.RemoveAll(filepath.Join(repo, "deploy")); err != nil {
				t.Fatal(err)
			}
			w.in(t, repo, shop("privileged: false"))
			w.in(t, repo, c.files)
			r := w.checked(t, repo, "iac")
			if ok, blocks := r.told("deploy/Chart.yaml", c.told); !ok || !blocks || r.Complete {
				t.Errorf("%+v", r.Open)
			}
		})
	}
}
