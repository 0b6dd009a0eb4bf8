package code

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"golang.org/x/crypto/cryptobyte"

	"verdict"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/evidence/sigstore"
	"verdict/git"
	"verdict/identity"
)

// judging judges certificates by a trusted root.
func judging(t *testing.T, root []byte) func(*Question) {
	t.Helper()
	v, err := sigstore.NewMessageVerifier(root)
	must(t, err)
	return func(q *Question) { q.Certificates, q.Issuers = v, []string{"https://issuer.example.com", vouching} }
}

// A commit of somebody else, made by gitsign and recorded in the public log: what we take
// for its form must be what it is.
func TestACommitThatGitsignSigned(t *testing.T) {
	raw, err := os.ReadFile("testdata/gitsign/commit")
	must(t, err)
	root, err := os.ReadFile("../evidence/sigstore/testdata/wild/trusted_root.json")
	must(t, err)
	nobody, err := identity.NewDirectory([]identity.Person{{ID: "billy", Accounts: []identity.Account{{System: identity.Git, Name: "billy@chainguard.dev"}}}})
	must(t, err)
	q := Question{People: People{nobody, identity.GitHub, map[string]string{}}}
	judging(t, root)(&q)
	q.Issuers = []string{"https://accounts.google.com"}
	c, err := git.ParseCommit(strings.Repeat("0", 40), raw)
	must(t, err)
	if got := q.signature(c, raw); got.State != verdict.StateVerified || got.By.ID != "billy" || got.Format != "x509" {
		t.Errorf("%+v", got)
	}
	other := bytes.Replace(raw, []byte("16:11"), []byte("16:12"), 1)
	other = bytes.Replace(other, []byte("\n\nMon"), []byte("\n\nTue"), 1)
	if got := q.signature(c, other); got.State != verdict.StateFailed || !strings.Contains(got.Why, "does not hold") {
		t.Errorf("changed: %+v", got)
	}
}

// gitsignCase is how a commit is signed, by what it is judged, and what is said.
type gitsignCase struct {
	name   string
	change func(*gitsigned)
	with   func(*Question)
	state  verdict.State
	by     string
	why    string
}

// Without this anybody who gets a certificate for their own name could sign in alma's.
func TestCertificatesHoldByAuthorityLogAndIssuer(t *testing.T) {
	s := newRepo(t)
	s.commit(nil)
	ours, theirs := newAuthority(t), newAuthority(t)
	given := judging(t, ours.root(nil))
	const workflow = "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main"
	bot, err := decisionmap.Load("verdict.yaml at test", []byte(people+"  release-bot: {accounts: {git: ["+workflow+"]}}\n"))
	must(t, err)
	for _, c := range []gitsignCase{
		{"a certificate of the committer", nil, given, verdict.StateVerified, "alma", ""},
		{"that of somebody else is said to be theirs", func(g *gitsigned) { g.identity = "jonas@acme.example" }, given, verdict.StateVerified, "jonas", ""},
		{"an identity that the map names", func(g *gitsigned) { g.identity = workflow }, func(q *Question) {
			given(q)
			q.Map = bot
			q.People, err = NewPeople(bot, "github")
			must(t, err)
		}, verdict.StateVerified, "release-bot", ""},
		{"attributes in an order that is not that of DER", func(g *gitsigned) {
			g.altered = func(a [][]byte) [][]byte { slices.Reverse(a); return a }
		}, given, verdict.StateVerified, "alma", ""},
		{"nothing to judge by", nil, func(*Question) {}, verdict.StateUnknown, "", "nothing was given"},
		{"an issuer that was not given", nil, func(q *Question) { given(q); q.Issuers = q.Issuers[:1] }, verdict.StateUnknown, "", "vouched for by " + vouching},
		{"a certificate of another authority", func(g *gitsigned) { g.by = theirs }, given, verdict.StateUnknown, "", "no authority of the trusted root"},
		{"no entry of a log", func(g *gitsigned) {
			g.entry = func(*rekor.TransparencyLogEntry) *rekor.TransparencyLogEntry { return nil }
		}, given, verdict.StateUnknown, "", "no entry of a log"},
		{"an entry of another log", func(g *gitsigned) { g.log = theirs }, given, verdict.StateFailed, "", "do not belong together"},
		{"an entry of another signature", func(g *gitsigned) {
			g.entry = func(*rekor.TransparencyLogEntry) *rekor.TransparencyLogEntry {
				leaf, _ := ours.leaf("alma@acme.example")
				return ours.entry([]byte("else"), []byte("else"), leaf, madeAt)
			}
		}, given, verdict.StateFailed, "", "do not belong together"},
		{"an entry with a body of its own", func(g *gitsigned) {
			g.entry = func(e *rekor.TransparencyLogEntry) *rekor.TransparencyLogEntry {
				e.CanonicalizedBody = []byte("{}")
				return e
			}
		}, given, verdict.StateFailed, "", "not that of the signature"},
		{"an entry whose time was changed", func(g *gitsigned) {
			g.entry = func(e *rekor.TransparencyLogEntry) *rekor.TransparencyLogEntry { e.IntegratedTime++; return e }
		}, given, verdict.StateFailed, "", "do not belong together"},
		{"an entry without a time that the log signed", func(g *gitsigned) {
			g.entry = func(e *rekor.TransparencyLogEntry) *rekor.TransparencyLogEntry { e.InclusionPromise = nil; return e }
		}, given, verdict.StateFailed, "", "do not belong together"},
		{"an entry without proof that the log holds it", func(g *gitsigned) {
			g.entry = func(e *rekor.TransparencyLogEntry) *rekor.TransparencyLogEntry { e.InclusionProof = nil; return e }
		}, given, verdict.StateFailed, "", "cannot be read"},
		{"a certificate that had expired", func(g *gitsigned) { g.at = time.Hour }, given, verdict.StateFailed, "", "do not belong together"},
		{"a certificate that was not valid yet", func(g *gitsigned) { g.at = -time.Minute }, given, verdict.StateFailed, "", "do not belong together"},
		{"a certificate that no log of certificates holds", nil,
			judging(t, ours.root(func(doc map[string]any) { doc["ctlogs"] = doc["tlogs"] })), verdict.StateFailed, "", "do not belong together"},
	} {
		c.run(t, s, ours)
	}
}

