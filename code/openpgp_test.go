package code

import (
	"bytes"
	"crypto"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"verdict"
	"verdict/git"
	"verdict/identity"
)

// keyBorn is when the keys of the tests were made, and at sets the clock of what is made
// with them.
var keyBorn = madeAt.AddDate(-1, 0, 0)

func at(when time.Time) *packet.Config {
	return &packet.Config{Time: func() time.Time { return when }, Algorithm: packet.PubKeyAlgoEdDSA, MinRSABits: 1024}
}

// newPGP makes a key with the user ids.
func newPGP(t *testing.T, c *packet.Config, addresses ...string) *openpgp.Entity {
	t.Helper()
	e, err := openpgp.NewEntity("Somebody", "", addresses[0], c)
	must(t, err)
	for _, a := range addresses[1:] {
		must(t, e.AddUserId("Somebody", "", a, c))
	}
	return e
}

// exported is what gpg --export --armor writes of keys.
func exported(t *testing.T, keys ...*openpgp.Entity) string {
	t.Helper()
	var out bytes.Buffer
	w, err := armor.Encode(&out, keyBlock, nil)
	must(t, err)
	for _, e := range keys {
		must(t, e.Serialize(w))
	}
	must(t, w.Close())
	return out.String() + "\n"
}

// signing is the subkey that was added last.
func signing(e *openpgp.Entity) *openpgp.Subkey { return &e.Subkeys[len(e.Subkeys)-1] }

// lasting gives a key, and its subkey for signing, a new life.
func lasting(t *testing.T, e *openpgp.Entity, key, sub time.Duration) *openpgp.Entity {
	t.Helper()
	seconds := func(d time.Duration) *uint32 { s := uint32(d / time.Second); return &s }
	for _, i := range e.Identities {
		i.SelfCertifications[0].Packet.KeyLifetimeSecs = seconds(key)
		must(t, i.ReSign(at(keyBorn)))
	}
	if sub != 0 {
		s := signing(e)
		s.Bindings[0].Packet.KeyLifetimeSecs = seconds(sub)
		must(t, s.ReSign(at(keyBorn)))
	}
	return e
}

// pgpMade is how a signature is made.
type pgpMade struct {
	hash crypto.Hash
	kind packet.SignatureType
	at   time.Time
}

var asGitDoes = pgpMade{crypto.SHA256, packet.SigTypeBinary, madeAt}

func (m pgpMade) packet(t *testing.T, key *packet.PrivateKey, signed []byte) []byte {
	t.Helper()
	id := key.KeyId
	sig := &packet.Signature{Version: 4, SigType: m.kind, PubKeyAlgo: key.PubKeyAlgo, Hash: m.hash, CreationTime: m.at, IssuerKeyId: &id}
	h := m.hash.New()
	h.Write(signed)
	must(t, sig.Sign(h, key, nil))
	var out bytes.Buffer
	must(t, sig.Serialize(&out))
	return out.Bytes()
}

func (m pgpMade) by(t *testing.T, key *packet.PrivateKey) func([]byte) string {
	return func(signed []byte) string { return pgpArmor(t, m.packet(t, key, signed)) }
}

func pgpArmor(t *testing.T, packets []byte) string {
	t.Helper()
	var out bytes.Buffer
	w, err := armor.Encode(&out, "PGP SIGNATURE", nil)
	must(t, err)
	_, err = w.Write(packets)
	must(t, err)
	must(t, w.Close())
	return out.String() + "\n"
}

// signatureOf is what is said of the signature of a commit.
func (s sandbox) signatureOf(head string, with func(*Question)) verdict.CommitSignature {
	s.t.Helper()
	q := s.asked(head+"~1", head, people)
	q.Base, q.Now = s.git("rev-parse", head+"~1"), madeAt.AddDate(0, 1, 0)
	with(&q)
	c, err := Change(s.t.Context(), q)
	must(s.t, err)
	return c.Commits[0].Signature
}

func withKeyring(t *testing.T, text string) func(*Question) {
	return func(q *Question) {
		if text == "" {
			return
		}
		var err error
		q.Keyring, err = ParseKeyring("keys.asc", []byte(text))
		must(t, err)
	}
}

// pgpCase is a signature that is made and the keys that it is judged by.
type pgpCase struct {
	name  string
	keys  string
	sign  func([]byte) string
	state verdict.State
	by    string
	why   string
}

