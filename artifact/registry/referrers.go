package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/artifact"
	"verdict/outward"
)

// Limits of what refers to a digest.
const (
	maxPages     = 20
	maxReferrers = 1000
)

// Referrers lists what names d as its subject. A registry may have got the API after
// somebody pushed under the fallback tag, so both are read.
func (c *Client) Referrers(ctx context.Context, d verdict.Digest) ([]artifact.Descriptor, error) {
	found, _, err := c.listed(ctx, d)
	if err != nil {
		return nil, err
	}
	index, _, err := c.fallback(ctx, d)
	if err != nil {
		return nil, err
	}
	for _, raw := range index.Manifests {
		var x artifact.Descriptor
		if json.Unmarshal(raw, &x) == nil && !slices.ContainsFunc(found, func(f artifact.Descriptor) bool { return f.Digest == x.Digest }) {
			found = append(found, x)
		}
	}
	if len(found) > maxReferrers {
		return nil, c.tooMany(d)
	}
	found = slices.DeleteFunc(found, func(x artifact.Descriptor) bool { _, err := verdict.ParseDigest(string(x.Digest)); return err != nil })
	return found, nil
}

func (c *Client) tooMany(d verdict.Digest) error {
	return &verdict.Error{
		Code: verdict.CodeLimit, What: fmt.Sprintf("%s lists more than %d things that refer to %s", c.ref.Host(), maxReferrers, d),
		Remedy: "find out who attaches them: `cosign tree " + c.ref.At(d).String() + "`",
	}
}

// listed asks the referrers API; known is false for a registry that has none.
func (c *Client) listed(ctx context.Context, d verdict.Digest) (found []artifact.Descriptor, known bool, err error) {
	x := call{method: http.MethodGet, path: c.path("referrers", string(d)), header: http.Header{"Accept": {artifact.TypeIndex}}}
	for range maxPages {
		resp, err := c.do(ctx, x)
		if err != nil {
			return nil, false, err
		}
		switch resp.StatusCode {
		case http.StatusOK:
		case http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable:
			resp.Body.Close()
			return found, false, nil
		default:
			resp.Body.Close()
			return nil, false, c.status(resp, x.what())
		}
		next := resp.Header.Get("Link")
		kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
		raw, err := c.body(resp, x.what(), artifact.MaxManifest)
		if err != nil {
			return nil, false, err
		}
		var index struct {
			Manifests []artifact.Descriptor `json:"manifests"`
		}
		if kind != artifact.TypeIndex || json.Unmarshal(raw, &index) != nil {
			return found, false, nil // some answer any path with a page of theirs
		}
		if found = append(found, index.Manifests...); len(found) > maxReferrers {
			return nil, true, c.tooMany(d)
		}
		if x.url = c.next(next); x.url == nil {
			return found, true, nil
		}
	}
	return nil, true, &verdict.Error{
		Code: verdict.CodeLimit, What: fmt.Sprintf("%s gives page after page of what refers to %s, and %d are read", c.ref.Host(), d, maxPages),
		Remedy: "tell whoever runs the registry: its list has no end, or pages of a few entries each",
	}
}

// next is the next page of a list, on the same host.
func (c *Client) next(link string) *url.URL {
	target, rest, ok := strings.Cut(strings.TrimSpace(link), ">")
	if !ok || !strings.HasPrefix(target, "<") || !strings.Contains(rest, "next") {
		return nil
	}
	u, err := c.base.Parse(target[1:])
	if err != nil || !sameHost(u, c.base) {
		return nil
	}
	return u
}

// fallbackIndex is the index under the fallback tag. Its entries are kept as they are
// written: what others put there is never lost by our adding one.
type fallbackIndex struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Manifests     []json.RawMessage `json:"manifests"`
	Annotations   json.RawMessage   `json:"annotations,omitempty"`
}

// fallback reads the fallback tag; an empty index and no digest where there is none.
func (c *Client) fallback(ctx context.Context, d verdict.Digest) (fallbackIndex, verdict.Digest, error) {
	empty := fallbackIndex{SchemaVersion: 2, MediaType: artifact.TypeIndex, Manifests: []json.RawMessage{}}
	m, err := c.manifest(ctx, fallbackTag(d), "")
	if isNotFound(err) {
		return empty, "", nil
	}
	if err != nil {
		return empty, "", err
	}
	index := empty
	if err := json.Unmarshal(m.Raw, &index); err != nil || index.MediaType != artifact.TypeIndex {
		return empty, "", &verdict.Error{
			Code: verdict.CodeConflict, What: fmt.Sprintf("the tag %s of %s holds something else than an index", fallbackTag(d), c.ref.Name),
			Remedy: "the distribution specification keeps this tag for what refers to the digest: find out who pushed it, and move it to another name", Err: err,
		}
	}
	return index, m.Digest, nil
}

// Attachment is a document that is to lie beside an image.
type Attachment struct {
	ArtifactType string // of the manifest, and of the document in it
	Body         []byte
	Annotations  map[string]string
}

// emptyJSON is the configuration of what has none (image-spec, "Guidance for an Empty Descriptor").
var emptyJSON = []byte("{}")

const typeEmpty = "application/vnd.oci.empty.v1+json"

