package ledger

import (
	"context"
	"encoding/json"
	"slices"

	"verdict"
	"verdict/store"
)

// What is deployed is often the index of several platforms, and what was looked into are
// their manifests: each has a bill of its own, and the index has none. Which manifests an
// index names is recorded as evidence of kind image, whose first subject is the index.

// names is one word on which manifests an index names.
type names struct {
	platforms []string
	own       bool // of ours: its bytes have the digest of the index, and were read here
	by        store.BillSource
}

// namesOf reads what an entry of kind image says of a digest; false where it is not the index
// there, but one of its manifests, or one image.
func namesOf(digest string, i store.ImageOf) (names, bool) {
	var subjects []verdict.Subject
	if json.Unmarshal([]byte(i.Subjects), &subjects) != nil || len(subjects) < 2 || string(subjects[0].Digest) != digest {
		return names{}, false
	}
	n := names{own: !i.Foreign, by: i.By}
	for _, s := range subjects[1:] {
		n.platforms = append(n.platforms, string(s.Digest))
	}
	return n, true
}

// whose gives the manifests by the newest word that counts: one of ours, or of somebody whom
// the map trusts with images.
func whose(all []names, counts func(kind verdict.Kind, producer, service, environment string) bool) []string {
	i := slices.IndexFunc(all, func(n names) bool {
		return n.own || counts == nil || counts(verdict.KindImage, n.by.Producer, n.by.Service, n.by.Environment)
	})
	if i < 0 {
		return nil
	}
	return all[i].platforms
}

// platforms are the manifests of a digest that is an index; none for everything else.
func platforms(ctx context.Context, v *store.View, digest string, at int64, counts func(kind verdict.Kind, producer, service, environment string) bool) ([]string, error) {
	var all []names
	err := v.EachImageOf(ctx, digest, at, func(i store.ImageOf) error {
		if n, ok := namesOf(digest, i); ok {
			all = append(all, n)
		}
		return nil
	})
	return whose(all, counts), err
}

// indexes adds to what runs which manifests it names, and gives the bills of those.
func indexes(ctx context.Context, v *store.View, at int64, all []runsBills, places map[int64]int) (map[string][]store.RunningBill, error) {
	var digests []string
	err := v.EachRunningImage(ctx, at, func(from int64, i store.ImageOf) error {
		r := &all[places[from]]
		n, ok := namesOf(string(r.row.Digest), i)
		if !ok || slices.ContainsFunc(r.names, func(o names) bool { return o.by == n.by && o.own == n.own && slices.Equal(o.platforms, n.platforms) }) {
			return nil
		}
		r.names = append(r.names, n)
		digests = append(digests, n.platforms...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(digests)
	out := map[string][]store.RunningBill{}
	return out, v.EachBillOf(ctx, slices.Compact(digests), at, func(b store.RunningBill) error {
		out[b.Digest] = append(out[b.Digest], b)
		return nil
	})
}

// knowledge is what bills leave open of an artifact.
type knowledge struct{ none, unreadable, incomplete, nameless bool }

func knowledgeOf(bills []store.RunningBill) knowledge {
	k := knowledge{none: len(bills) == 0, unreadable: len(bills) > 0, incomplete: true}
	for _, b := range bills {
		k.unreadable = k.unreadable && b.Inventory == billUnreadable
		k.incomplete = k.incomplete && b.Inventory != "complete"
		k.nameless = k.nameless || b.Nameless > 0
	}
	return k
}

// together is what is known of an index by its manifests, and whether nothing is known of
// some of them.
func together(parts []knowledge) (k knowledge, partly bool) {
	k = knowledge{none: true, unreadable: true}
	dark := 0
	for _, p := range parts {
		if k.none = k.none && p.none; p.none || p.unreadable {
			dark++
			continue
		}
		k.unreadable = false
		k.incomplete, k.nameless = k.incomplete || p.incomplete, k.nameless || p.nameless
	}
	k.unreadable = k.unreadable && !k.none
	return k, dark > 0 && dark < len(parts)
}
