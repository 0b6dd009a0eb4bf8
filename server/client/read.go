package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/sbom"
	"verdict/server/wire"
)

// Ledger is the ledger of a server. Lists hold what the caller may see.
type Ledger struct {
	c *Client

	mu     sync.Mutex // guards events
	events []wire.PlacedKeyEvent
}

// Ledger gives the server's ledger.
func (c *Client) Ledger() *Ledger { return &Ledger{c: c} }

// query makes the parameters of a request; empty values and defaults are left out.
type query struct{ url.Values }

func ask() query { return query{url.Values{}} }

func (q query) text(name, value string) query {
	if value != "" {
		q.Set(name, value)
	}
	return q
}

func (q query) number(name string, n int64) query {
	q.Set(name, strconv.FormatInt(n, 10))
	return q
}

// at is a position; the present is what the server assumes.
func (q query) at(p ledger.Position) query {
	if p < 0 {
		return q
	}
	return q.number("at", int64(p))
}

func (l *Ledger) get(ctx context.Context, path string, q query, into any) error {
	return l.c.get(ctx, wire.Prefix+path, q.Values, into)
}

// Position is how many entries there are now.
func (l *Ledger) Position(ctx context.Context) (ledger.Position, error) {
	c, err := l.Checkpoint(ctx)
	return c.Position, err
}

// PositionAt is the position at a time.
func (l *Ledger) PositionAt(ctx context.Context, t time.Time) (ledger.Position, error) {
	var p wire.Position
	err := l.get(ctx, "/position", ask().text("time", t.UTC().Format(time.RFC3339Nano)), &p)
	return p.Position, err
}

// Entry gives one entry.
func (l *Ledger) Entry(ctx context.Context, index int64) (ledger.Entry, error) {
	var e wire.Entry
	if err := l.get(ctx, place(index), ask(), &e); err != nil {
		return ledger.Entry{}, err
	}
	if e.Index != index {
		return ledger.Entry{}, l.c.strange(fmt.Sprintf("it gives entry %d for entry %d", e.Index, index), nil)
	}
	return e.Ledger(), nil
}

func place(index int64) string { return "/entries/" + strconv.FormatInt(index, 10) }

// maxRows is how many rows one question gives, as with a ledger of one's own.
const maxRows = 10_000

func limited(n int) int {
	if n <= 0 || n > maxRows {
		return maxRows
	}
	return n
}

// pages asks for page after page until there are enough rows, or no more.
func pages[T any](limit int, page func(cursor string, n int) (rows []T, next string, err error)) ([]T, error) {
	out, cursor := []T{}, ""
	for len(out) < limit {
		rows, next, err := page(cursor, min(limit-len(out), wire.MaxPage))
		if err != nil {
			return nil, err
		}
		out = append(out, rows[:min(len(rows), limit-len(out))]...)
		if next == "" {
			break
		}
		if next == cursor {
			return nil, &verdict.Error{Code: verdict.CodeUnavailable, What: "the server gives the same page of a list again and again", Remedy: "have its operator look at its log, and compare the versions: verdict version here and there"}
		}
		cursor = next
	}
	return out, nil
}

func (l *Ledger) entries(ctx context.Context, path string, q query, limit int) ([]ledger.Entry, error) {
	return pages(limit, func(cursor string, n int) ([]ledger.Entry, string, error) {
		var p wire.Entries
		if err := l.get(ctx, path, q.text("cursor", cursor).number("limit", int64(n)), &p); err != nil {
			return nil, "", err
		}
		out := make([]ledger.Entry, len(p.Entries))
		for i, e := range p.Entries {
			out[i] = e.Ledger()
		}
		return out, p.Next, nil
	})
}

// Find lists what the query chooses, newest first.
func (l *Ledger) Find(ctx context.Context, q ledger.Query) ([]ledger.Entry, error) {
	p := ask().text("subject", string(q.Subject)).text("kind", string(q.Kind)).text("service", q.Service).text("environment", q.Environment).text("point", q.Point).at(q.At)
	if q.Before > 0 {
		p.number("before", q.Before)
	}
	if q.From > 0 {
		p.number("from", q.From)
	}
	return l.entries(ctx, "/entries", p, limited(q.Limit))
}

