package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"verdict"
	"verdict/identity"
	"verdict/server/wire"
)

// Blobs have no service of their own. Who reads everything reads them all; anybody else reads
// those that evidence in his scope names, so that a digest that he came by opens nothing.

const (
	maxBlob    = 256 << 20 // as the blob stores have it
	largeBlobs = 4         // that are in memory at once
	smallBlob  = 1 << 20
)

// blobRoutes adds what is kept by its digest.
func (s *Server) blobRoutes(b *shelf) {
	type (
		in struct {
			Digest string `path:"digest" doc:"sha256:… of the bytes"`
		}
		stored struct{ Body wire.Stored }
		octets struct {
			Body []byte `contentType:"application/octet-stream"`
		}
	)
	get := Operation{
		Method: http.MethodGet, Path: "/blobs/{digest}", ID: "blob", Summary: "Bytes by their digest", Tag: tagLedger, Verb: identity.Reading,
		About: "Those that evidence in the caller's scope names; what lies outside of it is answered as if it were not there. Of evidence that names them, the newest 10,000 count.",
	}
	put := Operation{
		Method: http.MethodPut, Path: "/blobs/{digest}", ID: "put-blob", Summary: "Keep bytes that evidence names", Tag: tagLedger, Verb: identity.Reading, Body: maxBlob, Once: true,
		About: "The body is the bytes themselves. To send them again changes nothing. Who may state no evidence keeps none.",
	}
	h := &blobs{shelf: b, large: make(chan struct{}, largeBlobs), out: make(chan struct{}, largeBlobs)}
	s.Handle("GET "+Prefix+"/blobs/{digest}", get, http.HandlerFunc(h.get))
	s.Handle("PUT "+Prefix+"/blobs/{digest}", put, http.HandlerFunc(h.put))
	Document[in, octets](s, get)
	Document[in, stored](s, put)
}

// blobs serves bytes.
type blobs struct {
	*shelf
	large, out chan struct{} // one place for each large one that comes, and that goes
}

func (h *blobs) digest(r *http.Request) (verdict.Digest, error) {
	d, err := verdict.ParseDigest(r.PathValue("digest"))
	if err != nil || d.Algorithm() != "sha256" {
		return "", &verdict.Error{Code: verdict.CodeInvalid, What: fmt.Sprintf("%.100q is no sha256 digest", r.PathValue("digest")), Remedy: "write sha256:HEX"}
	}
	return d, nil
}

func (h *blobs) get(w http.ResponseWriter, r *http.Request) {
	d, err := h.digest(r)
	if err == nil {
		err = h.mayRead(r.Context(), CallerOf(r.Context()), d)
	}
	free := func() {}
	if err == nil {
		free, err = h.place(r.Context(), d)
	}
	defer func() { free() }()
	var content []byte
	if err == nil {
		content, err = h.ledger.Blob(r.Context(), d)
	}
	if err != nil {
		writeProblem(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", forever)
	_, _ = w.Write(content) // who has hung up is told nothing
}

// mayRead is nil where a caller may have the bytes.
func (h *blobs) mayRead(ctx context.Context, c identity.Caller, d verdict.Digest) error {
	seen, err := h.seen(ctx, c)
	if err != nil {
		return err
	}
	return seen.SeesBlob(ctx, d)
}

// place waits for one of few places where a blob is large: it is in memory until its reader has it.
func (h *blobs) place(ctx context.Context, d verdict.Digest) (free func(), err error) {
	free = func() {}
	size, err := h.ledger.BlobSize(ctx, d)
	if err != nil || size <= smallBlob {
		return free, err
	}
	select {
	case h.out <- struct{}{}:
		return func() { <-h.out }, nil
	case <-ctx.Done():
		return free, &verdict.Error{Code: verdict.CodeUnavailable, What: "the server sends as many large blobs as it does at once", Remedy: "ask for it again in a minute"}
	}
}

func (h *blobs) put(w http.ResponseWriter, r *http.Request) {
	d, err := h.digest(r)
	if err == nil {
		err = mayState(CallerOf(r.Context()))
	}
	if err != nil {
		writeProblem(w, err)
		return
	}
	content, free, err := readLarge(r, h.large)
	defer free()
	if err == nil && sumOf(content) != d {
		err = &verdict.Error{Code: verdict.CodeInvalid, What: "the bytes have the digest " + string(sumOf(content)) + ", and were sent as " + string(d), Remedy: "send them again as they are"}
	}
	if err == nil {
		_, err = h.ledger.PutBlob(r.Context(), content)
	}
	if err != nil {
		writeProblem(w, err)
		return
	}
	writeJSON(w, wire.Stored{Digest: d})
}

// mayState lets those keep bytes who may record something that names them.
func mayState(c identity.Caller) error {
	for _, v := range []identity.Verb{identity.Governing, identity.Approving, identity.Requesting} {
		if c.Holds(v) == nil {
			return nil
		}
	}
	return c.Holds(identity.Stating)
}

func sumOf(b []byte) verdict.Digest {
	sum := sha256.Sum256(b)
	return verdict.NewDigest("sha256", hex.EncodeToString(sum[:]))
}

// readLarge reads a body. Beyond smallBlob it waits for one of few places, so that many large
// ones do not fill the memory; free gives the place back.
func readLarge(r *http.Request, places chan struct{}) (content []byte, free func(), err error) {
	free = func() {}
	content, err = io.ReadAll(io.LimitReader(r.Body, smallBlob))
	if err != nil {
		return nil, free, bodyProblem(err)
	}
	if len(content) < smallBlob {
		return content, free, nil
	}
	select {
	case places <- struct{}{}:
		free = func() { <-places }
	case <-r.Context().Done():
		return nil, free, &verdict.Error{Code: verdict.CodeUnavailable, What: "the server works on as many large bodies as it takes at once", Remedy: "send it again in a minute"}
	}
	all := bytes.NewBuffer(content)
	if _, err := all.ReadFrom(r.Body); err != nil {
		return nil, free, bodyProblem(err)
	}
	return all.Bytes(), free, nil
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who has hung up is told nothing
}

// forever is for what never changes under its name.
const forever = "private, max-age=31536000, immutable"

// tileRoutes adds what C2SP tlog-tiles serves: the checkpoint and the tiles of the open
// epoch, below /log. They hold digests, signatures and public keys, and no evidence.
func (s *Server) tileRoutes(b *shelf) {
	op := func(id string) Operation { return Operation{ID: id, Verb: identity.Reading} }
	tile := func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/log/")
		content, err := b.ledger.ResolveTile(r.Context(), path)
		if err != nil {
			writeProblem(w, err)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Cache-Control", forever)
		if path == "checkpoint" {
			h.Set("Content-Type", "text/plain; charset=utf-8")
			h.Set("Cache-Control", "no-cache")
		}
		_, _ = w.Write(content) // who has hung up is told nothing
	}
	s.Handle("GET /log/checkpoint", op("log-checkpoint"), http.HandlerFunc(tile))
	s.Handle("GET /log/tile/{path...}", op("log-tile"), http.HandlerFunc(tile))
}
