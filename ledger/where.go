package ledger

import (
	"context"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"

	"verdict"
	"verdict/store"
)

// WhereQuery asks which artifacts list some components. Exactly one of Packages, Named
// and Licence says which. Set At to Now for what is known now.
type WhereQuery struct {
	// Packages are wanted in the versions that their Holds accepts.
	Packages []PackageQuery
	// Named wants every package whose name holds this text.
	Named string
	// Licence accepts what a bill declares of one component; an error says that it cannot
	// be told.
	Licence func(declared []string) (bool, error)
	// Counts reports whether the word of a producer counts, about a service in an
	// environment, for a kind of evidence. nil: everybody's does.
	Counts func(kind verdict.Kind, producer, service, environment string) bool
	At     Position
	// Environment wants what runs there alone; empty: wherever it runs.
	Environment string
	// Limit bounds how many artifacts that were built are listed. Those that run are all
	// listed.
	Limit int
}

// PackageQuery is one package and which of its versions are meant.
type PackageQuery struct {
	Ecosystem, Name string
	// Same accepts other spellings of the name; nil: it has none.
	Same func(name string) bool
	// Holds accepts a version of the package, by its name as bills have it; an error says
	// that it cannot be told. nil: every version.
	Holds func(name, version string) (bool, error)
}

// Where is the answer to a WhereQuery.
type Where struct {
	// Matched are the components that bills list and that are meant.
	Matched []store.Component `json:"matched"`
	// Untold are those of which it cannot be told: bills that list them may be meant.
	Untold []Untold `json:"untold"`
	// Near are the names that bills list in place of one that is asked for, which they do not
	// list: they differ from it by case alone, in an ecosystem where that makes another package.
	Near []store.Package `json:"near"`
	// Running are artifacts that run and list a component that is meant, or that may be.
	Running []RunsWith `json:"running"`
	// Elsewhere is how many artifacts list one and run in other environments than the one that
	// was asked about.
	Elsewhere int `json:"elsewhere"`
	// Built are artifacts that list one and do not run, the last bill first; Bills is how
	// many bills, those of running artifacts included, list one.
	Built      []BuiltWith `json:"built"`
	NotRunning int         `json:"not_running"` // how many Built are when nothing is left out
	Bills      int         `json:"bills"`
	// Undeclared is how many components of all bills declare no licence; of a question
	// about one.
	Undeclared int `json:"undeclared"`
	// Aside is how many bills list one whose producer does not count.
	Aside    int      `json:"aside"`
	Searched Searched `json:"searched"`
}

// Within leaves out what runs where somebody may not see it.
func (w *Where) Within(sees func(service, environment string) bool) {
	w.Running = slices.DeleteFunc(w.Running, func(r RunsWith) bool { return !sees(r.Service, r.Environment) })
	for _, list := range []*[]RunningRow{&w.Searched.Unnamed, &w.Searched.Unread} {
		*list = slices.DeleteFunc(*list, func(r RunningRow) bool { return !sees(r.Service, r.Environment) })
	}
}

// Searched is what an answer rests on, and what nothing is known of.
type Searched struct {
	Bills   int `json:"bills"`   // that hold
	Running int `json:"running"` // artifacts in environments
	// The next are those of Running that nothing, or not all, is known of: an empty answer
	// says nothing about them.
	WithoutBill int `json:"running_without_bill"`
	Partly      int `json:"running_with_platforms_without_bill"` // an index, of some of whose platforms nothing is known
	Incomplete  int `json:"running_with_incomplete_bill"`        // the bill says so, or does not say that it is whole
	Unreadable  int `json:"running_with_unreadable_bill"`
	Nameless    int `json:"running_with_unknown_components"` // components whose package or ecosystem is not known
	// Unnamed are those of WithoutBill, and Unread those of Unreadable, the first of them.
	Unnamed []RunningRow `json:"without_bill"`
	Unread  []RunningRow `json:"with_unreadable_bill"`
}

// Untold is a component of which it cannot be told whether it is meant, and why.
type Untold struct {
	store.Component
	Why string `json:"why"`
}

// RunsWith is an artifact in an environment.
type RunsWith struct {
	RunningRow
	Bill int64 `json:"bill"` // the index of the last bill that lists any of them
	// Through are the manifests of an index whose bills list any of them.
	Through    []verdict.Digest  `json:"through"`
	Components []store.Component `json:"components"`
	Untold     bool              `json:"untold"` // of its components, only such that cannot be told are among them
}

