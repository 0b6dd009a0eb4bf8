package iac

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestLettersOfTemplates shows that names in other letters hide nothing: Azure takes them,
// and a user would take an open store for a closed one.
func TestLettersOfTemplates(t *testing.T) {
	for _, names := range []string{"resources type properties allowBlobPublicAccess", "resources type properties AllowBlobPublicAccess", "resources type Properties allowblobpublicaccess", "Resources TYPE properties allowBlobPublicAccess"} {
		n := strings.Fields(names)
		text := fmt.Sprintf(`{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0",
 %q: [{%q: "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "name": "a", %q: {
  %q: true}}]}`, n[0], n[1], n[2], n[3])
		r := checked(t, map[string]string{"a.json": text})
		if !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Check == "VI-AZ-007" }) {
			t.Errorf("%s: nothing tells that it is public: %v, open %v", names, r.Problems, r.Open)
		}
	}
}
