package ci

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"verdict"
)

// pemOf makes a private key that nobody else has, and the id of its public half.
func pemOf(t testing.TB, kind string) (text, id string) {
	t.Helper()
	var block pem.Block
	switch kind {
	case "RSA PRIVATE KEY":
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		must(t, err)
		block, id = pem.Block{Type: kind, Bytes: x509.MarshalPKCS1PrivateKey(key)}, spkiID(key.Public())
	case "EC PRIVATE KEY":
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		der, err := x509.MarshalECPrivateKey(key)
		must(t, err)
		block, id = pem.Block{Type: kind, Bytes: der}, spkiID(key.Public())
	case "PRIVATE KEY":
		public, key, err := ed25519.GenerateKey(rand.Reader)
		must(t, err)
		der, err := x509.MarshalPKCS8PrivateKey(key)
		must(t, err)
		block, id = pem.Block{Type: kind, Bytes: der}, spkiID(public)
	case "RSA PRIVATE KEY, encrypted":
		block = pem.Block{Type: "RSA PRIVATE KEY", Bytes: make([]byte, 200), Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00112233445566778899AABBCCDDEEFF"}}
		rand.Read(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		block = pem.Block{Type: kind, Bytes: make([]byte, 200)}
		rand.Read(block.Bytes)
	case "OPENSSH PRIVATE KEY", "OPENSSH PRIVATE KEY, encrypted":
		public, _, err := ed25519.GenerateKey(rand.Reader)
		must(t, err)
		cipher := "none"
		if strings.HasSuffix(kind, "encrypted") {
			cipher = "aes256-ctr"
		}
		field := func(s string) string { return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s }
		data := "openssh-key-v1\x00" + field(cipher) + field("none") + field("") + "\x00\x00\x00\x01" + field(field("ssh-ed25519")+field(string(public))) + field(strings.Repeat("\xfe\x01"+random(2), 40))
		block, id = pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: []byte(data)}, spkiID(public)
	}
	return string(pem.EncodeToMemory(&block)), id
}

// random is n characters that look like a secret and are none.
func random(n int) string {
	raw := make([]byte, n)
	rand.Read(raw)
	const letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
	for i, c := range raw {
		raw[i] = letters[int(c)%len(letters)]
	}
	return string(raw)
}

// only fails unless one hit of a detector was found, and gives it.
func only(t *testing.T, r verdict.Report, detector string) verdict.Hit {
	t.Helper()
	var of []verdict.Hit
	for _, h := range r.Hits {
		if h.Detector == detector {
			of = append(of, h)
		}
	}
	if len(of) != 1 {
		t.Fatalf("%d hits of %s: %+v", len(of), detector, r.Hits)
	}
	return of[0]
}

// What a user loses when this fails: the way from a leaked key to the log of its use.
func TestPrivateKeysAreNamedByTheirPublicHalf(t *testing.T) {
	for _, kind := range []string{"RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY, encrypted", "OPENSSH PRIVATE KEY", "OPENSSH PRIVATE KEY, encrypted"} {
		key, id := pemOf(t, kind)
		quoted, err := json.Marshal(map[string]string{"key": key})
		must(t, err)
		for name, content := range map[string]string{
			"key.pem": key, "key.json": string(quoted), "key.yaml": "key: |\n  " + strings.ReplaceAll(key, "\n", "\n  "),
			"key.txt": "data: " + base64.StdEncoding.EncodeToString([]byte(key)), "crlf.pem": strings.ReplaceAll(key, "\n", "\r\n"),
		} {
			h := only(t, searched(t, map[string]string{name: content}, SecretsOptions{}), "private-key")
			want := verdict.SeverityCritical
			if strings.Contains(strings.ToLower(kind), "encrypted") {
				want = verdict.SeverityMedium
			}
			if h.PublicID != id || h.Severity != want || (want == verdict.SeverityMedium) != strings.Contains(h.Message, "it is encrypted") {
				t.Errorf("%s in %s: %+v, want the id %q", kind, name, h, id)
			}
		}
	}
}

func TestOtherIDsThatArePublic(t *testing.T) {
	key, _ := pemOf(t, "RSA PRIVATE KEY")
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "private_key_id": "0123456789abcdef0123456789abcdef01234567", "private_key": key, "client_email": "deploy@acme.iam.example",
	})
	must(t, err)
	aws := "AKIA" + "QYLPMN5HHH3JX2ZK"
	client := "1b2f9c1e-77aa-4c4f-9a01-2f3c4d5e6f70"
	for _, c := range []struct{ name, text, rule, id string }{
		{"sa.json", string(account), "private-key", "gcp-key:deploy@acme.iam.example/0123456789abcdef0123456789abcdef01234567"},
		{"sa.txt", base64.StdEncoding.EncodeToString(account), "private-key", "gcp-key:deploy@acme.iam.example/0123456789abcdef0123456789abcdef01234567"},
		{"aws.ini", "aws_access_key_id = " + aws + "\naws_secret_access_key = " + random(40) + "\n", "aws-access-token", "aws-access-key:" + aws},
		{"aws.ini", "aws_access_key_id = " + aws + "\naws_secret_access_key = " + random(40) + "\n", "aws-secret-access-key", "aws-access-key:" + aws},
		{"az.env", "AZURE_CLIENT_ID=" + client + "\nAZURE_CLIENT_SECRET=" + "x1y8Q~" + random(34) + "\n", "azure-ad-client-secret", "azure-client:" + client},
	} {
		if h := only(t, searched(t, map[string]string{c.name: c.text}, SecretsOptions{}), c.rule); h.PublicID != c.id {
			t.Errorf("%s in %s: %q, want %q", c.rule, c.name, h.PublicID, c.id)
		}
	}
}

