package evidence

import (
	"crypto/ecdsa"
	"encoding/base64"
)

// Hashedrekord is the leaf under which the log keeps the bundle: the Rekor v2 entry
// hashedrekord 0.0.2 over the sha256 of the PAE, with signature and public key, in the
// form of RFC 8785. It is written out by hand: its names are in order and base64 needs
// no escapes. The entry type takes ECDSA P-256 keys only. Whether the signature holds
// is not checked here.
func Hashedrekord(b *Bundle, pub *ecdsa.PublicKey) ([]byte, error) {
	var buf [spkiSize]byte
	spki, err := appendSPKI(buf[:0], pub)
	if err != nil {
		return nil, err
	}
	enc := base64.StdEncoding
	out := make([]byte, 0, 512)
	out = append(out, `{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest":"`...)
	out = enc.AppendEncode(out, b.pae[:])
	out = append(out, `"},"signature":{"content":"`...)
	out = enc.AppendEncode(out, b.signature)
	out = append(out, `","verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{"rawBytes":"`...)
	out = enc.AppendEncode(out, spki)
	return append(out, `"}}}}}}`...), nil
}
