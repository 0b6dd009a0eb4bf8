package artifact

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"verdict"
	"verdict/evidence"
)

// crowded is a registry in which somebody attached things to an image, and counts what it is
// asked for.
type crowded struct {
	memory
	refer []Descriptor
	asked int
}

func (c *crowded) Tagged(context.Context, string) (Manifest, error) {
	return Manifest{}, &verdict.Error{Code: verdict.CodeNotFound, What: "no such tag", Remedy: "none"}
}

func (c *crowded) Referrers(context.Context, verdict.Digest) ([]Descriptor, error) {
	return slices.Clone(c.refer), nil
}

func (c *crowded) Blob(ctx context.Context, d Descriptor) (io.ReadCloser, error) {
	c.asked++
	if c.memory[d.Digest] == nil {
		return nil, &verdict.Error{Code: verdict.CodeNotFound, What: "no such blob", Remedy: "none"}
	}
	return c.memory.Blob(ctx, d)
}

// attach puts a manifest with so many documents of a type beside an image.
func (c *crowded) attach(subject Descriptor, documents int, kind string, d verdict.Digest) {
	layers := make([]Descriptor, documents)
	for i := range layers {
		layers[i] = Descriptor{MediaType: kind, Digest: d, Size: 1}
	}
	c.refer = append(c.refer, c.put(map[string]any{
		"schemaVersion": 2, "mediaType": TypeManifest, "config": Descriptor{MediaType: "application/vnd.oci.empty.v1+json", Digest: sha([]byte("{}")), Size: 2},
		"layers": layers, "subject": subject, "annotations": map[string]string{"n": strings.Repeat("x", len(c.refer))},
	}))
}

// Who may push to a repository may attach to its images what they like. An answer that takes
// hours, or all memory, is none.
func TestWhatLiesBesideAnImageIsBounded(t *testing.T) {
	gone := sha([]byte("gone"))
	image := Descriptor{MediaType: TypeManifest, Digest: sha([]byte("image")), Size: 5}
	t.Run("documents that are not there", func(t *testing.T) {
		c := &crowded{memory: memory{}}
		for range 40 {
			c.attach(image, 1500, evidence.DSSEType, gone)
		}
		_, err := Beside(t.Context(), c, image.Digest)
		if codeOf(err) != verdict.CodeLimit || c.asked > maxDocuments {
			t.Errorf("%d documents were asked for: %v", c.asked, err)
		}
	})
	t.Run("what refers to another image counts for nothing, and is told", func(t *testing.T) {
		c := &crowded{memory: memory{}}
		c.attach(Descriptor{MediaType: TypeManifest, Digest: gone, Size: 5}, 1500, evidence.DSSEType, gone)
		found, err := Beside(t.Context(), c, image.Digest)
		if err != nil || c.asked > 0 || len(found) != 1 || !strings.Contains(found[0].Note, "not to this digest") {
			t.Errorf("asked %d, %d found: %v", c.asked, len(found), err)
		}
	})
	t.Run("more manifests than are looked at", func(t *testing.T) {
		c := &crowded{memory: memory{}, refer: make([]Descriptor, 10_000)}
		if _, err := Beside(t.Context(), c, image.Digest); codeOf(err) != verdict.CodeLimit {
			t.Error(err)
		}
	})
}
