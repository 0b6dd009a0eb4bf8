package code

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes that count
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// The names of RFC 5652, and that under which gitsign keeps the entry of a log
// (github.com/sigstore/rekor, docs/oid-info.md).
var (
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidLogEntry      = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 3, 1}
)

// cmsHashes are the digests that count: SHA-1 and older can be forged.
var cmsHashes = map[string]crypto.Hash{
	"2.16.840.1.101.3.4.2.1": crypto.SHA256,
	"2.16.840.1.101.3.4.2.2": crypto.SHA384,
	"2.16.840.1.101.3.4.2.3": crypto.SHA512,
}

const maxCertificates = 16 // in one signature

// The reasons why a signature cannot be read.
var (
	errCMS      = errors.New("cannot be read")
	errCMSHash  = errors.New("rests on a hash that is not accepted")
	errAttached = errors.New("carries a content of its own beside the commit")
	errSigners  = errors.New("is not by one signer alone")
	errSigner   = errors.New("does not carry the certificate of its signer")
)

// signedMessage is what a detached CMS signature (RFC 5652) by one signer says. What was
// signed are its attributes, of which one holds the digest of the message.
type signedMessage struct {
	certificate *x509.Certificate
	hash        crypto.Hash
	digest      []byte // of the message
	attributes  []byte // as they were signed: a SET in DER
	signature   []byte
	logEntry    []byte // of a transparency log, where the signature carries one
}

// parseCMS reads DER. It takes nothing for verified.
func parseCMS(raw []byte) (*signedMessage, error) {
	input := cryptobyte.String(raw)
	var info, explicit, data cryptobyte.String
	var kind asn1.ObjectIdentifier
	if !input.ReadASN1(&info, der.SEQUENCE) || !input.Empty() || !info.ReadASN1ObjectIdentifier(&kind) || !kind.Equal(oidSignedData) ||
		!info.ReadASN1(&explicit, tag(0)) || !info.Empty() || !explicit.ReadASN1(&data, der.SEQUENCE) || !explicit.Empty() {
		return nil, errCMS
	}
	var content, certificates, signers, signer cryptobyte.String
	if !data.SkipASN1(der.INTEGER) || !data.SkipASN1(der.SET) || !data.ReadASN1(&content, der.SEQUENCE) ||
		!content.ReadASN1ObjectIdentifier(&kind) || !kind.Equal(oidData) {
		return nil, errCMS
	}
	if !content.Empty() {
		return nil, errAttached
	}
	if !data.ReadOptionalASN1(&certificates, nil, tag(0)) || !data.SkipOptionalASN1(tag(1)) || !data.ReadASN1(&signers, der.SET) || !data.Empty() {
		return nil, errCMS
	}
	if !signers.ReadASN1(&signer, der.SEQUENCE) || !signers.Empty() {
		return nil, errSigners
	}
	return parseSignerInfo(signer, certificates)
}

func tag(n uint8) der.Tag { return der.Tag(n).ContextSpecific().Constructed() }

func parseSignerInfo(s, certificates cryptobyte.String) (*signedMessage, error) {
	var m signedMessage
	var id, algorithm, signed, unsigned cryptobyte.String
	var idTag der.Tag
	var hash asn1.ObjectIdentifier
	if !s.SkipASN1(der.INTEGER) || !s.ReadAnyASN1Element(&id, &idTag) ||
		!s.ReadASN1(&algorithm, der.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&hash) ||
		!s.ReadASN1(&signed, tag(0)) || !s.SkipASN1(der.SEQUENCE) || !s.ReadASN1Bytes(&m.signature, der.OCTET_STRING) ||
		!s.ReadOptionalASN1(&unsigned, nil, tag(1)) || !s.Empty() {
		return nil, errCMS
	}
	var known bool
	if m.hash, known = cmsHashes[hash.String()]; !known {
		return nil, errCMSHash
	}
	var err error
	if m.certificate, err = signerCertificate(id, certificates); err != nil {
		return nil, err
	}
	if err := m.signedAttributes(signed); err != nil {
		return nil, err
	}
	entry, found, err := attribute(unsigned, oidLogEntry)
	if err != nil || found && (!entry.ReadASN1Bytes(&m.logEntry, der.OCTET_STRING) || !entry.Empty()) {
		return nil, errCMS
	}
	return &m, nil
}

