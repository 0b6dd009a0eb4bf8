package registry

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"verdict"
	"verdict/artifact"
)

// served is a registry in this process.
func served(t *testing.T, h http.Handler) (host string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func quiet() ggcr.Option { return ggcr.Logger(log.New(io.Discard, "", 0)) }

// opened gives a client of a repository of it, with little patience.
func opened(t *testing.T, host string) *Client {
	t.Helper()
	c, err := dial(host, Options{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func dial(host string, o Options) (*Client, error) {
	r, err := artifact.ParseReference(host + "/acme/app:v1")
	if err != nil {
		return nil, err
	}
	if o.Headers == 0 {
		o.Headers, o.Idle = 2*time.Second, time.Second
	}
	return Open(context.Background(), r, o)
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pushed puts an image of one small layer into the repository, under a tag if one is given.
func pushed(t *testing.T, c *Client, tag, created string, annotations map[string]string) artifact.Descriptor {
	t.Helper()
	layer := []byte("layer of " + created)
	config := asJSON(t, map[string]any{"created": created, "os": "linux", "architecture": "amd64", "rootfs": map[string]any{"type": "layers"}})
	put := func(mediaType string, b []byte) artifact.Descriptor {
		d := artifact.Descriptor{MediaType: mediaType, Digest: digestOf("sha256", b), Size: int64(len(b))}
		if err := c.putBlob(context.Background(), d, b); err != nil {
			t.Fatal(err)
		}
		return d
	}
	raw := asJSON(t, map[string]any{
		"schemaVersion": 2, "mediaType": artifact.TypeManifest, "config": put(artifact.TypeConfig, config),
		"layers": []any{put("application/vnd.oci.image.layer.v1.tar", layer)}, "annotations": annotations,
	})
	return putRaw(t, c, tag, artifact.TypeManifest, raw)
}

func putRaw(t *testing.T, c *Client, tag, mediaType string, raw []byte) artifact.Descriptor {
	t.Helper()
	d := artifact.Descriptor{MediaType: mediaType, Digest: digestOf("sha256", raw), Size: int64(len(raw))}
	for _, id := range []string{string(d.Digest), tag} {
		if id == "" {
			continue
		}
		if err := c.putManifest(context.Background(), id, mediaType, raw); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// hexes is a digest made of one digit.
func hexes(digit string) verdict.Digest {
	return verdict.NewDigest("sha256", strings.Repeat(digit, 64))
}
