package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
)

// obliging signs every checkpoint that it is asked to: what a real witness refuses is
// tested with the ledger.
func obliging(t *testing.T) (*torchwood.CosignatureSigner, http.Handler) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := torchwood.NewCosignatureSigner("witness.example", key)
	if err != nil {
		t.Fatal(err)
	}
	return signer, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/moved") {
			http.Redirect(w, r, "/elsewhere/add-checkpoint", http.StatusTemporaryRedirect)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, signed, _ := strings.Cut(string(body), "\n\n")
		text, _, _ := strings.Cut(signed, "\n\n")
		cosigned, err := note.Sign(&note.Note{Text: text + "\n"}, signer)
		if err != nil {
			t.Error(err)
		}
		_, line, _ := strings.Cut(string(cosigned), "\n\n")
		io.WriteString(w, line)
	})
}

// A person sees the witness's signature, keeps it, and is told plainly when there is none.
func TestAWitnessIsAskedFromTheCommandLine(t *testing.T) {
	signer, handler := obliging(t)
	server := httptest.NewServer(handler)
	defer server.Close()
	home := t.TempDir()
	verdict := func(args ...string) (int, string, string) {
		var out, talk bytes.Buffer
		code := run(context.Background(), []string{"HOME=" + home}, strings.NewReader(""), &out, &talk, args)
		return code, out.String(), talk.String()
	}
	if code, _, talk := verdict("ci", t.TempDir()); code != 0 {
		t.Fatal(talk)
	}
	key := signer.Verifier().String()
	_, before, _ := verdict("log", "checkpoint")
	code, asked, talk := verdict("log", "witness", "--url", server.URL, "--key", key)
	if code != 0 || !strings.HasPrefix(asked, before) || !strings.Contains(asked, "— witness.example ") {
		t.Errorf("exit %d\n%s\n%s", code, asked, talk)
	}
	if code, after, _ := verdict("log", "checkpoint"); code != 0 || after != asked {
		t.Errorf("exit %d\n%s\nwant\n%s", code, after, asked)
	}
	if code, out, talk := verdict("log", "verify"); code != 0 || !strings.Contains(out, "1 signature holds") || !strings.Contains(out, "witness.example signed up to") {
		t.Errorf("exit %d\n%s\n%s", code, out, talk)
	}
	none, _ := obliging(t)
	if code, out, talk := verdict("log", "verify", "--witness-key", none.Verifier().String()); code != 0 || !strings.Contains(out, "NONE of his signatures is held here") {
		t.Errorf("exit %d\n%s\n%s", code, out, talk)
	}
	if err := os.Remove(filepath.Join(home, ".local", "state", "verdict", "anchor", "witness_keys")); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := verdict("log", "verify"); code != 1 || !strings.Contains(out, "NOT EVERYTHING COULD BE CHECKED") || !strings.Contains(out, "--witness-key KEY") {
		t.Errorf("the key is lost: exit %d\n%s", code, out)
	}
	if code, out, talk := verdict("log", "verify", "--witness-key", key); code != 0 || !strings.Contains(out, "1 signature holds") {
		t.Errorf("the key is given: exit %d\n%s\n%s", code, out, talk)
	}
	for _, c := range []struct {
		name string
		code int
		says string
		args []string
	}{
		{"another key is expected", 3, "holds no signature by the key", []string{"--url", server.URL, "--key", func() string { other, _ := obliging(t); return other.Verifier().String() }()}},
		{"the witness sends us elsewhere", 1, "sends us to another address", []string{"--url", server.URL + "/moved", "--key", key}},
		{"nobody is there", 1, "cannot be reached", []string{"--url", "http://127.0.0.1:1", "--key", key}},
		{"the key is no key", 1, "key of the witness cannot be read", []string{"--url", server.URL, "--key", "nonsense"}},
		{"the network is forbidden", 2, "--offline", []string{"--url", server.URL, "--key", key, "--offline"}},
		{"the address is no address", 2, "--url", []string{"--url", "witness", "--key", key}},
		{"there is no address", 2, "needs --url", []string{"--key", key}},
	} {
		code, out, talk := verdict(append([]string{"log", "witness"}, c.args...)...)
		if code != c.code || !strings.Contains(talk, c.says) || !strings.Contains(talk, "fix: ") || out != "" {
			t.Errorf("%s: exit %d\n%s%s", c.name, code, out, talk)
		}
	}
}