func TestNotebooksAreSearchedAsAPersonSeesThem(t *testing.T) {
	book := map[string]any{"nbformat": 4, "cells": []any{
		map[string]any{"cell_type": "markdown", "source": "# a title\n"},
		map[string]any{"cell_type": "code", "source": []string{"import os\n", "api_key = \"" + generic1 + "\"\n"}, "outputs": []any{
			map[string]any{"output_type": "stream", "text": []string{"connecting\n", "with token: '" + generic2 + "'\n"}},
			map[string]any{"output_type": "display_data", "data": map[string]any{"image/png": strings.Repeat("iVBORw0KGgo", 40), "text/plain": []string{"x"}}},
		}},
	}}
	wide, err := json.MarshalIndent(book, "", " ")
	must(t, err)
	line := func(s string) int64 { return 1 + int64(bytes.Count(wide[:bytes.Index(wide, []byte(s))], newline)) }
	r := searched(t, map[string]string{"a.ipynb": string(wide)}, SecretsOptions{})
	if len(r.Hits) != 2 || r.Hits[0].Line+r.Hits[1].Line != line(generic1)+line(generic2) {
		t.Fatalf("hits: %+v", r.Hits)
	}
	said := r.Hits[0].Message + r.Hits[1].Message
	if !strings.Contains(said, "line 2 of the source of cell 2") || !strings.Contains(said, "line 2 of the output of cell 2") {
		t.Errorf("the place in the notebook is not told: %s", said)
	}
	narrow, err := json.Marshal(book)
	must(t, err)
	if r := searched(t, map[string]string{"a.ipynb": string(narrow)}, SecretsOptions{}); len(r.Hits) != 2 || r.Hits[0].Line != 1 {
		t.Errorf("a notebook in one line: %+v", r.Hits)
	}
	cut := searched(t, map[string]string{"a.ipynb": string(wide[:len(wide)-20])}, SecretsOptions{})
	gap(t, cut.NotChecked, "a.ipynb: it is no notebook that can be read", false)
	if len(cut.Hits) != 2 {
		t.Errorf("a notebook that is cut short: %+v", cut.Hits)
	}
}

func TestKubeconfigs(t *testing.T) {
	key, id := pemOf(t, "EC PRIVATE KEY")
	token := random(40)
	text := "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster: {server: https://k.example}\nusers:\n- name: a\n  user:\n    client-key-data: " +
		base64.StdEncoding.EncodeToString([]byte(key)) + "\n- name: b\n  user:\n    token: " + token + "\n- name: c\n  user: {password: '${PASSWORD}'}\n"
	r := searched(t, map[string]string{"deploy/config": text}, SecretsOptions{})
	if h := only(t, r, "private-key"); h.PublicID != id || h.Line != 9 {
		t.Errorf("the client's key: %+v", h)
	}
	if h := only(t, r, "kubeconfig-credential"); h.Line != 12 || !strings.Contains(h.Message, "the token of a user") || len(r.Hits) != 2 {
		t.Errorf("hits: %+v", r.Hits)
	}
}

