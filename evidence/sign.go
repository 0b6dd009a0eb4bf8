package evidence

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Signer signs digests with one ECDSA P-256 key, wherever the key lives.
type Signer interface {
	// KeyID is KeyID(Public()).
	KeyID() string
	// Public is the public half, to check what Sign gave.
	Public() *ecdsa.PublicKey
	// Sign signs a sha256 digest and gives the signature in ASN.1 DER.
	Sign(ctx context.Context, digest []byte) (der []byte, err error)
}

// Sign puts the statement into an envelope, signs it, and makes a bundle of it. The
// signature is checked before it is handed out, so that a broken key vault is noticed
// here and not by an auditor.
func Sign(ctx context.Context, s *Statement, k Signer) (*Bundle, error) {
	payload, err := s.Encode()
	if err != nil {
		return nil, err
	}
	b := &Bundle{payload: payload, hint: k.KeyID()}
	b.hash()
	if b.signature, err = k.Sign(ctx, b.pae[:]); err != nil {
		return nil, fmt.Errorf("sign %s with key %s: %w", s.PredicateType, k.KeyID(), err)
	}
	if !ecdsa.VerifyASN1(k.Public(), b.pae[:], b.signature) {
		return nil, fmt.Errorf("sign %s with key %s: the signer gave a signature that its own public key refuses", s.PredicateType, k.KeyID())
	}
	b.json = sync.OnceValue(func() []byte { return b.build(nil) }) // the ledger keeps the parts
	return b, nil
}

// KeyID names a public key: the sha256 of its SubjectPublicKeyInfo in base64, as the
// hint of a Sigstore bundle has it. It is empty for a key that is not P-256.
func KeyID(pub *ecdsa.PublicKey) string {
	spki, err := appendSPKI(make([]byte, 0, spkiSize), pub)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(spki)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// spkiHead is the SubjectPublicKeyInfo of every P-256 key up to the uncompressed point
// (RFC 5480): id-ecPublicKey, prime256v1, a bit string of 65 bytes.
const (
	spkiHead = "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00"
	spkiSize = len(spkiHead) + 65
)

func appendSPKI(dst []byte, pub *ecdsa.PublicKey) ([]byte, error) {
	if pub == nil || pub.Curve != elliptic.P256() {
		return nil, invalid("the key is not an ECDSA P-256 key", keyRemedy, nil)
	}
	point, err := pub.Bytes()
	if err != nil {
		return nil, invalid("the key is not a point of P-256", keyRemedy, err)
	}
	return append(append(dst, spkiHead...), point...), nil
}

// Producer says who signed, once a Verifier has checked it: the id of a key, the identity
// in a certificate and the issuer that vouched for it, or the workload that proved with an
// issuer's token who it is, and that it holds the key. One of Key, Identity and Workload is
// set.
type Producer struct {
	Key      string
	Identity string
	Issuer   string // of the identity or the workload
	Workload string
}

// ofWorkload stands before the issuer of a workload in the recorded form. An issuer is a
// URL, so no certificate's is taken for a token's.
const ofWorkload = "workload:"

// String is the one-line form that the ledger records: the key id, or the identity, a
// space, and the issuer; before that of a workload stands "workload:". The last space keeps
// the two apart.
func (p Producer) String() string {
	switch {
	case p.Key != "":
		return p.Key
	case p.Workload != "":
		return p.Workload + " " + ofWorkload + p.Issuer
	}
	return p.Identity + " " + p.Issuer
}

// ParseProducer reads what String wrote.
func ParseProducer(s string) Producer {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		return Producer{Key: s}
	}
	if issuer, ok := strings.CutPrefix(s[i+1:], ofWorkload); ok {
		return Producer{Workload: s[:i], Issuer: issuer}
	}
	return Producer{Identity: s[:i], Issuer: s[i+1:]}
}

// ErrStranger says that a certificate is not of any authority that was given: nothing is
// known of it, which is not the same as that it does not hold.
var ErrStranger = errors.New("an authority that was not given")

// Verifier decides whether the signature of a bundle holds and who made it. Its errors
// are *verdict.Error: CodeRefused when it was checked and does not hold.
type Verifier interface {
	// Verify gives the producer, or the zero Producer and why it is none.
	Verify(ctx context.Context, b *Bundle) (Producer, error)
}

// KeyVerifier accepts a bundle that one of these P-256 keys signed. It says nothing
// about a log entry in the bundle; evidence/sigstore does.
//
// A hint that has the form of a key id must be the id of one of the keys. A hint in
// another tool's form claims nothing; then each key is tried.
func KeyVerifier(keys ...*ecdsa.PublicKey) Verifier {
	v := keyVerifier{byID: make(map[string]*ecdsa.PublicKey, len(keys))}
	for _, k := range keys {
		if id := KeyID(k); id != "" && v.byID[id] == nil {
			v.byID[id] = k
			v.ids = append(v.ids, id)
		}
	}
	return v
}

type keyVerifier struct {
	byID map[string]*ecdsa.PublicKey
	ids  []string
}

// Verify implements Verifier.
func (v keyVerifier) Verify(_ context.Context, b *Bundle) (Producer, error) {
	if b.hint == "" {
		return Producer{}, refused("the bundle is signed with a certificate, not with a key",
			"give --certificate-identity and --certificate-oidc-issuer with --trusted-root", nil)
	}
	ids := v.ids
	if _, known := v.byID[b.hint]; known {
		ids = []string{b.hint}
	} else if IsKeyID(b.hint) {
		return Producer{}, refused("the bundle is signed with key "+b.hint+", which is none of those given",
			"give the public key of the producer that you expect, or enroll the key: verdict people enroll", nil)
	}
	for _, id := range ids {
		if ecdsa.VerifyASN1(v.byID[id], b.pae[:], b.signature) {
			return Producer{Key: id}, nil
		}
	}
	return Producer{}, refused("the signature of the bundle does not hold: the statement, the signature or the key was changed",
		"get the bundle again from its producer, and check which key the producer signs with", nil)
}

// IsKeyID reports whether s has the form of a KeyID.
func IsKeyID(s string) bool {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == sha256.Size
}
