package sigstore_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/evidence"
)

// The people of the tests: a workflow, and the issuer that vouches for it.
const (
	identity = "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main"
	issuer   = "https://token.actions.githubusercontent.com"
	origin   = "log.example.com"
)

// day is when everything in the tests happens; certificates live for minutes.
var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func must[T any](t testing.TB, f func() (T, error)) T {
	t.Helper()
	v, err := f()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// testLog is a transparency log in memory.
type testLog struct {
	key    *evidence.LogKey
	leaves [][]byte
	hashes []tlog.Hash
}

func newLog(t testing.TB, entries int) *testLog {
	t.Helper()
	key, err := evidence.CreateLogKey(filepath.Join(t.TempDir(), "log.pem"))
	if err != nil {
		t.Fatal(err)
	}
	l := &testLog{key: key}
	for i := range entries {
		l.add(t, fmt.Appendf(nil, "somebody else's entry %d", i))
	}
	return l
}

func (l *testLog) read(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = l.hashes[x]
	}
	return out, nil
}

func (l *testLog) add(t testing.TB, leaf []byte) int64 {
	t.Helper()
	n := int64(len(l.leaves))
	hashes, err := tlog.StoredHashes(n, leaf, tlog.HashReaderFunc(l.read))
	if err != nil {
		t.Fatal(err)
	}
	l.leaves, l.hashes = append(l.leaves, leaf), append(l.hashes, hashes...)
	return n
}

// entry proves one leaf under the current checkpoint.
func (l *testLog) entry(t testing.TB, index int64) evidence.LogEntry {
	t.Helper()
	size := int64(len(l.leaves))
	root, err := tlog.TreeHash(size, tlog.HashReaderFunc(l.read))
	if err != nil {
		t.Fatal(err)
	}
	proof, err := tlog.ProveRecord(size, index, tlog.HashReaderFunc(l.read))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := l.key.Signer(origin)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root[:]))
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.LogEntry{
		Index: index, TreeSize: size, Root: root, Hashes: proof, Checkpoint: string(signed),
		CanonicalBody: l.leaves[index], LogID: evidence.LogID(l.key.Public()),
	}
}

// statement is about one artifact, whose digest is n in hex.
func statement(t testing.TB, n int) *evidence.Statement {
	t.Helper()
	s, err := evidence.New(verdict.KindDeployment, []verdict.Subject{{Name: "shop", Digest: verdict.NewDigest("sha256", fmt.Sprintf("%064x", n))}},
		map[string]string{"to": "production"}, verdict.Context{Service: "shop", At: day}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// authority is a certificate authority with one intermediate.
type authority struct {
	root, middle *x509.Certificate
	key          *ecdsa.PrivateKey
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	return must(t, func() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })
}

func certify(t testing.TB, template, parent *x509.Certificate, pub *ecdsa.PublicKey, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	template.SerialNumber = must(t, func() (*big.Int, error) { return rand.Int(rand.Reader, big.NewInt(1<<60)) })
	der := must(t, func() ([]byte, error) { return x509.CreateCertificate(rand.Reader, template, parent, pub, key) })
	return must(t, func() (*x509.Certificate, error) { return x509.ParseCertificate(der) })
}

func newAuthority(t testing.TB, name string, use x509.ExtKeyUsage) *authority {
	t.Helper()
	rootKey, key := newKey(t), newKey(t)
	template := func(part string) *x509.Certificate {
		return &x509.Certificate{
			Subject: pkix.Name{CommonName: name + " " + part}, NotBefore: day.AddDate(-1, 0, 0), NotAfter: day.AddDate(5, 0, 0),
			KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true,
		}
	}
	top := template("root")
	a := &authority{key: key, root: certify(t, top, top, &rootKey.PublicKey, rootKey)}
	middle := template("intermediate")
	middle.ExtKeyUsage = []x509.ExtKeyUsage{use}
	a.middle = certify(t, middle, a.root, &key.PublicKey, rootKey)
	return a
}

// leaf issues a certificate as Fulcio does: no subject, an identity as URI, the issuer
// in an extension.
func (a *authority) leaf(t testing.TB, pub *ecdsa.PublicKey, identity, issuer string) *x509.Certificate {
	t.Helper()
	uri := must(t, func() (*url.URL, error) { return url.Parse(identity) })
	value := must(t, func() ([]byte, error) { return asn1.MarshalWithParams(issuer, "utf8") })
	return certify(t, &x509.Certificate{
		NotBefore: day, NotAfter: day.Add(10 * time.Minute), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, URIs: []*url.URL{uri},
		ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(issuer)},
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: value},
		},
	}, a.middle, pub, a.key)
}

