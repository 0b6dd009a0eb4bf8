package sigstore_test

import (
	"crypto/x509"
	"errors"
	"os"
	"testing"

	"verdict/evidence"
	"verdict/evidence/sigstore"
)

// Commits that gitsign signed, the real and the forged, are in the tests of room code.
func TestAMessageNeedsARootWithAuthorityAndLog(t *testing.T) {
	w := newWorld(t)
	for name, root := range map[string][]byte{
		"nothing": nil, "words": []byte("words"), "no log": w.root(t, rootParts{authorities: true, clocks: true}), "no authority": w.root(t, rootParts{logs: true}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sigstore.NewMessageVerifier(root)
			refusedWell(t, err)
		})
	}
}

func TestAMessageIsRefusedWithTheReason(t *testing.T) {
	root := must(t, func() ([]byte, error) { return os.ReadFile("testdata/wild/trusted_root.json") })
	v := must(t, func() (*sigstore.MessageVerifier, error) { return sigstore.NewMessageVerifier(root) })
	w := newWorld(t)
	stranger := w.ca.leaf(t, &newKey(t).PublicKey, identity, issuer)
	wildBundle, _ := wild(t)
	known := must(t, func() (*x509.Certificate, error) { return x509.ParseCertificate(parse(t, wildBundle).Certificate()) })
	for _, c := range []struct {
		name        string
		certificate []byte
		entry       []byte
		stranger    bool
	}{
		{"no certificate", nil, nil, false},
		{"a certificate of an authority that the root does not name", stranger.Raw, nil, true},
		{"no entry of the log", known.Raw, nil, false},
		{"an entry that is none", known.Raw, []byte("words"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			by, err := v.VerifyMessage([]byte("message"), []byte("signature"), c.certificate, c.entry)
			refusedWell(t, err)
			if by != (evidence.Producer{}) || errors.Is(err, evidence.ErrStranger) != c.stranger {
				t.Errorf("%v, %v", by, err)
			}
		})
	}
}
