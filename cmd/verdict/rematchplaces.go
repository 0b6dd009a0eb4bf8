package main

import (
	"context"

	"verdict"
	"verdict/ledger"
)

// stillRunning are the places of what is affected that somebody said to run whom the map
// trusts with it, and of which nobody trusted said otherwise. What runs is by the last word,
// whoever's it is: without this, anybody with a key could say that something else runs there,
// and nobody would hear of what becomes known of it.
func (x *rematching) stillRunning(ctx context.Context, found *ledger.Where) ([]ledger.RunsWith, error) {
	type place struct {
		environment, service, name string
		digest                     verdict.Digest
	}
	var out []ledger.RunsWith
	known, looked := map[place]bool{}, map[verdict.Digest]bool{}
	for _, r := range found.Running {
		known[place{r.Environment, r.Service, r.Name, r.Digest}] = true
	}
	look := func(digest verdict.Digest, with ledger.RunsWith) error {
		if looked[digest] {
			return nil
		}
		looked[digest] = true
		rows, err := x.w.ledger.Running(ctx, ledger.RunningQuery{Digest: digest, At: ledger.Now, Ended: true})
		if err != nil {
			return err
		}
		for _, r := range rows {
			p := place{r.Environment, r.Service, r.Name, r.Digest}
			if known[p] {
				continue
			}
			switch stands, err := x.stands(ctx, r); {
			case err != nil:
				return err
			case stands:
				known[p], with.RunningRow = true, r
				out = append(out, with)
			}
		}
		return nil
	}
	for _, r := range found.Running {
		if err := look(r.Digest, r); err != nil {
			return nil, err
		}
	}
	for _, b := range found.Built {
		for _, s := range artifactsOf(b.Bill) {
			if err := look(s.Digest, ledger.RunsWith{Bill: b.Bill.Index, Components: b.Components, Untold: b.Untold}); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// stands reports whether it was said by somebody trusted that an artifact runs somewhere, and
// taken back by nobody trusted.
func (x *rematching) stands(ctx context.Context, r ledger.RunningRow) (bool, error) {
	e, err := x.w.ledger.Entry(ctx, r.Index)
	if err != nil || e.Foreign || !x.counts(e.Kind, e.Producer, r.Service, r.Environment) {
		return false, err
	}
	why, err := x.w.ended(ctx, verdict.Finding{Environment: r.Environment, Service: r.Service, Name: r.Name, Digest: r.Digest}, x.counts)
	return why == "", err
}