// clock is a timestamp authority.
type clock struct {
	*authority
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newClock(t testing.TB) *clock {
	t.Helper()
	a, key := newAuthority(t, "clock", x509.ExtKeyUsageTimeStamping), newKey(t)
	use := must(t, func() ([]byte, error) {
		return asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	})
	cert := certify(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "clock"}, NotBefore: day.AddDate(0, -1, 0), NotAfter: day.AddDate(1, 0, 0),
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: use}},
	}, a.middle, &key.PublicKey, a.key)
	return &clock{a, cert, key}
}

func (c *clock) stamp(t testing.TB, signature []byte, at time.Time) []byte {
	t.Helper()
	h := crypto.SHA256.New()
	h.Write(signature)
	stamp := timestamp.Timestamp{
		HashAlgorithm: crypto.SHA256, HashedMessage: h.Sum(nil), Time: at, SerialNumber: big.NewInt(7),
		Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}, AddTSACertificate: true,
	}
	return must(t, func() ([]byte, error) { return stamp.CreateResponseWithOpts(c.cert, c.key, crypto.SHA256) })
}

// world is everything that a foreign bundle rests on.
type world struct {
	log   *testLog
	ca    *authority
	clock *clock
}

func newWorld(t testing.TB) *world {
	return &world{newLog(t, 20), newAuthority(t, "people", x509.ExtKeyUsageCodeSigning), newClock(t)}
}

// rootParts says what a trusted root names.
type rootParts struct {
	logs, authorities, clocks, certificateLogs bool
	authorityEnds                              time.Time
}

var everything = rootParts{logs: true, authorities: true, clocks: true}

func chain(certificates ...*x509.Certificate) map[string]any {
	list := []any{}
	for _, c := range certificates {
		list = append(list, map[string]any{"rawBytes": c.Raw})
	}
	return map[string]any{"certificates": list}
}

