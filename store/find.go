package store

import "context"

// Every question takes a position at: only the entries before it are seen, so the
// answer is the one that was given then. Limits are the caller's duty.

const entryColumns = `seq, to_seq, at, kind, predicate_type, producer, service, team, environment, point, run, actor, said, retention, subjects, digest, identity, foreign_digest, foreign_origin, foreign_seq, signer, size, blobs, bills`

const (
	// Index: primary key of entry.
	entryStatement = `SELECT ` + entryColumns + ` FROM entry WHERE seq = $1`

	// Index: primary key of entry.
	bodyStatement = `SELECT ` + entryColumns + `, signature, payload, leaf FROM entry WHERE seq = $1`

	// Index: primary key of entry, a range in order.
	bodiesStatement = `SELECT ` + entryColumns + `, signature, payload, leaf FROM entry WHERE seq >= $1 AND seq < $2 ORDER BY seq`

	// Index: primary key of entry, a range in order.
	entriesBetweenStatement = `SELECT ` + entryColumns + ` FROM entry WHERE seq >= $1 AND seq < $2 ORDER BY seq LIMIT $3`

	// Index: primary key of foreign_bundle.
	foreignStatement = `SELECT from_seq, to_seq, size, data FROM foreign_bundle WHERE from_seq = $1`

	// Index: primary key of subject, backwards; entry by its primary key.
	findSubjectStatement = `SELECT ` + entryColumns + ` FROM (SELECT from_seq AS found FROM subject WHERE digest = $1 AND from_seq < $2 AND from_seq >= $3 AND ($4 = '' OR kind = $4)) AS about JOIN entry ON seq = found WHERE ($5 = '' OR service = $5) AND ($6 = '' OR environment = $6) AND ($7 = '' OR point = $7) ORDER BY found DESC LIMIT $8`

	// Index: entry_kind, backwards.
	findKindStatement = `SELECT ` + entryColumns + ` FROM entry WHERE seq < $1 AND seq >= $2 AND kind = $3 AND ($4 = '' OR service = $4) AND ($5 = '' OR environment = $5) AND ($6 = '' OR point = $6) ORDER BY seq DESC LIMIT $7`

	// Index: entry_service, backwards.
	findServiceStatement = `SELECT ` + entryColumns + ` FROM entry WHERE seq < $1 AND seq >= $2 AND service = $3 AND ($4 = '' OR environment = $4) AND ($5 = '' OR point = $5) ORDER BY seq DESC LIMIT $6`

	// Index: primary key of entry, backwards.
	findAllStatement = `SELECT ` + entryColumns + ` FROM entry WHERE seq < $1 AND seq >= $2 AND ($3 = '' OR environment = $3) AND ($4 = '' OR point = $4) ORDER BY seq DESC LIMIT $5`

	// Index: primary key of entry, backwards. The next position to look at when times
	// are searched: the last entry before it.
	lastBeforeStatement = `SELECT seq, at FROM entry WHERE seq < $1 ORDER BY seq DESC LIMIT 1`

	// Index: entry_travelled, backwards, whose own condition is repeated.
	arrivedStatement = `SELECT ` + entryColumns + ` FROM entry WHERE foreign_origin = $1 AND foreign_origin <> '' AND foreign_seq >= $2 AND foreign_seq < $3 ORDER BY foreign_seq DESC LIMIT $4`

	// Index: entry_kind.
	ofKindStatement = `SELECT ` + entryColumns + `, signature, payload, leaf FROM entry WHERE kind = $1 AND seq >= $2 AND foreign_digest = '' ORDER BY seq`
)

func (e *Entry) columns() []any {
	return []any{&e.Seq, &e.ToSeq, &e.At, &e.Kind, &e.PredicateType, &e.Producer, &e.Service, &e.Team, &e.Environment, &e.Point, &e.Run, &e.Actor, &e.Said,
		&e.Retention, &e.Subjects, &e.Digest, &e.Identity, &e.ForeignDigest, &e.ForeignOrigin, &e.ForeignSeq, &e.Signer, &e.Size, &e.Blobs, &e.Bills}
}

