// Package azurekv signs with a key in Azure Key Vault or a managed HSM, by its REST API.
// Key Vault has no Ed25519 keys: the log key is kept elsewhere.
package azurekv

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"verdict"
	"verdict/evidence/remote"
)

// apiVersion is that of the calls.
const apiVersion = "7.4"

// clouds are the ends of the names that vaults have, each with what tokens are asked for. A
// token goes to no other host.
var clouds = map[string]string{
	".vault.azure.net":         "https://vault.azure.net/.default",
	".vault.azure.cn":          "https://vault.azure.cn/.default",
	".vault.usgovcloudapi.net": "https://vault.usgovcloudapi.net/.default",
	".managedhsm.azure.net":    "https://managedhsm.azure.net/.default",
}

var keyPath = regexp.MustCompile(`^/keys/[0-9A-Za-z-]{1,127}/[0-9a-f]{32}$`)

// Options of New.
type Options struct {
	ID         string                                     // https://VAULT.vault.azure.net/keys/NAME/VERSION
	Credential azcore.TokenCredential                     // nil: the chain of the vendor's library
	Transport  http.RoundTripper                          // nil: one of its own
	Wait       func(context.Context, time.Duration) error // between attempts; nil: it waits
}

// key is a remote.Service.
type key struct {
	id     string
	path   string
	client *remote.Client
}

// New names a key version. It does not speak with the vault yet.
func New(o Options) (remote.Service, error) {
	u, err := url.Parse(o.ID)
	if err != nil || u.Scheme != "https" || u.Port() != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !keyPath.MatchString(u.Path) {
		return nil, &verdict.Error{
			Code: verdict.CodeUsage, What: fmt.Sprintf("%.200q names no version of a key in Azure Key Vault", o.ID),
			Remedy: "write https://VAULT.vault.azure.net/keys/NAME/VERSION, as this prints it: az keyvault key show --vault-name VAULT --name NAME --query key.kid", Err: err,
		}
	}
	host := strings.ToLower(u.Host)
	scope := ""
	for end, s := range clouds {
		if strings.HasSuffix(host, end) {
			scope = s
		}
	}
	if scope == "" {
		return nil, &verdict.Error{
			Code: verdict.CodeUsage, What: fmt.Sprintf("%.200q is no address of Azure Key Vault", host),
			Remedy: "name the vault by its own address, NAME.vault.azure.net, also behind a private endpoint",
		}
	}
	if o.Credential == nil {
		if o.Credential, err = azidentity.NewDefaultAzureCredential(nil); err != nil {
			return nil, remote.Explain(o.ID, "sign", "the role Key Vault Crypto User", err)
		}
	}
	c, err := remote.NewClient(remote.Client{Base: "https://" + host, Transport: o.Transport, Wait: o.Wait, Authorize: func(ctx context.Context, r *http.Request, _ []byte) error {
		t, err := o.Credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
		if err != nil {
			return fmt.Errorf("sign in to Azure: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+t.Token)
		return nil
	}})
	if err != nil {
		return nil, err
	}
	return &key{"azurekv:https://" + host + u.Path, u.Path, c}, nil
}

// Name implements remote.Service.
func (k *key) Name() string { return k.id }

// PublicKey implements remote.Service.
func (k *key) PublicKey(ctx context.Context) (crypto.PublicKey, error) {
	var out struct {
		Key struct {
			KID, Kty, Crv string
			Ops           []string `json:"key_ops"`
			X, Y          base64URL
		}
		Attributes struct{ Enabled *bool }
	}
	if err := k.client.Call(ctx, http.MethodGet, k.path+"?api-version="+apiVersion, nil, nil, &out); err != nil {
		return nil, k.explain("give its public key", "keys/get", err)
	}
	if err := k.same(out.Key.KID); err != nil {
		return nil, err
	}
	switch {
	case out.Attributes.Enabled != nil && !*out.Attributes.Enabled:
		return nil, remote.Disabled(k.id, nil)
	case out.Key.Kty != "EC" && out.Key.Kty != "EC-HSM" || out.Key.Crv != "P-256":
		return nil, remote.WrongKey(k.id, strings.TrimSpace(fmt.Sprintf("it is a key of the kind %.20s %.20s", out.Key.Kty, out.Key.Crv)), remote.ECDSA)
	case !slices.Contains(out.Key.Ops, "sign"):
		return nil, remote.WrongKey(k.id, "its operations do not hold sign", remote.ECDSA)
	}
	public, err := remote.Point(out.Key.X, out.Key.Y)
	if err != nil {
		return nil, remote.WrongKey(k.id, err.Error(), remote.ECDSA)
	}
	return public, nil
}

// Sign implements remote.Service. The vault gives r||s.
func (k *key) Sign(ctx context.Context, a remote.Algorithm, digest []byte) ([]byte, error) {
	if a != remote.ECDSA {
		return nil, remote.WrongKey(k.id, "Azure Key Vault has no keys for it", a)
	}
	in := struct {
		Alg   string    `json:"alg"`
		Value base64URL `json:"value"`
	}{"ES256", digest}
	var out struct {
		KID   string
		Value base64URL
	}
	if err := k.client.Call(ctx, http.MethodPost, k.path+"/sign?api-version="+apiVersion, nil, in, &out); err != nil {
		return nil, k.explain("sign", "keys/sign", err)
	}
	if err := k.same(out.KID); err != nil {
		return nil, err
	}
	der, err := remote.DER(out.Value)
	if err != nil {
		return nil, remote.Explain(k.id, "sign", "", err)
	}
	return der, nil
}

// same refuses an answer about another key.
func (k *key) same(kid string) error {
	u, err := url.Parse(kid)
	if err == nil && strings.EqualFold(u.Path, k.path) {
		return nil
	}
	return &verdict.Error{
		Code: verdict.CodeRefused, What: fmt.Sprintf("%s answered about another key: %.200q", k.id, kid),
		Remedy: "find out who answers in the vault's place; nothing was recorded", Err: err,
	}
}

func (k *key) explain(verb, action string, err error) error {
	var r *remote.Refusal
	if errors.As(err, &r) && (r.Code == "KeyDisabled" || r.Code == "KeyNotYetValid" || r.Code == "KeyExpired" || strings.Contains(r.Message, "disabled key")) {
		return remote.Disabled(k.id, err)
	}
	return remote.Explain(k.id, verb, "Microsoft.KeyVault/vaults/"+action+"/action (it is in the role Key Vault Crypto User), for this key", err)
}

// base64URL is base64 without padding in the alphabet for addresses.
type base64URL []byte

// MarshalText writes it.
func (b base64URL) MarshalText() ([]byte, error) {
	return []byte(base64.RawURLEncoding.EncodeToString(b)), nil
}

// UnmarshalText reads it.
func (b *base64URL) UnmarshalText(text []byte) (err error) {
	*b, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(string(text), "="))
	return err
}
