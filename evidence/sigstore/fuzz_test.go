package sigstore_test

import (
	"context"
	"os"
	"testing"

	"verdict/evidence"
	"verdict/evidence/sigstore"
)

// FuzzVerify: no bundle makes the verifiers panic, and none but the sample's statement
// holds by the sample's key.
func FuzzVerify(f *testing.F) {
	read := func(name string) []byte {
		return must(f, func() ([]byte, error) { return os.ReadFile(name) })
	}
	const sample = "../testdata/sample/"
	good := parse(f, read(sample+"bundle.sigstore.json"))
	f.Add(good.JSON())
	f.Add(read(sample + "bundle-nolog.sigstore.json"))
	bundle, root := wild(f)
	f.Add(bundle)
	f.Add(newWorld(f).cosign2(f, oldLog{newKey(f)}, identity, soon()).bundle(f).JSON())
	byKey := must(f, func() (evidence.Verifier, error) {
		return sigstore.KeyVerifier(read(sample+"key.pub"), read(sample+"trusted_root.json"))
	})
	byCertificate := must(f, func() (evidence.Verifier, error) { return sigstore.CertificateVerifier(identity, issuer, root) })
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := evidence.ParseBundle(raw)
		if err != nil {
			return
		}
		if _, err := byKey.Verify(context.Background(), b); err == nil && b.PayloadDigest() != good.PayloadDigest() {
			t.Fatalf("verified %s", raw)
		}
		if p, err := byCertificate.Verify(context.Background(), b); err == nil {
			t.Fatalf("verified as %s", p)
		}
	})
}
