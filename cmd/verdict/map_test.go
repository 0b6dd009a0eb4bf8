package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/identity"
	"verdict/ledger"
	"verdict/policy"
)

// installation is a workspace of its own, on a disk and with a ledger, and what it says.
func installation(t *testing.T) (w *workspace, talk *bytes.Buffer) {
	t.Helper()
	home := t.TempDir()
	talk = &bytes.Buffer{}
	a := &app{
		env: environment{"HOME": home}, stdin: strings.NewReader(""), stdout: &bytes.Buffer{}, stderr: talk, now: time.Now, rand: rand.Reader,
		log: slog.New(slog.DiscardHandler), progress: &progress{},
	}
	w, err := a.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	return w, talk
}

// as lets the key of a person sign from here on.
func (w *workspace) as(t *testing.T, name string) {
	t.Helper()
	key, err := w.ring.Select(name)
	if err != nil {
		t.Fatal(err)
	}
	w.signer = key
}

// enrollForTest makes a key for each person and enrolls it.
func enrollForTest(t *testing.T, w *workspace, people ...string) {
	t.Helper()
	for _, p := range people {
		key, _, err := w.ring.Named(p)
		if err != nil {
			t.Fatal(err)
		}
		event, err := identity.NewEnrolment(p, key.PublicPEM())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.state(t.Context(), verdict.KindKey, keySubject(event.Key, p), event, verdict.Context{}); err != nil {
			t.Fatal(err)
		}
	}
}

const smallOrganisation = `schema: verdict/v1
organization: acme
people:
  alma: {name: Alma}
  noor: {name: Noor}
  mei: {name: Mei}
`

// stateMap records a statement about a map as a client that keeps no rules would.
func stateMap(t *testing.T, w *workspace, kind verdict.Kind, text string, said mapRelease) int64 {
	t.Helper()
	return stateMapFrom(t, w, kind, text, text, said)
}

