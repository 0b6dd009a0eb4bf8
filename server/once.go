package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"verdict"
	"verdict/identity"
	"verdict/server/wire"
	"verdict/store"
)

// IdempotencyKey is the header by which a caller sends a write again without having it done
// twice (draft-ietf-httpapi-idempotency-key-header).
const IdempotencyKey = wire.HeaderIdempotency

const (
	maxKey      = 200            // characters of a key
	keptFor     = 24 * time.Hour // how long the answer to a key is given again
	claimedFor  = 2 * time.Minute
	keepWithin  = 5 * time.Second
	maxRepeated = 1 << 20 // bytes of an answer that is kept
)

// once does a write under a caller's key one time: who sends it again gets the first answer.
// The same key for another request is refused; a request that is still at work is a
// conflict. An answer that tells of an outage is not kept: to send it again is to try again.
func (s *Server) once(w *answer, r *http.Request, o Operation, c identity.Caller) {
	key := r.Header.Get(IdempotencyKey)
	if len(key) > maxKey {
		writeProblem(w, problem(http.StatusBadRequest, verdict.CodeUsage, fmt.Sprintf("the %s is longer than %d characters", IdempotencyKey, maxKey), "use a UUID"))
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		writeProblem(w, bodyProblem(err))
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n%d\n", o.pattern(), r.URL.RequestURI(), len(body))
	sum.Write(body)
	now := s.o.Now()
	claim := store.Repeat{
		Actor: c.Actor, Key: key, Request: hex.EncodeToString(sum.Sum(nil)),
		At: now.UnixMicro(), Claimed: now.Add(claimedFor).UnixMicro(), Expires: now.Add(keptFor).UnixMicro(),
	}
	before, mine, err := s.o.Store.ClaimRepeat(r.Context(), claim)
	switch {
	case err != nil:
		writeProblem(w, &verdict.Error{Code: verdict.CodeUnavailable, What: "the key of this request cannot be kept: the database does not answer", Remedy: "send it again with the same key", Err: err})
	case before.Request != claim.Request:
		writeProblem(w, problem(http.StatusUnprocessableEntity, verdict.CodeInvalid, "this "+IdempotencyKey+" was used for another request", "use a new key for each request"))
	case !mine && before.Status == 0:
		writeProblem(w, problem(http.StatusConflict, verdict.CodeConflict, "the first request with this "+IdempotencyKey+" is still at work", "send it again in a moment"))
	case !mine:
		w.Header().Set("Content-Type", before.Type)
		w.Header().Set("Idempotent-Replayed", "true")
		w.WriteHeader(int(before.Status))
		_, _ = w.Write(before.Body) // who has hung up is told nothing
	default:
		s.first(w, r, claim)
	}
}

// first does the request and keeps its answer.
func (s *Server) first(w *answer, r *http.Request, claim store.Repeat) {
	kept := &copied{answer: w}
	s.mux.ServeHTTP(kept, r)
	claim.Status, claim.Type, claim.Body = int64(w.status), w.Header().Get("Content-Type"), kept.body.Bytes()
	// Who has hung up is who sends it again: for him above all the answer is kept.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), keepWithin)
	defer cancel()
	var err error
	if w.status >= 500 || w.status == http.StatusTooManyRequests || kept.body.Len() > maxRepeated {
		err = s.o.Store.DropRepeat(ctx, claim.Actor, claim.Key)
	} else {
		err = s.o.Store.FinishRepeat(ctx, claim)
	}
	if err != nil {
		s.o.Logger.Warn("the answer to an idempotency key was not kept", "error", err.Error())
	}
}

// copied keeps what is written as well.
type copied struct {
	*answer
	body bytes.Buffer
}

// Write keeps at most one byte more than is ever given again.
func (c *copied) Write(b []byte) (int, error) {
	if room := maxRepeated + 1 - c.body.Len(); room > 0 {
		c.body.Write(b[:min(room, len(b))])
	}
	return c.answer.Write(b)
}

// bodyProblem tells why a body could not be read.
func bodyProblem(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &verdict.Error{Code: verdict.CodeLimit, What: fmt.Sprintf("the body is larger than %d bytes", tooLarge.Limit), Remedy: "send less at once", Err: err}
	}
	var told *Problem
	switch {
	case errors.As(err, &told):
		return told
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem(http.StatusRequestTimeout, verdict.CodeLimit, "the body came too slowly", remedyFor(http.StatusRequestTimeout))
	}
	return problem(http.StatusBadRequest, verdict.CodeUsage, "the body ended before it was whole", "send it again")
}