func (w *world) root(t testing.TB, parts rootParts) []byte {
	t.Helper()
	b, err := evidence.TrustedRoot(evidence.TrustedLog{Origin: origin, Public: w.log.key.Public(), Start: day.AddDate(-1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	valid := map[string]any{"start": day.AddDate(-1, 0, 0).Format(time.RFC3339)}
	if parts.certificateLogs {
		doc["ctlogs"] = doc["tlogs"]
	}
	if !parts.logs {
		delete(doc, "tlogs")
	}
	if parts.clocks {
		doc["timestampAuthorities"] = []any{map[string]any{
			"uri": "https://clock.example.com", "validFor": valid, "subject": map[string]any{"commonName": "clock"},
			"certChain": chain(w.clock.cert, w.clock.middle, w.clock.authority.root),
		}}
	}
	if !parts.authorityEnds.IsZero() {
		valid = map[string]any{"start": valid["start"], "end": parts.authorityEnds.Format(time.RFC3339)}
	}
	if parts.authorities {
		doc["certificateAuthorities"] = []any{map[string]any{
			"uri": "https://ca.example.com", "validFor": valid, "subject": map[string]any{"commonName": "people"},
			"certChain": chain(w.ca.middle, w.ca.root),
		}}
	}
	return must(t, func() ([]byte, error) { return json.Marshal(doc) })
}

// byKey is a bundle signed with a key, with its entry in the world's log.
func (w *world) byKey(t testing.TB, k *evidence.KeyFile, n int) *evidence.Bundle {
	t.Helper()
	b := must(t, func() (*evidence.Bundle, error) { return evidence.Sign(context.Background(), statement(t, n), k) })
	leaf := must(t, func() ([]byte, error) { return evidence.Hashedrekord(b, k.Public()) })
	entry := w.log.entry(t, w.log.add(t, leaf))
	return must(t, func() (*evidence.Bundle, error) { return b.WithLog(entry) })
}

// signed says how a bundle by certificate is made.
type signed struct {
	identity, issuer string
	at               time.Time // of the timestamp
	authority        *authority
	withoutEntry     bool
	withoutStamp     bool
}

// byCertificate is a bundle signed with a short-lived key, its certificate, a log entry
// and a signed timestamp.
func (w *world) byCertificate(t testing.TB, n int, s signed) *evidence.Bundle {
	t.Helper()
	key := newKey(t)
	cert := s.authority.leaf(t, &key.PublicKey, s.identity, s.issuer)
	plain := must(t, func() (*evidence.Bundle, error) {
		return evidence.Sign(context.Background(), statement(t, n), certificateSigner{key})
	})
	var doc map[string]any
	if err := json.Unmarshal(plain.JSON(), &doc); err != nil {
		t.Fatal(err)
	}
	material := map[string]any{"certificate": map[string]any{"rawBytes": cert.Raw}}
	doc["verificationMaterial"] = material
	if !s.withoutEntry {
		leaf := must(t, func() ([]byte, error) { return evidence.Hashedrekord(plain, &key.PublicKey) })
		spki := must(t, func() ([]byte, error) { return x509.MarshalPKIXPublicKey(&key.PublicKey) })
		old := `"publicKey":{"rawBytes":"` + base64.StdEncoding.EncodeToString(spki)
		leaf = bytes.Replace(leaf, []byte(old), []byte(`"x509Certificate":{"rawBytes":"`+base64.StdEncoding.EncodeToString(cert.Raw)), 1)
		logged := must(t, func() (*evidence.Bundle, error) { return plain.WithLog(w.log.entry(t, w.log.add(t, leaf))) })
		var other map[string]any
		if err := json.Unmarshal(logged.JSON(), &other); err != nil {
			t.Fatal(err)
		}
		material["tlogEntries"] = other["verificationMaterial"].(map[string]any)["tlogEntries"]
	}
	if !s.withoutStamp {
		material["timestampVerificationData"] = map[string]any{
			"rfc3161Timestamps": []any{map[string]any{"signedTimestamp": w.clock.stamp(t, plain.Signature(), s.at)}},
		}
	}
	return parse(t, must(t, func() ([]byte, error) { return json.Marshal(doc) }))
}

// certificateSigner is a key that exists for one signature.
type certificateSigner struct{ key *ecdsa.PrivateKey }

func (s certificateSigner) KeyID() string            { return evidence.KeyID(&s.key.PublicKey) }
func (s certificateSigner) Public() *ecdsa.PublicKey { return &s.key.PublicKey }
func (s certificateSigner) Sign(_ context.Context, digest []byte) ([]byte, error) {
	return ecdsa.SignASN1(rand.Reader, s.key, digest)
}

func parse(t testing.TB, b []byte) *evidence.Bundle {
	t.Helper()
	return must(t, func() (*evidence.Bundle, error) { return evidence.ParseBundle(b) })
}

// refusedWell fails the test unless err is one that a person can act on.
func refusedWell(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Error("accepted")
		return
	}
	e := verdict.AsError(err)
	if e.Code == verdict.CodeInternal || e.Remedy == "" || strings.Contains(e.Remedy, "defect") {
		t.Errorf("error without a remedy: %v (%s)", err, e.Remedy)
	}
}
