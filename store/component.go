package store

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Component is one package in one version, under the licence that a bill states for it.
type Component struct {
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
	Version   string `json:"version"`
	Licence   string `json:"licence"`
}

// Compare orders components by their words.
func (c Component) Compare(o Component) int {
	for _, w := range [][2]string{{c.Ecosystem, o.Ecosystem}, {c.Name, o.Name}, {c.Version, o.Version}} {
		if n := strings.Compare(w[0], w[1]); n != 0 {
			return n
		}
	}
	return strings.Compare(c.Licence, o.Licence)
}

// Bill is what one statement lists of an artifact's components.
type Bill struct {
	Number           int64 // given by the store
	From, To         int64
	About            []byte // hash of its producer and artifacts
	Source           BillSource
	Inventory        string
	Listed, Nameless int64
	// Components are what to write; IDs are what was read.
	Components []Component
	IDs        []int64
}

// BillSource is who states a bill, about what.
type BillSource struct {
	Producer, Service, Environment string
}

const (
	// Index: primary keys of package, component, bill_source and bill, their last rows.
	lastIDsStatement = `SELECT COALESCE((SELECT MAX(id) FROM package), 0), COALESCE((SELECT MAX(id) FROM component), 0), COALESCE((SELECT MAX(id) FROM bill_source), 0), COALESCE((SELECT MAX(number) FROM bill), -1)`

	// Index: package_name, then component_version. The values stand between these; a join to
	// the left keeps them outside on every engine.
	componentIDsStatement = `SELECT column1, column2, column3, column4, COALESCE(package.id, 0), COALESCE(component.id, 0) FROM (VALUES `
	ofAskedComponents     = `) AS asked LEFT JOIN package ON package.name = column1 AND package.ecosystem = column2 LEFT JOIN component ON component.package = package.id AND component.version = column3 AND component.licence = column4`

	// Index: package_name.
	packageIDStatement = `SELECT id FROM package WHERE name = $1 AND ecosystem = $2`

	// Index: bill_source_producer.
	sourceIDStatement = `SELECT id FROM bill_source WHERE producer = $1 AND service = $2 AND environment = $3`

	// Index: none, inserts. The values follow.
	insertPackageStatement    = `INSERT INTO package (id, ecosystem, name) VALUES `
	insertComponentStatement  = `INSERT INTO component (id, package, version, licence) VALUES `
	insertBillSourceStatement = `INSERT INTO bill_source (id, producer, service, environment) VALUES `
	insertBillStatement       = `INSERT INTO bill (number, from_seq, to_seq, about, source, inventory, listed, nameless) VALUES `
	insertListStatement       = `INSERT INTO bill_component (number, components) VALUES `

	// Index: bill_about. Ends each bill where the next one about the same begins, also
	// where one comes late that an older version recorded.
	endBillStatement = `UPDATE bill SET to_seq = COALESCE((SELECT MIN(after.from_seq) FROM bill AS after WHERE after.about = bill.about AND after.from_seq > bill.from_seq), 9223372036854775807) WHERE about = $1`

	// Index: entry_bills, whose own condition is repeated, in its order.
	unlistedStatement = `SELECT ` + entryColumns + `, signature, payload, leaf FROM entry WHERE bills < 0 AND kind = 'sbom' ORDER BY bills, seq LIMIT $1`

	// Index: entry_bills, whose own condition is repeated.
	anyUnlistedStatement = `SELECT seq FROM entry WHERE bills < 0 AND kind = 'sbom' LIMIT 1`

	// Index: primary key of entry.
	listedStatement = `UPDATE entry SET bills = $1 WHERE seq = $2 AND bills < 0`
)

// wordIDs remembers the ids of what was committed, so that a bill that lists what others
// list asks the database for little. Ids never change.
type wordIDs struct {
	mu         sync.Mutex
	components map[Component]int64 // guarded by mu
}

// maxWordIDs bounds what is remembered, about 200 bytes each.
const maxWordIDs = 1 << 18

