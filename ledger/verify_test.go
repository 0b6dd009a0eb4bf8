package ledger_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
)

// filled is a ledger with statements of several kinds.
func (b *bed) filled(n int) *ledger.Ledger {
	b.t.Helper()
	l := b.begun()
	for i := range n {
		switch i % 4 {
		case 0:
			b.append(l, b.decision("code.review", subject("a"), verdict.Deny))
		case 1:
			b.append(l, b.sign(b.key, verdict.KindException, verdict.Exception{ID: "x-1", Service: "shop", Rule: strings.Repeat("r", i+1)}, subject("a")))
		default:
			b.append(l, b.other(300))
		}
	}
	if _, made, err := l.Receipt(b.t.Context()); err != nil || !made {
		b.t.Fatalf("receipt: %v, %v", made, err)
	}
	return l
}

func TestAnUntouchedLedgerVerifies(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		l := b.filled(400)
		r, err := l.Verify(t.Context(), ledger.VerifyOptions{Signatures: true})
		if err != nil || !r.Holds() {
			t.Fatalf("%+v, %v", r, err)
		}
		if r.Verified != 402 || r.Signatures != 402 || r.Anchor != "agrees" || r.Rows < 402 {
			t.Errorf("%+v", r)
		}
	})
}

// tamper changes the database behind the ledger's back.
func tamper(t *testing.T, b *bed, statements ...string) {
	t.Helper()
	driver, name := "sqlite", b.database()+"?_pragma=busy_timeout(5000)"
	if b.dsn != "" {
		driver, name = "pgx", b.dsn
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		r, err := db.Exec(s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		if n, _ := r.RowsAffected(); n == 0 {
			t.Fatalf("%s changed nothing", s)
		}
	}
}

func TestEachChangeOfTheDatabaseIsDetectedAndLocated(t *testing.T) {
	exec := func(statements ...string) []string { return statements }
	for _, c := range []struct {
		name   string
		change []string
		index  int64
		says   string
	}{
		{"a row is deleted", exec(`DELETE FROM entry WHERE seq = 17`), 17, "gone"},
		{"the last row is deleted", exec(`DELETE FROM entry WHERE seq = 41`), 41, "gone"},
		{"a body is edited", exec(`UPDATE entry SET payload = (SELECT payload FROM entry WHERE seq = 12), size = (SELECT size FROM entry WHERE seq = 12) WHERE seq = 16`), 16, "not what was logged"},
		{"a body is garbage", exec(`UPDATE entry SET payload = x'00' WHERE seq = 9`), 9, "does not hold"},
		{"a signature is edited", exec(`UPDATE entry SET signature = (SELECT signature FROM entry WHERE seq = 3) WHERE seq = 4`), 4, "not what was logged"},
		{"two bodies are swapped", exec(`UPDATE entry SET identity = x'01' WHERE seq = 8`,
			`UPDATE entry SET (payload, size, signature, digest, identity, subjects) = (SELECT payload, size, signature, digest, x'02', subjects FROM entry WHERE seq = 4) WHERE seq = 8`), 8, "not what was logged"},
		{"two rows change places", exec(`UPDATE entry SET seq = 1000 WHERE seq = 5`, `UPDATE entry SET seq = 5 WHERE seq = 6`, `UPDATE entry SET seq = 6 WHERE seq = 1000`), 5, "not what was logged"},
		{"a column of the index is edited", exec(`UPDATE entry SET service = 'other' WHERE seq = 20`), 20, "column service"},
		{"a recorded time is edited", exec(`UPDATE entry SET at = at - 3600000000 WHERE seq = 20`), 20, "before the entry in front"},
		{"the time of a receipt is edited", exec(`UPDATE entry SET at = at + 3600000000 WHERE seq = 41`, `UPDATE log SET latest = latest + 3600000000`), 41, "receipt"},
		{"a subject row is edited", exec(`UPDATE subject SET kind = 'sbom' WHERE from_seq = 12`), 12, "index rows"},
		{"a subject row is deleted", exec(`DELETE FROM subject WHERE from_seq = 12`), 12, "index rows"},
		{"a subject row is added", exec(`INSERT INTO subject SELECT 'sha256:00', 12, to_seq, kind FROM subject LIMIT 1`), 12, "index rows"},
		{"a subject row is added for the future", exec(`INSERT INTO subject SELECT digest, 4711, to_seq, kind FROM subject LIMIT 1`), 4711, "no entry"},
		{"a decision row is turned into allow", exec(`UPDATE decision SET outcome = 'allow' WHERE from_seq = 13`), 13, "index rows"},
		{"a decision row stands although it was replaced", exec(`UPDATE decision SET to_seq = 9223372036854775807 WHERE from_seq = 13`), 13, "does not end"},
		{"an exception row is removed", exec(`DELETE FROM register WHERE from_seq = 14`), 14, "index rows"},
		{"an exception row lives longer", exec(`UPDATE register SET to_seq = to_seq + 1 WHERE from_seq = 14`), 14, "does not end"},
		{"a tile is edited", exec(`UPDATE tile SET data = (SELECT data FROM tile WHERE level = 1 AND n = 0) WHERE level = 0 AND n = 0`), 0, "tile"},
		{"an entry is added at the end", exec(`INSERT INTO entry SELECT 42, to_seq, at, kind, predicate_type, producer, service, team, environment, point, run, actor, said, retention, subjects, digest, x'03', foreign_digest, foreign_origin, foreign_seq, signer, signature, size, payload, leaf, blobs, bills FROM entry WHERE seq = 2`), 42, "does not have"},
		{"the head names another root", exec(`UPDATE log SET root = zeroblob(32)`), -1, "root"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			l := b.filled(40)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(c.name, "tile") { // a log of 42 entries has one tile, of one level
				tamper(t, b, `INSERT INTO tile SELECT epoch, 1, 0, zeroblob(length(data)) FROM tile`)
			}
			tamper(t, b, c.change...)
			l, err := b.try(func(o *ledger.Options) { o.Inspect = true })
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			r, err := l.Verify(t.Context(), ledger.VerifyOptions{Signatures: true})
			if err != nil {
				t.Fatal(err)
			}
			if verdict.AsError(r.Err()) == nil || verdict.AsError(r.Err()).Code != verdict.CodeRefused {
				t.Fatalf("not detected: %+v", r)
			}
			for _, p := range r.Problems {
				if p.Index == c.index && strings.Contains(p.What, c.says) && p.Remedy != "" {
					return
				}
			}
			t.Errorf("not located at %d as %q: %+v", c.index, c.says, r.Problems)
		})
	}
}

