package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"verdict"
	"verdict/forge"
	"verdict/ledger"
	"verdict/store"
)

// What a delivery may be, and for how long it is known.
const (
	oldestDelivery = 72 * time.Hour // forges deliver again for three days
	mostAhead      = 10 * time.Minute
	keepDeliveries = 90 * 24 * time.Hour // longer than a delivery can be old
	mostReceiving  = 4                   // large ones at once: each may be of 25 MiB
	smallDelivery  = 256 << 10           // bytes; nearly all are smaller
	deliveryKind   = "delivery"          // of job
)

// Source is one forge that the server is joined to.
type Source struct {
	System string // forge.GitHub, forge.Azure or forge.GitLab: the system of its accounts
	Hook   forge.Hook
	// Seal encrypts the secrets that a delivery brings: with the first key, and whatever one
	// of the others sealed is opened still.
	Seal [][]byte
}

// Asker answers what a delivery asks, by the map in force.
type Asker interface {
	// Services are those that are built from the repository at an address. None: the map does
	// not know it, and nothing is told about it.
	Services(ctx context.Context, address string) ([]Served, error)
	// Counts reports whether the map lets the signer of a decision take it.
	Counts(ctx context.Context, e ledger.Entry, d *verdict.Decision) (bool, error)
	// Gate asks the gate of an environment about an artifact, and records the answer.
	Gate(ctx context.Context, q GateQuestion) (verdict.Decision, error)
}

// Served is a service of the map, with the points that judge each change of it.
type Served struct {
	Name   string
	Points []string
}

// GateQuestion is whether an artifact may be deployed.
type GateQuestion struct {
	Environment string // as the forge calls it
	Service     string
	Artifact    verdict.Subject
	System      string // of the account of the requester
	Requester   forge.Account
	Run         string // source and id of the delivery
}

// Records are what the deliveries look up. *ledger.Ledger has them, and says what they give.
type Records interface {
	// Decisions lists decisions, newest first.
	Decisions(ctx context.Context, q ledger.DecisionQuery) ([]ledger.DecisionRow, error)
	// Decision finds one by its id.
	Decision(ctx context.Context, prefix string, at ledger.Position) (ledger.Entry, *verdict.Decision, error)
	// Find lists entries, newest first.
	Find(ctx context.Context, q ledger.Query) ([]ledger.Entry, error)
	// Standing lists the statements that nothing has replaced: the approvals of a decision.
	Standing(ctx context.Context, kind verdict.Kind, about string, at ledger.Position) ([]ledger.Entry, error)
	// Range lists the entries from a position to another.
	Range(ctx context.Context, from, to ledger.Position) ([]ledger.Entry, error)
	// Position is how many entries there are.
	Position(ctx context.Context) (ledger.Position, error)
	// Wait returns when there are more than so many.
	Wait(ctx context.Context, after ledger.Position) (ledger.Position, error)
}

// WebhookOptions are what webhooks are made of. All but Page, Logger and Sources are needed.
type WebhookOptions struct {
	Sources map[string]Source // by the name under which they deliver
	Store   *store.Store
	Records Records
	Asker   Asker
	Summary func(verdict.Decision) string // in Markdown
	Page    func(decision string) string  // where people read about a decision; nil: nowhere
	Now     func() time.Time
	Rand    io.Reader
	Logger  *slog.Logger
}

// Webhooks receives what forges deliver, and does what follows from it. A delivery is
// answered when it is stored, and is worked on afterwards, by any replica.
type Webhooks struct {
	o         WebhookOptions
	receiving chan struct{}
	news      chan struct{} // something was received by this process
	atWork    sync.Map      // ids of the jobs that this process works on
}

