package main

import (
	"strings"
	"testing"
)

// Who tries a manifest on his own machine is told what the cluster will be told, also where
// the decisions are a server's.
func TestAdmissionIsTriedWithAServerAsAlone(t *testing.T) {
	alone, with := typistWith(t, "admission"), typistWith(t, "admission")
	with.serve()
	const app = "registry.example/web@sha256:51d08facd5da6a6efdc3adb3a0344dd6decf35f781981f8a791da706c934c0a4"
	for _, tt := range []struct {
		words string
		code  int
		says  string
	}{
		{"ci", 0, ""},
		{"admission try ../deployment.yaml", 3, "was not promoted to dev"},
		{"attest provenance ../provenance.json --subject ../app.tar", 0, ""},
		{"attest sbom ../bom.json --subject ../app.tar", 0, ""},
		{"artifact trust ../app.tar", 0, ""},
		{"gate --env dev " + app, 0, ""},
		{"admission try ../deployment.yaml", 0, "was promoted to dev"},
		{"admission try ../deployment.yaml --namespace pay", 3, "only to dev"},
		{"admission try ../tag.yaml --namespace web", 3, "image: registry.example/web@sha256:DIGEST"},
		{"admission try ../review.json -o json", 3, "ephemeralContainers"},
	} {
		code, out, talk := alone.types(tt.words)
		thereCode, thereOut, thereTalk := with.types(tt.words)
		if code != tt.code || !strings.Contains(out, tt.says) {
			t.Errorf("%s: alone it ends with %d: %.600s %s", tt.words, code, out, talk)
		}
		if thereCode != code || strings.HasPrefix(tt.words, "admission") && !strings.Contains(thereOut, tt.says) {
			t.Errorf("%s: with a server it ends with %d: %.600s %s", tt.words, thereCode, thereOut, thereTalk)
		}
	}
}
