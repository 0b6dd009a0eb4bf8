package main

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

// acting moves a cursor, names a window and turns the reading direction.
const acting = "\x1b]0;x\x07\x1b[2J\u202e\u009b"

// spoiled adds acting to each text under a name, in an answer and in the statements in it.
func spoiled(v any, under, at string) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			v[k] = spoiled(x, under, k)
		}
	case []any:
		for i, x := range v {
			v[i] = spoiled(x, under, at)
		}
	case string:
		if raw, err := base64.StdEncoding.DecodeString(v); at == "payload" && err == nil {
			var in any
			if json.Unmarshal(raw, &in) == nil {
				out, err := json.Marshal(spoiled(in, under, ""))
				if err == nil {
					return base64.StdEncoding.EncodeToString(out)
				}
			}
		}
		if at == under {
			return v + acting
		}
	}
	return v
}

// Whoever asks a server reads what it says in a terminal. A text from there that acts on the
// terminal could show another verdict than the one that was given.
func TestNoTextOfAServerActsOnATerminal(t *testing.T) {
	p := typistWith(t, "gate")
	for _, words := range []string{"ci", "attest provenance ../provenance.json --subject ../app.tar", "attest sbom ../bom.json --subject ../app.tar"} {
		if code, _, talk := p.types(words); code != 0 {
			t.Fatalf("%s: %d %s", words, code, talk)
		}
	}
	p.serveIn()
	b := p.through()
	under := ""
	b.change = func(_ string, body []byte) []byte {
		var v any
		if json.Unmarshal(body, &v) != nil {
			return body
		}
		out, err := json.Marshal(spoiled(v, under, ""))
		if err != nil {
			return body
		}
		return out
	}
	const app = "sha256:51d08facd5da6a6efdc3adb3a0344dd6decf35f781981f8a791da706c934c0a4"
	for _, tt := range []struct{ words, names string }{
		{"log checkpoint", "note"},
		{"log proof 1", "note"},
		{"log consistency 3 5", "note"},
		{"log verify", "origin what why"},
		{"gate --env dev ../app.tar --dry-run", "message what observed expected remedy"},
		{"why " + app, "message observed expected producer service actor title"},
		{"trail " + app, "service environment producer point"},
		{"keys list", "person actor label"},
		{"people list", "id name"},
		{"tokens list", "label what remedy"},
	} {
		for under = range strings.FieldsSeq(tt.names) {
			_, out, talk := p.as("auditor", tt.words)
			text := p.last + out + talk
			if strings.ContainsAny(text, "\x1b\x07\u202e\u009b") {
				t.Errorf("%s: what the server says under %q acts on the terminal: %.400q", tt.words, under, text)
			}
		}
	}
}
