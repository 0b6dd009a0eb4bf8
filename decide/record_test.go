package decide

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"verdict"
	"verdict/decisionmap"
)

// What is signed of a decision is read by encoding/json ever after: were it written
// otherwise, a replay would find another decision than the one that was taken.
func TestADecisionIsWrittenAsEncodingJSONWritesIt(t *testing.T) {
	d := verdict.Decision{ID: "d-1", Point: "deploy.gate", Service: "a<b>&c", At: time.Unix(1, 0).UTC(), Reasons: []verdict.Reason{}}
	for name, r := range map[string]recorded{
		"whole": {Decision: d, Basis: Basis{
			Schema: BasisSchema, Seen: 7, Input: json.RawMessage(`{"a":"<&>","blobs":{"policy":"x"},"n":null}`), Blobs: Blobs{Policy: "sha256:1", Map: "sha256:2"},
		}, Declared: []decisionmap.Declared{{}}},
		"without what is declared": {Decision: d, Basis: Basis{Schema: BasisSchema, Input: json.RawMessage(`{}`)}},
		"without input":            {Decision: d},
	} {
		t.Run(name, func(t *testing.T) {
			want, err := plain(r)
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.encode()
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("written as\n%s\nand encoding/json writes\n%s", got, want)
			}
		})
	}
}

// putter counts what is put, and fails where it is told to.
type putter struct {
	Ledger
	puts int
	fail error
}

func (p *putter) PutBlob(context.Context, []byte) (verdict.Digest, error) {
	p.puts++
	return "sha256:1", p.fail
}

// Rules and map are the same for each decision. A put that failed is done again: a decision
// whose rules nobody kept could never be replayed.
func TestRulesAndMapArePutOnceForDecisionsInARow(t *testing.T) {
	p := &putter{fail: errors.New("the disk is full")}
	e := &Engine{Ledger: p, Now: time.Now}
	e.recall.kept.Do(func() {}) // nothing to write
	put := func(want int) {
		t.Helper()
		p.puts = 0
		if blobs, err := e.keepBlobs(t.Context()); !errors.Is(err, p.fail) || err == nil && blobs.Map == "" {
			t.Errorf("kept %+v: %v", blobs, err)
		}
		if p.puts != want {
			t.Errorf("%d were put, want %d", p.puts, want)
		}
	}
	put(1)
	p.fail = nil
	put(2)
	put(0)
	e.recall.putAt = e.recall.putAt.Add(-putAgain)
	put(2)
}
