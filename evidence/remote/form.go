package remote

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// DER makes ASN.1 of a signature of P-256 in the form r||s (JWS, RFC 7518).
func DER(raw []byte) ([]byte, error) {
	if len(raw) != 64 {
		return nil, fmt.Errorf("a signature of %d bytes instead of 64", len(raw))
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[:32]))
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[32:]))
	})
	return b.Bytes()
}

// Point makes a public key of the coordinates of a point of P-256, each of 32 bytes.
func Point(x, y []byte) (*ecdsa.PublicKey, error) {
	if len(x) != 32 || len(y) != 32 {
		return nil, fmt.Errorf("coordinates of %d and %d bytes", len(x), len(y))
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), bytes.Join([][]byte{{4}, x, y}, nil))
}

// ParsePublic reads a SubjectPublicKeyInfo, in PEM or not, that holds a key of a kind that
// signs here or another one: Open and OpenLog judge.
func ParsePublic(b []byte) (crypto.PublicKey, error) {
	if block, _ := pem.Decode(b); block != nil {
		b = block.Bytes
	}
	key, err := x509.ParsePKIXPublicKey(b)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return key, nil
}

// RawEd25519 makes a public key of 32 bytes.
func RawEd25519(b []byte) (ed25519.PublicKey, error) {
	if len(b) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("an Ed25519 key of %d bytes", len(b))
	}
	return ed25519.PublicKey(b), nil
}