func (c pgpCase) run(t *testing.T, s sandbox) {
	t.Run(c.name, func(t *testing.T) {
		got := s.signatureOf(s.sealed("gpgsig", c.sign), withKeyring(t, c.keys))
		if got.Format != "openpgp" || got.State != c.state || got.By.ID != c.by || !strings.Contains(got.Why, c.why) || got.State != verdict.StateVerified && got.Remedy == "" {
			t.Errorf("%+v", got)
		}
	})
}

// Without this anybody with any key could sign in alma's name.
func TestOpenPGPSignaturesHoldForGivenKeysAlone(t *testing.T) {
	s := newRepo(t)
	s.commit(nil)
	alma := newPGP(t, at(keyBorn), "alma@acme.example")
	jonas := newPGP(t, at(keyBorn), "jonas@acme.example")
	private := newPGP(t, at(keyBorn), "alma@home.example", "ALMA@acme.example")
	both := newPGP(t, at(keyBorn), "alma@acme.example", "jonas@acme.example")
	rsa := at(keyBorn)
	rsa.Algorithm, rsa.RSABits = packet.PubKeyAlgoRSA, 2048
	rsaKey := newPGP(t, rsa, "alma@acme.example")
	rsa.RSABits = 1024
	short := newPGP(t, rsa, "alma@acme.example")
	sign := func(e *openpgp.Entity) func([]byte) string { return asGitDoes.by(t, e.PrivateKey) }
	made := func(change func(*pgpMade)) func([]byte) string {
		m := asGitDoes
		change(&m)
		return m.by(t, alma.PrivateKey)
	}
	for _, c := range []pgpCase{
		{"the key of the committer", exported(t, jonas, alma), sign(alma), verdict.StateVerified, "alma", ""},
		{"an RSA key of enough bits", exported(t, rsaKey), sign(rsaKey), verdict.StateVerified, "alma", ""},
		{"two exports, one behind the other", exported(t, jonas) + "\n" + exported(t, alma), sign(alma), verdict.StateVerified, "alma", ""},
		{"one of its addresses is the committer's", exported(t, private), sign(private), verdict.StateVerified, "alma", ""},
		{"the key of somebody else is said to be theirs", exported(t, jonas), sign(jonas), verdict.StateVerified, "jonas", ""},
		{"a key that names two people", exported(t, both), sign(both), verdict.StateUnknown, "", "alma, jonas"},
		{"a key that is not among the given", exported(t, jonas), sign(alma), verdict.StateUnknown, "", alma.PrimaryKey.KeyIdString() + ", which is not among"},
		{"no keys", "", sign(alma), verdict.StateUnknown, "", "no OpenPGP keys were given"},
		{"a signature of something else", exported(t, alma), func([]byte) string { return sign(alma)([]byte("else")) }, verdict.StateFailed, "", "does not hold"},
		{"an RSA key of too few bits", exported(t, short), sign(short), verdict.StateFailed, "", "RSA key of 1024 bits"},
		{"a signature of a text", exported(t, alma), made(func(m *pgpMade) { m.kind = packet.SigTypeText }), verdict.StateFailed, "", "not one over a document"},
		{"a signature from before the key", exported(t, alma), made(func(m *pgpMade) { m.at = keyBorn.AddDate(-1, 0, 0) }), verdict.StateFailed, "", "before its key, which is of 2025-10-01"},
	} {
		c.run(t, s)
	}
}

