package decisionmap

import (
	"strings"
	"testing"
)

func TestWhatIsTakenFromOthersIsReadStrictly(t *testing.T) {
	m := load(t, "schema: verdict/v1\ndependencies: {licences: {deny: [agpl-3.0-only, \"SSPL-*\"], allow: MIT}, internal: [\"@acme/*\", acme-core]}\n")
	x := m.Dependencies
	if len(x.Internal) != 2 || strings.Join(x.Licences.Deny, " ") != "AGPL-3.0-only SSPL-*" || strings.Join(x.Licences.Allow, " ") != "MIT" {
		t.Errorf("read %+v", x)
	}
	for text, want := range map[string]string{
		"{licences: {deny: [Nonsense-9]}}":                 "no licence that SPDX knows",
		"{licences: {allow: [\"MIT OR Apache-2.0\"]}}":     "no licence that SPDX knows",
		"{licences: {allow: [\"GPL-*\"]}}":                 "no licence that SPDX knows",
		"{licences: {deny: [\"*\"]}}":                      "no licence that SPDX knows",
		"{licences: {allow: [MIT], deny: [mit]}}":          "allows and denies MIT",
		"{internal: [\"*\"]}":                              "that every name fits",
		"{internal: [\"a\\u0007b\"]}":                      "cannot be printed",
		"{licenses: {deny: [MIT]}}":                        "the nearest is \"licences\"",
		"{licences: [MIT]}":                                "expected a mapping",
		"{licences: {deny: [MIT, MIT]}}":                   "twice",
		"{licences: {deny: [\"GPL-2.0-only WITH x\"]}}":    "no licence that SPDX knows",
		"{licences: {allow: [\"LicenseRef-a) OR (MIT\"]}}": "no licence that SPDX knows",
	} {
		_, err := Load("verdict.yaml", []byte("schema: verdict/v1\ndependencies: "+text+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A repository adds to what the organisation refuses, and takes nothing of it back.
func TestARepositoryTightensWhatIsTakenFromOthers(t *testing.T) {
	org := load(t, "schema: verdict/v1\norganization: acme\ndependencies: {licences: {deny: [AGPL-3.0-only]}, internal: [\"@acme/*\"]}\n")
	repo := func(text string) error {
		m := load(t, "schema: verdict/v1\ndependencies: "+text+"\n")
		_, err := Merge(org, m)
		return err
	}
	for _, text := range []string{
		"{licences: {deny: [AGPL-3.0-only, GPL-3.0-only]}}", "{licences: {allow: [MIT]}}", "{internal: [\"@acme/*\", ours]}",
	} {
		if err := repo(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"{licences: {deny: [GPL-3.0-only]}}", "{licences: {deny: []}}", "{internal: []}"} {
		if err := repo(text); err == nil || !strings.Contains(err.Error(), "weakens") {
			t.Errorf("%s: %v", text, err)
		}
	}
	loose := Diff(load(t, "schema: verdict/v1\ndependencies: {licences: {allow: [MIT]}}\n"), load(t, "schema: verdict/v1\ndependencies: {licences: {allow: [MIT, ISC]}}\n"))
	if len(loose) != 1 || loose[0].Effect != Loosens {
		t.Errorf("one more licence: %+v", loose)
	}
}
