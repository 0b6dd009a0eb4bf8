package code

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"testing"
	"time"

	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
	"google.golang.org/protobuf/proto"
)

const vouching = "https://accounts.example.com" // who vouches for the people of the tests

// authority is a Sigstore of the tests: an authority for certificates, and a log.
type authority struct {
	t            *testing.T
	top, middle  *x509.Certificate
	middleKey    *ecdsa.PrivateKey
	logKey       *ecdsa.PrivateKey
	certificates int64
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return k
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, middleKey: newKey(t), logKey: newKey(t)}
	topKey := newKey(t)
	template := func(name string) *x509.Certificate {
		return &x509.Certificate{
			Subject: pkix.Name{CommonName: name}, NotBefore: madeAt.AddDate(-1, 0, 0), NotAfter: madeAt.AddDate(1, 0, 0),
			KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
		}
	}
	a.top = a.certify(template("root"), template("root"), &topKey.PublicKey, topKey)
	middle := template("intermediate")
	middle.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	a.middle = a.certify(middle, a.top, &a.middleKey.PublicKey, topKey)
	return a
}

func (a *authority) certify(c, parent *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) *x509.Certificate {
	a.t.Helper()
	a.certificates++
	c.SerialNumber = big.NewInt(a.certificates)
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, public, key)
	must(a.t, err)
	c, err = x509.ParseCertificate(raw)
	must(a.t, err)
	return c
}

// leaf issues a certificate as Fulcio does: for minutes, with an identity, an address or
// the URI of a workflow, and who vouches for it in an extension.
func (a *authority) leaf(identity string) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key := newKey(a.t)
	issuer, err := asn1.MarshalWithParams(vouching, "utf8")
	must(a.t, err)
	c := &x509.Certificate{
		NotBefore: madeAt, NotAfter: madeAt.Add(10 * time.Minute), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage:     []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: issuer}},
	}
	if u, err := url.Parse(identity); err == nil && u.Scheme != "" {
		c.URIs = []*url.URL{u}
	} else {
		c.EmailAddresses = []string{identity}
	}
	return a.certify(c, a.middle, &key.PublicKey, a.middleKey), key
}

// root is the trusted root of the authority and its log.
func (a *authority) root(change func(doc map[string]any)) []byte {
	a.t.Helper()
	valid := map[string]any{"start": madeAt.AddDate(-1, 0, 0).Format(time.RFC3339)}
	public, id := a.logID()
	doc := map[string]any{
		"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"tlogs": []any{map[string]any{
			"baseUrl": "https://rekor.localhost", "hashAlgorithm": "SHA2_256", "logId": map[string]any{"keyId": id},
			"publicKey": map[string]any{"rawBytes": public, "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": valid},
		}},
		"certificateAuthorities": []any{map[string]any{
			"uri": "https://ca.example.com", "validFor": valid, "subject": map[string]any{"commonName": "people"},
			"certChain": map[string]any{"certificates": []any{map[string]any{"rawBytes": a.middle.Raw}, map[string]any{"rawBytes": a.top.Raw}}},
		}},
	}
	if change != nil {
		change(doc)
	}
	content, err := json.Marshal(doc)
	must(a.t, err)
	return content
}

// logID is the log's public key, and its digest, by which entries name the log.
func (a *authority) logID() (public, id []byte) {
	a.t.Helper()
	public, err := x509.MarshalPKIXPublicKey(&a.logKey.PublicKey)
	must(a.t, err)
	sum := sha256.Sum256(public)
	return public, sum[:]
}

// entry records a signature over a message at a time, as gitsign keeps it.
func (a *authority) entry(message, signature []byte, leaf *x509.Certificate, at time.Time) *rekor.TransparencyLogEntry {
	a.t.Helper()
	sum := sha256.Sum256(message)
	body := fmt.Appendf(nil, `{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"sha256","value":"%x"}},"signature":{"content":"%s","publicKey":{"content":"%s"}}}}`,
		sum, base64.StdEncoding.EncodeToString(signature), base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})))
	_, id := a.logID()
	promise := a.logged(fmt.Appendf(nil, `{"body":"%s","integratedTime":%d,"logID":"%x","logIndex":7}`, base64.StdEncoding.EncodeToString(body), at.Unix(), id))
	top := sha256.Sum256(append([]byte{0}, body...)) // of a tree of one leaf
	note := fmt.Sprintf("rekor.localhost - 123\n1\n%s\n", base64.StdEncoding.EncodeToString(top[:]))
	envelope := fmt.Sprintf("%s\n— rekor.localhost %s\n", note, base64.StdEncoding.EncodeToString(append(bytes.Clone(id[:4]), a.logged([]byte(note))...)))
	return &rekor.TransparencyLogEntry{
		LogIndex: 7, LogId: &common.LogId{KeyId: id}, KindVersion: &rekor.KindVersion{Kind: "hashedrekord", Version: "0.0.1"}, IntegratedTime: at.Unix(),
		InclusionPromise: &rekor.InclusionPromise{SignedEntryTimestamp: promise},
		InclusionProof:   &rekor.InclusionProof{TreeSize: 1, RootHash: top[:], Checkpoint: &rekor.Checkpoint{Envelope: envelope}},
	}
}

