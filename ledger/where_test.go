package ledger_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/store"
)

// billOf is a bill of materials about an artifact.
func (b *bed) billOf(name, aggregate string, purls ...string) *evidence.Bundle {
	return b.signedBill(b.key, name, aggregate, purls...)
}

func (b *bed) signedBill(key *evidence.KeyFile, name, aggregate string, purls ...string) *evidence.Bundle {
	return b.sign(key, verdict.KindSBOM, billText(aggregate, purls...), subject(name))
}

func billText(aggregate string, purls ...string) json.RawMessage {
	var list []string
	for _, p := range purls {
		p, licence, _ := strings.Cut(p, " ")
		c := fmt.Sprintf(`{"type":"library","name":"x","purl":%q`, p)
		if licence != "" {
			c += fmt.Sprintf(`,"licenses":[{"license":{"id":%q}}]`, licence)
		}
		list = append(list, c+"}")
	}
	text := fmt.Sprintf(`{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{"type":"application","name":"a","bom-ref":"a"}},"components":[%s],"compositions":[{"aggregate":%q,"assemblies":["a"]}]}`, strings.Join(list, ","), aggregate)
	return json.RawMessage(text)
}

// shipped is a ledger of four artifacts, of which three run: a lists a package, b an
// unknown one in an unfinished bill, and c has no bill. a had another bill before.
func (b *bed) shipped() *ledger.Ledger {
	l := b.begun()
	b.append(l, b.billOf("a", "complete", "pkg:npm/lodash@4.17.20 MIT", "pkg:npm/left-pad@1.3.0 WTFPL"))                         // 1
	b.append(l, b.billOf("b", "incomplete", "pkg:deb/debian/openssl@3.0.1", "pkg:golang/golang.org/x/net@v0.30.0 BSD-3-Clause")) // 2
	b.append(l, b.billOf("d", "complete", "pkg:npm/lodash@4.17.19 MIT"))                                                         // 3
	for _, name := range []string{"a", "b", "c"} {                                                                               // 4, 5, 6
		b.append(l, b.state(stated{environment: "prod", service: "shop-" + name, digest: name, decision: "d-" + name}))
	}
	b.append(l, b.billOf("a", "complete", "pkg:npm/lodash@4.17.21 MIT")) // 7
	return l
}

// lodash asks for versions below 4.17.<below>, by their text.
func lodash(below string, at ledger.Position) ledger.WhereQuery {
	return ledger.WhereQuery{At: at, Limit: 10, Packages: []ledger.PackageQuery{{Ecosystem: "npm", Name: "lodash", Holds: func(_, v string) (bool, error) {
		return v < "4.17."+below, nil
	}}}}
}

