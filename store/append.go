package store

import (
	"context"
	"strconv"
	"strings"
	"sync"
)

// Entry is one leaf of the log with its index columns. See the table entry.
type Entry struct {
	Seq, ToSeq, At      int64
	Kind, PredicateType string
	Producer            string
	Service, Team       string
	Environment, Point  string
	Run, Actor          string
	Said                int64
	Retention           string
	Subjects            string
	Digest, Identity    []byte
	ForeignDigest       string
	ForeignOrigin       string
	ForeignSeq          int64
	Signer              string
	Signature           []byte
	Size                int64
	Payload             []byte // zstd; nil when it lies in a blob or was pruned
	Leaf                []byte // nil unless the payload was pruned
	Blobs               int64  // how many of its BlobUses there are; -1: not known yet
	Bills               int64  // how many Bills it has; -1 for an SBOM: not known yet
}

// ForeignBundle is the bundle that an entry vouches for, as it came.
type ForeignBundle struct {
	From, To, Size int64
	Data           []byte // zstd; nil when it lies in a blob or was pruned
}

// Subject says that an entry is about a digest.
type Subject struct {
	Digest   string
	From, To int64
	Kind     string
}

// Decision is the index row of a decision.
type Decision struct {
	From, To                int64
	ID, Point               string
	Subject, Name           string
	Service, Environment    string
	Mode, Outcome, Enforced string
	At, Expires             int64
}

// Register is something that holds from one position to another.
type Register struct {
	Kind, ID string
	From, To int64
	About    string
}

// Batch is what one append writes: everything or nothing.
type Batch struct {
	From      Head // the head that it builds on
	To        Head // the head after it
	Entries   []Entry
	Foreign   []ForeignBundle
	Subjects  []Subject
	Decisions []Decision
	Registers []Register
	Runs      []Run // in the order of their statements
	Uses      []BlobUse
	Bills     []Bill
	Tiles     []Tile
}

const (
	// Index: entry_identity.
	knownStatement = `SELECT identity, seq FROM entry WHERE identity IN (`

	// Index: entry_travelled. Its own condition is repeated: without it no engine may use
	// the index.
	travelledStatement = `SELECT seq FROM entry WHERE foreign_origin = $1 AND foreign_origin <> '' AND foreign_seq = $2`

	// Index: none, inserts. The values follow.
	insertEntryStatement    = `INSERT INTO entry (seq, to_seq, at, kind, predicate_type, producer, service, team, environment, point, run, actor, said, retention, subjects, digest, identity, foreign_digest, foreign_origin, foreign_seq, signer, signature, size, payload, leaf, blobs, bills) VALUES `
	insertForeignStatement  = `INSERT INTO foreign_bundle (from_seq, to_seq, size, data) VALUES `
	insertSubjectStatement  = `INSERT INTO subject (digest, from_seq, to_seq, kind) VALUES `
	insertDecisionStatement = `INSERT INTO decision (from_seq, to_seq, id, point, subject, name, service, environment, mode, outcome, enforced, at, expires) VALUES `
	insertRegisterStatement = `INSERT INTO register (kind, id, from_seq, to_seq, about) VALUES `

	// Index: decision_subject. Ends the decision that the new one replaces.
	endDecisionStatement = `UPDATE decision SET to_seq = $1 WHERE subject = $2 AND point = $3 AND environment = $4 AND to_seq = 9223372036854775807`

	// Index: primary key of register. Ends what the new row replaces.
	endRegisterStatement = `UPDATE register SET to_seq = $1 WHERE kind = $2 AND id = $3 AND to_seq = 9223372036854775807`
)

// Append takes the write lock, calls plan with the state under it, and writes the batch
// that plan returns together with the commit. With a nil batch nothing is written. The
// errors are those of Engine.Write.
func (s *Store) Append(ctx context.Context, plan func(*View) (*Batch, error)) error {
	return s.commit(ctx, plan, func(b *Batch) []Statement { return nil })
}

// commit writes what comes before a batch, and the batch.
func (s *Store) commit(ctx context.Context, plan func(*View) (*Batch, error), before func(*Batch) []Statement) error {
	var learned map[Component]int64
	err := s.engine.Write(ctx, func(r Reader) ([]Statement, error) {
		v := &View{r}
		b, err := plan(v)
		if err != nil || b == nil {
			return nil, err
		}
		bills, ids, err := v.indexBills(ctx, b.Bills, &s.words)
		learned = ids
		statements := append(append(before(b), bills...), b.statements()...)
		if e, able := s.engine.(Telling); able {
			statements = append(statements, e.Announcement())
		}
		return statements, err
	})
	if err == nil && learned != nil {
		s.words.learn(learned)
	}
	return err
}

// BeginEpoch opens the epoch that the batch of plan builds on, and writes the batch, in
// one transaction.
func (s *Store) BeginEpoch(ctx context.Context, plan func(*View) (*Batch, error)) error {
	return s.commit(ctx, plan, func(b *Batch) []Statement { return []Statement{openEpoch(b.From)} })
}

