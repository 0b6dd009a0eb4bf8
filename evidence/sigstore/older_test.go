package sigstore_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/evidence/sigstore"
)

// oldLog is a log that gives promises and no proofs.
type oldLog struct{ key *ecdsa.PrivateKey }

func (l oldLog) id(t testing.TB) []byte {
	t.Helper()
	sum := sha256.Sum256(must(t, func() ([]byte, error) { return x509.MarshalPKIXPublicKey(&l.key.PublicKey) }))
	return sum[:]
}

// in puts the log into a trusted root, in the place of the others.
func (l oldLog) in(t testing.TB, root []byte) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(root, &doc); err != nil {
		t.Fatal(err)
	}
	doc["tlogs"] = []any{map[string]any{
		"baseUrl": "https://rekor.example.com", "hashAlgorithm": "SHA2_256", "logId": map[string]any{"keyId": l.id(t)},
		"publicKey": map[string]any{
			"rawBytes": must(t, func() ([]byte, error) { return x509.MarshalPKIXPublicKey(&l.key.PublicKey) }), "keyDetails": "PKIX_ECDSA_P256_SHA_256",
			"validFor": map[string]any{"start": day.AddDate(-1, 0, 0).Format(time.RFC3339)},
		},
	}}
	return must(t, func() ([]byte, error) { return json.Marshal(doc) })
}

// promise is the annotation in which cosign 2 keeps what the log said.
func (l oldLog) promise(t testing.TB, body []byte, at time.Time) string {
	t.Helper()
	said := fmt.Sprintf(`{"body":%q,"integratedTime":%d,"logID":%q,"logIndex":7}`, base64.StdEncoding.EncodeToString(body), at.Unix(), hex.EncodeToString(l.id(t)))
	sum := sha256.Sum256([]byte(said))
	set := must(t, func() ([]byte, error) { return ecdsa.SignASN1(rand.Reader, l.key, sum[:]) })
	return fmt.Sprintf(`{"SignedEntryTimestamp":%q,"Payload":%s}`, base64.StdEncoding.EncodeToString(set), said)
}

const signedPayload = `{"critical":{"identity":{"docker-reference":"ghcr.io/acme/app"},"image":{"docker-manifest-digest":"sha256:%s"},"type":"cosign container image signature"},"optional":null}`

// cosign2 is a signature as cosign 2 attaches it to an image, with its certificate and the
// word of the log.
type cosign2 struct {
	payload     string
	annotations map[string]string
}

func (w *world) cosign2(t testing.TB, l oldLog, who string, at time.Time) cosign2 {
	t.Helper()
	c := cosign2{payload: fmt.Sprintf(signedPayload, strings.Repeat("a", 64)), annotations: map[string]string{}}
	key := newKey(t)
	sum := sha256.Sum256([]byte(c.payload))
	sig := must(t, func() ([]byte, error) { return ecdsa.SignASN1(rand.Reader, key, sum[:]) })
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.ca.leaf(t, &key.PublicKey, who, issuer).Raw})
	body := fmt.Sprintf(`{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"sha256","value":"%x"}},"signature":{"content":%q,"publicKey":{"content":%q}}}}`,
		sum, base64.StdEncoding.EncodeToString(sig), base64.StdEncoding.EncodeToString(cert))
	c.annotations[evidence.CosignSignature] = base64.StdEncoding.EncodeToString(sig)
	c.annotations[evidence.CosignCertificate] = string(cert)
	c.annotations[evidence.CosignLogEntry] = l.promise(t, []byte(body), at)
	return c
}

func (c cosign2) bundle(t testing.TB) *evidence.Bundle {
	t.Helper()
	return must(t, func() (*evidence.Bundle, error) {
		return evidence.CosignBundle(evidence.SimpleSigning, []byte(c.payload), c.annotations)
	})
}

