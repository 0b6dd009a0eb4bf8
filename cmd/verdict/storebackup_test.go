package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"verdict"
	"verdict/blob"
)

// Whoever holds a backup may have changed it: nothing in it chooses a path, and no blob has
// other bytes than its name says.
func FuzzBackup(f *testing.F) {
	seed := func(blobs ...string) []byte {
		var b bytes.Buffer
		t := tar.NewWriter(&b)
		db := []byte("database")
		m := manifest{Schema: backupSchema, Database: blob.DigestOf(db), Blobs: len(blobs)}
		at := time.Unix(1, 0)
		if err := addBytes(t, backupDatabase, db, at); err != nil {
			f.Fatal(err)
		}
		for _, s := range blobs {
			if err := addBytes(t, backupBlobs+blob.DigestOf([]byte(s)).Hex(), []byte(s), at); err != nil {
				f.Fatal(err)
			}
		}
		text, err := json.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		if err := addBytes(t, backupManifest, text, at); err != nil {
			f.Fatal(err)
		}
		if err := t.Close(); err != nil {
			f.Fatal(err)
		}
		return b.Bytes()
	}
	f.Add(seed())
	f.Add(seed("one", "two"))
	f.Add(seed("one")[:1500])
	f.Add([]byte("no archive"))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		m, err := readBackup(bytes.NewReader(data), io.Discard, func(d verdict.Digest, b []byte) error {
			if n++; blob.DigestOf(b) != d {
				t.Fatalf("%q was kept as %s", b, d)
			}
			return nil
		})
		switch e := verdict.AsError(err); {
		case err == nil && (m.Blobs != n || m.Schema != backupSchema):
			t.Fatalf("%d blobs were kept, and it was whole: %+v", n, m)
		case err != nil && e.Remedy == "":
			t.Fatalf("no remedy: %v", err)
		}
	})
}

// changed writes a copy of a backup whose manifest says something else.
func changed(t *testing.T, from, to string, change func(*manifest)) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	r, w := tar.NewReader(bytes.NewReader(b)), tar.NewWriter(&out)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		text, read := io.ReadAll(r)
		if err := errors.Join(err, read); err != nil {
			t.Fatal(err)
		}
		if h.Name == backupManifest {
			var m manifest
			if err := json.Unmarshal(text, &m); err != nil {
				t.Fatal(err)
			}
			change(&m)
			if text, err = json.Marshal(m); err != nil {
				t.Fatal(err)
			}
		}
		if err := addBytes(w, h.Name, text, h.ModTime); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), os.WriteFile(to, out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// A manifest of one log over the database of another would have somebody restore a log that is
// not his, told by the name of the one that he looks for.
func TestABackupWhoseManifestIsOfAnotherLogIsNotPutBack(t *testing.T) {
	x := servingData(t, func(run func(...string) string) { run("ci", t.TempDir()) })
	if err := x.host.base.close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole.tar")
	x.run("store", "backup", "--to", whole)
	for name, change := range map[string]func(*manifest){
		"as it was written": func(*manifest) {}, "of another log": func(m *manifest) { m.Origin = "acme.example/other" }, "of more entries": func(m *manifest) { m.Entries += 1000 },
	} {
		t.Run(name, func(t *testing.T) {
			file, to := filepath.Join(t.TempDir(), "backup.tar"), filepath.Join(t.TempDir(), "data")
			changed(t, whole, file, change)
			x.run("store", "restore", file, "--data", to)
			_, missing := os.Stat(filepath.Join(to, ledgerFile))
			if (missing == nil) != (name == "as it was written") {
				t.Errorf("it was put back: %t", missing == nil)
			}
			left, err := filepath.Glob(filepath.Join(to, ".restore-*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}