func readEntry(r Row) (e Entry, err error) {
	err = r.Scan(e.columns()...)
	return e, err
}

func readBody(r Row) (e Entry, err error) {
	err = r.Scan(append(e.columns(), &e.Signature, &e.Payload, &e.Leaf)...)
	return e, err
}

// Entry gives the columns of one entry, without signature, payload and leaf.
func (v *View) Entry(ctx context.Context, seq int64) (Entry, bool, error) {
	var e Entry
	found, err := v.one(ctx, entryStatement, []any{seq}, e.columns()...)
	return e, found, err
}

// Body gives all columns of one entry.
func (v *View) Body(ctx context.Context, seq int64) (Entry, bool, error) {
	var e Entry
	found, err := v.one(ctx, bodyStatement, []any{seq}, append(e.columns(), &e.Signature, &e.Payload, &e.Leaf)...)
	return e, found, err
}

// EachBody calls each with the entries [from, to), in order, with all columns.
func (v *View) EachBody(ctx context.Context, from, to int64, each func(Entry) error) error {
	return v.r.Run(ctx, Statement{SQL: bodiesStatement, Args: []any{from, to}, Each: func(r Row) error {
		e, err := readBody(r)
		if err != nil {
			return err
		}
		return each(e)
	}})
}

// EntriesBetween lists the entries [from, to), in order, without their bodies.
func (v *View) EntriesBetween(ctx context.Context, from, to, limit int64) ([]Entry, error) {
	return list(ctx, v, entriesBetweenStatement, []any{from, to, limit}, readEntry)
}

// Arrived lists the entries that came from the positions [from, to) of another log, the
// last of them first, without their bodies.
func (v *View) Arrived(ctx context.Context, origin string, from, to, limit int64) ([]Entry, error) {
	return list(ctx, v, arrivedStatement, []any{origin, from, to, limit}, readEntry)
}

// EachOfKind calls each with the own entries of a kind from a position on, in order,
// with all columns.
func (v *View) EachOfKind(ctx context.Context, kind string, from int64, each func(Entry) error) error {
	return v.r.Run(ctx, Statement{SQL: ofKindStatement, Args: []any{kind, from}, Each: func(r Row) error {
		e, err := readBody(r)
		if err != nil {
			return err
		}
		return each(e)
	}})
}

// Foreign gives the bundle that an entry vouches for.
func (v *View) Foreign(ctx context.Context, seq int64) (ForeignBundle, bool, error) {
	var f ForeignBundle
	found, err := v.one(ctx, foreignStatement, []any{seq}, &f.From, &f.To, &f.Size, &f.Data)
	return f, found, err
}

// LastBefore is the last entry before a position, and when it was recorded.
func (v *View) LastBefore(ctx context.Context, position int64) (seq, at int64, found bool, err error) {
	found, err = v.one(ctx, lastBeforeStatement, []any{position}, &seq, &at)
	return seq, at, found, err
}

// EntryQuery chooses entries. Empty fields choose all.
type EntryQuery struct {
	Subject, Kind, Service, Environment, Point string
	Before                                     int64 // only entries before this position
	From                                       int64 // only entries from this position on
	Limit                                      int64
}

// Entries lists what the query chooses, newest first.
func (v *View) Entries(ctx context.Context, q EntryQuery) ([]Entry, error) {
	switch {
	case q.Subject != "":
		return list(ctx, v, findSubjectStatement, []any{q.Subject, q.Before, q.From, q.Kind, q.Service, q.Environment, q.Point, q.Limit}, readEntry)
	case q.Kind != "":
		return list(ctx, v, findKindStatement, []any{q.Before, q.From, q.Kind, q.Service, q.Environment, q.Point, q.Limit}, readEntry)
	case q.Service != "":
		return list(ctx, v, findServiceStatement, []any{q.Before, q.From, q.Service, q.Environment, q.Point, q.Limit}, readEntry)
	}
	return list(ctx, v, findAllStatement, []any{q.Before, q.From, q.Environment, q.Point, q.Limit}, readEntry)
}
