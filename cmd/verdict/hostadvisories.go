package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"verdict"
	"verdict/advisory"
	"verdict/decisionmap"
	"verdict/identity"
	"verdict/server"
	"verdict/server/wire"
)

// The vulnerability data of a server are a file in its data directory, by which it answers where
// and matches again what was built. Replicas with data directories of their own each have a copy:
// advisoriesshared.go.

// maxSent bounds an archive that is sent, in bytes: all that OSV publishes is half of it.
const maxSent = 2 << 30

// itself is who the server is where nobody asked it.
func (h *host) itself() identity.Caller {
	return identity.Caller{Actor: "key:" + h.base.signer.KeyID()}
}

// onBehalf is the server where what it does concerns everybody: it sees all, and says who asked.
func onBehalf(c identity.Caller) identity.Caller {
	return identity.Caller{Actor: c.Actor, Grants: []identity.Grant{{Role: identity.Viewer, Scope: identity.Anywhere()}}}
}

// advising is the work on them: one piece at a time over all replicas.
func advising(do func(context.Context) error) server.Chore {
	return server.Chore{Name: "advisories", Do: do}
}

// advise runs a command on the server's vulnerability data for who asked, and gives the document
// that it writes.
func (h *host) advise(ctx context.Context, c identity.Caller, run func(ctx context.Context, a *app) error) (b []byte, err error) {
	return b, h.work.Begin(ctx, advising(func(ctx context.Context) error {
		h.changing.Lock()
		defer h.changing.Unlock()
		h.taken = ""
		b, err = h.documented(ctx, onBehalf(c), "", run)
		return err
	}))
}

// updateOwn fetches what the publisher has of the server's data.
func (h *host) updateOwn(q advisoryUpdate) func(context.Context, *app) error {
	return func(ctx context.Context, a *app) error {
		return a.updateAdvisories(ctx, advisory.UpdateOptions{Ecosystems: q.Ecosystems, Force: q.Force, Base: h.publisher})
	}
}

