package store

import (
	"context"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"
)

const (
	// Index: component_version.
	versionsStatement = `SELECT id, version, licence FROM component WHERE package = $1`

	// Index: none, the whole table: a few ten thousand names.
	packagesStatement = `SELECT id, ecosystem, name FROM package`

	// Index: primary key of component, then of package. The values follow.
	componentsStatement = `SELECT component.id, ecosystem, name, version, licence FROM component JOIN package ON package.id = package WHERE component.id IN (`

	// Index: primary key of bill, then of bill_source and bill_component. The values follow.
	billsStatement = `SELECT ` + billColumns + `, components FROM bill JOIN bill_source ON bill_source.id = source JOIN bill_component ON bill_component.number = bill.number WHERE bill.number IN (`

	// Index: bill_from, then the primary keys of bill_source and bill_component.
	billFromStatement = `SELECT ` + billColumns + `, components FROM bill JOIN bill_source ON bill_source.id = source JOIN bill_component ON bill_component.number = bill.number WHERE from_seq = $1`

	// Index: bill_ended, whose own condition is repeated.
	endedStatement = `SELECT number FROM bill WHERE to_seq < 9223372036854775807 AND to_seq < $1`

	// Index: bill_from.
	laterStatement = `SELECT number FROM bill WHERE from_seq >= $1`

	// Index: none, a handful of rows.
	sourcesStatement = `SELECT id, producer, service, environment FROM bill_source`

	// Index: bill_source_of.
	ofSourceStatement = `SELECT number FROM bill WHERE source = $1`

	// Index: primary key of bill, its last row.
	lastBillStatement = `SELECT COALESCE(MAX(number), -1) FROM bill`

	// Index: primary key of running and of bill, running_end, entry_kind: their last rows.
	runningMarkStatement = `SELECT COALESCE((SELECT MAX(from_seq) FROM running), -1), COALESCE((SELECT MAX(to_seq) FROM running WHERE to_seq < 9223372036854775807), -1), COALESCE((SELECT MAX(number) FROM bill), -1), COALESCE((SELECT MAX(seq) FROM entry WHERE kind = 'image'), -1)`

	// Index: primary key of subject, backwards; bill by bill_from.
	billsOfStatement = `SELECT ` + billColumns + `, components FROM subject JOIN bill ON bill.from_seq = subject.from_seq JOIN bill_source ON bill_source.id = source JOIN bill_component ON bill_component.number = bill.number WHERE digest = $1 AND kind = 'sbom' AND bill.from_seq < $2 AND bill.to_seq >= $3 ORDER BY subject.from_seq DESC`

	// Index: running_end, the rows that had not ended at the position; subject by its primary
	// key, bill by bill_from.
	runningBillsStatement = `SELECT running.environment, running.service, running.name, running.digest, running.decision, running.at, running.from_seq, COALESCE(number, -1), COALESCE(source, 0), COALESCE(inventory, ''), COALESCE(nameless, 0) FROM running LEFT JOIN subject ON subject.digest = running.digest AND subject.from_seq < $1 LEFT JOIN bill ON bill.from_seq = subject.from_seq AND bill.to_seq >= $1 WHERE running.from_seq < $1 AND running.to_seq >= $1`

	// Index: running_end, the rows that had not ended at the position; subject and entry by
	// their primary keys. SQLite takes the tables of a CROSS JOIN in their order: by itself it
	// would read all subjects.
	runningImagesStatement = `SELECT running.from_seq, subjects, entry.producer, entry.service, entry.environment, foreign_digest FROM running CROSS JOIN subject JOIN entry ON entry.seq = subject.from_seq WHERE subject.digest = running.digest AND subject.kind = 'image' AND subject.from_seq < $1 AND running.from_seq < $1 AND running.to_seq >= $1 ORDER BY entry.seq DESC`

	// Index: primary key of subject, backwards, then that of entry.
	imagesOfStatement = `SELECT subjects, producer, service, environment, foreign_digest FROM subject JOIN entry ON entry.seq = subject.from_seq WHERE subject.digest = $1 AND subject.kind = 'image' AND subject.from_seq < $2 ORDER BY subject.from_seq DESC`

	// Index: primary key of subject, then bill_from. The values follow.
	billsOfEachStatement = `SELECT subject.digest, bill.from_seq, bill.to_seq, number, source, inventory, nameless FROM subject JOIN bill ON bill.from_seq = subject.from_seq WHERE subject.kind = 'sbom' AND subject.digest IN (`
)

