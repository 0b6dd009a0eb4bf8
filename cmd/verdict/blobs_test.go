package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"verdict"
	"verdict/decide"
	"verdict/evidence"
)

// putters are the files that keep blobs. Each puts them for a statement whose struct is
// below: who adds a file here adds that too.
var putters = []string{"cmd/verdict/advisoriesshared.go" /* store.ShareFile names them */, "cmd/verdict/maprelease.go", "cmd/verdict/ownrules.go", "cmd/verdict/policyrelease.go", "cmd/verdict/sbomattest.go", "cmd/verdict/syncsend.go", "cmd/verdict/travelblob.go", "decide/basis.go", "decide/recall.go", "server/ledger_bytes.go"}

// A blob that a statement names and that no row is about is removed by a sweep, and with
// it what everything was judged by. So each digest of a real struct is held against the
// rows, also one that a later version adds.
func TestASweepKeepsEveryBlobThatAStatementNames(t *testing.T) {
	type decided struct {
		verdict.Decision
		Basis decide.Basis `json:"basis"`
	}
	about := verdict.Subject{Kind: verdict.SubjectArtifact, Name: "x", Digest: sha256Digest([]byte("x"))}
	d := decided{Decision: verdict.Decision{ID: "d-0000", Point: "ci.secrets", Subject: about}}
	release, proposal := mapRelease{Action: actionMapRelease}, mapRelease{Action: actionMapRelease}
	rules, bill := rulesRelease{Action: actionPolicyRelease}, verdict.StoredBill{}
	w, _ := installation(t)
	blobs := map[verdict.Digest]string{}
	put := func(kind verdict.Kind, of any) { putDigests(t, w, string(kind), reflect.ValueOf(of).Elem(), blobs) }
	put(verdict.KindDecision, &d.Basis)
	put(verdict.KindMapRelease, &release)
	put(verdict.KindProposal, &proposal)
	put(verdict.KindPolicyRelease, &rules)
	put(verdict.KindSBOM, &bill)
	if len(blobs) != 10 {
		t.Fatalf("these are no digests of blobs, or one more is: %v", blobs)
	}
	for kind, said := range map[verdict.Kind]any{verdict.KindDecision: d, verdict.KindMapRelease: release, verdict.KindProposal: proposal, verdict.KindPolicyRelease: rules} {
		if _, err := w.state(t.Context(), kind, about, said, verdict.Context{}); err != nil {
			t.Fatal(err)
		}
	}
	beside, err := evidence.NewTyped(evidence.StoredBill, []verdict.Subject{about}, bill, verdict.Context{At: w.now()}, w.app.rand)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := evidence.Sign(t.Context(), beside, w.signer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.ledger.Append(t.Context(), signed); err != nil {
		t.Fatal(err)
	}
	r, err := w.own.Sweep(t.Context())
	if err != nil || r.Seen != 10 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, m := range r.Marked {
		t.Errorf("%s is a blob that no entry is said to rest on: name it in usesOf, and set entry.blobs back for its kind", blobs[m.Digest])
	}
}

// putDigests gives each digest of a struct a blob of its own. That of a map is a digest of
// what it means, and no blob has it.
func putDigests(t *testing.T, w *workspace, path string, v reflect.Value, blobs map[verdict.Digest]string) {
	t.Helper()
	for i := range v.NumField() {
		f, name := v.Field(i), path+"."+v.Type().Field(i).Name
		switch {
		case !v.Type().Field(i).IsExported():
		case name == "map-release.Map" || name == "proposal.Map" || name == "policy-release.Bundle":
		case f.Type() == reflect.TypeFor[verdict.Digest]():
			d, err := w.ledger.PutBlob(t.Context(), []byte(name))
			if err != nil {
				t.Fatal(err)
			}
			f.SetString(string(d))
			blobs[d] = name
		case f.Kind() == reflect.Struct && name != "decision.Case": // what was judged, without blobs
			putDigests(t, w, name, f, blobs)
		}
	}
}

func TestWhoKeepsBlobsIsKnown(t *testing.T) {
	found := map[string]bool{}
	root := os.DirFS(filepath.Join("..", ".."))
	err := fs.WalkDir(root, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(root, path)
		if strings.Contains(string(text), ".PutBlob(") {
			found[path] = true
		}
		return err
	})
	if got := slices.Sorted(maps.Keys(found)); err != nil || !slices.Equal(got, putters) {
		t.Errorf("%v keep blobs, not %v: put the struct of the statement into the test above (%v)", got, putters, err)
	}
}
