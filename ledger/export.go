package ledger

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/evidence"
	"verdict/store"
)

// ExportOptions choose what is exported.
type ExportOptions struct {
	// From and To bound the entries whose bundles are written; the tree is exported
	// whole. The zero To means all.
	From, To Position
	Progress func(done, total int64) // may be nil
}

// ExportReport says what an export holds.
type ExportReport struct {
	Checkpoint Checkpoint `json:"checkpoint"`
	Bundles    int64      `json:"bundles"`
	Pruned     int64      `json:"pruned"`   // entries without a body
	Unproved   int64      `json:"unproved"` // bundles of closed epochs without a signed checkpoint
	Files      int64      `json:"files"`
}

// Export writes the log into an empty folder, in files that public tools read:
//
//	checkpoint, tile/…         the open epoch as C2SP tlog-tiles
//	<n>.sigstore.json          the bundle of entry n with its proof, for cosign
//	<n>.foreign.sigstore.json  the foreign bundle that entry n vouches for
//	trusted_root.json          the keys of the log, for cosign
//	key.pub, keys/<id>.pub     the signing keys: the first, and each by its id in hex
//	log.vkey                   the log's verifier key (C2SP signed-note)
//	MANIFEST.sha256            the digest of every file, for sha256sum -c
//
// The same log at the same size gives the same bytes.
func (l *Ledger) Export(ctx context.Context, dir string, o ExportOptions) (ExportReport, error) {
	w, err := newFolder(dir)
	if err != nil {
		return ExportReport{}, err
	}
	x := &export{ledger: l, o: o, files: w, tiles: map[tlog.Tile][]byte{}}
	err = l.view(ctx, func(v *store.View, head store.Head) error {
		x.head = head
		var err error
		if x.keys, err = l.keysSince(ctx, v, newKeyring()); err != nil {
			return err
		}
		if x.epochs, err = v.Epochs(ctx); err != nil {
			return err
		}
		return x.tree(ctx, v)
	})
	if err == nil {
		err = x.trust()
	}
	if err == nil {
		err = x.bundles(ctx)
	}
	if err == nil {
		err = w.finish()
	}
	if err != nil {
		return x.report, fmt.Errorf("export to %s: %w", dir, err)
	}
	x.report.Files = int64(len(w.sums))
	return x.report, nil
}

// export is one run.
type export struct {
	ledger *Ledger
	o      ExportOptions
	files  *folder
	head   store.Head
	epochs []store.Head
	keys   *keyring
	report ExportReport
	tiles  map[tlog.Tile][]byte // of the epoch whose bundles are written
}

// tree writes checkpoint and tiles of the open epoch.
func (x *export) tree(ctx context.Context, v *store.View) error {
	var err error
	if x.report.Checkpoint, err = x.ledger.checkpointOf(x.head); err != nil {
		return err
	}
	if err := x.files.write("checkpoint", []byte(x.report.Checkpoint.Note)); err != nil {
		return err
	}
	for _, t := range tlog.NewTiles(tileHeight, 0, x.head.Size) {
		data, err := x.ledger.tile(ctx, v, x.head, t)
		if err != nil {
			return err
		}
		if err := x.files.write(TilePath(t), data); err != nil {
			return err
		}
		if t.L > 0 {
			continue
		}
		t.L = -1
		if data, err = x.ledger.entryTile(ctx, v, x.head, t); err != nil {
			return err
		}
		if err := x.files.write(TilePath(t), data); err != nil {
			return err
		}
	}
	return nil
}

