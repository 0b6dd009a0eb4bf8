package client

import (
	"context"
	"errors"
	"fmt"

	"verdict"
	"verdict/ledger"
	"verdict/server/wire"
)

// rounds is how often a server may ask back: for names, for their versions, for producers,
// and once more when something was recorded meanwhile.
const rounds = 8

// Where answers from the server's index of components. What the functions of the query say
// is asked back for, so that it is said by this program whatever the version of the server.
func (l *Ledger) Where(ctx context.Context, q ledger.WhereQuery) (*ledger.Where, error) {
	w := wire.WhereAsked{Named: q.Named, Licence: q.Licence != nil, Counted: q.Counts != nil, At: q.At, Environment: q.Environment, Limit: q.Limit, Packages: []wire.PackageAsked{}}
	for _, p := range q.Packages {
		w.Packages = append(w.Packages, wire.PackageAsked{Ecosystem: p.Ecosystem, Name: p.Name, Spelled: p.Same != nil, Bounded: p.Holds != nil})
	}
	f, err := l.untilTold(ctx, "/where", &w, &w.Told, q)
	if err != nil {
		return nil, err
	}
	if f.Where == nil {
		return nil, l.c.strange("it answers nothing to a question about components", nil)
	}
	return f.Where, nil
}

// Listed gives what the bills of an artifact list that hold at a position, and count.
func (l *Ledger) Listed(ctx context.Context, artifact verdict.Digest, at ledger.Position, counts func(kind verdict.Kind, producer, service, environment string) bool) (ledger.Listed, error) {
	w := wire.ListedAsked{Artifact: artifact, At: at, Counted: counts != nil}
	f, err := l.untilTold(ctx, "/listed", &w, &w.Told, ledger.WhereQuery{Counts: counts})
	if err != nil {
		return ledger.Listed{}, err
	}
	if f.Listed == nil {
		return ledger.Listed{}, l.c.strange("it answers nothing to a question about bills", nil)
	}
	return *f.Listed, nil
}

// untilTold asks until the server has nothing more to ask.
func (l *Ledger) untilTold(ctx context.Context, path string, body any, told *wire.Told, q ledger.WhereQuery) (wire.Found, error) {
	for range rounds {
		var f wire.Found
		if err := l.c.question(ctx, wire.Prefix+path, body, &f); err != nil || f.Open == nil {
			return f, err
		}
		if err := tell(*f.Open, told, q); err != nil {
			return f, l.c.strange(err.Error(), nil)
		}
	}
	return wire.Found{}, l.c.strange(fmt.Sprintf("it asks back more than %d times", rounds), nil)
}

// tell adds what the functions of a query say of the things that are open.
func tell(open wire.Told, told *wire.Told, q ledger.WhereQuery) error {
	for _, x := range open.Names {
		if x.Package < 0 || x.Package >= len(q.Packages) || q.Packages[x.Package].Same == nil {
			return errors.New("it asks about a name that nobody asked for")
		}
		x.Yes = q.Packages[x.Package].Same(x.Name)
		told.Names = append(told.Names, x)
	}
	for _, x := range open.Versions {
		if x.Package < 0 || x.Package >= len(q.Packages) || q.Packages[x.Package].Holds == nil {
			return errors.New("it asks about a version that nobody asked for")
		}
		x.Verdicts = verdicts(q.Packages[x.Package].Holds(x.Name, x.Version))
		told.Versions = append(told.Versions, x)
	}
	for _, x := range open.Licences {
		if q.Licence == nil {
			return errors.New("it asks about a licence that nobody asked for")
		}
		x.Verdicts = verdicts(q.Licence(x.Declared))
		told.Licences = append(told.Licences, x)
	}
	for _, x := range open.Producers {
		if q.Counts == nil {
			return errors.New("it asks about a producer that nobody asked for")
		}
		x.Yes = q.Counts(x.Kind, x.Producer, x.Service, x.Environment)
		told.Producers = append(told.Producers, x)
	}
	return nil
}

func verdicts(yes bool, err error) wire.Verdicts {
	v := wire.Verdicts{Yes: yes}
	if err != nil {
		v.Why = err.Error()
	}
	return v
}
