package store

import "context"

// Running says that a digest is stated to run. At most one row is open for an
// environment, service and name.
type Running struct {
	From, To             int64
	Environment, Service string
	Name, Digest         string
	Decision             string
	At                   int64
}

// Run is what a statement says of what runs: that the digest does from now on or, when
// Ends, that it does not any more. With a Decision, an end is only that of the row which
// rests on that decision.
type Run struct {
	Running
	Ends bool
}

const runningColumns = `from_seq, to_seq, environment, service, name, digest, decision, at`

const (
	// Index: running_open, whose own condition is repeated. Ends what another digest
	// replaces.
	replaceRunningStatement = `UPDATE running SET to_seq = $1 WHERE environment = $2 AND service = $3 AND name = $4 AND to_seq = 9223372036854775807 AND digest <> $5`

	// Index: running_open, whose own condition is repeated. What is open now is the same
	// digest: deployed again, it has run since then.
	insertRunningStatement = `INSERT INTO running (from_seq, to_seq, environment, service, name, digest, decision, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (environment, service, name) WHERE to_seq = 9223372036854775807 DO NOTHING`

	// Index: running_open, whose own condition is repeated.
	endRunningStatement = `UPDATE running SET to_seq = $1 WHERE environment = $2 AND service = $3 AND name = $4 AND to_seq = 9223372036854775807 AND digest = $5 AND ($6 = '' OR decision = $6)`

	// Index: running_digest, the rows that had not ended at the position.
	runningDigestStatement = `SELECT ` + runningColumns + ` FROM running WHERE digest = $1 AND to_seq >= $2 AND from_seq < $3 AND ($4 = '' OR environment = $4) AND ($5 = '' OR service = $5) ORDER BY from_seq DESC LIMIT $6`

	// Index: running_service, the rows that had not ended at the position.
	runningServiceStatement = `SELECT ` + runningColumns + ` FROM running WHERE service = $1 AND to_seq >= $2 AND from_seq < $3 AND ($4 = '' OR environment = $4) ORDER BY from_seq DESC LIMIT $5`

	// Index: running_environment, the rows that had not ended at the position.
	runningEnvironmentStatement = `SELECT ` + runningColumns + ` FROM running WHERE environment = $1 AND to_seq >= $2 AND from_seq < $3 ORDER BY from_seq DESC LIMIT $4`

	// Index: running_end, the rows that had not ended at the position.
	runningAllStatement = `SELECT ` + runningColumns + ` FROM running WHERE to_seq >= $1 AND from_seq < $2 ORDER BY from_seq DESC LIMIT $3`

	// Index: running_end, a range.
	endedBetweenStatement = `SELECT ` + runningColumns + ` FROM running WHERE to_seq >= $1 AND to_seq < $2`
)

// RunningQuery chooses what runs. Empty fields choose all.
type RunningQuery struct {
	Environment, Service, Digest string
	At                           int64 // what runs at this position
	Ended                        bool  // and what ran at any position before it
	Before                       int64 // only what began before this position; 0: all
	Limit                        int64
}

// Running lists what the query chooses, the last that began first.
func (v *View) Running(ctx context.Context, q RunningQuery) ([]Running, error) {
	to, before := q.At, q.At
	if q.Ended {
		to = 0
	}
	if q.Before > 0 {
		before = min(before, q.Before)
	}
	switch {
	case q.Digest != "":
		return list(ctx, v, runningDigestStatement, []any{q.Digest, to, before, q.Environment, q.Service, q.Limit}, readRunning)
	case q.Service != "":
		return list(ctx, v, runningServiceStatement, []any{q.Service, to, before, q.Environment, q.Limit}, readRunning)
	case q.Environment != "":
		return list(ctx, v, runningEnvironmentStatement, []any{q.Environment, to, before, q.Limit}, readRunning)
	}
	return list(ctx, v, runningAllStatement, []any{to, before, q.Limit}, readRunning)
}

// EachEnded calls each with the rows that entries [from, to) ended.
func (v *View) EachEnded(ctx context.Context, from, to int64, each func(Running) error) error {
	return v.r.Run(ctx, eachRow(nil, endedBetweenStatement, []any{from, to}, readRunning, each)...)
}

func readRunning(r Row) (x Running, err error) {
	err = r.Scan(&x.From, &x.To, &x.Environment, &x.Service, &x.Name, &x.Digest, &x.Decision, &x.At)
	return x, err
}

// statements does what a deployment or an outcome does to the rows.
func (r Run) statements() []Statement {
	if r.Ends {
		return []Statement{{SQL: endRunningStatement, Args: []any{r.From, r.Environment, r.Service, r.Name, r.Digest, r.Decision}}}
	}
	return []Statement{
		{SQL: replaceRunningStatement, Args: []any{r.From, r.Environment, r.Service, r.Name, r.Digest}},
		{SQL: insertRunningStatement, Args: []any{r.From, r.To, r.Environment, r.Service, r.Name, r.Digest, r.Decision, r.At}},
	}
}
