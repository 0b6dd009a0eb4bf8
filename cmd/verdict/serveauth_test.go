package main

import (
	"strings"
	"testing"

	"verdict/identity"
)

// Who must not approve a deployment is told from who asks for it. Where that is a machine's own
// word, whoever reads the answer is told so.
func TestThatSomebodyAsksIsToldAsTheWordOfAMachine(t *testing.T) {
	machine := identity.Caller{Actor: "a", Workload: "azure:acme/shop/12", Issuer: "https://issuer.example"}
	named, person := machine, identity.Caller{Actor: "b", Person: "jane"}
	named.Account = "github:jane"
	for _, tt := range []struct {
		name, hint string
		c          identity.Caller
		told       bool
	}{
		{"a machine whose token names nobody", "noor", machine, true},
		{"and that names nobody itself", "", machine, false},
		{"a machine whose token names an account", "noor", named, false},
		{"a person", "noor", person, false},
	} {
		if got := claimed(tt.c, tt.hint); (got != "") != tt.told || tt.told && (!strings.Contains(got, "noor") || !strings.Contains(got, machine.Workload)) {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}
