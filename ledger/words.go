package ledger

import (
	"context"
	"sync"

	"verdict/store"
)

// words remembers which components stand under their ids, so that what many artifacts list
// is read once. Ids never change.
type words struct {
	mu sync.Mutex
	of map[int64]store.Component // guarded by mu
}

// maxWords bounds what is remembered, about 200 bytes each.
const maxWords = 1 << 18

// components gives those of the ids that the database has, in no order.
func (w *words) components(ctx context.Context, v *store.View, ids []int64) ([]store.Component, error) {
	out := make([]store.Component, 0, len(ids))
	var missing []int64
	w.mu.Lock()
	for _, id := range ids {
		if c, ok := w.of[id]; ok {
			out = append(out, c)
		} else {
			missing = append(missing, id)
		}
	}
	w.mu.Unlock()
	if len(missing) == 0 {
		return out, nil
	}
	found := make(map[int64]store.Component, len(missing))
	err := v.Components(ctx, missing, func(id int64, c store.Component) error {
		found[id] = c
		out = append(out, c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of == nil || len(w.of)+len(found) > maxWords {
		w.of = make(map[int64]store.Component, len(found))
	}
	for id, c := range found {
		w.of[id] = c
	}
	return out, nil
}