// stateMapFrom is stateMap with another file under the digest of the map.
func stateMapFrom(t *testing.T, w *workspace, kind verdict.Kind, text, source string, said mapRelease) int64 {
	t.Helper()
	m, err := decisionmap.Load("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	said.Action, said.Map = actionMapRelease, m.Digest()
	if said.Source, err = w.ledger.PutBlob(t.Context(), []byte(source)); err != nil {
		t.Fatal(err)
	}
	e, err := w.state(t.Context(), kind, verdict.Subject{Kind: verdict.SubjectArtifact, Name: "map", Digest: said.Map}, said, verdict.Context{})
	if err != nil {
		t.Fatal(err)
	}
	return e.Index
}

// Who holds one enrolled key cannot put a map in force alone, whatever the statement
// says of its reviewers.
func TestAReleaseWithoutTwoPersonsCountsAsAbsent(t *testing.T) {
	const weak = smallOrganisation + "points:\n  - {id: ci.secrets, mode: observe}\n"
	for _, c := range []struct {
		name  string
		forge func(w *workspace, first int64)
		says  string
	}{
		{"by the machine's own key", func(w *workspace, first int64) {
			w.as(t, "local")
			stateMap(t, w, verdict.KindMapRelease, weak, mapRelease{Replaces: first, Proposal: -1, Reviewers: []string{"alma", "noor"}})
		}, `"local", who signed it, is no person who may release a map`},
		{"by a machine that is enrolled", func(w *workspace, first int64) {
			w.as(t, "builder")
			stateMap(t, w, verdict.KindMapRelease, weak, mapRelease{Replaces: first, Proposal: -1, Reviewers: []string{"alma", "noor"}})
		}, `"builder", who signed it`},
		{"by one person without a proposal", func(w *workspace, first int64) {
			w.as(t, "alma")
			stateMap(t, w, verdict.KindMapRelease, weak, mapRelease{Replaces: first, Proposal: -1, Reviewers: []string{"alma", "noor"}})
		}, "alma alone released it"},
		{"by one person with a proposal of their own", func(w *workspace, first int64) {
			w.as(t, "alma")
			p := stateMap(t, w, verdict.KindProposal, weak, mapRelease{Replaces: first, Proposal: -1})
			stateMap(t, w, verdict.KindMapRelease, weak, mapRelease{Replaces: first, Proposal: p, Reviewers: []string{"alma", "noor"}})
		}, "alma proposed it and released it"},
		{"with a proposal by a machine", func(w *workspace, first int64) {
			w.as(t, "builder")
			p := stateMap(t, w, verdict.KindProposal, weak, mapRelease{Replaces: first, Proposal: -1})
			w.as(t, "alma")
			stateMap(t, w, verdict.KindMapRelease, weak, mapRelease{Replaces: first, Proposal: p})
		}, "is no proposal of this map"},
		{"with somebody's proposal of another map", func(w *workspace, first int64) {
			w.as(t, "noor")
			p := stateMap(t, w, verdict.KindProposal, smallOrganisation+"points:\n  - {id: code.review, mode: block}\n", mapRelease{Replaces: first, Proposal: -1})
			w.as(t, "alma")
			stateMap(t, w, verdict.KindMapRelease, weak, mapRelease{Replaces: first, Proposal: p})
		}, "is no proposal of this map"},
		{"with another kind of entry as its proposal", func(w *workspace, first int64) {
			w.as(t, "alma")
			stateMap(t, w, verdict.KindMapRelease, weak, mapRelease{Replaces: first, Proposal: 0})
		}, "entry 0 is no proposal of this map"},
		{"with a proposal that comes later", func(w *workspace, first int64) {
			w.as(t, "alma")
			stateMap(t, w, verdict.KindMapRelease, weak, mapRelease{Replaces: first, Proposal: 1 << 40})
		}, "alma alone released it"},
		{"in the place of a map that was not in force", func(w *workspace, first int64) {
			w.as(t, "noor")
			p := stateMap(t, w, verdict.KindProposal, weak, mapRelease{Replaces: -1, Proposal: -1})
			w.as(t, "alma")
			stateMap(t, w, verdict.KindMapRelease, weak, mapRelease{Replaces: -1, Proposal: p})
		}, "another map was in force by then"},
		{"with a proposal by whom the releaser enrolled", func(w *workspace, first int64) {
			enrollForTest(t, w, "mei")
			w.as(t, "mei")
			p := stateMap(t, w, verdict.KindProposal, weak, mapRelease{Replaces: first, Proposal: -1})
			w.as(t, "alma")
			stateMap(t, w, verdict.KindMapRelease, weak, mapRelease{Replaces: first, Proposal: p})
		}, "alma enrolled the key of mei"},
		{"by whom the proposer enrolled", func(w *workspace, first int64) {
			w.as(t, "alma")
			p := stateMap(t, w, verdict.KindProposal, weak, mapRelease{Replaces: first, Proposal: -1})
			enrollForTest(t, w, "mei")
			w.as(t, "mei")
			stateMap(t, w, verdict.KindMapRelease, weak, mapRelease{Replaces: first, Proposal: p})
		}, "alma enrolled the key of mei"},
		{"with a key of another person that the releaser put in the place of theirs", func(w *workspace, first int64) {
			h, err := w.ledger.Keys(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			w.as(t, "noor")
			old, _ := h.Key(w.signer.KeyID())
			mine, _, err := w.ring.Named("mine")
			if err != nil {
				t.Fatal(err)
			}
			rotated, err := identity.NewRotation(old, mine.PublicPEM(), "")
			if err != nil {
				t.Fatal(err)
			}
			enrolled, err := identity.NewEnrolment("noor", mine.PublicPEM())
			if err != nil {
				t.Fatal(err)
			}
			w.as(t, "alma")
			record := func(event identity.KeyEvent) error {
				_, err := w.state(t.Context(), verdict.KindKey, keySubject(event.Key, "noor"), event, verdict.Context{})
				return err
			}
			if err := record(rotated); err == nil {
				t.Fatal("alma put a key of her own in the place of noor's")
			}
			if err := errors.Join(record(identity.NewRevocation(old, "lost")), record(enrolled)); err != nil {
				t.Fatal(err)
			}
			w.as(t, "mine")
			p := stateMap(t, w, verdict.KindProposal, weak, mapRelease{Replaces: first, Proposal: -1})
			w.as(t, "alma")
			stateMap(t, w, verdict.KindMapRelease, weak, mapRelease{Replaces: first, Proposal: p})
		}, "alma enrolled the key of noor"},
		{"with a person whom the machine's own key enrolled when there were persons", func(w *workspace, first int64) {
			w.as(t, "local")
			enrollForTest(t, w, "mei")
			w.as(t, "mei")
			p := stateMap(t, w, verdict.KindProposal, weak, mapRelease{Replaces: first, Proposal: -1})
			w.as(t, "noor")
			stateMap(t, w, verdict.KindMapRelease, weak, mapRelease{Replaces: first, Proposal: p})
		}, "this machine's own key enrolled the key of mei"},
		{"with another file than the proposal's under its digest", func(w *workspace, first int64) {
			const good = smallOrganisation + "points:\n  - {id: code.review, mode: block}\n"
			w.as(t, "alma")
			p := stateMap(t, w, verdict.KindProposal, good, mapRelease{Replaces: first, Proposal: -1})
			w.as(t, "noor")
			stateMapFrom(t, w, verdict.KindMapRelease, good, weak, mapRelease{Replaces: first, Proposal: p})
		}, "is no proposal of this map"},
		{"with a proposal whose file is another one than its digest says", func(w *workspace, first int64) {
			const good = smallOrganisation + "points:\n  - {id: code.review, mode: block}\n"
			w.as(t, "alma")
			p := stateMapFrom(t, w, verdict.KindProposal, good, weak, mapRelease{Replaces: first, Proposal: -1})
			w.as(t, "noor")
			stateMap(t, w, verdict.KindMapRelease, good, mapRelease{Replaces: first, Proposal: p})
		}, "is no proposal of this map"},
		{"with a proposal whose file is no map", func(w *workspace, first int64) {
			w.as(t, "alma")
			p := stateMapFrom(t, w, verdict.KindProposal, weak, "points: 7", mapRelease{Replaces: first, Proposal: -1})
			w.as(t, "noor")
			stateMap(t, w, verdict.KindMapRelease, weak, mapRelease{Replaces: first, Proposal: p})
		}, "is no proposal of this map"},
		{"without saying which map", func(w *workspace, _ int64) {
			w.as(t, "alma")
			about := verdict.Subject{Kind: verdict.SubjectArtifact, Name: "map", Digest: sha256Digest([]byte("x"))}
			if _, err := w.state(t.Context(), verdict.KindMapRelease, about, map[string]any{"map": 7}, verdict.Context{}); err != nil {
				t.Fatal(err)
			}
		}, "it does not say which map"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, talk := installation(t)
			first := stateMap(t, w, verdict.KindMapRelease, smallOrganisation, mapRelease{Replaces: -1, Proposal: -1, Reviewers: []string{"local"}})
			enrollForTest(t, w, "alma")
			w.as(t, "alma")
			enrollForTest(t, w, "noor", "builder")
			c.forge(w, first)
			r, err := w.inForce(t.Context(), ledger.Now)
			if err != nil || r.index() != first {
				t.Fatalf("entry %d is in force (%v), not %d", r.index(), err, first)
			}
			if !strings.Contains(talk.String(), c.says) {
				t.Errorf("nobody is told %q: %s", c.says, talk)
			}
		})
	}
}

// The near miss of every case above: two persons, one map, the one in force.
func TestAReleaseByTwoPersonsIsInForceFromItsEntryOn(t *testing.T) {
	w, talk := installation(t)
	if r, err := w.inForce(t.Context(), ledger.Now); r != nil || err != nil {
		t.Fatalf("%v is in force before any release (%v)", r, err)
	}
	first := stateMap(t, w, verdict.KindMapRelease, smallOrganisation, mapRelease{Replaces: -1, Proposal: -1})
	enrollForTest(t, w, "mei")
	w.as(t, "mei")
	enrollForTest(t, w, "alma", "noor")
	const next = smallOrganisation + "points:\n  - {id: code.review, mode: block}\n"
	w.as(t, "alma")
	p := stateMap(t, w, verdict.KindProposal, next, mapRelease{Replaces: first, Proposal: -1})
	w.as(t, "noor")
	second := stateMap(t, w, verdict.KindMapRelease, next, mapRelease{Replaces: first, Proposal: p})
	for at, want := range map[ledger.Position]int64{ledger.Now: second, ledger.Position(second): first, ledger.Position(first): -1} {
		r, err := w.inForce(t.Context(), at)
		if err != nil || r.index() != want {
			t.Errorf("at %d entry %d is in force (%v), not %d", at, r.index(), err, want)
		}
	}
	if m, err := w.releasedMapAt(t.Context(), ledger.Now); err != nil || m.People["alma"].Name != "Alma" {
		t.Errorf("the map in force is %v (%v)", m, err)
	}
	if talk.Len() > 0 {
		t.Errorf("somebody is told: %s", talk)
	}
}

// The near misses of a swapped file: what the two wrote differs in bytes and not in
// meaning, and after an upgrade the same two files give another digest than they named.
func TestTwoFilesOfOneMapAreOneMap(t *testing.T) {
	const next = smallOrganisation + "points:\n  - {id: code.review, mode: block}\n"
	for _, c := range []struct{ name, named, proposed, released string }{
		{"a comment more", next, next, "# from noor's machine\n" + next},
		{"a digest of an earlier version, by both", smallOrganisation, next, next},
		{"both", smallOrganisation, next, "# from noor's machine\n" + next},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, talk := installation(t)
			first := stateMap(t, w, verdict.KindMapRelease, smallOrganisation, mapRelease{Replaces: -1, Proposal: -1})
			enrollForTest(t, w, "mei")
			w.as(t, "mei")
			enrollForTest(t, w, "alma", "noor")
			w.as(t, "alma")
			p := stateMapFrom(t, w, verdict.KindProposal, c.named, c.proposed, mapRelease{Replaces: first, Proposal: -1})
			w.as(t, "noor")
			second := stateMapFrom(t, w, verdict.KindMapRelease, c.named, c.released, mapRelease{Replaces: first, Proposal: p})
			if r, err := w.inForce(t.Context(), ledger.Now); err != nil || r.index() != second || talk.Len() > 0 {
				t.Errorf("entry %d is in force (%v), not %d: %s", r.index(), err, second, talk)
			}
		})
	}
}