// Range lists the entries [from, to) in their order, at most 10,000 of them.
func (l *Ledger) Range(ctx context.Context, from, to ledger.Position) ([]ledger.Entry, error) {
	return l.entries(ctx, "/log/entries", ask().number("from", int64(from)).at(to), maxRows)
}

// Arrived lists the entries that came from the positions [from, to) of another log, the
// last of them first.
func (l *Ledger) Arrived(ctx context.Context, origin string, from, to ledger.Position) ([]ledger.Entry, error) {
	return l.entries(ctx, "/arrivals", ask().text("origin", origin).number("from", int64(from)).at(to), maxRows)
}

// Standing lists the statements of a kind that hold at a position, newest first.
func (l *Ledger) Standing(ctx context.Context, kind verdict.Kind, about string, at ledger.Position) ([]ledger.Entry, error) {
	return l.entries(ctx, "/standing", ask().text("kind", string(kind)).text("about", about).at(at), maxRows)
}

// Decisions lists decisions, newest first.
func (l *Ledger) Decisions(ctx context.Context, q ledger.DecisionQuery) ([]ledger.DecisionRow, error) {
	p := ask().text("subject", string(q.Subject)).text("point", q.Point).text("service", q.Service).text("environment", q.Environment).text("outcome", string(q.Outcome)).at(q.At)
	if q.Before > 0 {
		p.number("before", q.Before)
	}
	if q.From > 0 {
		p.number("from", q.From)
	}
	return pages(limited(q.Limit), func(cursor string, n int) ([]ledger.DecisionRow, string, error) {
		var page wire.Decisions
		err := l.get(ctx, "/decisions", p.text("cursor", cursor).number("limit", int64(n)), &page)
		return page.Decisions, page.Next, err
	})
}

// Decision finds a decision by its id, or by as much of it as is unique.
func (l *Ledger) Decision(ctx context.Context, prefix string, at ledger.Position) (ledger.Entry, *verdict.Decision, error) {
	return ledger.Decided(l.DecisionStatement(ctx, prefix, at))
}

// DecisionStatement finds a decision like Decision and gives its whole statement.
func (l *Ledger) DecisionStatement(ctx context.Context, prefix string, at ledger.Position) (ledger.Entry, *evidence.Statement, error) {
	var b wire.Body
	if err := l.get(ctx, "/decisions/"+url.PathEscape(prefix), ask().at(at), &b); err != nil {
		return ledger.Entry{}, nil, err
	}
	bundle, err := l.parse(b.Bundle)
	if err != nil {
		return ledger.Entry{}, nil, err
	}
	s, err := bundle.Statement()
	return b.Entry.Ledger(), s, err
}

// parse reads a bundle that the server gave.
func (l *Ledger) parse(raw json.RawMessage) (*evidence.Bundle, error) {
	b, err := evidence.ParseBundle(raw)
	if err != nil {
		return nil, l.c.strange("a bundle that it gives cannot be read", err)
	}
	return b, nil
}

// Running lists what is stated to run.
func (l *Ledger) Running(ctx context.Context, q ledger.RunningQuery) ([]ledger.RunningRow, error) {
	p := ask().text("environment", q.Environment).text("service", q.Service).text("digest", string(q.Digest)).at(q.At)
	if q.Ended {
		p.Set("ended", "true")
	}
	return pages(limited(q.Limit), func(cursor string, n int) ([]ledger.RunningRow, string, error) {
		var page wire.Running
		err := l.get(ctx, "/running", p.text("cursor", cursor).number("limit", int64(n)), &page)
		return page.Running, page.Next, err
	})
}