// logged is the log's signature.
func (a *authority) logged(message []byte) []byte {
	a.t.Helper()
	sum := sha256.Sum256(message)
	signature, err := ecdsa.SignASN1(rand.Reader, a.logKey, sum[:])
	must(a.t, err)
	return signature
}

// gitsigned says how a signature by certificate is made; each function may be nil.
type gitsigned struct {
	by, log  *authority
	identity string
	at       time.Duration // from the certificate's first moment to the log's time
	message  func(signed []byte) []byte
	// attributes changes what is signed, altered what was signed already, and entry the
	// entry of the log.
	attributes, altered func(attributes [][]byte) [][]byte
	entry               func(*rekor.TransparencyLogEntry) *rekor.TransparencyLogEntry
	cms                 cmsParts
}

// cmsParts are what a signature consists of beside its attributes.
type cmsParts struct {
	hash         asn1.ObjectIdentifier
	content      []byte
	signers      int
	certificates func(leaf *x509.Certificate) []byte
}

var sha256ID = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}

func (g gitsigned) sign(signed []byte) string { return pemOf(g.der(signed)) }

func pemOf(content []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "SIGNED MESSAGE", Bytes: content}))
}

func (g gitsigned) der(signed []byte) []byte {
	t := g.by.t
	leaf, key := g.by.leaf(g.identity)
	if g.message != nil {
		signed = g.message(signed)
	}
	sum := sha256.Sum256(signed)
	attributes := [][]byte{
		attributeOf(oidContentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidData) }),
		attributeOf(oidMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(sum[:]) }),
	}
	if g.attributes != nil {
		attributes = g.attributes(attributes)
	}
	ordered := slices.Clone(attributes)
	slices.SortFunc(ordered, bytes.Compare)
	message := built(func(b *cryptobyte.Builder) { addAll(b, der.SET, ordered) })
	digest := sha256.Sum256(message)
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	must(t, err)
	entry := g.log.entry(message, signature, leaf, leaf.NotBefore.Add(g.at))
	if g.entry != nil {
		entry = g.entry(entry)
	}
	var unsigned [][]byte
	if entry != nil {
		raw, err := proto.Marshal(entry)
		must(t, err)
		unsigned = append(unsigned, attributeOf(oidLogEntry, func(b *cryptobyte.Builder) { b.AddASN1OctetString(raw) }))
	}
	if g.altered != nil {
		attributes = g.altered(attributes)
	}
	return g.cms.build(leaf, attributes, unsigned, signature)
}

func (p cmsParts) build(leaf *x509.Certificate, attributes, unsigned [][]byte, signature []byte) []byte {
	if p.hash == nil {
		p.hash = sha256ID
	}
	if p.certificates == nil {
		p.certificates = func(leaf *x509.Certificate) []byte { return leaf.Raw }
	}
	algorithm := func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(p.hash) })
	}
	signer := built(func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddBytes(leaf.RawIssuer)
				b.AddASN1BigInt(leaf.SerialNumber)
			})
			algorithm(b)
			addAll(b, tag(0), attributes)
			algorithm(b)
			b.AddASN1OctetString(signature)
			if unsigned != nil {
				addAll(b, tag(1), unsigned)
			}
		})
	})
	return built(func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidSignedData)
			b.AddASN1(tag(0), func(b *cryptobyte.Builder) {
				b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1Int64(1)
					b.AddASN1(der.SET, algorithm)
					b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(oidData)
						if p.content != nil {
							b.AddASN1(tag(0), func(b *cryptobyte.Builder) { b.AddASN1OctetString(p.content) })
						}
					})
					addAll(b, tag(0), [][]byte{p.certificates(leaf)})
					addAll(b, der.SET, slices.Repeat([][]byte{signer}, 1+p.signers))
				})
			})
		})
	})
}

func attributeOf(kind asn1.ObjectIdentifier, value func(*cryptobyte.Builder)) []byte {
	return built(func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(kind)
			b.AddASN1(der.SET, value)
		})
	})
}

func addAll(b *cryptobyte.Builder, tag der.Tag, all [][]byte) {
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(bytes.Join(all, nil)) })
}

func built(add func(*cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	add(&b)
	return b.BytesOrPanic()
}
