package peers

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever is handed an export runs the commands that came with it, as they are, without
// network: each must hold, whatever the log is about.
func TestTheCommandsThatAnExportNamesHold(t *testing.T) {
	for _, c := range []struct {
		name   string
		record func(t *testing.T, w *world)
	}{
		{"evidence about a file", func(t *testing.T, w *world) { w.attested(t, "app.tar") }},
		{"evidence about a commit, signed by a second key", func(t *testing.T, w *world) {
			w.must(t, "people", "enroll", "alma")
			w.must(t, "attest", "provenance", "--as", "alma", "--subject", "gitCommit:0123456789012345678901234567890123456789", w.write(t, "p.json", provenance))
		}},
		{"a decision about a tree", func(t *testing.T, w *world) {
			if err := os.Mkdir(w.path("tree"), 0o755); err != nil {
				t.Fatal(err)
			}
			w.write(t, "tree/readme.txt", "nothing here")
			w.must(t, "ci", "tree")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			c.record(t, w)
			var x struct {
				Check []struct{ With, Command string }
			}
			if err := json.Unmarshal([]byte(w.must(t, "log", "export", "--out", "the export", "-o", "json")), &x); err != nil {
				t.Fatal(err)
			}
			if len(x.Check) != 3 {
				t.Fatalf("%+v", x.Check)
			}
			tools := filepath.Dir(w.cosign) + ":" + filepath.Dir(w.verdict)
			for _, check := range x.Check {
				exit, said := w.run(t, true, "sh", "-c", "PATH="+tools+":$PATH; "+check.Command)
				if exit != 0 || check.With == "cosign" && !strings.Contains(said, "Verified OK") {
					t.Errorf("%s: exit %d\n%s", check.Command, exit, said)
				}
				// The same command about other things must not hold.
				for _, old := range []string{" sha256:", " --digest "} {
					if head, digest, named := strings.Cut(check.Command, old); named {
						other := head + old + strings.Map(turned, digest[:4]) + digest[4:]
						if exit, said := w.run(t, true, "sh", "-c", "PATH="+tools+":$PATH; "+other); exit == 0 {
							t.Errorf("%s holds:\n%s", other, said)
						}
					}
				}
			}
		})
	}
}

// turned gives another digit.
func turned(r rune) rune {
	if r == '0' {
		return '1'
	}
	return '0'
}
