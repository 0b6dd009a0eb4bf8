package iac

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
)

// TestManifestOfManyContainersIsGivenUp shows that a small file does not hold a run for
// hours: a user would see nothing of it but the end of the pipeline's patience.
func TestManifestOfManyContainersIsGivenUp(t *testing.T) {
	standing := perModule
	perModule = 300 * time.Millisecond
	defer func() { perModule = standing }()
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n")
	for i := range 5_000 {
		fmt.Fprintf(&b, "  - {name: c%d, image: x}\n", i)
	}
	began := time.Now()
	r := checked(t, map[string]string{"pod.yaml": b.String(), "prod/kustomization.yaml": "resources: [../pod.yaml]\nnamePrefix: a\n"})
	for _, p := range []string{"pod.yaml", "prod/kustomization.yaml"} {
		if !slices.ContainsFunc(r.Open, func(n verdict.NotChecked) bool {
			return n.Path == p && n.Blocks && strings.Contains(n.Reason, "longer than")
		}) {
			t.Errorf("%s is not told as given up: %v", p, r.Open)
		}
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it was given up after %s", took)
	}
}
