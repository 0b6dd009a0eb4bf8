// Package sqlite is the embedded engine of store: one file in write-ahead mode, synced
// at each commit, one connection that writes and several that read.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	code "modernc.org/sqlite/lib"

	"verdict"
	"verdict/store"
)

// readers is how many connections read at most. A read waits for one.
const readers = 8

// patience is how long one process waits for another to let go of the file.
const patience = 15 * time.Second

// Options are the settings of one database. The zero value is what most need.
type Options struct {
	// MaxPages bounds the file, in pages of 4 KiB. Zero: the disk is the bound.
	MaxPages int64
}

// Engine is one database file. It is a store.Engine.
type Engine struct {
	path   string
	write  *sql.DB
	read   *sql.DB
	idle   chan *connection // readers that nobody uses, and nil for each not opened yet
	lock   sync.Mutex       // held by the one write that is under way
	writer *connection      // guarded by lock
}

// Open opens or creates the database file at path. Only the user may read a file that it
// creates.
func Open(ctx context.Context, path string, o Options) (*Engine, error) {
	if err := create(path); err != nil {
		return nil, err
	}
	e := &Engine{path: path, idle: make(chan *connection, readers)}
	for range readers {
		e.idle <- nil
	}
	// 2,000 pages between checkpoints of the write-ahead log: fewer, larger moves of
	// pages into the file than the default 1,000.
	waiting := fmt.Sprintf("busy_timeout(%d)", patience.Milliseconds())
	writing := []string{"journal_mode(WAL)", "synchronous(FULL)", waiting, "wal_autocheckpoint(2000)", "journal_size_limit(67108864)", "cache_size(-16000)", "temp_store(MEMORY)"}
	if o.MaxPages > 0 {
		writing = append(writing, fmt.Sprintf("max_page_count(%d)", o.MaxPages))
	}
	e.write = open(path, writing...)
	e.read = open(path, waiting, "query_only(1)", "cache_size(-4000)", "temp_store(MEMORY)")
	e.write.SetMaxOpenConns(1)
	e.read.SetMaxOpenConns(readers)
	e.read.SetMaxIdleConns(readers)
	if err := e.connect(ctx); err != nil {
		return nil, errors.Join(explain(path, err), e.Close())
	}
	return e, nil
}

// connect opens the connection that writes, which puts a new file into write-ahead mode.
// Of two processes that do so at once one is refused at once, whatever the busy timeout:
// SQLite lets nobody wait who reads already and wants to write.
func (e *Engine) connect(ctx context.Context) error {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		err := e.write.PingContext(ctx)
		if kind(err) != code.SQLITE_BUSY {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-limit.C:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func create(path string) error {
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		var f *os.File
		if f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err == nil {
			err = f.Close()
		}
	}
	if err != nil {
		return &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the database " + path + " cannot be opened",
			Remedy: "check that you may write there, or choose another place with --data", Err: err,
		}
	}
	return nil
}

// open names the database and how each connection to it is set up. A transaction of
// database/sql, which migrations alone use, takes the write lock when it begins: one that
// takes it later is refused at once, and not made to wait, when another process has it.
func open(path string, pragmas ...string) *sql.DB {
	q := url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: q.Encode()}).String())
	if err != nil { // the driver is linked in, and the name above is well formed
		panic(err)
	}
	return db
}

// Name is "sqlite".
func (e *Engine) Name() string { return "sqlite" }

// Migrate brings the schema to what this version needs.
func (e *Engine) Migrate(ctx context.Context) error {
	e.lock.Lock()
	defer e.lock.Unlock()
	if e.writer != nil { // it holds the only connection
		err := e.writer.close()
		if e.writer = nil; err != nil {
			return explain(e.path, err)
		}
	}
	return explain(e.path, store.Migrate(ctx, goose.DialectSQLite3, e.write))
}

// Read calls read with a snapshot. A read inside a read takes a second connection and
// may wait for ever for it.
func (e *Engine) Read(ctx context.Context, read func(store.Reader) error) error {
	var c *connection
	select {
	case c = <-e.idle:
	case <-ctx.Done():
		return ctx.Err()
	}
	if c == nil {
		conn, err := e.read.Conn(ctx)
		if err != nil {
			e.idle <- nil
			return explain(e.path, err)
		}
		c = newConnection(conn)
	}
	defer func() { e.idle <- c }()
	err := c.exec(ctx, "BEGIN")
	if err == nil {
		err = read(c)
		if end := c.exec(context.WithoutCancel(ctx), "ROLLBACK"); end != nil { // a connection whose state is not known
			err = errors.Join(err, end, c.close())
			c = nil
		}
	}
	return explain(e.path, err)
}