// Whoever finds an old key on a disk must not be able to sign with it.
func TestOpenPGPKeysEnd(t *testing.T) {
	const day = 24 * time.Hour
	s := newRepo(t)
	s.commit(nil)
	early, late := madeAt.Sub(keyBorn)-day, madeAt.Sub(keyBorn)+day
	key := func(change func(*openpgp.Entity)) (text string, sign func([]byte) string) {
		e := newPGP(t, at(keyBorn), "alma@acme.example")
		must(t, e.AddSigningSubkey(at(keyBorn)))
		change(e)
		return exported(t, e), asGitDoes.by(t, signing(e).PrivateKey)
	}
	for _, c := range []struct {
		name   string
		change func(*openpgp.Entity)
		state  verdict.State
		why    string
	}{
		{"a subkey for signing", func(*openpgp.Entity) {}, verdict.StateVerified, ""},
		{"a key that expired since", func(e *openpgp.Entity) { lasting(t, e, late, 0) }, verdict.StateVerified, ""},
		{"a subkey that expired since", func(e *openpgp.Entity) { lasting(t, e, 0, late) }, verdict.StateVerified, ""},
		{"a key that had expired", func(e *openpgp.Entity) { lasting(t, e, early, 0) }, verdict.StateFailed, "expired, on 2026-09-30"},
		{"a subkey that had expired", func(e *openpgp.Entity) { lasting(t, e, 0, early) }, verdict.StateFailed, "expired, on 2026-09-30"},
		{"a revoked key", func(e *openpgp.Entity) { must(t, e.Revoke(packet.KeyCompromised, "", at(madeAt.Add(day)))) }, verdict.StateFailed, "revoked"},
		{"a key that was given up", func(e *openpgp.Entity) { must(t, e.Revoke(packet.KeySuperseded, "", at(madeAt.Add(day)))) }, verdict.StateFailed, "revoked"},
		{"a revoked subkey", func(e *openpgp.Entity) { must(t, signing(e).Revoke(packet.KeyRetired, "", at(madeAt.Add(day)))) }, verdict.StateFailed, "subkey that was revoked"},
		{"a subkey that does not confirm its key", func(e *openpgp.Entity) {
			p := signing(e).Bindings[0].Packet
			p.EmbeddedSignature = nil
			must(t, p.SignKey(signing(e).PublicKey, e.PrivateKey, at(keyBorn)))
		}, verdict.StateFailed, "do not both confirm"},
		{"a subkey that another key confirmed", func(e *openpgp.Entity) {
			other := newPGP(t, at(keyBorn), "eve@elsewhere.example")
			must(t, other.AddSigningSubkey(at(keyBorn)))
			e.Subkeys = other.Subkeys
		}, verdict.StateFailed, "do not both confirm"},
		{"a subkey that is not for signing", func(e *openpgp.Entity) {
			p := signing(e).Bindings[0].Packet
			p.FlagSign, p.EmbeddedSignature, p.FlagEncryptStorage = false, nil, true
			must(t, p.SignKey(signing(e).PublicKey, e.PrivateKey, at(keyBorn)))
		}, verdict.StateFailed, "not meant for signing"},
	} {
		text, sign := key(c.change)
		by := ""
		if c.state == verdict.StateVerified {
			by = "alma"
		}
		pgpCase{c.name, text, sign, c.state, by, c.why}.run(t, s)
	}
	e := newPGP(t, at(keyBorn), "alma@acme.example")
	before := exported(t, e)
	must(t, e.Revoke(packet.KeyCompromised, "", at(madeAt)))
	pgpCase{"of two copies of a key the one that was revoked counts", before + exported(t, e), asGitDoes.by(t, e.PrivateKey), verdict.StateFailed, "", "revoked"}.run(t, s)
}

