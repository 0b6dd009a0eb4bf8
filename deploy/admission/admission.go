// Package admission answers a Kubernetes cluster that asks, at each rollout, whether what
// would run was promoted to where it would run. It answers from decisions that the gate took
// before and that are kept in memory: it asks no registry, no log and no policy engine, and
// makes no outward call.
//
// Which namespace belongs to which environment, whose promotions count, in which mode the
// point acts and how an environment fails is the map's to say. Images are taken by digest
// alone. A promotion that expired or was replaced stops a new rollout, and never what was let
// in from being scheduled again.
package admission

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
)

// Options are what an Admission is made of. Log and Basis are required.
type Options struct {
	Log Log
	// Basis gives the map in force at a position, and who signs.
	Basis func(ctx context.Context, at ledger.Position) (Basis, error)
	// Ledger and Signer record what was answered; without one of them nothing is recorded.
	Ledger Appender
	Signer evidence.Signer
	Actor  string    // in whose name it is recorded
	Rand   io.Reader // for nonces; nil: the system's
	Now    func() time.Time
	Logger *slog.Logger // nil: silent
}

// Admission answers from memory. Run keeps it up to date; until it first was, it answers
// nothing. All methods may be called at the same time, but CatchUp.
type Admission struct {
	o       Options
	set     atomic.Pointer[set]
	fresh   atomic.Pointer[time.Time] // when the set was last known to be at the end of the log
	records *recorder
	counted counters
	large   chan struct{} // one place for each large review
	turns   turns
	patient time.Duration // how long a review waits for a place: patience
}

// New makes an Admission.
func New(o Options) (*Admission, error) {
	if o.Log == nil || o.Basis == nil {
		return nil, errors.New("admission: Log and Basis are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Admission{o: o, large: make(chan struct{}, largeReviews), turns: turns{of: map[string]*turn{}}, patient: patience}
	a.records = newRecorder(o)
	return a, nil
}

// Ready gives nil when the set was built and is not behind: for a health check.
func (a *Admission) Ready() error {
	if a.set.Load() == nil {
		return unready("the promotions are still being read")
	}
	if lag := a.lag(); lag > MaxLag {
		return unready("admission is " + lag.Round(time.Second).String() + " behind the log")
	}
	return nil
}

func unready(what string) error {
	return &verdict.Error{Code: verdict.CodeUnavailable, What: what, Remedy: "wait for it; where it lasts, see in the log of this process whether it reaches its database"}
}

// Answer answers a request of a cluster. It records nothing.
func (a *Admission) Answer(cluster string, r *Request) (*Answer, error) {
	s := a.set.Load()
	if s == nil {
		return nil, a.Ready()
	}
	return s.answer(cluster, r, a.o.Now(), a.lag())
}

// pathPrefix is where clusters ask: behind it stands the name of the cluster.
const pathPrefix = "/admission/"

// Handler answers POST /admission/CLUSTER. An answer that is no review makes the API server
// do what the webhook's failurePolicy says.
func (a *Admission) Handler() http.Handler {
	refuse := func(w http.ResponseWriter, code int, err error) {
		a.counted.unread.Add(1)
		refuse(w, code, err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cluster, ok := strings.CutPrefix(r.URL.Path, pathPrefix)
		if !ok || cluster == "" || strings.Contains(cluster, "/") {
			refuse(w, http.StatusNotFound, &verdict.Error{Code: verdict.CodeNotFound, What: "clusters ask at " + pathPrefix + "CLUSTER", Remedy: "have the configuration printed: verdict admission manifests"})
			return
		}
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			refuse(w, http.StatusMethodNotAllowed, invalid("a review is sent by POST"))
			return
		}
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			refuse(w, http.StatusUnsupportedMediaType, invalid("a review is application/json"))
			return
		}
		if code, err := a.serve(w, r, cluster); err != nil {
			refuse(w, code, err)
		}
	})
}

