// Package gcpkms signs with a key version in Google Cloud KMS, by its REST API.
package gcpkms

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"verdict"
	"verdict/evidence/remote"
)

const (
	service = "https://cloudkms.googleapis.com"
	scope   = "https://www.googleapis.com/auth/cloudkms"
)

var versionName = regexp.MustCompile(`^projects/[a-z0-9:.-]{1,100}/locations/[a-z0-9-]{1,40}/keyRings/[0-9A-Za-z_-]{1,63}/cryptoKeys/[0-9A-Za-z_-]{1,63}/cryptoKeyVersions/[0-9]{1,10}$`)

// Options of New.
type Options struct {
	Version   string                                     // projects/…/locations/…/keyRings/…/cryptoKeys/…/cryptoKeyVersions/N
	Tokens    oauth2.TokenSource                         // nil: the default credentials of the vendor's library
	Transport http.RoundTripper                          // nil: one of its own
	Wait      func(context.Context, time.Duration) error // between attempts; nil: it waits
}

// key is a remote.Service.
type key struct {
	name   string
	client *remote.Client
}

// New names a key version. It does not speak with KMS yet.
func New(ctx context.Context, o Options) (remote.Service, error) {
	if !versionName.MatchString(o.Version) {
		return nil, &verdict.Error{
			Code: verdict.CodeUsage, What: fmt.Sprintf("%.200q names no version of a key in Google Cloud KMS", o.Version),
			Remedy: "write projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N, as gcloud kms keys versions list prints it",
		}
	}
	if o.Tokens == nil {
		// The context stays in the source of tokens, which outlives the call that opens it.
		ctx := context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, &http.Client{Timeout: 15 * time.Second, Transport: o.Transport})
		found, err := google.FindDefaultCredentials(ctx, scope)
		if err != nil {
			return nil, remote.Explain("gcpkms:"+o.Version, "sign", "", err)
		}
		o.Tokens = found.TokenSource
	}
	c, err := remote.NewClient(remote.Client{Base: service, Transport: o.Transport, Wait: o.Wait, Authorize: func(_ context.Context, r *http.Request, _ []byte) error {
		t, err := o.Tokens.Token()
		if err != nil {
			return fmt.Errorf("sign in to Google Cloud: %w", err)
		}
		t.SetAuthHeader(r)
		return nil
	}})
	if err != nil {
		return nil, err
	}
	return &key{o.Version, c}, nil
}

// Name implements remote.Service.
func (k *key) Name() string { return "gcpkms:" + k.name }

// PublicKey implements remote.Service.
func (k *key) PublicKey(ctx context.Context) (crypto.PublicKey, error) {
	var out struct{ Name, PEM, Algorithm string }
	if err := k.client.Call(ctx, http.MethodGet, "/v1/"+k.name+"/publicKey", nil, nil, &out); err != nil {
		return nil, k.explain("give its public key", "cloudkms.cryptoKeyVersions.viewPublicKey (it is in the role Cloud KMS CryptoKey Public Key Viewer)", err)
	}
	if err := k.same(out.Name); err != nil {
		return nil, err
	}
	want := map[string]remote.Algorithm{"EC_SIGN_P256_SHA256": remote.ECDSA, "EC_SIGN_ED25519": remote.Ed25519}[out.Algorithm]
	if want == 0 {
		return nil, remote.WrongKey(k.Name(), fmt.Sprintf("its algorithm is %.60s", out.Algorithm), remote.ECDSA)
	}
	public, err := remote.ParsePublic([]byte(out.PEM))
	if err != nil {
		return nil, remote.WrongKey(k.Name(), err.Error(), want)
	}
	return public, nil
}

// Sign implements remote.Service.
func (k *key) Sign(ctx context.Context, a remote.Algorithm, b []byte) ([]byte, error) {
	in := map[string]any{"data": b}
	if a == remote.ECDSA {
		in = map[string]any{"digest": map[string][]byte{"sha256": b}}
	}
	var out struct {
		Name      string
		Signature []byte
	}
	if err := k.client.Call(ctx, http.MethodPost, "/v1/"+k.name+":asymmetricSign", nil, in, &out); err != nil {
		return nil, k.explain("sign", "cloudkms.cryptoKeyVersions.useToSign (it is in the role Cloud KMS CryptoKey Signer)", err)
	}
	if err := k.same(out.Name); err != nil {
		return nil, err
	}
	return out.Signature, nil
}

// same refuses an answer about another key.
func (k *key) same(name string) error {
	if name == k.name {
		return nil
	}
	return &verdict.Error{
		Code: verdict.CodeRefused, What: fmt.Sprintf("%s answered about another key: %.200q", k.Name(), name),
		Remedy: "find out who answers in the place of Cloud KMS; nothing was recorded",
	}
}

func (k *key) explain(verb, right string, err error) error {
	var r *remote.Refusal
	if errors.As(err, &r) && r.Code == "FAILED_PRECONDITION" && strings.Contains(r.Message, "not enabled") {
		return remote.Disabled(k.Name(), err)
	}
	return remote.Explain(k.Name(), verb, "the permission "+right+" for this key", err)
}
