// Package vault signs with a key of the transit engine of HashiCorp Vault or OpenBao.
package vault

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"verdict"
	"verdict/evidence/remote"
)

// Options of New.
type Options struct {
	Key       string // https://HOST/MOUNT/NAME#VERSION
	Namespace string // of Vault Enterprise; empty: none
	// Token gives a token of Vault, read again for each call: an agent may renew its file.
	Token func() (string, error)
	// Role signs in by the Kubernetes method instead, with the token of the service account.
	Role      string
	Login     string                 // where that method is mounted; empty: kubernetes
	Account   func() (string, error) // gives the token of the service account
	Now       func() time.Time       // nil: time.Now
	Transport http.RoundTripper      // nil: one of its own
	Wait      func(context.Context, time.Duration) error
}

// key is a remote.Service.
type key struct {
	o       Options
	id      string
	mount   string
	name    string
	version int
	client  *remote.Client
	login   *remote.Client // nil: with Token

	mu    sync.Mutex // guards what follows
	token string
	until time.Time
}

var keyPath = regexp.MustCompile(`^/([0-9A-Za-z_-]+(?:/[0-9A-Za-z_-]+)*)/([0-9A-Za-z_.-]+)$`)

// New names a key version. It does not speak with Vault yet.
func New(o Options) (remote.Service, error) {
	u, err := url.Parse(o.Key)
	var parts []string
	version := 0
	if err == nil {
		parts = keyPath.FindStringSubmatch(u.Path)
		version, _ = strconv.Atoi(u.Fragment)
	}
	if parts == nil || version < 1 || path.Clean(u.Path) != u.Path || u.RawPath != "" || u.User != nil || u.RawQuery != "" {
		return nil, &verdict.Error{
			Code: verdict.CodeUsage, What: fmt.Sprintf("%.200q names no version of a key of Vault's transit engine", o.Key),
			Remedy: "write https://HOST/transit/NAME#VERSION, with the path that the engine is mounted at; vault read transit/keys/NAME lists the versions", Err: err,
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Login == "" {
		o.Login = "kubernetes"
	}
	k := &key{o: o, id: "vault:" + o.Key, mount: parts[1], name: parts[2], version: version}
	base := u.Scheme + "://" + u.Host
	k.client, err = remote.NewClient(remote.Client{Base: base, Transport: o.Transport, Wait: o.Wait, Authorize: k.authorize})
	if err == nil && o.Role != "" {
		k.login, err = remote.NewClient(remote.Client{Base: base, Transport: o.Transport, Wait: o.Wait})
	}
	if err == nil && (o.Token == nil) == (o.Role == "") {
		err = errors.New("vault: either a token or a role is needed")
	}
	return k, err
}

// Name implements remote.Service.
func (k *key) Name() string { return k.id }

func (k *key) authorize(ctx context.Context, r *http.Request, _ []byte) error {
	token, err := k.tokenNow(ctx)
	if err != nil {
		return err
	}
	r.Header.Set("X-Vault-Token", token)
	r.Header.Set("X-Vault-Request", "true") // asks an agent between not to add a token of its own
	return nil
}

func (k *key) headers() map[string]string {
	if k.o.Namespace == "" {
		return nil
	}
	return map[string]string{"X-Vault-Namespace": k.o.Namespace}
}

// tokenNow gives a token, and signs in for one by the Kubernetes method when two thirds of
// the last one's life are over.
func (k *key) tokenNow(ctx context.Context) (string, error) {
	if k.login == nil {
		return k.o.Token()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.token != "" && k.o.Now().Before(k.until) {
		return k.token, nil
	}
	account, err := k.o.Account()
	if err != nil {
		return "", err
	}
	var out struct {
		Auth struct {
			Token string `json:"client_token"`
			Lease int64  `json:"lease_duration"`
		} `json:"auth"`
	}
	in := map[string]string{"role": k.o.Role, "jwt": account}
	if err := k.login.Call(ctx, http.MethodPost, "/v1/auth/"+k.o.Login+"/login", k.headers(), in, &out); err != nil {
		return "", remote.Explain(k.id, "sign in", "the role "+k.o.Role+" of Vault's method "+k.o.Login+", bound to this service account", err)
	}
	if out.Auth.Token == "" {
		return "", errors.New("sign in to Vault: it gave no token")
	}
	k.token, k.until = out.Auth.Token, k.o.Now().Add(time.Duration(min(max(out.Auth.Lease, 0), 86400))*time.Second*2/3)
	return k.token, nil
}

// call makes a call, and makes it again with a new token when the last one was taken back.
func (k *key) call(ctx context.Context, method, path string, in, out any) error {
	err := k.client.Call(ctx, method, path, k.headers(), in, out)
	var r *remote.Refusal
	if k.login == nil || !errors.As(err, &r) || r.Status != http.StatusForbidden {
		return err
	}
	k.mu.Lock()
	k.token = ""
	k.mu.Unlock()
	return k.client.Call(ctx, method, path, k.headers(), in, out)
}

// PublicKey implements remote.Service.
func (k *key) PublicKey(ctx context.Context) (crypto.PublicKey, error) {
	var out struct {
		Data struct {
			Type string
			Keys map[string]any // a time for kinds without a public half
		}
	}
	if err := k.call(ctx, http.MethodGet, "/v1/"+k.mount+"/keys/"+k.name, nil, &out); err != nil {
		return nil, k.explain("give its public key", "read", "/keys/"+k.name, err)
	}
	want := map[string]remote.Algorithm{"ecdsa-p256": remote.ECDSA, "ed25519": remote.Ed25519}[out.Data.Type]
	if want == 0 {
		return nil, remote.WrongKey(k.id, fmt.Sprintf("it is a key of the kind %.40s", out.Data.Type), remote.ECDSA)
	}
	version, _ := out.Data.Keys[strconv.Itoa(k.version)].(map[string]any)
	text, _ := version["public_key"].(string)
	if text == "" {
		return nil, remote.WrongKey(k.id, fmt.Sprintf("it has no version %d", k.version), want)
	}
	var public crypto.PublicKey
	var err error
	if want == remote.Ed25519 {
		var raw []byte
		if raw, err = base64.StdEncoding.DecodeString(text); err == nil {
			public, err = remote.RawEd25519(raw)
		}
	} else {
		public, err = remote.ParsePublic([]byte(text))
	}
	if err != nil {
		return nil, remote.WrongKey(k.id, err.Error(), want)
	}
	return public, nil
}

// Sign implements remote.Service.
func (k *key) Sign(ctx context.Context, a remote.Algorithm, b []byte) ([]byte, error) {
	at, in := "/sign/"+k.name, map[string]any{"input": b, "key_version": k.version}
	if a == remote.ECDSA {
		at += "/sha2-256"
		in["prehashed"], in["marshaling_algorithm"] = true, "asn1"
	}
	var out struct{ Data struct{ Signature string } }
	if err := k.call(ctx, http.MethodPost, "/v1/"+k.mount+at, in, &out); err != nil {
		return nil, k.explain("sign", "update", at, err)
	}
	text, ok := strings.CutPrefix(out.Data.Signature, fmt.Sprintf("vault:v%d:", k.version))
	if !ok {
		return nil, &verdict.Error{
			Code: verdict.CodeRefused, What: fmt.Sprintf("%s answered with a signature of another version: %.40q", k.id, out.Data.Signature),
			Remedy: "find out who answers in Vault's place; nothing was recorded",
		}
	}
	sig, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, remote.Explain(k.id, "sign", "", err)
	}
	return sig, nil
}

func (k *key) explain(verb, capability, at string, err error) error {
	var r *remote.Refusal
	if errors.As(err, &r) && strings.Contains(r.Message, "less than the minimum") {
		return remote.Disabled(k.id, err)
	}
	return remote.Explain(k.id, verb, fmt.Sprintf("a policy with path %q { capabilities = [%q] }", k.mount+at, capability), err)
}