// Where nobody else agrees to a release, a file that gives another map than the release
// names would change what holds without a word.
func TestAReleaseByOneOfAnotherMapThanItNamesIsSaidAloud(t *testing.T) {
	w, talk := installation(t)
	e := stateMapFrom(t, w, verdict.KindMapRelease, smallOrganisation, smallOrganisation+"points:\n  - {id: ci.secrets, mode: observe}\n", mapRelease{Replaces: -1, Proposal: -1})
	if r, err := w.inForce(t.Context(), ledger.Now); err != nil || r.index() != e {
		t.Fatalf("entry %d is in force (%v)", r.index(), err)
	}
	for _, want := range []string{"is not the one that its release in entry", "fix: ", "verdict map release FILE"} {
		if !strings.Contains(talk.String(), want) {
			t.Errorf("nobody is told %q: %s", want, talk)
		}
	}
}

// A ci rule that reads the environment is refused where map and rules meet, although
// nobody linted the map.
func TestNothingIsDecidedByARuleThatReadsWhatItsLayerMayNotSee(t *testing.T) {
	const rule = `# METADATA
# title: Nothing is exposed
# custom:
#   id: acme.peek
#   effect: deny
#   severity: medium
#   evidence: [secrets]
#   remediation: Take it off the internet.
#   owner: web
package acme.peek

check := {"status": "fail", "message": "exposed"} if {
	input.FIELD == "internet"
} else := {"status": "pass", "message": "not exposed"}
`
	const point = `schema: verdict/v1
points:
  - {id: LAYER.peek, layer: LAYER, question: "Is it exposed?", mode: observe, needs: [secrets], policy: acme.peek, produces: {kind: peek-check}, owner: web}
`
	for _, c := range []struct {
		name, layer, field string
		refused            bool
	}{
		{"a ci point whose rule reads the environment is refused", "ci", "environment.exposure", true},
		{"an artifact point whose rule reads the environment is refused", "artifact", "environment.exposure", true},
		{"a ci point whose rule reads the subject is not", "ci", "subject.name", false},
		{"a deploy point whose rule reads the environment is not", "deploy", "environment.exposure", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, _ := installation(t)
			var err error
			if w.policy, err = policy.Compile(map[string]string{"peek.rego": strings.ReplaceAll(rule, "FIELD", c.field)}, policy.CompileOptions{}); err != nil {
				t.Fatal(err)
			}
			m, err := decisionmap.Load("verdict.yaml", []byte(strings.ReplaceAll(point, "LAYER", c.layer)))
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.engine(t.Context(), m, nil)
			if refused := err != nil && strings.Contains(err.Error(), "VD-L02"); refused != c.refused || !refused && err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
}
