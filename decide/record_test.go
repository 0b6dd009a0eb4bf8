package decide

import (
	"encoding/json"
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
