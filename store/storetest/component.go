package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"

	"verdict/store"
)

// lodash and the others are what the bills of the suite list.
var (
	lodash20 = store.Component{Ecosystem: "npm", Name: "lodash", Version: "4.17.20", Licence: "MIT"}
	lodash21 = store.Component{Ecosystem: "npm", Name: "lodash", Version: "4.17.21", Licence: "MIT"}
	relicted = store.Component{Ecosystem: "npm", Name: "lodash", Version: "4.17.21", Licence: "GPL-3.0-only"}
	yaml     = store.Component{Ecosystem: "Go", Name: "lodash", Version: "v1.0.0"}
)

func bill(from int64, about string, all ...store.Component) store.Bill {
	return store.Bill{
		From: from, To: store.Open, About: []byte(about), Source: store.BillSource{Producer: "p", Service: about[:1]}, Inventory: "complete",
		Listed: int64(len(all)), Nameless: from, Components: all,
	}
}

// shipped writes six entries: bills about a, b and again a, and what runs.
func shipped(t testing.TB, s *store.Store) {
	begun(t, s)
	var entries []store.Entry
	var subjects []store.Subject
	for i, digest := range []string{"sha256:a", "sha256:b", "sha256:c", "sha256:a", "", ""} {
		entries = append(entries, entry(int64(i), func(e *store.Entry) { e.Kind = map[bool]string{true: "sbom", false: "deployment"}[digest != ""] }))
		if digest != "" {
			subjects = append(subjects, store.Subject{Digest: digest, From: int64(i), To: store.Open, Kind: "sbom"})
		}
	}
	subjects = append(subjects, store.Subject{Digest: "sha256:x", From: 5, To: store.Open, Kind: "image"})
	run := func(from int64, name, digest string) store.Run {
		return store.Run{Running: store.Running{From: from, To: store.Open, Environment: "prod", Service: "shop", Name: name, Digest: digest, Decision: "d", At: 9}}
	}
	write(t, s, 0, store.Batch{Entries: entries, Subjects: subjects, Runs: []store.Run{run(4, "api", "sha256:a"), run(5, "old", "sha256:x")}, Bills: []store.Bill{
		bill(0, "a", lodash20, yaml), bill(1, "b", lodash21), bill(2, "c", relicted), bill(3, "a", lodash21),
	}})
}

// components asks the index everything before and after it is folded: both must say the
// same, or what runs with a component would depend on when it was asked.
func components(t *testing.T, s, other *store.Store) {
	shipped(t, s)
	if done, err := s.Fold(t.Context(), 5); done || err != nil {
		t.Errorf("four bills were folded, and five were asked for: %v", err)
	}
	askComponents(t, s, 0)
	done, err := s.Fold(t.Context(), 1)
	if !done || err != nil {
		t.Fatalf("not folded: %v", err)
	}
	askComponents(t, s, 4)
	write(t, s, 6, store.Batch{Entries: []store.Entry{entry(6, nil)}, Bills: []store.Bill{bill(6, "d", lodash20)}})
	must(t, s.View(t.Context(), func(v *store.View) error {
		expect(t, "with a bill that is not folded", nil, with(t, v, lodash20), []int64{0, 4})
		return nil
	}))
	many(t, other)
}

// many lists more than one statement takes, of which some have ids and some have not, in a
// process that remembers none of them: an id that is given twice would part a package from
// the bills that list it.
func many(t *testing.T, s *store.Store) {
	all := []store.Component{lodash20, relicted, yaml}
	for i := range 40 {
		all = append(all, store.Component{Ecosystem: "npm", Name: "lodash", Version: fmt.Sprint("5.0.", i)}, store.Component{Ecosystem: "npm", Name: fmt.Sprint("new-", i), Version: "1"})
	}
	write(t, s, 7, store.Batch{Entries: []store.Entry{entry(7, nil)}, Bills: []store.Bill{bill(7, "e", all...)}})
	must(t, s.View(t.Context(), func(v *store.View) error {
		for _, c := range all {
			found := with(t, v, c)
			expect(t, fmt.Sprint("many: ", c), nil, found[len(found)-1], int64(5))
		}
		expect(t, "what more bills list", nil, with(t, v, lodash20), []int64{0, 4, 5})
		names := map[string]int{}
		must(t, v.EachPackage(t.Context(), func(p store.Package) error { names[p.Ecosystem+" "+p.Name]++; return nil }))
		expect(t, "packages, each once", nil, len(names) == 42 && names["npm lodash"] == 1, true)
		return nil
	}))
}

