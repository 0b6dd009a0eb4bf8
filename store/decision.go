package store

import "context"

const decisionColumns = `from_seq, to_seq, id, point, subject, name, service, environment, mode, outcome, enforced, at, expires`

const (
	// Index: decision_id, a range. The oldest of equal ids is the one that counts.
	decisionIDStatement = `SELECT ` + decisionColumns + ` FROM decision WHERE id >= $1 AND id < $2 AND from_seq < $3 ORDER BY id, from_seq LIMIT $4`

	// Index: decision_subject.
	decisionSubjectStatement = `SELECT ` + decisionColumns + ` FROM decision WHERE subject = $1 AND from_seq < $2 AND ($3 = '' OR point = $3) AND ($4 = '' OR service = $4) AND ($5 = '' OR environment = $5) AND ($6 = '' OR outcome = $6) AND from_seq >= $7 ORDER BY from_seq DESC LIMIT $8`

	// Index: decision_point.
	decisionPointStatement = `SELECT ` + decisionColumns + ` FROM decision WHERE point = $1 AND from_seq < $2 AND ($3 = '' OR service = $3) AND ($4 = '' OR environment = $4) AND ($5 = '' OR outcome = $5) AND from_seq >= $6 ORDER BY from_seq DESC LIMIT $7`

	// Index: decision_service.
	decisionServiceStatement = `SELECT ` + decisionColumns + ` FROM decision WHERE service = $1 AND from_seq < $2 AND ($3 = '' OR environment = $3) AND ($4 = '' OR outcome = $4) AND from_seq >= $5 ORDER BY from_seq DESC LIMIT $6`

	// Index: primary key of decision, backwards.
	decisionAllStatement = `SELECT ` + decisionColumns + ` FROM decision WHERE from_seq < $1 AND ($2 = '' OR environment = $2) AND ($3 = '' OR outcome = $3) AND from_seq >= $4 ORDER BY from_seq DESC LIMIT $5`

	// Index: decision_point, and the primary key of entry for each row.
	decisionSignedStatement = `SELECT d.from_seq, d.to_seq, d.id, d.point, d.subject, d.name, d.service, d.environment, d.mode, d.outcome, d.enforced, d.at, d.expires, e.producer FROM decision d JOIN entry e ON e.seq = d.from_seq WHERE d.point = $1 AND d.environment = $2 AND d.from_seq >= $3 AND d.from_seq < $4 ORDER BY d.from_seq LIMIT $5`

	// Index: primary key of register.
	registerStatement = `SELECT kind, id, from_seq, to_seq, about FROM register WHERE kind = $1 AND id = $2 AND from_seq < $3 AND to_seq >= $4 ORDER BY from_seq DESC LIMIT 1`

	// Index: register_about.
	registersStatement = `SELECT kind, id, from_seq, to_seq, about FROM register WHERE kind = $1 AND ($2 = '' OR about = $2) AND from_seq < $3 AND to_seq >= $4 ORDER BY from_seq DESC LIMIT $5`
)

func readDecision(r Row) (d Decision, err error) {
	err = r.Scan(&d.From, &d.To, &d.ID, &d.Point, &d.Subject, &d.Name, &d.Service, &d.Environment, &d.Mode, &d.Outcome, &d.Enforced, &d.At, &d.Expires)
	return d, err
}

func readRegister(r Row) (x Register, err error) {
	err = r.Scan(&x.Kind, &x.ID, &x.From, &x.To, &x.About)
	return x, err
}

// DecisionsByID lists the decisions whose id begins with prefix, which must not be empty
// and must be plain ASCII.
func (v *View) DecisionsByID(ctx context.Context, prefix string, before, limit int64) ([]Decision, error) {
	return list(ctx, v, decisionIDStatement, []any{prefix, prefix + "\x7f", before, limit}, readDecision)
}

// DecisionQuery chooses decisions. Empty fields choose all.
type DecisionQuery struct {
	Subject, Point, Service, Environment, Outcome string
	Before                                        int64 // only decisions before this position
	From                                          int64 // only decisions at it or behind it
	Limit                                         int64
}

// Decisions lists what the query chooses, newest first.
func (v *View) Decisions(ctx context.Context, q DecisionQuery) ([]Decision, error) {
	switch {
	case q.Subject != "":
		return list(ctx, v, decisionSubjectStatement, []any{q.Subject, q.Before, q.Point, q.Service, q.Environment, q.Outcome, q.From, q.Limit}, readDecision)
	case q.Point != "":
		return list(ctx, v, decisionPointStatement, []any{q.Point, q.Before, q.Service, q.Environment, q.Outcome, q.From, q.Limit}, readDecision)
	case q.Service != "":
		return list(ctx, v, decisionServiceStatement, []any{q.Service, q.Before, q.Environment, q.Outcome, q.From, q.Limit}, readDecision)
	}
	return list(ctx, v, decisionAllStatement, []any{q.Before, q.Environment, q.Outcome, q.From, q.Limit}, readDecision)
}

// SignedDecision is a decision with its producer.
type SignedDecision struct {
	Decision
	Producer string
}

// SignedDecisions lists the decisions of a point about an environment from a position on,
// oldest first, with who signed them: for who goes through all of them.
func (v *View) SignedDecisions(ctx context.Context, point, environment string, from, before, limit int64) ([]SignedDecision, error) {
	return list(ctx, v, decisionSignedStatement, []any{point, environment, from, before, limit}, func(r Row) (d SignedDecision, err error) {
		err = r.Scan(&d.From, &d.To, &d.ID, &d.Point, &d.Subject, &d.Name, &d.Service, &d.Environment, &d.Mode, &d.Outcome, &d.Enforced, &d.At, &d.Expires, &d.Producer)
		return d, err
	})
}

// Register gives what holds at a position under a kind and id.
func (v *View) Register(ctx context.Context, kind, id string, at int64) (Register, bool, error) {
	r, err := list(ctx, v, registerStatement, []any{kind, id, at, at}, readRegister)
	if err != nil || len(r) == 0 {
		return Register{}, false, err
	}
	return r[0], true, nil
}

// Registers lists what holds at a position of a kind, about one thing or about any,
// newest first.
func (v *View) Registers(ctx context.Context, kind, about string, at, limit int64) ([]Register, error) {
	return list(ctx, v, registersStatement, []any{kind, about, at, at, limit}, readRegister)
}