// find adds those of the components whose id is remembered, and gives the others.
func (w *wordIDs) find(all []Component, found map[Component]int64) (missing []Component) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range all {
		if _, ok := found[c]; ok {
			continue
		}
		if id, ok := w.components[c]; ok {
			found[c] = id
		} else {
			missing = append(missing, c)
		}
	}
	return missing
}

func (w *wordIDs) learn(found map[Component]int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.components == nil || len(w.components)+len(found) > maxWordIDs {
		w.components = map[Component]int64{}
	}
	maps.Copy(w.components, found)
}

// indexing gives what a batch of bills names its ids, under the write lock.
type indexing struct {
	v                                         *View
	known                                     *wordIDs
	lastPackage, lastComponent, lastSource, n int64
	found                                     map[Component]int64
	packages                                  map[[2]string]int64
	sources                                   map[BillSource]int64
	newPackages                               []packageRow
	newComponents                             []componentRow
	newSources                                []sourceRow
}

type packageRow struct {
	id              int64
	ecosystem, name string
}

type componentRow struct {
	id, pkg          int64
	version, licence string
}

type sourceRow struct {
	id int64
	BillSource
}

// indexBills makes the statements that write bills, and says which ids it gave or found:
// they hold once the statements are committed.
func (v *View) indexBills(ctx context.Context, bills []Bill, known *wordIDs) ([]Statement, map[Component]int64, error) {
	if len(bills) == 0 {
		return nil, nil, nil
	}
	x := &indexing{v: v, known: known, found: map[Component]int64{}, packages: map[[2]string]int64{}, sources: map[BillSource]int64{}}
	if _, err := v.one(ctx, lastIDsStatement, nil, &x.lastPackage, &x.lastComponent, &x.lastSource, &x.n); err != nil {
		return nil, nil, err
	}
	rows := make([]billRow, len(bills))
	for i, b := range bills {
		var err error
		if rows[i], err = x.bill(ctx, b); err != nil {
			return nil, nil, err
		}
	}
	var out []Statement
	out = insertAll(out, insertPackageStatement, 3, x.newPackages, func(p packageRow, a []any) []any { return append(a, p.id, p.ecosystem, p.name) })
	out = insertAll(out, insertComponentStatement, 4, x.newComponents, func(c componentRow, a []any) []any { return append(a, c.id, c.pkg, c.version, c.licence) })
	out = insertAll(out, insertBillSourceStatement, 4, x.newSources, func(s sourceRow, a []any) []any {
		return append(a, s.id, s.Producer, s.Service, s.Environment)
	})
	out = insertAll(out, insertBillStatement, 8, rows, billRow.values)
	out = insertAll(out, insertListStatement, 2, rows, func(b billRow, a []any) []any { return append(a, b.Number, packIDs(b.IDs)) })
	for _, b := range bills {
		out = append(out, Statement{SQL: endBillStatement, Args: []any{b.About}})
	}
	return out, x.found, nil
}

// billRow is a bill with the ids of what it names.
type billRow struct {
	Bill
	source int64
}

func (b billRow) values(a []any) []any {
	return append(a, b.Number, b.From, b.To, b.About, b.source, b.Inventory, b.Listed, b.Nameless)
}

// bill gives a bill its number and ids.
func (x *indexing) bill(ctx context.Context, b Bill) (billRow, error) {
	x.n++
	b.Number = x.n
	row := billRow{Bill: b}
	var err error
	if row.source, err = x.source(ctx, b.Source); err != nil {
		return row, err
	}
	if err := x.lookUp(ctx, b.Components); err != nil {
		return row, err
	}
	row.IDs = make([]int64, 0, len(b.Components))
	for _, c := range b.Components {
		row.IDs = append(row.IDs, x.component(c))
	}
	slices.Sort(row.IDs)
	row.IDs = slices.Compact(row.IDs)
	return row, nil
}

