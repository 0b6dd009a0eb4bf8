// Package postgres is the engine of store for several processes on one PostgreSQL, 14 or
// later. Any of them writes, under a lock that ends with its transaction.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"verdict"
	"verdict/store"
)

const (
	// lockStatement serialises writers of one schema; the number is ours alone.
	lockStatement = `SELECT pg_advisory_xact_lock(1448235076, hashtext(current_schema()))`

	migrateLockStatement   = `SELECT pg_advisory_lock(1448235077, hashtext(current_schema()))`
	migrateUnlockStatement = `SELECT pg_advisory_unlock(1448235077, hashtext(current_schema()))`

	// domainStatement lets both engines share one text: bytes are called blob.
	domainStatement = `CREATE DOMAIN blob AS bytea`
	hasDomain       = `SELECT 1 FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typname = 'blob' AND n.nspname = current_schema()`

	beginRead  = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`
	beginWrite = `BEGIN ISOLATION LEVEL READ COMMITTED`
)

// Engine is one database or schema of a PostgreSQL. It is a store.Engine.
type Engine struct {
	pool     *pgxpool.Pool
	patience time.Duration
}

// Open connects to the database that dsn names, a URL or key=value words as in libpq. The
// words of pgxpool count too, and patience: for how many seconds the database may be silent.
func Open(ctx context.Context, dsn string) (*Engine, error) {
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, &verdict.Error{
			Code: verdict.CodeUsage, What: "the address of the PostgreSQL database cannot be read",
			Remedy: "write it as postgres://user@host:5432/database?sslmode=verify-full", Err: err,
		}
	}
	patience, err := patienceOf(c)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"synchronous_commit": "on",
		// A process that hangs must not keep the lock, and who waits for it waits longer than
		// it may hang, and not as long as he takes the database for dead.
		"idle_in_transaction_session_timeout": milliseconds(patience / 4),
		"lock_timeout":                        milliseconds(patience * 3 / 4),
		"application_name":                    "verdict",
	} {
		if _, set := c.ConnConfig.RuntimeParams[name]; !set {
			c.ConnConfig.RuntimeParams[name] = value
		}
	}
	if c.ConnConfig.ConnectTimeout <= 0 {
		c.ConnConfig.ConnectTimeout = min(connecting, patience)
	}
	if !strings.Contains(dsn, "pool_max_conns=") {
		c.MaxConns = connections
	}
	c.AfterConnect = learnBlob
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, explain(err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, explain(err)
	}
	return &Engine{pool: pool, patience: patience}, nil
}

// learnBlob teaches a connection the domain, once it exists.
func learnBlob(ctx context.Context, c *pgx.Conn) error {
	t, err := c.LoadType(ctx, "blob")
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == "42704" { // undefined_object: not migrated yet
		return nil
	}
	if err != nil {
		return fmt.Errorf("type blob: %w", err)
	}
	c.TypeMap().RegisterType(t)
	return nil
}

// Name is "postgres".
func (e *Engine) Name() string { return "postgres" }

// Migrate brings the schema to what this version needs.
func (e *Engine) Migrate(ctx context.Context) error {
	c, err := e.acquire(ctx)
	if err != nil {
		return explain(err)
	}
	defer c.Release()
	if _, err := c.Exec(ctx, migrateLockStatement); err != nil {
		return explain(err)
	}
	defer c.Exec(context.WithoutCancel(ctx), migrateUnlockStatement)
	var one int
	if err := c.QueryRow(ctx, hasDomain).Scan(&one); errors.Is(err, pgx.ErrNoRows) {
		_, err = c.Exec(ctx, domainStatement)
		if err != nil {
			return explain(err)
		}
	} else if err != nil {
		return explain(err)
	}
	db := stdlib.OpenDBFromPool(e.pool)
	defer db.Close()
	if err := store.Migrate(ctx, goose.DialectPostgres, db); err != nil {
		return explain(err)
	}
	e.pool.Reset() // connections from before do not know the domain
	return nil
}

// Close waits until all connections were given back.
func (e *Engine) Close() error { e.pool.Close(); return nil }

// Read calls read with a snapshot.
func (e *Engine) Read(ctx context.Context, read func(store.Reader) error) error {
	return e.transaction(ctx, []store.Statement{{SQL: beginRead}}, func(t *transaction) error {
		return read(t)
	})
}

// Write is the only writer while it runs. The lock and the first statements of plan go
// in one round trip, what plan returns and the commit in another. When the connection
// turns out to be gone before the commit was sent, plan is called once more on a new one.
func (e *Engine) Write(ctx context.Context, plan func(store.Reader) ([]store.Statement, error)) error {
	write := func(t *transaction) error {
		statements, err := plan(t)
		if err != nil || len(statements) == 0 {
			return err
		}
		return t.commit(ctx, statements)
	}
	begin := []store.Statement{{SQL: beginWrite}, {SQL: lockStatement}}
	err := e.transaction(ctx, begin, write)
	if gone(err) && ctx.Err() == nil {
		err = e.transaction(ctx, begin, write)
	}
	return err
}

// gone reports that a connection ended and that nothing was committed on it.
func gone(err error) bool {
	var refused *pgconn.PgError
	if err == nil || errors.Is(err, store.ErrAmbiguous) {
		return false
	}
	return errors.Is(err, errGone) || errors.As(err, &refused) && (refused.Severity == "FATAL" || refused.Severity == "PANIC")
}

// errGone: the connection broke.
var errGone = errors.New("the connection ended")

// transaction hands one connection to body and ends whatever is open on it afterwards.
func (e *Engine) transaction(ctx context.Context, begin []store.Statement, body func(*transaction) error) error {
	c, err := e.acquire(ctx)
	if err != nil {
		return explain(err)
	}
	defer c.Release()
	t := &transaction{conn: c.Conn(), begin: begin, patience: e.patience}
	err = body(t)
	// A broken or half-read connection is destroyed when it is released. The others in
	// the pool are as old as it, and the server that they speak to may be gone too.
	// A caller who left says nothing about the server.
	if c.Conn().IsClosed() && err != nil && ctx.Err() == nil {
		e.pool.Reset()
		if !errors.Is(err, store.ErrAmbiguous) && !errors.Is(err, errSilent) {
			err = fmt.Errorf("%w: %w", errGone, err)
		}
	}
	if c.Conn().PgConn().TxStatus() != 'I' && !c.Conn().IsClosed() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.patience)
		defer cancel()
		if _, failed := c.Exec(end, "ROLLBACK"); failed != nil {
			c.Conn().Close(end)
		}
	}
	return explain(err)
}

// acquire takes a connection out of the pool, and waits for one as long as for an answer.
func (e *Engine) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	waiting, cancel := context.WithTimeout(ctx, e.patience)
	defer cancel()
	c, err := e.pool.Acquire(waiting)
	var connect *pgconn.ConnectError
	switch {
	case err == nil || ctx.Err() != nil || errors.As(err, &connect):
		return c, err
	case waiting.Err() == nil: // it ended while it was being prepared
		return nil, fmt.Errorf("%w: %w", errGone, err)
	}
	return nil, &verdict.Error{
		Code: verdict.CodeUnavailable, What: fmt.Sprintf("none of the %d connections to PostgreSQL became free for %s", e.pool.Config().MaxConns, e.patience),
		Remedy: "look in pg_stat_activity what takes so long, or allow more with pool_max_conns=N in the address of the database, and run the command again", Err: err,
	}
}

// transaction is one transaction on one connection.
type transaction struct {
	conn     *pgx.Conn
	begin    []store.Statement // to go in front of the first statements
	patience time.Duration
}

// Run sends the statements in one round trip.
func (t *transaction) Run(ctx context.Context, statements ...store.Statement) error {
	_, err := t.send(ctx, statements)
	return err
}

// send sends what is to go in front and the statements, and gives the tag of the last.
func (t *transaction) send(ctx context.Context, statements []store.Statement) (string, error) {
	all := statements
	if len(t.begin) > 0 {
		all = append(t.begin, statements...)
		t.begin = nil
	}
	b := &pgx.Batch{}
	for _, s := range all {
		b.Queue(s.SQL, s.Args...)
	}
	ctx, p := patient(ctx, t.patience)
	defer p.end()
	results := t.conn.SendBatch(ctx, b)
	tag := ""
	for _, s := range all {
		rows, err := results.Query()
		if err == nil {
			for s.Each != nil && err == nil && rows.Next() {
				p.pause() // what the caller does with a row is not the database's silence
				err = s.Each(rows)
				p.resume()
			}
			rows.Close()
			if err == nil {
				err = rows.Err()
			}
			tag = rows.CommandTag().String()
		}
		if err != nil {
			results.Close()
			return "", p.because(ctx, err)
		}
	}
	return tag, p.because(ctx, results.Close())
}

// commit runs the last statements and commits. A caller that leaves must not tear this
// apart, so the context's end does not count here.
func (t *transaction) commit(ctx context.Context, statements []store.Statement) error {
	ctx = context.WithoutCancel(ctx)
	tag, err := t.send(ctx, append(statements, store.Statement{SQL: "COMMIT"}))
	if err == nil && tag != "COMMIT" {
		return fmt.Errorf("the database answered %q to a commit", tag)
	}
	var refused *pgconn.PgError
	if err != nil && (!errors.As(err, &refused) || refused.Severity != "ERROR" || refused.Code == "08007") {
		return fmt.Errorf("%w: %w", store.ErrAmbiguous, err)
	}
	return err
}

// ofEngine is an error that is store.ErrEngine too.
type ofEngine struct{ error }

// Is reports whether it is the error that is asked for.
func (ofEngine) Is(target error) bool { return target == store.ErrEngine }

// Unwrap is for errors.As.
func (e ofEngine) Unwrap() error { return e.error }

// oneLine is an error whose text is on one line: the driver's lists addresses, with tabs.
type oneLine struct{ error }

// Error is the text.
func (e oneLine) Error() string { return strings.Join(strings.Fields(e.error.Error()), " ") }

// Unwrap is the error itself.
func (e oneLine) Unwrap() error { return e.error }

// explain gives an error of PostgreSQL the words and the remedy for a person, or the
// error that callers of a store.Engine tell apart.
func explain(err error) error {
	var refused *pgconn.PgError
	var connect *pgconn.ConnectError
	var known *verdict.Error
	problem := func(c verdict.Code, what, remedy string) error {
		return &verdict.Error{Code: c, What: what, Remedy: remedy, Err: ofEngine{err}}
	}
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.As(err, &connect):
		errors.As(err, &refused)
		err = oneLine{err}
		switch {
		case refused != nil && refused.Code == "3D000":
			return problem(verdict.CodeUnavailable, "PostgreSQL has no such database",
				"correct its name in the address, or make it (createdb NAME), then run the command again")
		case refused != nil && strings.HasPrefix(refused.Code, "28"):
			return problem(verdict.CodeUnavailable, "PostgreSQL lets this user not in",
				"correct user and password in the address, or let the user in (pg_hba.conf), then run the command again")
		}
		return problem(verdict.CodeUnavailable, "PostgreSQL cannot be reached",
			"check that it runs and that address, user and password are right, then run the command again")
	case errors.Is(err, store.ErrAmbiguous):
		return err
	case errors.Is(err, errSilent):
		return problem(verdict.CodeUnavailable, "PostgreSQL does not answer",
			"check that it runs and that the network between is open, then run the command again; nothing that was acknowledged is lost")
	case !errors.As(err, &refused) && errors.Is(err, errGone), refused != nil && (refused.Severity == "FATAL" || refused.Severity == "PANIC"):
		return problem(verdict.CodeUnavailable, "PostgreSQL ended the connection",
			"wait until it is up again and run the command again; nothing that was acknowledged is lost")
	case refused == nil:
		return err
	case strings.HasPrefix(refused.Code, "23"):
		return fmt.Errorf("%w: %w", store.ErrFence, err)
	case strings.HasPrefix(refused.Code, "53"):
		return problem(verdict.CodeUnavailable, "PostgreSQL has no space, memory or connections left",
			"free what its message names and run the command again; nothing that was acknowledged is lost")
	case refused.Code == "55P03" || refused.Code == "57014":
		return problem(verdict.CodeUnavailable, "another process has kept the database locked for too long",
			"look in pg_stat_activity for a transaction of verdict that hangs, end it, and run the command again")
	case refused.Code == "42501":
		return problem(verdict.CodeForbidden, "PostgreSQL does not let this user do that",
			"grant the user of verdict CREATE and USAGE on the schema and all rights on the tables in it")
	}
	return err
}

// Place is the address of the database without user and password.
func (e *Engine) Place() string {
	c := e.pool.Config().ConnConfig
	if strings.HasPrefix(c.Host, "/") {
		return "postgres:///" + c.Database + "?host=" + c.Host
	}
	return "postgres://" + net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) + "/" + c.Database
}
