package decisionmap

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"verdict"
)

func show(t *testing.T, m *Map, format string) string {
	t.Helper()
	var b bytes.Buffer
	if err := Show(m, &b, format); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWhatShowWritesLoadsAsTheSameMap(t *testing.T) {
	for name, m := range map[string]*Map{"built-in": Builtin(), "acme": acme(t), "smallest": load(t, smallest)} {
		out := show(t, m, "yaml")
		again, err := Load("shown.yaml", []byte(out))
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		if again.Digest() != m.Digest() {
			t.Errorf("%s: the digest is another\n%s", name, out)
		}
	}
}

func TestShowSaysWhereEachValueCameFrom(t *testing.T) {
	o, err := Load("acme.yaml", []byte(org))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Merge(o, load(t, repoHead+"tier: critical\npoints:\n  - id: code.review\n    mode: block\n"))
	if err != nil {
		t.Fatal(err)
	}
	out := show(t, m, "yaml")
	for _, want := range []string{
		"organization: acme # organisation acme.yaml:2",
		"tier: critical # verdict.yaml:3",
		"mode: block # verdict.yaml:6",
		"team: payments # organisation acme.yaml:24",
		"needs: [change, ownership, change-review] # default",
		"- kind: secrets # organisation acme.yaml:28",
		"reason: year end # organisation acme.yaml:23",
		"max_age: 7d # organisation acme.yaml:28",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	var doc struct {
		Schema  string
		Digest  verdict.Digest
		Map     *Map
		Origins map[string]Origin
	}
	if err := json.Unmarshal([]byte(show(t, m, "json")), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Digest != m.Digest() || doc.Map.Digest() != m.Digest() || doc.Origins["points.code.review.mode"] != (Origin{From: FromFile, Name: FileName, Line: 6}) {
		t.Errorf("the JSON says %+v", doc)
	}
	var e *verdict.Error
	if err := Show(m, io.Discard, "toml"); !errors.As(err, &e) || e.Code != verdict.CodeUsage {
		t.Errorf("toml: %v", err)
	}
}
