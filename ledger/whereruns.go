package ledger

import (
	"context"
	"slices"
	"strings"

	"verdict"
	"verdict/store"
)

// runsBills is an artifact that runs, with its bills that hold.
type runsBills struct {
	row   RunningRow
	bills []store.RunningBill
	names []names // of an index: the newest first
}

// runningState is what ran when it was read last. It is read once for each state of what
// runs and of the bills, and not for each question.
type runningState struct {
	mark store.RunningMark
	all  []runsBills // shared, as sources is: nobody changes it
	// sources are all that ever stated a bill.
	sources map[int64]store.BillSource
	// billed are the bills of the manifests that indexes name, by digest.
	billed map[string][]store.RunningBill
}

// runningAt gives what runs at a position with its bills.
func (l *Ledger) runningAt(ctx context.Context, v *store.View, at int64) (*runningState, error) {
	mark, err := v.RunningMark(ctx)
	if err != nil {
		return nil, err
	}
	if last := l.runs.Load(); last != nil && at == store.Open && last.mark == mark {
		return last, nil
	}
	sources, err := v.BillSources(ctx)
	if err != nil {
		return nil, err
	}
	places := map[int64]int{}
	all := []runsBills{}
	err = v.EachRunning(ctx, at, func(r store.RunningBill) error {
		i, known := places[r.From]
		if !known {
			i = len(all)
			places[r.From] = i
			all = append(all, runsBills{row: RunningRow{
				Index: r.From, Environment: r.Environment, Service: r.Service, Name: r.Name, Digest: verdict.Digest(r.Digest), Decision: r.Decision,
				At: fromMicros(r.At), Ended: -1,
			}})
		}
		if r.Number >= 0 {
			all[i].bills = append(all[i].bills, r)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	billed, err := indexes(ctx, v, at, all, places)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b runsBills) int { return compareRunning(a.row, b.row) })
	state := &runningState{mark, all, sources, billed}
	if at == store.Open {
		l.runs.Store(state)
	}
	return state, nil
}

func compareRunning(a, b RunningRow) int {
	for _, w := range [][2]string{{a.Environment, b.Environment}, {a.Service, b.Service}, {a.Name, b.Name}} {
		if n := strings.Compare(w[0], w[1]); n != 0 {
			return n
		}
	}
	return int(a.Index - b.Index)
}
