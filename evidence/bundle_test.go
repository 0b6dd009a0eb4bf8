package evidence_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"verdict"
	"verdict/evidence"
)

func newKey(t testing.TB) *evidence.KeyFile {
	t.Helper()
	return must(t, func() (*evidence.KeyFile, error) { return evidence.CreateKey(filepath.Join(t.TempDir(), "key.pem")) })
}

func signed(t testing.TB, k evidence.Signer, body string) *evidence.Bundle {
	t.Helper()
	return must(t, func() (*evidence.Bundle, error) {
		return evidence.Sign(context.Background(), newStatement(t, json.RawMessage(body)), k)
	})
}

func TestWhatIsSignedIsReadBackAndHolds(t *testing.T) {
	k := newKey(t)
	b := signed(t, k, `{"a":1}`)
	got, err := evidence.ParseBundle(b.JSON())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Payload(), b.Payload()) || !bytes.Equal(got.Signature(), b.Signature()) || got.Hint() != k.KeyID() ||
		got.PayloadDigest() != b.PayloadDigest() || got.PAEDigest() != b.PAEDigest() || got.Certificate() != nil || got.LogEntries() != 0 {
		t.Errorf("read back as %s", got.JSON())
	}
	p, err := evidence.KeyVerifier(newKey(t).Public(), k.Public()).Verify(context.Background(), got)
	if err != nil || p != (evidence.Producer{Key: k.KeyID()}) || evidence.ParseProducer(p.String()) != p {
		t.Errorf("%v, %v", p, err)
	}
	if bytes.Contains(b.JSON(), []byte("keyid")) {
		t.Error("the signature has a keyid")
	}
}

// TestOthersSignAndHashTheSameBytes compares with the published implementation of DSSE,
// and the leaf with RFC 8785.
func TestOthersSignAndHashTheSameBytes(t *testing.T) {
	k := newKey(t)
	b := signed(t, k, `{"a":1}`)
	if want := dsse.PAE(evidence.PayloadType, b.Payload()); !bytes.Equal(b.PAE(), want) {
		t.Errorf("PAE %q, want %q", b.PAE(), want)
	}
	leaf, err := evidence.Hashedrekord(b, k.Public())
	if err != nil {
		t.Fatal(err)
	}
	want, err := jsoncanonicalizer.Transform(leaf)
	if err != nil || !bytes.Equal(leaf, want) {
		t.Errorf("leaf %s is not canonical: %v", leaf, err)
	}
	if len(leaf) > 520 {
		t.Errorf("leaf has %d bytes", len(leaf))
	}
}

func TestOnlyP256KeysGiveALeaf(t *testing.T) {
	b := signed(t, newKey(t), `{}`)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, pub := range map[string]*ecdsa.PublicKey{"P-384": &p384.PublicKey, "none": nil} {
		_, err := evidence.Hashedrekord(b, pub)
		actionable(t, err, verdict.CodeInvalid)
		if evidence.KeyID(pub) != "" || evidence.PublicPEM(pub) != "" {
			t.Errorf("%s has an id", name)
		}
	}
}

// liar is a key vault that signs something else than it was asked to.
type liar struct{ *evidence.KeyFile }

func (l liar) Sign(ctx context.Context, digest []byte) ([]byte, error) {
	return l.KeyFile.Sign(ctx, append([]byte{digest[0] ^ 1}, digest[1:]...))
}

// mute is a key vault that does not answer.
type mute struct{ *evidence.KeyFile }

func (mute) Sign(context.Context, []byte) ([]byte, error) { return nil, errors.New("no answer") }