const billColumns = `bill.number, bill.from_seq, bill.to_seq, about, producer, bill_source.service, bill_source.environment, inventory, listed, nameless`

// readBill reads a bill, whose components must make sense.
func readBill(r Row) (Bill, error) {
	b, err := readAnyBill(r)
	if err == nil && b.IDs == nil {
		err = fmt.Errorf("bill %d: %w", b.Number, errIDs)
	}
	return b, err
}

// readAnyBill leaves the ids of a bill nil whose components make no sense: what verifies
// finds that they are missing.
func readAnyBill(r Row) (b Bill, err error) {
	var packed []byte
	err = r.Scan(&b.Number, &b.From, &b.To, &b.About, &b.Source.Producer, &b.Source.Service, &b.Source.Environment, &b.Inventory, &b.Listed, &b.Nameless, &packed)
	b.IDs, _ = unpackIDs(packed)
	return b, err
}

// Version is one version of a package, under one licence.
type Version struct {
	ID               int64
	Version, Licence string
}

// Package is a package that some bill lists.
type Package struct {
	ID        int64  `json:"id"`
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
}

// PackageID finds a package by its name.
func (v *View) PackageID(ctx context.Context, ecosystem, name string) (id int64, found bool, err error) {
	found, err = v.one(ctx, packageIDStatement, []any{name, ecosystem}, &id)
	return id, found, err
}

// Versions lists the versions of a package that bills list, in no order.
func (v *View) Versions(ctx context.Context, pkg int64) ([]Version, error) {
	return list(ctx, v, versionsStatement, []any{pkg}, func(r Row) (x Version, err error) {
		err = r.Scan(&x.ID, &x.Version, &x.Licence)
		return x, err
	})
}

// EachPackage calls each with every package that some bill lists.
func (v *View) EachPackage(ctx context.Context, each func(Package) error) error {
	return v.r.Run(ctx, Statement{SQL: packagesStatement, Each: func(r Row) error {
		var p Package
		if err := r.Scan(&p.ID, &p.Ecosystem, &p.Name); err != nil {
			return err
		}
		return each(p)
	}})
}

func readNumber(r Row) (n int64, err error) { err = r.Scan(&n); return n, err }

// Components calls each with the components that have these ids.
func (v *View) Components(ctx context.Context, ids []int64, each func(id int64, c Component) error) error {
	return inChunks(ctx, v, componentsStatement, ids, func(r Row) error {
		id, c, err := readComponent(r)
		if err != nil {
			return err
		}
		return each(id, c)
	})
}

// Bills calls each with the bills of these numbers.
func (v *View) Bills(ctx context.Context, numbers []int64, each func(Bill) error) error {
	return inChunks(ctx, v, billsStatement, numbers, func(r Row) error {
		b, err := readBill(r)
		if err != nil {
			return err
		}
		return each(b)
	})
}

// inChunks runs a statement that ends in a list of values.
func inChunks[T any](ctx context.Context, v *View, sql string, values []T, each func(Row) error) error {
	var ask []Statement
	for len(values) > 0 {
		n := chunk(len(values), 1)
		args := make([]any, n)
		for i, x := range values[:n] {
			args[i] = x
		}
		values = values[n:]
		ask = append(ask, Statement{SQL: statement(sql, n, 1, ")"), Args: args, Each: each})
	}
	if len(ask) == 0 {
		return nil
	}
	return v.r.Run(ctx, ask...)
}

// BillOf gives the bill that an entry states.
func (v *View) BillOf(ctx context.Context, seq int64) (Bill, bool, error) {
	b, err := list(ctx, v, billFromStatement, []any{seq}, readBill)
	if err != nil || len(b) == 0 {
		return Bill{}, false, err
	}
	return b[0], true, nil
}

// BillsOf lists the bills of an artifact that hold at a position, the newest first.
func (v *View) BillsOf(ctx context.Context, digest string, at int64) ([]Bill, error) {
	return list(ctx, v, billsOfStatement, []any{digest, at, at}, readBill)
}

// NotStanding calls each with the numbers of the bills that do not hold at a position:
// another one has replaced them, or they came later.
func (v *View) NotStanding(ctx context.Context, at int64, each func(number int64)) error {
	take := func(r Row) error {
		n, err := readNumber(r)
		if err == nil {
			each(n)
		}
		return err
	}
	ask := []Statement{{SQL: endedStatement, Args: []any{at}, Each: take}}
	if at != Open {
		ask = append(ask, Statement{SQL: laterStatement, Args: []any{at}, Each: take})
	}
	return v.r.Run(ctx, ask...)
}

