package ledger

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"verdict"
	"verdict/evidence"
	"verdict/sbom"
	"verdict/store"
)

// What artifacts were built with is a projection of their bills of materials, also of
// those that others state: whether a bill counts is for the map's trust, when the answer
// is read.

// Inventories of bills beside those of sbom.
const billUnreadable = "unreadable" // nothing is known of what it lists

// otherPackages begins the ecosystem of packages whose type OSV has no word for.
const otherPackages = "pkg:"

// billed are the artifacts that a statement is the bill of, sorted: none for one of
// another kind, or about a commit.
func billed(k verdict.Kind, subjects []verdict.Subject) (digests []string) {
	if k != verdict.KindSBOM {
		return nil
	}
	for _, t := range subjects {
		if t.Kind == verdict.SubjectArtifact {
			digests = append(digests, string(t.Digest))
		}
	}
	slices.Sort(digests)
	return slices.Compact(digests)
}

// listBill computes what a statement lists of artifacts; nil for one that is no bill, or
// about no artifact. Elsewhere: a blob that it names is in the ledger of others that it came
// from, and is not looked for here.
func (l *Ledger) listBill(ctx context.Context, s *evidence.Statement, elsewhere bool, producer string, c verdict.Context) *store.Bill {
	about := billed(s.Kind(), s.Subjects)
	if len(about) == 0 {
		return nil
	}
	sum := sha256.Sum256([]byte(producer + "\n" + strings.Join(about, "\n")))
	b := &store.Bill{
		To: store.Open, About: sum[:16], Source: store.BillSource{Producer: producer, Service: c.Service, Environment: c.Environment},
		Inventory: billUnreadable, Components: []store.Component{},
	}
	doc, err := l.BillOf(ctx, s)
	if _, beside := storedBill(s); err != nil || beside && elsewhere {
		return b
	}
	b.Inventory, b.Listed = string(first(string(doc.Inventory), string(sbom.Unknown))), int64(len(doc.Components))
	for _, c := range doc.Components {
		x, known := indexed(c)
		if !known {
			b.Nameless++
		}
		if x.Name != "" {
			b.Components = append(b.Components, x)
		}
	}
	slices.SortFunc(b.Components, store.Component.Compare)
	b.Components = slices.Compact(b.Components)
	return b
}

// noPackages are the types of what a bill lists beside packages: files of an image, and
// the system that its packages make.
var noPackages = []string{"file", "data", "cryptographic-asset", "operating-system"}

// indexed is a component as the index has it, without a name when it has no room for it,
// and whether advisories can be about it.
func indexed(c sbom.BillComponent) (x store.Component, known bool) {
	if slices.Contains(noPackages, c.Type) && c.Original == "" {
		return store.Component{}, true
	}
	x = store.Component{Ecosystem: c.Component.Ecosystem, Name: c.Component.Name, Version: c.Component.Version}
	switch {
	case x.Ecosystem != "":
	case c.Component.PURL != "":
		kind, _, _ := strings.Cut(strings.TrimPrefix(c.Component.PURL, otherPackages), "/")
		x.Ecosystem = otherPackages + kind
	default:
		x.Name, x.Version = c.Name, c.Version
	}
	for _, w := range []string{x.Ecosystem, x.Name, x.Version} {
		if word("component", w) != nil || !utf8.ValidString(w) {
			return store.Component{}, false
		}
	}
	x.Licence = licenceText(c.Licenses)
	return x, c.Component.Ecosystem != ""
}

// licenceText joins what is declared of one component, a line each; what the index has no
// room for is cut, and is then no expression any more.
func licenceText(declared []string) string {
	all := slices.Clone(declared)
	slices.Sort(all)
	text := strings.ReplaceAll(strings.Join(slices.Compact(all), "\n"), "\x00", "")
	if len(text) > maxWord {
		text = text[:maxWord]
	}
	return strings.ToValidUTF8(text, "")
}

// foldEvery is how many bills are looked through one by one before they are folded into
// the bitmaps: each adds a few microseconds to a question.
const foldEvery = 256

// fold folds the index in the background; one fold at a time.
func (l *Ledger) fold() {
	if !l.folding.CompareAndSwap(false, true) {
		return
	}
	l.background.Go(func() {
		defer l.folding.Store(false)
		if _, err := l.store.Fold(context.Background(), foldEvery); err != nil { // what is not folded is found all the same
			l.o.Logger.Warn("fold failed", "error", err)
		}
	})
}

// listOld puts bills into the index that a version before recorded.
func (l *Ledger) listOld(ctx context.Context) error {
	missing := false
	err := l.store.View(ctx, func(v *store.View) (err error) {
		missing, err = v.Unlisted(ctx)
		return err
	})
	for n := 1; missing && n > 0 && err == nil; {
		n, err = l.store.ListBills(ctx, nameAtOnce, func(rows []store.Entry) ([]store.Listed, error) {
			out := make([]store.Listed, 0, len(rows))
			for _, r := range rows {
				b, err := l.billOfRow(ctx, r)
				if err != nil { // nothing is known of what it lists, and log verify says why
					l.o.Logger.Warn("bill of materials not indexed", "entry", r.Seq, "error", err)
				}
				out = append(out, store.Listed{Seq: r.Seq, Bill: b})
			}
			return out, ctx.Err()
		})
	}
	if err != nil {
		return fmt.Errorf("index the bills of materials: %w", err)
	}
	return nil
}

// billOfRow computes what the statement of an entry lists. One that was pruned lists
// nothing.
func (l *Ledger) billOfRow(ctx context.Context, r store.Entry) (*store.Bill, error) {
	if r.ToSeq != store.Open && r.Payload == nil && r.Leaf != nil {
		return nil, nil
	}
	payload, err := l.payload(ctx, r)
	if err != nil {
		return nil, err
	}
	b, err := bundleOf(payload, r)
	if err != nil {
		return nil, err
	}
	s, err := b.Statement()
	if err != nil {
		return nil, err
	}
	if r.ForeignDigest != "" {
		raw, err := l.foreign(ctx, r)
		if err != nil {
			return nil, err
		}
		return l.listForeign(ctx, r, raw)
	}
	c, _ := s.Context()
	bill := l.listBill(ctx, s, false, r.Producer, c)
	if bill != nil {
		bill.From = r.Seq
	}
	return bill, nil
}

// listForeign computes what the foreign bundle of an entry lists.
func (l *Ledger) listForeign(ctx context.Context, r store.Entry, raw []byte) (*store.Bill, error) {
	b, err := evidence.ParseBundle(raw)
	if err != nil {
		return nil, err
	}
	s, err := b.Statement()
	if err != nil {
		return nil, err
	}
	bill := l.listBill(ctx, s, r.Blobs < 1, r.Producer, verdict.Context{Service: r.Service, Environment: r.Environment})
	if bill != nil {
		bill.From = r.Seq
	}
	return bill, nil
}