// Attach pushes a document as a manifest whose subject is the digest, and gives the
// manifest's digest. The same attachment is the same manifest, so it can be repeated.
func (c *Client) Attach(ctx context.Context, subject artifact.Descriptor, a Attachment) (verdict.Digest, error) {
	config := artifact.Descriptor{MediaType: typeEmpty, Digest: digestOf("sha256", emptyJSON), Size: int64(len(emptyJSON))}
	layer := artifact.Descriptor{MediaType: a.ArtifactType, Digest: digestOf("sha256", a.Body), Size: int64(len(a.Body))}
	for _, x := range []struct {
		d artifact.Descriptor
		b []byte
	}{{config, emptyJSON}, {layer, a.Body}} {
		if err := c.putBlob(ctx, x.d, x.b); err != nil {
			return "", err
		}
	}
	raw, err := json.Marshal(struct {
		SchemaVersion int                   `json:"schemaVersion"`
		MediaType     string                `json:"mediaType"`
		ArtifactType  string                `json:"artifactType"`
		Config        artifact.Descriptor   `json:"config"`
		Layers        []artifact.Descriptor `json:"layers"`
		Subject       artifact.Descriptor   `json:"subject"`
		Annotations   map[string]string     `json:"annotations,omitempty"`
	}{2, artifact.TypeManifest, a.ArtifactType, config, []artifact.Descriptor{layer}, artifact.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size}, a.Annotations})
	if err != nil {
		return "", err
	}
	entry := artifact.Descriptor{MediaType: artifact.TypeManifest, Digest: digestOf("sha256", raw), Size: int64(len(raw)), ArtifactType: a.ArtifactType, Annotations: a.Annotations}
	if err := c.putManifest(ctx, string(entry.Digest), artifact.TypeManifest, raw); err != nil {
		return "", err
	}
	_, known, err := c.listed(ctx, subject.Digest)
	if err == nil && !known {
		err = c.addFallback(ctx, subject.Digest, entry)
	}
	return entry.Digest, err
}

// addFallback enters a manifest into the index under the fallback tag. Registries have no
// compare-and-swap, so it is read again afterwards: whoever wrote at the same time may
// have replaced our index by one without our entry, or ours may have replaced theirs, in
// which case they do the same. It is read after a moment, each time a longer one and for
// nobody the same: a write that was under way has ended by then.
func (c *Client) addFallback(ctx context.Context, d verdict.Digest, entry artifact.Descriptor) error {
	mine, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	var lost []json.RawMessage // entries of others that a write of ours replaced
	for try := range 8 {
		index, _, err := c.fallback(ctx, d)
		if err != nil {
			return err
		}
		before := len(index.Manifests)
		for _, e := range append(lost, mine) {
			if !names(index, e) {
				index.Manifests = append(index.Manifests, e)
			}
		}
		if len(index.Manifests) == before {
			return nil
		}
		if len(index.Manifests) > maxReferrers {
			return c.tooMany(d)
		}
		raw, err := json.Marshal(index)
		if err != nil {
			return err
		}
		// Just before the write it is read once more: what came in between is kept.
		again, _, err := c.fallback(ctx, d)
		if err != nil {
			return err
		}
		if lost = again.Manifests; slices.ContainsFunc(lost, func(e json.RawMessage) bool { return !names(index, e) }) {
			continue
		}
		if err := c.putManifest(ctx, fallbackTag(d), artifact.TypeIndex, raw); err != nil {
			return err
		}
		if err := outward.Pause(ctx, time.Duration(try+1)*100*time.Millisecond+ofItsOwn(mine)); err != nil {
			return err
		}
	}
	index, _, err := c.fallback(ctx, d)
	if err != nil || names(index, mine) {
		return err
	}
	return &verdict.Error{
		Code: verdict.CodeConflict, What: fmt.Sprintf("others keep writing the tag %s of %s, and our entry was replaced each time", fallbackTag(d), c.ref.Name),
		Remedy: "run it again: what is there already is not pushed twice",
	}
}

// ofItsOwn is a moment that differs from one entry to the next.
func ofItsOwn(entry []byte) time.Duration {
	return time.Duration(crc32.ChecksumIEEE(entry)%100) * time.Millisecond
}

// names reports whether an index has an entry with the digest of another entry.
func names(index fallbackIndex, entry json.RawMessage) bool {
	var want artifact.Descriptor
	if json.Unmarshal(entry, &want) != nil {
		return slices.ContainsFunc(index.Manifests, func(e json.RawMessage) bool { return bytes.Equal(e, entry) })
	}
	return slices.ContainsFunc(index.Manifests, func(e json.RawMessage) bool {
		var have artifact.Descriptor
		return json.Unmarshal(e, &have) == nil && have.Digest == want.Digest
	})
}

// putBlob uploads a small blob in one piece, unless it is there.
func (c *Client) putBlob(ctx context.Context, d artifact.Descriptor, b []byte) error {
	head := call{method: http.MethodHead, path: c.path("blobs", string(d.Digest))}
	resp, err := c.do(ctx, head)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	begin := call{method: http.MethodPost, path: c.path("blobs", "uploads/")}
	if resp, err = c.do(ctx, begin); err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		return c.status(resp, begin.what())
	}
	to, err := c.base.Parse(resp.Header.Get("Location"))
	if err != nil || !sameHost(to, c.base) {
		return c.astray(errors.New("it takes uploads at another host"))
	}
	q := to.Query()
	q.Set("digest", string(d.Digest))
	to.RawQuery = q.Encode()
	put := call{method: http.MethodPut, url: to, body: b, header: http.Header{"Content-Type": {"application/octet-stream"}}}
	if resp, err = c.do(ctx, put); err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return c.status(resp, put.what())
	}
	return nil
}

func (c *Client) putManifest(ctx context.Context, id, mediaType string, raw []byte) error {
	x := call{method: http.MethodPut, path: c.path("manifests", id), body: raw, header: http.Header{"Content-Type": {mediaType}}}
	resp, err := c.do(ctx, x)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return c.status(resp, x.what())
	}
	return nil
}