// signedAttributes reads the attributes and encodes them as they were signed: under the
// tag of a SET, and in the order of DER (RFC 5652, section 5.4).
func (m *signedMessage) signedAttributes(signed cryptobyte.String) error {
	kind, found, err := attribute(signed, oidContentType)
	var name asn1.ObjectIdentifier
	if err != nil || !found || !kind.ReadASN1ObjectIdentifier(&name) || !kind.Empty() || !name.Equal(oidData) {
		return errCMS
	}
	digest, found, err := attribute(signed, oidMessageDigest)
	if err != nil || !found || !digest.ReadASN1Bytes(&m.digest, der.OCTET_STRING) || !digest.Empty() {
		return errCMS
	}
	var all [][]byte
	for !signed.Empty() {
		var one cryptobyte.String
		if !signed.ReadASN1Element(&one, der.SEQUENCE) {
			return errCMS
		}
		all = append(all, one)
	}
	slices.SortFunc(all, bytes.Compare)
	var b cryptobyte.Builder
	b.AddASN1(der.SET, func(b *cryptobyte.Builder) { b.AddBytes(bytes.Join(all, nil)) })
	m.attributes, err = b.Bytes()
	return err
}

// attribute finds the one value of an attribute. Two of one kind could be read in two ways.
func attribute(all cryptobyte.String, kind asn1.ObjectIdentifier) (value cryptobyte.String, found bool, err error) {
	for !all.Empty() {
		var one, values cryptobyte.String
		var name asn1.ObjectIdentifier
		if !all.ReadASN1(&one, der.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&name) || !one.ReadASN1(&values, der.SET) || !one.Empty() {
			return nil, false, errCMS
		}
		if !name.Equal(kind) {
			continue
		}
		if found {
			return nil, false, errCMS
		}
		value, found = values, true
	}
	return value, found, nil
}

// signerCertificate finds the certificate that the signer names, by issuer and number or
// by the id of its key.
func signerCertificate(id, certificates cryptobyte.String) (*x509.Certificate, error) {
	var sequence, issuer cryptobyte.String
	var keyID []byte
	number := new(big.Int)
	named := cryptobyte.String(id)
	switch {
	case named.ReadASN1(&sequence, der.SEQUENCE):
		if !sequence.ReadASN1Element(&issuer, der.SEQUENCE) || !sequence.ReadASN1Integer(number) || !sequence.Empty() {
			return nil, errCMS
		}
	case !named.ReadASN1Bytes(&keyID, der.Tag(0).ContextSpecific()):
		return nil, errCMS
	}
	for n := 0; !certificates.Empty(); n++ {
		var raw cryptobyte.String
		if !certificates.ReadASN1Element(&raw, der.SEQUENCE) || n == maxCertificates {
			return nil, errCMS
		}
		c, err := x509.ParseCertificate(raw)
		if err != nil {
			return nil, errCMS
		}
		if keyID != nil && bytes.Equal(c.SubjectKeyId, keyID) || keyID == nil && bytes.Equal(c.RawIssuer, issuer) && c.SerialNumber.Cmp(number) == 0 {
			return c, nil
		}
	}
	return nil, errSigner
}

// holdsOver reports whether the key of the certificate signed exactly this message. Which
// algorithm that was follows from key and hash: what the signature says of it is not asked.
func (m *signedMessage) holdsOver(message []byte) bool {
	h := m.hash.New()
	h.Write(message)
	if !bytes.Equal(h.Sum(nil), m.digest) {
		return false
	}
	algorithm := x509.UnknownSignatureAlgorithm
	switch m.certificate.PublicKey.(type) {
	case *ecdsa.PublicKey:
		algorithm = map[crypto.Hash]x509.SignatureAlgorithm{crypto.SHA256: x509.ECDSAWithSHA256, crypto.SHA384: x509.ECDSAWithSHA384, crypto.SHA512: x509.ECDSAWithSHA512}[m.hash]
	case *rsa.PublicKey:
		algorithm = map[crypto.Hash]x509.SignatureAlgorithm{crypto.SHA256: x509.SHA256WithRSA, crypto.SHA384: x509.SHA384WithRSA, crypto.SHA512: x509.SHA512WithRSA}[m.hash]
	case ed25519.PublicKey:
		algorithm = x509.PureEd25519
	}
	return m.certificate.CheckSignature(algorithm, m.attributes, m.signature) == nil
}
