package evidence_test

import (
	"errors"
	"strings"
	"testing"

	"verdict"
	"verdict/evidence"
)

const signedImage = `{"critical":{"identity":{"docker-reference":"ghcr.io/acme/app"},"image":{"docker-manifest-digest":"sha256:` +
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + `"},"type":"cosign container image signature"},"optional":{"by":"team"}}`

// A signature of older cosign is evidence about the digest that it signs, and its bytes are
// those that came: nobody can verify it later by others.
func TestASignatureOfOlderCosignIsEvidence(t *testing.T) {
	annotations := map[string]string{evidence.CosignSignature: "c2lnbmF0dXJl", evidence.CosignLogEntry: `{"Payload":{}}`, "org.example": "left out"}
	b, err := evidence.CosignBundle(evidence.SimpleSigning, []byte(signedImage), annotations)
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Statement()
	if err != nil {
		t.Fatal(err)
	}
	if x := s.Subjects[0]; s.Kind() != verdict.KindSignature || x.Name != "ghcr.io/acme/app" || x.Digest != verdict.NewDigest("sha256", strings.Repeat("a", 64)) {
		t.Errorf("it is read as %s of %+v", s.Kind(), s.Subjects)
	}
	if string(b.Payload()) != signedImage || string(b.PAE()) != signedImage || string(b.Signature()) != "signature" || b.LogEntries() != 1 || b.Older() == nil {
		t.Errorf("payload %s, signature %s, %d entries", b.Payload(), b.Signature(), b.LogEntries())
	}
	again, err := evidence.ParseBundle(b.JSON())
	if err != nil || again.PayloadDigest() != b.PayloadDigest() || strings.Contains(string(b.JSON()), "org.example") {
		t.Errorf("read again: %v, %s", err, b.JSON())
	}
}

// What could be read in two ways, or is signed by another tool for something else, must not
// count as the signature of an image.
func TestWhatIsNoSignatureOfCosignIsRefused(t *testing.T) {
	good := map[string]string{evidence.CosignSignature: "c2lnbmF0dXJl"}
	for _, c := range []struct {
		name, kind, layer string
		annotations       map[string]string
	}{
		{"no signature", evidence.SimpleSigning, signedImage, nil},
		{"a signature that is no base64", evidence.SimpleSigning, signedImage, map[string]string{evidence.CosignSignature: "?"}},
		{"a certificate that is none", evidence.SimpleSigning, signedImage, map[string]string{evidence.CosignSignature: "c2ln", evidence.CosignCertificate: "words"}},
		{"nothing", evidence.SimpleSigning, "", good},
		{"no JSON", evidence.SimpleSigning, "{", good},
		{"no object", evidence.SimpleSigning, "[]", good},
		{"a signature of another tool", evidence.SimpleSigning, strings.Replace(signedImage, "cosign container", "atomic container", 1), good},
		{"a digest twice", evidence.SimpleSigning, strings.Replace(signedImage, `"docker-manifest-digest"`, `"docker-manifest-digest":"sha256:b","docker-manifest-digest"`, 1), good},
		{"no digest", evidence.SimpleSigning, strings.Replace(signedImage, "sha256:aaaa", "sha256:AAAA", 1), good},
		{"a part in another case", evidence.SimpleSigning, strings.Replace(signedImage, `"critical"`, `"Critical"`, 1), good},
		{"a layer of another type", "text/plain", signedImage, good},
		{"an envelope that is none", evidence.DSSEType, "{}", good},
	} {
		b, err := evidence.CosignBundle(c.kind, []byte(c.layer), c.annotations)
		var e *verdict.Error
		if !errors.As(err, &e) || e.Code != verdict.CodeInvalid || b != nil {
			t.Errorf("%s: %v, %v", c.name, b, err)
		}
	}
}