// NewWebhooks checks what webhooks are given.
func NewWebhooks(o WebhookOptions) (*Webhooks, error) {
	if o.Store == nil || o.Records == nil || o.Asker == nil || o.Summary == nil || o.Now == nil || o.Rand == nil {
		return nil, errors.New("webhooks need store, records, asker, summary, clock and chance")
	}
	if o.Page == nil {
		o.Page = func(string) string { return "" }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Webhooks{o: o, receiving: make(chan struct{}, mostReceiving), news: make(chan struct{}, 1)}, nil
}

// Mount adds the route at which forges deliver: POST /webhooks/NAME.
func (w *Webhooks) Mount(s *Server) {
	s.Handle("POST /webhooks/{source}", Operation{ID: "receive-webhook", Public: true, Once: true, Body: forge.MaxHook + 1}, w)
}

// received is the answer to a delivery.
type received struct {
	State string `json:"state"`
	Told  string `json:"told,omitempty"`
}

// ServeHTTP receives one delivery: 202 when it is stored, whether it leads somewhere or not,
// and 200 when it was known.
func (w *Webhooks) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	name := r.PathValue("source")
	source, ok := w.o.Sources[name]
	if !ok {
		writeProblem(rw, &verdict.Error{
			Code: verdict.CodeNotFound, What: fmt.Sprintf("no forge delivers as %.60q", name), Remedy: "deliver to /webhooks/NAME, where NAME is that of the forge's entry in the file that --forges names",
		})
		return
	}
	// Whoever sends slowly, before his signature can be checked, keeps places from large
	// deliveries alone.
	if r.ContentLength < 0 || r.ContentLength > smallDelivery {
		select {
		case w.receiving <- struct{}{}:
			defer func() { <-w.receiving }()
		case <-r.Context().Done():
			writeProblem(rw, &verdict.Error{Code: verdict.CodeUnavailable, What: "the server receives as many large deliveries as it can at once", Remedy: "let the forge deliver it again"})
			return
		}
	}
	sum := sha256.New()
	d, err := source.Hook.Receive(r.Header, io.TeeReader(r.Body, sum))
	if err == nil {
		err = w.timely(d.Event)
	}
	status, told, err := w.keep(r.Context(), name, source, d, sum.Sum(nil), err)
	if err != nil {
		w.o.Logger.Warn("a delivery was refused", "source", name, "event", d.Event.Name, "delivery", d.ID, "error", err.Error())
		writeProblem(rw, err)
		return
	}
	w.o.Logger.Info("delivery", "source", name, "event", d.Event.Name, "delivery", d.ID, "state", told.State)
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(told) // who hung up has it stored all the same
}

// timely refuses what happened too long ago to be delivered now.
func (w *Webhooks) timely(e forge.Event) error {
	if age := w.o.Now().Sub(e.At); e.At.IsZero() || -mostAhead <= age && age <= oldestDelivery {
		return nil
	}
	return &verdict.Error{
		Code: verdict.CodeConflict, What: fmt.Sprintf("the delivery is about %s, which is no time to deliver it at", e.At.Format(time.RFC3339)),
		Remedy: "if the machine's clock is right, make the change again, or push to the request: what is older than three days is not taken",
	}
}

// keep stores a delivery, or what is told of one that cannot be read. Unread is why.
func (w *Webhooks) keep(ctx context.Context, name string, source Source, d forge.Delivery, body []byte, unread error) (int, received, error) {
	if unread != nil && (verdict.AsError(unread).Code != verdict.CodeInvalid || d.ID == "") {
		return 0, received{}, unread // of somebody else, or nothing to find it by
	}
	now, err := w.at(ctx)
	if err != nil {
		return 0, received{}, &verdict.Error{Code: verdict.CodeUnavailable, What: "the delivery cannot be stored", Remedy: "let the forge deliver it again", Err: err}
	}
	digest := sha256.Sum256(append(append([]byte(d.Event.Name), 0), body...))
	if d.ID == "" {
		d.ID = fmt.Sprintf("%x", digest[:16])
	}
	kept := store.Delivery{Source: name, ID: d.ID, Name: d.Event.Name, Digest: digest[:], Received: now.UnixMicro(), State: store.DeliveryWaiting, Progress: "{}"}
	event, err := json.Marshal(d.Event)
	if err != nil {
		return 0, received{}, err
	}
	kept.Event = string(event)
	switch {
	case unread != nil:
		kept.State, kept.Told = store.DeliveryFailed, forge.Clip(unread.Error(), 500)
	case d.Event.Kind == forge.Nowhere:
		kept.State, kept.Told = store.DeliveryIgnored, "nothing follows from "+d.Event.Name
	case d.Event.Token != "":
		if kept.Sealed, err = seal(w.o.Rand, source.Seal, kept.JobID(), d.Event.Token); err != nil {
			return 0, received{}, err
		}
	}
	was, known, err := w.o.Store.AddDelivery(ctx, kept, deliveryKind)
	switch {
	case err != nil:
		return 0, received{}, &verdict.Error{Code: verdict.CodeUnavailable, What: "the delivery cannot be stored", Remedy: "let the forge deliver it again", Err: err}
	case known && (was.ID != kept.ID || string(was.Digest) != string(kept.Digest)):
		return 0, received{}, &verdict.Error{
			Code: verdict.CodeConflict, What: fmt.Sprintf("the delivery %.80q was received before, with another body or name", was.ID),
			Remedy: "if nobody sent it twice on purpose, change the secret of the webhook: somebody may know it",
		}
	case unread != nil:
		return 0, received{}, unread
	case known:
		return http.StatusOK, received{was.State, was.Told}, nil
	}
	select {
	case w.news <- struct{}{}:
	default: // it is told already
	}
	return http.StatusAccepted, received{kept.State, kept.Told}, nil
}