// Known is what an append needs to know first: the open epoch, and for each identity
// that was recorded already, under its bytes as key, the entry that holds it.
func (v *View) Known(ctx context.Context, identities [][]byte) (Head, map[string]int64, error) {
	var head Head
	known := map[string]int64{}
	statements := []Statement{{SQL: headStatement, Each: func(r Row) (err error) {
		head, err = readHead(r)
		return err
	}}}
	for len(identities) > 0 {
		n := chunk(len(identities), 1)
		args := make([]any, n)
		for i := range args {
			args[i] = identities[i]
		}
		identities = identities[n:]
		statements = append(statements, Statement{SQL: statement(knownStatement, n, 1, ")"), Args: args, Each: func(r Row) error {
			var id []byte
			var seq int64
			err := r.Scan(&id, &seq)
			known[string(id)] = seq
			return err
		}})
	}
	err := v.r.Run(ctx, statements...)
	return head, known, err
}

// Travelled finds the entry that came from a position of another log.
func (v *View) Travelled(ctx context.Context, origin string, seq int64) (int64, bool, error) {
	var at int64
	found, err := v.one(ctx, travelledStatement, []any{origin, seq}, &at)
	return at, found, err
}

// statements ends what is replaced before it inserts, row by row where one batch
// replaces its own rows.
func (b *Batch) statements() []Statement {
	var out []Statement
	out = insertAll(out, insertEntryStatement, 27, b.Entries, func(e Entry, a []any) []any {
		return append(a, e.Seq, e.ToSeq, e.At, e.Kind, e.PredicateType, e.Producer, e.Service, e.Team, e.Environment, e.Point, e.Run, e.Actor, e.Said,
			e.Retention, e.Subjects, e.Digest, e.Identity, e.ForeignDigest, e.ForeignOrigin, e.ForeignSeq, e.Signer, e.Signature, e.Size, e.Payload, e.Leaf, e.Blobs, e.Bills)
	})
	out = insertAll(out, insertForeignStatement, 4, b.Foreign, func(f ForeignBundle, a []any) []any { return append(a, f.From, f.To, f.Size, f.Data) })
	out = insertAll(out, insertSubjectStatement, 4, b.Subjects, func(s Subject, a []any) []any { return append(a, s.Digest, s.From, s.To, s.Kind) })
	for i := range b.Decisions {
		d := b.Decisions[i : i+1]
		out = append(out, Statement{SQL: endDecisionStatement, Args: []any{d[0].From, d[0].Subject, d[0].Point, d[0].Environment}})
		out = insertAll(out, insertDecisionStatement, 13, d, func(d Decision, a []any) []any {
			return append(a, d.From, d.To, d.ID, d.Point, d.Subject, d.Name, d.Service, d.Environment, d.Mode, d.Outcome, d.Enforced, d.At, d.Expires)
		})
	}
	for i := range b.Registers {
		r := b.Registers[i : i+1]
		out = append(out, Statement{SQL: endRegisterStatement, Args: []any{r[0].From, r[0].Kind, r[0].ID}})
		out = insertAll(out, insertRegisterStatement, 5, r, func(r Register, a []any) []any { return append(a, r.Kind, r.ID, r.From, r.To, r.About) })
	}
	for _, r := range b.Runs {
		out = append(out, r.statements()...)
	}
	out = insertAll(out, insertUseStatement, 4, b.Uses, func(u BlobUse, a []any) []any { return append(a, u.Digest, u.From, u.To, u.Role) })
	for _, t := range b.Tiles {
		out = append(out, Statement{SQL: putTileStatement, Args: []any{b.To.Epoch, t.Level, t.N, t.Data}})
	}
	return append(out, Statement{SQL: moveHeadStatement, Args: []any{b.From.Size, b.From.Root, b.To.Size, b.To.Root, b.To.Latest, b.To.Epoch}})
}

// insertAll adds inserts of many rows each. A row has columns values.
func insertAll[T any](out []Statement, sql string, columns int, rows []T, values func(T, []any) []any) []Statement {
	return withRows(out, sql, "", columns, rows, values)
}

// withRows adds statements that hold many rows each, before their end.
func withRows[T any](out []Statement, sql, end string, columns int, rows []T, values func(T, []any) []any) []Statement {
	for len(rows) > 0 {
		n := chunk(len(rows), columns)
		args := make([]any, 0, n*columns)
		for _, r := range rows[:n] {
			args = values(r, args)
		}
		out = append(out, Statement{SQL: statement(sql, n, columns, end), Args: args})
		rows = rows[n:]
	}
	return out
}

// chunk is how many rows of a number of columns the next statement takes of n that are
// left: few different sizes, so that each engine prepares few different texts, and not
// many parameters, because SQLite looks each of them up by walking a list.
func chunk(n, columns int) int {
	for _, size := range []int{32, 8, 2} {
		if n >= size && size*columns <= 216 {
			return size
		}
	}
	return 1
}

// texts holds the statements that were built, so that each is one string for ever.
var texts sync.Map // textKey → string

type textKey struct {
	sql        string
	rows, cols int
}

// statement puts the parameters of rows times columns values behind sql: in groups for
// more than one column, as one list otherwise.
func statement(sql string, rows, columns int, end string) string {
	key := textKey{sql, rows, columns}
	if s, ok := texts.Load(key); ok {
		return s.(string)
	}
	var b strings.Builder
	b.WriteString(sql)
	for i := range rows * columns {
		switch {
		case i > 0 && columns > 1 && i%columns == 0:
			b.WriteString("), (")
		case i > 0:
			b.WriteString(", ")
		case columns > 1:
			b.WriteByte('(')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(i + 1))
	}
	if columns > 1 {
		b.WriteByte(')')
	}
	b.WriteString(end)
	s, _ := texts.LoadOrStore(key, b.String())
	return s.(string)
}
