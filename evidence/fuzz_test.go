package evidence_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"verdict/evidence"
)

// FuzzParseStatement: whatever is accepted can be written again and is then the same,
// and means to encoding/json what it means to us.
func FuzzParseStatement(f *testing.F) {
	f.Add(doc(nil))
	f.Add(doc(map[string]string{"_type": `"` + evidence.StatementV01 + `"`, "predicate": "null", "extra": `{"a":[1,2.5e-3,true,null,"\ud83d\ude00"]}`}))
	f.Add(doc(map[string]string{"subject": `[{"uri":"x","annotations":{"kind":"plan"},"digest":{"sha1":"x","gitCommit":"` + strings.Repeat("a", 40) + `"}}]`}))
	f.Add(doc(map[string]string{"predicate": `{"` + evidence.ContextField + `":{"service":"s","at":"2026-03-01T12:00:00Z","nonce":"AAAA"},"b":1}`}))
	f.Add(doc(map[string]string{"predicate": `{"a":[],"` + evidence.ContextField + `" : {"nonce":1} , "b":{"":[[],{}]}}`}))
	f.Add([]byte(`{"_type":"`))
	f.Add([]byte("{\"\\u0000\":\"\xff\"}"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		s, err := evidence.ParseStatement(payload)
		if err != nil {
			return
		}
		if !json.Valid(payload) {
			t.Fatal("accepted what is not JSON")
		}
		if len(s.Subjects) == 0 || len(s.Subjects) > evidence.MaxSubjects || s.PredicateType == "" {
			t.Fatalf("accepted %+v", s)
		}
		if body := s.Body(); !json.Valid(body) || body[0] != '{' {
			t.Fatalf("body %s of %s", body, s.Predicate)
		}
		s.Context()
		if _, ok := evidence.ReportOf(s); ok && !bytes.Contains(payload, []byte("report")) && !bytes.Contains(payload, []byte(`\u`)) {
			t.Fatal("a report out of nothing")
		}
		b, err := s.Encode()
		if err != nil {
			return // longer than it was, as escapes may become
		}
		again, err := evidence.ParseStatement(b)
		if err != nil {
			t.Fatalf("%v in %s", err, b)
		}
		if again.Identity("p") != s.Identity("p") || s.Identity("p") == s.Identity("q") {
			t.Fatalf("%s is not %s", payload, b)
		}
	})
}

// FuzzParseBundle: nothing panics, and what is accepted holds together.
func FuzzParseBundle(f *testing.F) {
	for _, name := range []string{"bundle.sigstore.json", "bundle-nolog.sigstore.json"} {
		f.Add(sample(f, name))
	}
	k := newKey(f)
	small := signed(f, k, `{}`)
	f.Add(small.JSON())
	f.Add(bytes.Replace(small.JSON(), []byte("=="), nil, -1))
	f.Add([]byte(`{"mediaType":"` + evidence.BundleTypeOld + `","dsseEnvelope":{"payload":"AA","payloadType":"` + evidence.PayloadType +
		`","signatures":[{"sig":"_-8"}]},"verificationMaterial":{"certificate":{"rawBytes":"AA=="},"tlogEntries":[{}]}}`))
	f.Add([]byte(`{"mediaType":`))
	older, err := evidence.CosignBundle(evidence.SimpleSigning, []byte(signedImage), map[string]string{evidence.CosignSignature: "c2ln", evidence.CosignLogEntry: "{}"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(older.JSON())
	v := evidence.KeyVerifier(k.Public())
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := evidence.ParseBundle(raw)
		if err != nil {
			return
		}
		if len(b.Payload()) == 0 || len(b.Signature()) == 0 || (b.Hint() == "") == (b.Certificate() == nil) {
			t.Fatalf("accepted %s", raw)
		}
		if _, err := b.Statement(); err == nil && !json.Valid(b.Payload()) {
			t.Fatalf("a statement that is not JSON: %q", b.Payload())
		}
		if _, err := v.Verify(context.Background(), b); err == nil && !bytes.Equal(b.Payload(), small.Payload()) {
			t.Fatalf("verified %s", raw)
		}
		if _, err := evidence.Hashedrekord(b, k.Public()); err != nil {
			t.Fatal(err)
		}
	})
}
