package ledger_test

import (
	"crypto/ecdsa"
	"crypto/x509"
	"database/sql"
	"encoding/pem"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/advisory"
	"verdict/blob/dir"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/store"
	"verdict/store/sqlite"
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
	ledger.FillBills(b, l, n, running, nil)
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

// BenchmarkFill is no measurement of its own: it fills the ledger of the program in the home
// that VERDICT_BENCH_FILL names, signed with the key that the program made, for bench to
// measure what the program does with it.
func BenchmarkFill(b *testing.B) {
	home := os.Getenv("VERDICT_BENCH_FILL")
	if home == "" {
		b.Skip("bench names the home that is filled")
	}
	data := filepath.Join(home, ".local", "share", "verdict")
	raw, err := os.ReadFile(filepath.Join(data, "keys", "local.pem"))
	if err != nil {
		b.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		b.Fatal(err)
	}
	s, err := sqlite.Open(b.Context(), filepath.Join(data, "ledger.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	rows, err := store.New(b.Context(), s)
	if err != nil {
		b.Fatal(err)
	}
	blobs, err := dir.Open(filepath.Join(data, "blobs"), dir.Options{})
	if err != nil {
		b.Fatal(err)
	}
	log, err := evidence.OpenLogKey(filepath.Join(data, "keys", "log.key"))
	if err != nil {
		b.Fatal(err)
	}
	signer, err := evidence.OpenKey(filepath.Join(data, "keys", "local.pem"))
	if err != nil {
		b.Fatal(err)
	}
	l, err := ledger.Open(b.Context(), ledger.Options{Store: rows, Blobs: blobs, LogKey: log, Signer: signer, AnchorDir: filepath.Join(home, ".local", "state", "verdict", "anchor")})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() { // once: -benchtime 1x
		ledger.FillBills(b, l, 100_000, 3_000, private.(*ecdsa.PrivateKey))
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
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