func askComponents(t *testing.T, s *store.Store, folded int64) {
	ctx := t.Context()
	must(t, s.View(ctx, func(v *store.View) error {
		for c, want := range map[store.Component][]int64{lodash20: {0}, lodash21: {1, 3}, relicted: {2}, yaml: {0}} {
			expect(t, fmt.Sprint(c), nil, with(t, v, c), want)
		}
		expect(t, "any of two", nil, with(t, v, lodash20, lodash21), []int64{0, 1, 3})
		expect(t, "none", nil, with(t, v), []int64{})
		_, found, err := v.PackageID(ctx, "npm", "left-pad")
		expect(t, "a package that no bill lists", err, found, false)
		seen := map[int64]int{}
		must(t, v.EachSegment(ctx, func(c int64, b *roaring.Bitmap) error { seen[c] += int(b.GetCardinality()); return nil }))
		n, _, err := v.Folded(ctx)
		expect(t, "folded", err, n, folded)
		if folded > 0 {
			expect(t, "bitmaps", nil, seen, map[int64]int{1: 1, 2: 1, 3: 2, 4: 1})
		}
		var packages []string
		must(t, v.EachPackage(ctx, func(p store.Package) error { packages = append(packages, p.Ecosystem+" "+p.Name); return nil }))
		slices.Sort(packages)
		expect(t, "packages", nil, packages, []string{"Go lodash", "npm lodash"})
		askBills(t, v)
		return nil
	}))
}

// ids finds components as a question does: by their package.
func ids(t testing.TB, v *store.View, all ...store.Component) []int64 {
	t.Helper()
	out := []int64{}
	for _, c := range all {
		p, _, err := v.PackageID(t.Context(), c.Ecosystem, c.Name)
		must(t, err)
		versions, err := v.Versions(t.Context(), p)
		must(t, err)
		for _, x := range versions {
			if x.Version == c.Version && x.Licence == c.Licence {
				out = append(out, x.ID)
			}
		}
	}
	return out
}

func with(t testing.TB, v *store.View, all ...store.Component) []int64 {
	t.Helper()
	set, err := v.BillsWith(t.Context(), ids(t, v, all...))
	must(t, err)
	out := []int64{}
	for _, n := range set.ToArray() {
		out = append(out, int64(n))
	}
	return out
}

func askBills(t *testing.T, v *store.View) {
	ctx := t.Context()
	gone := func(at int64) []int64 {
		out := []int64{}
		must(t, v.NotStanding(ctx, at, func(n int64) { out = append(out, n) }))
		slices.Sort(out)
		return out
	}
	expect(t, "ended", nil, gone(store.Open), []int64{0})
	expect(t, "not there at 2, or ended", nil, gone(2), []int64{2, 3})
	of, err := v.BillsOf(ctx, "sha256:a", store.Open)
	expect(t, "bills of a", err, len(of), 1)
	expect(t, "the newer one", nil, fmt.Sprint(of[0].Number, of[0].Listed, of[0].Nameless, of[0].Inventory, of[0].Source), fmt.Sprint(3, 1, 3, "complete", store.BillSource{Producer: "p", Service: "a"}))
	of, err = v.BillsOf(ctx, "sha256:a", 3)
	expect(t, "bills of a at 3", err, fmt.Sprint(len(of), of[0].Number, len(of[0].IDs)), "1 0 2")
	b, found, err := v.BillOf(ctx, 1)
	expect(t, "the bill of an entry", err, fmt.Sprint(found, b.Number, b.To == store.Open), "true 1 true")
	_, found, err = v.BillOf(ctx, 5)
	expect(t, "no bill of an entry", err, found, false)
	next, found, err := v.NextBill(ctx, store.Bill{From: 0, About: []byte("a")})
	expect(t, "next", err, fmt.Sprint(next, found), "3 true")
	sources, err := v.BillSources(ctx)
	expect(t, "sources", err, len(sources), 3)
	total := 0
	for id := range sources {
		must(t, v.EachOfSource(ctx, id, func(int64) { total++ }))
	}
	expect(t, "bills of all sources", nil, total, 4)
	var some []int64
	must(t, v.Bills(ctx, []int64{3, 1}, func(b store.Bill) error { some = append(some, b.From); return nil }))
	slices.Sort(some)
	expect(t, "by number", nil, some, []int64{1, 3})
	words := map[store.Component]bool{}
	must(t, v.Components(ctx, of[0].IDs, func(_ int64, c store.Component) error { words[c] = true; return nil }))
	expect(t, "components", nil, words, map[store.Component]bool{lodash20: true, yaml: true})
	clear(words)
	must(t, v.EachComponent(ctx, func(_ int64, c store.Component) error { words[c] = true; return nil }))
	expect(t, "all components", nil, len(words), 4)
	var between []int64
	must(t, v.EachProjectionBetween(ctx, 1, 3, store.Projections{Bill: func(b store.Bill) error { between = append(between, b.From); return nil }}))
	slices.Sort(between)
	expect(t, "between", nil, between, []int64{1, 2})
	mark, err := v.RunningMark(ctx)
	expect(t, "mark", err, mark, store.RunningMark{Began: 5, Ended: -1, Bills: 3, Images: -1})
	all, err := v.AllBills(ctx)
	expect(t, "all bills", err, all.GetCardinality(), 4)
	var runs []string
	for _, at := range []int64{store.Open, 5} {
		must(t, v.EachRunning(ctx, at, func(r store.RunningBill) error {
			runs = append(runs, fmt.Sprint(r.Name, r.Digest, r.Decision, r.At, r.From, r.Number, r.Inventory, r.Nameless))
			return nil
		}))
	}
	// a has two bills, of which one was replaced: it comes once more, without that one.
	slices.Sort(runs)
	runs = slices.Compact(runs)
	askImages(t, v)
	expect(t, "what runs, and its bills", nil, runs, []string{"apisha256:ad9 4 -10", "apisha256:ad9 4 3complete3", "oldsha256:xd9 5 -10"})
}

