package peers

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// plural are the paths of the kinds that the chart has.
var plural = map[string]string{
	"ConfigMap": "api/v1/namespaces/%s/configmaps", "Service": "api/v1/namespaces/%s/services", "ServiceAccount": "api/v1/namespaces/%s/serviceaccounts",
	"Pod": "api/v1/namespaces/%s/pods", "Namespace": "api/v1/namespaces", "Deployment": "apis/apps/v1/namespaces/%s/deployments",
	"StatefulSet": "apis/apps/v1/namespaces/%s/statefulsets", "Ingress": "apis/networking.k8s.io/v1/namespaces/%s/ingresses",
	"NetworkPolicy": "apis/networking.k8s.io/v1/namespaces/%s/networkpolicies", "PodDisruptionBudget": "apis/policy/v1/namespaces/%s/poddisruptionbudgets",
	"ValidatingWebhookConfiguration": "apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
}

// applyServer is an API server that takes objects and runs nothing.
type applyServer struct {
	base   string
	client *http.Client
}

// freePort is one that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// background starts a program that ends with the test.
func background(t *testing.T, log string, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, name, args...)
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; run make test-peers from the project's root", err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		out.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log)
			t.Logf("%s said at the end: %s", filepath.Base(name), text[max(0, len(text)-2000):])
		}
	})
}

func startApplyServer(t *testing.T) *applyServer {
	t.Helper()
	dir := t.TempDir()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	accounts := filepath.Join(dir, "accounts.pem")
	tokens := filepath.Join(dir, "tokens.csv")
	for path, text := range map[string][]byte{
		accounts: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
		tokens:   []byte("token-of-the-test,admin,1,\"system:masters\"\n"),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	port := freePort(t)
	etcd, peer := "http://127.0.0.1:"+freePort(t), "http://127.0.0.1:"+freePort(t)
	background(t, filepath.Join(dir, "etcd.log"), "etcd", "--data-dir", filepath.Join(dir, "etcd"), "--unsafe-no-fsync", "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	background(t, filepath.Join(dir, "api.log"), os.Getenv("VERDICT_APISERVER"), "--etcd-servers="+etcd, "--bind-address=127.0.0.1", "--secure-port="+port, "--cert-dir="+filepath.Join(dir, "certs"),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+accounts, "--service-account-signing-key-file="+accounts,
		"--authorization-mode=Node,RBAC", "--token-auth-file="+tokens, "--endpoint-reconciler-type=none", "--advertise-address=10.255.255.1", "--service-cluster-ip-range=10.0.0.0/24", "--profiling=false")
	s := &applyServer{base: "https://127.0.0.1:" + port + "/", client: &http.Client{
		Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // a certificate that it has just made for itself
	}}
	for range 240 {
		if status, _, err := s.do(http.MethodGet, "readyz", nil); err == nil && status == http.StatusOK {
			return s
		}
		time.Sleep(250 * time.Millisecond)
	}
	t.Fatal("the API server was not ready within a minute")
	return nil
}

func (s *applyServer) do(method, path string, body []byte) (status int, answer map[string]any, err error) {
	r, err := http.NewRequest(method, s.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer token-of-the-test")
	r.Header.Set("Content-Type", "application/apply-patch+yaml")
	resp, err := s.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.Header.Get("Content-Type") == "application/json" {
		err = json.Unmarshal(text, &answer)
	}
	return resp.StatusCode, answer, err
}

// apply has the server take an object strictly: a field that it does not know is an error.
func (s *applyServer) apply(t *testing.T, namespace string, o object) {
	t.Helper()
	path, known := plural[o.kind()]
	if !known {
		t.Fatalf("the chart has the kind %s, and the test does not know where it goes", o.kind())
	}
	if strings.Contains(path, "%s") {
		path = fmt.Sprintf(path, namespace)
	}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	status, answer, err := s.do(http.MethodPatch, path+"/"+o.text("metadata", "name")+"?fieldManager=chart&force=true&fieldValidation=Strict", text)
	if err != nil || status >= 300 {
		t.Errorf("%s %s: %d, %v, %v", o.kind(), o.text("metadata", "name"), status, answer["message"], err)
	}
}

// A real API server takes what the chart renders, field by field, and lets its pods into a
// namespace of the restricted profile.
func TestAnAPIServerTakesTheChart(t *testing.T) {
	w := newWorld(t)
	s := startApplyServer(t)
	for name, values := range map[string][]string{
		"embedded": append(slices.Clip(embedded), "tls.secretName=tls", "ingress.enabled=true", "ingress.host=verdict.example", "ingress.tlsSecretName=tls"),
		"replicas": append(slices.Clip(replicas), "admission.enabled=true", "admission.authoritySecret.name=authority", "admission.webhook.enabled=true", "admission.webhook.caBundle=YQ==", "workloadIdentity.azure.clientId=11111111-2222-3333-4444-555555555555", "networkPolicy.opsFrom[0].namespaceSelector.matchLabels.name=monitoring", "networkPolicy.egress[0].ports[0].port=8200"),
		"anchored": append(slices.Clip(replicas), "anchor.persistent=true", "storage.className=fast"),
	} {
		t.Run(name, func(t *testing.T) {
			s.apply(t, "", object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{
				"name": name, "labels": map[string]any{"pod-security.kubernetes.io/enforce": "restricted"}}})
			exit, said, objects := w.render(t, values...)
			if exit != 0 {
				t.Fatal(said)
			}
			for _, o := range objects {
				if o.kind() == "ValidatingWebhookConfiguration" { // its certificate is none
					continue
				}
				s.apply(t, name, o)
				if o.kind() != "Deployment" && o.kind() != "StatefulSet" {
					continue
				}
				spec, ok := o.at("spec", "template", "spec").(map[string]any)
				if !ok {
					t.Fatal("it has no pod")
				}
				for _, claim := range o.list("spec", "volumeClaimTemplates") { // as its controller would
					spec["volumes"] = append(spec["volumes"].([]any), map[string]any{"name": claim.text("metadata", "name"), "emptyDir": map[string]any{}})
				}
				s.apply(t, name, object{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "one"}, "spec": spec})
			}
		})
	}
}
