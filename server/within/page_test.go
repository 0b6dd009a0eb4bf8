package within

import (
	"errors"
	"testing"

	"verdict"
	"verdict/identity"
	"verdict/ledger"
)

// log is a list of n rows, n-1 the first, of which somebody sees each every-th; reads counts what
// is read for it.
type log struct {
	Ledger
	n, every    int64
	reads, rows int
}

func (x *log) list() list[int64] {
	return downwards(&x.Ledger, 0, func(i int64) int64 { return i }, func(i int64) bool { return i%x.every == 0 }, func(before int64, n int) ([]int64, error) {
		x.reads++
		if before == 0 {
			before = x.n
		}
		rows := []int64{}
		for i := before - 1; i >= 0 && len(rows) < n; i-- {
			rows = append(rows, i)
		}
		x.rows += len(rows)
		return rows, nil
	})
}

// Who sees little of a log of a million rows would else have each request of his go through all
// of it.
func TestAPageLooksAtSoManyRowsAndSaysWhereItGoesOn(t *testing.T) {
	passed := 0
	x := &log{n: 1_000_000, every: 500_000}
	x.Passed = func(rows int) { passed += rows }
	var got []int64
	pages, at := 0, int64(0)
	for {
		x.reads, x.rows = 0, 0
		p, err := x.list().page(at, 1)
		if err != nil {
			t.Fatal(err)
		}
		if x.rows > maxLooked+stride || x.reads > maxLooked/stride+2 {
			t.Fatalf("one page read %d rows in %d reads", x.rows, x.reads)
		}
		got = append(got, p.Rows...)
		pages++
		if at = p.Next; at == 0 {
			break
		}
	}
	if len(got) != 2 || got[0] != 500_000 || got[1] != 0 || passed != 1_000_000-2 {
		t.Errorf("%d pages give %v, and %d rows passed", pages, got, passed)
	}
}

// A page that ends with the list would else be followed by an empty one.
func TestEachRowIsInOnePage(t *testing.T) {
	for _, limit := range []int{1, 2, 3, 7, 100, 10_000} {
		for _, n := range []int64{0, 1, 6, 7, 100, 2_500} {
			x := &log{n: n, every: 3}
			var got []int64
			for at, pages := int64(0), 0; ; pages++ {
				p, err := x.list().page(at, limit)
				if err != nil || len(p.Rows) > limit {
					t.Fatal(len(p.Rows), err)
				}
				got = append(got, p.Rows...)
				if at = p.Next; at == 0 {
					break
				}
				if pages > int(n) {
					t.Fatalf("pages of %d of %d rows have no end", limit, n)
				}
			}
			want := (n + 2) / 3
			for i, r := range got {
				if r != (want-1-int64(i))*3 {
					t.Errorf("pages of %d of %d rows: %v", limit, n, got)
					break
				}
			}
			if int64(len(got)) != want {
				t.Errorf("pages of %d of %d rows hold %d, not %d", limit, n, len(got), want)
			}
			if whole, err := x.list().whole(10_000); err != nil || int64(len(whole)) != want {
				t.Errorf("at once %d, %v", len(whole), err)
			}
		}
	}
}

// A question that would go through the whole log ends, and says why: no answer would read as none.
func TestAQuestionThatPassesTooMuchSaysSo(t *testing.T) {
	x := &log{n: 1_000_000, every: 1 << 40}
	rows, err := x.list().whole(1)
	var e *verdict.Error
	if !errors.As(err, &e) || e.Code != verdict.CodeLimit || e.Remedy == "" || rows != nil || x.rows > maxSkipped+maxLooked+stride {
		t.Errorf("%v, %v, after %d rows", rows, err, x.rows)
	}
	if _, err := x.list().whole(1); err == nil || x.rows > maxSkipped+2*(maxLooked+stride) {
		t.Errorf("the second question of one request begins again: %v, %d rows", err, x.rows)
	}
}

// Who is not signed in sees nothing, not even what everybody is judged by.
func TestNobodyIsEverywhere(t *testing.T) {
	x, err := Whose(nil).Ledger(t.Context(), nil, identity.Caller{})
	if err != nil || x.all || x.sees(ledger.Entry{Kind: verdict.KindKey}) || x.seesOf("", "", "") {
		t.Errorf("%+v, %v", x, err)
	}
}
