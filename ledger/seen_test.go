package ledger_test

import (
	"encoding/base64"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"verdict"
	"verdict/ledger"
)

// What is remembered of one server lies beside what is remembered of the others: a server that
// could make it grow would have all of it thrown away.
func TestWhatAServerWritesAroundItsCheckpointIsNotRemembered(t *testing.T) {
	b := newBed(t)
	l := b.filled(20)
	c, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	line := "— " + strings.Repeat("<", 30_000) + " " + base64.StdEncoding.EncodeToString(make([]byte, 68)) + "\n"
	r, seen := afar(t, liar{Afar: l, shown: func(s *ledger.Shown) { s.Checkpoint += line + strings.Replace(line, "<", ">", 1) }}, nil, ledger.VerifyOptions{})
	if len(r.Problems) > 0 || len(seen) != 1 || seen[0].Checkpoint != c.Note {
		t.Errorf("%+v remembers %d bytes", r.Problems, len(seen[0].Checkpoint))
	}

	signer, err := b.log.Signer(originOf(t, l))
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(c.Note, "\n\n")
	signed, err := note.Sign(&note.Note{Text: text + "\n" + strings.Repeat("<", 30_000) + "\n"}, signer)
	if err != nil {
		t.Fatal(err)
	}
	long := liar{Afar: l, shown: func(s *ledger.Shown) { s.Checkpoint = string(signed) }}
	if _, seen, err := ledger.VerifyAfar(t.Context(), long, nil, ledger.VerifyOptions{}); verdict.AsError(err).Code != verdict.CodeRefused || len(seen) > 0 {
		t.Errorf("%v", err)
	}
	if _, _, err := ledger.ExportAfar(t.Context(), long, nil, filepath.Join(t.TempDir(), "x"), ledger.ExportOptions{}); verdict.AsError(err).Code != verdict.CodeRefused {
		t.Errorf("its export: %v", err)
	}
}

// Bodies that a server makes large are written one after the other: a tile of them at once would
// be more than a machine has.
func TestAnExportHoldsOneLargeBodyAtATime(t *testing.T) {
	b := newBed(t)
	l := b.filled(250)
	const size = 4 << 20
	most := uint64(0)
	large := liar{Afar: l, body: func(x *ledger.Body) bool {
		x.Payload = append(make([]byte, 0, size), x.Payload...)
		if x.Index%25 == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		return true
	}}
	if _, _, err := ledger.ExportAfar(t.Context(), large, nil, filepath.Join(t.TempDir(), "x"), ledger.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	if most > 60*size {
		t.Errorf("it held %d MiB", most>>20)
	}
}

// Who names a witness wants to hear of his silence: a server that hides what he signed shows a log
// that nobody else may have seen.
func TestAWitnessWhoseSignatureIsHiddenIsMissed(t *testing.T) {
	b := newBed(t)
	l := b.filled(4)
	w := newWitness(t, b.verifier(t, originOf(t, l)))
	server := httptest.NewServer(w)
	defer server.Close()
	key := w.signer.Verifier().String()
	if _, err := l.Witness(t.Context(), ledger.Witness{URL: server.URL + "/w/", Key: key, Client: server.Client()}); err != nil {
		t.Fatal(err)
	}
	o := ledger.VerifyOptions{WitnessKeys: []string{key}}
	_, seen := afar(t, l, nil, o)
	if r, _ := afar(t, l, seen, o); !r.Holds() || r.Cosignatures != 1 {
		t.Errorf("it is shown: %+v", r)
	}
	r, _ := afar(t, liar{Afar: l, shown: func(s *ledger.Shown) { s.Cosignatures = nil }}, seen, o)
	if e := r.Err(); e == nil || verdict.AsError(e).Code != verdict.CodeUnavailable || !strings.Contains(e.Error(), "no signature of") {
		t.Errorf("it is hidden: %+v, %v", r, e)
	}
}
