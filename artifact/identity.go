package artifact

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"verdict"
)

// Annotations of OCI images that say what an image was built on and when
// (image-spec, annotations.md).
const (
	annotationBaseName   = "org.opencontainers.image.base.name"
	annotationBaseDigest = "org.opencontainers.image.base.digest"
	annotationCreated    = "org.opencontainers.image.created"
)

// Identity is what a registry says of a digest, with the images of its platforms where it
// is an index.
type Identity struct {
	verdict.Image
	// Children are the images of the platforms of an index, in the order of
	// Image.Platforms; each names the index. Empty for one manifest.
	Children []verdict.Image
	// Remarks say what was left out or could not be read, for people.
	Remarks []string
}

// Subjects are what a statement of this identity is about: the manifest or index, and
// each manifest of a platform.
func (i Identity) Subjects() []verdict.Subject {
	out := []verdict.Subject{{Kind: verdict.SubjectArtifact, Name: i.Name, Digest: i.Digest}}
	for _, p := range i.Platforms {
		if !slices.ContainsFunc(out, func(s verdict.Subject) bool { return s.Digest == p.Digest }) {
			out = append(out, verdict.Subject{Kind: verdict.SubjectArtifact, Name: i.Name, Digest: p.Digest})
		}
	}
	return out
}

// Bases finds when the base of an image was built; false where that cannot be had. A nil
// Bases finds nothing.
type Bases func(ctx context.Context, name string, d verdict.Digest) (time.Time, bool)

// Identify reads what m is: one image, or an index with its platforms. An index that
// contains itself, or nests deeper than three, is an *verdict.Error with CodeInvalid.
func Identify(ctx context.Context, s Store, r Reference, m Manifest, bases Bases) (Identity, error) {
	c, err := m.Parse()
	if err != nil {
		return Identity{}, err
	}
	out := Identity{Image: verdict.Image{
		Name: r.Name, Digest: m.Digest, MediaType: c.MediaType, Tag: r.Tag, Size: int64(len(m.Raw)), Platforms: []verdict.Platform{},
		Base: verdict.BaseImage{State: verdict.StateMissing},
	}}
	if r.Digest != "" {
		out.Tag = "" // nobody asked what it names
	}
	x := &identifying{store: s, bases: bases, name: r.Name, index: m.Digest, known: map[string]time.Time{}}
	if !c.IsIndex() {
		x.index = ""
		if err := x.describe(ctx, &out.Image, c); err != nil {
			return Identity{}, err
		}
		out.Remarks = x.remarks
		return out, nil
	}
	if err := x.walk(ctx, c, []verdict.Digest{m.Digest}); err != nil {
		return Identity{}, err
	}
	slices.SortFunc(x.images, func(a, b child) int { return comparePlatforms(a.platform, b.platform) })
	for _, i := range x.images {
		out.Platforms, out.Children = append(out.Platforms, i.platform), append(out.Children, i.image)
	}
	out.Created = timeOf(c.Annotations[annotationCreated])
	out.Base = x.base(ctx, c.Annotations)
	out.Remarks = x.remarks
	return out, nil
}

func comparePlatforms(a, b verdict.Platform) int {
	return cmp.Or(cmp.Compare(a.OS, b.OS), cmp.Compare(a.Architecture, b.Architecture), cmp.Compare(a.Variant, b.Variant), cmp.Compare(a.Digest, b.Digest))
}

// identifying is one reading of an index.
type identifying struct {
	store   Store
	bases   Bases
	name    string
	index   verdict.Digest
	images  []child
	remarks []string
	known   map[string]time.Time // when bases were built
}

type child struct {
	platform verdict.Platform
	image    verdict.Image
}

// walk reads the manifests of an index; path are the indexes that lead to it.
func (x *identifying) walk(ctx context.Context, c Content, path []verdict.Digest) error {
	for _, d := range c.Manifests {
		if len(x.images) >= maxManifests {
			return tooLarge(fmt.Sprintf("the index %s has more than %d manifests", x.index, maxManifests))
		}
		if slices.Contains(path, d.Digest) {
			return strange(fmt.Sprintf("the index %s contains itself", d.Digest), nil)
		}
		if d.Annotations["vnd.docker.reference.type"] == "attestation-manifest" {
			x.remark("%s in the index is an attestation of the build tool, no platform: it is not signed and was not read", d.Digest)
			continue
		}
		m, err := x.store.Manifest(ctx, d.Digest)
		if err != nil {
			return fmt.Errorf("manifest %s of the index %s: %w", d.Digest, path[len(path)-1], err)
		}
		content, err := m.Parse()
		if err != nil {
			return err
		}
		if content.IsIndex() {
			if len(path) >= maxDepth {
				return strange(fmt.Sprintf("the index %s nests deeper than %d", x.index, maxDepth), nil)
			}
			if err := x.walk(ctx, content, append(slices.Clone(path), d.Digest)); err != nil {
				return err
			}
			continue
		}
		if err := x.take(ctx, d, m, content); err != nil {
			return err
		}
	}
	return nil
}