func TestTerraformStates(t *testing.T) {
	password, made := "p4-"+random(5), random(12)
	state := fmt.Sprintf(`{
  "version": 4, "terraform_version": "1.9.0", "serial": 3,
  "outputs": {"url": {"value": "https://acme.example", "type": "string"},
    "admin": {"value": %q, "type": "string", "sensitive": true}},
  "resources": [
    {"mode": "managed", "type": "random_password", "name": "db", "instances": [{"attributes": {
      "id": "none",
      "result": %q, "length": 12}}]},
    {"type": "aws_db_instance", "instances": [{"attributes": {
      "master_password": %q,
      "password_policy": "at least twelve", "secret_name": "the-database", "password": null, "quirk": "set by hand 7"},
      "sensitive_attributes": [[{"type": "get_attr", "value": "quirk"}]]}]}
  ]
}`, "out-"+random(6), made, password)
	r := searched(t, map[string]string{"prod.tfstate": state}, SecretsOptions{})
	var at []int64
	for _, h := range r.Hits {
		if h.Detector == "terraform-state-secret" {
			at = append(at, h.Line)
		}
	}
	slices.Sort(at)
	if want := []int64{4, 8, 10, 11}; !slices.Equal(at, want) {
		t.Errorf("secrets in lines %v, want %v: %+v", at, want, r.Hits)
	}
	if h := only(t, r, "terraform-state-file"); h.Line != 0 {
		t.Errorf("the file: %+v", h)
	}
	if r := searched(t, map[string]string{"a.tfstate": `{"version": 4, "terraform_version": "1.9.0", "serial": 1, "resources": [], "outputs": {}}`}, SecretsOptions{}); len(r.Hits) != 0 {
		t.Errorf("a state without secrets: %+v", r.Hits)
	}
	gap(t, searched(t, map[string]string{"a.tfstate": state[:300]}, SecretsOptions{}).NotChecked, "a.tfstate: it is no Terraform state that can be read", false)
}

func TestEnvironmentAndPackageManagerFiles(t *testing.T) {
	for _, c := range []struct{ name, text, rule string }{
		{".env", "DB_PASSWORD=tr0ub4dor&3x\n", "dotenv-secret"},
		{".env.production", "export SMTP_PASSWORD='tr0ub4dor&3x'\n", "dotenv-secret"},
		{"deploy/prod.env", "A=1\nSESSION_SECRET=tr0ub4dor&3x\n", "dotenv-secret"},
		{".env", "DB_PASSWORD=changeme-please\nDB_TOKEN=${TOKEN}\nAPI_KEY=\nTOKEN_URL=https://x.example\n", ""},
		{".env.example", "DB_PASSWORD=tr0ub4dor&3x\n", ""},
		{".npmrc", "//npm.acme.example/:_authToken=" + random(30) + "\n", "npmrc-credential"},
		{".npmrc", "//npm.acme.example/:_authToken=npm_" + random(36) + "\n", "npm-access-token"},
		{".npmrc", "_auth = " + base64.StdEncoding.EncodeToString([]byte("ci:"+random(12))) + "\n", "npmrc-credential"},
		{".npmrc", "//npm.acme.example/:_password=" + random(12) + "\n", "npmrc-credential"},
		{".npmrc", "//npm.acme.example/:_authToken=${NPM_TOKEN}\nregistry=https://npm.acme.example\n", ""},
		{"id.ppk", "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: a\nPublic-Lines: 1\n" + random(60) + "\nPrivate-Lines: 1\n" + random(44) + "\nPrivate-MAC: 00\n", "putty-private-key"},
		{"id.key", "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n" + random(70) + "\n" + random(70) + "\n---- END SSH2 ENCRYPTED PRIVATE KEY ----\n", "ssh2-private-key"},
	} {
		r := searched(t, map[string]string{c.name: c.text}, SecretsOptions{})
		switch {
		case c.rule == "" && len(r.Hits) > 0:
			t.Errorf("%s: %q gives %+v", c.name, c.text, r.Hits)
		case c.rule != "":
			if h := only(t, r, c.rule); len(r.Hits) != 1 || (h.Severity == verdict.SeverityMedium) != strings.Contains(c.text, "ENCRYPTED") {
				t.Errorf("%s: %+v", c.name, r.Hits)
			}
		}
	}
}

// jks is a store in Java's format with entries of these kinds: 1 a key, 2 a certificate.
func jks(kinds ...byte) string {
	u4 := func(n int) string { return string(binary.BigEndian.AppendUint32(nil, uint32(n))) }
	var b strings.Builder
	b.WriteString("\xfe\xed\xfe\xed" + u4(2) + u4(len(kinds)))
	for _, k := range kinds {
		b.WriteString(u4(int(k)) + "\x00\x02ab" + strings.Repeat("\x00", 8))
		if k == 1 {
			b.WriteString(u4(5) + "abcde" + u4(1))
		}
		b.WriteString("\x00\x05X.509" + u4(3) + "\x30\x01\x00")
	}
	return b.String() + strings.Repeat("\x01", 20)
}