func TestOpenPGPSignaturesThatAreDamagedFail(t *testing.T) {
	s := newRepo(t)
	s.commit(nil)
	alma := newPGP(t, at(keyBorn), "alma@acme.example")
	keys := exported(t, alma)
	good := asGitDoes.by(t, alma.PrivateKey)
	damaged := func(change func(armored string) string) func([]byte) string {
		return func(signed []byte) string { return change(good(signed)) }
	}
	packets := func(change func([]byte) []byte) func([]byte) string {
		return func(signed []byte) string {
			return pgpArmor(t, change(asGitDoes.packet(t, alma.PrivateKey, signed)))
		}
	}
	for _, c := range []pgpCase{
		{"armor that was cut off", keys, damaged(func(a string) string { return a[:len(a)/2] }), verdict.StateFailed, "", "cannot be read"},
		{"armor without its end", keys, damaged(func(a string) string { return strings.Replace(a, "-----END PGP SIGNATURE-----\n", "", 1) }), verdict.StateFailed, "", "cannot be read"},
		{"two armors", keys, damaged(func(a string) string { return a + a }), verdict.StateFailed, "", "cannot be read"},
		{"two signatures in one armor", keys, packets(func(p []byte) []byte { return append(bytes.Clone(p), p...) }), verdict.StateFailed, "", "one signature alone"},
		{"nothing in the armor", keys, packets(func([]byte) []byte { return nil }), verdict.StateFailed, "", "cannot be read"},
		{"a bit that was changed", keys, packets(func(p []byte) []byte { p[len(p)-1] ^= 1; return p }), verdict.StateFailed, "", "does not hold"},
		{"SHA-1", keys, packets(func(p []byte) []byte { p[bytes.IndexByte(p, 4)+3] = 2; return p }), verdict.StateFailed, "", "SHA-1"},
		{"MD5", keys, packets(func(p []byte) []byte { p[bytes.IndexByte(p, 4)+3] = 1; return p }), verdict.StateFailed, "", "MD5"},
		{"RIPEMD-160", keys, packets(func(p []byte) []byte { p[bytes.IndexByte(p, 4)+3] = 3; return p }), verdict.StateFailed, "", "RIPEMD-160"},
	} {
		c.run(t, s)
	}
	with := withKeyring(t, keys)
	whole := s.raw(s.sealed("gpgsig", good))
	for name, c := range map[string]struct {
		raw, why string
		state    verdict.State
	}{
		"the header of a repository with SHA-256":  {strings.Replace(whole, "gpgsig ", "gpgsig-sha256 ", 1), "", verdict.StateVerified},
		"another message":                          {strings.Replace(whole, "\n\nchange", "\n\nanother change", 1), "does not hold", verdict.StateFailed},
		"another committer":                        {strings.Replace(whole, "committer Ada <alma@", "committer Ada <jonas@", 1), "does not hold", verdict.StateFailed},
		"a second signature":                       {sealedBy(whole, "gpgsig", good([]byte("x"))), "several signatures", verdict.StateFailed},
		"a second signature under the other name":  {sealedBy(whole, "gpgsig-sha256", good([]byte("x"))), "several signatures", verdict.StateFailed},
		"a signature that is too large":            {strings.Replace(whole, "\n \n", "\n \n "+strings.Repeat("A", 100<<10)+"\n", 1), "larger than 64 KiB", verdict.StateFailed},
		"a header that was put beside a signature": {strings.Replace(whole, "\ngpgsig ", "\nencoding latin1\ngpgsig ", 1), "does not hold", verdict.StateFailed},
	} {
		if got := s.signatureOf(s.stored(c.raw), with); got.State != c.state || !strings.Contains(got.Why, c.why) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A commit that is too large to read leaves the change unknown, and never signed.
func TestASignatureOfAMegabyteLeavesTheChangeUnknown(t *testing.T) {
	s := newRepo(t)
	base := s.commit(nil)
	head := s.sealed("gpgsig", func([]byte) string {
		return "-----BEGIN PGP SIGNATURE-----\n\n" + strings.Repeat(strings.Repeat("A", 64)+"\n", 1<<14) + "-----END PGP SIGNATURE-----"
	})
	c, err := Change(t.Context(), s.asked(base, head, people))
	must(t, err)
	if c.State == verdict.StateVerified || c.Remedy == "" {
		t.Errorf("%+v", c.Knowledge)
	}
}

// A key that was meant to count and was lost would make its owner's commits unknown.
func TestAKeyringThatCannotBeReadIsAnError(t *testing.T) {
	alma := newPGP(t, at(keyBorn), "alma@acme.example")
	text := exported(t, alma)
	var private, binary bytes.Buffer
	w, err := armor.Encode(&private, "PGP PRIVATE KEY BLOCK", nil)
	must(t, err)
	must(t, alma.SerializePrivate(io.MultiWriter(w, &binary), at(keyBorn)))
	must(t, w.Close())
	var public bytes.Buffer
	must(t, alma.Serialize(&public))
	for name, content := range map[string]string{
		"nothing": "", "words": "alma@acme.example", "a cut export": text[:len(text)/2], "an export and words": text + "words",
		"a private key": private.String() + "\n", "a private key without armor": binary.String(),
		"a cut key without armor": public.String()[:public.Len()/2], "no key in the armor": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n-----END PGP PUBLIC KEY BLOCK-----\n",
		"a message": strings.ReplaceAll(text, "PUBLIC KEY BLOCK", "MESSAGE"), "a keybox of GnuPG": "\x00\x00\x00\x20\x01\x01\x00\x02KBXf",
	} {
		_, err := ParseKeyring("keys", []byte(content))
		if e := verdict.AsError(err); err == nil || e.Code != verdict.CodeInvalid || !strings.Contains(e.Remedy, "gpg --export") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseKeyring("keys", public.Bytes()); err != nil {
		t.Errorf("a key without armor: %v", err)
	}
}

// gnupg runs gpg with a home of its own; it skips where GnuPG is not there.
func gnupg(t *testing.T) func(args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("gpg is not on PATH: apt-get install gnupg")
	}
	home, err := os.MkdirTemp("", "gpg") // its socket needs a short path
	must(t, err)
	t.Setenv("GNUPGHOME", home)
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--kill", "all").Run()
		_ = os.RemoveAll(home)
	})
	return func(args ...string) string {
		t.Helper()
		var words bytes.Buffer
		cmd := exec.Command("gpg", append([]string{"--batch", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""}, args...)...)
		cmd.Stderr = &words
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("gpg %v: %v\n%s", args, err, words.String())
		}
		return string(out)
	}
}