// take describes one manifest of the index.
func (x *identifying) take(ctx context.Context, d Descriptor, m Manifest, c Content) error {
	i := verdict.Image{
		Name: x.name, Digest: m.Digest, MediaType: c.MediaType, Size: int64(len(m.Raw)), Index: x.index, Platforms: []verdict.Platform{},
		Base: verdict.BaseImage{State: verdict.StateMissing},
	}
	if err := x.describe(ctx, &i, c); err != nil {
		return err
	}
	p := verdict.Platform{Digest: m.Digest}
	if d.Platform != nil {
		p.OS, p.Architecture, p.Variant = d.Platform.OS, d.Platform.Architecture, d.Platform.Variant
	}
	x.images = append(x.images, child{p, i})
	return nil
}

// describe reads the configuration of an image and what it says of its base.
func (x *identifying) describe(ctx context.Context, i *verdict.Image, c Content) error {
	annotations := map[string]string{}
	if c.Config.MediaType == TypeConfig || c.Config.MediaType == "application/vnd.docker.container.image.v1+json" {
		raw, err := blob(ctx, x.store, c.Config, MaxConfig)
		if err != nil {
			return fmt.Errorf("configuration of %s: %w", i.Digest, err)
		}
		var config struct {
			Created string `json:"created"`
			Config  struct {
				Labels map[string]string `json:"Labels"`
			} `json:"config"`
		}
		if err := json.Unmarshal(raw, &config); err != nil {
			x.remark("the configuration of %s cannot be read (%v): when it was built is not known", i.Digest, err)
		}
		i.Created = timeOf(config.Created)
		for k, v := range config.Config.Labels {
			annotations[k] = v
		}
	} else {
		x.remark("%s has no configuration of an image, but %.100q", i.Digest, c.Config.MediaType)
	}
	for k, v := range c.Annotations { // the manifest's own word goes before a label
		annotations[k] = v
	}
	if i.Created.IsZero() {
		i.Created = timeOf(annotations[annotationCreated])
	}
	i.Base = x.base(ctx, annotations)
	return nil
}

// base is what annotations say of the base, and when that was built where it can be had.
func (x *identifying) base(ctx context.Context, annotations map[string]string) verdict.BaseImage {
	b := verdict.BaseImage{State: verdict.StateMissing, Name: annotations[annotationBaseName]}
	if len(b.Name) > 512 {
		b.Name = b.Name[:512]
	}
	if d, err := verdict.ParseDigest(annotations[annotationBaseDigest]); err == nil && strings.HasPrefix(d.Algorithm(), "sha") {
		b.Digest = d
	} else if annotations[annotationBaseDigest] != "" {
		x.remark("the image calls %.100q the digest of its base, which is none", annotations[annotationBaseDigest])
	}
	if b.Name == "" && b.Digest == "" {
		return b
	}
	b.State = verdict.StatePresent
	if b.Digest == "" || b.Name == "" || x.bases == nil { // the base of then may no longer be what a name stands for
		return b
	}
	key := b.Name + "@" + string(b.Digest)
	at, asked := x.known[key]
	if !asked {
		var found bool
		if at, found = x.bases(ctx, b.Name, b.Digest); !found {
			x.remark("when the base %.200q was built cannot be had from its registry", b.Name)
		}
		x.known[key] = at
	}
	b.Created = at
	return b
}

func (x *identifying) remark(format string, a ...any) {
	const most = 50
	if len(x.remarks) < most {
		x.remarks = append(x.remarks, fmt.Sprintf(format, a...))
	}
}

// timeOf is a time of a configuration; zero where there is none. Tools that build
// reproducibly write the epoch or a fixed date, which is taken as it stands, but for the
// epoch: that says that nobody says.
func timeOf(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Unix() <= 0 {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}
