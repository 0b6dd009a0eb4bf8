package ledger

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/store"
)

// Position is how many entries a question sees, over all epochs.
type Position int64

// Now is the position behind the last entry.
const Now Position = -1

// Position is how many entries there are now.
func (l *Ledger) Position(ctx context.Context) (p Position, err error) {
	err = l.view(ctx, func(_ *store.View, head store.Head) error {
		p = Position(head.Base + head.Size)
		return nil
	})
	return p, err
}

// upTo is the position as a bound of a query.
func (p Position) upTo() int64 {
	if p < 0 {
		return store.Open
	}
	return int64(p)
}

// Entry is one piece of evidence in the log, without its bytes.
type Entry struct {
	Index         int64             `json:"index"`
	Kind          verdict.Kind      `json:"kind"` // of the evidence, also when it is foreign
	PredicateType string            `json:"predicate_type"`
	Subjects      []verdict.Subject `json:"subjects"`
	// Context is what the producer said, without the nonce; for foreign evidence it is
	// the context of its ingestion.
	Context  verdict.Context `json:"context"`
	Producer string          `json:"producer"` // as evidence.Producer.String
	Signer   string          `json:"signer"`   // the enrolled key under the leaf
	At       time.Time       `json:"at"`       // when it was recorded
	Digest   verdict.Digest  `json:"digest"`   // sha256 of the payload of the evidence
	Identity verdict.Digest  `json:"identity"`
	// Foreign: somebody else's evidence that an enrolled key of ours vouches for. It is
	// a claim and takes no effect by itself.
	Foreign bool   `json:"foreign"`
	Origin  string `json:"origin"`       // the log that it came from, if it came from one
	Source  int64  `json:"source_index"` // its index there
	// Pruned: the bytes were deleted at the end of their retention. The leaf stays.
	Pruned bool `json:"pruned"`
	// Tombstone is the index of the entry that says who pruned it and why; -1 if none.
	Tombstone int64 `json:"tombstone"`
	// Beside: blobs that its statement names are in this ledger.
	Beside bool `json:"-"`
}

// Ref names the entry in other evidence.
func (e Entry) Ref() verdict.Ref {
	return verdict.Ref{Kind: e.Kind, Digest: e.Digest, Index: e.Index, At: e.At, Producer: e.Producer}
}

func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(n int64) time.Time { return time.UnixMicro(n).UTC() }

// entryOf reads a row.
func entryOf(r store.Entry) (Entry, error) {
	e := Entry{
		Index: r.Seq, Kind: verdict.Kind(r.Kind), PredicateType: r.PredicateType, Producer: r.Producer, Signer: r.Signer, At: fromMicros(r.At),
		Context: verdict.Context{
			Service: r.Service, Team: r.Team, Environment: r.Environment, Point: r.Point, Run: r.Run, Actor: r.Actor, At: fromMicros(r.Said), Retention: r.Retention,
		},
		Digest:   verdict.NewDigest("sha256", hex.EncodeToString(r.Digest)),
		Identity: verdict.NewDigest("sha256", hex.EncodeToString(r.Identity)),
		Foreign:  r.ForeignDigest != "", Origin: r.ForeignOrigin, Source: r.ForeignSeq,
		Pruned: r.ToSeq != store.Open, Tombstone: -1, Beside: r.Blobs > 0,
	}
	if e.Pruned {
		e.Tombstone = r.ToSeq
	}
	if err := json.Unmarshal([]byte(r.Subjects), &e.Subjects); err != nil {
		return Entry{}, fmt.Errorf("subjects of entry %d: %w", r.Seq, err)
	}
	return e, nil
}

