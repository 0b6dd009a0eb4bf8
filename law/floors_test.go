package law

import (
	"fmt"
	"strings"
)

// floors gives each room its floor. Imports go strictly down, so rooms on one floor are
// strangers: what one needs of another it states as an interface of its own, and
// somebody further up hands the other in.
var floors = map[string]int{
	"":            0,
	"outward":     0, // where credentials may go: one rule for all who call others
	"decisionmap": 1, "evidence": 1, "policy": 1, "store": 1, "blob": 1, "git": 1, "forge": 1, "identity": 1, "advisory": 1, "sbom": 1,
	"ledger": 2, "identity/token": 2,
	"decide": 3,
	"code":   4, "ci": 4, "artifact": 4, "deploy": 4, "deploy/admission": 4, "observe": 4, "audit": 4,
	"server/wire":   4, // what both sides of the API say to each other
	"server/within": 4, // what a caller sees of a ledger, to the routes and to the commands behind them
	"report":        5, "server": 5, "server/client": 5, "web": 5,
	"cmd/verdict": 6,
}

// driven are the rooms whose sub-packages are drivers or sources: several ways to do
// one thing, of which cmd/verdict picks. Those of evidence verify and sign with what
// others run: Sigstore, key vaults. Those of artifact are where images come from, and what reads
// their layers.
var driven = []string{"evidence", "store", "blob", "forge", "artifact", "observe"}

// outsiders stand on no floor. They may import any room, and no room imports them. The last
// builds the container image, beside the charts and units that deploy it.
var outsiders = []string{"law", "bench", "test", "examples", "deploy/container"}

func outside(dir string) bool {
	for _, o := range outsiders {
		if dir == o || strings.HasPrefix(dir, o+"/") {
			return true
		}
	}
	return false
}

// room is the room that a folder belongs to.
func room(dir string) (name string, known bool) {
	for d := dir; ; {
		if _, ok := floors[d]; ok && (d != "" || dir == "") {
			return d, true
		}
		cut := strings.LastIndexByte(d, '/')
		if cut < 0 {
			return "", false
		}
		d = d[:cut]
	}
}

// suite reports whether a package below a room is a conformance suite, which tests run.
func suite(dir string) bool { return strings.Contains(dir, "/") && strings.HasSuffix(dir, "test") }

// driver reports whether a package is a driver or source.
func driver(dir string) bool {
	for _, d := range driven {
		if strings.HasPrefix(dir, d+"/") && !suite(dir) {
			return true
		}
	}
	return false
}

var floorsLaw = law{
	name: "imports go strictly down the floors and each package stands on one",
	check: func(tr *tree) []breach {
		var out []breach
		for _, s := range tr.gos {
			if outside(s.dir) {
				continue
			}
			from, ok := room(s.dir)
			if !ok {
				out = append(out, breach{s.path, 0, "package " + s.dir + " stands on no floor",
					"move it into the room that it belongs to, or give it a floor in law/floors_test.go and say why in the commit"})
				continue
			}
			own, _ := s.imports(tr.module)
			for _, dir := range own {
				to, ok := room(dir)
				switch {
				case !ok || outside(dir):
					out = append(out, breach{s.path, 0, fmt.Sprintf("%s imports %s, which stands on no floor", s.dir, dir),
						"import a room that stands on a lower floor"})
				case from == to || floors[to] < floors[from]:
				case floors[to] == floors[from]:
					out = append(out, breach{s.path, 0, fmt.Sprintf("%s imports %s: rooms on one floor are strangers", s.dir, dir),
						"state the methods that are needed as an interface here, and hand the other room in from a higher floor"})
				default:
					out = append(out, breach{s.path, 0, fmt.Sprintf("%s on floor %d imports %s on floor %d", s.dir, floors[from], dir, floors[to]),
						"imports go down: move the code up, or hand in what is needed"})
				}
			}
		}
		return out
	},
	broken: []example{
		{"a layer imports another layer", "-- ci/ci.go --\npackage ci\nimport _ \"verdict/deploy\"\n", "strangers"},
		{"a room imports upwards", "-- evidence/e.go --\npackage evidence\nimport _ \"verdict/ledger\"\n", "on floor 1 imports ledger on floor 2"},
		{"the vocabulary imports a room", "-- a.go --\npackage verdict\nimport _ \"verdict/policy\"\n", "on floor 0 imports policy"},
		{"a test imports a stranger", "-- policy/p_test.go --\npackage policy\nimport _ \"verdict/decisionmap\"\n", "strangers"},
		{"a package is on no floor", "-- queue/q.go --\npackage queue\n", "stands on no floor"},
		{"a command that is not verdict is on no floor", "-- cmd/other/m.go --\npackage main\n", "stands on no floor"},
		{"a room imports the outside", "-- cmd/verdict/m.go --\npackage main\nimport _ \"verdict/bench\"\n", "stands on no floor"},
	},
	fine: []example{
		{"down, within the room, and from the outside", `-- decide/d.go --
package decide
import (
	_ "verdict"
	_ "verdict/ledger"
	_ "verdict/decide/replay"
)
-- bench/b.go --
package main
import _ "verdict/server"
`, ""},
	},
}

