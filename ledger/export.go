package ledger

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"filippo.io/torchwood"
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
	LogKeys  []string                // as in VerifyOptions
}

// ExportReport says what an export holds.
type ExportReport struct {
	Checkpoint Checkpoint `json:"checkpoint"`
	Bundles    int64      `json:"bundles"`
	Pruned     int64      `json:"pruned"`     // entries without a body
	Unproved   int64      `json:"unproved"`   // bundles of closed epochs without a signed checkpoint
	Unseen     int64      `json:"unseen"`     // entries that a server does not show to who asks: they have no bundle
	FirstSeen  bool       `json:"first_seen"` // a server's log that was not seen here before
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
	x := &export{from: here{l}, o: o}
	err := l.view(ctx, func(v *store.View, head store.Head) error {
		var err error
		if x.keys, err = l.keysSince(ctx, v, newKeyring()); err != nil {
			return err
		}
		if x.report.Checkpoint, err = l.checkpointOf(head); err != nil {
			return err
		}
		x.epochs, err = v.Epochs(ctx)
		return err
	})
	if err != nil {
		return x.report, fmt.Errorf("export to %s: %w", dir, err)
	}
	return x.run(ctx, dir)
}

// ExportAfar is Export of a log that somebody else keeps: the same bytes. Everything that it
// writes is computed from what he gives, and held against his checkpoint and against what
// was seen of it before; the last answer is what to have seen from then on.
func ExportAfar(ctx context.Context, a Afar, seen []Seen, dir string, o ExportOptions) (ExportReport, []Seen, error) {
	v := newVerification(there{a}, VerifyOptions{LogKeys: o.LogKeys})
	c, err := v.beginAfar(ctx, a, seen)
	if err == nil {
		err = v.report.broken()
	}
	if err != nil {
		return ExportReport{}, seen, err
	}
	x := &export{from: v.from, o: o, keys: v.keys, epochs: v.epochs, met: v.met, afar: true}
	x.report.Checkpoint, x.report.FirstSeen = c, v.report.Anchor == "absent"
	if x.report, err = x.run(ctx, dir); err != nil {
		return x.report, seen, err
	}
	return x.report, remember(seen, v.open(), c), nil
}

// export is one run.
type export struct {
	from   source
	afar   bool // it is somebody else's log
	o      ExportOptions
	files  *folder
	epochs []store.Head
	keys   *keyring
	met    map[string][]met
	report ExportReport
	tiles  map[tlog.Tile][]byte // of the epoch whose bundles are written
	stated int64                // key events
}

func (x *export) run(ctx context.Context, dir string) (_ ExportReport, err error) {
	if x.files, err = newFolder(dir); err != nil {
		return x.report, err
	}
	x.tiles = map[tlog.Tile][]byte{}
	err = x.files.write("checkpoint", []byte(x.report.Checkpoint.Note))
	if err == nil {
		err = x.trust()
	}
	for i := range x.epochs {
		if err == nil {
			err = x.epoch(ctx, i)
		}
	}
	if err == nil && x.afar && x.stated != int64(len(x.keys.events)) {
		err = contradicts("it gives %d key events, and its entries state %d", len(x.keys.events), x.stated)
	}
	if err == nil {
		err = x.files.finish()
	}
	if err != nil {
		return x.report, fmt.Errorf("export to %s: %w", dir, err)
	}
	x.report.Files = int64(len(x.files.sums))
	return x.report, nil
}

func (x *export) head() store.Head { return x.epochs[len(x.epochs)-1] }

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
		err = x.files.write("log.vkey", []byte(x.head().Key+"\n"))
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

// epoch writes the bundles of one epoch with their proofs, and of the open one the tree. Its
// tiles are computed from the leaves, and their root is that of the head.
func (x *export) epoch(ctx context.Context, i int) error {
	h, open := x.epochs[i], i == len(x.epochs)-1
	clear(x.tiles)
	c, err := x.checkpointOf(i, h)
	if err != nil {
		return err
	}
	t := &grown{edge: &edge{}, epoch: h, met: x.met[h.Origin]}
	if open {
		t.write = x.files.write
	}
	end := x.head().Base + x.head().Size
	if x.o.To > 0 {
		end = min(end, int64(x.o.To))
	}
	for leaf := int64(0); leaf < h.Size; leaf += tileWidth {
		from, to := h.Base+leaf, h.Base+min(leaf+tileWidth, h.Size)
		wanted := from < end && to > int64(x.o.From)
		if !open && !wanted && !x.afar {
			continue
		}
		if err := x.block(ctx, h, c, from, to, t); err != nil {
			return err
		}
		if x.o.Progress != nil && wanted {
			x.o.Progress(min(to, end), end)
		}
	}
	if !open && !x.afar {
		return nil
	}
	return t.finish()
}

