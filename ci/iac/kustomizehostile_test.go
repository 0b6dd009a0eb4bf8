package iac

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"verdict"
)

const rootPatch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {template: {spec: {containers: [{name: web, securityContext: {privileged: true}}]}}}\n"

// TestOverlayFetchesNothing shows that no form of an address gets to the library: a change
// would make the machine that judges it ask whatever server the change names.
func TestOverlayFetchesNothing(t *testing.T) {
	asked := atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = io.WriteString(w, rootPatch)
	}))
	defer server.Close()
	for name, files := range map[string]map[string]string{
		"the kustomization is data of its own":       {"prod/kustomization.yaml": "resources: [web.yaml]\npatchesStrategicMerge: ['ADDRESS/x.yaml']\nconfigMapGenerator: [{name: a, files: [kustomization.yaml]}]\n"},
		"the kustomization of a base is data of one": {"prod/kustomization.yaml": "resources: [../base]\nconfigMapGenerator: [{name: a, files: [k=../base/kustomization.yaml]}]\n", "base/kustomization.yaml": "patchesStrategicMerge: ['ADDRESS/x.yaml']\n"},
		"an address with a sign that cuts it":        {"prod/kustomization.yaml": "resources: [web.yaml]\nconfigMapGenerator: [{name: a, envs: ['ADDRESS/x=web.yaml']}]\n"},
		"the same of the older form":                 {"prod/kustomization.yaml": "resources: [web.yaml]\nsecretGenerator: [{name: a, env: 'ADDRESS/x=web.yaml'}]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			asked.Store(0)
			of := map[string]string{"prod/web.yaml": sound}
			for p, text := range files {
				of[p] = strings.ReplaceAll(text, "ADDRESS", server.URL)
			}
			checked(t, of)
			if n := asked.Load(); n > 0 {
				t.Errorf("the server of the change was asked %d times", n)
			}
		})
	}
}

// TestOverlayPrintsNothing shows that the library does not write between what Verdict says.
func TestOverlayPrintsNothing(t *testing.T) {
	standing := os.Stderr
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stderr = w
	defer func() { os.Stderr = standing }()
	checked(t, map[string]string{
		"base/kustomization.yaml": "resources: [web.yaml]\ncommonLabels: {team: a}\n", "base/web.yaml": sound,
		"prod/kustomization.yaml": "bases: [../base]\ncommonLabels: {stage: live}\nimageTags: [{name: x, newTag: y}]\nvars: [{name: X, objref: {apiVersion: apps/v1, kind: Deployment, name: web}}]\n",
	})
	_ = w.Close()
	if said, err := io.ReadAll(r); err != nil || len(said) > 0 {
		t.Errorf("the library wrote %q, %v", said, err)
	}
}

