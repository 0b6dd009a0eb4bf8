package ledger

import (
	"context"
	"slices"

	"verdict"
	"verdict/store"
)

// Listed is what the bills of one artifact say together.
type Listed struct {
	Bills      []int64 // entries, the last first; none: nothing is known
	Components []store.Component
	// Inventory is complete when a bill says so and none says otherwise, unreadable when
	// none can be read.
	Inventory string
	Nameless  int64
}

// Listed gives what the bills of an artifact list that hold at a position, and count.
func (l *Ledger) Listed(ctx context.Context, artifact verdict.Digest, at Position, counts func(kind verdict.Kind, producer, service, environment string) bool) (Listed, error) {
	out := Listed{Components: []store.Component{}, Inventory: billUnreadable}
	err := l.view(ctx, func(v *store.View, _ store.Head) error {
		bills, err := v.BillsOf(ctx, string(artifact), at.upTo())
		if err != nil {
			return err
		}
		var ids []int64
		for _, b := range bills {
			if counts != nil && !counts(verdict.KindSBOM, b.Source.Producer, b.Source.Service, b.Source.Environment) {
				continue
			}
			out.Bills, ids = append(out.Bills, b.From), append(ids, b.IDs...)
			out.Nameless = max(out.Nameless, b.Nameless)
			if better(b.Inventory, out.Inventory) {
				out.Inventory = b.Inventory
			}
		}
		slices.Sort(ids)
		return v.Components(ctx, slices.Compact(ids), func(_ int64, c store.Component) error {
			c.Licence = ""
			out.Components = append(out.Components, c)
			return nil
		})
	})
	slices.SortFunc(out.Components, store.Component.Compare)
	out.Components = slices.Compact(out.Components)
	return out, err
}

// better orders what bills say of themselves: the word that there is more beats the word
// that this is all.
func better(a, b string) bool {
	order := []string{billUnreadable, "unknown", "complete", "incomplete"}
	return slices.Index(order, a) > slices.Index(order, b)
}
