package main

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"time"

	"verdict"
	"verdict/artifact"
	"verdict/artifact/registry"
	"verdict/evidence"
	"verdict/ledger"
)

func artifactCommand() command {
	return command{
		use: "artifact", short: "Decide whether an artifact is trusted; name images by digest, and carry their evidence to and from a registry",
		long: "An image is named by the digest of its manifest or index. A tag is resolved once, what it named is recorded, and everything after that is about the digest: " +
			"when the tag names another one later, that is told.",
		sub: []command{artifactTrustCommand(), artifactShowCommand(), artifactRecordCommand(), artifactSBOMCommand(), artifactPushCommand(), artifactPullCommand()},
	}
}

// aboutRegistry is what the commands that ask a registry have in common.
const aboutRegistry = "The registry is asked over TLS (one on this machine also without), with the credentials that Docker's configuration (DOCKER_CONFIG) keeps for exactly its host. " +
	"What it gives must have the digest that was asked for, and a redirect to an internal address is not followed."

// remote reaches the registry of a reference.
func (a *app) remote(ctx context.Context, r artifact.Reference, o registry.Options) (*registry.Client, error) {
	if a.config.Offline {
		return nil, &verdict.Error{
			Code: verdict.CodeUnavailable, What: r.Host() + " cannot be asked: --offline forbids it",
			Remedy: "leave --offline out",
		}
	}
	o.DockerConfig = a.env.get("DOCKER_CONFIG")
	if home := a.env.get("HOME"); o.DockerConfig == "" && filepath.IsAbs(home) {
		o.DockerConfig = filepath.Join(home, ".docker")
	}
	a.progress.phase("Asking " + r.Host())
	return registry.Open(ctx, r, o)
}

// identified resolves a reference once and reads what it names.
func (a *app) identified(ctx context.Context, c *registry.Client, r artifact.Reference) (artifact.Identity, error) {
	m, err := artifact.Resolve(ctx, c, r)
	if err != nil {
		return artifact.Identity{}, err
	}
	return artifact.Identify(ctx, c, r, m, a.baseBuilt)
}

// baseBuilt asks when a base was built. An image names its base, so the registry of that
// is a stranger's word: it gets no credentials, and an internal address is not asked.
func (a *app) baseBuilt(ctx context.Context, name string, d verdict.Digest) (time.Time, bool) {
	r, err := artifact.ParseReference(name)
	if err != nil {
		return time.Time{}, false
	}
	r = r.At(d)
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	c, err := a.remote(ctx, r, registry.Options{Stranger: true, Headers: 10 * time.Second, Idle: 10 * time.Second})
	if err != nil {
		return time.Time{}, false
	}
	m, err := c.Manifest(ctx, d)
	if err != nil {
		return time.Time{}, false
	}
	i, err := artifact.Identify(ctx, c, r, m, nil)
	if err != nil {
		return time.Time{}, false
	}
	at := i.Created
	for _, c := range i.Children { // of an index, the platform that was built last
		if c.Created.After(at) {
			at = c.Created
		}
	}
	return at, !at.IsZero()
}

// sightings are what a tag was recorded to name, the last word of our own keys.
func (w *workspace) sightings(ctx context.Context, name, tag string, at ledger.Position) ([]artifact.Sighting, error) {
	entries, err := w.ledger.Standing(ctx, verdict.KindImage, ledger.TagName(name, tag), at)
	if err != nil {
		return nil, err
	}
	var out []artifact.Sighting
	for _, e := range entries {
		s := artifact.Sighting{At: e.At, Entry: e.Index}
		if err := w.decode(ctx, e.Index, &s.Image); err != nil {
			return nil, fmt.Errorf("image in entry %d: %w", e.Index, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// recorded are the records that one of this image could repeat: of its tag, or of its
// digest where it was asked by that.
func (w *workspace) recorded(ctx context.Context, i *artifact.Identity) ([]artifact.Sighting, error) {
	if i.Tag != "" {
		return w.sightings(ctx, i.Name, i.Tag, ledger.Now)
	}
	image, entry, err := w.lastImage(ctx, i.Digest, ledger.Now)
	if err != nil || image == nil || image.Name != i.Name {
		return nil, err
	}
	return []artifact.Sighting{{Image: *image, At: entry.At, Entry: entry.Index}}, nil
}

// recordImage records what a registry says of a reference, once for the same answer: one
// statement about the manifest or index with each of its platforms, and one for each
// manifest that was found through the index. moved tells that the tag named another
// digest when it was last recorded.
func (w *workspace) recordImage(ctx context.Context, i *artifact.Identity, c verdict.Context) (e ledger.Entry, known bool, moved *artifact.Move, err error) {
	before, err := w.recorded(ctx, i)
	if err != nil {
		return e, false, nil, err
	}
	if moved = artifact.Moved(before, i.Image); moved != nil {
		i.Moved = &verdict.TagMove{From: moved.From, Entry: moved.Entry}
	} else if len(before) > 0 {
		i.Moved = before[0].Image.Moved
	}
	for _, b := range before {
		if i.Tag == "" { // what it was asked by then says nothing about the digest
			b.Image.Tag, b.Image.Moved, i.Moved = "", nil, nil
		}
		if reflect.DeepEqual(b.Image, i.Image) {
			e, err = w.ledger.Entry(ctx, b.Entry)
			return e, true, nil, err
		}
	}
	c.At, c.Actor, c.Retention = w.now(), w.actor(), "release"
	bundles := make([]*evidence.Bundle, 0, 1+len(i.Children))
	add := func(image verdict.Image, subjects []verdict.Subject) error {
		s, err := evidence.New(verdict.KindImage, subjects, image, c, w.app.rand)
		if err != nil {
			return err
		}
		b, err := evidence.Sign(ctx, s, w.signer)
		bundles = append(bundles, b)
		return err
	}
	if err := add(i.Image, i.Subjects()); err != nil {
		return e, false, nil, err
	}
	for _, child := range i.Children {
		about := verdict.Subject{Kind: verdict.SubjectArtifact, Name: child.Name, Digest: child.Digest}
		if err := add(child, []verdict.Subject{about}); err != nil {
			return e, false, nil, err
		}
	}
	entries, err := w.ledger.AppendAll(ctx, bundles)
	if err != nil {
		return e, false, nil, err
	}
	return entries[0], entries[0].Digest != bundles[0].PayloadDigest(), moved, nil
}
