package store

import "context"

// Job is one piece of background work. It is done when its row is gone.
type Job struct {
	ID, Kind, Doc string
	Due           int64
	Owner         string
	Lease         int64
	Attempts      int64
	Fault         string // why the last attempt ended
}

const (
	// Index: primary key of job.
	addJobStatement = `INSERT INTO job (id, kind, doc, due, owner, lease, attempts, fault) VALUES ($1, $2, $3, $4, '', 0, 0, '') ON CONFLICT (id) DO NOTHING`

	// Index: job_due.
	dueJobStatement = `SELECT 1 FROM job WHERE kind = $1 AND due <= $2 AND lease <= $2 LIMIT 1`

	// Index: job_due, then the primary key. The compare and swap is the lease in the
	// outer condition: of two that chose the same row, the second one updates nothing.
	claimJobStatement = `UPDATE job SET owner = $1, lease = $2, attempts = attempts + 1 WHERE id = (SELECT id FROM job WHERE kind = $3 AND due <= $4 AND lease <= $4 ORDER BY due, id LIMIT 1) AND lease <= $4 RETURNING id, kind, doc, due, owner, lease, attempts, fault`

	// Index: primary key of job.
	takeJobStatement = `UPDATE job SET owner = $1, lease = $2, attempts = attempts + 1 WHERE id = $3 AND lease <= $4 RETURNING id, kind, doc, due, owner, lease, attempts, fault`

	// Index: primary key of job.
	holdJobStatement = `UPDATE job SET lease = $1 WHERE id = $2 AND owner = $3 RETURNING id`

	// Index: primary key of job.
	doneJobStatement = `DELETE FROM job WHERE id = $1 AND owner = $2 RETURNING id`

	// Index: none; the table holds what waits, and an operator's tool asks once in a while.
	lateJobsStatement = `SELECT kind, count(*), min(due), max(attempts) FROM job WHERE due <= $1 AND lease <= $1 GROUP BY kind ORDER BY kind`

	// Index: primary key of job.
	againJobStatement = `UPDATE job SET owner = '', lease = 0, due = $1, fault = $2 WHERE id = $3 AND owner = $4 RETURNING id`
)

// AddJob adds work that is to be done from due on. Adding an id twice is no error.
func (s *Store) AddJob(ctx context.Context, j Job) error {
	return s.engine.Write(ctx, func(Reader) ([]Statement, error) {
		return []Statement{{SQL: addJobStatement, Args: []any{j.ID, j.Kind, j.Doc, j.Due}}}, nil
	})
}

// ClaimJob takes the oldest work of a kind that is due and that nobody has, until lease.
// Who does not finish by then has lost it. The clock is the caller's, who asks Time for it. Where there is none it
// only reads: many workers that look again and again keep nobody from appending.
func (s *Store) ClaimJob(ctx context.Context, kind, owner string, now, lease int64) (Job, bool, error) {
	var one int64
	due := false
	err := s.View(ctx, func(v *View) (err error) {
		due, err = v.one(ctx, dueJobStatement, []any{kind, now}, &one)
		return err
	})
	if err != nil || !due {
		return Job{}, false, err
	}
	return s.claimed(ctx, claimJobStatement, owner, lease, kind, now)
}

// TakeJob takes one piece of work that nobody has, until lease, also before it is due: somebody
// wants it done now.
func (s *Store) TakeJob(ctx context.Context, id, owner string, now, lease int64) (Job, bool, error) {
	return s.claimed(ctx, takeJobStatement, owner, lease, id, now)
}

// claimed runs a statement that takes one piece of work.
func (s *Store) claimed(ctx context.Context, statement string, args ...any) (j Job, found bool, err error) {
	err = s.engine.Write(ctx, func(Reader) ([]Statement, error) {
		return []Statement{{SQL: statement, Args: args, Each: func(r Row) error {
			found = true
			return r.Scan(&j.ID, &j.Kind, &j.Doc, &j.Due, &j.Owner, &j.Lease, &j.Attempts, &j.Fault)
		}}}, nil
	})
	if err != nil {
		return Job{}, false, err
	}
	return j, found, nil
}

// HoldJob lengthens the lease of work that owner has. It reports false when the work is no
// longer his.
func (s *Store) HoldJob(ctx context.Context, id, owner string, lease int64) (bool, error) {
	return s.changed(ctx, holdJobStatement, lease, id, owner)
}

// FinishJob removes work that owner did. It reports false when the work is no longer
// his: somebody else may have done it too.
func (s *Store) FinishJob(ctx context.Context, id, owner string) (bool, error) {
	return s.changed(ctx, doneJobStatement, id, owner)
}

// RepeatJob gives work back, to be done again from due on. It reports false when the
// work is no longer owner's.
func (s *Store) RepeatJob(ctx context.Context, id, owner string, due int64, fault string) (bool, error) {
	return s.changed(ctx, againJobStatement, due, fault, id, owner)
}

// LateJobs is the work of one kind that is due and that nobody has.
type LateJobs struct {
	Kind     string
	Count    int64
	Due      int64 // of the oldest
	Attempts int64 // the most that one of them has had
}

// LateJobs tells what waits at a time, by kind.
func (s *Store) LateJobs(ctx context.Context, now int64) (out []LateJobs, err error) {
	err = s.View(ctx, func(v *View) error {
		out = nil
		return v.r.Run(ctx, Statement{SQL: lateJobsStatement, Args: []any{now}, Each: func(r Row) error {
			var l LateJobs
			if err := r.Scan(&l.Kind, &l.Count, &l.Due, &l.Attempts); err != nil {
				return err
			}
			out = append(out, l)
			return nil
		}})
	})
	return out, err
}

// changed runs a statement that returns the rows that it changed, and reports whether it did.
func (s *Store) changed(ctx context.Context, sql string, args ...any) (bool, error) {
	changed := false
	err := s.engine.Write(ctx, func(Reader) ([]Statement, error) {
		return []Statement{{SQL: sql, Args: args, Each: func(Row) error { changed = true; return nil }}}, nil
	})
	return changed && err == nil, err
}