// What git and GnuPG make, with no hand of ours in it.
func TestCommitsThatGnuPGSigned(t *testing.T) {
	for _, kind := range []string{"ed25519", "rsa3072", "nistp256/ecdsa"} {
		t.Run(kind, func(t *testing.T) {
			s := newRepo(t)
			gpg := gnupg(t)
			gpg("--quick-gen-key", "Alma <alma@acme.example>", kind, "cert", "0")
			fingerprint := ""
			for line := range strings.Lines(gpg("--list-keys", "--with-colons")) {
				if f := strings.Split(line, ":"); f[0] == "fpr" {
					fingerprint = f[9]
				}
			}
			gpg("--quick-add-key", fingerprint, kind, "sign", "0")
			s.git("config", "user.email", "alma@acme.example")
			s.git("config", "user.signingkey", fingerprint)
			s.commit(nil)
			head := s.commit(nil, "-S")
			keys := gpg("--export", "--armor")
			if got := s.signatureOf(head, withKeyring(t, keys)); got.State != verdict.StateVerified || got.By.ID != "alma" {
				t.Errorf("%+v", got)
			}
			if got := s.signatureOf(head, withKeyring(t, gpg("--export"))); got.State != verdict.StateVerified {
				t.Errorf("without armor: %+v", got)
			}
			forged := s.stored(strings.Replace(s.raw(head), "\n\nchange", "\n\nforged", 1))
			if got := s.signatureOf(forged, withKeyring(t, keys)); got.State != verdict.StateFailed {
				t.Errorf("forged: %+v", got)
			}
			// GnuPG writes the certificate with a colon in front, so that nobody uses it by accident.
			file := filepath.Join(os.Getenv("GNUPGHOME"), "openpgp-revocs.d", fingerprint+".rev")
			text, err := os.ReadFile(file)
			must(t, err)
			must(t, os.WriteFile(file, bytes.Replace(text, []byte(":-----BEGIN"), []byte("-----BEGIN"), 1), 0o600))
			gpg("--import", file)
			if got := s.signatureOf(head, withKeyring(t, gpg("--export", "--armor"))); got.State != verdict.StateFailed || !strings.Contains(got.Why, "revoked") {
				t.Errorf("revoked: %+v", got)
			}
		})
	}
}

func FuzzOpenPGP(f *testing.F) {
	e, err := openpgp.NewEntity("a", "", "a@acme.example", at(keyBorn))
	if err != nil {
		f.Fatal(err)
	}
	var key, sig, text bytes.Buffer
	w, err := armor.Encode(&text, "PGP SIGNATURE", nil)
	for _, err := range []error{err, e.Serialize(&key), openpgp.DetachSign(io.MultiWriter(w, &sig), []*openpgp.Entity{e}, strings.NewReader("else"), at(madeAt)), w.Close()} {
		if err != nil {
			f.Fatal(err)
		}
	}
	f.Add(text.String(), sig.Bytes(), key.Bytes())
	nobody, err := identity.NewDirectory(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, armored string, packets, keys []byte) {
		q := Question{People: People{nobody, identity.Git, map[string]string{}}, Now: madeAt}
		var err error
		if q.Keyring, err = ParseKeyring("keys", keys); err != nil && verdict.AsError(err).Code != verdict.CodeInvalid {
			t.Error(err)
		}
		for _, a := range []string{armored, pgpArmor(t, packets)} {
			if known, _ := q.pgpSignature(git.Commit{}, []byte("signed"), a); known.State == verdict.StateVerified || known.Why == "" || known.Remedy == "" {
				t.Errorf("%+v", known)
			}
		}
	})
}

// The library stops with a panic at a subpacket that is empty: what anybody can push must
// not end the check of everybody's change.
func TestAnEmptySubpacketIsNoEndOfTheCheck(t *testing.T) {
	s := newRepo(t)
	s.commit(nil)
	alma := newPGP(t, at(keyBorn), "alma@acme.example")
	odd := "\xc2\x30\x04\x00\x16\x08\x00\x02\x01\x04" + strings.Repeat("0", 38)
	pgpCase{"in a signature", exported(t, alma), func([]byte) string { return pgpArmor(t, []byte(odd)) }, verdict.StateFailed, "", "cannot be read"}.run(t, s)
	var key bytes.Buffer
	must(t, alma.Serialize(&key))
	if _, err := ParseKeyring("keys", append(key.Bytes(), odd...)); verdict.AsError(err).Code != verdict.CodeInvalid {
		t.Errorf("in a key: %v", err)
	}
}