// BuiltWith is a bill of artifacts that are not stated to run.
type BuiltWith struct {
	Bill       Entry             `json:"bill"`
	Components []store.Component `json:"components"`
	Untold     bool              `json:"untold"`
}

// maxUnnamed is how many running artifacts are named of which nothing is known.
const maxUnnamed = 20

// Where answers from the index of components, in one state of the ledger. What runs is
// exact at every position, and so is which bills held then.
func (l *Ledger) Where(ctx context.Context, q WhereQuery) (*Where, error) {
	w := &Where{Matched: []store.Component{}, Untold: []Untold{}, Running: []RunsWith{}, Built: []BuiltWith{}}
	err := l.view(ctx, func(v *store.View, _ store.Head) error {
		x := &search{v: v, q: q, at: q.At.upTo(), out: w, meant: map[int64]store.Component{}, untold: map[int64]bool{}}
		return x.run(ctx, l)
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// search is one question at work.
type search struct {
	v      *store.View
	q      WhereQuery
	at     int64
	out    *Where
	meant  map[int64]store.Component // by id, with those that cannot be told
	untold map[int64]bool
	aside  map[int64]bool  // sources of bills that do not count
	with   *roaring.Bitmap // bills that list any of them, hold and count
}

func (x *search) run(ctx context.Context, l *Ledger) error {
	if err := x.components(ctx); err != nil {
		return err
	}
	state, err := l.runningAt(ctx, x.v, x.at)
	if err != nil {
		return err
	}
	if err := x.bills(ctx, state.sources); err != nil {
		return err
	}
	if err := x.running(ctx, state); err != nil {
		return err
	}
	return x.built(ctx)
}

// components finds which components are meant.
func (x *search) components(ctx context.Context) error {
	var err error
	switch {
	case x.q.Licence != nil:
		err = x.licensed(ctx)
	case x.q.Named != "":
		err = x.named(ctx)
	default:
		err = x.packages(ctx)
	}
	slices.SortFunc(x.out.Matched, store.Component.Compare)
	slices.SortFunc(x.out.Untold, func(a, b Untold) int { return a.Compare(b.Component) })
	return err
}

// packages finds the packages of the query by their names, and looks through all where a
// name may be spelled in several ways.
func (x *search) packages(ctx context.Context) error {
	type one struct {
		store.Package
		holds func(name, version string) (bool, error)
	}
	var found []one
	var absent []PackageQuery
	several := map[string][]PackageQuery{}
	for _, p := range x.q.Packages {
		if p.Same != nil {
			several[p.Ecosystem] = append(several[p.Ecosystem], p)
			continue
		}
		id, there, err := x.v.PackageID(ctx, p.Ecosystem, p.Name)
		if err != nil {
			return err
		}
		if there {
			found = append(found, one{store.Package{ID: id, Ecosystem: p.Ecosystem, Name: p.Name}, p.Holds})
		} else {
			absent = append(absent, p)
		}
	}
	if len(x.q.Packages) == 1 && len(absent) == 1 {
		if err := x.near(ctx, absent[0]); err != nil {
			return err
		}
	}
	if len(several) > 0 {
		err := x.v.EachPackage(ctx, func(s store.Package) error {
			for _, p := range several[s.Ecosystem] {
				if p.Same(s.Name) {
					found = append(found, one{s, p.Holds})
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, p := range found {
		if err := x.versions(ctx, p.Package, p.holds); err != nil {
			return err
		}
	}
	return nil
}

// near finds how bills write a name that none of them lists as it is asked for.
func (x *search) near(ctx context.Context, p PackageQuery) error {
	err := x.v.EachPackage(ctx, func(s store.Package) error {
		if s.Ecosystem == p.Ecosystem && strings.EqualFold(s.Name, p.Name) {
			x.out.Near = append(x.out.Near, s)
		}
		return nil
	})
	slices.SortFunc(x.out.Near, func(a, b store.Package) int { return strings.Compare(a.Name, b.Name) })
	return err
}

func (x *search) versions(ctx context.Context, p store.Package, holds func(name, version string) (bool, error)) error {
	versions, err := x.v.Versions(ctx, p.ID)
	for _, r := range versions {
		yes, bad := true, error(nil)
		if holds != nil {
			yes, bad = holds(p.Name, r.Version)
		}
		x.take(r.ID, store.Component{Ecosystem: p.Ecosystem, Name: p.Name, Version: r.Version, Licence: r.Licence}, yes, bad)
	}
	return err
}

// take notes a component that is meant, or of which that cannot be told.
func (x *search) take(id int64, c store.Component, yes bool, why error) {
	if _, twice := x.meant[id]; twice && !x.untold[id] {
		return
	}
	switch {
	case yes:
		delete(x.untold, id)
		x.out.Matched = append(x.out.Matched, c)
	case why != nil:
		x.untold[id] = true
		x.out.Untold = append(x.out.Untold, Untold{c, why.Error()})
	default:
		return
	}
	x.meant[id] = c
}

func (x *search) named(ctx context.Context) error {
	var found []store.Package
	want := strings.ToLower(x.q.Named)
	err := x.v.EachPackage(ctx, func(p store.Package) error {
		if strings.Contains(strings.ToLower(p.Name), want) {
			found = append(found, p)
		}
		return nil
	})
	for _, p := range found {
		if err == nil {
			err = x.versions(ctx, p, nil)
		}
	}
	return err
}

func (x *search) licensed(ctx context.Context) error {
	type told struct {
		yes bool
		why error
	}
	judged := map[string]told{} // many components state the same
	return x.v.EachComponent(ctx, func(id int64, c store.Component) error {
		if c.Licence == "" {
			x.out.Undeclared++
			return nil
		}
		j, known := judged[c.Licence]
		if !known {
			j.yes, j.why = x.q.Licence(strings.Split(c.Licence, "\n"))
			judged[c.Licence] = j
		}
		x.take(id, c, j.yes, j.why)
		return nil
	})
}

// bills finds the bills that list them, and takes away those that do not hold or count.
func (x *search) bills(ctx context.Context, sources map[int64]store.BillSource) error {
	ids := make([]int64, 0, len(x.meant))
	for id := range x.meant {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var err error
	if x.with, err = x.v.BillsWith(ctx, ids); err != nil {
		return err
	}
	hold, err := x.v.AllBills(ctx)
	if err != nil {
		return err
	}
	if err := x.v.NotStanding(ctx, x.at, func(n int64) { hold.Remove(uint32(n)) }); err != nil {
		return err
	}
	x.with.And(hold)
	aside := roaring.New()
	x.aside = map[int64]bool{}
	if x.q.Counts != nil {
		for id, s := range sources {
			if x.q.Counts(verdict.KindSBOM, s.Producer, s.Service, s.Environment) {
				continue
			}
			x.aside[id] = true
			if err := x.v.EachOfSource(ctx, id, func(n int64) { aside.Add(uint32(n)) }); err != nil {
				return err
			}
		}
	}
	x.out.Aside = int(roaring.And(x.with, aside).GetCardinality())
	x.with.AndNot(aside)
	hold.AndNot(aside)
	x.out.Bills, x.out.Searched.Bills = int(x.with.GetCardinality()), int(hold.GetCardinality())
	return nil
}

// listed gives which of the meant components a bill lists.
func (x *search) listed(b store.Bill) (all []store.Component, untold bool) {
	untold = true
	for _, id := range b.IDs {
		if c, ok := x.meant[id]; ok {
			all = append(all, c)
			untold = untold && x.untold[id]
		}
	}
	slices.SortFunc(all, store.Component.Compare)
	return all, untold && len(all) > 0
}

// running lists what runs, and counts what nothing is known of.
func (x *search) running(ctx context.Context, state *runningState) error {
	seen := &x.out.Searched
	seen.Unnamed, seen.Unread = []RunningRow{}, []RunningRow{}
	var numbers []int64
	hits := map[int64][]*RunsWith{} // by the number of a bill
	var found []*RunsWith
	for _, r := range state.all {
		here := x.q.Environment == "" || r.row.Environment == x.q.Environment
		if here {
			seen.Running++ // whoever states it: what runs by the word of nobody in particular runs all the same
		}
		bills := x.counting(r.bills)
		var parts []knowledge
		through := map[int64]verdict.Digest{}
		for _, d := range whose(r.names, x.q.Counts) {
			of := x.counting(state.billed[d])
			parts = append(parts, knowledgeOf(of))
			for _, b := range of {
				if !slices.ContainsFunc(bills, func(o store.RunningBill) bool { return o.Number == b.Number }) {
					bills, through[b.Number] = append(slices.Clip(bills), b), verdict.Digest(d)
				}
			}
		}
		if !here {
			x.elsewhere(bills, &numbers)
			continue
		}
		x.know(r.row, knowledgeOf(bills[:len(bills)-len(through)]), parts)
		var hit *RunsWith
		for _, b := range bills {
			if !x.with.Contains(uint32(b.Number)) {
				continue
			}
			if hit == nil {
				hit = &RunsWith{RunningRow: r.row, Bill: -1, Untold: true}
				found = append(found, hit)
			}
			if d := through[b.Number]; d != "" && !slices.Contains(hit.Through, d) {
				hit.Through = append(hit.Through, d)
			}
			numbers = append(numbers, b.Number)
			hits[b.Number] = append(hits[b.Number], hit)
		}
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	err := x.v.Bills(ctx, numbers, func(b store.Bill) error {
		list, untold := x.listed(b)
		for _, r := range hits[b.Number] {
			r.Bill, r.Untold = max(r.Bill, b.From), r.Untold && untold
			r.Components = append(r.Components, list...)
		}
		return nil
	})
	for _, n := range numbers {
		x.with.Remove(uint32(n))
	}
	for _, r := range found {
		slices.SortFunc(r.Components, store.Component.Compare)
		r.Components = slices.Compact(r.Components)
		x.out.Running = append(x.out.Running, *r)
	}
	slices.SortFunc(x.out.Running, func(a, b RunsWith) int { return compareRunning(a.RunningRow, b.RunningRow) })
	return err
}

// elsewhere counts an artifact that runs where nobody asked about, and takes its bills from
// those that were only built.
func (x *search) elsewhere(bills []store.RunningBill, numbers *[]int64) {
	has := false
	for _, b := range bills {
		if x.with.Contains(uint32(b.Number)) {
			*numbers, has = append(*numbers, b.Number), true
		}
	}
	if has {
		x.out.Elsewhere++
	}
}

// counting leaves out bills whose producers do not count.
func (x *search) counting(bills []store.RunningBill) []store.RunningBill {
	if len(x.aside) == 0 {
		return bills
	}
	return slices.DeleteFunc(slices.Clone(bills), func(b store.RunningBill) bool { return x.aside[b.Source] })
}

// know counts what an artifact's bills leave open. Of an index without a bill of its own,
// those of its manifests say it.
func (x *search) know(r RunningRow, k knowledge, parts []knowledge) {
	seen := &x.out.Searched
	partly := false
	if k.none && len(parts) > 0 {
		k, partly = together(parts)
	}
	if partly {
		seen.Partly++
	}
	if k.nameless {
		seen.Nameless++
	}
	switch {
	case k.none:
		if seen.WithoutBill++; len(seen.Unnamed) < maxUnnamed {
			seen.Unnamed = append(seen.Unnamed, r)
		}
	case k.unreadable:
		if seen.Unreadable++; len(seen.Unread) < maxUnnamed {
			seen.Unread = append(seen.Unread, r)
		}
	case k.incomplete:
		seen.Incomplete++
	}
}

// built lists bills of what does not run, the last first.
func (x *search) built(ctx context.Context) error {
	x.out.NotRunning = int(x.with.GetCardinality())
	var numbers []int64
	for it := x.with.ReverseIterator(); it.HasNext() && len(numbers) < x.q.Limit; {
		numbers = append(numbers, int64(it.Next()))
	}
	err := x.v.Bills(ctx, numbers, func(b store.Bill) error {
		list, untold := x.listed(b)
		x.out.Built = append(x.out.Built, BuiltWith{Bill: Entry{Index: b.From}, Components: list, Untold: untold})
		return nil
	})
	for i := range x.out.Built {
		if err != nil {
			return err
		}
		b := &x.out.Built[i]
		var row store.Entry
		if row, _, err = x.v.Entry(ctx, b.Bill.Index); err == nil {
			b.Bill, err = entryOf(row)
		}
	}
	slices.SortFunc(x.out.Built, func(a, b BuiltWith) int { return int(b.Bill.Index - a.Bill.Index) })
	return err
}
