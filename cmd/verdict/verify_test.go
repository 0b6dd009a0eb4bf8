package main

import (
	"testing"

	"verdict/evidence"
)

// Whoever verifies with a root that names no log must not be told that a log holds the
// statement: its entry was judged by nobody.
func TestALogEntryThatNobodyJudgedIsNotVerified(t *testing.T) {
	b, err := evidence.CosignBundle(evidence.SimpleSigning, []byte(`{"critical":{"image":{"docker-manifest-digest":"`+string(sha256Digest(nil))+`"},"type":"cosign container image signature"}}`),
		map[string]string{evidence.CosignSignature: "c2ln", evidence.CosignLogEntry: "{}"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		root, judged bool
		want         string
	}{{true, true, "verified"}, {true, false, "unchecked"}, {false, false, "unchecked"}} {
		var v verified
		v.unchecked(b, thing{}, c.root, c.judged)
		if v.Log != c.want || v.Log == "unchecked" && len(v.NotChecked) == 0 {
			t.Errorf("root %v, judged %v: %q, %q", c.root, c.judged, v.Log, v.NotChecked)
		}
	}
}
