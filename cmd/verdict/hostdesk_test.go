package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"verdict/server/wire"
)

// What a decision is taken by is kept between questions. A map that somebody else released
// meanwhile judges the next one: a server that went on by the old one would let in what the
// organisation has just forbidden.
func TestAMapThatIsReleasedJudgesTheNextQuestion(t *testing.T) {
	x := servingData(t, func(func(...string) string) {})
	judged := func() (string, string) {
		t.Helper()
		status, body := x.do("dev", "POST", "/api/v1/decisions", strings.Replace(askedSecrets, `"dry":false`, `"dry":true`, 1))
		var a wire.Answer
		if err := json.Unmarshal([]byte(body), &a); err != nil || status != 200 || a.Decision == nil {
			t.Fatalf("%d %v %s", status, err, body)
		}
		return a.JudgedBy, string(a.Decision.Mode)
	}
	if by, _ := judged(); by != "the built-in map" {
		t.Fatalf("judged by %q before anything was released", by)
	}
	for _, mode := range []string{"observe", "block"} {
		file := filepath.Join(t.TempDir(), "verdict.yaml")
		if err := os.WriteFile(file, []byte("schema: verdict/v1\norganization: acme\npoints:\n  - {id: ci.secrets, mode: "+mode+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if said := x.run("map", "release", file); !strings.Contains(said, "RELEASED") {
			t.Fatalf("it was not released: %s", said)
		}
		if by, got := judged(); by != "the released organisation map" || got != mode {
			t.Errorf("after the release of %s it is judged by %q, in mode %q", mode, by, got)
		}
	}
}
