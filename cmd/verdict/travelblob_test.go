package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"verdict/blob"
	"verdict/evidence"
)

// setKeyID is the script command `keyid NAME FILE`: the id of a public key in PEM.
func setKeyID(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keyid NAME FILE")
	}
	key, err := evidence.ParsePublicPEM([]byte(ts.ReadFile(args[1])))
	ts.Check(err)
	ts.Setenv(args[0], evidence.KeyID(key))
}

// substitute is the script command `substitute NAME FILE`: the file has the value of the
// variable where it names it.
func substitute(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: substitute NAME FILE")
	}
	text := strings.ReplaceAll(ts.ReadFile(args[1]), "$"+args[0], ts.Getenv(args[0]))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o644))
}

// dropBlob is the script command `dropblob DIR FILE`: the ledger in a data directory lost the
// blob with the bytes of the file.
func dropBlob(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: dropblob DIR FILE")
	}
	hex := blob.DigestOf([]byte(ts.ReadFile(args[1]))).Hex()
	ts.Check(os.Remove(filepath.Join(ts.MkAbs(args[0]), "blobs", "sha256", hex[:2], hex)))
}
