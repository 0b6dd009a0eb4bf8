package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
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
