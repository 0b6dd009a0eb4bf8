package main

import (
	"crypto/sha512"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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

// manyPackages is the script command `manypackages FILE N`: a lockfile of npm with N packages.
func manyPackages(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: manypackages FILE N")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	var b strings.Builder
	b.WriteString(`{"name":"many","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"many","version":"1.0.0"}`)
	for i := range n {
		sum := sha512.Sum512([]byte(strconv.Itoa(i)))
		fmt.Fprintf(&b, `,"node_modules/package-with-a-long-name-%d":{"version":"1.0.%d","resolved":"https://packages.example.org/package-with-a-long-name-%d/-/package-with-a-long-name-%d-1.0.%d.tgz","integrity":"sha512-%s","license":"MIT"}`,
			i, i, i, i, i, encoded(sum[:]))
	}
	b.WriteString("}}")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o644))
}

// once is the script command `once FILE TEXT`: the text is in the file exactly once.
func once(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: once FILE TEXT")
	}
	if n := strings.Count(ts.ReadFile(args[0]), args[1]); n != 1 {
		ts.Fatalf("%s holds %q %d times", args[0], args[1], n)
	}
}
