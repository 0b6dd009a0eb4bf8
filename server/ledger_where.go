package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"verdict"
	"verdict/identity"
	"verdict/ledger"
	"verdict/server/wire"
	"verdict/server/within"
)

// componentRoutes adds the questions to the index of components.
func (s *Server) componentRoutes(b *shelf) {
	const about = "What the caller has to tell is asked back for in `open`, and sent with the question again in `told`."
	ask := func(path, id, summary string) Operation {
		return Operation{
			Method: http.MethodPost, Path: path, ID: id, Summary: summary, About: about, Tag: tagLedger, Verb: identity.Reading, Body: 32 << 20, Once: true,
		}
	}
	Route(s, ask("/where", "where", "Which artifacts list some components, and which of them run"), b.where)
	Route(s, ask("/listed", "listed", "What the bills of an artifact list"), b.listed)
}

// whereIn and listedIn are the requests.
type whereIn struct{ Body wire.WhereAsked }

type listedIn struct{ Body wire.ListedAsked }

func (b *shelf) where(ctx context.Context, c identity.Caller, q *whereIn) (*out[wire.Found], error) {
	seen, err := b.seen(ctx, c)
	if err != nil {
		return nil, err
	}
	w := q.Body
	d := newDialogue(w.Told)
	x := ledger.WhereQuery{Named: w.Named, At: w.At, Environment: w.Environment, Limit: w.Limit}
	for i, p := range w.Packages {
		one := ledger.PackageQuery{Ecosystem: p.Ecosystem, Name: p.Name}
		if p.Spelled {
			one.Same = func(name string) bool { return d.name(i, name) }
		}
		if p.Bounded {
			one.Holds = func(name, version string) (bool, error) { return d.version(i, name, version) }
		}
		x.Packages = append(x.Packages, one)
	}
	if w.Licence {
		x.Licence = d.licence
	}
	if len(x.Packages) == 0 && x.Named == "" && x.Licence == nil {
		return nil, &verdict.Error{Code: verdict.CodeInvalid, What: "the question names no component", Remedy: "give packages, named or licence"}
	}
	x.Counts = d.counts(w.Counted)
	found, err := seen.Where(ctx, x)
	if err != nil {
		return nil, err
	}
	if open := d.left(); open != nil {
		return answerOf(wire.Found{Open: open}, d.full())
	}
	return answerOf(wire.Found{Where: found}, nil)
}

func (b *shelf) listed(ctx context.Context, c identity.Caller, q *listedIn) (*out[wire.Found], error) {
	seen, err := b.seen(ctx, c)
	if err != nil {
		return nil, err
	}
	d := newDialogue(q.Body.Told)
	found, err := seen.Listed(ctx, q.Body.Artifact, q.Body.At, d.counts(q.Body.Counted))
	if err != nil {
		return nil, err
	}
	if open := d.left(); open != nil {
		return answerOf(wire.Found{Open: open}, d.full())
	}
	return answerOf(wire.Found{Listed: &found}, nil)
}

// dialogue answers the functions of a query by what the caller told, and notes what it did
// not tell. One goroutine uses it.
type dialogue struct {
	told map[string]wire.Verdicts
	seen map[string]bool
	open wire.Told
	n    int
}

func newDialogue(t wire.Told) *dialogue {
	d := &dialogue{told: map[string]wire.Verdicts{}, seen: map[string]bool{}, open: wire.Told{Names: []wire.NameAsked{}, Versions: []wire.VersionAsked{}, Licences: []wire.LicencesAsked{}, Producers: []wire.ProducerAsked{}}}
	for _, x := range t.Names {
		d.told[key("n", x.Package, x.Name)] = x.Verdicts
	}
	for _, x := range t.Versions {
		d.told[key("v", x.Package, x.Name, x.Version)] = x.Verdicts
	}
	for _, x := range t.Licences {
		d.told[key("l", strings.Join(x.Declared, "\n"))] = x.Verdicts
	}
	for _, x := range t.Producers {
		d.told[key("p", x.Kind, x.Producer, x.Service, x.Environment)] = x.Verdicts
	}
	return d
}

func key(parts ...any) string { return fmt.Sprintf("%q", parts) }

// said is what the caller told of a thing. What it did not tell is open, once.
func (d *dialogue) said(k string, ask func()) wire.Verdicts {
	v, ok := d.told[k]
	if !ok && !d.seen[k] {
		d.seen[k] = true
		if d.n++; d.n <= wire.MaxOpen {
			ask()
		}
	}
	return v
}

func (d *dialogue) name(i int, name string) bool {
	return d.said(key("n", i, name), func() { d.open.Names = append(d.open.Names, wire.NameAsked{Package: i, Name: name}) }).Yes
}

func (d *dialogue) version(i int, name, version string) (bool, error) {
	return because(d.said(key("v", i, name, version), func() {
		d.open.Versions = append(d.open.Versions, wire.VersionAsked{Package: i, Name: name, Version: version})
	}))
}

func (d *dialogue) licence(declared []string) (bool, error) {
	return because(d.said(key("l", strings.Join(declared, "\n")), func() {
		d.open.Licences = append(d.open.Licences, wire.LicencesAsked{Declared: declared})
	}))
}

func because(v wire.Verdicts) (bool, error) {
	if v.Why != "" {
		return false, errors.New(v.Why)
	}
	return v.Yes, nil
}

// counts is whose word counts, as the caller says of each; nil where he does not choose.
func (d *dialogue) counts(asked bool) within.Counts {
	if !asked {
		return nil
	}
	return func(kind verdict.Kind, producer, service, environment string) bool {
		return d.said(key("p", kind, producer, service, environment), func() {
			d.open.Producers = append(d.open.Producers, wire.ProducerAsked{Kind: kind, Producer: producer, Service: service, Environment: environment})
		}).Yes
	}
}

// left is what the caller has to tell; nil: nothing.
func (d *dialogue) left() *wire.Told {
	if d.n == 0 {
		return nil
	}
	return &d.open
}

// full refuses a question for which more had to be told than one request carries.
func (d *dialogue) full() error {
	if d.n <= wire.MaxOpen {
		return nil
	}
	return &verdict.Error{
		Code: verdict.CodeLimit, What: fmt.Sprintf("to answer this, %d things would have to be told from the outside, and %d can be", d.n, wire.MaxOpen),
		Remedy: "ask about one package, or where the server's data is",
	}
}
