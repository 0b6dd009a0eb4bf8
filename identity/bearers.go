package identity

import (
	"fmt"
	"slices"
	"strings"
)

// waiting is a key that somebody signed to be a person's, which one hand alone cannot say.
type waiting struct {
	event KeyEvent
	by    []string // ids of the keys that signed it
	index int64    // of the first entry that asked
}

// gives reports whether a key is a person's from this enrolment on, and with the word of
// which key that asked before; else it remembers who asks. A name that nobody bore is free.
// One that somebody bore is worth what its bearer may do, so one person gives it to nobody.
func (h *History) gives(index int64, signer string, e KeyEvent) (given bool, with string) {
	switch {
	case len(h.ids) == 0:
		given = e.Person != LocalKey || e.Key == signer
	case e.Person == LocalKey: // its bearer hands it on by a rotation
	default:
		given = h.kept == 0 || !h.borne(e.Person) || h.givesAlone(index, signer, e)
	}
	if given {
		return true, ""
	}
	return h.byTwo(index, signer, e)
}

// namesKept reports whether the rule of names held at the entry with this index.
func (h *History) namesKept(index int64) bool { return h.kept > 0 && index >= h.kept-1 }

func (h *History) borne(person string) bool {
	return slices.ContainsFunc(h.ids, func(id string) bool { return h.keys[id].Person == person })
}

// givesAlone reports whether the signer of an enrolment needs nobody else for a name that was
// borne: it is their own, or they gave it to its first key and could have made that one, or
// it is this machine's key that begins, alone or with two, where nobody is left.
func (h *History) givesAlone(index int64, signer string, e KeyEvent) bool {
	key, ok := h.ValidAt(signer, index)
	hands := Hands{History: h}
	switch {
	case !ok:
		return false
	case key.Person == LocalKey:
		return len(hands.Enrolled(index)) == 0 || hands.foundedTogether(EnrolledKey{ID: e.Key, Person: e.Person, From: index, By: signer, Beside: e.Beside})
	}
	return key.Person == e.Person || key.Person == h.FirstGiver(e.Person)
}

// FirstGiver is the person who enrolled the first key of a name; empty where that was this
// machine's key or nobody.
func (h *History) FirstGiver(person string) string {
	for _, id := range h.ids {
		if k := *h.keys[id]; k.Person == person {
			if by := (Hands{History: h}).enroller(k).Person; by != LocalKey {
				return by
			}
			return ""
		}
	}
	return ""
}

// byTwo reports whether a key was now enrolled by two persons who are not in one hand, and by
// whose key before. Where nobody stands who could be the second one, this machine's key is:
// an organisation of two, of whom one lost the key, has nobody else.
func (h *History) byTwo(index int64, signer string, e KeyEvent) (given bool, with string) {
	key, ok := h.ValidAt(signer, index)
	if !ok || key.Person == LocalKey && (e.Person == LocalKey || h.kept == 0) {
		return false, ""
	}
	for _, other := range h.Asked(e.Key, e.Person, index) {
		if h.two(e.Person, other, key, index) {
			if h.kept > 0 {
				with = other.ID
			}
			return true, with
		}
	}
	if key.Person == LocalKey {
		return false, "" // it is the second, and never asks
	}
	w := h.waitsFor(e.Key, e.Person)
	if w == nil {
		w = &waiting{event: e, index: index}
		h.waits = append(h.waits, w)
	}
	if !slices.Contains(w.by, signer) {
		w.by = append(w.by, signer)
	}
	return false, ""
}

// two reports whether an asker and a second signer give a name together.
func (h *History) two(name string, asker, second EnrolledKey, index int64) bool {
	if second.Person == LocalKey {
		return h.machineSeconds(name, asker, index)
	}
	return asker.Person != second.Person && h.apart(name, asker, second) == ""
}

// machineGives reports whether this machine's key, if it signs now what an asker signed,
// makes a key count.
func (h *History) machineGives(name string, asker EnrolledKey, index int64) bool {
	return h.kept > 0 && name != LocalKey && asker.ID != "" && asker.Person != LocalKey && len(h.KeysOf(LocalKey, index)) > 0 &&
		h.machineSeconds(name, asker, index)
}

// machineSeconds reports whether nobody but an asker is left who could give a name, so that
// this machine's key is the second. Whose keys somebody else ended is still somebody: who
// ends them all would be alone by it.
func (h *History) machineSeconds(name string, asker EnrolledKey, index int64) bool {
	for _, k := range h.Keys() {
		by, _ := h.Key(k.EndedBy)
		switch {
		case k.Person == name || k.Person == asker.Person || k.Person == LocalKey:
		case !k.ValidAt(index) && by.Person == k.Person:
		case h.apart(name, asker, k) == "":
			return false
		}
	}
	return true
}