// Keys gives the enrolled keys and their history.
func (l *Ledger) Keys(ctx context.Context) (*identity.History, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	after := int64(0)
	if n := len(l.events); n > 0 {
		after = l.events[n-1].Index + 1
	}
	var k wire.Keys
	if err := l.get(ctx, "/key-events", ask().number("from", after), &k); err != nil {
		return nil, err
	}
	l.events = append(l.events, k.Events...)
	h := &identity.History{}
	for _, e := range l.events {
		if err := h.Apply(e.Index, e.At, e.Signer, e.Event); err != nil {
			return nil, l.c.strange(fmt.Sprintf("the key event that it gives for entry %d contradicts those before it", e.Index), err)
		}
	}
	return h, nil
}

// Bundle gives the evidence of an entry: what was appended, or the foreign bundle.
func (l *Ledger) Bundle(ctx context.Context, index int64) (*evidence.Bundle, error) {
	return l.body(ctx, index, "/bundle")
}

// Logged gives the bundle under the leaf: for foreign evidence that of its ingestion.
func (l *Ledger) Logged(ctx context.Context, index int64) (*evidence.Bundle, error) {
	return l.body(ctx, index, "/logged")
}

func (l *Ledger) body(ctx context.Context, index int64, which string) (*evidence.Bundle, error) {
	var b wire.Body
	if err := l.get(ctx, place(index)+which, ask(), &b); err != nil {
		return nil, err
	}
	return l.parse(b.Bundle)
}

// Leaf gives the bytes of a leaf.
func (l *Ledger) Leaf(ctx context.Context, index int64) ([]byte, error) {
	var leaf wire.Leaf
	err := l.get(ctx, place(index)+"/leaf", ask(), &leaf)
	return leaf.Leaf, err
}

// BillOf reads the bill of materials that a statement holds or names.
func (l *Ledger) BillOf(ctx context.Context, s *evidence.Statement) (*sbom.Bill, error) {
	return ledger.ReadBill(ctx, l, s)
}

// Log gives the latest checkpoint with the key that verifies it.
func (l *Ledger) Log(ctx context.Context) (wire.Log, error) {
	var x wire.Log
	err := l.get(ctx, "/checkpoint", ask(), &x)
	return x, err
}

// Checkpoint gives the latest checkpoint.
func (l *Ledger) Checkpoint(ctx context.Context) (ledger.Checkpoint, error) {
	x, err := l.Log(ctx)
	return x.Checkpoint, err
}

// Cosigned is the largest checkpoint that a witness signed.
func (l *Ledger) Cosigned(ctx context.Context) (ledger.Cosigned, bool, error) {
	x, err := l.Log(ctx)
	if err != nil || x.Cosigned == nil {
		return ledger.Cosigned{}, false, err
	}
	return *x.Cosigned, true, nil
}

// Inclusion proves an entry against the latest checkpoint of its epoch.
func (l *Ledger) Inclusion(ctx context.Context, index int64) (ledger.InclusionProof, error) {
	return l.InclusionAt(ctx, index, ledger.Now)
}

// InclusionAt proves an entry against the checkpoint that its epoch had at a position. The
// proof is computed again here.
func (l *Ledger) InclusionAt(ctx context.Context, index int64, at ledger.Position) (ledger.InclusionProof, error) {
	var p ledger.InclusionProof
	if err := l.get(ctx, place(index)+"/proof", ask().at(at), &p); err != nil {
		return p, err
	}
	if err := p.Check(); err != nil || p.Index != index {
		return p, refused(fmt.Sprintf("the proof that the server gives for entry %d does not hold", index), err)
	}
	return p, nil
}

// Consistency proves that the log at the size to continues what it was at the size from.
func (l *Ledger) Consistency(ctx context.Context, from, to int64) (ledger.ConsistencyProof, error) {
	var p ledger.ConsistencyProof
	if err := l.get(ctx, "/consistency", ask().number("from", from).number("to", to), &p); err != nil {
		return p, err
	}
	if err := p.Check(); err != nil {
		return p, refused("the proof that the server gives does not hold: its log does not continue what it was", err)
	}
	return p, nil
}

func refused(what string, err error) error {
	return &verdict.Error{Code: verdict.CodeRefused, What: what, Remedy: "keep what it gave (-o json), and have its operator run verdict log verify where its data is", Err: err}
}

// Close lets go of the connection.
func (l *Ledger) Close() error {
	l.c.Close()
	return nil
}
