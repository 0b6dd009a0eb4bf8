package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"

	"verdict"
)

// The media types of a Sigstore bundle v0.3, both spellings, and of a DSSE payload that
// is an in-toto statement. We write the first spelling.
const (
	BundleType    = "application/vnd.dev.sigstore.bundle.v0.3+json"
	BundleTypeOld = "application/vnd.dev.sigstore.bundle+json;version=0.3"
	PayloadType   = "application/vnd.in-toto+json"
)

const bundleRemedy = "give a Sigstore bundle v0.3 with a DSSE envelope, as `verdict log export`, `cosign attest-blob --bundle` and GitHub's attestations write it"

// Bundle is one statement, one signature, and what is needed to check it. It is
// immutable, and safe for use by several goroutines.
type Bundle struct {
	json      func() []byte
	payload   []byte
	signature []byte
	hint      string
	cert      []byte // DER of the leaf certificate, when signed with one
	entries   int    // log entries inside
	older     *Older // nil: it is a Sigstore bundle
	digest    [sha256.Size]byte
	pae       [sha256.Size]byte
}

// ReadBundle reads a bundle of at most MaxBundle bytes; of a longer one it reads no
// more than that.
func ReadBundle(r io.Reader) (*Bundle, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxBundle+1))
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	return ParseBundle(b)
}

// ParseBundle reads a Sigstore bundle v0.3 that holds an in-toto statement under one
// signature. Unknown fields are ignored, unknown versions refused. It checks form only;
// a Verifier says whether the signature holds. The bundle keeps b: the caller must not
// change it. Its errors are *verdict.Error with CodeInvalid or CodeLimit.
func ParseBundle(b []byte) (*Bundle, error) {
	if len(b) > MaxBundle {
		return nil, beyond(fmt.Sprintf("the bundle is larger than the %d MiB that Verdict takes", MaxBundle>>20),
			"store the data as a file and state its digest")
	}
	x := &Bundle{json: func() []byte { return b }}
	var mediaType string
	var envelope, material []byte
	err := present(b, func(name, v []byte) error {
		switch string(name) {
		case "mediaType":
			mediaType, _ = asText(v)
		case "dsseEnvelope":
			envelope = v
		case "verificationMaterial":
			material = v
		case "messageSignature":
			return invalid("the bundle signs a bare file, not a statement about it",
				"make an attestation (`cosign attest-blob`), not a blob signature (`cosign sign-blob`)", nil)
		}
		return nil
	})
	switch {
	case err != nil:
	case mediaType == CosignType:
		if err = x.readOlder(b); err != nil {
			return nil, jsonProblem("signature of older cosign", "sign the image again with a current cosign", err)
		}
		x.hash()
		return x, nil
	case mediaType != BundleType && mediaType != BundleTypeOld:
		err = invalid(fmt.Sprintf("%q is not a version of the bundle format that Verdict reads", cut(mediaType)), bundleRemedy, nil)
	}
	if err == nil && (envelope == nil || material == nil) {
		err = errors.New("dsseEnvelope or verificationMaterial is missing")
	}
	if err == nil {
		err = x.readEnvelope(envelope)
	}
	if err == nil {
		err = x.readMaterial(material)
	}
	if err != nil {
		return nil, jsonProblem("bundle", bundleRemedy, err)
	}
	x.hash()
	return x, nil
}

func cut(s string) string {
	if len(s) > 80 {
		s = s[:80]
	}
	return s
}

func (b *Bundle) hash() {
	b.digest = sha256.Sum256(b.payload)
	if b.older != nil && b.older.Message {
		b.pae = b.digest
		return
	}
	h := sha256.New()
	var head [64]byte
	h.Write(paeHead(head[:0], len(b.payload)))
	h.Write(b.payload)
	h.Sum(b.pae[:0])
}

// paeHead is what the pre-authentication encoding of DSSE puts before the payload.
func paeHead(dst []byte, size int) []byte {
	dst = append(dst, "DSSEv1 "...)
	dst = strconv.AppendInt(dst, int64(len(PayloadType)), 10)
	dst = append(append(append(dst, ' '), PayloadType...), ' ')
	return append(strconv.AppendInt(dst, int64(size), 10), ' ')
}