// Write is the only writer of the file while it runs.
func (e *Engine) Write(ctx context.Context, plan func(store.Reader) ([]store.Statement, error)) error {
	e.lock.Lock()
	defer e.lock.Unlock()
	if e.writer == nil {
		conn, err := e.write.Conn(ctx)
		if err != nil {
			return explain(e.path, err)
		}
		e.writer = newConnection(conn)
	}
	if err := e.writer.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return explain(e.path, err)
	}
	statements, err := plan(e.writer)
	committing := false
	if err == nil && len(statements) > 0 {
		// From here on a caller that leaves must not tear the transaction apart.
		ctx = context.WithoutCancel(ctx)
		if err = e.writer.Run(ctx, statements...); err == nil {
			committing = true
			err = e.writer.exec(ctx, "COMMIT")
		}
		if err == nil {
			return nil
		}
	}
	if end := e.writer.exec(context.WithoutCancel(ctx), "ROLLBACK"); end != nil && !rolledBack(end) {
		err = errors.Join(err, e.writer.close())
		e.writer = nil
	}
	if committing && kind(err) == code.SQLITE_IOERR {
		err = fmt.Errorf("%w: %w", store.ErrAmbiguous, err)
	}
	return explain(e.path, err)
}

// rolledBack reports that there was no transaction left to roll back: the database ends
// one by itself when the disk is full.
func rolledBack(err error) bool { return kind(err) == code.SQLITE_ERROR }

// Close closes all connections. The write-ahead log is folded into the file.
func (e *Engine) Close() error {
	var err error
	for range cap(e.idle) {
		if c := <-e.idle; c != nil {
			err = errors.Join(err, c.close())
		}
	}
	if e.writer != nil {
		err = errors.Join(err, e.writer.close())
	}
	return errors.Join(err, e.read.Close(), e.write.Close())
}

// connection is one connection with its prepared statements, whose number is that of the
// statements of store.
type connection struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
}

func newConnection(c *sql.Conn) *connection {
	return &connection{conn: c, prepared: map[string]*sql.Stmt{}}
}

// close leaves out what its statements say: each repeats the error of its last run.
func (c *connection) close() error {
	for _, s := range c.prepared {
		s.Close()
	}
	return c.conn.Close()
}

func (c *connection) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if s, ok := c.prepared[text]; ok {
		return s, nil
	}
	s, err := c.conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("prepare %.60s: %w", text, err)
	}
	c.prepared[text] = s
	return s, nil
}

func (c *connection) exec(ctx context.Context, text string, args ...any) error {
	s, err := c.prepare(ctx, text)
	if err == nil {
		_, err = s.ExecContext(ctx, args...)
	}
	return err
}

// Run runs the statements one after the other.
func (c *connection) Run(ctx context.Context, statements ...store.Statement) error {
	for _, s := range statements {
		for i, a := range s.Args {
			if b, ok := a.([]byte); ok && b == nil { // the driver would store an empty blob
				s.Args[i] = nil
			}
		}
		if s.Each == nil {
			if err := c.exec(ctx, s.SQL, s.Args...); err != nil {
				return err
			}
			continue
		}
		if err := c.query(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (c *connection) query(ctx context.Context, s store.Statement) error {
	p, err := c.prepare(ctx, s.SQL)
	if err != nil {
		return err
	}
	rows, err := p.QueryContext(ctx, s.Args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := s.Each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// kind is the primary result code of an error of SQLite, or -1.
func kind(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return -1
}

// explain gives an error of SQLite the words and the remedy for a person, or the error
// that callers of a store.Engine tell apart.
func explain(path string, err error) error {
	problem := func(c verdict.Code, what, remedy string) error {
		return &verdict.Error{Code: c, What: what + " " + path, Remedy: remedy, Err: err}
	}
	switch kind(err) {
	case code.SQLITE_CONSTRAINT:
		return fmt.Errorf("%w: %w", store.ErrFence, err)
	case code.SQLITE_FULL:
		return problem(verdict.CodeUnavailable, "no space is left for the database",
			"free space on its disk, or raise its page limit, and run the command again; nothing that was acknowledged is lost")
	case code.SQLITE_IOERR:
		return problem(verdict.CodeUnavailable, "the disk refused to read or write the database",
			"check the disk's health, its space and the file size limit of the process, and run the command again; nothing that was acknowledged is lost")
	case code.SQLITE_BUSY:
		return problem(verdict.CodeUnavailable, fmt.Sprintf("another process has been writing for %d seconds to the database", int(patience.Seconds())),
			"wait until it has finished, or stop it, and run the command again")
	case code.SQLITE_CORRUPT, code.SQLITE_NOTADB:
		return problem(verdict.CodeInvalid, "the file is damaged, or is no database:",
			"restore it from a backup, then run verdict log verify and verdict log epoch --from-backup")
	case code.SQLITE_CANTOPEN, code.SQLITE_READONLY, code.SQLITE_PERM:
		return problem(verdict.CodeUnavailable, "the database cannot be opened for writing:",
			"check the permissions of the file and its folder, or choose another place with --data")
	}
	return err
}
