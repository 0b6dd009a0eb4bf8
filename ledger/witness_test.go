package ledger_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/ledger"
)

// witness remembers one log, as C2SP tlog-witness says.
type witness struct {
	t      *testing.T
	signer *torchwood.CosignatureSigner
	log    note.Verifier
	seen   torchwood.Checkpoint
}

func newWitness(t *testing.T, log note.Verifier) *witness {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := torchwood.NewCosignatureSigner("witness.example", key)
	if err != nil {
		t.Fatal(err)
	}
	return &witness{t: t, signer: s, log: log}
}

func (w *witness) ServeHTTP(a http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	head, signed, ok := strings.Cut(string(body), "\n\n")
	if err != nil || !ok || q.Method != http.MethodPost || q.URL.Path != "/w/add-checkpoint" {
		http.Error(a, "malformed", http.StatusBadRequest)
		return
	}
	lines := strings.Split(head, "\n")
	var old int64
	if _, err := fmt.Sscanf(lines[0], "old %d", &old); err != nil {
		http.Error(a, "malformed", http.StatusBadRequest)
		return
	}
	c, n, err := torchwood.VerifyCheckpoint([]byte(signed), policyOf(w.log))
	if err != nil {
		http.Error(a, "not trusted", http.StatusForbidden)
		return
	}
	if old != w.seen.N {
		a.Header().Set("Content-Type", "text/x.tlog.size")
		a.WriteHeader(http.StatusConflict)
		fmt.Fprintf(a, "%d\n", w.seen.N)
		return
	}
	var proof tlog.TreeProof
	for _, line := range lines[1:] {
		h, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			http.Error(a, "malformed", http.StatusBadRequest)
			return
		}
		proof = append(proof, tlog.Hash(h))
	}
	if old > 0 && old < c.N && tlog.CheckTree(proof, c.N, c.Hash, w.seen.N, w.seen.Hash) != nil {
		http.Error(a, "inconsistent", http.StatusUnprocessableEntity)
		return
	}
	w.seen = c
	cosigned, err := note.Sign(&note.Note{Text: n.Text}, w.signer)
	if err != nil {
		w.t.Error(err)
	}
	_, line, _ := strings.Cut(string(cosigned), "\n\n")
	io.WriteString(a, line)
}

