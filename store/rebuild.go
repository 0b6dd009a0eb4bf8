package store

import "context"

// Projections are compared with what the bodies say, in whatever order the engine finds
// quickest: nothing here sorts a table.

const (
	// Index: none, the whole table.
	allSubjectsStatement   = `SELECT digest, from_seq, to_seq, kind FROM subject`
	allDecisionsStatement  = `SELECT ` + decisionColumns + ` FROM decision`
	allRegistersStatement  = `SELECT kind, id, from_seq, to_seq, about FROM register`
	allForeignStatement    = `SELECT from_seq, to_seq, size FROM foreign_bundle`
	allUsesStatement       = `SELECT digest, from_seq, to_seq, role FROM blob_use`
	allRunningStatement    = `SELECT ` + runningColumns + ` FROM running`
	allBillsStatement      = `SELECT ` + billColumns + `, components FROM bill JOIN bill_source ON bill_source.id = source JOIN bill_component ON bill_component.number = bill.number`
	allComponentsStatement = `SELECT component.id, ecosystem, name, version, licence FROM component JOIN package ON package.id = package`

	// Index: primary key of entry.
	indexBetweenStatement = `SELECT seq FROM entry WHERE seq >= $1 AND seq < $2 ORDER BY seq`

	// Index: decision_subject.
	nextDecisionStatement = `SELECT from_seq FROM decision WHERE subject = $1 AND point = $2 AND environment = $3 AND from_seq > $4 ORDER BY from_seq LIMIT 1`

	// Index: primary key of register.
	nextRegisterStatement = `SELECT from_seq FROM register WHERE kind = $1 AND id = $2 AND from_seq > $3 ORDER BY from_seq LIMIT 1`

	// Index: none, the whole table; for a range in which something does not match.
	subjectsBetweenStatement  = `SELECT digest, from_seq, to_seq, kind FROM subject WHERE from_seq >= $1 AND from_seq < $2`
	decisionsBetweenStatement = `SELECT ` + decisionColumns + ` FROM decision WHERE from_seq >= $1 AND from_seq < $2`
	registersBetweenStatement = `SELECT kind, id, from_seq, to_seq, about FROM register WHERE from_seq >= $1 AND from_seq < $2`
	foreignBetweenStatement   = `SELECT from_seq, to_seq, size FROM foreign_bundle WHERE from_seq >= $1 AND from_seq < $2`
	usesBetweenStatement      = `SELECT digest, from_seq, to_seq, role FROM blob_use WHERE from_seq >= $1 AND from_seq < $2`
	runningBetweenStatement   = `SELECT ` + runningColumns + ` FROM running WHERE from_seq >= $1 AND from_seq < $2`

	// Index: bill_from.
	billsBetweenStatement = `SELECT ` + billColumns + `, components FROM bill JOIN bill_source ON bill_source.id = source JOIN bill_component ON bill_component.number = bill.number WHERE from_seq >= $1 AND from_seq < $2`

	// Index: bill_about.
	nextBillStatement = `SELECT from_seq FROM bill WHERE about = $1 AND from_seq > $2 ORDER BY from_seq LIMIT 1`
)

// Projections receives rows of projections. A nil func skips its table.
type Projections struct {
	Subject  func(Subject) error
	Decision func(Decision) error
	Register func(Register) error
	Foreign  func(ForeignBundle) error // without its data
	Use      func(BlobUse) error
	Running  func(Running) error
	Bill     func(Bill) error // with the ids of its components
}

// EachProjection reads the projections whole, one table after the other.
func (v *View) EachProjection(ctx context.Context, p Projections) error {
	return v.r.Run(ctx, p.statements(nil, allSubjectsStatement, allDecisionsStatement, allRegistersStatement, allForeignStatement, allUsesStatement, allRunningStatement, allBillsStatement)...)
}

// EachProjectionBetween reads the rows of the projections that come from entries
// [from, to).
func (v *View) EachProjectionBetween(ctx context.Context, from, to int64, p Projections) error {
	return v.r.Run(ctx, p.statements([]any{from, to}, subjectsBetweenStatement, decisionsBetweenStatement, registersBetweenStatement, foreignBetweenStatement, usesBetweenStatement, runningBetweenStatement, billsBetweenStatement)...)
}

func (p Projections) statements(args []any, subject, decision, register, foreign, use, running, bill string) []Statement {
	var out []Statement
	out = eachRow(out, subject, args, readSubject, p.Subject)
	out = eachRow(out, decision, args, readDecision, p.Decision)
	out = eachRow(out, register, args, readRegister, p.Register)
	out = eachRow(out, foreign, args, readForeign, p.Foreign)
	out = eachRow(out, use, args, readUse, p.Use)
	out = eachRow(out, running, args, readRunning, p.Running)
	return eachRow(out, bill, args, readAnyBill, p.Bill)
}

// eachRow adds a statement whose rows go to each, if there is somebody to take them.
func eachRow[T any](out []Statement, sql string, args []any, read func(Row) (T, error), each func(T) error) []Statement {
	if each == nil {
		return out
	}
	return append(out, Statement{SQL: sql, Args: args, Each: func(r Row) error {
		x, err := read(r)
		if err != nil {
			return err
		}
		return each(x)
	}})
}

func readForeign(r Row) (f ForeignBundle, err error) {
	err = r.Scan(&f.From, &f.To, &f.Size)
	return f, err
}

func readSubject(r Row) (s Subject, err error) {
	err = r.Scan(&s.Digest, &s.From, &s.To, &s.Kind)
	return s, err
}

// EachIndex calls each with the positions [from, to) that hold an entry, in order.
func (v *View) EachIndex(ctx context.Context, from, to int64, each func(seq int64) error) error {
	return v.r.Run(ctx, Statement{SQL: indexBetweenStatement, Args: []any{from, to}, Each: func(r Row) error {
		var seq int64
		if err := r.Scan(&seq); err != nil {
			return err
		}
		return each(seq)
	}})
}

// NextDecision finds where the decision ends that d is: at the next one of the same
// point about the same subject in the same environment.
func (v *View) NextDecision(ctx context.Context, d Decision) (from int64, found bool, err error) {
	found, err = v.one(ctx, nextDecisionStatement, []any{d.Subject, d.Point, d.Environment, d.From}, &from)
	return from, found, err
}

// NextRegister finds where a row of the register ends: at the next one of its kind and id.
func (v *View) NextRegister(ctx context.Context, r Register) (from int64, found bool, err error) {
	found, err = v.one(ctx, nextRegisterStatement, []any{r.Kind, r.ID, r.From}, &from)
	return from, found, err
}

// NextBill finds where a bill ends: at the next one of its producer about its artifacts.
func (v *View) NextBill(ctx context.Context, b Bill) (from int64, found bool, err error) {
	found, err = v.one(ctx, nextBillStatement, []any{b.About, b.From}, &from)
	return from, found, err
}

// EachComponent calls each with every component that some bill lists.
func (v *View) EachComponent(ctx context.Context, each func(id int64, c Component) error) error {
	return v.r.Run(ctx, Statement{SQL: allComponentsStatement, Each: func(r Row) error {
		id, c, err := readComponent(r)
		if err != nil {
			return err
		}
		return each(id, c)
	}})
}

func readComponent(r Row) (id int64, c Component, err error) {
	err = r.Scan(&id, &c.Ecosystem, &c.Name, &c.Version, &c.Licence)
	return id, c, err
}
