package admission

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"verdict"
	"verdict/decisionmap"
)

// An authority that ends unnoticed stops every rollout of every cluster, and only a person can
// make clusters trust the next one.
func TestTheEndOfTheAuthorityIsSaidInTime(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c, err := MakeCertificates(dir, []string{"control.acme.example"}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		saidWithin := func(lasts time.Duration) string {
			var said bytes.Buffer
			ctx, stop := context.WithTimeout(t.Context(), lasts)
			defer stop()
			if err := c.Watch(ctx, slog.New(slog.NewTextHandler(&said, nil))); err != nil {
				t.Error(err)
			}
			return said.String()
		}
		if said := saidWithin(time.Minute); said != "" {
			t.Errorf("of an authority that is new it says %s", said)
		}
		time.Sleep(time.Until(c.Ends().Add(-80 * 24 * time.Hour)))
		if said := saidWithin(3*24*time.Hour - time.Minute); strings.Count(said, " days=") != 3 || !strings.Contains(said, "days=80\n") {
			t.Errorf("in three days it says %s", said)
		}
	})
}

// A certificate that runs out stops every rollout of every cluster in one moment.
func TestCertificatesAreRenewedWhileConnectionsGoOn(t *testing.T) {
	began := time.Now()
	now := began
	dir := t.TempDir()
	c, err := MakeCertificates(dir, []string{"127.0.0.1", "control.acme.example"}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), TLSConfig: c.TLS(nil)}
	ended := make(chan error)
	go func() { ended <- s.ServeTLS(listener, "", "") }()
	defer func() { s.Close(); <-ended }()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.CA()) {
		t.Fatal("the authority is no certificate")
	}
	client := func() *http.Client {
		return &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool, Time: func() time.Time { return now }}}}
	}
	get := func(h *http.Client) (serial string, proto string) {
		t.Helper()
		r, err := h.Get("https://" + listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		return r.TLS.PeerCertificates[0].SerialNumber.String(), r.Proto
	}
	open := client()
	first, proto := get(open)
	if proto != "HTTP/2.0" {
		t.Error(proto)
	}
	if again, _ := get(client()); again != first {
		t.Error("each handshake has a certificate made")
	}
	now = now.Add(servingLife - renewBefore + time.Hour)
	next, _ := get(client())
	kept, _ := get(open)
	if next == first || kept != first {
		t.Errorf("it was not renewed (%t), or an open connection was dropped (%t)", next == first, kept != first)
	}
	now = began.Add(time.Minute) // a clock that was set back
	if back, _ := get(client()); back == next {
		t.Error("a certificate of the future is shown")
	}
}

// Every process of an installation shows certificates of one authority, and nobody else reads
// its key.
func TestTheAuthorityIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	var all sync.Map
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			c, err := MakeCertificates(dir, []string{"x"}, time.Now)
			if err != nil {
				t.Error(err)
				return
			}
			all.Store(string(c.CA()), true)
		})
	}
	wait.Wait()
	n := 0
	all.Range(func(any, any) bool { n++; return true })
	left, err := os.ReadDir(dir)
	if n != 1 || len(left) != 1 || err != nil {
		t.Errorf("%d authorities, %v", n, left)
	}
	path := filepath.Join(dir, CAFile)
	for name, spoil := range map[string]func() error{
		"readable by others": func() error { return os.Chmod(path, 0o644) },
		"cut":                func() error { return os.WriteFile(path, []byte("-----BEGIN CERTIFICATE-----\n"), 0o600) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := MakeCertificates(dir, []string{"x"}, time.Now); verdict.AsError(err).Code != verdict.CodeUnavailable {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// What a cluster is configured with decides what is asked at all.
func TestManifestsAskAboutEachNamespaceOnce(t *testing.T) {
	m := Manifests{Map: loaded(t, "block"), Cluster: "aks", URL: "https://control.acme.example:8443/", CA: []byte("PEM"), Also: []string{"rollouts.argoproj.io"}, Exempt: []string{"verdict"}, At: noon}
	var out strings.Builder
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	var hooks struct {
		Webhooks []struct {
			Name, FailurePolicy, SideEffects string
			TimeoutSeconds                   int
			ClientConfig                     struct{ URL, CABundle string }
			NamespaceSelector                struct {
				MatchExpressions []struct {
					Operator string
					Values   []string
				}
			}
		}
	}
	docs := strings.Split(out.String(), "---\n")
	about, first, _ := strings.Cut(docs[1], "\n")
	if err := json.Unmarshal([]byte(first), &hooks); err != nil || len(docs) != 6 || !strings.HasPrefix(about, "# ") {
		t.Fatalf("%d documents, %v\n%s", len(docs), err, out.String())
	}
	got := map[string]string{}
	for _, h := range hooks.Webhooks {
		x := h.NamespaceSelector.MatchExpressions[0]
		got[h.Name] = h.FailurePolicy + " " + x.Operator + " " + strings.Join(x.Values, ",")
		if h.SideEffects != "NoneOnDryRun" || h.TimeoutSeconds != 3 || h.ClientConfig.URL != "https://control.acme.example:8443/admission/aks" || h.ClientConfig.CABundle != "UEVN" {
			t.Errorf("%+v", h)
		}
	}
	for name, wants := range map[string]string{
		"closed": "Fail In pay,web", "open": "Ignore In web-staging", "unmapped": "Ignore NotIn kube-node-lease,kube-public,kube-system,pay,verdict,web,web-staging",
	} {
		if got[name+"."+webhookDomain] != wants {
			t.Errorf("%s: %v", name, got)
		}
	}
	m.Map = loaded(t, "warn")
	out.Reset()
	if err := m.Write(&out); err != nil || strings.Contains(out.String(), `"failurePolicy": "Fail",
      "matchConditions"`) || !strings.Contains(out.String(), `"Warn"`) {
		t.Errorf("a point that warns would stop a rollout when it is down: %v\n%s", err, out.String())
	}
	m.Cluster = "other"
	if err := m.Write(&out); verdict.AsError(err).Code != verdict.CodeNotFound {
		t.Error(err)
	}
	m.Cluster, m.Also = "aks", []string{"rollouts"}
	if err := m.Write(&out); verdict.AsError(err).Code != verdict.CodeUsage {
		t.Error(err)
	}
}

// One environment that has all of a cluster is asked about everything but the cluster's own, and
// what another claims by its name is asked about once.
func TestManifestsOfAWholeCluster(t *testing.T) {
	m := Manifests{Map: loaded(t, "block"), Cluster: "aks-dr", URL: "https://control.acme.example", CA: []byte("PEM"), At: noon}
	prod := m.Map.Environments["prod"]
	prod.Kubernetes = []decisionmap.Cluster{{Cluster: "aks-dr", Namespaces: []string{decisionmap.All}}}
	m.Map.Environments["prod"] = prod
	staging := m.Map.Environments["staging"]
	staging.Kubernetes = []decisionmap.Cluster{{Cluster: "aks-dr", Namespaces: []string{"kube-system", "lab"}}}
	m.Map.Environments["staging"] = staging
	got := map[string]string{}
	for _, g := range m.groups() {
		x := g.selector()["matchExpressions"].([]any)[0].(object)
		got[g.name] = fmt.Sprint(g.closed, x["operator"], x["values"])
	}
	want := map[string]string{"rest-closed": "trueNotIn[kube-node-lease kube-public kube-system lab]", "open": "falseIn[lab]"}
	if !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