var leavesLaw = law{
	name: "drivers are wired by cmd/verdict, suites are run by tests, parts stay in their room",
	check: func(tr *tree) []breach {
		var out []breach
		for _, s := range tr.gos {
			own, _ := s.imports(tr.module)
			from, _ := room(s.dir)
			for _, dir := range own {
				to, known := room(dir)
				if !known || dir == to {
					continue // a room itself, or something that the floors refuse
				}
				switch {
				case outside(s.dir):
				case suite(dir):
					if !s.test && !suite(s.dir) {
						out = append(out, breach{s.path, 0, "imports the conformance suite " + dir, "only _test.go files import a suite"})
					}
				case driver(dir):
					if !s.test && from != "cmd/verdict" && s.dir != dir && !strings.HasPrefix(s.dir, dir+"/") {
						out = append(out, breach{s.path, 0, "imports the driver " + dir,
							"drivers are imported by cmd/verdict, bench and tests alone: take the room's interface instead"})
					}
				case from != to:
					out = append(out, breach{s.path, 0, fmt.Sprintf("imports %s, a part of the room %s", dir, to),
						"import the room " + to + "; its parts are its own affair"})
				}
			}
		}
		return out
	},
	broken: []example{
		{"a room wires a driver", "-- ledger/l.go --\npackage ledger\nimport _ \"verdict/store/sqlite\"\n", "imports the driver store/sqlite"},
		{"a room imports its own driver", "-- blob/b.go --\npackage blob\nimport _ \"verdict/blob/dir\"\n", "imports the driver blob/dir"},
		{"a driver imports another driver", "-- blob/s3/b.go --\npackage s3\nimport _ \"verdict/blob/dir\"\n", "imports the driver blob/dir"},
		{"the product imports a suite", "-- cmd/verdict/m.go --\npackage main\nimport _ \"verdict/store/storetest\"\n", "conformance suite"},
		{"a room reaches into another room", "-- decide/d.go --\npackage decide\nimport _ \"verdict/policy/rules\"\n", "a part of the room policy"},
	},
	fine: []example{
		{"each leaf where it may be", `-- cmd/verdict/m.go --
package main
import _ "verdict/store/sqlite"
-- ledger/l_test.go --
package ledger
import (
	_ "verdict/blob/blobtest"
	_ "verdict/store/sqlite"
)
-- policy/p.go --
package policy
import _ "verdict/policy/rules"
-- bench/b.go --
package main
import _ "verdict/blob/dir"
-- store/sqlite/s.go --
package sqlite
import _ "verdict/store"
`, ""},
	},
}