func (c gitsignCase) run(t *testing.T, s sandbox, a *authority) {
	t.Run(c.name, func(t *testing.T) {
		g := gitsigned{by: a, log: a, identity: "alma@acme.example", at: time.Minute}
		if c.change != nil {
			c.change(&g)
		}
		got := s.signatureOf(s.sealed("gpgsig", g.sign), c.with)
		if got.Format != "x509" || got.State != c.state || got.By.ID != c.by || !strings.Contains(got.Why, c.why) || got.State != verdict.StateVerified && got.Remedy == "" {
			t.Errorf("%+v", got)
		}
	})
}

func TestSignaturesWithACertificateThatAreDamagedFail(t *testing.T) {
	s := newRepo(t)
	s.commit(nil)
	ours := newAuthority(t)
	given := judging(t, ours.root(nil))
	digest := func(of string) []byte {
		return attributeOf(oidMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString([]byte(of)) })
	}
	for _, c := range []gitsignCase{
		{"a signature of something else", func(g *gitsigned) { g.message = func([]byte) []byte { return []byte("else") } }, given, verdict.StateFailed, "", "does not hold"},
		{"an attribute that was added later", func(g *gitsigned) {
			g.altered = func(a [][]byte) [][]byte {
				return append(a, attributeOf(asn1.ObjectIdentifier{1, 2, 3}, func(b *cryptobyte.Builder) { b.AddASN1Int64(1) }))
			}
		}, given, verdict.StateFailed, "", "does not hold"},
		{"two digests", func(g *gitsigned) {
			g.attributes = func(a [][]byte) [][]byte { return append(a, digest("else")) }
		}, given, verdict.StateFailed, "", "cannot be read"},
		{"no digest", func(g *gitsigned) { g.attributes = func(a [][]byte) [][]byte { return a[:1] } }, given, verdict.StateFailed, "", "cannot be read"},
		{"no type of what is signed", func(g *gitsigned) { g.attributes = func(a [][]byte) [][]byte { return a[1:] } }, given, verdict.StateFailed, "", "cannot be read"},
		{"SHA-1", func(g *gitsigned) { g.cms.hash = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26} }, given, verdict.StateFailed, "", "rests on a hash"},
		{"a content of its own", func(g *gitsigned) { g.cms.content = []byte("else") }, given, verdict.StateFailed, "", "content of its own"},
		{"two signers", func(g *gitsigned) { g.cms.signers = 1 }, given, verdict.StateFailed, "", "one signer alone"},
		{"no certificate", func(g *gitsigned) { g.cms.certificates = func(*x509.Certificate) []byte { return nil } }, given, verdict.StateFailed, "", "certificate of its signer"},
		{"too many certificates", func(g *gitsigned) {
			g.cms.certificates = func(leaf *x509.Certificate) []byte {
				other, _ := ours.leaf("jonas@acme.example")
				return append(bytes.Repeat(other.Raw, maxCertificates), leaf.Raw...)
			}
		}, given, verdict.StateFailed, "", ""},
	} {
		c.run(t, s, ours)
	}
	g := gitsigned{by: ours, log: ours, identity: "alma@acme.example", at: time.Minute}
	for name, c := range map[string]struct {
		sign  func(signed []byte) string
		why   string
		state verdict.State
	}{
		"armor that was cut off":     {func(b []byte) string { a := g.sign(b); return a[:len(a)/2] }, "cannot be read", verdict.StateFailed},
		"a signature that was cut":   {func(b []byte) string { d := g.der(b); return pemOf(d[:len(d)-1]) }, "cannot be read", verdict.StateFailed},
		"bytes behind the signature": {func(b []byte) string { return pemOf(append(g.der(b), 0)) }, "cannot be read", verdict.StateFailed},
		"two armors":                 {func(b []byte) string { return g.sign(b) + g.sign(b) }, "cannot be read", verdict.StateFailed},
		"a megabyte":                 {func(b []byte) string { return pemOf(make([]byte, 700<<10)) }, "larger than 64 KiB", verdict.StateFailed},
		"what gpgsm writes":          {func([]byte) string { return pemOf([]byte{0x30, 0x80, 0, 0}) }, "S/MIME", verdict.StateUnknown},
	} {
		if got := s.signatureOf(s.sealed("gpgsig", c.sign), given); got.State != c.state || !strings.Contains(got.Why, c.why) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	whole := s.raw(s.sealed("gpgsig", g.sign))
	for name, c := range map[string]struct {
		raw, why string
		state    verdict.State
	}{
		"the header of a repository with SHA-256": {strings.Replace(whole, "gpgsig ", "gpgsig-sha256 ", 1), "", verdict.StateVerified},
		"another message":                         {strings.Replace(whole, "\n\nchange", "\n\nanother change", 1), "does not hold", verdict.StateFailed},
		"another committer":                       {strings.Replace(whole, "committer Ada <alma@", "committer Ada <jonas@", 1), "does not hold", verdict.StateFailed},
		"a second signature":                      {sealedBy(whole, "gpgsig", g.sign([]byte("x"))), "several signatures", verdict.StateFailed},
	} {
		if got := s.signatureOf(s.stored(c.raw), given); got.State != c.state || !strings.Contains(got.Why, c.why) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func FuzzCMS(f *testing.F) {
	commit, err := os.ReadFile("testdata/gitsign/commit")
	if err != nil {
		f.Fatal(err)
	}
	signed, armored, _ := detach(commit)
	block, _ := pem.Decode([]byte(armored + "\n"))
	genuine, err := parseCMS(block.Bytes)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(block.Bytes, genuine.logEntry)
	root, err := os.ReadFile("../evidence/sigstore/testdata/wild/trusted_root.json")
	if err != nil {
		f.Fatal(err)
	}
	v, err := sigstore.NewMessageVerifier(root)
	if err != nil {
		f.Fatal(err)
	}
	billy := evidence.Producer{Identity: "billy@chainguard.dev", Issuer: "https://accounts.google.com"}
	f.Fuzz(func(t *testing.T, content, entry []byte) {
		if by, err := v.VerifyMessage(genuine.attributes, genuine.signature, genuine.certificate.Raw, entry); err == nil && by != billy {
			t.Errorf("with another entry accepted as %s", by)
		}
		m, err := parseCMS(content)
		if err != nil {
			return
		}
		if m.holdsOver([]byte("else")) {
			t.Error("it holds over something else")
		}
		by, err := v.VerifyMessage(m.attributes, m.signature, m.certificate.Raw, m.logEntry)
		if err == nil && (!m.holdsOver(signed) || by != billy) {
			t.Errorf("accepted as %s", by)
		}
	})
}
