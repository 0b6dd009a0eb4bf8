package remote

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"verdict"
)

// A signature whose r or s begins with zeros or a high bit has another length in DER.
func TestEachSignatureHasOneForm(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := make([]byte, 32)
	for range 600 { // a leading zero byte comes once in 128
		r, s, err := ecdsa.Sign(rand.Reader, key, digest)
		if err != nil {
			t.Fatal(err)
		}
		raw := make([]byte, 64)
		r.FillBytes(raw[:32])
		s.FillBytes(raw[32:])
		der, err := DER(raw)
		if err != nil || !ecdsa.VerifyASN1(&key.PublicKey, digest, der) {
			t.Fatalf("%x gave %x, %v", raw, der, err)
		}
	}
	for _, raw := range [][]byte{nil, make([]byte, 63), make([]byte, 65), make([]byte, 128)} {
		if der, err := DER(raw); err == nil {
			t.Errorf("%d bytes gave %x", len(raw), der)
		}
	}
	if der, err := DER(make([]byte, 64)); err != nil || ecdsa.VerifyASN1(&key.PublicKey, digest, der) {
		t.Errorf("r and s of 0: %x, %v", der, err)
	}
	over := bytes.Repeat([]byte{0xff}, 64) // beyond the order of the curve
	if der, err := DER(over); err != nil || ecdsa.VerifyASN1(&key.PublicKey, digest, der) {
		t.Errorf("r and s beyond the order: %x, %v", der, err)
	}
}

func TestAPointOffTheCurveIsNoKey(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	x, y := point[1:33], point[33:]
	if got, err := Point(x, y); err != nil || !got.Equal(&key.PublicKey) {
		t.Errorf("its own point: %v", err)
	}
	other := new(big.Int).Add(new(big.Int).SetBytes(y), big.NewInt(1)).FillBytes(make([]byte, 32))
	for _, p := range [][2][]byte{{x, other}, {x, y[:31]}, {nil, nil}, {make([]byte, 32), make([]byte, 32)}} {
		if k, err := Point(p[0], p[1]); err == nil {
			t.Errorf("%x is %v", p, k)
		}
	}
}

func TestCredentialsGoToNoUnsafeAddress(t *testing.T) {
	for _, base := range []string{"http://vault.example", "ftp://127.0.0.1", "https://", "https://u:p@vault.example", "https://vault.example?x=y", "vault.example", "http://127.0.0.1.evil.example"} {
		if _, err := NewClient(Client{Base: base}); err == nil || verdict.AsError(err).Code != verdict.CodeUsage {
			t.Errorf("%s: %v", base, err)
		}
	}
	for _, base := range []string{"https://vault.example", "https://10.0.0.1:8200", "http://127.0.0.1:8200", "http://localhost:8200", "http://[::1]:8200"} {
		if _, err := NewClient(Client{Base: base}); err != nil {
			t.Errorf("%s: %v", base, err)
		}
	}
}

func TestAServiceThatIsNotThereIsSaidToBe(t *testing.T) {
	c, err := NewClient(Client{Base: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	err = c.Call(t.Context(), http.MethodGet, "/", nil, nil, &struct{}{})
	e := verdict.AsError(Explain("vault:x", "sign", "", err))
	if e == nil || e.Code != verdict.CodeUnavailable || !strings.Contains(e.Remedy, "check the network") || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %s", e, time.Since(began))
	}
}

// FuzzAnswers: whatever a key service says is a refusal or an answer, and never a panic.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		`{"error": {"code": "Forbidden", "message": "no", "innererror": {"code": "KeyDisabled"}}}`,
		`{"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "no"}}`,
		`{"__type": "com.amazonaws.kms#ThrottlingException", "Message": "no"}`, `{"errors": ["permission denied"]}`, `{"error": "no"}`, `[]`, ``,
	} {
		f.Add(403, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, status int, b []byte) {
		r := refusal(status, b)
		if r.Status != status || len(r.Error()) > 4096 {
			t.Errorf("%d, %d bytes", r.Status, len(r.Error()))
		}
		if e := verdict.AsError(Explain("x", "sign", "y", r)); e.Remedy == "" || e.Code != verdict.CodeUnavailable {
			t.Errorf("%v", e)
		}
		if der, err := DER(b); err == nil && len(der) > 72 {
			t.Errorf("%x", der)
		}
		if k, err := ParsePublic(b); err == nil && k == nil {
			t.Error("no key and no error")
		}
	})
}