// askImages asks what was recorded of the images that run, and for the bills of digests.
func askImages(t *testing.T, v *store.View) {
	ctx := t.Context()
	images := 0
	for _, at := range []int64{store.Open, 5} {
		must(t, v.EachRunningImage(ctx, at, func(from int64, i store.ImageOf) error {
			images++
			expect(t, "image of what runs", nil, fmt.Sprint(from, i.Foreign), "5 false")
			return nil
		}))
		must(t, v.EachImageOf(ctx, "sha256:x", at, func(store.ImageOf) error { images++; return nil }))
	}
	expect(t, "images", nil, images, 2)
	var bills []string
	must(t, v.EachBillOf(ctx, []string{"sha256:a", "sha256:c", "sha256:x"}, store.Open, func(b store.RunningBill) error {
		bills = append(bills, fmt.Sprint(b.Digest, b.Number, b.Inventory))
		return nil
	}))
	must(t, v.EachBillOf(ctx, []string{"sha256:a"}, 3, func(b store.RunningBill) error { bills = append(bills, fmt.Sprint("then ", b.Number)); return nil }))
	slices.Sort(bills)
	expect(t, "bills of digests", nil, bills, []string{"sha256:a3complete", "sha256:c2complete", "then 0"})
}

// listed records SBOMs as the version before did, one between two that were indexed.
func listed(t *testing.T, s *store.Store) {
	begun(t, s)
	sbom := func(seq, bills int64) store.Entry {
		return entry(seq, func(e *store.Entry) { e.Kind, e.Bills = "sbom", bills })
	}
	write(t, s, 0, store.Batch{Entries: []store.Entry{sbom(0, 1), sbom(1, -1), sbom(2, 1), sbom(3, -1), entry(4, func(e *store.Entry) { e.Bills = -1 })},
		Bills: []store.Bill{bill(0, "a", lodash20), bill(2, "a", lodash21)}})
	read := 0
	plan := func(entries []store.Entry) ([]store.Listed, error) {
		out := []store.Listed{}
		for _, e := range entries {
			read++
			l := store.Listed{Seq: e.Seq}
			if e.Seq == 1 {
				b := bill(1, "a", yaml)
				l.Bill = &b
			}
			out = append(out, l)
		}
		return out, nil
	}
	must(t, s.View(t.Context(), func(v *store.View) error {
		some, err := v.Unlisted(t.Context())
		expect(t, "some are not listed", err, some, true)
		return nil
	}))
	for _, want := range []int{1, 1, 0} {
		n, err := s.ListBills(t.Context(), 1, plan)
		expect(t, "to list", err, n, want)
	}
	expect(t, "read", nil, read, 2)
	must(t, s.View(t.Context(), func(v *store.View) error {
		var ends []int64
		for seq := range int64(3) {
			b, _, err := v.BillOf(t.Context(), seq)
			must(t, err)
			ends = append(ends, b.To)
		}
		expect(t, "each ends where the next begins", nil, ends, []int64{1, 2, store.Open})
		expect(t, "the late one is found", nil, with(t, v, yaml), []int64{2})
		return nil
	}))
}