// askedAtOnce is how many components are looked up in one round trip: what a bill of
// hundreds of thousands asks for is not in memory at once.
const askedAtOnce = 4096

// lookUp finds those components that have an id, and the packages of the others.
func (x *indexing) lookUp(ctx context.Context, all []Component) error {
	for part := range slices.Chunk(x.known.find(all, x.found), askedAtOnce) {
		ask := withRows(nil, componentIDsStatement, ofAskedComponents, 4, part, func(c Component, a []any) []any { return append(a, c.Name, c.Ecosystem, c.Version, c.Licence) })
		for i := range ask {
			ask[i].Each = x.foundRow
		}
		if err := x.v.r.Run(ctx, ask...); err != nil {
			return err
		}
	}
	return nil
}

// foundRow takes the answer about one component.
func (x *indexing) foundRow(r Row) error {
	var c Component
	var pkg, id int64
	if err := r.Scan(&c.Name, &c.Ecosystem, &c.Version, &c.Licence, &pkg, &id); err != nil {
		return err
	}
	if pkg != 0 {
		x.packages[[2]string{c.Ecosystem, c.Name}] = pkg
	}
	if id != 0 {
		x.found[c] = id
	}
	return nil
}

// component gives an id to a component that lookUp did not find.
func (x *indexing) component(c Component) int64 {
	if id, ok := x.found[c]; ok {
		return id
	}
	key := [2]string{c.Ecosystem, c.Name}
	pkg, ok := x.packages[key]
	if !ok {
		x.lastPackage++
		pkg = x.lastPackage
		x.newPackages = append(x.newPackages, packageRow{pkg, c.Ecosystem, c.Name})
		x.packages[key] = pkg
	}
	x.lastComponent++
	x.found[c] = x.lastComponent
	x.newComponents = append(x.newComponents, componentRow{x.lastComponent, pkg, c.Version, c.Licence})
	return x.lastComponent
}

func (x *indexing) source(ctx context.Context, s BillSource) (int64, error) {
	id, ok := x.sources[s]
	if ok {
		return id, nil
	}
	found, err := x.v.one(ctx, sourceIDStatement, []any{s.Producer, s.Service, s.Environment}, &id)
	if err != nil {
		return 0, err
	}
	if !found {
		x.lastSource++
		id = x.lastSource
		x.newSources = append(x.newSources, sourceRow{id, s})
	}
	x.sources[s] = id
	return id, nil
}

// Listed is what the statement of an entry lists, found out later; nil: it is no bill of
// an artifact.
type Listed struct {
	Seq  int64
	Bill *Bill
}

// Unlisted reports whether there are bills for ListBills.
func (v *View) Unlisted(ctx context.Context) (bool, error) {
	return v.one(ctx, anyUnlistedStatement, nil, new(int64))
}

// ListBills has plan say what the oldest bills list that a version before this one
// recorded, up to limit of them, with all their columns, and keeps it. It reports how
// many there were: with none, everything is in the index.
func (s *Store) ListBills(ctx context.Context, limit int64, plan func([]Entry) ([]Listed, error)) (int, error) {
	found := 0
	var learned map[Component]int64
	err := s.engine.Write(ctx, func(r Reader) ([]Statement, error) {
		v := &View{r}
		entries, err := list(ctx, v, unlistedStatement, []any{limit}, readBody)
		if found = len(entries); err != nil || found == 0 {
			return nil, err
		}
		listed, err := plan(entries)
		if err != nil {
			return nil, err
		}
		var bills []Bill
		var out []Statement
		for _, l := range listed {
			n := int64(0)
			if l.Bill != nil {
				n, bills = 1, append(bills, *l.Bill)
			}
			out = append(out, Statement{SQL: listedStatement, Args: []any{n, l.Seq}})
		}
		write, ids, err := v.indexBills(ctx, bills, &s.words)
		learned = ids
		return append(out, write...), err
	})
	if err == nil && learned != nil {
		s.words.learn(learned)
	}
	return found, err
}
