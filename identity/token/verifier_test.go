package token_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"verdict"
	"verdict/identity/token"
)

// Each row signs in somebody who is not who he says, when it is accepted.
func TestATokenThatDoesNotHoldSignsNobodyIn(t *testing.T) {
	f := newFake(t)
	other := newFake(t)
	other.publish("k9", &rsaKey.PublicKey)
	v := f.verifier(token.Issuer{URL: other.server.URL})
	if c, err := v.Verify(t.Context(), f.token(nil), self); err != nil || c.ID != "j1" || c.Subject != "s" || c.Audience != self {
		t.Fatalf("a token that holds: %+v, %v", c, err)
	}
	body, err := json.Marshal(f.claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	hs256 := func(secret []byte) string {
		text := strings.TrimSuffix(raw(`{"alg":"HS256","kid":"k1","typ":"JWT"}`, string(body), ""), ".")
		m := hmac.New(sha256.New, secret)
		m.Write([]byte(text))
		return text + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
	}
	spki, err := x509.MarshalPKIXPublicKey(&rsaKey.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	good := strings.Split(f.token(nil), ".")
	at := func(d time.Duration) int64 { return f.now.Add(d).Unix() }
	for name, c := range map[string]struct{ token, says string }{
		"nothing":                           {"", "no signed JSON Web Token"},
		"no token":                          {"vdt_abc", "no signed JSON Web Token"},
		"five parts, encrypted":             {"a.b.c.d.e", "no signed JSON Web Token"},
		"alg none":                          {raw(`{"alg":"none","kid":"k1"}`, string(body), ""), "not signed in a way"},
		"alg None":                          {raw(`{"alg":"None","kid":"k1"}`, string(body), ""), "not signed in a way"},
		"no alg":                            {raw(`{"kid":"k1"}`, string(body), ""), "not signed in a way"},
		"HS256 with the public key":         {hs256(spki), "not signed in a way"},
		"HS256 with the public key as PEM":  {hs256(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})), "not signed in a way"},
		"another algorithm than the key's":  {sign(t, jose.ES256, ecKey(t), "k1", body, nil), "its key is not for that"},
		"another key of that id":            {sign(t, jose.PS256, otherRSA, "k1", body, nil), "signature of the token does not hold"},
		"no id of a key":                    {sign(t, jose.RS256, rsaKey, "", body, nil), "does not name the key"},
		"a key that the issuer has not":     {sign(t, jose.RS256, rsaKey, "k2", body, nil), "has no key"},
		"a key of another issuer":           {sign(t, jose.RS256, rsaKey, "k9", body, nil), "has no key"},
		"its own key in the header":         {sign(t, jose.RS256, otherRSA, "k1", body, map[jose.HeaderKey]any{"jwk": json.RawMessage(ownJWK(t))}), "does not hold"},
		"an extension that must be known":   {raw(`{"alg":"RS256","kid":"k1","crit":["x"],"x":1}`, string(body), good[2]), "unsupported critical"},
		"a body that was changed":           {good[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(body), `"s"`, `"admin"`, 1))) + "." + good[2], "does not hold"},
		"no signature":                      {good[0] + "." + good[1] + ".", "does not hold"},
		"a token in a token":                {sign(t, jose.RS256, rsaKey, "k1", body, map[jose.HeaderKey]any{"cty": "JWT"}), "holds another one"},
		"a name that stands twice":          {sign(t, jose.RS256, rsaKey, "k1", []byte(strings.Replace(string(body), `{`, `{"aud":"https://other.example",`, 1)), nil), "in one way only"},
		"a name that stands twice, nested":  {f.token(map[string]any{"x": json.RawMessage(`{"a":1,"a":2}`)}), "in one way only"},
		"a header that says two algorithms": {raw(`{"alg":"none","alg":"RS256","kid":"k1"}`, string(body), good[2]), "in one way only"},
		"deep":                              {f.token(map[string]any{"x": json.RawMessage(strings.Repeat("[", 40) + strings.Repeat("]", 40))}), "nested more than"},
		"no object":                         {sign(t, jose.RS256, rsaKey, "k1", []byte(`"x"`), nil), "in one way only"},
		"two objects":                       {sign(t, jose.RS256, rsaKey, "k1", append(body, body...), nil), "in one way only"},
		"huge":                              {f.token(map[string]any{"x": strings.Repeat("x", 20<<10)}), "more than 16384"},
		"of no issuer":                      {f.token(map[string]any{"iss": nil}), "are not believed here"},
		"of an issuer that is not known":    {f.token(map[string]any{"iss": "https://mallory.example"}), "are not believed here"},
		"of the issuer, but for a slash":    {f.token(map[string]any{"iss": f.server.URL + "/"}), "are not believed here"},
		"for somebody else":                 {f.token(map[string]any{"aud": "https://other.example"}), "not for https://verdict.example alone"},
		"for a part of this server's name":  {f.token(map[string]any{"aud": self + "/"}), "alone"},
		"for this server and somebody else": {f.token(map[string]any{"aud": []string{self, "https://other.example"}}), "alone"},
		"for nobody":                        {f.token(map[string]any{"aud": nil}), "alone"},
		"for an empty name":                 {f.token(map[string]any{"aud": ""}), "alone"},
		"for a list of nobody":              {f.token(map[string]any{"aud": []string{}}), "alone"},
		"expired":                           {f.token(map[string]any{"iat": at(-time.Hour), "exp": at(-time.Minute)}), "expired"},
		"of the future":                     {f.token(map[string]any{"iat": at(2 * time.Minute), "exp": at(time.Hour)}), "issued in the future"},
		"not yet":                           {f.token(map[string]any{"nbf": at(2 * time.Minute)}), "does not hold before"},
		"for a week":                        {f.token(map[string]any{"exp": at(7 * 24 * time.Hour)}), "at most 24h"},
		"without an end":                    {f.token(map[string]any{"exp": nil}), "from when to when"},
		"without a beginning":               {f.token(map[string]any{"iat": nil}), "from when to when"},
		"ending before it began":            {f.token(map[string]any{"iat": at(30 * time.Second), "exp": at(10 * time.Second)}), "holds for"},
		"with a time that is none":          {f.token(map[string]any{"exp": "2026-03-01"}), "no time"},
		"with a time beyond all time":       {f.token(map[string]any{"exp": 1e300}), "no time"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := v.Verify(t.Context(), c.token, self)
			e := verdict.AsError(err)
			if e == nil || got != nil || e.Code != verdict.CodeForbidden && e.Code != verdict.CodeLimit || !strings.Contains(e.Error(), c.says) || e.Remedy == "" {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestATokenMayBeForThisServerAsTheOneEntryOfAListAndWithinTheSkew(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	for name, changes := range map[string]map[string]any{
		"a list of one":      {"aud": []string{self}},
		"a moment late":      {"iat": f.now.Add(-time.Hour).Unix(), "exp": f.now.Add(-59 * time.Second).Unix()},
		"a moment early":     {"iat": f.now.Add(59 * time.Second).Unix(), "nbf": f.now.Add(time.Minute).Unix()},
		"a fraction of time": {"exp": float64(f.now.Unix()) + 10.5},
	} {
		if _, err := v.Verify(t.Context(), f.token(changes), self); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	one, err := v.Verify(t.Context(), f.token(map[string]any{"jti": nil}), self)
	two, err2 := v.Verify(t.Context(), f.token(map[string]any{"jti": nil, "n": 2}), self)
	if err != nil || err2 != nil || !strings.HasPrefix(one.ID, "sha256:") || one.ID == two.ID {
		t.Errorf("tokens without an id of their own: %+v, %+v, %v, %v", one, two, err, err2)
	}
}

// An issuer changes its keys when it likes. Who signs in just then is not turned away, and
// what was signed with a key that is gone is.
func TestKeysThatRotateMidFlightAreFollowed(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	old := f.token(nil)
	if _, err := v.Verify(t.Context(), old, self); err != nil {
		t.Fatal(err)
	}
	f.publish("k2", &otherRSA.PublicKey)
	f.now = f.now.Add(11 * time.Second)
	body, _ := json.Marshal(f.claims(nil))
	rotated := sign(t, jose.RS256, otherRSA, "k2", body, nil)
	if _, err := v.Verify(t.Context(), rotated, self); err != nil {
		t.Errorf("signed with the new key: %v", err)
	}
	if _, err := v.Verify(t.Context(), old, self); err == nil {
		t.Error("signed with the key that is gone, and believed")
	}
	asked := f.asked.Load()
	for i := range 50 {
		if _, err := v.Verify(t.Context(), sign(t, jose.RS256, rsaKey, fmt.Sprint("u", i), body, nil), self); err == nil {
			t.Fatal("an unknown key is believed")
		}
	}
	if n := f.asked.Load() - asked; n > 2 {
		t.Errorf("50 tokens under keys that nobody has made the server ask %d times", n)
	}
}

func TestAnIssuerThatIsDownIsBelievedForAnHourAndNotLonger(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	if _, err := v.Verify(t.Context(), f.token(nil), self); err != nil {
		t.Fatal(err)
	}
	f.down.Store(true)
	f.now = f.now.Add(59 * time.Minute)
	if _, err := v.Verify(t.Context(), f.token(nil), self); err != nil {
		t.Errorf("within the bound: %v", err)
	}
	f.now = f.now.Add(2 * time.Minute)
	_, err := v.Verify(t.Context(), f.token(nil), self)
	if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeUnavailable || !strings.Contains(e.Remedy, "enrolled key") || !strings.Contains(e.Error(), "502") {
		t.Errorf("after the bound: %v", err)
	}
	f.down.Store(false)
	f.now = f.now.Add(10 * time.Second)
	if _, err := v.Verify(t.Context(), f.token(nil), self); err != nil {
		t.Errorf("back again: %v", err)
	}
}

// A clock that jumps back must not make keys that were taken "later" good for ever.
func TestAClockThatJumpsBackMakesTheServerAskAgain(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	if _, err := v.Verify(t.Context(), f.token(nil), self); err != nil {
		t.Fatal(err)
	}
	f.publish("k2", &otherRSA.PublicKey)
	f.now = f.now.Add(-time.Hour)
	if _, err := v.Verify(t.Context(), f.token(nil), self); err == nil {
		t.Error("the key is gone, and what it signed is believed")
	}
}

func TestWhatAnIssuerAnswersIsBoundedAndLeadsNowhere(t *testing.T) {
	inside := newFake(t)
	for name, answer := range map[string]func(f *fake, w http.ResponseWriter, r *http.Request) bool{
		"a redirect": func(_ *fake, w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, inside.server.URL+r.URL.Path, http.StatusFound)
			return true
		},
		"a key set without an end": func(_ *fake, w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/keys" {
				fmt.Fprint(w, `{"keys":[`+strings.Repeat(" ", 600<<10)+`]}`)
			}
			return r.URL.Path == "/keys"
		},
		"the discovery document of another issuer": func(f *fake, w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/keys" {
				_ = json.NewEncoder(w).Encode(token.Discovery{Issuer: "https://other.example", Keys: f.server.URL + "/keys"})
			}
			return r.URL.Path != "/keys"
		},
		"keys at the cloud's metadata": func(f *fake, w http.ResponseWriter, r *http.Request) bool {
			_ = json.NewEncoder(w).Encode(token.Discovery{Issuer: f.server.URL, Keys: "https://169.254.169.254/keys"})
			return true
		},
		"keys in the clear elsewhere": func(f *fake, w http.ResponseWriter, r *http.Request) bool {
			_ = json.NewEncoder(w).Encode(token.Discovery{Issuer: f.server.URL, Keys: "http://keys.example/keys"})
			return true
		},
		"two keys of one id": func(_ *fake, w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/keys" {
				k := jose.JSONWebKey{Key: &rsaKey.PublicKey, KeyID: "k1"}
				_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &otherRSA.PublicKey, KeyID: "k1"}, k}})
			}
			return r.URL.Path == "/keys"
		},
		"a secret as its key": func(_ *fake, w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/keys" {
				_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: []byte("secret"), KeyID: "k1"}}})
			}
			return r.URL.Path == "/keys"
		},
		"a key to encrypt with": func(_ *fake, w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/keys" {
				_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &rsaKey.PublicKey, KeyID: "k1", Use: "enc"}}})
			}
			return r.URL.Path == "/keys"
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.answer.Store(func(w http.ResponseWriter, r *http.Request) bool { return answer(f, w, r) })
			if _, err := f.verifier().Verify(t.Context(), f.token(nil), self); err == nil {
				t.Error("believed")
			}
		})
	}
	if inside.asked.Load() > 0 {
		t.Error("the redirect was followed")
	}
}