// serve answers a review; an error comes with the code of the problem that is to be told.
func (a *Admission) serve(w http.ResponseWriter, r *http.Request, cluster string) (code int, err error) {
	ctx, stop := context.WithTimeout(r.Context(), a.patient)
	leave := a.turns.take(ctx, addressOf(r))
	stop()
	if leave == nil {
		return http.StatusServiceUnavailable, &verdict.Error{Code: verdict.CodeUnavailable, What: "as many reviews of this address are at work as are at once", Remedy: "see who else than API servers sends reviews from there; with --admission-client-ca (verdict admission serve: --client-ca) only who shows a certificate is answered"}
	}
	defer leave()
	body, free, err := a.readBody(w, r)
	defer free()
	if errors.Is(err, context.DeadlineExceeded) {
		return http.StatusServiceUnavailable, &verdict.Error{Code: verdict.CodeUnavailable, What: "as many large reviews are read as are at once", Remedy: "see who else than API servers reaches this address, and have a firewall see to it that nobody does", Err: err}
	}
	if err != nil {
		return http.StatusRequestEntityTooLarge, &verdict.Error{Code: verdict.CodeLimit, What: "the review cannot be read, or is larger than 3 MiB", Remedy: "make the object smaller", Err: err}
	}
	request, err := ReadReview(body)
	if err != nil {
		return http.StatusBadRequest, err
	}
	answer, err := a.Answer(cluster, request)
	if err != nil {
		code := map[verdict.Code]int{verdict.CodeUnavailable: http.StatusServiceUnavailable, verdict.CodeNotFound: http.StatusNotFound}[verdict.AsError(err).Code]
		return cmp.Or(code, http.StatusBadRequest), err
	}
	a.counted.count(answer)
	if answer.records && !request.DryRun {
		a.records.add(answer)
	}
	out, err := json.Marshal(reviewed{reviewVersion, reviewKind, answer.response(request.UID)})
	if err != nil {
		return http.StatusInternalServerError, err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	_, _ = w.Write(out) // who has gone does not hear the answer
	return http.StatusOK, nil
}

// A review of smallReview or less is read at once; of larger ones largeReviews are in memory
// at the same time, and the others wait for patience at most.
const (
	smallReview  = 256 << 10 // bytes
	largeReviews = 32
	patience     = 5 * time.Second
)

// readBody reads a body within the bounds. It takes memory as the body comes, and not as it
// says that it is large. free gives back the place that it takes.
func (a *Admission) readBody(w http.ResponseWriter, r *http.Request) (body []byte, free func(), err error) {
	free = func() {}
	b := bytes.NewBuffer(make([]byte, 0, min(max(r.ContentLength, 0), 64<<10)+bytes.MinRead))
	all := http.MaxBytesReader(w, r.Body, MaxReview)
	if _, err := b.ReadFrom(io.LimitReader(all, smallReview)); err != nil || b.Len() < smallReview {
		return b.Bytes(), free, err
	}
	ctx, stop := context.WithTimeout(r.Context(), a.patient)
	defer stop()
	select {
	case a.large <- struct{}{}:
		free = func() { <-a.large }
	case <-ctx.Done():
		return nil, free, ctx.Err()
	}
	_, err = b.ReadFrom(all)
	return b.Bytes(), free, err
}

// refuse answers with a problem in place of a review.
func refuse(w http.ResponseWriter, code int, err error) {
	e := verdict.AsError(err)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": code, "title": http.StatusText(code), "code": e.Code, "what": e.Error(), "remedy": e.Remedy})
}

// response is the answer as an API server reads it.
func (a *Answer) response(uid string) response {
	r := response{UID: uid, Allowed: a.Allowed, Warnings: a.Warnings, AuditAnnotations: a.annotations()}
	if !a.Allowed {
		r.Status = &status{Code: http.StatusForbidden, Reason: "Forbidden", Message: a.Message}
	}
	return r
}

// annotations are what the cluster's audit log says of the answer, under the name of the
// webhook. There is one for each part, so that a reader of that log can search for it.
func (a *Answer) annotations() map[string]string {
	out := map[string]string{"answer": a.Answer, "position": strconv.FormatInt(a.Position, 10), "lag": strconv.FormatInt(a.LagSeconds, 10) + "s"}
	if len(a.Findings) == 0 {
		return out
	}
	out["mode"], out["outcome"] = string(a.Mode), string(a.Outcome)
	if a.Environment != "" {
		out["environment"] = a.Environment
	}
	if r := a.Requester; r != nil {
		out["requester"] = r.Kind + " " + r.Person
	}
	var answers, decisions, digests []string
	for _, f := range a.Findings[:min(len(a.Findings), maxTold)] {
		answers, decisions, digests = also(answers, f.Answer), also(decisions, f.Decision), also(digests, string(f.Digest))
		if f.Outcome == verdict.Deny && out["reason"] == "" {
			out["reason"] = f.told()
		}
	}
	out["answer"] = strings.Join(answers, ",")
	if len(decisions) > 0 {
		out["decision"] = strings.Join(decisions, ",")
	}
	if len(digests) > 0 {
		out["digest"] = strings.Join(digests, ",")
	}
	return out
}

// also adds a word that is not there yet.
func also(list []string, word string) []string {
	if word == "" {
		return list
	}
	for _, w := range list {
		if w == word {
			return list
		}
	}
	return append(list, word)
}