func TestASignerThatFailsGivesNoBundle(t *testing.T) {
	for name, k := range map[string]evidence.Signer{"liar": liar{newKey(t)}, "mute": mute{newKey(t)}} {
		b, err := evidence.Sign(context.Background(), newStatement(t, struct{}{}), k)
		if err == nil || b != nil {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
}

// What is missing is said, and not that one signature is not one.
func TestAnEmptySignatureIsCalledMissing(t *testing.T) {
	b := signed(t, newKey(t), `{"a":1}`)
	_, err := evidence.ParseBundle(edit(t, b, func(_, _, envelope map[string]any) { envelope["signatures"] = []any{map[string]any{}} }))
	if e := verdict.AsError(err); err == nil || !strings.Contains(e.What, "signature is missing") {
		t.Errorf("it says %v", err)
	}
}

// edit changes one thing in the JSON of a bundle.
func edit(t testing.TB, b *evidence.Bundle, change func(top, material, envelope map[string]any)) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(b.JSON(), &doc); err != nil {
		t.Fatal(err)
	}
	change(doc, doc["verificationMaterial"].(map[string]any), doc["dsseEnvelope"].(map[string]any))
	return must(t, func() ([]byte, error) { return json.Marshal(doc) })
}

// TestEachFieldOfABundleCounts: each of these was accepted by a system of this kind. (The
// log entry and certificates: evidence/sigstore.)
func TestEachFieldOfABundleCounts(t *testing.T) {
	k, stranger := newKey(t), newKey(t)
	b, other := signed(t, k, `{"a":1}`), signed(t, k, `{"a":2}`)
	base64of := base64.StdEncoding.EncodeToString
	type m = map[string]any
	sig := m{"sig": base64of(b.Signature())}
	const parse, verify = verdict.CodeInvalid, verdict.CodeRefused
	for _, c := range []struct {
		name   string
		code   verdict.Code
		change func(top, material, envelope m)
	}{
		{"no media type", parse, func(top, _, _ m) { delete(top, "mediaType") }},
		{"a media type that is a number", parse, func(top, _, _ m) { top["mediaType"] = 3 }},
		{"version 0.1", parse, func(top, _, _ m) { top["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.1" }},
		{"version 0.2", parse, func(top, _, _ m) { top["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2" }},
		{"version 0.4", parse, func(top, _, _ m) { top["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.4+json" }},
		{"version 1", parse, func(top, _, _ m) { top["mediaType"] = "application/vnd.dev.sigstore.bundle.v1+json" }},
		{"another format", parse, func(top, _, _ m) { top["mediaType"] = "application/json" }},
		{"no envelope", parse, func(top, _, _ m) { delete(top, "dsseEnvelope") }},
		{"an envelope of null", parse, func(top, _, _ m) { top["dsseEnvelope"] = nil }},
		{"a bare file's signature instead", parse, func(top, _, _ m) { delete(top, "dsseEnvelope"); top["messageSignature"] = m{"signature": "AA=="} }},
		{"a bare file's signature beside it", parse, func(top, _, _ m) { top["messageSignature"] = m{"signature": "AA=="} }},
		{"no material", parse, func(top, _, _ m) { delete(top, "verificationMaterial") }},
		{"neither key nor certificate", parse, func(_, material, _ m) { delete(material, "publicKey") }},
		{"a key and a certificate", parse, func(_, material, _ m) { material["certificate"] = m{"rawBytes": "AAAA"} }},
		{"a certificate that is empty", parse, func(_, material, _ m) { delete(material, "publicKey"); material["certificate"] = m{} }},
		{"a chain of certificates", parse, func(_, material, _ m) { material["x509CertificateChain"] = m{"certificates": []any{}} }},
		{"no hint", parse, func(_, material, _ m) { material["publicKey"] = m{} }},
		{"another key's hint", verify, func(_, material, _ m) { material["publicKey"] = m{"hint": stranger.KeyID()} }},
		{"a certificate instead of the key", verify, func(_, material, _ m) { delete(material, "publicKey"); material["certificate"] = m{"rawBytes": "AAAA"} }},
		{"no payload", parse, func(_, _, envelope m) { delete(envelope, "payload") }},
		{"an empty payload", parse, func(_, _, envelope m) { envelope["payload"] = "" }},
		{"a payload that is not base64", parse, func(_, _, envelope m) { envelope["payload"] = "!" }},
		{"another statement's payload", verify, func(_, _, envelope m) { envelope["payload"] = base64of(other.Payload()) }},
		{"no payload type", parse, func(_, _, envelope m) { delete(envelope, "payloadType") }},
		{"another payload type", parse, func(_, _, envelope m) { envelope["payloadType"] = "application/json" }},
		{"no signatures", parse, func(_, _, envelope m) { delete(envelope, "signatures") }},
		{"an empty list of signatures", parse, func(_, _, envelope m) { envelope["signatures"] = []any{} }},
		{"no signature in it", parse, func(_, _, envelope m) { envelope["signatures"] = []any{m{}} }},
		{"two signatures", parse, func(_, _, envelope m) { envelope["signatures"] = []any{sig, sig} }},
		{"a good signature after a bad one", parse, func(_, _, envelope m) { envelope["signatures"] = []any{m{"sig": "AAAA"}, sig} }},
		{"a signature without content", parse, func(_, _, envelope m) { envelope["signatures"] = []any{m{"keyid": "x"}} }},
		{"another statement's signature", verify, func(_, _, envelope m) { envelope["signatures"] = []any{m{"sig": base64of(other.Signature())}} }},
		{"a signature with a byte more", verify, func(_, _, envelope m) {
			envelope["signatures"] = []any{m{"sig": base64of(append(bytes.Clone(b.Signature()), 0))}}
		}},
		{"more log entries than anybody has", verdict.CodeLimit, func(_, material, _ m) { material["tlogEntries"] = make([]any, 33) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := evidence.ParseBundle(edit(t, b, c.change))
			if err == nil {
				_, err = evidence.KeyVerifier(k.Public()).Verify(context.Background(), got)
			}
			actionable(t, err, c.code)
		})
	}
	_, err := evidence.KeyVerifier(stranger.Public()).Verify(context.Background(), b)
	actionable(t, err, verdict.CodeRefused)
	_, err = evidence.KeyVerifier().Verify(context.Background(), b)
	actionable(t, err, verdict.CodeRefused)
}

func TestWhatMakesNoDifferenceIsAccepted(t *testing.T) {
	k := newKey(t)
	b := signed(t, k, `{"a":"`+strings.Repeat("?>", 40)+`"}`) // so that the two alphabets of base64 differ
	type m = map[string]any
	for name, change := range map[string]func(top, material, envelope m){
		"the older spelling of the media type": func(top, _, _ m) { top["mediaType"] = evidence.BundleTypeOld },
		"fields of tomorrow": func(top, material, envelope m) {
			top["x"], material["x"], envelope["x"] = m{"a": []any{1}}, 1, "x"
		},
		"fields that are not set": func(top, material, _ m) {
			top["messageSignature"], material["certificate"], material["tlogEntries"], material["timestampVerificationData"] = nil, nil, nil, nil
		},
		"a keyid":                   func(_, _, envelope m) { envelope["signatures"].([]any)[0].(m)["keyid"] = "whatever" },
		"a hint in another's form":  func(_, material, _ m) { material["publicKey"] = m{"hint": "SHA256:another tool's"} },
		"base64 without padding":    func(_, _, envelope m) { envelope["payload"] = strings.TrimRight(envelope["payload"].(string), "=") },
		"base64 for URLs":           func(_, _, envelope m) { envelope["payload"] = base64.URLEncoding.EncodeToString(b.Payload()) },
		"base64 with escaped signs": func(_, _, envelope m) {},
	} {
		t.Run(name, func(t *testing.T) {
			raw := edit(t, b, change)
			if strings.Contains(name, "escaped") {
				raw = bytes.Replace(raw, []byte("/"), []byte(`\/`), -1)
			}
			got, err := evidence.ParseBundle(raw)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := evidence.KeyVerifier(k.Public()).Verify(context.Background(), got); err != nil {
				t.Error(err)
			}
		})
	}
}

// endless is a bundle that never ends; it counts what was read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

func TestALargeBundleIsRefusedWithoutReadingItAll(t *testing.T) {
	var e endless
	_, err := evidence.ReadBundle(io.LimitReader(&e, 100<<20))
	actionable(t, err, verdict.CodeLimit)
	if e.read > evidence.MaxBundle+64<<10 {
		t.Errorf("read %d bytes", e.read)
	}
	k := newKey(t)
	large := signed(t, k, `{"a":"`+strings.Repeat("x", evidence.MaxStatement-1024)+`"}`)
	b, err := evidence.ReadBundle(bytes.NewReader(large.JSON()))
	if err != nil {
		t.Fatalf("a statement of the largest size: %v", err)
	}
	if _, err := evidence.KeyVerifier(k.Public()).Verify(context.Background(), b); err != nil {
		t.Error(err)
	}
	over := edit(t, signed(t, k, "{}"), func(_, _, envelope map[string]any) {
		envelope["payload"] = base64.StdEncoding.EncodeToString(make([]byte, evidence.MaxStatement+1))
	})
	_, err = evidence.ParseBundle(over)
	actionable(t, err, verdict.CodeLimit)
	if _, err := evidence.ReadBundle(iotestErr{}); err == nil {
		t.Error("a reader that fails")
	}
}

type iotestErr struct{}

func (iotestErr) Read([]byte) (int, error) { return 0, errors.New("torn") }

func TestABundleThatCanBeReadInTwoWaysIsRefused(t *testing.T) {
	k := newKey(t)
	b, other := signed(t, k, `{"a":1}`), signed(t, k, `{"a":2}`)
	payload := `"payload":"` + base64.StdEncoding.EncodeToString(b.Payload()) + `"`
	for name, second := range map[string]string{
		"the payload twice":               `"payload":"` + base64.StdEncoding.EncodeToString(other.Payload()) + `",`,
		"the payload twice, once escaped": `"payl\u006fad":"` + base64.StdEncoding.EncodeToString(other.Payload()) + `",`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := evidence.ParseBundle(bytes.Replace(b.JSON(), []byte(payload), []byte(second+payload), 1))
			actionable(t, err, verdict.CodeInvalid)
		})
	}
	deep := bytes.Replace(b.JSON(), []byte(payload), []byte(`"x":`+strings.Repeat("[", 100_000)), 1)
	_, err := evidence.ParseBundle(deep)
	actionable(t, err, verdict.CodeLimit)
}

func TestAProducerIsOneLineThatCanBeReadBack(t *testing.T) {
	for _, p := range []evidence.Producer{
		{Key: "rUEHWY110gKrqSThy8hxLkuj2OzktobuxnqxtX8QgHU="},
		{Identity: "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main", Issuer: "https://token.actions.githubusercontent.com"},
		{Identity: "ada@example.com", Issuer: "https://accounts.example.com"},
		{Workload: "repo:acme/shop:environment:prod", Issuer: "https://token.actions.githubusercontent.com"},
		{Workload: "a name with spaces", Issuer: "https://issuer.example"},
	} {
		if got := evidence.ParseProducer(p.String()); got != p {
			t.Errorf("%q is read as %+v", p, got)
		}
	}
}