// apart says why two keys are not the two that give a name; empty where they are. Somebody
// who enrolled both, however far back, may have made both, which gives nothing to the name's
// own bearer and is one hand for any other name.
func (h *History) apart(name string, a, b EnrolledKey) string {
	hands := Hands{History: h}
	if why := hands.One(a, b); why != "" || h.kept == 0 {
		return why
	}
	behind := hands.behind(b)
	for _, p := range hands.behind(a) {
		if p != name && slices.Contains(behind, p) {
			return fmt.Sprintf("%s enrolled who vouches for %s and for %s", p, a.Person, b.Person)
		}
	}
	return ""
}

// behind are the persons who may have made a key: its own, and who vouches for it, however
// far back.
func (h Hands) behind(key EnrolledKey) []string {
	var out []string
	seen := map[string]bool{}
	for ask := []EnrolledKey{key}; len(ask) > 0; ask = ask[1:] {
		if seen[ask[0].ID] || ask[0].Person == LocalKey || ask[0].ID == "" {
			continue
		}
		seen[ask[0].ID] = true
		out = append(out, ask[0].Person)
		for _, v := range h.vouchers(ask[0]) {
			ask = append(ask, v.by)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (h *History) waitsFor(keyID, person string) *waiting {
	for _, w := range h.waits {
		if w.event.Key == keyID && w.event.Person == person {
			return w
		}
	}
	return nil
}

// Asked gives the keys that count at the entry with this index and signed before it that a
// key is a person's, while it waits for somebody else's word.
func (h *History) Asked(keyID, person string, index int64) []EnrolledKey {
	var out []EnrolledKey
	if w := h.waitsFor(keyID, person); w != nil {
		for _, id := range w.by {
			if k, ok := h.ValidAt(id, index); ok {
				out = append(out, k)
			}
		}
	}
	return out
}

// Waiting is a key that counts for nothing until a second person enrolls it.
type Waiting struct {
	Key       string   `json:"key"`
	Person    string   `json:"person"` // whose it is to be
	PublicPEM string   `json:"public_pem"`
	Since     int64    `json:"since"` // index of the entry that asked first
	Asked     []string `json:"asked"` // the persons who enrolled it, with a key that counts
	// Machine: nobody is left who could be the second, so it is this machine's own key.
	Machine bool `json:"machine"`
}

// Text says what waits and what to type.
func (w Waiting) Text() string {
	who, as := "a second person", " --as KEY"
	if w.Machine {
		who, as = "this machine's own key", ""
	}
	return fmt.Sprintf("waits since entry %d for %s, beside %s: verdict keys show %s > FILE and verdict people enroll %s --public-key FILE%s",
		w.Since, who, strings.Join(w.Asked, ", "), w.Key[:min(len(w.Key), 12)], w.Person, as)
}

// Waiting lists what waits at the entry with this index, in the order in which it was asked.
func (h *History) Waiting(index int64) []Waiting {
	var out []Waiting
	for _, w := range h.waits {
		x := Waiting{Key: w.event.Key, Person: w.event.Person, PublicPEM: w.event.PublicPEM, Since: w.index}
		for _, k := range h.Asked(x.Key, x.Person, index) {
			x.Asked = append(x.Asked, k.Person)
			x.Machine = x.Machine || h.machineGives(x.Person, k, index)
		}
		if len(x.Asked) > 0 {
			slices.Sort(x.Asked)
			x.Asked = slices.Compact(x.Asked)
			out = append(out, x)
		}
	}
	return out
}

// Seconds leaves of some persons those who make an enrolment count that this key signs too,
// and says of the others why not. It is this machine's key where nobody is left who could.
func (h *History) Seconds(who []string, name string, key EnrolledKey, index int64) (others, not []string) {
	others, not = []string{}, []string{}
	for _, p := range who {
		if p == key.Person {
			continue
		}
		why := ""
		for _, k := range h.KeysOf(p, index) {
			if why = h.apart(name, k, key); why == "" {
				others = append(others, p)
				break
			}
		}
		if why != "" {
			not = append(not, why)
		}
	}
	if len(others) == 0 && h.machineGives(name, key, index) {
		others = append(others, LocalKey)
	}
	return others, not
}
