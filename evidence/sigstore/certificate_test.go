package sigstore_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/evidence/sigstore"
)

func soon() time.Time { return day.Add(time.Minute) }

// TestACertificateIsJudgedByEverythingThatTheRootNames: without these refusals anybody
// with any certificate could speak for the release workflow.
func TestACertificateIsJudgedByEverythingThatTheRootNames(t *testing.T) {
	w := newWorld(t)
	other := newAuthority(t, "somebody else", x509.ExtKeyUsageCodeSigning)
	good := signed{identity: identity, issuer: issuer, at: soon(), authority: w.ca}
	with := func(change func(*signed)) *evidence.Bundle {
		s := good
		change(&s)
		return w.byCertificate(t, 1, s)
	}
	whole := with(func(*signed) {})
	cases := []struct {
		name   string
		bundle *evidence.Bundle
		root   rootParts
		holds  bool
	}{
		{"everything is there", whole, everything, true},
		{"a root without logs takes the signed timestamp", with(func(s *signed) { s.withoutEntry = true }), rootParts{authorities: true, clocks: true}, true},
		{"the identity is another workflow", with(func(s *signed) { s.identity += "x" }), everything, false},
		{"the identity is a prefix of the one expected", with(func(s *signed) { s.identity = identity[:len(identity)-1] }), everything, false},
		{"the issuer is another one", with(func(s *signed) { s.issuer = "https://issuer.example.com" }), everything, false},
		{"the authority is not in the root", with(func(s *signed) { s.authority = other }), everything, false},
		{"it was signed after the certificate expired", with(func(s *signed) { s.at = day.Add(time.Hour) }), everything, false},
		{"it was signed before the certificate was issued", with(func(s *signed) { s.at = day.Add(-time.Hour) }), everything, false},
		{"the authority had ended by then", whole, rootParts{logs: true, authorities: true, clocks: true, authorityEnds: day.AddDate(0, -1, 0)}, false},
		{"only a timestamp, and the root names a log", with(func(s *signed) { s.withoutEntry = true }), everything, false},
		{"nothing tells the time of signing", with(func(s *signed) { s.withoutStamp = true }), everything, false},
		{"the timestamp's authority is not in the root", whole, rootParts{logs: true, authorities: true}, false},
		{"the root names certificate logs and the certificate has no timestamp of one", whole, rootParts{logs: true, authorities: true, clocks: true, certificateLogs: true}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v, err := sigstore.CertificateVerifier(identity, issuer, w.root(t, c.root))
			if err != nil {
				t.Fatal(err)
			}
			p, err := v.Verify(context.Background(), c.bundle)
			if !c.holds {
				refusedWell(t, err)
				if p != (evidence.Producer{}) {
					t.Errorf("a producer beside the refusal: %v", p)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := (evidence.Producer{Identity: identity, Issuer: issuer}); p != want || evidence.ParseProducer(p.String()) != want {
				t.Errorf("producer %v, want %v", p, want)
			}
		})
	}
}

func TestAVerifierWithoutAnythingToJudgeByIsRefused(t *testing.T) {
	w := newWorld(t)
	root := w.root(t, everything)
	for name, make := range map[string]func() (evidence.Verifier, error){
		"no identity":       func() (evidence.Verifier, error) { return sigstore.CertificateVerifier("", issuer, root) },
		"no issuer":         func() (evidence.Verifier, error) { return sigstore.CertificateVerifier(identity, "", root) },
		"no root":           func() (evidence.Verifier, error) { return sigstore.CertificateVerifier(identity, issuer, nil) },
		"a root of nothing": func() (evidence.Verifier, error) { return sigstore.CertificateVerifier(identity, issuer, []byte("{}")) },
		"no authority inside": func() (evidence.Verifier, error) {
			return sigstore.CertificateVerifier(identity, issuer, w.root(t, rootParts{logs: true}))
		},
		"a root too large": func() (evidence.Verifier, error) {
			return sigstore.CertificateVerifier(identity, issuer, make([]byte, sigstore.MaxTrustedRoot+1))
		},
		"no key": func() (evidence.Verifier, error) { return sigstore.KeyVerifier(nil, root) },
		"no log in the root": func() (evidence.Verifier, error) {
			return sigstore.KeyVerifier([]byte(newFileKey(t).PublicPEM()), w.root(t, rootParts{authorities: true}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := make()
			refusedWell(t, err)
			if v != nil {
				t.Error("a verifier beside the refusal")
			}
		})
	}
}

// TestABundleForOneWayIsNotJudgedTheOther: asking for a key must not accept a
// certificate, nor the reverse.
func TestABundleForOneWayIsNotJudgedTheOther(t *testing.T) {
	w := newWorld(t)
	k := newFileKey(t)
	cert := w.byCertificate(t, 1, signed{identity: identity, issuer: issuer, at: soon(), authority: w.ca})
	byKey, err := sigstore.KeyVerifier([]byte(k.PublicPEM()), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = byKey.Verify(context.Background(), cert)
	refusedWell(t, err)
	byCertificate, err := sigstore.CertificateVerifier(identity, issuer, w.root(t, everything))
	if err != nil {
		t.Fatal(err)
	}
	_, err = byCertificate.Verify(context.Background(), w.byKey(t, k, 1))
	refusedWell(t, err)
	_, err = evidence.KeyVerifier(k.Public()).Verify(context.Background(), cert)
	refusedWell(t, err)
}

// TestEachFieldOfACertificateBundleCounts removes and swaps every field of a bundle.
func TestEachFieldOfACertificateBundleCounts(t *testing.T) {
	w := newWorld(t)
	s := signed{identity: identity, issuer: issuer, at: soon(), authority: w.ca}
	foreign := w.byCertificate(t, 2, s)
	good := w.byCertificate(t, 1, s)
	v, err := sigstore.CertificateVerifier(identity, issuer, w.root(t, everything))
	if err != nil {
		t.Fatal(err)
	}
	matrix(t, v, good, foreign)
}

// TestARealBundleFromTheWildHolds judges a bundle that GitHub Actions made for an npm
// package, with the public root: certificate timestamps, and an entry of the older log.
func TestARealBundleFromTheWildHolds(t *testing.T) {
	raw, root := wild(t)
	b := parse(t, raw)
	const who = "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main"
	v, err := sigstore.CertificateVerifier(who, issuer, root)
	if err != nil {
		t.Fatal(err)
	}
	p, err := v.Verify(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	if p.Identity != who {
		t.Errorf("made by %v", p)
	}
	st, err := b.Statement()
	if err != nil {
		t.Fatal(err)
	}
	if st.Kind() != verdict.KindProvenance || st.Subjects[0].Digest.Algorithm() != "sha512" {
		t.Errorf("read as %s about %v", st.Kind(), st.Subjects)
	}
	var e *verdict.Error
	v, err = sigstore.CertificateVerifier(who+"x", issuer, root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(context.Background(), b); !errors.As(err, &e) || e.Code != verdict.CodeRefused {
		t.Errorf("another workflow: %v", err)
	}
}

// wild gives the bundle in the form of v0.3: it was made as v0.1, which holds the same
// parts in another place.
func wild(t testing.TB) (bundle, root []byte) {
	t.Helper()
	bundle = must(t, func() ([]byte, error) { return os.ReadFile("testdata/wild/bundle.sigstore.json") })
	root = must(t, func() ([]byte, error) { return os.ReadFile("testdata/wild/trusted_root.json") })
	var doc map[string]any
	if err := json.Unmarshal(bundle, &doc); err != nil {
		t.Fatal(err)
	}
	doc["mediaType"] = evidence.BundleTypeOld
	m := doc["verificationMaterial"].(map[string]any)
	m["certificate"] = m["x509CertificateChain"].(map[string]any)["certificates"].([]any)[0]
	delete(m, "x509CertificateChain")
	m["aFieldOfTomorrow"] = map[string]any{"it": "is ignored"}
	return must(t, func() ([]byte, error) { return json.Marshal(doc) }), root
}

// A log entry that nobody judged must not be told as verified: whoever verifies asks whether
// the root named a log.
func TestAVerifierSaysWhetherItJudgesALog(t *testing.T) {
	w := newWorld(t)
	judges := func(v evidence.Verifier, err error) bool {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v.(interface{ JudgesLog() bool }).JudgesLog()
	}
	key := []byte(newFileKey(t).PublicPEM())
	for name, c := range map[string]struct{ got, want bool }{
		"a root with a log":    {judges(sigstore.CertificateVerifier(identity, issuer, w.root(t, everything))), true},
		"a root without":       {judges(sigstore.CertificateVerifier(identity, issuer, w.root(t, rootParts{authorities: true, clocks: true}))), false},
		"a key with a root":    {judges(sigstore.KeyVerifier(key, w.root(t, everything))), true},
		"a key without a root": {judges(sigstore.KeyVerifier(key, nil)), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v", name, c.got)
		}
	}
}
