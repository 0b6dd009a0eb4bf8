package registry

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"verdict"
	"verdict/artifact"
)

// liar is a registry that answers a GET by digest with one byte more.
func liar(honest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "sha256:") {
			honest.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		honest.ServeHTTP(rec, r)
		w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
		w.WriteHeader(rec.Code)
		w.Write(append(rec.Body.Bytes(), ' '))
	})
}

// after answers GET /v2/ as a registry does, and everything else by f.
func after(f http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			f(w, r)
		}
	})
}

// A registry that hangs must end in an answer, or a gate waits for ever.
func TestARegistryThatHangsIsGivenUp(t *testing.T) {
	end := make(chan struct{})
	hang := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-end:
		case <-r.Context().Done():
		}
	}
	headers := served(t, after(hang))
	body := served(t, after(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "{")
		w.(http.Flusher).Flush()
		hang(w, r)
	}))
	defer close(end)
	for name, host := range map[string]string{"before the headers": headers, "in the body": body} {
		c, err := dial(host, Options{Headers: 200 * time.Millisecond, Idle: 200 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := c.Tagged(context.Background(), "v1"); code(err) != verdict.CodeUnavailable || time.Since(began) > 10*time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(began))
		}
	}
}

// A registry must not be able to make us ask addresses inside of the network.
func TestRedirectsToInternalAddressesAreRefused(t *testing.T) {
	touched := false
	inside := served(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { touched = true }))
	port := inside[strings.LastIndexByte(inside, ':'):]
	for _, to := range []string{
		"https://10.0.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data/", "https://[fd00::1]/", "https://[::ffff:10.0.0.1]/", "https://100.64.0.1/",
		"http://" + inside + "/", "http://localhost" + port + "/", "http://[::1]" + port + "/", "https://0.0.0.0" + port + "/", "http://example.com/", "ftp://example.com/",
	} {
		c, err := dial(served(t, after(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) })), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Tagged(context.Background(), "v1"); code(err) != verdict.CodeRefused && code(err) != verdict.CodeUnavailable {
			t.Errorf("%s: %v", to, err)
		} else if code(err) == verdict.CodeUnavailable && !strings.Contains(err.Error(), "plain http") && !strings.Contains(to, "[::1]") {
			t.Errorf("%s was asked: %v", to, err)
		}
	}
	if touched {
		t.Error("the service inside was asked")
	}
}

// The base that an image names is no place that a person typed: an image must not be able
// to make us ask inside of the network either.
func TestARegistryThatAnImageNamesIsNotAskedInside(t *testing.T) {
	touched := false
	host := served(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { touched = true }))
	if _, err := dial(host, Options{Stranger: true}); code(err) != verdict.CodeRefused || touched {
		t.Errorf("touched %v: %v", touched, err)
	}
}

// A token service is named by the registry too.
func TestATokenServiceInsideIsNotAsked(t *testing.T) {
	touched := false
	inside := served(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { touched = true }))
	host := served(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+inside+`/token",service="x"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	if _, err := dial(host, Options{}); code(err) != verdict.CodeRefused || touched {
		t.Errorf("touched %v: %v", touched, err)
	}
}

// The password of one registry must not reach the storage that it redirects to.
func TestASecretStaysWithItsHost(t *testing.T) {
	var got []string
	storage := served(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
		io.WriteString(w, "blob")
	}))
	host := served(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ci" || password != "s3cret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		} else if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, "http://"+storage+"/x", http.StatusTemporaryRedirect)
		}
	}))
	c, err := dial(host, Options{DockerConfig: dockerLogin(t, host)})
	if err != nil {
		t.Fatal(err)
	}
	c.guard.proxies = append(c.guard.proxies, storage) // as if it were on a public address
	r, err := c.Blob(context.Background(), artifact.Descriptor{Digest: digestOf("sha256", []byte("blob"))})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); err != nil || len(got) != 1 || got[0] != "" {
		t.Errorf("the storage saw %q (%v)", got, err)
	}
}

func dockerLogin(t *testing.T, host string) string {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, base64.StdEncoding.EncodeToString([]byte("ci:s3cret")))
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Credentials are for exactly one host: a name that only begins or ends alike gets none.
func TestCredentialsAreForExactlyOneHost(t *testing.T) {
	dir := dockerLogin(t, "registry.example.com")
	for host, want := range map[string]string{
		"registry.example.com": "ci", "evil-registry.example.com": "", "registry.example.com.evil.io": "", "example.com": "", "registry.example.com:5000": "",
	} {
		if c, err := credentialsFor(context.Background(), dir, host); err != nil || c.user != want {
			t.Errorf("%s gets %q (%v), not %q", host, c.user, err, want)
		}
	}
	if c, err := credentialsFor(context.Background(), t.TempDir(), "ghcr.io"); err != nil || !c.none() {
		t.Errorf("without a configuration: %v, %v", c, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"credHelpers":{"ghcr.io":"../evil"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := credentialsFor(context.Background(), dir, "ghcr.io"); code(err) != verdict.CodeInvalid {
		t.Errorf("a helper with a path in its name: %v", err)
	}
}

// Without TLS anybody between can answer, so only this machine is asked so.
func TestPlainHTTPIsForThisMachineAlone(t *testing.T) {
	g := newGuard("registry.example.com", Options{})
	r, err := http.NewRequest(http.MethodGet, "http://registry.example.com/v2/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := g.RoundTrip(r); err == nil {
		resp.Body.Close()
		t.Error("plain http went out")
	}
}

func TestAnAnswerWithoutEndIsCut(t *testing.T) {
	huge := after(func(w http.ResponseWriter, _ *http.Request) {
		b := make([]byte, 1<<20)
		for range 6 {
			w.Write(b)
		}
	})
	c, err := dial(served(t, huge), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Tagged(context.Background(), "v1"); code(err) != verdict.CodeLimit {
		t.Errorf("a manifest of 6 MiB: %v", err)
	}
	r, err := c.Blob(context.Background(), artifact.Descriptor{Digest: hexes("a"), Size: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := io.Copy(io.Discard, r); code(err) != verdict.CodeRefused || n > 2<<20 {
		t.Errorf("a blob of six times its size: %d bytes, %v", n, err)
	}
}

// A registry that asks for a token gets one, also when the first has run out.
func TestATokenIsAskedForAndRenewed(t *testing.T) {
	inner := ggcr.New(quiet())
	valid, asked := "", 0
	var host string
	host = served(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			asked++
			valid = fmt.Sprint("t", asked)
			fmt.Fprintf(w, `{"token":%q}`, valid)
		case r.Header.Get("Authorization") != "Bearer "+valid || valid == "":
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+host+`/token",service="reg, istry",scope="repository:acme/app:pull,push"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			inner.ServeHTTP(w, r)
		}
	}))
	c := opened(t, host)
	pushed(t, c, "v1", "2026-02-02T00:00:00Z", nil)
	valid = "another"
	if _, err := c.Tagged(context.Background(), "v1"); err != nil || asked != 2 {
		t.Errorf("asked for %d tokens: %v", asked, err)
	}
}

func FuzzParseChallenge(f *testing.F) {
	for _, s := range []string{`Bearer realm="https://a/b",service="x",scope="repository:a/b:pull"`, `Basic realm="x"`, `Bearer realm="a\"b`, `bearer a=b,c`, `Negotiate`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if c, ok := parseChallenge([]string{s}); ok && c.scheme != "basic" && (c.scheme != "bearer" || c.realm == "") {
			t.Errorf("%q reads as %+v", s, c)
		}
	})
}
