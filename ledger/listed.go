package ledger

import (
	"context"
	"slices"

	"verdict"
	"verdict/store"
)

// Listed is what the bills of one artifact say together.
type Listed struct {
	Bills      []int64           `json:"bills"` // entries, the last first; none: nothing is known
	Components []store.Component `json:"components"`
	// Inventory is complete when a bill says so and none says otherwise, unreadable when
	// none can be read.
	Inventory string `json:"inventory"`
	Nameless  int64  `json:"nameless"`
	// Without is how many platforms of an index have no bill, or none that can be read.
	Without int `json:"without_bill"`
}

// Listed gives what the bills of an artifact list that hold at a position, and count. Of an
// index without a bill of its own it is what those of its manifests list.
func (l *Ledger) Listed(ctx context.Context, artifact verdict.Digest, at Position, counts func(kind verdict.Kind, producer, service, environment string) bool) (Listed, error) {
	out := Listed{Inventory: billUnreadable}
	err := l.view(ctx, func(v *store.View, _ store.Head) error {
		ids, err := out.take(ctx, v, string(artifact), at.upTo(), counts)
		if err == nil && len(out.Bills) == 0 {
			ids, err = out.parts(ctx, v, string(artifact), at.upTo(), counts)
		}
		if err != nil {
			return err
		}
		slices.Sort(ids)
		out.Components, err = l.words.components(ctx, v, slices.Compact(ids))
		return err
	})
	for i := range out.Components {
		out.Components[i].Licence = ""
	}
	slices.SortFunc(out.Components, store.Component.Compare)
	out.Components = slices.Compact(out.Components)
	return out, err
}

// take reads the bills of one digest, and gives the components that they list.
func (x *Listed) take(ctx context.Context, v *store.View, digest string, at int64, counts func(kind verdict.Kind, producer, service, environment string) bool) (ids []int64, err error) {
	bills, err := v.BillsOf(ctx, digest, at)
	for _, b := range bills {
		if counts != nil && !counts(verdict.KindSBOM, b.Source.Producer, b.Source.Service, b.Source.Environment) {
			continue
		}
		x.Bills, ids = append(x.Bills, b.From), append(ids, b.IDs...)
		x.Nameless = max(x.Nameless, b.Nameless)
		if better(b.Inventory, x.Inventory) {
			x.Inventory = b.Inventory
		}
	}
	return ids, err
}

// parts reads the bills of the manifests of an index. It is as complete as the worst of them.
func (x *Listed) parts(ctx context.Context, v *store.View, digest string, at int64, counts func(kind verdict.Kind, producer, service, environment string) bool) (ids []int64, err error) {
	all, err := platforms(ctx, v, digest, at, counts)
	for _, d := range all {
		one := Listed{Inventory: billUnreadable}
		found, err := one.take(ctx, v, d, at, counts)
		if err != nil {
			return nil, err
		}
		if x.Bills = append(x.Bills, one.Bills...); one.Inventory == billUnreadable {
			x.Without++
			continue
		}
		ids, x.Nameless = append(ids, found...), x.Nameless+one.Nameless
		if worse := []string{billUnreadable, "complete", "unknown", "incomplete"}; slices.Index(worse, one.Inventory) > slices.Index(worse, x.Inventory) {
			x.Inventory = one.Inventory
		}
	}
	slices.Sort(x.Bills)
	slices.Reverse(x.Bills)
	return ids, err
}

// better orders what bills say of themselves: the word that there is more beats the word
// that this is all.
func better(a, b string) bool {
	order := []string{billUnreadable, "unknown", "complete", "incomplete"}
	return slices.Index(order, a) > slices.Index(order, b)
}