// trust writes the keys by which others check the export.
func (x *export) trust() error {
	logs := make([]evidence.TrustedLog, 0, len(x.epochs))
	for i, h := range x.epochs {
		public, err := publicOf(h)
		if err != nil {
			return err
		}
		t := evidence.TrustedLog{Origin: h.Origin, Public: public, Start: fromMicros(h.Opened)}
		if i+1 < len(x.epochs) {
			t.End = fromMicros(x.epochs[i+1].Opened)
		}
		logs = append(logs, t)
	}
	root, err := evidence.TrustedRoot(logs...)
	if err == nil {
		err = x.files.write("trusted_root.json", root)
	}
	if err == nil {
		err = x.files.write("log.vkey", []byte(x.head.Key+"\n"))
	}
	for i, k := range x.keys.history.Keys() {
		if err == nil && i == 0 {
			err = x.files.write("key.pub", []byte(k.PublicPEM))
		}
		if err == nil {
			err = x.files.write("keys/"+keyFile(k.ID)+".pub", []byte(k.PublicPEM))
		}
	}
	return err
}

// keyFile is a key id as the name of a file.
func keyFile(id string) string {
	b, err := base64.StdEncoding.DecodeString(id)
	if err != nil {
		return hex.EncodeToString([]byte(id))
	}
	return hex.EncodeToString(b)
}

// publicOf reads the public key out of the verifier key of an epoch.
func publicOf(h store.Head) (ed25519.PublicKey, error) {
	if _, err := verifierOf(h); err != nil {
		return nil, err
	}
	raw, err := keyOfVerifier(h.Key)
	if err != nil {
		return nil, fmt.Errorf("verifier key of %s: %w", h.Origin, err)
	}
	return ed25519.PublicKey(raw[1:]), nil
}

// keyOfVerifier decodes the last part of a verifier key: name+hash+key, where key is
// base64 and may hold a plus sign itself.
func keyOfVerifier(vkey string) ([]byte, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("not name+hash+key")
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err == nil && len(raw) != 1+ed25519.PublicKeySize {
		err = fmt.Errorf("a key of %d bytes", len(raw))
	}
	return raw, err
}

// bundles writes the bundle of each entry with its proof.
func (x *export) bundles(ctx context.Context) error {
	end := x.head.Base + x.head.Size
	to := end
	if x.o.To > 0 {
		to = min(to, int64(x.o.To))
	}
	for i, h := range x.epochs {
		if i == len(x.epochs)-1 {
			h = x.head
		}
		clear(x.tiles)
		c, err := x.checkpointOf(i, h)
		if err != nil {
			return err
		}
		from := max(h.Base, int64(x.o.From))
		for from < min(to, h.Base+h.Size) {
			next := min(from+tileWidth, to, h.Base+h.Size)
			var rows []store.Entry
			err := x.ledger.store.View(ctx, func(v *store.View) error {
				return v.EachBody(ctx, from, next, func(r store.Entry) error { rows = append(rows, r); return nil })
			})
			if err != nil {
				return err
			}
			for _, r := range rows {
				if err := x.bundle(ctx, h, c, r); err != nil {
					return fmt.Errorf("entry %d: %w", r.Seq, err)
				}
			}
			if from = next; x.o.Progress != nil {
				x.o.Progress(from, to)
			}
		}
	}
	return nil
}

// checkpointOf gives the checkpoint that proofs of an epoch lead to. Of a closed one that
// is the last that the epoch after it knew, if all its leaves are still there.
func (x *export) checkpointOf(i int, h store.Head) (Checkpoint, error) {
	if i == len(x.epochs)-1 {
		return x.report.Checkpoint, nil
	}
	v, err := verifierOf(h)
	if err != nil {
		return Checkpoint{}, err
	}
	signed := x.epochs[i+1].Previous
	tree, err := parseCheckpoint(signed, h.Origin, v)
	if err != nil || tree != treeOf(h) {
		return Checkpoint{}, nil
	}
	return Checkpoint{Origin: h.Origin, Size: tree.N, Root: tree.Hash, Position: Position(h.Base + tree.N), Note: signed}, nil
}