func TestAWitnessSignsWhatContinuesWhatHeHasSeen(t *testing.T) {
	b := newBed(t)
	l := b.filled(4)
	verifier := b.verifier(t, originOf(t, l))
	w := newWitness(t, verifier)
	server := httptest.NewServer(w)
	defer server.Close()
	ask := ledger.Witness{URL: server.URL + "/w/", Key: w.signer.Verifier().String(), Client: server.Client()}
	if _, found, err := l.Cosigned(t.Context()); found || err != nil {
		t.Fatalf("signed by nobody yet: %v", err)
	}
	for range 3 {
		c, err := l.Witness(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := note.Open([]byte(c.Note), note.VerifierList(w.signer.Verifier())); err != nil || c.Witness != "witness.example" || c.At == 0 {
			t.Errorf("%+v, %v", c, err)
		}
		kept, found, err := l.Cosigned(t.Context())
		if err != nil || !found || kept.Note != c.Note {
			t.Errorf("%+v, %v", kept, err)
		}
		b.append(l, b.other(10))
	}

	// A witness whom we forget is asked again for what he knows.
	tamper(t, b, `DELETE FROM cosignature`)
	if _, err := l.Witness(t.Context(), ask); err != nil {
		t.Errorf("after a conflict: %v", err)
	}

	impostor := newWitness(t, verifier)
	w.signer, impostor.signer = impostor.signer, w.signer
	w.seen = torchwood.Checkpoint{}
	if _, err := l.Witness(t.Context(), ask); verdict.AsError(err).Code != verdict.CodeRefused {
		t.Errorf("a signature by another key: %v", err)
	}
}

func TestAWitnessWhoHasSeenMoreStopsADatabaseThatWasSetBack(t *testing.T) {
	b := newBed(t)
	l := b.filled(4)
	w := newWitness(t, b.verifier(t, originOf(t, l)))
	server := httptest.NewServer(w)
	defer server.Close()
	ask := ledger.Witness{URL: server.URL + "/w", Key: w.signer.Verifier().String(), Client: server.Client()}
	l.Close()
	data := filepath.Dir(b.database())
	copyFolder(t, data, filepath.Join(b.folder, "backup"))
	copyFolder(t, b.anchor(), filepath.Join(b.folder, "anchor-backup"))
	l = b.open()
	b.append(l, b.other(10))
	if _, err := l.Witness(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	l.Close()
	copyFolder(t, filepath.Join(b.folder, "backup"), data)
	copyFolder(t, filepath.Join(b.folder, "anchor-backup"), b.anchor()) // whoever set it back got the anchor too
	l = b.open()
	defer l.Close()
	if _, err := l.Witness(t.Context(), ask); !errors.Is(err, ledger.ErrAnchor) {
		t.Errorf("%v", err)
	}
}

func TestAWitnessWhoAnswersNonsenseIsNotBelieved(t *testing.T) {
	b := newBed(t)
	l := b.filled(2)
	w := newWitness(t, b.verifier(t, originOf(t, l)))
	for name, answer := range map[string]http.HandlerFunc{
		"nothing":                  func(a http.ResponseWriter, _ *http.Request) {},
		"an error":                 func(a http.ResponseWriter, _ *http.Request) { http.Error(a, "x", http.StatusInternalServerError) },
		"a conflict about nothing": func(a http.ResponseWriter, _ *http.Request) { http.Error(a, "x", http.StatusConflict) },
		"a negative size": func(a http.ResponseWriter, _ *http.Request) {
			a.Header().Set("Content-Type", "text/x.tlog.size")
			a.WriteHeader(http.StatusConflict)
			io.WriteString(a, "-1\n")
		},
		"too much":           func(a http.ResponseWriter, _ *http.Request) { io.WriteString(a, strings.Repeat("x", 1<<20)) },
		"no signature":       func(a http.ResponseWriter, _ *http.Request) { io.WriteString(a, "— witness.example AAAA\n") },
		"the log's own line": func(a http.ResponseWriter, q *http.Request) { io.WriteString(a, "\n\n") },
		"for ever a conflict": func(a http.ResponseWriter, _ *http.Request) {
			a.Header().Set("Content-Type", "text/x.tlog.size")
			a.WriteHeader(http.StatusConflict)
			io.WriteString(a, "1\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer)
			defer server.Close()
			_, err := l.Witness(t.Context(), ledger.Witness{URL: server.URL, Key: w.signer.Verifier().String(), Client: server.Client()})
			if e := verdict.AsError(err); e == nil || e.Code == verdict.CodeInternal {
				t.Errorf("%v", err)
			}
			if _, found, err := l.Cosigned(t.Context()); found || err != nil {
				t.Errorf("something was kept: %v", err)
			}
		})
	}
}

// witnessed is a ledger whose checkpoints of 6, 7 and 8 entries a witness signed.
func (b *bed) witnessed(t *testing.T) (*ledger.Ledger, *witness) {
	t.Helper()
	l := b.filled(4)
	w := newWitness(t, b.verifier(t, originOf(t, l)))
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	for range 3 {
		if _, err := l.Witness(t.Context(), ledger.Witness{URL: server.URL + "/w", Key: w.signer.Verifier().String(), Client: server.Client()}); err != nil {
			t.Fatal(err)
		}
		b.append(l, b.other(10))
	}
	return l, w
}

// Without this a signature of a witness in the database is a decoration: whoever sets the
// log back writes the ones that he likes.
func TestEachChangeOfAWitnessesSignatureIsDetectedAndLocated(t *testing.T) {
	for _, c := range []struct{ name, change, says string }{
		{"a signature is edited", `UPDATE cosignature SET line = substr(line, 1, length(line) - 5) || CASE WHEN substr(line, length(line) - 4, 1) = 'A' THEN 'B' ELSE 'A' END || substr(line, length(line) - 3) WHERE size = 7`, "checkpoint of 7 entries"},
		{"a signature is that of another checkpoint", `UPDATE cosignature SET (line, at) = (SELECT line, at FROM cosignature WHERE size = 6) WHERE size = 7`, "checkpoint of 7 entries"},
		{"a signature is moved to another size", `UPDATE cosignature SET size = 5 WHERE size = 7`, "checkpoint of 5 entries"},
		{"a signature is for more than there is", `UPDATE cosignature SET size = 4711 WHERE size = 7`, "signed a checkpoint of 4711 entries"},
		{"a signature is for less than nothing", `UPDATE cosignature SET size = -1 WHERE size = 7`, "no tree has"},
		{"a signature is that of somebody else", `UPDATE cosignature SET name = 'other.example' WHERE size = 7`, "that of witness.example"},
		{"a signature is for another log", `UPDATE cosignature SET origin = 'other.example' WHERE size = 7`, "no log of this database"},
		{"its time is edited", `UPDATE cosignature SET at = at + 1 WHERE size = 7`, "another time"},
		{"its line is no line", `UPDATE cosignature SET line = 'nonsense' WHERE size = 7`, "checkpoint of 7 entries"},
		{"there are two lines", `UPDATE cosignature SET line = line || line WHERE size = 7`, "checkpoint of 7 entries"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			l, _ := b.witnessed(t)
			if r, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() || r.Cosignatures != 3 {
				t.Fatalf("untouched: %+v, %v", r, err)
			}
			tamper(t, b, c.change)
			r, err := l.Verify(t.Context(), ledger.VerifyOptions{})
			if err != nil || len(r.Problems) != 1 || len(r.Unchecked) != 0 || r.Cosignatures != 2 || !strings.Contains(r.Problems[0].What, c.says) || r.Problems[0].Remedy == "" {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

// Whoever takes signatures out of the database leaves one that holds: only who compares
// with what the witness says misses them, so each is named with the last that is held.
func TestOfEachWitnessTheReportSaysWhatIsHeld(t *testing.T) {
	b := newBed(t)
	l, w := b.witnessed(t)
	other := newWitness(t, w.log).signer.Verifier().String()
	origin := originOf(t, l)
	for _, c := range []struct {
		name, change string
		want         ledger.WitnessReport
	}{
		{"all that he signed", ``, ledger.WitnessReport{Origin: origin, Size: 8}},
		{"the last one is gone", `DELETE FROM cosignature WHERE size = 8`, ledger.WitnessReport{Origin: origin, Size: 7}},
		{"the last one does not hold", `UPDATE cosignature SET at = at + 1 WHERE size = 7`, ledger.WitnessReport{Origin: origin, Size: 6}},
		{"all are gone", `DELETE FROM cosignature`, ledger.WitnessReport{}},
	} {
		if c.change != "" {
			tamper(t, b, c.change)
		}
		c.want.Name, c.want.Key = "witness.example", w.signer.Verifier().String()
		r, err := l.Verify(t.Context(), ledger.VerifyOptions{WitnessKeys: []string{other}})
		if err != nil || len(r.Witnesses) != 2 || !slices.Contains(r.Witnesses, c.want) || !slices.Contains(r.Witnesses, ledger.WitnessReport{Name: "witness.example", Key: other}) {
			t.Errorf("%s: %+v, %v", c.name, r.Witnesses, err)
		}
	}
}

// Whoever rewrites the whole log, head and tiles too, and has the anchor of this machine,
// still does not have the key of the witness.
func TestAWitnessSignedForOtherEntriesThanThoseOfARewrittenLog(t *testing.T) {
	b := newBed(t)
	l, w := b.witnessed(t)
	l.Close()
	forged := newBed(t)
	forged.key, forged.log = b.key, b.log
	f := forged.filled(40)
	f.Close()
	line := func(size int64) string {
		signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", w.seen.Origin, w.seen.N, w.seen.Hash)}, w.signer)
		if err != nil {
			t.Fatal(err)
		}
		_, line, _ := strings.Cut(string(signed), "\n\n")
		return line
	}(w.seen.N)
	at, err := torchwood.CosignatureTimestamp(note.Signature{Base64: strings.Fields(line)[2]})
	if err != nil {
		t.Fatal(err)
	}
	tamper(t, forged, fmt.Sprintf(`INSERT INTO cosignature (origin, size, name, line, at) VALUES ('%s', %d, 'witness.example', '%s', %d)`, w.seen.Origin, w.seen.N, line, at))
	f = forged.open()
	defer f.Close()
	r, err := f.Verify(t.Context(), ledger.VerifyOptions{WitnessKeys: []string{w.signer.Verifier().String()}})
	if err != nil || len(r.Problems) != 1 || !strings.Contains(r.Problems[0].What, "given for other entries") {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestASignatureOfAWitnessWhoseKeyIsNotKnownIsNotTakenForGood(t *testing.T) {
	b := newBed(t)
	l, w := b.witnessed(t)
	keys := filepath.Join(b.anchor(), "witness_keys")
	kept, err := os.ReadFile(keys)
	if err != nil || strings.TrimSpace(string(kept)) != w.signer.Verifier().String() {
		t.Fatalf("%q, %v: kept once, beside the anchor", kept, err)
	}
	for name, text := range map[string]string{"the file is gone": "", "its line is torn": string(kept)[:40], "another witness is known": newWitness(t, w.log).signer.Verifier().String() + "\n"} {
		if err := os.WriteFile(keys, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := l.Verify(t.Context(), ledger.VerifyOptions{})
		if err != nil || len(r.Problems) != 0 || len(r.Unchecked) != 3 || r.Cosignatures != 0 || !strings.Contains(r.Unchecked[0].Remedy, "--witness-key") || verdict.AsError(r.Err()).Code != verdict.CodeUnavailable {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		given := ledger.VerifyOptions{WitnessKeys: []string{w.signer.Verifier().String()}}
		if r, err := l.Verify(t.Context(), given); err != nil || !r.Holds() || r.Cosignatures != 3 {
			t.Errorf("%s, and the key is given: %+v, %v", name, r, err)
		}
	}
	if _, err := l.Verify(t.Context(), ledger.VerifyOptions{WitnessKeys: []string{"nonsense"}}); verdict.AsError(err) == nil || verdict.AsError(err).Code != verdict.CodeInvalid {
		t.Errorf("a key that is none: %v", err)
	}
}

// Who looks what his witnesses signed is told of signatures that hold, and of none that somebody
// wrote beside the log.
func TestOfEachWitnessItIsToldWhatHeSigned(t *testing.T) {
	for _, c := range []struct {
		change string
		size   int64
	}{
		{`UPDATE cosignature SET at = at`, 8},
		{`UPDATE cosignature SET line = (SELECT line FROM cosignature WHERE size = 7) WHERE size = 8`, 7},
		{`UPDATE cosignature SET size = -size`, 0},
		{`DELETE FROM cosignature`, 0},
	} {
		b := newBed(t)
		l, w := b.witnessed(t)
		tamper(t, b, c.change)
		all, err := l.Witnesses(t.Context())
		if err != nil || len(all) != 1 || all[0].Name != "witness.example" || all[0].Key != w.signer.Verifier().String() || all[0].Size != c.size || all[0].At.IsZero() != (c.size == 0) {
			t.Errorf("after %s: %+v, %v", c.change, all, err)
		}
	}
}