// A team that still signs with cosign 2 without keys has its images verified; and whoever
// takes a part from elsewhere, has not.
func TestASignatureOfCosign2IsJudgedByWhatTheLogPromised(t *testing.T) {
	w, l := newWorld(t), oldLog{newKey(t)}
	other := w.cosign2(t, l, identity, soon())
	for _, c := range []struct {
		name   string
		change func(c *cosign2)
		root   func(root []byte) []byte
		says   string // "": it holds
	}{
		{"everything is there", nil, nil, ""},
		{"no entry of the log", func(c *cosign2) { delete(c.annotations, evidence.CosignLogEntry) }, nil, "no entry of a log lies beside the signature (dev.sigstore.cosign/bundle)"},
		{"the entry of another signature", func(c *cosign2) {
			c.annotations[evidence.CosignLogEntry] = other.annotations[evidence.CosignLogEntry]
		}, nil, "does not hold"},
		{"a promise of another log", func(c *cosign2) {
			c.annotations[evidence.CosignLogEntry] = strings.Replace(other.annotations[evidence.CosignLogEntry], hex.EncodeToString(l.id(t)), strings.Repeat("ab", 32), 1)
		}, nil, "does not name the log abab"},
		{"a promise that nobody signed", func(c *cosign2) {
			c.annotations[evidence.CosignLogEntry] = strings.Replace(c.annotations[evidence.CosignLogEntry], `"logIndex":7`, `"logIndex":8`, 1)
		}, nil, "does not hold"},
		{"an entry that is no JSON", func(c *cosign2) { c.annotations[evidence.CosignLogEntry] = "words" }, nil, "dev.sigstore.cosign/bundle"},
		{"an entry without anything", func(c *cosign2) { c.annotations[evidence.CosignLogEntry] = "{}" }, nil, "has no log, no time or no signature"},
		{"another certificate", func(c *cosign2) {
			c.annotations[evidence.CosignCertificate] = other.annotations[evidence.CosignCertificate]
		}, nil, "does not hold"},
		{"another payload", func(c *cosign2) { c.payload = strings.Replace(c.payload, "aaa", "aab", 1) }, nil, "does not hold"},
		{"another identity", func(c *cosign2) { *c = w.cosign2(t, l, identity+"x", soon()) }, nil, "was not made by"},
		{"it was signed after the certificate expired", func(c *cosign2) { *c = w.cosign2(t, l, identity, day.Add(time.Hour)) }, nil, "does not hold"},
		{"a root without the log", nil, func([]byte) []byte { return w.root(t, everything) }, "does not name the log"},
		{"a timestamp, and a root without logs", func(c *cosign2) {
			sig := must(t, func() ([]byte, error) {
				return base64.StdEncoding.DecodeString(c.annotations[evidence.CosignSignature])
			})
			c.annotations["dev.sigstore.cosign/rfc3161timestamp"] = fmt.Sprintf(`{"SignedRFC3161Timestamp":%q}`, base64.StdEncoding.EncodeToString(w.clock.stamp(t, sig, soon())))
			delete(c.annotations, evidence.CosignLogEntry)
		}, func([]byte) []byte { return w.root(t, rootParts{authorities: true, clocks: true}) }, ""},
		{"a timestamp of another signature, and a root without logs", func(c *cosign2) {
			c.annotations["dev.sigstore.cosign/rfc3161timestamp"] = fmt.Sprintf(`{"SignedRFC3161Timestamp":%q}`, base64.StdEncoding.EncodeToString(w.clock.stamp(t, []byte("other"), soon())))
		}, func([]byte) []byte { return w.root(t, rootParts{authorities: true, clocks: true}) }, "does not hold"},
		{"a root without any log", nil, func([]byte) []byte { return w.root(t, rootParts{authorities: true, clocks: true}) }, "the trusted root names no log"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := l.in(t, w.root(t, everything))
			if c.root != nil {
				root = c.root(root)
			}
			s := w.cosign2(t, l, identity, soon())
			if c.change != nil {
				c.change(&s)
			}
			v := must(t, func() (evidence.Verifier, error) { return sigstore.CertificateVerifier(identity, issuer, root) })
			by, err := v.Verify(context.Background(), s.bundle(t))
			if c.says != "" {
				refusedWell(t, err)
				if err != nil && !strings.Contains(err.Error(), c.says) || by != (evidence.Producer{}) {
					t.Errorf("by %v: %v, and not %q", by, err, c.says)
				}
				return
			}
			if err != nil || by != (evidence.Producer{Identity: identity, Issuer: issuer}) {
				t.Errorf("by %v: %v", by, err)
			}
		})
	}
}

// A key that is given must not accept what a certificate signed, and the reverse; a trusted
// root beside the key makes the word of the log a must.
func TestASignatureOfCosign2ByKey(t *testing.T) {
	w, l := newWorld(t), oldLog{newKey(t)}
	k := newFileKey(t)
	payload := fmt.Sprintf(signedPayload, strings.Repeat("a", 64))
	sum := sha256.Sum256([]byte(payload))
	sig := must(t, func() ([]byte, error) { return k.Sign(context.Background(), sum[:]) })
	b := must(t, func() (*evidence.Bundle, error) {
		return evidence.CosignBundle(evidence.SimpleSigning, []byte(payload), map[string]string{evidence.CosignSignature: base64.StdEncoding.EncodeToString(sig)})
	})
	alone := keyAndLog(t, k, nil)
	if by, err := alone.Verify(context.Background(), b); err != nil || by.Key != k.KeyID() {
		t.Errorf("by its key: %v, %v", by, err)
	}
	if by, err := evidence.KeyVerifier(k.Public()).Verify(context.Background(), b); err != nil || by.Key != k.KeyID() {
		t.Errorf("by its enrolled key: %v, %v", by, err)
	}
	_, err := keyAndLog(t, k, l.in(t, w.root(t, everything))).Verify(context.Background(), b)
	refusedWell(t, err)
	_, err = keyAndLog(t, newFileKey(t), nil).Verify(context.Background(), b)
	refusedWell(t, err)
	_, err = alone.Verify(context.Background(), w.cosign2(t, l, identity, soon()).bundle(t))
	refusedWell(t, err)
}

