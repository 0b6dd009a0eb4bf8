package identity

import (
	"fmt"
	"slices"
)

// Hands tells persons apart by who enrolled whose key: whoever enrolls a key may have made
// it, so two keys can be in one hand. This machine's own key (LocalKey) is nobody's.
type Hands struct {
	History *History
	// People are the persons of the map that was in force, by id; empty where it names nobody.
	People map[string]bool
}

// keyholders are the persons with a key that counts for an entry and was enrolled before
// it: all, and those of them whom the map has under people. Where there are none left they
// are those who were ousted: who ends the keys of all others does not begin anew, alone. Two
// questions are asked about them, with one difference: what holds where a map names people
// and none of them is among those with a key.
func (h Hands) keyholders(index int64) (all, known []string) {
	for _, k := range h.History.Keys() {
		if k.From >= index || !k.ValidAt(index) || k.Person == LocalKey {
			continue
		}
		all = append(all, k.Person)
		if h.People[k.Person] {
			known = append(known, k.Person)
		}
	}
	if len(all) == 0 || len(known) == 0 && len(h.People) > 0 {
		gone := h.Ousted(index)
		if len(all) == 0 {
			all = gone
		}
		if len(known) == 0 {
			known = slices.DeleteFunc(slices.Clone(gone), func(p string) bool { return !h.People[p] })
		}
	}
	slices.Sort(all)
	slices.Sort(known)
	return slices.Compact(all), slices.Compact(known)
}

// Ousted are the persons with no key that counts for an entry, of whose keys somebody else
// ended one. There are none while no two persons were there who could have agreed to anything:
// who lost the only key begins anew.
func (h Hands) Ousted(index int64) []string {
	var ever, out []EnrolledKey
	for _, k := range h.History.Keys() {
		if k.From >= index || k.Person == LocalKey {
			continue
		}
		ever = append(ever, k)
		if by, _ := h.History.Key(k.EndedBy); !k.ValidAt(index) && by.Person != k.Person && len(h.History.KeysOf(k.Person, index)) == 0 {
			out = append(out, k)
		}
	}
	two := len(out) > 0 && slices.ContainsFunc(ever, func(a EnrolledKey) bool {
		return slices.ContainsFunc(ever, func(b EnrolledKey) bool { return a.Person != b.Person && h.One(a, b) == "" })
	})
	if !two {
		return nil
	}
	var persons []string
	for _, k := range out {
		persons = append(persons, k.Person)
	}
	slices.Sort(persons)
	return slices.Compact(persons)
}

// Reviewers are those who may release a map in the entry with this index: keyholders of the
// map in force, or all when it has none of them. With nobody instead, this machine's own key
// would release alone while others have keys. The map that is to be released has no say.
func (h Hands) Reviewers(index int64) []string {
	all, known := h.keyholders(index)
	if len(known) > 0 {
		return known
	}
	return all
}

// Enrolled are those who end the time in which this machine enrolls persons, at the entry
// with this index: keyholders of the map, or all where it names nobody. With all instead
// where none of its people has a key, one enrolled machine would keep the first two of them
// from being enrolled together, which nobody else may do.
func (h Hands) Enrolled(index int64) []string {
	all, known := h.keyholders(index)
	if len(h.People) > 0 {
		return known
	}
	return all
}

// voucher is who signed that a key, or one that it replaced, is somebody's.
type voucher struct {
	by  EnrolledKey // the key that signed
	key EnrolledKey
}

// vouchers are those of a key but its own person, who signs his rotations, and his further
// keys. Nobody vouches alone for a key that two persons gave; the one does who gave it with
// this machine's key.
func (h Hands) vouchers(k EnrolledKey) []voucher {
	var out []voucher
	for !k.SignedIn {
		if with, _ := h.History.Key(k.With); k.With != "" {
			if h.enroller(k).Person == LocalKey {
				out = append(out, voucher{with, k})
			}
			break
		}
		by, replaces := h.enroller(k), k.Replaces
		if by.Person != k.Person {
			out = append(out, voucher{by, k})
		} else if replaces == "" && by.ID != k.ID && h.History.namesKept(k.From) {
			replaces = by.ID
		}
		before, ok := h.History.Key(replaces)
		if replaces == "" || !ok {
			break
		}
		k = before
	}
	return out
}

// enroller is the key that signed the entry which enrolled a key; nobody's where it did not
// count there.
func (h Hands) enroller(k EnrolledKey) EnrolledKey {
	by, _ := h.History.ValidAt(k.By, k.From)
	return by
}

// One says why the keys of two persons may be in one hand, so that they do not count as two;
// empty when nothing says so.
func (h Hands) One(a, b EnrolledKey) string {
	for _, pair := range [][2]EnrolledKey{{a, b}, {b, a}} {
		key, other := pair[0], pair[1]
		for _, v := range h.vouchers(key) {
			if v.by.Person == other.Person {
				return fmt.Sprintf("%s enrolled the key of %s", other.Person, key.Person)
			}
		}
		if behind := h.behindTheirBack(key); behind != "" {
			return behind
		}
	}
	return ""
}

// behindTheirBack says whom this machine's own key enrolled when there were persons to do
// so: the person of this key, or somebody who vouches for it, however far back.
func (h Hands) behindTheirBack(key EnrolledKey) string {
	seen := map[string]bool{}
	for ask := []EnrolledKey{key}; len(ask) > 0; ask = ask[1:] {
		if seen[ask[0].ID] {
			continue
		}
		seen[ask[0].ID] = true
		for _, v := range h.vouchers(ask[0]) {
			if v.by.Person != LocalKey {
				ask = append(ask, v.by)
				continue
			}
			if !h.foundedTogether(v.key) && len(h.Enrolled(v.key.From)) > 0 {
				return fmt.Sprintf("this machine's own key enrolled the key of %s when persons were enrolled already", v.key.Person)
			}
		}
	}
	return ""
}

// foundedTogether reports whether this machine's own key enrolled a key together with the
// first person's, whose enrolment names it: that was said while nobody was enrolled, when
// this machine's key could put any map in force alone.
func (h Hands) foundedTogether(k EnrolledKey) bool {
	first, ok := h.History.Key(k.Beside)
	if !ok || first.Beside != k.ID || first.From >= k.From || len(h.Enrolled(first.From)) > 0 ||
		!slices.Equal(h.Enrolled(k.From), []string{first.Person}) {
		return false
	}
	return h.enroller(first).Person == LocalKey
}

// Others leaves of some persons those who have a key that counts at the entry with this
// index and is not in one hand with this key, and says of the others why not.
func (h Hands) Others(who []string, key EnrolledKey, index int64) (others, not []string) {
	others, not = []string{}, []string{}
	for _, p := range who {
		if p == key.Person {
			continue
		}
		why := ""
		for _, k := range h.History.KeysOf(p, index) {
			if why = h.One(k, key); why == "" {
				others = append(others, p)
				break
			}
		}
		if why != "" {
			not = append(not, why)
		}
	}
	return others, not
}