// TestNothingSwitchesOverlaysOff shows that a change cannot have its overlay passed over
// and still be complete: a user would take a privileged container for one that was judged.
func TestNothingSwitchesOverlaysOff(t *testing.T) {
	inline := "patches:\n  - patch: |\n      " + strings.ReplaceAll(rootPatch, "\n", "\n      ") + "\n"
	asJSON := "patches: [{path: root.json, target: {kind: Deployment}}]\n"
	rooted := `[{"op": "replace", "path": "/spec/template/spec/containers/0/securityContext/privileged", "value": true}]`
	for name, files := range map[string]map[string]string{
		"a second apiVersion in other letters": {"prod/kustomization.yaml": "apiVersion: v1\napiversion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../base]\n" + inline},
		"a patch that a second overlay lists":  {"prod/kustomization.yaml": "resources: [../base, 'https://example.com/x.yaml']\npatches: [{path: root.yaml}]\n", "prod/root.yaml": rootPatch, "other/kustomization.yaml": "resources: [../base]\npatches: [{path: ../prod/root.yaml, target: {kind: Service}}]\n"},
		"a patch within, and a base elsewhere": {"prod/kustomization.yaml": "resources: [../base, 'https://example.com/x.yaml']\n" + inline},
		"a patch as JSON, and a base elsewhere": {
			"prod/kustomization.yaml": "resources: [../base, 'https://example.com/x.yaml']\n" + asJSON, "prod/root.json": rooted,
		},
		"a transformer": {"prod/kustomization.yaml": "resources: [../base]\ntransformers: [root.yaml]\n", "prod/root.yaml": "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: a}\npatch: x\n"},
		"a patch of another kind, and a base elsewhere": {
			"prod/kustomization.yaml": "resources: [../base, 'https://example.com/x.yaml']\n" + asJSON, "prod/root.json": `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "spec": {"template": {"spec": {"containers": [{"name": "web", "securityContext": {"privileged": true}}]}}}}`,
		},
		"an overlay that another mends":                        {"prod/kustomization.yaml": "resources: [../base]\n" + inline, "aside/kustomization.yaml": "resources: [../prod]\n" + strings.Replace(inline, "true", "false", 1)},
		"an overlay that another takes, which is not rendered": {"prod/kustomization.yaml": "resources: [../base]\n" + inline, "aside/kustomization.yaml": "resources: [../prod, 'https://example.com/x.yaml']\n"},
		"a component alone":                                    {"prod/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [../base]\n" + inline},
		"variables anywhere":                                   {"prod/kustomization.yaml": "resources: [../base]\nvars: [{name: X, objref: {apiVersion: v1, kind: ConfigMap, name: a}}]\nconfigurations: [vars.yaml]\n", "prod/vars.yaml": "varReference: [{path: spec/template/spec/containers/image, kind: Deployment}]\n"},
		"a value out of data":                                  {"prod/kustomization.yaml": "resources: [../base]\nconfigMapGenerator: [{name: a, files: [v.txt]}]\nreplacements:\n  - source: {kind: ConfigMap, name: a, fieldPath: 'data.[v.txt]'}\n    targets: [{select: {kind: Deployment}, fieldPaths: [spec.template.spec.containers.0.image]}]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			files["base/kustomization.yaml"], files["base/web.yaml"] = "resources: [web.yaml]\n", sound
			r := checked(t, files)
			blocks := slices.ContainsFunc(slices.Concat(r.Open, r.Absent), func(n verdict.NotChecked) bool { return n.Blocks })
			found := slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Check == privilege || p.Check == Invalid })
			if !blocks && !found {
				t.Errorf("it reads as judged and sound: open %v, problems %v", r.Open, r.Problems)
			}
		})
	}
}

// TestOverlayOfOverlays shows that what one overlay makes is told at that one alone.
func TestOverlayOfOverlays(t *testing.T) {
	inline := "patches:\n  - patch: |\n      " + strings.ReplaceAll(rootPatch, "\n", "\n      ") + "\n"
	r := checked(t, map[string]string{
		"base/kustomization.yaml": "resources: [web.yaml]\n", "base/web.yaml": sound,
		"mid/kustomization.yaml":  "resources: [../base]\nnamePrefix: mid-\n" + inline,
		"prod/kustomization.yaml": "resources: [../mid]\nnamePrefix: prod-\n",
		"all/kustomization.yaml":  "resources: [../prod]\n",
	})
	var places []string
	for _, p := range r.Problems {
		if p.Check == privilege {
			places = append(places, p.Path)
		}
	}
	if !slices.Equal(places, []string{"mid/kustomization.yaml"}) || len(r.Open)+len(r.Absent) > 0 {
		t.Errorf("told in %q, open %v, absent %v", places, r.Open, r.Absent)
	}
}

// TestLikeNamesAreOthers shows that what is wrong with one manifest does not stand for what
// an overlay makes of another in the same file: a user who put up with the first would
// never be told of the second.
func TestLikeNamesAreOthers(t *testing.T) {
	bad := strings.Replace(sound, "privileged: false", "privileged: true", 1)
	other := strings.Replace(sound, "metadata: {name: web,", "metadata: {name: web-admin,", 1)
	r := checked(t, map[string]string{
		"base/kustomization.yaml": "resources: [web.yaml]\n", "base/web.yaml": bad + "---\n" + other,
		"prod/kustomization.yaml": "resources: [../base]\npatches: [{path: root.yaml}]\n", "prod/root.yaml": strings.Replace(rootPatch, "name: web,", "name: web-admin,", 1),
	})
	var places []string
	for _, p := range r.Problems {
		if p.Check == privilege {
			places = append(places, p.Path)
		}
	}
	if !slices.Equal(places, []string{"base/web.yaml", "prod/kustomization.yaml"}) {
		t.Errorf("privileged containers are told in %q, open %v", places, r.Open)
	}
}