// What lies beside an image in the wild: an attestation of GitHub Actions with the promise
// of the public log, as cosign 2 would attach it.
func TestAnAttestationOfOlderCosignFromTheWildHolds(t *testing.T) {
	raw, root := wild(t)
	whole := parse(t, raw)
	var doc struct {
		Material struct {
			Entries []struct {
				Index   string                 `json:"logIndex"`
				LogID   struct{ KeyID []byte } `json:"logId"`
				Time    string                 `json:"integratedTime"`
				Body    []byte                 `json:"canonicalizedBody"`
				Promise struct {
					Set []byte `json:"signedEntryTimestamp"`
				} `json:"inclusionPromise"`
			} `json:"tlogEntries"`
		} `json:"verificationMaterial"`
		Envelope json.RawMessage `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	e := doc.Material.Entries[0]
	entry := fmt.Sprintf(`{"SignedEntryTimestamp":%q,"Payload":{"body":%q,"integratedTime":%s,"logIndex":%s,"logID":"%x"}}`,
		base64.StdEncoding.EncodeToString(e.Promise.Set), base64.StdEncoding.EncodeToString(e.Body), e.Time, e.Index, e.LogID.KeyID)
	b := must(t, func() (*evidence.Bundle, error) {
		return evidence.CosignBundle(evidence.DSSEType, doc.Envelope, map[string]string{
			evidence.CosignCertificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: whole.Certificate()})), evidence.CosignLogEntry: entry,
		})
	})
	const who = "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main"
	v := must(t, func() (evidence.Verifier, error) { return sigstore.CertificateVerifier(who, issuer, root) })
	by, err := v.Verify(context.Background(), b)
	if err != nil || by.Identity != who || b.PayloadDigest() != whole.PayloadDigest() {
		t.Errorf("by %v: %v", by, err)
	}
	s, err := b.Statement()
	if err != nil || s.Kind() != verdict.KindProvenance {
		t.Errorf("%v: %v", s, err)
	}
}

// TestEachPartOfASignatureOfCosign2Counts removes every part, changes it a little and puts that
// of another signature in its place.
func TestEachPartOfASignatureOfCosign2Counts(t *testing.T) {
	w, l := newWorld(t), oldLog{newKey(t)}
	good, foreign := w.cosign2(t, l, identity, soon()), w.cosign2(t, l, identity, soon())
	foreign.payload = strings.Replace(foreign.payload, "ghcr.io", "quay.io", 1)
	v := must(t, func() (evidence.Verifier, error) {
		return sigstore.CertificateVerifier(identity, issuer, l.in(t, w.root(t, everything)))
	})
	judge := func(c cosign2, entry map[string]any) error {
		c.annotations = maps.Clone(c.annotations)
		if entry != nil {
			c.annotations[evidence.CosignLogEntry] = string(must(t, func() ([]byte, error) { return json.Marshal(entry) }))
		}
		b, err := evidence.CosignBundle(evidence.SimpleSigning, []byte(c.payload), c.annotations)
		if err == nil {
			_, err = v.Verify(context.Background(), b)
		}
		return err
	}
	entryOf := func(c cosign2) (entry, payload map[string]any) {
		if err := json.Unmarshal([]byte(c.annotations[evidence.CosignLogEntry]), &entry); err != nil {
			t.Fatal(err)
		}
		return entry, entry["Payload"].(map[string]any)
	}
	same, _ := entryOf(good)
	if err := judge(good, same); err != nil {
		t.Fatalf("the unchanged signature: %v", err)
	}
	for name := range good.annotations {
		t.Run("annotation "+name, func(t *testing.T) {
			c := cosign2{good.payload, maps.Clone(good.annotations)}
			delete(c.annotations, name)
			refusedWell(t, judge(c, nil))
			c.annotations[name] = foreign.annotations[name]
			refusedWell(t, judge(c, nil))
		})
	}
	c := good
	c.payload = foreign.payload
	refusedWell(t, judge(c, nil))
	for _, name := range []string{"SignedEntryTimestamp", "Payload", "body", "integratedTime", "logIndex", "logID"} {
		t.Run("entry "+name, func(t *testing.T) {
			part := func(c cosign2) (whole, of map[string]any) {
				whole, of = entryOf(c)
				if name == "SignedEntryTimestamp" || name == "Payload" {
					of = whole
				}
				return whole, of
			}
			entry, of := part(good)
			delete(of, name)
			refusedWell(t, judge(good, entry))
			entry, of = part(good)
			_, theirs := part(foreign)
			if of[name] = theirs[name]; name == "integratedTime" || name == "logIndex" {
				of[name] = of[name].(float64) + 1
			} else if name == "logID" {
				of[name] = strings.Repeat("0", 64)
			}
			refusedWell(t, judge(good, entry))
		})
	}
}
