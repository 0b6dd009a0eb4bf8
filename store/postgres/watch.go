package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"verdict/store"
)

// Notifications are of the whole database: one of another schema wakes for nothing.
const (
	announceStatement = `SELECT pg_notify('verdict_append', '')`
	listenStatement   = `LISTEN verdict_append`
)

// Index: none. The time of the machine, and not that of the transaction's begin.
const timeStatement = `SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)`

// Time tells the time by the clock of the database.
func (e *Engine) Time() store.Statement { return store.Statement{SQL: timeStatement} }

// Announcement tells of a write when it commits.
func (e *Engine) Announcement() store.Statement { return store.Statement{SQL: announceStatement} }

// Watch listens on a connection beside the pool: one of the pool would be taken from the
// questions for ever.
func (e *Engine) Watch(ctx context.Context, wake func()) error {
	c, err := pgx.ConnectConfig(ctx, e.pool.Config().ConnConfig)
	if err != nil {
		return explain(err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	if _, err := c.Exec(ctx, listenStatement); err != nil {
		return explain(err)
	}
	for {
		wake() // what was written before anybody listened counts too
		if err := e.notified(ctx, c); err != nil {
			return fmt.Errorf("listen to PostgreSQL: %w", err)
		}
	}
}

// notified waits for a notification. It asks now and then whether the other side is still
// there: who only listens would never know.
func (e *Engine) notified(ctx context.Context, c *pgx.Conn) error {
	for {
		waiting, cancel := context.WithTimeout(ctx, e.patience)
		_, err := c.WaitForNotification(waiting)
		cancel()
		if err == nil || ctx.Err() != nil || !pgconn.Timeout(err) {
			return err
		}
		waiting, cancel = context.WithTimeout(ctx, e.patience)
		err = c.Ping(waiting)
		cancel()
		if err != nil {
			return err
		}
	}
}
