package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"verdict"
	"verdict/evidence"
	"verdict/store"
)

// maxRow is how many bytes of a body, compressed, lie in the row. A larger one is put
// as a blob, and synced, before the transaction that refers to it.
const maxRow = 256 << 10

// bodies packs and unpacks what lies in rows.
type bodies struct {
	pack   *zstd.Encoder
	unpack *zstd.Decoder
}

func newBodies() *bodies {
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<18), zstd.WithLowerEncoderMem(true))
	if err != nil { // options that are constants
		panic(err)
	}
	// A row holds what one evidence.MaxStatement or MaxBundle packs into, no more.
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(evidence.MaxBundle))
	if err != nil {
		panic(err)
	}
	return &bodies{pack, unpack}
}

// unpacked gives back size bytes. The size is that of the row: one that does not fit
// the packed bytes is an error, before memory is taken for it.
func (b *bodies) unpacked(packed []byte, size int64) ([]byte, error) {
	if size < 0 || size > evidence.MaxBundle {
		return nil, fmt.Errorf("a body of %d bytes", size)
	}
	out, err := b.unpack.DecodeAll(packed, make([]byte, 0, size))
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	if int64(len(out)) != size {
		return nil, fmt.Errorf("unpacks to %d bytes instead of %d", len(out), size)
	}
	return out, nil
}

// keep packs b for a row, or puts it as a blob when it is too large and gives nil.
func (l *Ledger) keep(ctx context.Context, b []byte) ([]byte, error) {
	packed := l.body.pack.EncodeAll(b, make([]byte, 0, len(b)/2+64))
	if len(packed) <= maxRow {
		return packed, nil
	}
	_, err := l.blobs.Put(ctx, b)
	return nil, err
}

// payload gives the signed bytes of an entry. The row must not be pruned.
func (l *Ledger) payload(ctx context.Context, r store.Entry) ([]byte, error) {
	if r.Payload != nil {
		return l.body.unpacked(r.Payload, r.Size)
	}
	return l.blobs.Get(ctx, verdict.NewDigest("sha256", hex.EncodeToString(r.Digest)))
}

func pruned(e Entry) error {
	return &verdict.Error{
		Code: verdict.CodeNotFound, What: fmt.Sprintf("entry %d was pruned at the end of its retention (class %s); entry %d says who did it and when", e.Index, e.Context.Retention, e.Tombstone),
		Remedy: "look at the tombstone with verdict trail; the leaf still proves that the entry was there: verdict log proof",
	}
}

// bundleOf makes the bundle of a row: for evidence of ours, the one that was appended.
func bundleOf(payload []byte, r store.Entry) (*evidence.Bundle, error) {
	return evidence.ParseBundle(bundleJSON(payload, r.Signature, r.Signer))
}

// bundleJSON writes the JSON form in which evidence.Sign writes a bundle. The parts are
// kept and not the whole, because base64 packs badly.
func bundleJSON(payload, signature []byte, hint string) []byte {
	var b bytes.Buffer
	b.Grow(len(payload)*4/3 + 512)
	b.WriteString(`{"mediaType":"` + evidence.BundleType + `","verificationMaterial":{"publicKey":{"hint":"` + hint + `"}},"dsseEnvelope":{"payload":"`)
	b.Write(base64.StdEncoding.AppendEncode(b.AvailableBuffer(), payload))
	b.WriteString(`","payloadType":"` + evidence.PayloadType + `","signatures":[{"sig":"`)
	b.Write(base64.StdEncoding.AppendEncode(b.AvailableBuffer(), signature))
	b.WriteString(`"}]}}`)
	return b.Bytes()
}

// Logged gives the bundle under the leaf: for foreign evidence that of its ingestion.
func (l *Ledger) Logged(ctx context.Context, index int64) (*evidence.Bundle, error) {
	r, err := l.row(ctx, index)
	if err != nil {
		return nil, err
	}
	payload, err := l.payload(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("body of entry %d: %w", index, err)
	}
	return bundleOf(payload, r)
}

