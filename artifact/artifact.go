// Package artifact is the third layer: what was built, named by its digest. It reads what
// a registry holds under a reference (manifests, indexes of several platforms, the
// configuration with its time and base), tells when a tag moved, and finds the evidence
// that lies beside an image: OCI referrers with Sigstore bundles, and what older cosign
// attached under tags.
//
// A tag is resolved once; everything after that is about the digest. The package reads
// bytes through Store and knows no network: its leaf artifact/registry does.
package artifact

import (
	"context"
	"fmt"
	"io"

	"verdict"
)

// Limits of what is read of an image, besides its layers.
const (
	MaxManifest  = 4 << 20 // bytes of one manifest or index
	MaxConfig    = 8 << 20 // bytes of one configuration
	maxDepth     = 3       // of an index in an index
	maxManifests = 256     // of one index, with those of the indexes in it
	maxReferrers = 1000    // of one digest that are looked at
)

// Store is where the content of one repository is read by its digest: a registry, or a
// file that holds images. What it gives has the digest that was asked for.
type Store interface {
	// Manifest gives a manifest or index. One that is not there is an *verdict.Error with
	// CodeNotFound.
	Manifest(ctx context.Context, d verdict.Digest) (Manifest, error)
	// Blob opens a configuration or layer. Its reader fails at the end when the bytes are
	// not those of the digest, and earlier when they are more than the descriptor says.
	Blob(ctx context.Context, d Descriptor) (io.ReadCloser, error)
}

// Remote is a repository in a registry: a Store with tags, and with what refers to a digest.
type Remote interface {
	Store
	// Tagged asks once what a tag names now.
	Tagged(ctx context.Context, tag string) (Manifest, error)
	// Referrers lists the manifests that name d as their subject, by the referrers API
	// and by the fallback tag.
	Referrers(ctx context.Context, d verdict.Digest) ([]Descriptor, error)
}

// blob reads all of a small blob.
func blob(ctx context.Context, s Store, d Descriptor, most int64) ([]byte, error) {
	if d.Size > most {
		return nil, tooLarge(fmt.Sprintf("%s in the registry has %d bytes, and at most %d are read", d.Digest, d.Size, most))
	}
	r, err := s.Blob(ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(b)) > most {
		err = tooLarge(fmt.Sprintf("%s in the registry has more than %d bytes", d.Digest, most))
	}
	return b, err
}

func tooLarge(what string) error {
	return &verdict.Error{
		Code: verdict.CodeLimit, What: what,
		Remedy: "check that the reference names an image; content of this size is no manifest or configuration that a build tool writes",
	}
}

func strange(what string, cause error) error {
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: what,
		Remedy: "push the image again with a current tool (OCI image format 1.0 or Docker's version 2 schema 2); if the registry altered it, tell whoever runs it", Err: cause,
	}
}

// Resolve asks once what a reference names now. Where it has a digest, that counts.
func Resolve(ctx context.Context, s Remote, r Reference) (Manifest, error) {
	if r.Digest != "" {
		return s.Manifest(ctx, r.Digest)
	}
	return s.Tagged(ctx, r.Tag)
}
