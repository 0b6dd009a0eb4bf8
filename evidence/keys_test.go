package evidence_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"verdict"
	"verdict/evidence"
)

func TestAKeyIsKeptForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "folder", "key.pem")
	k, err := evidence.CreateKey(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	again, err := evidence.OpenKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if again.KeyID() != k.KeyID() || again.PublicPEM() != k.PublicPEM() || again.Path() != path {
		t.Errorf("opened %s as %s", k.KeyID(), again.KeyID())
	}
	pub, err := evidence.ParsePublicPEM([]byte(k.PublicPEM()))
	if err != nil || evidence.KeyID(pub) != k.KeyID() {
		t.Errorf("%v, %v", pub, err)
	}
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o660} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := evidence.OpenKey(path)
		actionable(t, err, verdict.CodeForbidden)
		if e := verdict.AsError(err); !strings.Contains(e.Remedy, "chmod 600 "+path) || !strings.HasSuffix(e.Remedy, "verdict keys rotate key") {
			t.Errorf("remedy %q", e.Remedy)
		}
	}
}

func TestAKeyIsNeverOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	k, err := evidence.CreateKey(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = evidence.CreateKey(path)
	actionable(t, err, verdict.CodeConflict)
	_, err = evidence.CreateLogKey(path)
	actionable(t, err, verdict.CodeConflict)
	if again, err := evidence.OpenKey(path); err != nil || again.KeyID() != k.KeyID() {
		t.Errorf("the key changed: %v", err)
	}
	_, err = evidence.CreateKey(filepath.Join(path, "below a file"))
	actionable(t, err, verdict.CodeUnavailable)
}

func TestAFileThatIsNoKeyIsRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	block := func(name string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: name, Bytes: der}) }
	p384 := must(t, func() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) })
	p256 := must(t, func() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(k any) []byte { return must(t, func() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(k) }) }
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		code verdict.Code
	}{
		"nothing there":      {filepath.Join(dir, "none"), verdict.CodeNotFound},
		"a folder":           {dir, verdict.CodeInvalid},
		"a pipe":             {fifo, verdict.CodeInvalid},
		"an empty file":      {write("empty", nil), verdict.CodeInvalid},
		"no PEM":             {write("text", []byte("hello")), verdict.CodeInvalid},
		"a public key":       {write("public", []byte(evidence.PublicPEM(&p256.PublicKey))), verdict.CodeInvalid},
		"a broken key":       {write("broken", block("PRIVATE KEY", []byte("x"))), verdict.CodeInvalid},
		"a P-384 key":        {write("p384", block("PRIVATE KEY", pkcs8(p384))), verdict.CodeInvalid},
		"a log key":          {write("log", block("PRIVATE KEY", pkcs8(ed))), verdict.CodeInvalid},
		"a file of 1 MB":     {write("large", append(block("PRIVATE KEY", pkcs8(p256)), make([]byte, 1<<20)...)), verdict.CodeInvalid},
		"an encrypted key":   {write("encrypted", block("ENCRYPTED PRIVATE KEY", []byte("x"))), verdict.CodeInvalid},
		"a certificate only": {write("cert", block("CERTIFICATE", []byte("x"))), verdict.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := evidence.OpenKey(c.path)
			actionable(t, err, c.code)
			if k != nil {
				t.Error("a key beside the refusal")
			}
		})
	}
	ec := must(t, func() ([]byte, error) { return x509.MarshalECPrivateKey(p256) })
	k, err := evidence.OpenKey(write("openssl", append(block("EC PARAMETERS", []byte("x")), block("EC PRIVATE KEY", ec)...)))
	if err != nil || k.KeyID() != evidence.KeyID(&p256.PublicKey) {
		t.Errorf("the form that openssl writes: %v", err)
	}
	_, err = evidence.OpenLogKey(write("not a log's", block("PRIVATE KEY", pkcs8(p256))))
	actionable(t, err, verdict.CodeInvalid)
	for name, b := range map[string][]byte{"nothing": nil, "a private key": block("PRIVATE KEY", pkcs8(p256)), "a P-384 key": block("PUBLIC KEY", must(t, func() ([]byte, error) { return x509.MarshalPKIXPublicKey(&p384.PublicKey) })), "a broken key": block("PUBLIC KEY", []byte("x"))} {
		t.Run("public: "+name, func(t *testing.T) {
			_, err := evidence.ParsePublicPEM(b)
			actionable(t, err, verdict.CodeInvalid)
			_, err = evidence.ParseLogPublicPEM(b)
			actionable(t, err, verdict.CodeInvalid)
		})
	}
}

func TestTheLogKeySignsCheckpointsThatOthersCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.pem")
	k, err := evidence.CreateLogKey(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := evidence.OpenLogKey(path)
	if err != nil || !again.Public().Equal(k.Public()) || again.Path() != path {
		t.Fatalf("opened another key: %v", err)
	}
	const origin = "0123456789.log.example.com"
	signer, err := again.Signer(origin)
	if err != nil {
		t.Fatal(err)
	}
	text := origin + "\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := evidence.VerifierKey(origin, k.Public())
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := note.Open(signed, note.VerifierList(verifier)); err != nil || n.Text != text {
		t.Errorf("%v, %v", n, err)
	}
	for _, bad := range []string{"", "a b", "a+b", "a\nb"} {
		_, err := k.Signer(bad)
		actionable(t, err, verdict.CodeInvalid)
	}
	if pub, err := evidence.ParseLogPublicPEM([]byte(evidence.LogPublicPEM(k.Public()))); err != nil || !pub.Equal(k.Public()) {
		t.Errorf("%v, %v", pub, err)
	}
}

// TestTheSampleLogIsNamedAsOthersNameIt: log id, verifier key and trusted root are those
// that cosign accepted.
func TestTheSampleLogIsNamedAsOthersNameIt(t *testing.T) {
	var root struct {
		Tlogs []struct {
			LogID     struct{ KeyID []byte } `json:"logId"`
			PublicKey struct{ RawBytes []byte }
		}
	}
	if err := json.Unmarshal(sample(t, "trusted_root.json"), &root); err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParsePKIXPublicKey(root.Tlogs[0].PublicKey.RawBytes)
	if err != nil {
		t.Fatal(err)
	}
	pub := parsed.(ed25519.PublicKey)
	if got := evidence.LogID(pub); !bytes.Equal(got, root.Tlogs[0].LogID.KeyID) {
		t.Errorf("log id %s", base64.StdEncoding.EncodeToString(got))
	}
	vkey, err := evidence.VerifierKey("verdict.example", pub)
	if err != nil || vkey != strings.TrimSpace(string(sample(t, "log.vkey"))) {
		t.Errorf("%s, %v", vkey, err)
	}
	got, err := evidence.TrustedRoot(evidence.TrustedLog{Origin: "verdict.example", Public: pub, Start: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	compact := func(b []byte) string {
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		return string(must(t, func() ([]byte, error) { return json.Marshal(v) }))
	}
	if compact(got) != compact(sample(t, "trusted_root.json")) {
		t.Errorf("trusted root %s", got)
	}
	ended, err := evidence.TrustedRoot(evidence.TrustedLog{Origin: "a", Public: pub, End: day})
	if err != nil || !bytes.Contains(ended, []byte(`"end": "2026-03-01T12:00:00Z"`)) {
		t.Errorf("%s, %v", ended, err)
	}
}