func (b *Bundle) readEnvelope(envelope []byte) error {
	signatures := 0
	var payloadType string
	err := present(envelope, func(name, v []byte) (err error) {
		switch string(name) {
		case "payload":
			b.payload, err = decoded(name, v)
		case "payloadType":
			payloadType, _ = asText(v)
		case "signatures":
			return elements(v, func(v []byte) error {
				if signatures++; signatures > 1 {
					return nil
				}
				return members(v, func(name, v []byte) (err error) {
					if string(name) == "sig" {
						b.signature, err = decoded(name, v)
					}
					return err
				})
			})
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case payloadType != PayloadType:
		return invalid(fmt.Sprintf("the envelope holds %q, not an in-toto statement", cut(payloadType)), bundleRemedy, nil)
	case signatures == 1 && len(b.signature) == 0:
		return invalid("the envelope's signature is missing", bundleRemedy, nil)
	case signatures != 1:
		return invalid(fmt.Sprintf("the envelope has %d signatures; a bundle has exactly one", signatures),
			"make one bundle for each signer: two people who agree are two statements", nil)
	case len(b.payload) == 0:
		return errors.New("the envelope has no payload")
	case len(b.payload) > MaxStatement:
		return tooLarge(len(b.payload))
	}
	return nil
}

func (b *Bundle) readMaterial(material []byte) error {
	keys, certificates := 0, 0
	err := present(material, func(name, v []byte) error {
		switch string(name) {
		case "publicKey":
			keys++
			return members(v, func(name, v []byte) error {
				if string(name) == "hint" {
					b.hint, _ = asText(v)
				}
				return nil
			})
		case "certificate":
			certificates++
			return members(v, func(name, v []byte) (err error) {
				if string(name) == "rawBytes" {
					b.cert, err = decoded(name, v)
				}
				return err
			})
		case "x509CertificateChain":
			return errors.New("x509CertificateChain does not belong in a bundle v0.3")
		case "tlogEntries":
			return elements(v, func([]byte) error {
				if b.entries++; b.entries > maxLogEntries {
					return beyond(fmt.Sprintf("the bundle has more than %d log entries", maxLogEntries), bundleRemedy)
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if keys+certificates != 1 || (b.hint == "") == (len(b.cert) == 0) {
		return invalid("the bundle does not name exactly one key or certificate that it is signed with", bundleRemedy, nil)
	}
	return nil
}

// present is members without those whose value is null, which protobuf's JSON form
// writes for a field that is not set.
func present(data []byte, f func(name, value []byte) error) error {
	return members(data, func(name, value []byte) error {
		if string(value) == "null" {
			return nil
		}
		return f(name, value)
	})
}

// decoded reads base64 as protobuf's JSON form allows it: either alphabet, padded or not.
func decoded(name, value []byte) ([]byte, error) {
	if len(value) < 2 || value[0] != '"' {
		return nil, fmt.Errorf("%s is not a string", name)
	}
	text := value[1 : len(value)-1]
	if bytes.IndexByte(text, '\\') >= 0 { // "\/" is legal, if odd
		text = []byte(unquoted(value))
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)+3)) // enough without padding, too
	if n, err := base64.StdEncoding.Strict().Decode(out, text); err == nil {
		return out[:n], nil
	}
	text = bytes.TrimRight(text, "=")
	enc := base64.RawStdEncoding
	if bytes.ContainsAny(text, "-_") {
		enc = base64.RawURLEncoding
	}
	n, err := enc.Strict().Decode(out, text)
	if err != nil {
		return nil, fmt.Errorf("%s is not base64: %w", name, err)
	}
	return out[:n], nil
}

// Statement reads the payload; see ParseStatement. It reads it anew at each call.
func (b *Bundle) Statement() (*Statement, error) {
	if b.older != nil && b.older.Message {
		return signedImage(b.payload)
	}
	return ParseStatement(b.payload)
}

// Payload is the signed statement as it was signed. The caller must not change it.
func (b *Bundle) Payload() []byte { return b.payload }

// PayloadDigest is the sha256 of Payload: what a verdict.Ref names.
func (b *Bundle) PayloadDigest() verdict.Digest { return hexDigest("sha256", b.digest[:]) }

// PayloadSum is PayloadDigest as it is computed.
func (b *Bundle) PayloadSum() [sha256.Size]byte { return b.digest }

// PAE is the pre-authentication encoding of DSSE: the bytes under the signature. Older
// cosign signs the payload itself.
func (b *Bundle) PAE() []byte {
	if b.older != nil && b.older.Message {
		return b.payload
	}
	return append(paeHead(make([]byte, 0, len(b.payload)+64), len(b.payload)), b.payload...)
}

// PAEDigest is the sha256 of PAE, which an ECDSA P-256 signature is over.
func (b *Bundle) PAEDigest() [sha256.Size]byte { return b.pae }

// Signature is the signature as it stands in the envelope; for ECDSA, ASN.1 DER. The
// caller must not change it.
func (b *Bundle) Signature() []byte { return b.signature }

// Hint names the key: for bundles of ours its KeyID. It is not signed, so it finds a
// key and proves nothing. It is empty for a bundle signed with a certificate.
func (b *Bundle) Hint() string { return b.hint }

// Certificate is the DER form of the certificate that the bundle is signed with, nil
// when it is signed with a bare key. Nothing about it is verified.
func (b *Bundle) Certificate() []byte { return b.cert }

// LogEntries counts the transparency log entries inside, none of them verified.
func (b *Bundle) LogEntries() int { return b.entries }

// JSON is the bundle as it came, or as it was made. The caller must not change it.
func (b *Bundle) JSON() []byte { return b.json() }

// build writes the JSON form of a bundle of ours, with the log entry if there is one.
// The keyid of the signature is left out: verifiers disagree on its form.
func (b *Bundle) build(entry []byte) []byte {
	out := make([]byte, 0, len(b.payload)*4/3+len(entry)+512)
	out = append(out, `{"mediaType":"`+BundleType+`","verificationMaterial":{"publicKey":{"hint":`...)
	out = append(appendQuoted(out, b.hint), '}')
	if entry != nil {
		out = append(append(append(out, `,"tlogEntries":[`...), entry...), ']')
	}
	out = append(out, `},"dsseEnvelope":`...)
	return append(append(out, b.Envelope()...), '}')
}

// Envelope is the DSSE envelope alone, as tools read it that know no bundles.
func (b *Bundle) Envelope() []byte {
	out := make([]byte, 0, len(b.payload)*4/3+256)
	out = append(out, `{"payload":"`...)
	out = base64.StdEncoding.AppendEncode(out, b.payload)
	out = append(out, `","payloadType":"`+PayloadType+`","signatures":[{"sig":"`...)
	out = base64.StdEncoding.AppendEncode(out, b.signature)
	return append(out, `"}]}`...)
}