// pkcs12 has openssl write a store; with a key, or with certificates alone.
func pkcs12(t *testing.T, key bool) string {
	t.Helper()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("SKIP openssl: it is not on PATH: apt-get install openssl")
	}
	dir := t.TempDir()
	do := func(args ...string) {
		t.Helper()
		cmd := exec.Command(openssl, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	do("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "k.pem", "-out", "c.pem", "-subj", "/CN=acme.example")
	args := []string{"pkcs12", "-export", "-in", "c.pem", "-out", "s", "-passout", "pass:changeit"}
	if key {
		args = append(args, "-inkey", "k.pem")
	} else {
		args = append(args, "-nokeys")
	}
	do(args...)
	out, err := os.ReadFile(filepath.Join(dir, "s"))
	must(t, err)
	return string(out)
}

func TestKeyStoresAreToldByWhatTheyHold(t *testing.T) {
	r := searched(t, map[string]string{"a.dat": jks(2, 1), "trust": jks(2, 2), "b.yaml": jks(1), "other": "\xfe\xed\xfa\xce" + compiled}, SecretsOptions{})
	if len(r.Hits) != 2 || r.Hits[0].Path != "a.dat" || r.Hits[1].Path != "b.yaml" || r.Hits[0].Detector != keystoreRule.ID || !r.Complete {
		t.Errorf("hits: %+v", r.Hits)
	}
	r = searched(t, map[string]string{"store": pkcs12(t, true), "named.p12": pkcs12(t, true)}, SecretsOptions{})
	if len(r.Hits) != 2 || r.Hits[0].Detector != keystoreRule.ID || !strings.Contains(r.Hits[1].Message, "PKCS #12") {
		t.Errorf("hits: %+v", r.Hits)
	}
	r = searched(t, map[string]string{"trust": pkcs12(t, false)}, SecretsOptions{})
	gap(t, r.NotChecked, "trust: it is a PKCS #12 store of which it cannot be told", false)
	if len(r.Hits) != 0 {
		t.Errorf("a store of certificates: %+v", r.Hits)
	}
}

// A dozen bytes in front make a key store of anything: they must hide no secret behind them.
func TestAKeyStoreHidesNoText(t *testing.T) {
	empty := "\xfe\xed\xfe\xed\x00\x00\x00\x02\x00\x00\x00\x00"
	for name, content := range map[string]string{
		"a text":                          empty + strings.Repeat("# a line\n", 30) + token + "\n",
		"a short one":                     empty + token,
		"an entry of no kind":             empty[:11] + "\x01\x00\x00\x00\x09" + token,
		"a certificate that has no end":   empty[:11] + "\x01\x00\x00\x00\x02" + strings.Repeat("\x00", 12) + "\xff\xff\xff\xff" + token,
		"behind the end of a trust store": jks(2) + "\n" + token + "\n",
	} {
		if r := searched(t, map[string]string{"store": content}, SecretsOptions{}); len(r.Hits) != 1 || r.Hits[0].Detector != "github-pat" {
			t.Errorf("%s: %+v %+v", name, r.Hits, r.NotChecked)
		}
	}
	r := searched(t, map[string]string{"store": jks(2) + compiled}, SecretsOptions{})
	gap(t, r.NotChecked, "behind the end of the JKS store are no text", false)
}

func FuzzForms(f *testing.F) {
	f.Add("a.ipynb", []byte(`{"cells": [{"source": ["a\n"], "outputs": [{"text": "b", "data": {"text/plain": ["c"]}}]}]}`))
	f.Add("a.tfstate", []byte(`{"outputs": {"a": {"value": "x", "sensitive": true}}, "resources": [{"type": "t", "instances": [{"attributes": {"password": "12345"}}]}]}`))
	f.Add("config", []byte("kind: Config\nclusters: []\nusers: [{user: {token: abcdefgh}}]\n"))
	f.Add("a", []byte(jks(1, 2)))
	f.Add("k.pem", []byte("-----BEGIN OPENSSH PRIVATE KEY-----\n"+strings.Repeat("QUJD", 30)+"\n-----END OPENSSH PRIVATE KEY-----"))
	s, err := loadRules()
	must(f, err)
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		if name == "" || len(content) > 1<<16 {
			return
		}
		hits, _, _ := s.hitsIn(t.Context(), name, content)
		for _, h := range hits {
			if len(h.lines) == 0 || h.lines[0] < 0 || h.lines[0] > int64(len(content))+2 {
				t.Errorf("%q: a hit of %s in line %v", name, h.rule.ID, h.lines)
			}
		}
	})
}
