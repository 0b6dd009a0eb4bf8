package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// A database moves to another one whole: every row of every table of the schema is copied
// in one transaction of the target, so that it holds all of them or none. The source is
// locked meanwhile and marked afterwards, and takes no entry any more.

// schemaText lists the tables, also those that a later version adds.
//
//go:embed schema.sql
var schemaText string

// ErrNotEmpty: the database to move to holds another log already.
var ErrNotEmpty = errors.New("the database is not empty")

const (
	// Index: none, an insert.
	moveStatement = `INSERT INTO moved (id, place, at) VALUES (0, $1, $2)`

	// moveRows and moveBytes bound what goes in one round trip.
	moveRows  = 512
	moveBytes = 2 << 20
)

// table is a table of the schema.
type table struct {
	name    string
	columns []column
}

type column struct {
	name, kind string
	needed     bool // NOT NULL: an empty blob may come back as nil
}

var (
	tablePattern  = regexp.MustCompile(`(?s)CREATE TABLE (\w+) \(\n(.*?)\);\n`)
	columnPattern = regexp.MustCompile(`(?m)(?:^|, ) *([a-z_]+) +(BIGINT|TEXT|blob)\b( +NOT NULL)?`)
	remarkPattern = regexp.MustCompile(`--.*`)
)

// tables reads the schema.
func tables(schema string) []table {
	var out []table
	for _, m := range tablePattern.FindAllStringSubmatch(schema, -1) {
		t := table{name: m[1]}
		for _, c := range columnPattern.FindAllStringSubmatch(remarkPattern.ReplaceAllString(m[2], ""), -1) {
			t.columns = append(t.columns, column{c[1], c[2], c[3] != ""})
		}
		out = append(out, t)
	}
	return out
}

func (t table) names() string {
	var names []string
	for _, c := range t.columns {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

// Moving is how a database moves.
type Moving struct {
	Place    string // is written into the source; it holds no secret
	At       int64
	Progress func(table string, rows int64) // of those that were copied so far
	// Check looks at the target before the source is given up. Its error leaves the
	// source as it is.
	Check func(ctx context.Context) error
}

// Move copies everything into to and marks s as moved. A target that holds this log
// already, from a move that did not come to its end, is checked and not filled again; one
// that holds anything else is ErrNotEmpty. Nobody writes to s meanwhile.
func (s *Store) Move(ctx context.Context, to *Store, m Moving) error {
	return s.engine.Write(ctx, func(from Reader) ([]Statement, error) {
		head, found, err := (&View{from}).Head(ctx)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, errors.New("the database holds no log")
		}
		err = to.engine.Write(ctx, func(into Reader) ([]Statement, error) {
			there, found, err := (&View{into}).Head(ctx)
			switch {
			case err != nil:
				return nil, err
			case found && there.Epoch == head.Epoch && there.Origin == head.Origin && there.Size == head.Size && string(there.Root) == string(head.Root):
				return nil, nil
			case found:
				return nil, fmt.Errorf("%w: it holds %d entries of %s", ErrNotEmpty, there.Base+there.Size, there.Origin)
			}
			return nothing, copyAll(ctx, from, into, m.Progress)
		})
		if err == nil {
			err = m.Check(ctx)
		}
		return []Statement{{SQL: moveStatement, Args: []any{m.Place, m.At}}}, err
	})
}

// nothing commits what was written already.
var nothing = []Statement{{SQL: foldedStatement}}

func copyAll(ctx context.Context, from, into Reader, progress func(string, int64)) error {
	for _, t := range tables(schemaText) {
		rows, err := t.copy(ctx, from, into, progress)
		if err != nil {
			return fmt.Errorf("copy %s: %w", t.name, err)
		}
		there := int64(0)
		err = into.Run(ctx, Statement{SQL: "SELECT COUNT(*) FROM " + t.name, Each: func(r Row) error { return r.Scan(&there) }})
		if err != nil {
			return fmt.Errorf("count %s: %w", t.name, err)
		}
		if there != rows {
			return fmt.Errorf("%w: %d rows were copied into %s, and it holds %d", ErrNotEmpty, rows, t.name, there)
		}
	}
	return nil
}

// copy copies one table and gives how many rows it has.
func (t table) copy(ctx context.Context, from, into Reader, progress func(string, int64)) (rows int64, err error) {
	insert := "INSERT INTO " + t.name + " (" + t.names() + ") VALUES "
	if t.name == "component_index" { // the schema begins with its one row
		if err := into.Run(ctx, Statement{SQL: "DELETE FROM " + t.name}); err != nil {
			return 0, err
		}
	}
	var waiting [][]any
	bytes := 0
	send := func() error {
		statements := withRows(nil, insert, "", len(t.columns), waiting, func(row, args []any) []any { return append(args, row...) })
		rows += int64(len(waiting))
		waiting, bytes = nil, 0
		progress(t.name, rows)
		if len(statements) == 0 {
			return nil
		}
		return into.Run(ctx, statements...)
	}
	err = from.Run(ctx, Statement{SQL: "SELECT " + t.names() + " FROM " + t.name, Each: func(r Row) error {
		row, size, err := t.read(r)
		if err != nil {
			return err
		}
		waiting, bytes = append(waiting, row), bytes+size
		if len(waiting) < moveRows && bytes < moveBytes {
			return nil
		}
		return send()
	}})
	if err != nil {
		return rows, err
	}
	return rows, send()
}

// read gives the values of a row and about how many bytes they have.
func (t table) read(r Row) (values []any, size int, err error) {
	into := make([]any, len(t.columns))
	for i, c := range t.columns {
		switch c.kind {
		case "BIGINT":
			into[i] = new(int64)
		case "TEXT":
			into[i] = new(string)
		default:
			into[i] = new([]byte)
		}
	}
	if err := r.Scan(into...); err != nil {
		return nil, 0, err
	}
	values = make([]any, len(into))
	for i, p := range into {
		switch p := p.(type) {
		case *int64:
			values[i], size = *p, size+8
		case *string:
			values[i], size = *p, size+len(*p)
		case *[]byte:
			values[i], size = *p, size+len(*p)
			if t.columns[i].needed {
				values[i] = there(*p)
			}
		}
	}
	return values, size, nil
}

// Shared is the same database for one more user, whose Close leaves it open.
func (s *Store) Shared() *Store { return &Store{engine: lent{s.engine}} }

type lent struct{ Engine }

func (lent) Close() error { return nil }
