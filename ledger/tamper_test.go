package ledger_test

import (
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"

	"verdict"
	"verdict/ledger"
)

// unproved are the columns that nothing which was signed tells, each with why that is no
// harm: "table" for all of them. Every other column of the schema is proved by a log that
// holds, also those that are added after today.
var unproved = map[string]string{
	"log.opened":     "entries have times of their own, which receipts sign",
	"log.previous":   "of the first epoch; that of a later one is held against its first entry",
	"entry.leaf":     "read where the body was pruned, and held against the tree there",
	"schema_version": "the steps that the schema took; a wrong one is refused when the database is opened",
	"job":            "work that waits, and says nothing about the past",
	"delivery":       "work that came from outside, and says nothing about the past",
	"repeat":         "answers that are given once more within a day; the entries that they name are proved",
	"credential":     "opens the door now; what was done behind it is in entries, which name whose it was",
	"spent":          "tokens that open the door no more",
	"actor":          "names of people, which can be erased; entries name the id alone",
	"moved":          "where the log goes on: a wrong one stops this log, and changes nothing in it",
	"blob_use":       "TestEachChangeOfWhatEntriesRestOnIsDetected",
	"foreign_bundle": "TestAForeignBundleThatIsChangedInTheDatabaseIsFound",
	"cosignature":    "TestEachChangeOfAWitnessesSignatureIsDetectedAndLocated",
}

// everything is a ledger with rows in the tables of the third and fourth layer, folded.
func (b *bed) everything(t *testing.T) {
	t.Helper()
	l := b.shipped()
	b.append(l, b.decision("deploy.gate", subject("a"), verdict.Deny))
	b.append(l, b.decision("deploy.gate", subject("a"), verdict.Allow))
	b.append(l, b.sign(b.key, verdict.KindException, verdict.Exception{ID: "x-1", Service: "shop", Rule: "r"}, subject("a")))
	b.append(l, b.other(300))
	if _, made, err := l.Receipt(t.Context()); err != nil || !made {
		t.Fatalf("receipt: %v, %v", made, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b.folded(t)
}

// columns are those of every table, as "table.column".
func columns(t *testing.T, db *sql.DB) []string {
	t.Helper()
	rows, err := db.Query(`SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var c string
		if err := rows.Scan(&c); err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// Whoever can write into the database must not be able to change one word of what it says
// of an artifact, of what runs, or of what was decided, without the log showing it: where a
// component is looked for is believed by people who have an hour to act.
func TestEachColumnOfTheDatabaseIsProved(t *testing.T) {
	b := newBed(t)
	b.everything(t)
	whole, err := os.ReadFile(b.database())
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", b.database())
	if err != nil {
		t.Fatal(err)
	}
	all := columns(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if found := b.detects(t); found != "" {
		t.Fatalf("an untouched ledger: %s", found)
	}
	proved, needed := 0, map[string]bool{}
	for _, c := range all {
		table, column, _ := strings.Cut(c, ".")
		for _, name := range []string{c, table} {
			needed[name] = true
		}
		if unproved[c] != "" || unproved[table] != "" {
			continue
		}
		if err := os.WriteFile(b.database(), whole, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(b.database() + "-wal"); err == nil {
			t.Fatal("the ledger was closed, and its journal is still there")
		}
		tamper(t, b, fmt.Sprintf(`UPDATE %[1]s SET %[2]s = CASE typeof(%[2]s) WHEN 'integer' THEN CASE WHEN %[2]s > 1000000 THEN %[2]s - 1 ELSE %[2]s + 1000 END WHEN 'blob' THEN CAST(x'5A' || substr(%[2]s, 2) AS BLOB) WHEN 'null' THEN 'x' ELSE %[2]s || 'x' END
			WHERE rowid = (SELECT max(rowid) FROM %[1]s)`, table, column))
		if b.detects(t) == "" {
			t.Errorf("%s was changed, and the log holds", c)
		}
		proved++
	}
	if proved < 60 {
		t.Errorf("%d of %d columns were changed", proved, len(all))
	}
	for name := range unproved {
		if !needed[name] {
			t.Errorf("there is no %s any more: take it out of the list", name)
		}
	}
	if err := os.WriteFile(b.database(), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	tamper(t, b, `DELETE FROM component_index`) // without it nothing recorded later would be found
	if b.detects(t) == "" {
		t.Error("how far the component index goes is not said any more, and the log holds")
	}
}

// detects gives what is wrong with the ledger, as opening or verifying it tells.
func (b *bed) detects(t *testing.T) string {
	t.Helper()
	l, err := b.try(func(o *ledger.Options) { o.Inspect = true })
	if err != nil {
		return err.Error()
	}
	defer l.Close()
	r, err := l.Verify(t.Context(), ledger.VerifyOptions{Signatures: true})
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}
