package decisionmap

import (
	"slices"
	"strings"
	"testing"
)

const placed = `schema: verdict/v1
organization: acme
admission: {unmapped: ignore}
environments:
  dev: {tier: dev, admission_fail: open, kubernetes: [{cluster: aks-dev, namespaces: ["*"]}]}
  prod: {tier: prod, kubernetes: [{cluster: aks, namespaces: [payments, web]}]}
`

// A namespace that is taken for another environment's lets in what was promoted there.
func TestANamespaceIsOfTheEnvironmentThatClaimsIt(t *testing.T) {
	m := load(t, placed)
	for place, want := range map[string][]string{"aks payments": {"prod"}, "aks-dev anything": {"dev"}, "aks other": nil, "aks-prod payments": nil, "aks ": nil} {
		cluster, namespace, _ := strings.Cut(place, " ")
		if got := m.Placed(cluster, namespace); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", place, got, want)
		}
	}
	if m.Environments["prod"].FailsOpen() || !m.Environments["dev"].FailsOpen() {
		t.Error("an environment that does not say how it fails does not fail closed")
	}
}

// A name that no namespace can have, or a pattern that nobody reads as one, claims nothing.
func TestAClusterIsNamedInFull(t *testing.T) {
	for _, c := range []string{
		`[{cluster: aks}]`, `[{namespaces: [web]}]`, `[{cluster: aks, namespaces: ["web-*"]}]`, `[{cluster: aks, namespaces: ["*", web]}]`,
		`[{cluster: "a/b", namespaces: [web]}]`, `[aks]`, `[{cluster: aks, namespaces: [Web]}]`,
	} {
		if _, err := Load("verdict.yaml", []byte("schema: verdict/v1\nenvironments: {prod: {tier: prod, kubernetes: "+c+"}}\n")); err == nil {
			t.Errorf("%s was read", c)
		}
	}
}

// A repository cannot move a namespace to another environment or let admission fail open: it
// would let its own workload in.
func TestARepositoryMovesNoNamespace(t *testing.T) {
	org := load(t, placed)
	for change, wants := range map[string]bool{
		"environments: {prod: {tier: prod, kubernetes: [{cluster: aks, namespaces: [web]}]}}": false,
		"environments: {dev: {tier: dev, kubernetes: [{cluster: aks, namespaces: [more]}]}}":  false,
		"environments: {prod: {tier: prod, admission_fail: open}}":                            false,
		"admission: {unmapped: deny}":                              true,
		"environments: {dev: {tier: dev, admission_fail: closed}}": true,
		"environments: {prod: {tier: prod, kubernetes: [{cluster: aks, namespaces: [web]}, {cluster: aks, namespaces: [payments]}]}}": true,
	} {
		own, err := Load("verdict.yaml", []byte("schema: verdict/v1\nservice: app\nteam: web\nowner: w@acme.example\n"+change+"\n"))
		if err == nil {
			_, err = Merge(org, own)
		}
		if (err == nil) != wants {
			t.Errorf("%s: %v", change, err)
		}
	}
	if c := Diff(org, load(t, strings.Replace(placed, "unmapped: ignore", "unmapped: deny", 1))); len(c) != 1 || c[0].Effect != Tightens {
		t.Errorf("%+v", c)
	}
}
