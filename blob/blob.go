// Package blob keeps bytes by their content: what is too large for a row of the ledger
// lies here under its sha256 digest, and nothing else names it.
//
// Drivers are leaves (blob/dir and others) and pass the suite in blob/blobtest.
package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"verdict"
)

// DefaultMaxSize is the largest blob that a store takes unless it was opened with
// another limit.
const DefaultMaxSize = 256 << 20

// Store keeps blobs. All methods may be called at the same time, also by several
// processes on one store.
type Store interface {
	// Put stores b and gives its digest. When it returns without error, b survives a
	// crash of the machine. Putting the same bytes again is no error: it renews the
	// time of the last put, which protects the blob from a sweep, and it repairs a
	// blob that was damaged. Whoever is about to refer to a blob puts it first, also
	// when he believes that it is there. Bytes beyond the limit are an *verdict.Error
	// with CodeLimit.
	Put(ctx context.Context, b []byte) (verdict.Digest, error)

	// Get gives the bytes, checked against the digest. It fails with ErrNotFound when
	// there is no such blob and with ErrCorrupt when the bytes are not those of d.
	Get(ctx context.Context, d verdict.Digest) ([]byte, error)

	// Stat says what is known without reading the bytes, or fails with ErrNotFound.
	Stat(ctx context.Context, d verdict.Digest) (Info, error)

	// Delete removes the blob unless it was put at or after unusedSince, and reports
	// whether it did. No put can slip between that comparison and the removal. It is
	// no error when there is no such blob. Only a Sweeper should call it.
	Delete(ctx context.Context, d verdict.Digest, unusedSince time.Time) (bool, error)

	// List calls each for every blob, in the order of their digests, until it returns
	// an error, which List returns. Blobs that come or go meanwhile may be missed.
	List(ctx context.Context, each func(Info) error) error
}

// Info describes a blob without its bytes.
type Info struct {
	Digest verdict.Digest
	Size   int64     // bytes
	Put    time.Time // of the last put, UTC
}

// The errors that callers tell apart, with errors.Is. They come wrapped in a
// *verdict.Error.
var (
	ErrNotFound = errors.New("no such blob")
	ErrCorrupt  = errors.New("the bytes are not those of the digest")
)

// DigestOf is the digest under which b is stored.
func DigestOf(b []byte) verdict.Digest {
	sum := sha256.Sum256(b)
	return verdict.NewDigest("sha256", hex.EncodeToString(sum[:]))
}

// Key checks that d can name a blob and gives the hex digits that drivers build paths
// from. Nothing but sha256 names a blob.
func Key(d verdict.Digest) (string, error) {
	p, err := verdict.ParseDigest(string(d))
	if err == nil && p.Algorithm() != "sha256" {
		err = &verdict.Error{
			Code: verdict.CodeInvalid, What: fmt.Sprintf("%q cannot name a blob", d),
			Remedy: "give the sha256 digest of the bytes",
		}
	}
	if err != nil {
		return "", err
	}
	return p.Hex(), nil
}

// NotFound is the error of a driver that has no blob d.
func NotFound(d verdict.Digest) error {
	return &verdict.Error{
		Code: verdict.CodeNotFound, What: fmt.Sprintf("blob %s is not in the store", d.Short()),
		Remedy: "restore the blob store from the same backup as the ledger, then run verdict log verify",
		Err:    ErrNotFound,
	}
}

// Corrupt is the error of a driver whose bytes of d are others; detail says what is wrong.
func Corrupt(d verdict.Digest, detail string) error {
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: fmt.Sprintf("blob %s was changed in the store: %s", d.Short(), detail),
		Remedy: "restore this blob from a backup, then run verdict log verify; a store that changes bytes must not be trusted",
		Err:    ErrCorrupt,
	}
}

// TooLarge is the error of a driver for size bytes beyond its limit.
func TooLarge(size, limit int64) error {
	return &verdict.Error{
		Code: verdict.CodeLimit, What: fmt.Sprintf("a blob of %d bytes is beyond the limit of %d", size, limit),
		Remedy: "split the evidence, or raise the blob limit in the configuration",
	}
}