// bundle writes one entry.
func (x *export) bundle(ctx context.Context, h store.Head, c Checkpoint, r store.Entry) error {
	if r.ToSeq != store.Open {
		x.report.Pruned++
		return nil
	}
	payload, err := x.ledger.payload(ctx, r)
	if err != nil {
		return err
	}
	b, err := bundleOf(payload, r)
	if err != nil {
		return err
	}
	if c.Note == "" {
		x.report.Unproved++
	} else if b, err = x.proved(ctx, h, c, r, b); err != nil {
		return err
	}
	x.report.Bundles++
	if err := x.files.write(fmt.Sprintf("%d.sigstore.json", r.Seq), append(b.JSON(), '\n')); err != nil {
		return err
	}
	if r.ForeignDigest == "" {
		return nil
	}
	foreign, err := x.ledger.foreign(ctx, r)
	if err != nil {
		return err
	}
	return x.files.write(fmt.Sprintf("%d.foreign.sigstore.json", r.Seq), foreign)
}

// proved adds the proof to a bundle. Tiles are read once each; what they give is checked
// against the checkpoint by WithLog.
func (x *export) proved(ctx context.Context, h store.Head, c Checkpoint, r store.Entry, b *evidence.Bundle) (*evidence.Bundle, error) {
	leaf, err := x.ledger.leafOf(ctx, x.keys, r)
	if err != nil {
		return nil, err
	}
	proof, err := tlog.ProveRecord(c.Size, r.Seq-h.Base, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		return x.hashes(ctx, h, indexes)
	}))
	if err != nil {
		return nil, err
	}
	public, err := publicOf(h)
	if err != nil {
		return nil, err
	}
	return b.WithLog(evidence.LogEntry{
		Index: r.Seq - h.Base, TreeSize: c.Size, Root: c.Root, Hashes: proof, Checkpoint: c.Note, CanonicalBody: leaf, LogID: evidence.LogID(public),
	})
}

func (x *export) hashes(ctx context.Context, h store.Head, indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		t := tlog.TileForIndex(tileHeight, index)
		t.W = tileWidth
		if full := h.Size >> (tileHeight * t.L); full < (t.N+1)<<tileHeight {
			t.W = int(full - t.N<<tileHeight)
		}
		data, ok := x.tiles[t]
		if !ok {
			err := x.ledger.store.View(ctx, func(v *store.View) (err error) {
				data, err = x.ledger.tile(ctx, v, h, t)
				return err
			})
			if err != nil {
				return nil, err
			}
			x.tiles[t] = data
		}
		var err error
		if out[i], err = tlog.HashFromTile(t, data, index); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// folder writes files and remembers their digests.
type folder struct {
	dir  string
	sums map[string]string
	hash hash.Hash
}

func newFolder(dir string) (*folder, error) {
	err := os.MkdirAll(dir, 0o755)
	var files []os.DirEntry
	if err == nil {
		files, err = os.ReadDir(dir)
	}
	if err != nil {
		return nil, &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the folder " + dir + " cannot be written", Remedy: "choose a folder that you may write: --out DIR", Err: err,
		}
	}
	if len(files) > 0 {
		return nil, &verdict.Error{
			Code: verdict.CodeConflict, What: "the folder " + dir + " is not empty", Remedy: "give an empty folder or a new one: an export would mix with what is there",
		}
	}
	return &folder{dir: dir, sums: map[string]string{}, hash: sha256.New()}, nil
}

func (f *folder) write(name string, b []byte) error {
	path := filepath.Join(f.dir, filepath.FromSlash(name))
	if strings.Contains(name, "/") {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		return err
	}
	f.hash.Reset()
	f.hash.Write(b)
	f.sums[name] = hex.EncodeToString(f.hash.Sum(nil))
	return nil
}

// finish writes the manifest.
func (f *folder) finish() error {
	names := make([]string, 0, len(f.sums))
	for n := range f.sums {
		names = append(names, n)
	}
	slices.Sort(names)
	out, err := os.Create(filepath.Join(f.dir, "MANIFEST.sha256"))
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	for _, n := range names {
		fmt.Fprintf(w, "%s  %s\n", f.sums[n], n)
	}
	return errors.Join(w.Flush(), out.Close())
}
