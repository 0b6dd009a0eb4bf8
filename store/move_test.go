package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"verdict/store"
	"verdict/store/postgres"
	"verdict/store/sqlite"
	"verdict/store/storetest"
)

// Whoever adds a table means it to be there after a move too. What is forgotten is missed
// when the old database is gone.
func TestEveryRowOfEveryTableOfTheSchemaMoves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	e, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	from, err := store.New(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	lite, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer lite.Close()
	columns := map[string][]string{}
	rows, err := lite.Query(`SELECT m.name, c.name, c.type FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'schema_version' ORDER BY m.name, c.cid`)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	for rows.Next() {
		var table, name, kind string
		if err := rows.Scan(&table, &name, &kind); err != nil {
			t.Fatal(err)
		}
		columns[table] = append(columns[table], name)
		kinds[table+"."+name] = kind
	}
	if len(columns) < 15 {
		t.Fatalf("only %d tables", len(columns))
	}
	const each = 600 // more than go in one round trip
	for table, names := range columns {
		fill(t, lite, table, names, kinds, each)
	}
	dsn := storetest.Postgres(t)
	pg, err := postgres.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	to, err := store.New(t.Context(), pg)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	told := map[string]int64{}
	err = from.Move(t.Context(), to, store.Moving{
		Place: "there", Progress: func(table string, n int64) { told[table] = n }, Check: func(context.Context) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	there, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	for table, names := range columns {
		a, b := dump(t, lite, table, names), dump(t, there, table, names)
		if table == "moved" {
			a = strings.Replace(a, "0 there 0 \n", "", 1)
		}
		if a != b || told[table] < each {
			t.Errorf("%s: %d rows were told\n%.300s\n%.300s", table, told[table], a, b)
		}
	}
}

func fill(t *testing.T, db *sql.DB, table string, names []string, kinds map[string]string, n int) {
	t.Helper()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for i := range n {
		var args []any
		for _, name := range names {
			switch k := kinds[table+"."+name]; strings.ToLower(k) {
			case "bigint":
				args = append(args, int64(i+1))
			case "text":
				args = append(args, fmt.Sprintf("%s %d ü", name, i))
			case "blob":
				args = append(args, []byte{0, byte(i), byte(i >> 8), 0xff})
			default:
				t.Fatalf("%s.%s is of type %s", table, name, k)
			}
		}
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(names)), ", ")
		if _, err := tx.Exec("INSERT INTO "+table+" ("+strings.Join(names, ", ")+") VALUES ("+marks+")", args...); err != nil {
			t.Fatalf("%s: %v", table, err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// dump is every row of a table, by the number that it was filled with.
func dump(t *testing.T, db *sql.DB, table string, names []string) string {
	t.Helper()
	rows, err := db.Query("SELECT " + strings.Join(names, ", ") + " FROM " + table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	lines := map[string]int{}
	for rows.Next() {
		values := make([]any, len(names))
		into := make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		line := ""
		for _, v := range values {
			line += fmt.Sprintf("%v ", v)
		}
		lines[line+"\n"]++
	}
	var out []string
	for l := range lines {
		out = append(out, l)
	}
	slices.Sort(out)
	return strings.Join(out, "")
}

// SQLite gives an empty blob back as nil. If that moved as NULL, an installation that received
// one delivery without a secret could not move at all.
func TestAnEmptyBlobMoves(t *testing.T) {
	e, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	from, err := store.New(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	if err := from.OpenEpoch(t.Context(), store.Head{Epoch: 1, Origin: "log.example", Key: "k", Root: make([]byte, 32)}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := from.AddDelivery(t.Context(), store.Delivery{Source: "github", ID: "d", Digest: []byte{1}, State: store.DeliveryWaiting, Event: "{}", Progress: "{}"}, "delivery"); err != nil {
		t.Fatal(err)
	}
	pg, err := postgres.Open(t.Context(), storetest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	to, err := store.New(t.Context(), pg)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if err := from.Move(t.Context(), to, store.Moving{Place: "there", Progress: func(string, int64) {}, Check: func(context.Context) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	if j, found, err := to.ClaimJob(t.Context(), "delivery", "w", 1, 2); err != nil || !found || j.ID != "delivery/github/d" {
		t.Errorf("%+v, %v, %v", j, found, err)
	}
}