// where is an answer in words that can be compared.
func where(t *testing.T, l *ledger.Ledger, q ledger.WhereQuery) string {
	t.Helper()
	w, err := l.Where(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range w.Running {
		out = append(out, fmt.Sprint("runs ", r.Service, " ", r.Components[0].Version, " by ", r.Decision))
	}
	for _, b := range w.Built {
		out = append(out, fmt.Sprint("built ", b.Bill.Index, " ", b.Components[0].Version))
	}
	s := w.Searched
	return strings.Join(append(out, fmt.Sprintf("%d of %d bills, aside %d; %d run: %d without, %d incomplete, %d nameless", w.Bills, s.Bills, w.Aside, s.Running, s.WithoutBill, s.Incomplete, s.Nameless)), "; ")
}

// Whoever asks which artifacts have a component must get those whose last bill lists it,
// at each time, and be told of what nothing is known.
func TestWhereSaysWhatRunsAndWhatWasBuiltAtEveryPosition(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		l := b.shipped()
		for _, c := range []struct {
			q    ledger.WhereQuery
			want string
		}{
			{lodash("99", ledger.Now), "runs shop-a 4.17.21 by d-a; built 3 4.17.19; 2 of 3 bills, aside 0; 3 run: 1 without, 1 incomplete, 1 nameless"},
			{lodash("21", ledger.Now), "built 3 4.17.19; 1 of 3 bills, aside 0; 3 run: 1 without, 1 incomplete, 1 nameless"},
			{lodash("21", 7), "runs shop-a 4.17.20 by d-a; built 3 4.17.19; 2 of 3 bills, aside 0; 3 run: 1 without, 1 incomplete, 1 nameless"},
			{lodash("21", 4), "built 3 4.17.19; built 1 4.17.20; 2 of 3 bills, aside 0; 0 run: 0 without, 0 incomplete, 0 nameless"},
			{lodash("21", 2), "built 1 4.17.20; 1 of 1 bills, aside 0; 0 run: 0 without, 0 incomplete, 0 nameless"},
			{ledger.WhereQuery{At: ledger.Now, Named: "OPENSSL"}, "runs shop-b 3.0.1 by d-b; 1 of 3 bills, aside 0; 3 run: 1 without, 1 incomplete, 1 nameless"},
			{ledger.WhereQuery{At: ledger.Now, Licence: func(l []string) (bool, error) { return slices.Contains(l, "BSD-3-Clause"), nil }},
				"runs shop-b v0.30.0 by d-b; 1 of 3 bills, aside 0; 3 run: 1 without, 1 incomplete, 1 nameless"},
		} {
			if got := where(t, l, c.q); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		}
		here := where(t, l, lodash("99", ledger.Now))
		q := lodash("99", ledger.Now)
		if q.Environment = "prod"; where(t, l, q) != here {
			t.Errorf("of the environment in which all of it runs, something else is told: %s", where(t, l, q))
		}
		q.Environment = "test"
		if got, want := where(t, l, q), "built 3 4.17.19; 2 of 3 bills, aside 0; 0 run: 0 without, 0 incomplete, 0 nameless"; got != want {
			t.Errorf("of an environment in which nothing runs\ngot  %s\nwant %s", got, want)
		}
		if w, err := l.Where(t.Context(), q); err != nil || w.Elsewhere != 1 {
			t.Errorf("what runs elsewhere is not counted: %+v, %v", w, err)
		}
		if r, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() {
			t.Errorf("%+v, %v", r.Problems, err)
		}
	})
}

// A version that cannot be ordered may be the one that is asked for: it is told apart, and
// its artifact is listed.
func TestWhatCannotBeToldIsNotTakenForUnaffected(t *testing.T) {
	b := newBed(t)
	l := b.shipped()
	q := lodash("", ledger.Now)
	q.Packages[0].Holds = func(_, _ string) (bool, error) { return false, fmt.Errorf("no order") }
	w, err := l.Where(t.Context(), q)
	if err != nil || len(w.Matched) != 0 || len(w.Untold) != 3 || len(w.Running) != 1 || !w.Running[0].Untold {
		t.Errorf("%+v, %v", w, err)
	}
}

