package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"verdict"
	"verdict/identity"
	"verdict/ledger"
)

// Changed is one entry that is new in the log, as live events name it: which one, and not
// what it says.
type Changed struct {
	Index       int64        `json:"index"`
	Kind        verdict.Kind `json:"kind"`
	Point       string       `json:"point,omitempty"`
	Service     string       `json:"service,omitempty"`
	Environment string       `json:"environment,omitempty"`
}

const eventsAtOnce = 500 // entries of one event

// events adds GET /api/v1/events: server-sent events (HTML, 9.2 Server-sent events) that name
// what is new in the log, as far as the caller may read it. The id of an event is the position
// behind it; who comes back with Last-Event-ID goes on from there, and else from now.
func (b *shelf) events(s *Server) {
	o := Operation{
		Method: http.MethodGet, Path: "/events", ID: "events", Summary: "What is new in the log, live", Tag: tagLedger, Verb: identity.Reading, Streams: true,
		About: "Server-sent events of type `changed`: `{\"entries\": [{index, kind, point, service, environment}]}`. Ask for what they say with the other operations. The id of an event is a position: `Last-Event-ID` goes on from it.",
	}
	s.Handle("GET "+Prefix+"/events", o, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.streams <- struct{}{}:
			defer func() { <-s.streams }()
		default:
			writeProblem(w, tooMany("as many live streams are open as the server takes"))
			return
		}
		at, err := b.begin(r)
		if err != nil {
			writeProblem(w, err)
			return
		}
		b.stream(s, w, r, at)
	}))
	type in struct {
		Last string `header:"Last-Event-ID" maxLength:"20" doc:"go on behind this event: a position of the log"`
	}
	type out struct {
		Body struct {
			Entries []Changed `json:"entries"`
		}
	}
	Document[in, out](s, o)
}

// begin is from where on the caller wants to know.
func (b *shelf) begin(r *http.Request) (ledger.Position, error) {
	now, err := b.ledger.Position(r.Context())
	last := r.Header.Get("Last-Event-ID")
	if err != nil || last == "" {
		return now, err
	}
	n, err := strconv.ParseInt(last, 10, 64)
	if err != nil || n < 0 || n > int64(now) {
		return 0, &verdict.Error{Code: verdict.CodeUsage, What: "Last-Event-ID is no position of this log", Remedy: "send the id of the last event that came, or none"}
	}
	return ledger.Position(n), nil
}

// stream tells until the caller goes, his session or his last role does, the server stops, or
// the ledger cannot be asked: a stream that is silent would read as one with nothing to say.
func (b *shelf) stream(s *Server, w http.ResponseWriter, r *http.Request, at ledger.Position) {
	out := http.NewResponseController(w)
	_ = out.SetReadDeadline(time.Time{}) // the request is read; a server's limit on that would end the stream
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	say := func(text string) bool {
		_ = out.SetWriteDeadline(machineTime().Add(s.o.Limits.Beat))
		_, err := w.Write([]byte(text))
		return err == nil && out.Flush() == nil
	}
	listens, end := context.WithCancel(r.Context())
	defer end()
	go func() {
		select {
		case <-s.stopping:
			end()
		case <-listens.Done():
		}
	}()
	for alive := say(": following\n\n"); alive && !s.ending.Load(); {
		ctx, cancel := context.WithTimeout(listens, s.o.Limits.Beat)
		now, err := b.ledger.Wait(ctx, at)
		cancel()
		switch {
		case listens.Err() != nil:
			return
		case err != nil && !errors.Is(err, context.DeadlineExceeded):
			s.o.Logger.Warn("a live stream ends: the ledger cannot be asked", "error", err.Error())
			return
		}
		caller, gone := s.authenticate(r)
		if gone != nil || caller.Holds(identity.Reading) != nil {
			return
		}
		if err != nil {
			alive = say(": alive\n\n")
			continue
		}
		for at < now && alive {
			if !s.callers.take(caller.Actor) { // what is left out for him weighs too
				select {
				case <-time.After(time.Second):
				case <-listens.Done():
				}
				break
			}
			to := min(at+eventsAtOnce, now)
			text, err := b.changed(r.Context(), caller, at, to)
			if err != nil {
				return
			}
			at, alive = to, say(text)
		}
	}
}

// changed is the event of the entries [from, to) that the caller sees; a comment where he
// sees none, which still moves his position on.
func (b *shelf) changed(ctx context.Context, c identity.Caller, from, to ledger.Position) (string, error) {
	seen, err := b.seen(ctx, c)
	if err != nil {
		return "", err
	}
	entries, err := seen.Range(ctx, from, to)
	if err != nil {
		return "", err
	}
	said := []Changed{}
	for _, e := range entries {
		said = append(said, Changed{e.Index, e.Kind, e.Context.Point, e.Context.Service, e.Context.Environment})
	}
	if len(said) == 0 {
		return fmt.Sprintf("id: %d\n\n", to), nil
	}
	data, err := json.Marshal(struct {
		Entries []Changed `json:"entries"`
	}{said})
	return fmt.Sprintf("id: %d\nevent: changed\ndata: %s\n\n", to, data), err
}