// prune does what the end of a retention does to an entry: the body goes, the leaf stays.
func (b *bed) prune(t *testing.T, l *ledger.Ledger, index, tombstone int64) {
	t.Helper()
	leaf, err := l.Leaf(t.Context(), index)
	if err != nil {
		t.Fatal(err)
	}
	tamper(t, b, fmt.Sprintf(`UPDATE entry SET payload = NULL, leaf = x'%x', to_seq = %d WHERE seq = %d`, leaf, tombstone, index))
}

func TestPrunedEntriesAreCountedApartAndStillProved(t *testing.T) {
	b := newBed(t)
	l := b.filled(40)
	for _, index := range []int64{5, 13, 14} { // another, a decision, an exception
		b.prune(t, l, index, 41)
	}
	r, err := l.Verify(t.Context(), ledger.VerifyOptions{Signatures: true})
	if err != nil || !r.Holds() || r.Pruned != 3 || r.Verified != 39 || r.Signatures != 39 {
		t.Errorf("%+v, %v", r, err)
	}
	_, err = l.Bundle(t.Context(), 5)
	if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeNotFound || !strings.Contains(e.What, "entry 41 says who") {
		t.Errorf("its body: %v", err)
	}
	e, err := l.Entry(t.Context(), 5)
	if err != nil || !e.Pruned || e.Tombstone != 41 {
		t.Errorf("%+v, %v", e, err)
	}
	p, err := l.Inclusion(t.Context(), 5)
	if err != nil || p.Check() != nil {
		t.Errorf("its proof: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	if x, err := l.Export(t.Context(), dir, ledger.ExportOptions{}); err != nil || x.Pruned != 3 || x.Bundles != 39 {
		t.Errorf("%+v, %v", x, err)
	}
	tamper(t, b, `UPDATE entry SET leaf = x'00' WHERE seq = 13`)
	if r, err = l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || len(r.Problems) == 0 || r.Problems[0].Index != 13 {
		t.Errorf("a leaf of a pruned entry was changed: %+v, %v", r, err)
	}
}

func TestWhatAnEpochSaysAboutTheOneBeforeIsChecked(t *testing.T) {
	for _, change := range []string{
		`UPDATE log SET previous = 'x' WHERE epoch = 2`,
		`UPDATE log SET base = base - 1 WHERE epoch = 2`,
		`UPDATE log SET size = size - 1 WHERE epoch = 1`,
		`DELETE FROM log WHERE epoch = 1`,
	} {
		b := newBed(t)
		l := b.filled(6)
		l.Close()
		b.newEpoch(t)
		l = b.open()
		b.append(l, b.other(10))
		if r, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() {
			t.Fatalf("%+v, %v", r, err)
		}
		tamper(t, b, change)
		r, err := l.Verify(t.Context(), ledger.VerifyOptions{})
		if err != nil || len(r.Problems) == 0 {
			t.Errorf("%s is not detected: %+v, %v", change, r, err)
		}
		l.Close()
	}
}

func TestAForgedStatementIsFoundByItsSignature(t *testing.T) {
	b := newBed(t)
	l := b.filled(6)
	e := ledger.Forge(t, l, b.sign(b.key, verdict.KindTestResult, map[string]any{"result": "FAILED"}, subject("a")), b.key.Public())
	b.append(l, b.other(10))
	r, err := l.Verify(t.Context(), ledger.VerifyOptions{Signatures: true})
	if err != nil || len(r.Problems) != 1 || r.Problems[0].Index != e.Index || !strings.Contains(r.Problems[0].What, "signature") {
		t.Errorf("%+v, %v", r, err)
	}
	if r.Signatures != r.Verified-1 {
		t.Errorf("%d signatures of %d entries hold", r.Signatures, r.Verified)
	}
}

func TestALogVerifiesWhileItGrows(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		l := b.filled(40)
		stop := make(chan struct{})
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					for _, x := range []*evidence.Bundle{
						b.decision("code.review", subject("a"), verdict.Allow), b.other(50),
						b.sign(b.key, verdict.KindException, verdict.Exception{ID: "x-1", Ticket: fmt.Sprint(b.serial.Add(1))}, subject("a")),
					} {
						if _, err := l.Append(t.Context(), x); err != nil {
							t.Error(err)
							return
						}
					}
					if _, _, err := l.Receipt(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range 8 {
			if r, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() {
				t.Errorf("%+v, %v", r, err)
			}
		}
		close(stop)
		wait.Wait()
	})
}