// row reads an entry that was not pruned, whole.
func (l *Ledger) row(ctx context.Context, index int64) (r store.Entry, err error) {
	found := false
	err = l.view(ctx, func(v *store.View, _ store.Head) (err error) {
		r, found, err = v.Body(ctx, index)
		return err
	})
	if err == nil && !found {
		err = noEntry(index)
	}
	if err == nil && r.ToSeq != store.Open {
		e, bad := entryOf(r)
		if err = bad; bad == nil {
			err = pruned(e)
		}
	}
	return r, err
}

// Bundle gives the evidence of an entry: what was appended, or the foreign bundle as it
// came.
func (l *Ledger) Bundle(ctx context.Context, index int64) (*evidence.Bundle, error) {
	r, err := l.row(ctx, index)
	if err != nil {
		return nil, err
	}
	if r.ForeignDigest != "" {
		b, err := l.foreign(ctx, r)
		if err != nil {
			return nil, err
		}
		return evidence.ParseBundle(b)
	}
	payload, err := l.payload(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("body of entry %d: %w", index, err)
	}
	return bundleOf(payload, r)
}

// foreign gives the bytes of a foreign bundle, checked against the digest that the
// ingestion names.
func (l *Ledger) foreign(ctx context.Context, r store.Entry) ([]byte, error) {
	var raw []byte
	err := l.view(ctx, func(v *store.View, _ store.Head) (err error) {
		raw, err = l.foreignIn(ctx, v, r)
		return err
	})
	return raw, err
}

func (l *Ledger) foreignIn(ctx context.Context, v *store.View, r store.Entry) ([]byte, error) {
	f, found, err := v.Foreign(ctx, r.Seq)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("the foreign bundle of entry %d is gone", r.Seq)
	}
	if f.Data == nil {
		return l.blobs.Get(ctx, verdict.Digest(r.ForeignDigest))
	}
	b, err := l.body.unpacked(f.Data, f.Size)
	if err != nil {
		return nil, fmt.Errorf("foreign bundle of entry %d: %w", r.Seq, err)
	}
	if sum := sha256.Sum256(b); verdict.NewDigest("sha256", hex.EncodeToString(sum[:])) != verdict.Digest(r.ForeignDigest) {
		return nil, fmt.Errorf("the foreign bundle of entry %d is not the one that its ingestion names", r.Seq)
	}
	return b, nil
}

// statement reads the evidence of an entry with its columns.
func (l *Ledger) statement(ctx context.Context, index int64) (Entry, *evidence.Statement, error) {
	b, err := l.Bundle(ctx, index)
	if err != nil {
		return Entry{}, nil, err
	}
	e, err := l.Entry(ctx, index)
	if err != nil {
		return e, nil, err
	}
	s, err := b.Statement()
	return e, s, err
}

// PutBlob keeps bytes that evidence names by digest, and gives that digest.
func (l *Ledger) PutBlob(ctx context.Context, b []byte) (verdict.Digest, error) {
	return l.blobs.Put(ctx, b)
}

// Blob gives bytes that PutBlob kept.
func (l *Ledger) Blob(ctx context.Context, d verdict.Digest) ([]byte, error) {
	return l.blobs.Get(ctx, d)
}

// BlobSize is how many bytes a blob has, without reading them.
func (l *Ledger) BlobSize(ctx context.Context, d verdict.Digest) (int64, error) {
	i, err := l.blobs.Stat(ctx, d)
	return i.Size, err
}

// BlobUser is what evidence is about that names a blob.
type BlobUser struct {
	Kind                       verdict.Kind
	Service, Team, Environment string // of its context
}

// usersAsked is of how many entries that name a blob it is told what they are about: rules and
// maps are named by every decision.
const usersAsked = 10_000

// BlobUsers tells what the evidence is about that names a blob: the newest of it, each once.
func (l *Ledger) BlobUsers(ctx context.Context, d verdict.Digest) (out []BlobUser, err error) {
	err = l.view(ctx, func(v *store.View, _ store.Head) error {
		rows, err := v.BlobUsers(ctx, string(d), usersAsked)
		for _, r := range rows {
			out = append(out, BlobUser{verdict.Kind(r.Kind), r.Service, r.Team, r.Environment})
		}
		return err
	})
	return out, err
}
