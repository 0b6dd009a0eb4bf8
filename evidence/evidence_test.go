package evidence_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"testing"

	"verdict/evidence"
)

// sample reads a file of the sample that another program made: a bundle with an entry
// of a log, which cosign verifies.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/sample/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheSampleIsReadAndGivesItsLeafByteForByte(t *testing.T) {
	pub, err := evidence.ParsePublicPEM(sample(t, "key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		VerificationMaterial struct {
			TlogEntries []struct{ CanonicalizedBody string }
		}
	}
	if err := json.Unmarshal(sample(t, "bundle.sigstore.json"), &doc); err != nil {
		t.Fatal(err)
	}
	want, err := base64.StdEncoding.DecodeString(doc.VerificationMaterial.TlogEntries[0].CanonicalizedBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bundle.sigstore.json", "bundle-nolog.sigstore.json"} {
		b, err := evidence.ParseBundle(sample(t, name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		leaf, err := evidence.Hashedrekord(b, pub)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(leaf, want) {
			t.Errorf("%s: leaf\n%s\nwant\n%s", name, leaf, want)
		}
		p, err := evidence.KeyVerifier(pub).Verify(context.Background(), b)
		if err != nil {
			t.Fatal(err)
		}
		if p.Key != b.Hint() || p.Key != evidence.KeyID(pub) {
			t.Errorf("%s: signed by %q, hint %q, key %q", name, p.Key, b.Hint(), evidence.KeyID(pub))
		}
	}
}
