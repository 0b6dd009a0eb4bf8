package sigstore_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"verdict"
	"verdict/evidence"
	"verdict/evidence/sigstore"
)

func newFileKey(t testing.TB) *evidence.KeyFile {
	t.Helper()
	return must(t, func() (*evidence.KeyFile, error) { return evidence.CreateKey(filepath.Join(t.TempDir(), "key.pem")) })
}

func keyAndLog(t testing.TB, k *evidence.KeyFile, root []byte) evidence.Verifier {
	t.Helper()
	return must(t, func() (evidence.Verifier, error) { return sigstore.KeyVerifier([]byte(k.PublicPEM()), root) })
}

func TestTheSampleHoldsByKeyAndLog(t *testing.T) {
	read := func(name string) []byte {
		return must(t, func() ([]byte, error) { return os.ReadFile("../testdata/sample/" + name) })
	}
	v, err := sigstore.KeyVerifier(read("key.pub"), read("trusted_root.json"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := v.Verify(context.Background(), parse(t, read("bundle.sigstore.json")))
	if err != nil {
		t.Fatal(err)
	}
	if p.Key != "rUEHWY110gKrqSThy8hxLkuj2OzktobuxnqxtX8QgHU=" {
		t.Errorf("signed by %v", p)
	}
	_, err = v.Verify(context.Background(), parse(t, read("bundle-nolog.sigstore.json")))
	refusedWell(t, err) // a root was given, and there is nothing to judge by it
}

func TestOurOwnExportHoldsByKeyAndLog(t *testing.T) {
	w, k := newWorld(t), newFileKey(t)
	root := w.root(t, rootParts{logs: true})
	v := keyAndLog(t, k, root)
	for n := range 5 { // the shape of the proof differs from index to index
		p, err := v.Verify(context.Background(), w.byKey(t, k, n))
		if err != nil {
			t.Fatal(err)
		}
		if p.Key != k.KeyID() {
			t.Errorf("signed by %v", p)
		}
	}
	_, err := keyAndLog(t, newFileKey(t), root).Verify(context.Background(), w.byKey(t, k, 9))
	refusedWell(t, err)
	_, err = keyAndLog(t, k, newWorld(t).root(t, rootParts{logs: true})).Verify(context.Background(), w.byKey(t, k, 9))
	refusedWell(t, err) // the entry is of a log that the root does not name
}

// TestEachFieldOfABundleCounts removes, swaps and alters every field of a bundle with
// its log entry. A field that could be changed unseen would be one to lie with.
func TestEachFieldOfABundleCounts(t *testing.T) {
	w, k := newWorld(t), newFileKey(t)
	foreign := w.byKey(t, k, 2)
	good := w.byKey(t, k, 1)
	matrix(t, keyAndLog(t, k, w.root(t, rootParts{logs: true})), good, foreign)
}

// TestAnEntryOfAnotherStatementDoesNotCount: any valid entry of a trusted log was
// enough for another system.
func TestAnEntryOfAnotherStatementDoesNotCount(t *testing.T) {
	w, k := newWorld(t), newFileKey(t)
	a, b := w.byKey(t, k, 1), w.byKey(t, k, 2)
	v := keyAndLog(t, k, w.root(t, rootParts{logs: true}))
	entry := func(b *evidence.Bundle) any { return material(object(t, b))["tlogEntries"].([]any)[0] }
	for name, entries := range map[string][]any{
		"only the other entry":          {entry(b)},
		"the other entry after its own": {entry(a), entry(b)},
		"the same entry twice":          {entry(a), entry(a)},
		"no entry":                      {},
	} {
		t.Run(name, func(t *testing.T) {
			doc := object(t, a)
			material(doc)["tlogEntries"] = entries
			_, err := v.Verify(context.Background(), encode(t, doc))
			refusedWell(t, err)
		})
	}
}

// TestATimestampIsNoLogEntry: a bundle with only a timestamp was accepted elsewhere.
func TestATimestampIsNoLogEntry(t *testing.T) {
	w, k := newWorld(t), newFileKey(t)
	b := w.byKey(t, k, 1)
	doc := object(t, b)
	delete(material(doc), "tlogEntries")
	material(doc)["timestampVerificationData"] = map[string]any{
		"rfc3161Timestamps": []any{map[string]any{"signedTimestamp": w.clock.stamp(t, b.Signature(), soon())}},
	}
	_, err := keyAndLog(t, k, w.root(t, everything)).Verify(context.Background(), encode(t, doc))
	refusedWell(t, err)
}

// TestTwoReadersReadOneBundle: what protobuf would read is what we read, or the bundle
// is refused.
func TestTwoReadersReadOneBundle(t *testing.T) {
	w, k := newWorld(t), newFileKey(t)
	a, b := w.byKey(t, k, 1), w.byKey(t, k, 2)
	v := keyAndLog(t, k, w.root(t, rootParts{logs: true}))
	doc, other := object(t, a), object(t, b)
	doc["dsse_envelope"] = other["dsseEnvelope"] // protobuf's other spelling of the field
	_, err := v.Verify(context.Background(), encode(t, doc))
	refusedWell(t, err)
	doc = object(t, a)
	material(doc)["tlog_entries"] = material(other)["tlogEntries"]
	_, err = v.Verify(context.Background(), encode(t, doc))
	refusedWell(t, err)
}

func TestKeysOfOtherKindsVerify(t *testing.T) {
	p384 := must(t, func() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) })
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := must(t, func() (*evidence.Bundle, error) {
		return evidence.Sign(context.Background(), statement(t, 1), newFileKey(t))
	})
	sum := sha512.Sum384(template.PAE())
	for name, c := range map[string]struct {
		pub crypto.PublicKey
		sig []byte
	}{
		"P-384":   {p384.Public(), must(t, func() ([]byte, error) { return p384.Sign(rand.Reader, sum[:], crypto.SHA384) })},
		"Ed25519": {ed.Public(), ed25519.Sign(ed, template.PAE())},
	} {
		t.Run(name, func(t *testing.T) {
			spki := must(t, func() ([]byte, error) { return x509.MarshalPKIXPublicKey(c.pub) })
			id := sha256.Sum256(spki)
			doc := object(t, template)
			material(doc)["publicKey"] = map[string]any{"hint": "SHA256:another tool's form"}
			doc["dsseEnvelope"].(map[string]any)["signatures"] = []any{map[string]any{"sig": c.sig, "keyid": "whatever"}}
			v, err := sigstore.KeyVerifier(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}), nil)
			if err != nil {
				t.Fatal(err)
			}
			p, err := v.Verify(context.Background(), encode(t, doc))
			if err != nil {
				t.Fatal(err)
			}
			if want := base64.StdEncoding.EncodeToString(id[:]); p.Key != want {
				t.Errorf("signed by %s, want %s", p.Key, want)
			}
			c.sig[len(c.sig)-1] ^= 1
			doc["dsseEnvelope"].(map[string]any)["signatures"] = []any{map[string]any{"sig": c.sig}}
			_, err = v.Verify(context.Background(), encode(t, doc))
			refusedWell(t, err)
		})
	}
}

