package github

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"verdict"
	"verdict/forge"
)

// AppOptions are what a GitHub App needs to receive and to act.
type AppOptions struct {
	API     string // https://api.github.com, or https://HOST/api/v3
	ID      int64  // of the app
	Key     []byte // its private key, PEM
	Secrets forge.Secrets
	Options forge.Options
}

// App is a GitHub App: it receives its webhooks, and acts as each of its installations. It
// implements forge.Hook.
type App struct {
	o    AppOptions
	base *url.URL
	key  *rsa.PrivateKey
	now  func() time.Time

	mu     sync.Mutex
	tokens map[place]token // by installation and repository
}

type token struct {
	text    string
	expires time.Time
}

const (
	mostTokens = 10_000
	early      = 2 * time.Minute // before its end a token is not used any more
)

// NewApp checks what an app is given.
func NewApp(o AppOptions) (*App, error) {
	key, err := appKey(o.Key)
	if err != nil || o.ID <= 0 {
		return nil, &verdict.Error{
			Code: verdict.CodeUsage, What: "the GitHub App has no id or no private key that can be read",
			Remedy: "write its App ID under `app:`, and under `key:` a reference to the file that GitHub made under \"Private keys\": file:PATH", Err: err,
		}
	}
	if o.Options.Now == nil {
		o.Options.Now = time.Now
	}
	a := &App{o: o, key: key, now: o.Options.Now, tokens: map[place]token{}}
	if _, err := a.client(""); err != nil {
		return nil, err
	}
	a.o.API = strings.TrimRight(o.API, "/")
	a.base, err = url.Parse(a.o.API)
	return a, err
}

// appKey reads an RSA key in either of the two forms of PEM.
func appKey(text []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM")
	}
	if k, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return k, nil
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("no private key in it")
	}
	r, ok := k.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the key is not of RSA")
	}
	return r, nil
}

// assertion is the token by which the app itself is known: RS256 (RFC 7519), for at most
// ten minutes, and from a minute ago, because clocks differ.
func (a *App) assertion() (string, error) {
	now := a.now()
	claims, err := json.Marshal(map[string]any{"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(8 * time.Minute).Unix(), "iss": fmt.Sprint(a.o.ID)})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, a.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign as the app: %w", err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func (a *App) client(secret string) (*forge.Client, error) {
	return forge.NewClient(forge.API{
		Forge: forge.GitHub, Base: a.o.API, Remedy: appRemedy,
		Authorize: func(h http.Header) {
			h.Set("Accept", "application/vnd.github+json")
			h.Set("X-Github-Api-Version", "2022-11-28")
			if secret != "" {
				h.Set("Authorization", "Bearer "+secret)
			}
		},
	}, a.o.Options)
}

func appRemedy(status int) string {
	if status == http.StatusUnauthorized {
		return "check `app:` and `key:` of the forge's entry, and that the machine's clock is right"
	}
	return "let the app have Checks: read and write, Deployments: read and write, Pull requests: read and Metadata: read, have the new rights accepted where it is installed, and install it in the repository"
}

// token gives one for an installation that may touch this repository alone. It is asked for
// again shortly before its end.
func (a *App) token(ctx context.Context, at place) (string, error) {
	at.Run = 0
	a.mu.Lock()
	t, known := a.tokens[at]
	a.mu.Unlock()
	if known && a.now().Add(early).Before(t.expires) {
		return t.text, nil
	}
	as, err := a.assertion()
	if err != nil {
		return "", err
	}
	c, err := a.client(as)
	if err != nil {
		return "", err
	}
	var got struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expires_at"`
	}
	path := fmt.Sprintf("/app/installations/%d/access_tokens", at.Installation)
	if err := c.Send(ctx, http.MethodPost, path, map[string]any{"repository_ids": []int64{at.Repository}}, &got); err != nil {
		return "", err
	}
	if got.Token == "" || strings.ContainsAny(got.Token, "\r\n") || !got.Expires.After(a.now()) {
		return "", c.Strange(errors.New("a token for an installation that is empty or over already"))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.tokens) >= mostTokens {
		clear(a.tokens)
	}
	a.tokens[at] = token{got.Token, got.Expires}
	return got.Token, nil
}

func (a *App) forget(at place) {
	at.Run = 0
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.tokens, at)
}

// as does something with the token of an installation. A token that ended in between is
// replaced once.
func (a *App) as(ctx context.Context, at place, do func(*forge.Client) error) error {
	for again := false; ; again = true {
		secret, err := a.token(ctx, at)
		if err != nil {
			return err
		}
		c, err := a.client(secret)
		if err != nil {
			return err
		}
		err = do(c)
		if refusal, refused := forge.Refused(err); again || !refused || refusal.Status != http.StatusUnauthorized {
			return err
		}
		a.forget(at)
	}
}