func TestIssuersArePlainAddressesAndKeysMayLieInAFile(t *testing.T) {
	for _, bad := range []string{"", "issuer.example", "http://issuer.example", "https://user:secret@issuer.example", "https://issuer.example?x=1", "file:///etc/keys"} {
		if _, err := token.NewVerifier(token.Options{Issuers: []token.Issuer{{URL: bad}}}); err == nil {
			t.Errorf("%q is an issuer", bad)
		}
	}
	f := newFake(t)
	f.down.Store(true)
	v, err := token.NewVerifier(token.Options{Issuers: []token.Issuer{{URL: f.server.URL, Keys: "file:" + f.keysFile()}}, Now: f.clock})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), f.token(nil), self); err != nil || f.asked.Load() > 0 {
		t.Errorf("keys in a file: %v", err)
	}
}

// Whatever comes as a token is refused in words, and never believed.
func FuzzVerify(f *testing.F) {
	v, err := token.NewVerifier(token.Options{Issuers: []token.Issuer{{URL: "https://issuer.example", Keys: "file:/nowhere"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw(`{"alg":"RS256","kid":"k"}`, `{"iss":"https://issuer.example","aud":"https://verdict.example","iat":1,"exp":2}`, "AAAA"))
	f.Add(raw(`{"alg":"none"}`, `{"iss":["x"],"aud":[1,null]}`, ""))
	f.Add("..")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := v.Verify(t.Context(), s, self)
		if e := verdict.AsError(err); err == nil || c != nil || e.Code == verdict.CodeInternal || e.Remedy == "" {
			t.Fatalf("%+v, %+v", c, e)
		}
	})
}