func (h *host) advisoryOperations(s *server.Server) {
	type changed struct{ Body doc[advisoryChange] }
	type listed struct{ Body doc[advisoryList] }
	looking := make(chan struct{}, 1) // the whole index is read: one at a time
	server.Route(s, server.Operation{
		Method: http.MethodGet, Path: advisoryPath, ID: "list-advisories", Summary: "The server's vulnerability data: sources, their age, what they cover", Tag: tagOperations, Verb: identity.Reading,
		About: "By these data the server answers where a vulnerability is, and matches again what was built. `max_age_seconds` is that of the map in force.",
	}, func(ctx context.Context, c identity.Caller, _ *struct{}) (*listed, error) {
		select {
		case looking <- struct{}{}:
			defer func() { <-looking }()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		b, err := h.documented(ctx, c, "", func(ctx context.Context, a *app) error { return a.listAdvisories(ctx) })
		return &listed{doc[advisoryList]{b}}, err
	})
	type update struct{ Body advisoryUpdate }
	server.Route(s, awaited(advisoryPath+"/updates", "update-advisories", "advisories update", "Fetch advisories from their publisher, and match again what was built", identity.Governing,
		"Fetched is from the publisher that the server knows, never from an address of a caller. One piece of work on the data goes on at a time, over all replicas: while one does, the answer is 409. The replicas have one set of data: those that are not asked take what is new within a minute. What of several could not be fetched is under `failed`."),
		func(ctx context.Context, c identity.Caller, in *update) (*changed, error) {
			if err := c.May(identity.Governing, identity.Object{}); err != nil {
				return nil, err
			}
			b, err := h.advise(ctx, c, h.updateOwn(in.Body))
			return &changed{doc[advisoryChange]{b}}, err
		})
	type removed struct {
		Source string `query:"source" required:"true" minLength:"1" maxLength:"128" doc:"its name, as the list has it"`
	}
	remove := awaited(advisoryPath, "remove-advisories", "advisories remove", "Take a source out of the server's vulnerability data", identity.Governing, "What is left is answered.")
	remove.Method = http.MethodDelete
	server.Route(s, remove, func(ctx context.Context, c identity.Caller, in *removed) (*listed, error) {
		if err := c.May(identity.Governing, identity.Object{}); err != nil {
			return nil, err
		}
		b, err := h.advise(ctx, c, func(ctx context.Context, a *app) error { return a.removeAdvisories(ctx, in.Source) })
		return &listed{doc[advisoryList]{b}}, err
	})
	put := awaited(advisoryPath, "import-advisories", "advisories import", "Take in advisories that are sent, and match again what was built", identity.Governing,
		"The body is the archive or catalogue itself, as `verdict advisories import` reads it. Without `as_of` the age counts from `modified`, or from the newest record where that is not given or older.")
	put.Method, put.Body, put.Once = http.MethodPut, maxSent, true
	server.Take[sentAdvisories, changed](s, put, h.sent)
}

// sentAdvisories are the parameters of an import.
type sentAdvisories struct {
	File     string    `query:"file" required:"true" maxLength:"128" doc:"the file's name: without its endings it is the name of the source, and a new one of that name replaces it"`
	Name     string    `query:"name" maxLength:"128" doc:"name to keep it under instead"`
	Covers   []string  `query:"covers,explode" maxItems:"64" doc:"ecosystems that it is complete for; default: those that it has records about alone"`
	AsOf     time.Time `query:"as_of" doc:"when it was taken from its publisher"`
	Modified time.Time `query:"modified" doc:"the file's own time"`
	Force    bool      `query:"force" doc:"take a source that lost over 10 % of its records"`
	RawBody  []byte    `contentType:"application/octet-stream"`
}

// sentFolder begins the name of the folder in which lies what is sent.
const sentFolder = "advisories-sent-"

// sentName is how a file is called that is sent: what has folders in it is none.
var sentName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+ -]{0,127}$`)

// sent takes in what a request sends. It is read only when it is its turn: the disk has one at a
// time.
func (h *host) sent(ctx context.Context, c identity.Caller, q url.Values, body io.Reader) ([]byte, error) {
	if err := c.May(identity.Governing, identity.Object{}); err != nil {
		return nil, err
	}
	x, file, modified, err := importOf(q)
	if err != nil {
		return nil, err
	}
	return h.advise(ctx, c, func(ctx context.Context, a *app) error {
		left, _ := filepath.Glob(filepath.Join(h.base.dir, sentFolder+"*")) // of a server that was killed meanwhile; fails for a strange path only
		for _, l := range left {
			_ = os.RemoveAll(l) // what stays takes room, and the next one tries again
		}
		dir, err := os.MkdirTemp(h.base.dir, sentFolder)
		if err != nil {
			return noPlace(err)
		}
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, file)
		if err := spool(path, body, modified); err != nil {
			return err
		}
		return x.run(ctx, a, []string{path})
	})
}

const seeAPI = "GET /openapi.json"

// importOf reads the parameters of an import.
func importOf(q url.Values) (x *importing, file string, modified time.Time, err error) {
	for name := range q {
		switch name {
		case "file", "name", "covers", "as_of", "modified", "force":
		default:
			return nil, "", modified, usage(seeAPI, fmt.Sprintf("%.60q is no parameter of this", name), "give file, name, covers, as_of, modified and force alone")
		}
	}
	file = q.Get("file")
	if !sentName.MatchString(file) {
		return nil, "", modified, usage(seeAPI, fmt.Sprintf("file is %.60q, which is no name of a file", file), "give the name alone, such as go-vulndb.zip")
	}
	modified = time.Unix(0, 0) // nobody says how old it is: its records may
	if text := q.Get("modified"); text != "" {
		if modified, err = time.Parse(time.RFC3339, text); err != nil {
			return nil, "", modified, usage(seeAPI, fmt.Sprintf("modified is %.60q, which is not a full time", text), "write a time with its zone, such as 2026-11-20T09:00:00Z")
		}
	}
	if n := len(q["covers"]); n > 64 {
		return nil, "", modified, usage(seeAPI, fmt.Sprintf("covers names %d ecosystems", n), "name at most 64")
	}
	return &importing{name: q.Get("name"), asOf: q.Get("as_of"), covers: q["covers"], force: q.Get("force") == "true"}, file, modified, nil
}

// spool keeps a body in a file with a time of its own.
func spool(path string, body io.Reader, modified time.Time) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return noPlace(err)
	}
	n, err := io.Copy(f, body)
	if closed := f.Close(); err == nil && closed != nil {
		return noPlace(closed)
	}
	if disk := new(fs.PathError); errors.As(err, &disk) {
		return noPlace(err)
	}
	if err != nil {
		return err
	}
	if n == 0 {
		return usage(seeAPI, "the body is empty", "send the archive or the catalogue as the body")
	}
	return os.Chtimes(path, modified, modified)
}

func noPlace(err error) error {
	return &verdict.Error{Code: verdict.CodeUnavailable, What: "the server cannot keep what is sent while it reads it", Remedy: "make room in the server's data directory; what was known before stays in use", Err: err}
}

// failuresIn reads how many sources a change could not take in.
func failuresIn(b []byte) ([]failedSource, error) {
	var c advisoryChange
	err := json.Unmarshal(b, &c)
	return c.Failed, err
}

// renewal renews the server's data by itself.
type renewal struct {
	every      time.Duration // 0: it does not
	ecosystems []string      // to be fetched; empty: those that were fetched before
}

// renewLook is how often a replica looks how old its copy is, and whether another one has newer
// data.
const renewLook = time.Minute

// renewing takes what another replica made the newest, and renews that when it is older than it
// should be, until ctx ends. What fails is told; a renewal is tried again after a sixth of the
// time.
func (h *host) renewing(x renewal) func(context.Context) error {
	return func(ctx context.Context) error {
		var again time.Time
		for ctx.Err() == nil {
			h.follow(ctx)
			if now := h.app.now(); x.every > 0 && !now.Before(again) && h.renewalDue(x, now) {
				switch err := h.renew(ctx, x); {
				case err == nil || ctx.Err() != nil:
				case verdict.AsError(err).Code == verdict.CodeConflict: // a replica is at its own
				default:
					h.unadvised.Inc()
					h.app.log.Warn("the vulnerability data could not be renewed", "error", err.Error(), "fix", verdict.AsError(err).Remedy)
					again = now.Add(max(x.every/6, renewLook))
				}
			}
			t := time.NewTimer(renewLook)
			select {
			case <-t.C:
			case <-ctx.Done():
			}
			t.Stop()
		}
		return nil
	}
}

// follow takes the newest data, unless they were taken already or this replica is changing them.
func (h *host) follow(ctx context.Context) {
	if !h.sharing || !h.changing.TryLock() {
		return
	}
	defer h.changing.Unlock()
	newest, err := h.base.store.SharedFile(ctx, sharedAdvisories)
	if err == nil && newest.Digest != h.taken {
		newest, err = h.recording(h.itself()).takeShared(ctx, h.advisoryFile())
	}
	switch {
	case err == nil:
		h.taken = newest.Digest
	case ctx.Err() == nil:
		h.unadvised.Inc()
		h.app.log.Warn("the vulnerability data that another replica has cannot be taken", "error", err.Error(), "fix", verdict.AsError(err).Remedy)
	}
}

func (h *host) renew(ctx context.Context, x renewal) error {
	ctx, cancel := context.WithTimeout(ctx, wire.WorkTime)
	defer cancel()
	b, err := h.advise(ctx, h.itself(), h.updateOwn(advisoryUpdate{Ecosystems: x.ecosystems}))
	if err != nil {
		return err
	}
	failed, err := failuresIn(b)
	if err == nil && len(failed) > 0 {
		err = &verdict.Error{Code: failed[0].Code, What: failed[0].Source + ": " + failed[0].What, Remedy: failed[0].Remedy}
	}
	return err
}

// renewal reads --advisories-every and --advisories-ecosystem.
func (x *serving) renewal(offline bool) (renewal, error) {
	if x.renewEvery == "" {
		if len(x.renewing) > 0 {
			return renewal{}, usage(seeServe, "--advisories-ecosystem says what to renew, and nothing says when", "add --advisories-every 6h")
		}
		return renewal{}, nil
	}
	d, err := decisionmap.ParseDuration(x.renewEvery)
	if err != nil || time.Duration(d) < 10*time.Minute {
		return renewal{}, usage(seeServe, fmt.Sprintf("--advisories-every %.40q is no length of at least 10 minutes", x.renewEvery), "write a length such as 6h or 1d")
	}
	if offline {
		return renewal{}, usage(seeServe, "--offline forbids to fetch vulnerability data", "leave --offline or --advisories-every out")
	}
	return renewal{time.Duration(d), x.renewing}, nil
}
