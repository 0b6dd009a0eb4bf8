package registry

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"verdict"
	"verdict/artifact"
)

// A tag of several platforms is recorded with all of them, or a gate would not know that
// the digest which runs is the one that was trusted.
func TestAnIndexKeepsTheLinkToItsManifests(t *testing.T) {
	c := opened(t, served(t, ggcr.New(quiet())))
	base := pushed(t, c, "", "2026-01-02T03:04:05Z", nil)
	amd := pushed(t, c, "", "2026-02-02T00:00:00Z", map[string]string{
		"org.opencontainers.image.base.name": c.ref.Name, "org.opencontainers.image.base.digest": string(base.Digest),
	})
	arm := pushed(t, c, "", "2026-02-02T00:00:01Z", nil)
	amd.Platform, arm.Platform = &artifact.Platform{OS: "linux", Architecture: "amd64"}, &artifact.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}
	index := putRaw(t, c, "v1", artifact.TypeIndex, asJSON(t, map[string]any{
		"schemaVersion": 2, "mediaType": artifact.TypeIndex, "manifests": []any{arm, amd},
	}))
	ctx := context.Background()
	m, err := artifact.Resolve(ctx, c, c.ref)
	if err != nil {
		t.Fatal(err)
	}
	builtAt := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	i, err := artifact.Identify(ctx, c, c.ref, m, func(_ context.Context, name string, d verdict.Digest) (time.Time, bool) {
		return builtAt, name == c.ref.Name && d == base.Digest
	})
	if err != nil {
		t.Fatal(err)
	}
	if i.Digest != index.Digest || i.Tag != "v1" || len(i.Platforms) != 2 || i.Platforms[0].Architecture != "amd64" || i.Platforms[1].Digest != arm.Digest {
		t.Errorf("identity is %+v", i.Image)
	}
	if len(i.Children) != 2 || i.Children[0].Index != index.Digest || i.Children[0].Digest != amd.Digest {
		t.Fatalf("the manifests do not name their index: %+v", i.Children)
	}
	if b := i.Children[0].Base; b.State != verdict.StatePresent || b.Digest != base.Digest || !b.Created.Equal(builtAt) {
		t.Errorf("base is %+v", b)
	}
	if b := i.Children[1].Base; b.State != verdict.StateMissing {
		t.Errorf("an image that names no base has %+v", b)
	}
	if n := len(i.Subjects()); n != 3 {
		t.Errorf("a statement would be about %d subjects, not about the index and both manifests", n)
	}
}

// Evidence that was pushed must be found from the digest alone, on registries with and
// without the referrers API, and pushing it again must add nothing.
func TestWhatIsAttachedIsFoundAgain(t *testing.T) {
	for name, host := range map[string]string{
		"with referrers": served(t, ggcr.New(quiet(), ggcr.WithReferrersSupport(true))), "without": served(t, ggcr.New(quiet())),
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			c := opened(t, host)
			image := pushed(t, c, "v1", "2026-02-02T00:00:00Z", nil)
			a := Attachment{ArtifactType: "application/vnd.dev.sigstore.bundle.v0.3+json", Body: []byte(`{"a":1}`), Annotations: map[string]string{"k": "v"}}
			var digests []verdict.Digest
			for range 2 {
				d, err := c.Attach(ctx, image, a)
				if err != nil {
					t.Fatal(err)
				}
				digests = append(digests, d)
			}
			found, err := c.Referrers(ctx, image.Digest)
			if err != nil || len(found) != 1 || found[0].Digest != digests[0] || digests[0] != digests[1] {
				t.Errorf("found %+v (%v) for %v", found, err, digests)
			}
		})
	}
}

// Two pipelines that push at once into a registry without referrers must not lose each
// other's evidence, nor what a third tool put there.
func TestTheFallbackIndexLosesNothing(t *testing.T) {
	host := served(t, ggcr.New(quiet()))
	c := opened(t, host)
	image := pushed(t, c, "v1", "2026-02-02T00:00:00Z", nil)
	strange := `{"mediaType":"application/x","digest":"` + string(hexes("a")) + `","size":3,"futureField":[1]}`
	putRaw(t, c, fallbackTag(image.Digest), artifact.TypeIndex, []byte(`{"schemaVersion":2,"mediaType":"`+artifact.TypeIndex+`","manifests":[`+strange+`]}`))
	var g sync.WaitGroup
	for n := range 4 {
		own := opened(t, host)
		g.Go(func() {
			a := Attachment{ArtifactType: "application/x", Body: []byte{byte('0' + n)}}
			if _, err := own.Attach(context.Background(), image, a); err != nil {
				t.Errorf("writer %d: %v", n, err)
			}
		})
	}
	g.Wait()
	index, _, err := c.fallback(context.Background(), image.Digest)
	if err != nil || len(index.Manifests) != 5 {
		t.Errorf("the index has %d entries (%v), and four were added to one", len(index.Manifests), err)
	}
	if !slices.ContainsFunc(index.Manifests, func(m json.RawMessage) bool { return string(m) == strange }) {
		t.Error("the entry of another tool was changed or lost")
	}
}

// What comes from a registry by digest has that digest, or is refused.
func TestOtherBytesThanTheDigestAreRefused(t *testing.T) {
	ctx := context.Background()
	lying := opened(t, served(t, liar(ggcr.New(quiet()))))
	image := pushed(t, lying, "v1", "2026-02-02T00:00:00Z", nil)
	if _, err := lying.Manifest(ctx, image.Digest); code(err) != verdict.CodeRefused {
		t.Errorf("a manifest with other bytes: %v", err)
	}
	r, err := lying.Blob(ctx, artifact.Descriptor{Digest: digestOf("sha256", []byte("layer of 2026-02-02T00:00:00Z"))})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); code(err) != verdict.CodeRefused {
		t.Errorf("a blob with other bytes: %v", err)
	}
}

func TestAMissingImageIsNotFound(t *testing.T) {
	c := opened(t, served(t, ggcr.New(quiet())))
	if _, err := c.Tagged(context.Background(), "gone"); code(err) != verdict.CodeNotFound {
		t.Errorf("a tag that is not there: %v", err)
	}
}

func code(err error) verdict.Code {
	var e *verdict.Error
	if !errors.As(err, &e) || e.Remedy == "" {
		return ""
	}
	return e.Code
}

// Evidence about one image must not be read as evidence about another.
func TestWhatRefersToAnotherDigestIsNoEvidence(t *testing.T) {
	ctx := context.Background()
	c := opened(t, served(t, ggcr.New(quiet())))
	image := pushed(t, c, "v1", "2026-02-02T00:00:00Z", nil)
	other := pushed(t, c, "", "2026-02-02T00:00:01Z", nil)
	entry, err := c.Attach(ctx, other, Attachment{ArtifactType: "application/vnd.dev.sigstore.bundle.v0.3+json", Body: []byte(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	putRaw(t, c, fallbackTag(image.Digest), artifact.TypeIndex, asJSON(t, map[string]any{
		"schemaVersion": 2, "mediaType": artifact.TypeIndex, "manifests": []any{artifact.Descriptor{MediaType: artifact.TypeManifest, Digest: entry}},
	}))
	found, err := artifact.Beside(ctx, c, image.Digest)
	if err != nil || len(found) != 1 || found[0].Bundle != nil || !strings.Contains(found[0].Note, "not to this digest") {
		t.Errorf("found %+v, %v", found, err)
	}
}
