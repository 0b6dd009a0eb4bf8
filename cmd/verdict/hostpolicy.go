package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"verdict"
	"verdict/identity"
	"verdict/ledger"
	"verdict/policy"
	"verdict/server"
)

// Bounds of backtests. Each uses every core.
const (
	maxBacktests = 2
	backtestTime = 5 * time.Minute
	maxRules     = 3 << 20 // bytes of a packed bundle, as base64
)

// replayAsked names the decision that is taken again.
type replayAsked struct {
	Decision string `json:"decision" minLength:"1" maxLength:"80" doc:"its id, or a unique beginning of it"`
	At       string `json:"at,omitempty" maxLength:"40" doc:"by the log as it was then: its size, a time (RFC 3339), or how long ago (90m, 2h, 7d)"`
}

// backtestAsked says by which rules recorded decisions are judged, and which of them.
type backtestAsked struct {
	Rules   []byte `json:"rules,omitempty" doc:"a tar or tar.gz of the rules"`
	Release int64  `json:"release,omitempty" minimum:"0" doc:"or the entry of a release of rules, as the list of releases has it"`

	Since       string `json:"since,omitempty" maxLength:"40" default:"90d" doc:"how far to look back: 90d, or a time with its zone"`
	Point       string `json:"point,omitempty" maxLength:"100" doc:"only decisions of this point"`
	Service     string `json:"service,omitempty" maxLength:"100" doc:"only decisions about this service"`
	Environment string `json:"environment,omitempty" maxLength:"100" doc:"only decisions for this environment"`
	Latest      bool   `json:"latest,omitempty" doc:"only decisions that no later one replaced"`
	Limit       int64  `json:"limit,omitempty" minimum:"1" maximum:"10000" default:"1000" doc:"at most so many decisions, the newest; how many are left out is told"`
	Verify      bool   `json:"verify,omitempty" doc:"take each decision again first"`
}

// policyOperations take recorded decisions again, by their own rules or by others. Nothing is
// recorded.
func (h *host) policyOperations(s *server.Server) {
	type replayIn struct{ Body replayAsked }
	type replayOut struct{ Body doc[replayed] }
	server.Route(s, server.Operation{
		Method: http.MethodPost, Path: "/policy/replays", ID: "replay", Summary: "Take a recorded decision again and compare", Tag: tagOperations, Verb: identity.Reading, Status: http.StatusOK, Once: true,
		About: "The decision is one that the caller may see; its facts are gathered from all that there was. `same` says whether it is the same. " + writtenBy("policy replay"),
	}, func(ctx context.Context, c identity.Caller, in *replayIn) (*replayOut, error) {
		b, err := h.documented(ctx, c, in.Body.At, reads(func(ctx context.Context, w *workspace) error { return replay(ctx, w, []string{in.Body.Decision}) }))
		return &replayOut{doc[replayed]{b}}, err
	})
	type backtestIn struct{ Body backtestAsked }
	type backtestOut struct{ Body doc[backtestReport] }
	server.Route(s, server.Operation{
		Method: http.MethodPost, Path: "/policy/backtests", ID: "backtest", Summary: "Judge recorded decisions by other rules, and list what flips", Tag: tagOperations, Verb: identity.Reading, Status: http.StatusOK, Once: true,
		Body: maxRules * 4 / 3, Within: backtestTime,
		About: "For those who may change policy or audit (roles security and auditor), over the decisions that they may see. Rules are judged as they are sent, with the bounds of a decision; one backtest of a caller is at work at a time. " +
			writtenBy("policy backtest"),
	}, func(ctx context.Context, c identity.Caller, in *backtestIn) (*backtestOut, error) {
		b, err := h.backtest(ctx, c, in.Body)
		return &backtestOut{doc[backtestReport]{b}}, err
	})
}

func (h *host) backtest(ctx context.Context, c identity.Caller, q backtestAsked) ([]byte, error) {
	if err := c.Holds(identity.Auditing); err != nil && c.Holds(identity.Governing) != nil {
		return nil, err
	}
	if (len(q.Rules) > 0) == (q.Release > 0) {
		return nil, usage(seeAPI, "a backtest is by one set of rules", "send rules, an archive of them, or release, the entry of a release")
	}
	leave, err := h.enterBacktest(c)
	if err != nil {
		return nil, err
	}
	defer leave()
	out, err := h.documented(ctx, c, "", func(ctx context.Context, a *app) error {
		b := backtest{policy: "what was sent", since: q.Since, point: q.Point, service: q.Service, env: q.Environment, limit: q.Limit, latest: q.Latest, verify: q.Verify}
		files, err := policy.LoadArchive(q.Rules)
		if q.Release > 0 {
			b.policy = fmt.Sprintf("the release in entry %d", q.Release)
			files, err = a.filesOfRelease(ctx, q.Release)
		}
		if err != nil {
			return err
		}
		return b.judge(ctx, a, files)
	})
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		err = &verdict.Error{Code: verdict.CodeLimit, What: "the backtest took longer than " + backtestTime.String(), Remedy: "ask for fewer decisions: limit, since, point or service", Err: err}
	}
	return out, err
}

// enterBacktest takes one of few places, unless the caller has one.
func (h *host) enterBacktest(c identity.Caller) (leave func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.testing[c.Actor] {
		return nil, &verdict.Error{Code: verdict.CodeConflict, What: "a backtest of yours is at work", Remedy: "wait for its answer, then ask again"}
	}
	select {
	case h.backtests <- struct{}{}:
	default:
		return nil, &verdict.Error{Code: verdict.CodeUnavailable, What: "the server works on as many backtests as it does at once", Remedy: "ask again in a minute"}
	}
	h.testing[c.Actor] = true
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.testing, c.Actor)
		<-h.backtests
	}, nil
}

// filesOfRelease gives the rules that an entry released.
func (a *app) filesOfRelease(ctx context.Context, entry int64) (map[string]string, error) {
	w, err := a.openExisting(ctx)
	if err != nil {
		return nil, err
	}
	defer w.close()
	all, err := w.policyReleases(ctx, ledger.Now)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(r *releasedPolicy) bool { return r.index() == entry })
	if i < 0 {
		return nil, &verdict.Error{Code: verdict.CodeNotFound, What: fmt.Sprintf("entry %d is no release of rules", entry), Remedy: "take it from the list of releases: verdict policy list"}
	}
	files, _, err := w.rulesIn(ctx, all[i].Said)
	return files, err
}