// The word of a producer without the right to it neither shows a component nor hides that
// nothing is known of an artifact.
func TestBillsThatDoNotCountAreLeftAsideAndSaid(t *testing.T) {
	b := newBed(t)
	l := b.shipped()
	q := lodash("99", ledger.Now)
	q.Counts = func(k verdict.Kind, producer, service, environment string) bool { return k != verdict.KindSBOM }
	if got, want := where(t, l, q), "0 of 0 bills, aside 2; 3 run: 3 without, 0 incomplete, 0 nameless"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// An index that was edited would hide where a component runs.
func TestAnEditedIndexOfComponentsIsDetected(t *testing.T) {
	for _, c := range []struct {
		name, change string
		index        int64
		says         string
	}{
		{"a bill is removed", `DELETE FROM bill WHERE from_seq = 2`, 2, "index rows"},
		{"a bill says that it is complete", `UPDATE bill SET inventory = 'complete' WHERE from_seq = 2`, 2, "index rows"},
		{"a bill has another producer", `UPDATE bill_source SET producer = 'x'`, 2, "index rows"},
		{"a bill stands although it was replaced", `UPDATE bill SET to_seq = 9223372036854775807 WHERE from_seq = 1`, 1, "does not end"},
		{"a bill lists less", `UPDATE bill_component SET components = x'01' WHERE number = 0`, 1, "index rows"},
		{"a version is another one", `UPDATE component SET version = '9' WHERE version = '4.17.21'`, 7, "index rows"},
		{"a package is renamed", `UPDATE package SET name = 'x' WHERE name = 'lodash'`, 1, "index rows"},
		{"a bitmap is emptied", `UPDATE component_segment SET bills = (SELECT bills FROM component_segment WHERE component = 4) WHERE component = 1`, -1, "component index"},
		{"a bitmap is gone", `DELETE FROM component_segment WHERE component = 2`, -1, "component index"},
		{"a bitmap is garbage", `UPDATE component_segment SET bills = x'00' WHERE component = 2`, -1, "component index"},
		{"an SBOM is said to be none", `UPDATE entry SET bills = 0 WHERE seq = 2`, 2, "column bills"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			l := b.shipped()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			b.folded(t)
			tamper(t, b, c.change)
			l, err := b.try(func(o *ledger.Options) { o.Inspect = true })
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			r, err := l.Verify(t.Context(), ledger.VerifyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(r.Problems, func(p ledger.Problem) bool { return p.Index == c.index && strings.Contains(p.What, c.says) }) {
				t.Errorf("not located at %d as %q: %+v", c.index, c.says, r.Problems)
			}
		})
	}
}

// folded folds what was recorded, as a server does once there is enough of it.
func (b *bed) folded(t *testing.T) {
	t.Helper()
	e, err := b.engine()
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.New(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if done, err := s.Fold(t.Context(), 1); err != nil || !done {
		t.Fatalf("not folded: %v, %v", done, err)
	}
}

// What others state of an artifact's components is searched too: whether it counts, the
// map says.
func TestBillsOfOthersAreIndexedAndProved(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		other, err := evidence.CreateKey(t.TempDir() + "/other.pem")
		if err != nil {
			t.Fatal(err)
		}
		l := b.shipped()
		foreign := b.signedBill(other, "c", "complete", "pkg:npm/lodash@4.17.1")
		if _, err := l.Ingest(t.Context(), foreign, evidence.Producer{Key: other.KeyID()}, b.key, b.context()); err != nil {
			t.Fatal(err)
		}
		want := "runs shop-a 4.17.21 by d-a; runs shop-c 4.17.1 by d-c; built 3 4.17.19; 3 of 4 bills, aside 0; 3 run: 0 without, 1 incomplete, 1 nameless"
		if got := where(t, l, lodash("99", ledger.Now)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if r, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() {
			t.Errorf("%+v, %v", r.Problems, err)
		}
		tamper(t, b, `UPDATE bill SET listed = 7 WHERE from_seq = 8`)
		r, err := l.Verify(t.Context(), ledger.VerifyOptions{})
		if err != nil || len(r.Problems) != 1 || r.Problems[0].Index != 8 {
			t.Errorf("%+v, %v", r.Problems, err)
		}
	})
}

// A ledger of the version before has bills that no index knows: asked without them, it
// would say of each artifact that nothing is known.
func TestBillsOfAVersionBeforeAreIndexedWhenTheLedgerIsOpened(t *testing.T) {
	b := newBed(t)
	l := b.shipped()
	want := where(t, l, lodash("99", ledger.Now))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	tamper(t, b, `DELETE FROM bill`, `DELETE FROM bill_component`, `DELETE FROM component`, `DELETE FROM package`, `UPDATE entry SET bills = -1`)
	l, err := b.try(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := where(t, l, lodash("99", ledger.Now)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if r, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() {
		t.Errorf("%+v, %v", r.Problems, err)
	}
}
