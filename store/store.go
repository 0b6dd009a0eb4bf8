// Package store keeps the ledger's rows and the background jobs in one SQL database, on
// SQLite or PostgreSQL, with one text for both. All SQL of the product is here: each
// statement is a named constant beside the Go that runs it, with the index that it uses.
//
// Times are microseconds since 1970 UTC, ids are made by callers, JSON is text that
// callers decode. Parameters first appear in order in every statement, because some
// SQLite drivers bind others wrongly and silently.
//
// The engines are the leaf packages store/sqlite and store/postgres. Both pass the suite
// in store/storetest.
package store

import (
	"context"
	"errors"
	"math"
	"time"
)

// Open is the to_seq of a row that nothing has ended: it holds from from_seq on.
const Open = math.MaxInt64

// Engine is a database of one of the two makes. All methods may be called at the same
// time, also by several processes on one database.
type Engine interface {
	// Name is "sqlite" or "postgres".
	Name() string

	// Read calls read with a snapshot of the database.
	Read(ctx context.Context, read func(Reader) error) error

	// Write takes the lock that makes it the only writer, also among processes, calls
	// plan, and commits the statements that plan returns; with none, or when plan
	// fails, nothing is written. It may call plan again when nothing was written yet.
	// It gives up with ErrFence when a constraint of the
	// schema refused a statement and with ErrAmbiguous when it cannot be told whether
	// the commit happened. After any other error nothing was written.
	Write(ctx context.Context, plan func(Reader) ([]Statement, error)) error

	// Migrate brings the schema to what this version needs. It never goes back.
	Migrate(ctx context.Context) error

	// Close gives everything back. No other call may be under way.
	Close() error
}

// Telling is an Engine that can tell of writes of other processes.
type Telling interface {
	Engine

	// Announcement is the statement that tells of a write, when it is part of it.
	Announcement() Statement

	// Watch calls wake for each announcement that is committed, until ctx ends or it
	// cannot know of them any more. Several may be one.
	Watch(ctx context.Context, wake func()) error
}

// Timed is an Engine whose database has a clock of its own, for all who share it.
type Timed interface {
	Engine

	// Time is the statement that gives the one row with that clock's time, in microseconds.
	Time() Statement
}

// Reader runs statements inside a snapshot or a write.
type Reader interface {
	// Run runs the statements in order, in one round trip where the engine can.
	Run(ctx context.Context, statements ...Statement) error
}

// Statement is one statement of SQL.
type Statement struct {
	SQL  string
	Args []any // int64, string or []byte
	// Each is called for each row that comes back, and may keep nothing of the row.
	// It is nil for a statement whose rows, if any, are of no interest.
	Each func(Row) error
}

// Row is one row of a result.
type Row interface {
	// Scan copies the columns into *int64, *string or *[]byte.
	Scan(into ...any) error
}

// The errors of engines that callers tell apart with errors.Is.
var (
	// ErrFence: a constraint refused the write, so somebody wrote between reading and
	// writing although the lock should have kept him out, or the plan was wrong.
	ErrFence = errors.New("a constraint of the schema refused the write")
	// ErrEngine: the database is down, full or closed to this user. What there is to do is done
	// where it runs.
	ErrEngine = errors.New("the database does not serve")
	// ErrAmbiguous: the commit was sent and no answer came.
	ErrAmbiguous = errors.New("it cannot be told whether the commit happened")
)

// Store is a database with the schema of this version.
type Store struct {
	engine Engine
	words  wordIDs
}

// New migrates the database to the schema of this version.
func New(ctx context.Context, e Engine) (*Store, error) {
	if err := e.Migrate(ctx); err != nil {
		return nil, err
	}
	return &Store{engine: e}, nil
}

// Engine is the name of the engine: "sqlite" or "postgres".
func (s *Store) Engine() string { return s.engine.Name() }

// Close gives the database back.
func (s *Store) Close() error { return s.engine.Close() }

// Watch calls wake after each append of any process, until ctx ends or it cannot know of
// them any more. It reports false when the engine does not tell of them.
func (s *Store) Watch(ctx context.Context, wake func()) (able bool, err error) {
	e, able := s.engine.(Telling)
	if !able {
		return false, nil
	}
	return true, e.Watch(ctx, wake)
}

// Time is what time it is for everybody on this database: by the clock of the database, or by
// mine where it has none, since it is then used from one machine. Who claims work by it takes
// nothing from others when the clock of his own machine is ahead.
func (s *Store) Time(ctx context.Context, mine time.Time) (time.Time, error) {
	e, able := s.engine.(Timed)
	if !able {
		return mine, nil
	}
	var at int64
	err := s.View(ctx, func(v *View) error {
		q := e.Time()
		_, err := v.one(ctx, q.SQL, q.Args, &at)
		return err
	})
	return time.UnixMicro(at).UTC(), err
}

// View gives one snapshot to several questions.
func (s *Store) View(ctx context.Context, look func(*View) error) error {
	return s.engine.Read(ctx, func(r Reader) error { return look(&View{r}) })
}

// View answers questions about one state of the database.
type View struct {
	r Reader
}

// one runs a statement that gives at most one row, and reports whether it did.
func (v *View) one(ctx context.Context, sql string, args []any, into ...any) (bool, error) {
	found := false
	err := v.r.Run(ctx, Statement{SQL: sql, Args: args, Each: func(r Row) error {
		found = true
		return r.Scan(into...)
	}})
	return found, err
}

// list runs a statement and collects what read makes of its rows. The result is never
// nil when there is no error.
func list[T any](ctx context.Context, v *View, sql string, args []any, read func(Row) (T, error)) ([]T, error) {
	out := []T{}
	err := v.r.Run(ctx, Statement{SQL: sql, Args: args, Each: func(r Row) error {
		x, err := read(r)
		if err == nil {
			out = append(out, x)
		}
		return err
	}})
	if err != nil {
		return nil, err
	}
	return out, nil
}
