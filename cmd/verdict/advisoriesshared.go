package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"verdict"
	"verdict/advisory"
	"verdict/blob"
	"verdict/store"
)

// Who works on one database from folders of their own, as the replicas of a server do, have one
// set of vulnerability data. Each has a copy of the index to read. The newest lies in the blob
// store, and a row of the database names it: who changes it takes that first, matches again what
// was built, and shares what came of it. The others take it, and match nothing: what changed was
// recorded by then, and is not recorded twice.

const sharedAdvisories = "advisories"

// sharedPart is how much of the index is one blob, in bytes: so much of it is in memory.
const sharedPart = 8 << 20

// sharesAdvisories reports whether others have the same ledger in folders of their own.
func (w *workspace) sharesAdvisories() bool {
	if w.app.hosted != nil {
		return w.app.hosted.host.sharing
	}
	return w.store != nil && w.app.config.Database != ""
}

// beforeChange takes the newest index, and keeps it until what is about to change was matched.
func (a *app) beforeChange(ctx context.Context, index string) (err error) {
	if a.hosted != nil || a.config.Database != "" && a.config.Server == "" {
		w, err := a.open(ctx)
		if err != nil {
			return err
		}
		defer w.end(&err)
		if err := w.takeOrDrop(ctx, index); err != nil {
			return err
		}
	}
	return keepBefore(index)
}

// takeOrDrop takes the newest index. Of one whose blobs are lost nobody has any use: then this
// one is the newest.
func (w *workspace) takeOrDrop(ctx context.Context, index string) error {
	if !w.sharesAdvisories() {
		return nil
	}
	newest, err := w.takeShared(ctx, index)
	if !errors.Is(err, blob.ErrNotFound) && !errors.Is(err, blob.ErrCorrupt) {
		return err
	}
	w.app.log.Warn("the shared vulnerability data are lost", "error", err.Error(), "fix", "none is needed: the copy that is here takes their place")
	_, err = w.store.ShareFile(ctx, sharedAdvisories, newest, store.SharedFile{})
	return err
}

// takeShared puts the newest index in the place of the one here, unless that is it, and gives its
// row. What was begun here and came to no end is forgotten: the newest was matched.
func (w *workspace) takeShared(ctx context.Context, index string) (store.SharedFile, error) {
	newest, err := w.store.SharedFile(ctx, sharedAdvisories)
	if err != nil || newest.Digest == "" {
		return newest, err
	}
	if here, err := fileDigest(index); err != nil || here != newest.Digest {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return newest, err
		}
		if err := w.fetchShared(ctx, newest, index); err != nil {
			return newest, err
		}
	}
	if err := os.Remove(beforeFile(index)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return newest, err
	}
	return newest, nil
}

// fetchShared writes an index from its blobs: whole, or not at all.
func (w *workspace) fetchShared(ctx context.Context, x store.SharedFile, index string) (err error) {
	out, err := os.CreateTemp(filepath.Dir(index), filepath.Base(index)+".*.new")
	if err != nil {
		return noPlace(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(out.Name()))
		}
	}()
	err = w.writeShared(ctx, x, out)
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	readable, err := advisory.Open(out.Name()) // that of another version may be none for this one
	if err != nil {
		return err
	}
	if err := readable.Close(); err != nil {
		return err
	}
	return os.Rename(out.Name(), index)
}

func (w *workspace) writeShared(ctx context.Context, x store.SharedFile, out *os.File) error {
	sum := sha256.New()
	for _, p := range x.Parts {
		b, err := w.own.Blob(ctx, verdict.Digest(p))
		if err != nil {
			return err
		}
		_, _ = sum.Write(b) // it never fails
		if _, err := out.Write(b); err != nil {
			return noPlace(err)
		}
	}
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); got != x.Digest {
		return fmt.Errorf("the shared vulnerability data are %s and not %s: %w", got, x.Digest, blob.ErrCorrupt)
	}
	return out.Sync()
}

// share makes the index here that of all, in the place of the one that the change began with.
func (w *workspace) share(ctx context.Context, index string) error {
	if !w.sharesAdvisories() {
		return nil
	}
	newest, err := w.store.SharedFile(ctx, sharedAdvisories)
	if err != nil {
		return err
	}
	if newest.Digest != "" {
		began, err := fileDigest(beforeFile(index))
		if err != nil {
			return err
		}
		if began != newest.Digest {
			return overtaken()
		}
	}
	x, err := w.putShared(ctx, index, newest)
	if err != nil {
		return err
	}
	did, err := w.store.ShareFile(ctx, sharedAdvisories, newest, x)
	if err == nil && !did {
		err = overtaken()
	}
	return err
}

func overtaken() error {
	return &verdict.Error{Code: verdict.CodeConflict, What: "somebody else changed the vulnerability data of this ledger meanwhile, and theirs stand", Remedy: "do it again: it begins with theirs then"}
}

// putShared puts an index into blobs. Those of the newest are there, and stay as long as it is.
func (w *workspace) putShared(ctx context.Context, index string, newest store.SharedFile) (x store.SharedFile, err error) {
	in, err := os.Open(index)
	if err != nil {
		return x, err
	}
	defer in.Close()
	sum, part := sha256.New(), make([]byte, sharedPart)
	for {
		n, err := io.ReadFull(in, part)
		if n > 0 {
			_, _ = sum.Write(part[:n]) // it never fails
			d := string(blob.DigestOf(part[:n]))
			if !slices.Contains(newest.Parts, d) {
				if _, err := w.own.PutBlob(ctx, part[:n]); err != nil {
					return x, err
				}
			}
			x.Parts = append(x.Parts, d)
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			x.Digest = "sha256:" + hex.EncodeToString(sum.Sum(nil))
			return x, nil
		default:
			return x, err
		}
	}
}

// fileDigest is the digest of a file's bytes.
func fileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}