func entriesOf(rows []store.Entry) ([]Entry, error) {
	out := make([]Entry, len(rows))
	for i, r := range rows {
		var err error
		if out[i], err = entryOf(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func noEntry(index int64) error {
	return &verdict.Error{
		Code: verdict.CodeNotFound, What: fmt.Sprintf("the ledger has no entry %d", index),
		Remedy: "give an index below the size that verdict log checkpoint prints; positions that a restored backup lost stay empty",
	}
}

// Entry gives one entry.
func (l *Ledger) Entry(ctx context.Context, index int64) (Entry, error) {
	var e Entry
	err := l.view(ctx, func(v *store.View, _ store.Head) error {
		r, found, err := v.Entry(ctx, index)
		if err == nil && !found {
			err = noEntry(index)
		}
		if err == nil {
			e, err = entryOf(r)
		}
		return err
	})
	return e, err
}

// maxList bounds how many rows one question gives.
const maxList = 10_000

func limited(n int) int64 {
	if n <= 0 || n > maxList {
		return maxList
	}
	return int64(n)
}

// Query chooses entries. Empty fields choose all. The zero At is the position 0, before
// everything: set it to Now for what is known now.
type Query struct {
	Subject                     verdict.Digest
	Kind                        verdict.Kind
	Service, Environment, Point string
	At                          Position
	Before                      int64 // only entries with a smaller index; 0: all
	From                        int64 // only entries with this index or a larger one
	Limit                       int   // at most 10,000, which is also what 0 means
}

// Find lists what the query chooses, newest first. An empty list means that there is no
// such entry.
func (l *Ledger) Find(ctx context.Context, q Query) ([]Entry, error) {
	before := q.At.upTo()
	if q.Before > 0 {
		before = min(before, q.Before)
	}
	var out []Entry
	err := l.view(ctx, func(v *store.View, _ store.Head) error {
		rows, err := v.Entries(ctx, store.EntryQuery{
			Subject: string(q.Subject), Kind: string(q.Kind), Service: q.Service, Environment: q.Environment, Point: q.Point, Before: before, From: q.From, Limit: limited(q.Limit),
		})
		if err == nil {
			out, err = entriesOf(rows)
		}
		return err
	})
	return out, err
}

// PositionAt is the position at a time: behind the last entry that was recorded at or
// before it. Receipts of the log prove these times.
func (l *Ledger) PositionAt(ctx context.Context, t time.Time) (Position, error) {
	var found Position
	err := l.view(ctx, func(v *store.View, head store.Head) error {
		// Recorded times never run backwards, so a binary search finds the place.
		low, high := int64(0), head.Base+head.Size // the answer is in [low, high]
		for low < high {
			middle := low + (high-low+1)/2
			seq, at, any, err := v.LastBefore(ctx, middle)
			switch {
			case err != nil:
				return err
			case !any: // nothing before the middle: nothing was recorded by then
				low = middle
			case at <= micros(t):
				low = middle
			default:
				high = min(middle-1, seq)
			}
		}
		found = Position(low)
		return nil
	})
	return found, err
}

// DecisionQuery chooses decisions. Empty fields choose all; set At to Now for what is
// known now.
type DecisionQuery struct {
	Subject                     verdict.Digest
	Point, Service, Environment string
	Outcome                     verdict.Outcome
	At                          Position
	Before                      int64 // only decisions with a smaller index; 0: all
	From                        int64 // only decisions with this index or a larger one
	Limit                       int
}

// DecisionRow is what the index says about a decision.
type DecisionRow struct {
	ID          string          `json:"id"`
	Index       int64           `json:"index"`
	Point       string          `json:"point"`
	Subject     verdict.Digest  `json:"subject"`
	Name        string          `json:"name"` // of the subject
	Service     string          `json:"service"`
	Environment string          `json:"environment"`
	Mode        verdict.Mode    `json:"mode"`
	Outcome     verdict.Outcome `json:"outcome"`
	Enforced    verdict.Outcome `json:"enforced"`
	At          time.Time       `json:"at"`
	Expires     time.Time       `json:"expires"` // zero: does not expire
	// Replaced is the index of the decision of the same point about the same subject
	// and environment that came next, -1 if this one stands.
	Replaced int64 `json:"replaced"`
}

func decisionRow(d store.Decision, at Position) DecisionRow {
	r := DecisionRow{
		ID: d.ID, Index: d.From, Point: d.Point, Subject: verdict.Digest(d.Subject), Name: d.Name, Service: d.Service, Environment: d.Environment,
		Mode: verdict.Mode(d.Mode), Outcome: verdict.Outcome(d.Outcome), Enforced: verdict.Outcome(d.Enforced), At: fromMicros(d.At), Replaced: -1,
	}
	if d.Expires != 0 {
		r.Expires = fromMicros(d.Expires)
	}
	if d.To < at.upTo() {
		r.Replaced = d.To
	}
	return r
}

// Decisions lists what the query chooses, newest first. Decisions that came from other
// logs are claims and are not among them.
func (l *Ledger) Decisions(ctx context.Context, q DecisionQuery) ([]DecisionRow, error) {
	out, before := []DecisionRow{}, q.At.upTo()
	if q.Before > 0 {
		before = min(before, q.Before)
	}
	err := l.view(ctx, func(v *store.View, _ store.Head) error {
		rows, err := v.Decisions(ctx, store.DecisionQuery{
			Subject: string(q.Subject), Point: q.Point, Service: q.Service, Environment: q.Environment, Outcome: string(q.Outcome), Before: before, From: q.From, Limit: limited(q.Limit),
		})
		for _, r := range rows {
			out = append(out, decisionRow(r, q.At))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// SignedDecision is a decision with who signed it, as evidence.Producer.String.
type SignedDecision struct {
	DecisionRow
	Producer string
}

// SignedDecisions lists the decisions of a point about an environment in the entries from a
// position to another, oldest first and at most 10,000: for who goes through all of them. As
// with Decisions, those that came from other logs are not among them.
func (l *Ledger) SignedDecisions(ctx context.Context, point, environment string, from, to Position) ([]SignedDecision, error) {
	out := []SignedDecision{}
	err := l.view(ctx, func(v *store.View, _ store.Head) error {
		rows, err := v.SignedDecisions(ctx, point, environment, int64(from), to.upTo(), maxList)
		for _, r := range rows {
			out = append(out, SignedDecision{decisionRow(r.Decision, to), r.Producer})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Decision finds a decision by its id, or by as much of it as is unique.
func (l *Ledger) Decision(ctx context.Context, prefix string, at Position) (Entry, *verdict.Decision, error) {
	return Decided(l.DecisionStatement(ctx, prefix, at))
}

// Decided reads the decision that a statement is, as DecisionStatement gives it.
func Decided(e Entry, s *evidence.Statement, err error) (Entry, *verdict.Decision, error) {
	if err != nil {
		return e, nil, err
	}
	d := &verdict.Decision{}
	if err := s.Decode(d); err != nil {
		return e, nil, fmt.Errorf("decision in entry %d: %w", e.Index, err)
	}
	return e, d, nil
}

// DecisionStatement finds a decision like Decision and gives its whole statement, with
// what the decision rested on.
func (l *Ledger) DecisionStatement(ctx context.Context, prefix string, at Position) (Entry, *evidence.Statement, error) {
	return l.DecisionAmong(ctx, prefix, at, nil)
}

// maxAlike is how many decisions with one beginning are looked through for those of somebody.
const maxAlike = 1_000

// DecisionAmong finds a decision like DecisionStatement among those that somebody sees; nil: all.
// The others neither make a beginning ambiguous nor are they told.
func (l *Ledger) DecisionAmong(ctx context.Context, prefix string, at Position, sees func(Entry) bool) (Entry, *evidence.Statement, error) {
	if len(prefix) < 4 || strings.Trim(prefix, idAlphabet) != "" {
		return Entry{}, nil, &verdict.Error{
			Code: verdict.CodeInvalid, What: fmt.Sprintf("%.80q is not the id of a decision", prefix),
			Remedy: "give at least four characters of the id, as verdict ci and verdict trail print it",
		}
	}
	var row store.Decision
	err := l.view(ctx, func(v *store.View, _ store.Head) error {
		limit := int64(20)
		if sees != nil {
			limit = maxAlike
		}
		rows, err := v.DecisionsByID(ctx, prefix, at.upTo(), limit)
		if err == nil && sees != nil {
			rows, err = decisionsSeen(ctx, v, prefix, rows, sees)
		}
		if err == nil {
			row, err = oneDecision(prefix, rows)
		}
		return err
	})
	if err != nil {
		return Entry{}, nil, err
	}
	return l.statement(ctx, row.From)
}

// decisionsSeen are those of some rows that somebody sees. With one id are those who claim it
// after another: where he does not see the first, it is nobody's for him.
func decisionsSeen(ctx context.Context, v *store.View, prefix string, rows []store.Decision, sees func(Entry) bool) ([]store.Decision, error) {
	var out []store.Decision
	for i, r := range rows {
		if i > 0 && rows[i-1].ID == r.ID {
			continue
		}
		x, _, err := v.Entry(ctx, r.From)
		if err != nil {
			return nil, err
		}
		e, err := entryOf(x)
		if err != nil {
			return nil, err
		}
		if sees(e) {
			out = append(out, r)
		}
	}
	if len(out) == 0 && len(rows) == maxAlike {
		return nil, &verdict.Error{Code: verdict.CodeInvalid, What: fmt.Sprintf("too many decisions have an id that begins with %s", prefix), Remedy: "give more characters of the id"}
	}
	return out, nil
}

// idAlphabet is what ids of decisions, exceptions and the like are made of.
const idAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:"

// oneDecision chooses among decisions whose id begins with prefix: the whole id wins,
// and of two that claim one id the older.
func oneDecision(prefix string, rows []store.Decision) (store.Decision, error) {
	var ids []string
	for _, r := range rows {
		if r.ID == prefix {
			return r, nil
		}
		if len(ids) == 0 || ids[len(ids)-1] != r.ID {
			ids = append(ids, r.ID)
		}
	}
	switch {
	case len(ids) == 0:
		return store.Decision{}, &verdict.Error{
			Code: verdict.CodeNotFound, What: fmt.Sprintf("no decision has an id that begins with %s", prefix),
			Remedy: "list the decisions about a commit, digest or file: verdict trail REF",
		}
	case len(ids) > 1:
		return store.Decision{}, &verdict.Error{
			Code: verdict.CodeInvalid, What: fmt.Sprintf("%d decisions or more have an id that begins with %s: %s", len(ids), prefix, strings.Join(ids[:min(len(ids), 5)], ", ")),
			Remedy: "give more characters of the id",
		}
	}
	return rows[0], nil
}

// Release gives the release of a map or policy that holds at a position.
func (l *Ledger) Release(ctx context.Context, kind verdict.Kind, at Position) (Entry, bool, error) {
	entries, err := l.Standing(ctx, kind, "", at)
	if err != nil || len(entries) == 0 {
		return Entry{}, false, err
	}
	return entries[0], true, nil
}

// Standing lists the statements of a kind that hold at a position, newest first: no newer
// one about the same id has replaced them. Kinds that stand are those of registerKinds;
// about limits them to one decision (approvals), service (exceptions) and so on.
func (l *Ledger) Standing(ctx context.Context, kind verdict.Kind, about string, at Position) ([]Entry, error) {
	if _, ok := registerKinds[kind]; !ok {
		return nil, fmt.Errorf("statements of kind %s replace nothing: use Find", kind)
	}
	out := []Entry{}
	err := l.view(ctx, func(v *store.View, _ store.Head) error {
		rows, err := v.Registers(ctx, string(kind), about, at.upTo(), maxList)
		if err != nil {
			return err
		}
		for _, r := range rows {
			row, _, err := v.Entry(ctx, r.From)
			if err != nil {
				return err
			}
			e, err := entryOf(row)
			if err != nil {
				return err
			}
			out = append(out, e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Stands reports whether statements of a kind replace each other, so that Standing lists them.
func Stands(kind verdict.Kind) bool { return registerKinds[kind] != nil }
