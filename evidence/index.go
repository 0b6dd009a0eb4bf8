package evidence

import "strings"

// index is where the members of a predicate are, and those of the objects among them. The
// pass that checks a statement makes it, so that nobody has to go through a large one again
// to find a word. A predicate with very many members has none.
type index struct {
	known bool
	over  bool   // there are more parts than are kept
	parts []part // in the order of their ends: those of an object before it
	own   int    // how many of them are the predicate's
	base  int    // where the predicate begins, in what was read
}

// part is one member: where it begins, and where its value begins and ends.
type part struct {
	name           []byte
	depth          int
	at, value, end int
}

// predicateDepth is that of the members of a predicate, within a statement.
const predicateDepth = 2

// maxParts bounds an index: a statement with more is read as a whole each time.
const maxParts = 256

// add is told of every member of the statement. Of what is not in the predicate nothing
// stays.
func (x *index) add(depth int, name []byte, at, value, end int) {
	switch {
	case depth > predicateDepth+1:
	case depth < predicateDepth && string(name) == "predicate":
		x.own, x.base, x.known = len(x.parts), value, !x.over
	case depth < predicateDepth:
		x.parts, x.over = x.parts[:x.own], false
	case len(x.parts) == maxParts:
		x.over = true
	default:
		x.parts = append(x.parts, part{name, depth, at, value, end})
	}
}

// settle counts from the beginning of the predicate.
func (x *index) settle() {
	x.parts = x.parts[:x.own]
	for i := range x.parts {
		p := &x.parts[i]
		p.at, p.value, p.end = p.at-x.base, p.value-x.base, p.end-x.base
	}
}

// members is members of a predicate that is no part of a statement yet.
func (x *index) members(predicate []byte, f func(name, value []byte) error) error {
	s := scanner{data: predicate, depth: predicateDepth - 1, watch: x}
	err := s.outer(f)
	x.own, x.known = len(x.parts), err == nil && !x.over
	return err
}

// end adds the last member of the predicate, after members.
func (x *index) end(name string, at, value, end int) {
	x.parts = append(x.parts, part{[]byte(name), predicateDepth, at, value, end})
	x.own = len(x.parts)
}

// field gives one member of the predicate.
func (x *index) field(predicate []byte, name string) ([]byte, bool) {
	for _, p := range x.parts {
		if p.depth == predicateDepth && string(p.name) == name {
			return predicate[p.value:p.end], true
		}
	}
	return nil, false
}

// only is the predicate without the members that no path names.
func (x *index) only(predicate []byte, paths []string) []byte {
	out := []byte{'{'}
	begun := 0 // the parts from here on are of the member that comes next
	for i, p := range x.parts {
		if p.depth != predicateDepth {
			continue
		}
		inner := x.parts[begun:i]
		begun = i + 1
		whole, within := wanted(string(p.name), paths)
		switch {
		case whole, len(within) > 0 && predicate[p.value] != '{':
			out = append(append(out, predicate[p.at:p.end]...), ',')
		case len(within) > 0:
			out = append(append(out, predicate[p.at:p.value]...), '{')
			for _, q := range inner {
				if found, _ := wanted(string(q.name), within); found {
					out = append(append(out, predicate[q.at:q.end]...), ',')
				}
			}
			out = append(closed(out), ',')
		}
	}
	return closed(out)
}

func closed(object []byte) []byte {
	if object[len(object)-1] == ',' {
		object = object[:len(object)-1]
	}
	return append(object, '}')
}

// wanted reports whether a path is the name, and gives what paths name within it. Case has no
// part in it, as when encoding/json reads.
func wanted(name string, paths []string) (whole bool, within []string) {
	for _, path := range paths {
		first, rest, deeper := strings.Cut(path, ".")
		switch {
		case !strings.EqualFold(first, name):
		case deeper:
			within = append(within, rest)
		default:
			whole = true
		}
	}
	return whole, within
}
