package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"verdict/evidence/remote/remotetest"
)

// A replica that is lost takes nothing with it: its keys are in a key service, its large
// files in an object store, and what it answers is signed by those keys.
func TestAServerKeepsNeitherKeysNorBlobs(t *testing.T) {
	keys := &transit{keys: map[string]remotetest.Key{"evidence:1": remotetest.NewKey(t, remotetest.P256), "log:1": remotetest.NewKey(t, remotetest.Ed25519)}}
	service := httptest.NewServer(keys)
	defer service.Close()
	backend := s3mem.New()
	if err := backend.CreateBucket("evidence"); err != nil {
		t.Fatal(err)
	}
	objects := httptest.NewServer(gofakes3.New(backend).Server())
	defer objects.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE") // the vendor's library looks in the process
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")

	p := typistWith(t, "gate")
	p.vars = append(p.vars, "VAULT_TOKEN=pass", "VERDICT_SIGNER=vault:"+service.URL+"/transit/evidence#1")
	own := slices.Clone(p.vars)
	p.vars = append(p.vars, "VERDICT_LOG_KEY=vault:"+service.URL+"/transit/log#1", "VERDICT_BLOBS=s3://evidence/served?region=eu-central-1&endpoint="+objects.URL)
	p.serve()
	p.vars = append(own, p.vars[len(p.vars)-1]) // what is left is the address of the server, and who we are

	says := func(words string, want int) string {
		t.Helper()
		code, out, talk := p.types(words)
		if code != want {
			t.Errorf("%s ends with %d, want %d: %s", words, code, want, talk)
		}
		return out + talk
	}
	says("ci", 0)
	says("why HEAD", 0)
	public := keys.keys["log:1"].Private.Public().(ed25519.PublicKey)
	var line, talk bytes.Buffer
	code := run(t.Context(), p.vars, strings.NewReader(""), &line, &talk, []string{"log", "key"})
	if want := base64.StdEncoding.EncodeToString(append([]byte{1}, public...)); code != 0 || !strings.HasSuffix(strings.TrimSpace(line.String()), "+"+want) {
		t.Errorf("log key: %d, %q, %s; it is not the one of the key service", code, line.String(), talk.String())
	}
	for _, name := range []string{"keys/local.pem", "keys/log.key", "blobs"} {
		if _, err := os.Stat(filepath.Join(p.dir, "served", name)); err == nil {
			t.Errorf("the server has %s on its disk", name)
		}
	}
	stored, err := backend.ListBucket("evidence", &gofakes3.Prefix{HasPrefix: true, Prefix: "served/sha256/"}, gofakes3.ListBucketPage{})
	if err != nil || len(stored.Contents) == 0 {
		t.Errorf("nothing is in the object store: %v", err)
	}

	// While the key service is away nothing is signed, and it is said why.
	service.Close()
	if said := says("gate --env dev ../app.tar", 1); !strings.Contains(said, "fix: ") {
		t.Errorf("it says %s", said)
	}
}
