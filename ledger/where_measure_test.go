package ledger_test

import (
	"database/sql"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/advisory"
	"verdict/ledger"
)

// artifacts gives a ledger of 100,000 artifacts with make bench, and of 4,000 otherwise.
func artifacts(b *testing.B) (*bed, *ledger.Ledger) {
	b.Helper()
	n, running := 4_000, 300
	if os.Getenv("VERDICT_BENCH") != "" {
		n, running = 100_000, 3_000
	}
	d := newBed(b)
	l := d.open()
	b.Cleanup(func() { l.Close() })
	began := time.Now()
	ledger.FillBills(b, l, n, running)
	fmt.Printf("a log of %d bills of materials, %d of running artifacts, was made in %v\n", n, running, time.Since(began).Round(time.Second))
	return d, l
}

// BenchmarkWhere asks for versions of packages below one, and for what was built with
// them; and measures what the index needs on disk.
func BenchmarkWhere(b *testing.B) {
	d, l := artifacts(b)
	ask := func(b *testing.B, rank func(r *mathrand.Rand) int, limit int, fresh bool) {
		r := mathrand.New(mathrand.NewPCG(7, 7))
		var took []time.Duration
		found, spent := 0, cpu(b)
		for b.Loop() {
			name := ledger.PackageName(rank(r))
			if fresh {
				ledger.Forget(l)
			}
			began := time.Now()
			w, err := l.Where(b.Context(), ledger.WhereQuery{At: ledger.Now, Limit: limit, Counts: everybody, Packages: []ledger.PackageQuery{{
				Ecosystem: "npm", Name: name, Holds: func(name, v string) (bool, error) {
					n, err := advisory.Compare("npm", name, v, "1.8.0")
					return n < 0, err
				}}}})
			took = append(took, time.Since(began))
			if err != nil {
				b.Fatal(err)
			}
			found += w.Bills
		}
		percentiles(b, took)
		b.ReportMetric(float64((cpu(b)-spent).Microseconds())/float64(len(took))/1000, "cpu-ms/question")
		b.ReportMetric(float64(found)/float64(len(took)), "bills/question")
	}
	popular := func(r *mathrand.Rand) int { return r.IntN(30) }
	tail := func(r *mathrand.Rand) int { return 5_000 + r.IntN(20_000) }
	b.Run("popular", func(b *testing.B) { ask(b, popular, 0, false) })
	b.Run("tail", func(b *testing.B) { ask(b, tail, 0, false) })
	b.Run("popular_with_built", func(b *testing.B) { ask(b, popular, 50, false) })
	b.Run("tail_with_built", func(b *testing.B) { ask(b, tail, 50, false) })
	b.Run("popular_after_a_change", func(b *testing.B) { ask(b, popular, 0, true) })
	b.Run("tail_after_a_change", func(b *testing.B) { ask(b, tail, 0, true) })
	b.Run("one_new_advisory", func(b *testing.B) { ask(b, tail, 1<<30, false) }) // every artifact, to be matched again
	b.Run("size", func(b *testing.B) {
		for b.Loop() {
		}
		b.ReportMetric(indexSize(b, d)/1e6, "MB")
	})
}

func everybody(verdict.Kind, string, string, string) bool { return true }

// indexSize is how many bytes the tables and indexes of the component index have.
func indexSize(b *testing.B, d *bed) float64 {
	db, err := sql.Open("sqlite", d.database()+"?_pragma=busy_timeout(5000)")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT s.name, m.tbl_name, SUM(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name GROUP BY 1, 2`)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	total := 0.0
	for rows.Next() {
		var name, table string
		var size float64
		if err := rows.Scan(&name, &table, &size); err != nil {
			b.Fatal(err)
		}
		if strings.HasPrefix(table, "component") || strings.HasPrefix(table, "bill") || table == "package" || table == "running" {
			total += size
			fmt.Printf("%s: %.1f MB\n", name, size/1e6)
		}
	}
	return total
}
