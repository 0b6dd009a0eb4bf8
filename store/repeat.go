package store

import "context"

// Repeat is the answer to a write that may be sent again under its key.
type Repeat struct {
	Actor, Key string
	Request    string // hash of what was asked
	At         int64
	Claimed    int64 // until when somebody is at work on it
	Expires    int64
	Status     int64 // of HTTP; 0: not answered yet
	Type       string
	Body       []byte
}

const (
	// Index: repeat_expires.
	sweepRepeatsStatement = `DELETE FROM repeat WHERE expires <= $1`

	// Index: primary key of repeat. A claim that its owner let go is taken over.
	claimRepeatStatement = `INSERT INTO repeat (actor, name, request, at, claimed, expires, status, type, body) VALUES ($1, $2, $3, $4, $5, $6, 0, '', $7)
ON CONFLICT (actor, name) DO UPDATE SET at = excluded.at, claimed = excluded.claimed WHERE repeat.status = 0 AND repeat.claimed <= excluded.at AND repeat.request = excluded.request RETURNING actor`

	// Index: primary key of repeat.
	repeatStatement = `SELECT request, status, type, body FROM repeat WHERE actor = $1 AND name = $2`

	// Index: primary key of repeat.
	finishRepeatStatement = `UPDATE repeat SET status = $1, type = $2, body = $3 WHERE actor = $4 AND name = $5`

	// Index: primary key of repeat.
	dropRepeatStatement = `DELETE FROM repeat WHERE actor = $1 AND name = $2`
)

// ClaimRepeat begins the work for a key. It reports true when it is the caller's to do, else
// false with what is known: an answer, or Status 0 while somebody else is at it. What has
// expired is forgotten first.
func (s *Store) ClaimRepeat(ctx context.Context, r Repeat) (Repeat, bool, error) {
	known, mine := r, false
	err := s.engine.Write(ctx, func(Reader) ([]Statement, error) {
		return []Statement{
			{SQL: sweepRepeatsStatement, Args: []any{r.At}},
			{SQL: claimRepeatStatement, Args: []any{r.Actor, r.Key, r.Request, r.At, r.Claimed, r.Expires, []byte{}}, Each: func(Row) error { mine = true; return nil }},
			{SQL: repeatStatement, Args: []any{r.Actor, r.Key}, Each: func(row Row) error { return row.Scan(&known.Request, &known.Status, &known.Type, &known.Body) }},
		}, nil
	})
	return known, mine && err == nil, err
}

// FinishRepeat keeps the answer.
func (s *Store) FinishRepeat(ctx context.Context, r Repeat) error {
	return s.engine.Write(ctx, func(Reader) ([]Statement, error) {
		return []Statement{{SQL: finishRepeatStatement, Args: []any{r.Status, r.Type, r.Body, r.Actor, r.Key}}}, nil
	})
}

// DropRepeat forgets a key, so that it can be tried again.
func (s *Store) DropRepeat(ctx context.Context, actor, key string) error {
	return s.engine.Write(ctx, func(Reader) ([]Statement, error) {
		return []Statement{{SQL: dropRepeatStatement, Args: []any{actor, key}}}, nil
	})
}
