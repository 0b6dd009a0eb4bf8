package iac

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// sound is a Deployment about which no check says anything of weight but what a test adds.
const sound = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: web
          image: registry.example.com/web@sha256:0000000000000000000000000000000000000000000000000000000000000000
          resources: {limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 1, memory: 1Gi}}
          securityContext:
            privileged: false
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            runAsNonRoot: true
            runAsUser: 20000
            runAsGroup: 20000
            capabilities: {drop: [ALL]}
`

const privilege = "AVD-KSV-0017"

// TestOverlays shows that what is judged is what an overlay sets up: a user who reads only
// the base would run a privileged container in production.
func TestOverlays(t *testing.T) {
	patch := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec:\n  template:\n    spec:\n      containers:\n        - name: web\n          securityContext: {privileged: true}\n"
	over := func(spec string, more ...string) map[string]string {
		files := map[string]string{"base/kustomization.yaml": "resources: [web.yaml]\n", "base/web.yaml": sound, "prod/kustomization.yaml": spec}
		for i := 0; i < len(more); i += 2 {
			files[more[i]] = more[i+1]
		}
		return files
	}
	jsonPatch := "- op: replace\n  path: /spec/template/spec/containers/0/securityContext/privileged\n  value: true\n"
	for name, c := range map[string]struct {
		files map[string]string
		where string // of the finding
	}{
		"nothing is added":                         {over("resources: [../base]\n"), ""},
		"by a patch in a file":                     {over("resources: [../base]\npatches: [{path: root.yaml}]\n", "prod/root.yaml", patch), "prod/kustomization.yaml"},
		"by a patch of the older form":             {over("bases: [../base]\npatchesStrategicMerge: [root.yaml]\n", "prod/root.yaml", patch), "prod/kustomization.yaml"},
		"by a patch within the kustomization":      {over("resources: [../base]\npatches:\n  - patch: |\n      " + strings.ReplaceAll(patch, "\n", "\n      ") + "\n"), "prod/kustomization.yaml"},
		"by a JSON patch in a file":                {over("resources: [../base]\npatches: [{path: root.yaml, target: {kind: Deployment}}]\n", "prod/root.yaml", jsonPatch), "prod/kustomization.yaml"},
		"by a JSON patch in JSON":                  {over("resources: [../base]\npatchesJson6902: [{path: root.json, target: {group: apps, version: v1, kind: Deployment, name: web}}]\n", "prod/root.json", `[{"op":"replace","path":"/spec/template/spec/containers/0/securityContext/privileged","value":true}]`), "prod/kustomization.yaml"},
		"by a component":                           {over("resources: [../base]\ncomponents: [../debug]\n", "debug/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches: [{path: root.yaml}]\n", "debug/root.yaml", patch), "prod/kustomization.yaml"},
		"under a name that the overlay made":       {over("resources: [../base]\nnamePrefix: prod-\nnamespace: live\npatches: [{path: root.yaml}]\n", "prod/root.yaml", patch), "prod/kustomization.yaml"},
		"by a kustomization without an ending":     {map[string]string{"base/kustomization.yml": "resources: [web.yaml]\n", "base/web.yaml": sound, "prod/Kustomization": "resources: [../base]\npatches: [{path: root.yaml}]\n", "prod/root.yaml": patch}, "prod/Kustomization"},
		"at the root of the tree":                  {map[string]string{"base/kustomization.yml": "resources: [web.yaml]\n", "base/web.yaml": sound, "kustomization.yaml": "resources: [base]\npatches: [{path: root.yaml}]\n", "root.yaml": patch}, "kustomization.yaml"},
		"in the base, and told there alone":        {over("resources: [../base]\nnamePrefix: x-\n", "base/web.yaml", strings.Replace(sound, "privileged: false", "privileged: true", 1)), "base/web.yaml"},
		"in the base, which the overlay does mend": {over("resources: [../base]\npatches: [{path: safe.yaml}]\n", "base/web.yaml", strings.Replace(sound, "privileged: false", "privileged: true", 1), "prod/safe.yaml", strings.Replace(patch, "true", "false", 1)), "base/web.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			r := checked(t, c.files)
			var places []string
			for _, p := range r.Problems {
				if p.Check == privilege {
					places = append(places, p.Path)
				}
			}
			want := []string{c.where}
			if c.where == "" {
				want = nil
			}
			if !slices.Equal(places, want) {
				t.Errorf("privileged containers are told in %q, want %q; open %v, absent %v, problems %v", places, want, r.Open, r.Absent, r.Problems)
			}
			for _, n := range append(r.Open, r.Absent...) {
				t.Errorf("told as not judged: %v", n)
			}
		})
	}
}

// TestPatchIsNoManifest shows that a patch is not told for what it leaves to its base: a
// user would get a dozen findings for three lines that say how many copies there are.
func TestPatchIsNoManifest(t *testing.T) {
	replicas := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {replicas: 3}\n"
	files := map[string]string{
		"base/kustomization.yaml": "resources: [web.yaml]\n", "base/web.yaml": sound,
		"prod/kustomization.yaml": "resources: [../base]\npatches: [{path: scale.yaml}]\n", "prod/scale.yaml": replicas,
	}
	ofPatch := func(p Problem) bool { return p.Path == "prod/scale.yaml" }
	if r := checked(t, files); slices.ContainsFunc(r.Problems, ofPatch) {
		t.Errorf("problems %v", r.Problems)
	}
	whole := strings.Replace(sound, "privileged: false", "privileged: true", 1)
	files["prod/scale.yaml"] = whole
	r := checked(t, files)
	if !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Check == privilege && p.Path == "prod/scale.yaml" }) {
		t.Errorf("a whole manifest is judged where it stands, whatever names it a patch: %v", r.Problems)
	}
	rootedPatch := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {template: {spec: {containers: [{name: web, securityContext: {privileged: true}}]}}}\n"
	files["prod/scale.yaml"], files["prod/kustomization.yaml"] = rootedPatch, "resources: [../base, https://example.com/x.yaml]\npatches: [{path: scale.yaml}]\n"
	if r := checked(t, files); !slices.ContainsFunc(r.Problems, ofPatch) {
		t.Error("a patch of an overlay that was not rendered is judged as it stands")
	}
}

// TestOverlaysNotRendered shows what is said of an overlay that could not be rendered:
// "not judged" must never read as "nothing wrong".
func TestOverlaysNotRendered(t *testing.T) {
	base := map[string]string{"base/kustomization.yaml": "resources: [web.yaml]\n", "base/web.yaml": sound}
	layered := map[string]string{}
	for i := range 12 {
		layered[fmt.Sprintf("l%d/kustomization.yaml", i)] = fmt.Sprintf("resources: [a%d, b%d]\n", i, i)
		for _, side := range []string{"a", "b"} {
			layered[fmt.Sprintf("l%d/%s%d/kustomization.yaml", i, side, i)] = fmt.Sprintf("resources: [../../l%d]\nnamePrefix: %s\n", i+1, side)
		}
	}
	layered["l12/kustomization.yaml"], layered["l12/web.yaml"] = "resources: [web.yaml]\n", sound
	for name, c := range map[string]struct {
		files  map[string]string
		kind   string // invalid, absent, open (which blocks), told
		saying string
	}{
		"a base of a repository":           {map[string]string{"prod/kustomization.yaml": "resources: ['github.com/acme/base?ref=v1']\n"}, "told", "comes from elsewhere"},
		"a base by ssh":                    {map[string]string{"prod/kustomization.yaml": "resources: ['git@example.com:acme/base.git']\n"}, "told", "comes from elsewhere"},
		"a folder with the name of a host": {map[string]string{"kustomization.yaml": "resources: [github.com/acme/base]\n", "github.com/acme/base/kustomization.yaml": "resources: [web.yaml]\n", "github.com/acme/base/web.yaml": sound}, "told", "comes from elsewhere"},
		"a manifest from the network":      {map[string]string{"prod/kustomization.yaml": "resources: ['https://example.com/x.yaml']\n"}, "told", "comes from elsewhere"},
		"a base that takes from elsewhere": {map[string]string{"prod/kustomization.yaml": "resources: [../base]\n", "base/kustomization.yaml": "resources: ['https://example.com/x.yaml']\n"}, "told", "comes from elsewhere"},
		"a patch from elsewhere":           {map[string]string{"prod/kustomization.yaml": "resources: [../base]\npatches: [{path: 'https://example.com/x.yaml'}]\n"}, "told", "comes from elsewhere"},
		"data from elsewhere":              {map[string]string{"prod/kustomization.yaml": "configMapGenerator: [{name: a, files: ['k=https://example.com/x']}]\n"}, "told", "comes from elsewhere"},
		"transformers":                     {map[string]string{"prod/kustomization.yaml": "resources: [../base]\ntransformers: [x.yaml]\n"}, "open", "transformers"},
		"a chart":                          {map[string]string{"prod/kustomization.yaml": "helmCharts: [{name: a, repo: 'https://example.com'}]\n"}, "told", "chart of Helm"},
		"a file that is not there":         {map[string]string{"prod/kustomization.yaml": "resources: [../base]\npatches: [{path: gone.yaml}]\n"}, "absent", "gone.yaml"},
		"a folder that is not there":       {map[string]string{"prod/kustomization.yaml": "resources: [../gone]\n"}, "absent", "takes gone"},
		"a file outside of the tree":       {map[string]string{"prod/kustomization.yaml": "resources: [../../../etc/passwd]\n"}, "absent", "etc/passwd"},
		"a base that takes its overlay":    {map[string]string{"prod/kustomization.yaml": "resources: [../base, ../a]\n", "a/kustomization.yaml": "resources: [../b]\n", "b/kustomization.yaml": "resources: [../a]\n"}, "invalid", "take itself"},
		"more folders than anybody has":    {layered, "invalid", "more than 500 folders"},
		"a patch that fits nothing":        {map[string]string{"prod/kustomization.yaml": "resources: [../base]\npatches: [{patch: '[{\"op\":\"add\",\"path\":\"/a\",\"value\":1}]', target: {kind: Nothing, name: x}}]\nreplicas: [{name: nobody, count: 2}]\n"}, "invalid", "cannot be rendered"},
		"a setting that Kustomize has not": {map[string]string{"prod/kustomization.yaml": "resources: [../base]\nresourcez: []\n"}, "invalid", "resourcez"},
		"no YAML":                          {map[string]string{"prod/kustomization.yaml": "resources: [../base\n"}, "invalid", "line"},
		"a patch that cannot be read":      {map[string]string{"prod/kustomization.yaml": "resources: [../base]\npatches: [{path: x.yaml}]\n", "prod/x.yaml": "apiVersion: v1\nkind: [\n"}, "open", "x.yaml cannot be read"},
		"aliases that stand for a million": {map[string]string{"prod/kustomization.yaml": "resources: [../base, x.yaml]\n", "prod/x.yaml": bombed}, "open", "million"},
		"two kustomizations in one folder": {map[string]string{"prod/kustomization.yaml": "resources: [../base]\n", "prod/kustomization.yml": "resources: [../base]\n"}, "invalid", "Kustomize takes one of them"},
		"data that are no YAML":            {map[string]string{"prod/kustomization.yaml": "resources: [../base]\nconfigMapGenerator: [{name: a, files: [k=app.conf], envs: [.env]}]\n"}, "told", "from 2 files was not judged"},
		"a resource that cannot be named":  {map[string]string{"prod/kustomization.yaml": "resources: [../base, x.yaml]\n", "prod/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [a]}\n"}, "invalid", "cannot be rendered"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			for _, from := range []map[string]string{base, c.files} {
				for p, text := range from {
					files[p] = text
				}
			}
			r := checked(t, files)
			var said []string
			for _, p := range r.Problems {
				if p.Check == Invalid {
					said = append(said, "invalid: "+p.Path+": "+p.Message)
				}
			}
			for _, n := range r.Absent {
				said = append(said, "absent: "+n.Reason)
			}
			for _, n := range r.Open {
				said = append(said, map[bool]string{true: "open: ", false: "told: "}[n.Blocks]+n.Reason)
			}
			if !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, c.kind+": ") && strings.Contains(s, c.saying) }) {
				t.Errorf("nothing %s says %q:\n%s", c.kind, c.saying, strings.Join(said, "\n"))
			}
		})
	}
}

// bombed has aliases that stand for more than a million values.
var bombed = func() string {
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 8 {
		fmt.Fprintf(&b, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i+1, i+1, i, i, i, i, i, i, i, i, i, i)
	}
	return b.String()
}()

// TestAnOverlayOfManyEntriesEnds shows that an overlay of a hundred thousand names is told,
// and keeps nobody waiting for it.
func TestAnOverlayOfManyEntriesEnds(t *testing.T) {
	names := strings.Repeat("- gone.yaml\n", 100_000)
	r := checked(t, map[string]string{"prod/kustomization.yaml": "resources:\n" + names, "many/kustomization.yaml": "resources: [web.yaml]\nimages:\n" + strings.Repeat("- {name: a, newTag: b}\n", 100_000), "many/web.yaml": sound})
	for _, p := range []string{"prod/kustomization.yaml", "many/kustomization.yaml"} {
		if !slices.ContainsFunc(r.Problems, func(x Problem) bool {
			return x.Check == Invalid && x.Path == p && strings.Contains(x.Message, "more than 5000 entries")
		}) {
			t.Errorf("%s: problems %v, open %v, absent %v", p, r.Problems, r.Open, r.Absent)
		}
	}
}

// TestNoKustomization shows that a manifest is one whatever its file is called.
func TestNoKustomization(t *testing.T) {
	flux := "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: a}\nspec: {path: ./x}\n"
	r := checked(t, map[string]string{"kustomization.yaml": flux + "---\n" + strings.Replace(sound, "privileged: false", "privileged: true", 1)})
	if !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Check == privilege }) || slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Check == Invalid }) {
		t.Errorf("problems %v", r.Problems)
	}
}