func object(t testing.TB, b *evidence.Bundle) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(b.JSON(), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func material(doc map[string]any) map[string]any {
	return doc["verificationMaterial"].(map[string]any)
}

func encode(t testing.TB, doc map[string]any) *evidence.Bundle {
	t.Helper()
	return parse(t, must(t, func() ([]byte, error) { return json.Marshal(doc) }))
}

// matrix takes every field of the good bundle in turn and removes it, takes it from the
// foreign bundle (a valid one in the same log), and alters it. Each must be refused, at
// parsing or by the verifier.
func matrix(t *testing.T, v evidence.Verifier, good, foreign *evidence.Bundle) {
	t.Helper()
	if _, err := v.Verify(context.Background(), good); err != nil {
		t.Fatalf("the unchanged bundle: %v", err)
	}
	if _, err := v.Verify(context.Background(), foreign); err != nil {
		t.Fatalf("the foreign bundle: %v", err)
	}
	judge := func(doc map[string]any) error {
		b := must(t, func() ([]byte, error) { return json.Marshal(doc) })
		x, err := evidence.ParseBundle(b)
		if err != nil {
			return err
		}
		// Whoever verifies a bundle does so because of a subject: provenance of another
		// digest is refused here.
		if _, err := v.Verify(context.Background(), x); err != nil {
			return err
		}
		s, err := x.Statement()
		if err != nil {
			return err
		}
		return s.About(verdict.NewDigest("sha256", fmt.Sprintf("%064x", 1)))
	}
	if err := judge(object(t, good)); err != nil {
		t.Fatal(err)
	}
	paths := fields(object(t, good), nil)
	if len(paths) < 12 {
		t.Fatalf("only %d fields", len(paths))
	}
	for _, p := range paths {
		name := strings.Join(p, ".")
		t.Run("removed "+name, func(t *testing.T) {
			doc := object(t, good)
			change(doc, p, func(parent map[string]any, key string) { delete(parent, key) })
			refusedWell(t, judge(doc))
		})
		var ours, theirs any
		change(object(t, good), p, func(parent map[string]any, key string) { ours = parent[key] })
		change(object(t, foreign), p, func(parent map[string]any, key string) { theirs = parent[key] })
		if fmt.Sprint(ours) != fmt.Sprint(theirs) {
			t.Run("foreign "+name, func(t *testing.T) {
				doc := object(t, good)
				change(doc, p, func(parent map[string]any, key string) { parent[key] = theirs })
				refusedWell(t, judge(doc))
			})
		}
		if p[len(p)-1] == "rfc3161Timestamps" {
			continue // one more timestamp, that nobody vouches for, takes nothing away
		}
		t.Run("altered "+name, func(t *testing.T) {
			doc := object(t, good)
			change(doc, p, func(parent map[string]any, key string) { parent[key] = altered(parent[key]) })
			refusedWell(t, judge(doc))
		})
	}
}

// altered changes a value a little and keeps its form: base64 stays base64, a number a
// number.
func altered(v any) any {
	switch x := v.(type) {
	case string:
		if b, err := base64.StdEncoding.DecodeString(x); err == nil && len(b) > 8 {
			b[len(b)/2] ^= 1
			return base64.StdEncoding.EncodeToString(b)
		}
		if strings.Trim(x, "0123456789") == "" {
			return x + "1"
		}
		return strings.Replace(x, "e", "a", 1) + "x"
	case map[string]any:
		return map[string]any{}
	case []any:
		return append(append([]any{}, x...), map[string]any{"another": "element"})
	}
	return "x"
}

// fields lists the paths of all fields, objects and lists too; a list's first element
// stands for it.
func fields(doc map[string]any, prefix []string) (out [][]string) {
	for key, v := range doc {
		p := append(append([]string{}, prefix...), key)
		out = append(out, p)
		if list, ok := v.([]any); ok && len(list) > 0 {
			v = list[0]
		}
		if inner, ok := v.(map[string]any); ok {
			out = append(out, fields(inner, p)...)
		}
	}
	return out
}

func change(doc map[string]any, path []string, f func(parent map[string]any, key string)) {
	for _, key := range path[:len(path)-1] {
		v := doc[key]
		if list, ok := v.([]any); ok {
			v = list[0]
		}
		doc, _ = v.(map[string]any)
	}
	f(doc, path[len(path)-1])
}
