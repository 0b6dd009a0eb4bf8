package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"verdict/store"
)

// Notifications are of the whole database: one of another schema wakes for nothing.
const (
	announceStatement = `SELECT pg_notify('verdict_append', '')`
	listenStatement   = `LISTEN verdict_append`
)

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
		if _, err := c.WaitForNotification(ctx); err != nil {
			return fmt.Errorf("listen to PostgreSQL: %w", err)
		}
	}
}
