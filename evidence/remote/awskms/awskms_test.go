package awskms

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"verdict"
	"verdict/evidence/remote"
	"verdict/evidence/remote/remotetest"
)

const arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

func open(t *testing.T, transport http.RoundTripper, wait func(context.Context, time.Duration) error) remote.Service {
	t.Helper()
	s, err := New(t.Context(), Options{
		ARN: arn, Transport: transport, Wait: wait, Keys: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "session"),
		Now: func() time.Time { return time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func stand(t *testing.T, key func() remotetest.Key, change func(map[string]any)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed := r.Header.Get("Authorization")
		if r.Host != "kms.eu-central-1.amazonaws.com" || r.Method != http.MethodPost || r.URL.Path != "/" ||
			!strings.HasPrefix(signed, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261129/eu-central-1/kms/aws4_request, SignedHeaders=") ||
			!strings.Contains(signed, "content-type;host;x-amz-date;x-amz-security-token;x-amz-target") ||
			r.Header.Get("X-Amz-Date") != "20261129T120000Z" || r.Header.Get("X-Amz-Security-Token") != "session" || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
			t.Errorf("%s %s%s with %v", r.Method, r.Host, r.URL, r.Header)
		}
		var in struct {
			KeyID                         string `json:"KeyId"`
			Message                       []byte
			MessageType, SigningAlgorithm string
		}
		b, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(b, &in)
		}
		k := key()
		spec := map[remotetest.Kind]string{remotetest.P256: "ECC_NIST_P256", remotetest.P384: "ECC_NIST_P384", remotetest.RSA: "RSA_2048", remotetest.Ed25519: "ECC_NIST_EDWARDS25519"}[k.Kind]
		algorithm, form := "ECDSA_SHA_256", "DIGEST"
		if k.Kind == remotetest.Ed25519 {
			algorithm, form = "ED25519_SHA_512", "RAW"
		}
		out := map[string]any{"KeyId": arn}
		switch r.Header.Get("X-Amz-Target") {
		case "TrentService.GetPublicKey":
			out["PublicKey"], out["KeySpec"], out["KeyUsage"], out["SigningAlgorithms"] = k.SPKI(), spec, "SIGN_VERIFY", []string{algorithm}
		case "TrentService.Sign":
			if in.SigningAlgorithm != algorithm || in.MessageType != form || len(in.Message) > 4096 {
				t.Errorf("sign %s", b)
			}
			out["Signature"], out["SigningAlgorithm"] = k.Sign(in.Message), algorithm
		default:
			t.Errorf("target %q", r.Header.Get("X-Amz-Target"))
		}
		if err != nil || in.KeyID != arn {
			t.Errorf("asked %s", b)
		}
		if change != nil {
			change(out)
		}
		json.NewEncoder(w).Encode(out)
	})
}

func TestSuite(t *testing.T) {
	remotetest.Run(t, remotetest.Driver{
		New:   open,
		Stand: func(t *testing.T, key func() remotetest.Key) http.Handler { return stand(t, key, nil) },
		Refuse: func(w http.ResponseWriter, why remotetest.Reason) {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(http.StatusBadRequest) // for all of them
			json.NewEncoder(w).Encode(map[string]string{
				"__type":  map[remotetest.Reason]string{remotetest.Denied: "AccessDeniedException", remotetest.Disabled: "DisabledException", remotetest.Missing: "NotFoundException", remotetest.Throttled: "com.amazonaws.kms#ThrottlingException"}[why],
				"message": "no",
			})
		},
		Rights: [2]string{"kms:GetPublicKey", "kms:Sign"},
	})
}

func TestWhatKMSSaysOfAKeyIsHeldAgainstWhatIsNeeded(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(map[string]any)
		code   verdict.Code
	}{
		{"another key", func(m map[string]any) { m["KeyId"] = arn[:len(arn)-1] + "0" }, verdict.CodeRefused},
		{"for encryption", func(m map[string]any) { m["KeyUsage"] = "ENCRYPT_DECRYPT" }, verdict.CodeInvalid},
		{"for agreeing on keys", func(m map[string]any) { m["KeyUsage"] = "KEY_AGREEMENT" }, verdict.CodeInvalid},
		{"another curve of the same size", func(m map[string]any) { m["KeySpec"] = "ECC_SECG_P256K1" }, verdict.CodeInvalid},
		{"without our algorithm", func(m map[string]any) { m["SigningAlgorithms"] = []string{"ECDSA_SHA_512"} }, verdict.CodeInvalid},
		{"a public half that is none", func(m map[string]any) { m["PublicKey"] = []byte("x") }, verdict.CodeInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := remotetest.NewKey(t, remotetest.P256)
			s := remotetest.Serve(t, stand(t, func() remotetest.Key { return k }, c.change))
			_, err := remote.Open(t.Context(), open(t, remotetest.To(s), nil))
			if e := verdict.AsError(err); e == nil || e.Code != c.code {
				t.Errorf("Open: %v", err)
			}
		})
	}
}

// An alias may name another key tomorrow.
func TestOnlyTheARNOfAKeyNamesOne(t *testing.T) {
	for _, bad := range []string{
		"", "1234abcd-12ab-34cd-56ef-1234567890ab", "alias/evidence", "arn:aws:kms:eu-central-1:111122223333:alias/evidence",
		"arn:aws:s3:eu-central-1:111122223333:key/x", "arn:aws:kms:evil.example/:111122223333:key/x", arn + "\n", arn + "/x",
	} {
		if _, err := New(t.Context(), Options{ARN: bad}); err == nil || verdict.AsError(err).Code != verdict.CodeUsage {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := New(t.Context(), Options{ARN: arn, Endpoint: "http://kms.example", Keys: credentials.NewStaticCredentialsProvider("a", "b", "")}); err == nil {
		t.Error("a signed request goes over plain http")
	}
}
