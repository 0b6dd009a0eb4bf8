package peers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

// entries are enough for one full tile and a partial one beside it.
const entries = 260

// served is an exported log behind HTTP, read by a client that is not ours.
type served struct {
	dir      string
	origin   string
	verifier note.Verifier
	fetch    *client.HTTPFetcher
}

func serve(t *testing.T, dir string) served {
	t.Helper()
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	fetch, err := client.NewHTTPFetcher(at, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	origin, _, _ := strings.Cut(string(checkpoint), "\n")
	return served{dir, origin, rootKey(t, dir, origin), fetch}
}

// rootKey makes the verifier of the log from the trusted root that was exported.
func rootKey(t *testing.T, dir, origin string) note.Verifier {
	t.Helper()
	var root struct {
		Tlogs []struct {
			PublicKey struct{ RawBytes []byte }
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "trusted_root.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &root); err != nil || len(root.Tlogs) != 1 {
		t.Fatalf("trusted_root.json: %v, %d logs", err, len(root.Tlogs))
	}
	raw := root.Tlogs[0].PublicKey.RawBytes
	if len(raw) < 32 {
		t.Fatalf("trusted_root.json: a public key of %d bytes", len(raw))
	}
	key, err := note.NewEd25519VerifierKey(origin, raw[len(raw)-32:]) // the end of the SPKI
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (s served) check() error {
	return fsck.New(s.origin, s.verifier, s.fetch, leafHashes, fsck.Opts{N: 2}).Check(context.Background())
}

func leafHashes(bundle []byte) ([][]byte, error) {
	var eb api.EntryBundle
	if err := eb.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	out := make([][]byte, 0, len(eb.Entries))
	for _, e := range eb.Entries {
		out = append(out, rfc6962.DefaultHasher.HashLeaf(e))
	}
	return out, nil
}

// A log that is served as static files must be readable and provable by the public
// clients of the tlog-tiles format.
func TestTesseraReadsAndProvesTheExportedLog(t *testing.T) {
	w := newWorld(t)
	predicate := w.write(t, "p.json", provenance)
	for i := range entries {
		w.must(t, "attest", "provenance", "--subject", w.write(t, "f"+strconv.Itoa(i), fmt.Sprintf("file %d", i)), predicate)
	}
	dir := w.path("log")
	w.must(t, "log", "export", "--out", dir)
	s := serve(t, dir)

	if err := s.check(); err != nil {
		t.Fatalf("fsck of the exported log: %v", err)
	}
	head, _, _, err := client.FetchCheckpoint(t.Context(), s.fetch.ReadCheckpoint, s.verifier, s.origin)
	if err != nil {
		t.Fatal(err)
	}
	if head.Size < entries {
		t.Fatalf("the log has %d entries, and %d were recorded", head.Size, entries)
	}
	t.Run("every entry is included", func(t *testing.T) { s.included(t, head) })
	t.Run("every smaller tree is a beginning of it", func(t *testing.T) { s.consistent(t, head) })
	t.Run("an edited tile or entry is found", s.edits)
}

func (s served) included(t *testing.T, head *log.Checkpoint) {
	builder, err := client.NewProofBuilder(t.Context(), head.Size, s.fetch.ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	for i := range head.Size {
		bundle, err := client.GetEntryBundle(t.Context(), s.fetch.ReadEntryBundle, i/256, head.Size)
		if err != nil {
			t.Fatal(err)
		}
		hashes, err := builder.InclusionProof(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		leaf := rfc6962.DefaultHasher.HashLeaf(bundle.Entries[i%256])
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, i, head.Size, leaf, hashes, head.Hash); err != nil {
			t.Errorf("entry %d: %v", i, err)
		}
	}
}

func (s served) consistent(t *testing.T, head *log.Checkpoint) {
	for _, size := range []uint64{1, 2, 255, 256, 257, head.Size} {
		smaller, err := client.NewProofBuilder(t.Context(), head.Size, s.fetch.ReadTile)
		if err != nil {
			t.Fatal(err)
		}
		hashes, err := smaller.ConsistencyProof(t.Context(), size, head.Size)
		if err != nil {
			t.Fatal(err)
		}
		root, err := s.rootAt(t, size, head.Size)
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, size, head.Size, hashes, root, head.Hash); err != nil {
			t.Errorf("from %d to %d: %v", size, head.Size, err)
		}
	}
}

// rootAt computes the root of the first entries from their hashes alone.
func (s served) rootAt(t *testing.T, size, of uint64) ([]byte, error) {
	t.Helper()
	leaves, err := client.FetchLeafHashes(t.Context(), s.fetch.ReadTile, 0, size, of)
	if err != nil {
		return nil, err
	}
	return subtree(leaves), nil
}

func subtree(leaves [][]byte) []byte {
	if len(leaves) == 1 {
		return leaves[0]
	}
	split := 1
	for split*2 < len(leaves) {
		split *= 2
	}
	return rfc6962.DefaultHasher.HashChildren(subtree(leaves[:split]), subtree(leaves[split:]))
}

// edits changes one byte in each tile file and in the checkpoint, in turn.
func (s served) edits(t *testing.T) {
	var files []string
	err := filepath.WalkDir(s.dir, func(p string, d os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(s.dir, p); err == nil && !d.IsDir() && (rel == "checkpoint" || strings.HasPrefix(rel, "tile/")) {
			files = append(files, p)
		}
		return err
	})
	if err != nil || len(files) < 4 {
		t.Fatalf("%v; the export has only %v", err, files)
	}
	for _, p := range files {
		before, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		after := append([]byte(nil), before...)
		after[len(after)/2] ^= 1
		if err := os.WriteFile(p, after, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := s.check(); err == nil {
			t.Errorf("fsck does not see an edit of %s", strings.TrimPrefix(p, s.dir))
		}
		if err := os.WriteFile(p, before, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
