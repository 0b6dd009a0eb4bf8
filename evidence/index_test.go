package evidence_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
)

// Rows of the ledger are computed from named members: were they read otherwise than the whole
// predicate, an index would say something else of a decision than the decision itself.
func TestDecodeFieldsReadsAsDecode(t *testing.T) {
	many := `{"x":{` // more than an index has room for
	for i := range 400 {
		many += fmt.Sprintf(`"m%d":1,`, i)
	}
	many += `"end":1},"id":"many","basis":{"blobs":{"map":"m"}}}`
	for _, predicate := range []string{
		`{}`,
		`{"id":"a"}`,
		`{"id":"a","basis":{"input":{"findings":[{"blobs":{"map":"no"}}]},"blobs":{"policy":"p","map":"m"}},"other":[1,{"id":"no"}]}`,
		`{"basis":{"input":{"blobs":{"map":"no"}}},"id":"a"}`,
		`{"basis":null,"id":"a"}`,
		`{"basis":"text","id":"a"}`,
		`{"id":7}`,
		`{"ID":"upper","Basis":{"BLOBS":{"Map":"m"}}}`,
		`{"id":"first","ID":"last"}`,
		`{"\u0069d":"escaped","ba\u017fi\u017f":{"blob\u017f":{"map":"long s"}}}`,
		` { "id" : "spaced" , "basis" : { "blobs" : { "map" : "m" } } } `,
		many,
	} {
		for form, s := range bothForms(t, predicate) {
			t.Run(form+" "+predicate[:min(len(predicate), 40)], func(t *testing.T) {
				type read struct {
					ID    string `json:"id"`
					Basis struct {
						Blobs struct {
							Policy string `json:"policy"`
							Map    string `json:"map"`
						} `json:"blobs"`
					} `json:"basis"`
				}
				var whole, named read
				wantErr, err := s.Decode(&whole), s.DecodeFields(&named, "id", "basis.blobs")
				if (err == nil) != (wantErr == nil) || !reflect.DeepEqual(named, whole) {
					t.Errorf("named members read as %+v (%v), the whole predicate as %+v (%v)", named, err, whole, wantErr)
				}
			})
		}
	}
}

// bothForms gives a predicate as it is stated, and as it is read back.
func bothForms(t *testing.T, predicate string) map[string]*evidence.Statement {
	t.Helper()
	about := []verdict.Subject{{Kind: verdict.SubjectArtifact, Name: "app", Digest: verdict.Digest("sha256:" + strings.Repeat("a", 64))}}
	made, err := evidence.New(verdict.KindDecision, about, json.RawMessage(predicate), verdict.Context{Service: "shop", At: time.Unix(1, 0)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := made.Encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := evidence.ParseStatement(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*evidence.Statement{made, read} {
		if c, ok := s.Context(); !ok || c.Service != "shop" {
			t.Fatalf("the context is lost: %+v", c)
		}
	}
	return map[string]*evidence.Statement{"made": made, "read": read}
}
