package store

import "context"

// Cosignature is a witness's signature under one of our checkpoints.
type Cosignature struct {
	Origin string
	Size   int64
	Name   string // of the witness
	Line   string // as it stands in the signed note
	At     int64
}

const (
	// Index: primary key of cosignature.
	putCosignatureStatement = `INSERT INTO cosignature (origin, size, name, line, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (origin, size, name) DO UPDATE SET line = excluded.line, at = excluded.at`

	// Index: primary key of cosignature, backwards.
	cosignaturesStatement = `SELECT origin, size, name, line, at FROM cosignature WHERE origin = $1 AND size <= $2 ORDER BY size DESC, name LIMIT $3`

	// Index: none, the whole table.
	allCosignaturesStatement = `SELECT origin, size, name, line, at FROM cosignature`
)

// PutCosignature keeps a signature of a witness; the newer one of the same witness under
// the same checkpoint replaces the older one.
func (s *Store) PutCosignature(ctx context.Context, c Cosignature) error {
	return s.engine.Write(ctx, func(Reader) ([]Statement, error) {
		return []Statement{{SQL: putCosignatureStatement, Args: []any{c.Origin, c.Size, c.Name, c.Line, c.At}}}, nil
	})
}

// Cosignatures lists the signatures under checkpoints of an origin up to a size, the
// largest checkpoint first.
func (v *View) Cosignatures(ctx context.Context, origin string, upTo, limit int64) ([]Cosignature, error) {
	return list(ctx, v, cosignaturesStatement, []any{origin, upTo, limit}, readCosignature)
}

// EachCosignature calls each with all signatures of witnesses, in no order.
func (v *View) EachCosignature(ctx context.Context, each func(Cosignature) error) error {
	return v.r.Run(ctx, Statement{SQL: allCosignaturesStatement, Each: func(r Row) error {
		c, err := readCosignature(r)
		if err != nil {
			return err
		}
		return each(c)
	}})
}

func readCosignature(r Row) (c Cosignature, err error) {
	err = r.Scan(&c.Origin, &c.Size, &c.Name, &c.Line, &c.At)
	return c, err
}