// BillSources lists who states bills, by id.
func (v *View) BillSources(ctx context.Context) (map[int64]BillSource, error) {
	out := map[int64]BillSource{}
	err := v.r.Run(ctx, Statement{SQL: sourcesStatement, Each: func(r Row) error {
		var id int64
		var s BillSource
		err := r.Scan(&id, &s.Producer, &s.Service, &s.Environment)
		out[id] = s
		return err
	}})
	return out, err
}

// EachOfSource calls each with the numbers of the bills of a source.
func (v *View) EachOfSource(ctx context.Context, source int64, each func(number int64)) error {
	return v.r.Run(ctx, Statement{SQL: ofSourceStatement, Args: []any{source}, Each: func(r Row) error {
		n, err := readNumber(r)
		if err == nil {
			each(n)
		}
		return err
	}})
}

// RunningMark is equal in two states in which the same runs, of the same platforms and with
// the same bills.
type RunningMark struct{ Began, Ended, Bills, Images int64 }

// RunningMark tells one state of what runs and of the bills from another.
func (v *View) RunningMark(ctx context.Context) (m RunningMark, err error) {
	_, err = v.one(ctx, runningMarkStatement, nil, &m.Began, &m.Ended, &m.Bills, &m.Images)
	return m, err
}

// AllBills gives the numbers of all bills.
func (v *View) AllBills(ctx context.Context) (*roaring.Bitmap, error) {
	last := int64(-1)
	_, err := v.one(ctx, lastBillStatement, nil, &last)
	all := roaring.New()
	all.AddRange(0, uint64(last+1))
	return all, err
}

// RunningBill is an artifact that runs, with one bill of it; without one, Number is -1.
type RunningBill struct {
	Environment, Service, Name, Digest, Decision string
	At, From                                     int64
	Number, Source                               int64 // of the bill, and of who states it
	Inventory                                    string
	Nameless                                     int64
}

// EachRunning calls each with what runs at a position: an artifact comes once for each
// of its bills that hold then, and for whatever else was said of it without one.
func (v *View) EachRunning(ctx context.Context, at int64, each func(RunningBill) error) error {
	return v.r.Run(ctx, Statement{SQL: runningBillsStatement, Args: []any{at}, Each: func(r Row) error {
		var x RunningBill
		if err := r.Scan(&x.Environment, &x.Service, &x.Name, &x.Digest, &x.Decision, &x.At, &x.From, &x.Number, &x.Source, &x.Inventory, &x.Nameless); err != nil {
			return err
		}
		return each(x)
	}})
}

// ImageOf is an entry of kind image about a digest: what it is about, and who states it.
type ImageOf struct {
	Subjects string // JSON
	By       BillSource
	Foreign  bool
}

func (i *ImageOf) scan(r Row, before ...any) error {
	var foreign string
	err := r.Scan(append(before, &i.Subjects, &i.By.Producer, &i.By.Service, &i.By.Environment, &foreign)...)
	i.Foreign = foreign != ""
	return err
}

// EachRunningImage calls each with what was recorded before a position of the images that run
// there, the last first: from is the row of what runs.
func (v *View) EachRunningImage(ctx context.Context, at int64, each func(from int64, i ImageOf) error) error {
	return v.r.Run(ctx, Statement{SQL: runningImagesStatement, Args: []any{at}, Each: func(r Row) error {
		var from int64
		var i ImageOf
		if err := i.scan(r, &from); err != nil {
			return err
		}
		return each(from, i)
	}})
}

// EachImageOf calls each with what was recorded of an image before a position, the last first.
func (v *View) EachImageOf(ctx context.Context, digest string, at int64, each func(ImageOf) error) error {
	return v.r.Run(ctx, Statement{SQL: imagesOfStatement, Args: []any{digest, at}, Each: func(r Row) error {
		var i ImageOf
		if err := i.scan(r); err != nil {
			return err
		}
		return each(i)
	}})
}

// EachBillOf calls each with the bills of these artifacts that hold at a position.
func (v *View) EachBillOf(ctx context.Context, digests []string, at int64, each func(RunningBill) error) error {
	return inChunks(ctx, v, billsOfEachStatement, digests, func(r Row) error {
		var x RunningBill
		var to int64
		if err := r.Scan(&x.Digest, &x.From, &to, &x.Number, &x.Source, &x.Inventory, &x.Nameless); err != nil {
			return err
		}
		if x.From >= at || to < at {
			return nil
		}
		return each(x)
	})
}