// block writes up to a tile of entries, one after the other: what somebody else gives may be large.
func (x *export) block(ctx context.Context, h store.Head, c Checkpoint, from, to int64, t *grown) error {
	var entries []byte
	next := from
	err := x.from.rows(ctx, from, to, func(r row) error {
		if r.Seq != next {
			return fmt.Errorf("entry %d is gone", next)
		}
		next++
		leaf, err := x.entry(ctx, h, c, r)
		if err == nil {
			err = t.add(leaf)
		}
		if err == nil {
			entries, err = torchwood.AppendTileEntry(entries, leaf)
		}
		if err != nil {
			return fmt.Errorf("entry %d: %w", r.Seq, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if next != to {
		return fmt.Errorf("entry %d is gone", next)
	}
	return t.put(tlog.Tile{H: tileHeight, L: -1, N: (from - h.Base) >> tileHeight, W: int(to - from)}, entries)
}

// entry writes the bundle of a row, where it is among those that are wanted, and gives its leaf.
func (x *export) entry(ctx context.Context, h store.Head, c Checkpoint, r row) ([]byte, error) {
	b, leaf, err := x.read(ctx, &r)
	if err == nil && r.Seq >= int64(x.o.From) && (x.o.To <= 0 || r.Seq < int64(x.o.To)) {
		err = x.bundle(ctx, h, c, r, b, leaf)
	}
	return leaf, err
}

// read gives the bundle of a row and its leaf, or the leaf alone where there is no body.
func (x *export) read(ctx context.Context, r *row) (*evidence.Bundle, []byte, error) {
	if r.Leaf != nil {
		return nil, r.Leaf, nil
	}
	payload, err := x.from.payload(ctx, *r)
	if err != nil {
		return nil, nil, err
	}
	b, err := bundleOf(payload, r.Entry)
	if err != nil {
		return nil, nil, err
	}
	public, ok := x.keys.public[r.Signer]
	if !ok {
		return nil, nil, fmt.Errorf("its key %s is not enrolled", r.Signer)
	}
	if x.afar {
		if err := x.checked(r, b); err != nil {
			return nil, nil, err
		}
	}
	leaf, err := evidence.Hashedrekord(b, public)
	return b, leaf, err
}

// checked holds what somebody else lists of an entry against its body.
func (x *export) checked(r *row, b *evidence.Bundle) error {
	s, err := b.Statement()
	if err != nil {
		return err
	}
	want, err := projectStatement(s, b, r.Signer)
	if err != nil {
		return err
	}
	want.at(r.Seq, r.At)
	r.unlisted(want)
	if column := differs(want.entry, r.Entry); column != "" {
		return contradicts("what it lists for the entry is not what its body says: column %s", column)
	}
	if s.Kind() == verdict.KindKey && want.foreign == nil {
		x.stated++
		if err := x.keys.told(r.Entry, s); err != nil {
			return contradicts("%v", err)
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
func (x *export) bundle(ctx context.Context, h store.Head, c Checkpoint, r row, b *evidence.Bundle, leaf []byte) (err error) {
	switch {
	case r.given != nil && r.given.Entry == nil:
		x.report.Unseen++
		return nil
	case r.ToSeq != store.Open:
		x.report.Pruned++
		return nil
	case c.Note == "":
		x.report.Unproved++
	default:
		if b, err = x.proved(ctx, h, c, r, b, leaf); err != nil {
			return err
		}
	}
	x.report.Bundles++
	if err := x.files.write(fmt.Sprintf("%d.sigstore.json", r.Seq), append(b.JSON(), '\n')); err != nil {
		return err
	}
	if r.ForeignDigest == "" {
		return nil
	}
	foreign, err := x.from.foreign(ctx, r)
	if err != nil {
		return err
	}
	return x.files.write(fmt.Sprintf("%d.foreign.sigstore.json", r.Seq), foreign)
}

// proved adds the proof to a bundle. Tiles are read once each; what they give is checked
// against the checkpoint by WithLog.
func (x *export) proved(ctx context.Context, h store.Head, c Checkpoint, r row, b *evidence.Bundle, leaf []byte) (*evidence.Bundle, error) {
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
			read := []store.Tile{{Level: int64(t.L), N: t.N}}
			if err := x.from.tiles(ctx, h, read); err != nil {
				return nil, err
			}
			if data = read[0].Data; len(data) < t.W*tlog.HashSize {
				return nil, fmt.Errorf("%w: tile %s is missing or short", errTiles, TilePath(t))
			}
			data = data[:t.W*tlog.HashSize]
			x.tiles[t] = data
		}
		var err error
		if out[i], err = tlog.HashFromTile(t, data, index); err != nil {
			return nil, err
		}
	}
	return out, nil
}
