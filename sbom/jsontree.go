package sbom

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/maphash"
	"math"
	"math/big"
	"strconv"
)

// jsonTree holds one value of a document that jsonScanner has passed. It is filled again
// for each element of a long list, so that memory is that of one.
type jsonTree struct {
	data  []byte
	nodes []jsonNode
}

// node is the place of a value in its tree. The outermost is 0, which no other refers to.
type node int32

type jsonNode struct {
	kind byte   // the byte that it begins with: { [ " t f n, and 0 for a number
	name []byte // of the member whose value it is
	text []byte // of a string, and the digits of a number
	kid  node   // the first of its members or elements; 0: none
	next node   // the next one of what holds it; 0: it is the last
	n    int32  // members or elements
}

// read fills the tree with the value that begins at pos, and gives where it ends.
func (t *jsonTree) read(data []byte, pos int) int {
	t.data, t.nodes = data, t.nodes[:0]
	_, end := t.value(nil, pos)
	return end
}

func (t *jsonTree) value(name []byte, pos int) (node, int) {
	at := node(len(t.nodes))
	t.nodes = append(t.nodes, jsonNode{kind: t.data[pos], name: name})
	switch c := t.data[pos]; c {
	case '{', '[':
		return at, t.members(at, pos, c)
	case '"':
		end := endOfText(t.data, pos)
		t.nodes[at].text = unquote(t.data[pos:end])
		return at, end
	case 't', 'n':
		return at, pos + 4
	case 'f':
		return at, pos + 5
	}
	end := pos
	for end < len(t.data) && bytes.IndexByte([]byte("+-.0123456789eE"), t.data[end]) >= 0 {
		end++
	}
	t.nodes[at].kind, t.nodes[at].text = 0, t.data[pos:end]
	return at, end
}

// members fills what an object or a list holds, and gives where it ends.
func (t *jsonTree) members(at node, pos int, open byte) int {
	last := node(0)
	for pos = skipSpace(t.data, pos+1); t.data[pos] != open+2; pos = skipSpace(t.data, pos) { // } and ] come two behind { and [
		if t.data[pos] == ',' {
			pos++
			continue
		}
		var name []byte
		if open == '{' {
			end := endOfText(t.data, pos)
			name = unquote(t.data[pos:end])
			pos = skipSpace(t.data, skipSpace(t.data, end)+1)
		}
		var kid node
		kid, pos = t.value(name, pos)
		if last == 0 {
			t.nodes[at].kid = kid
		} else {
			t.nodes[last].next = kid
		}
		last = kid
		t.nodes[at].n++
	}
	return pos + 1
}

// endOfText is the place behind the string that begins at pos.
func endOfText(data []byte, pos int) int {
	for pos++; ; pos++ {
		switch data[pos] {
		case '"':
			return pos + 1
		case '\\':
			pos++
		}
	}
}

// elements calls f with the place of each element of the list that begins at pos.
func elements(data []byte, pos int, f func(i, pos int) (end int, err error)) error {
	for i := 0; ; i++ {
		pos = skipSpace(data, pos+1)
		if data[pos] == ']' {
			return nil
		}
		end, err := f(i, pos)
		if err != nil {
			return err
		}
		if pos = skipSpace(data, end); data[pos] == ']' {
			return nil
		}
	}
}

// get is the member of an object by its name; 0 where there is none.
func (t *jsonTree) get(n node, name string) node {
	if t.nodes[n].kind != '{' {
		return 0
	}
	for k := t.nodes[n].kid; k != 0; k = t.nodes[k].next {
		if string(t.nodes[k].name) == name {
			return k
		}
	}
	return 0
}

// text is the string that a member of an object holds; empty where there is none.
func (t *jsonTree) text(n node, name string) string {
	if k := t.get(n, name); k != 0 && t.nodes[k].kind == '"' {
		return string(t.nodes[k].text)
	}
	return ""
}

// each calls f with the elements of the list that a member of an object holds.
func (t *jsonTree) each(n node, name string, f func(node) error) error {
	if n = t.get(n, name); n == 0 || t.nodes[n].kind != '[' {
		return nil
	}
	for k := t.nodes[n].kid; k != 0; k = t.nodes[k].next {
		if err := f(k); err != nil {
			return err
		}
	}
	return nil
}

// texts are the strings of the list that a member of an object holds.
func (t *jsonTree) texts(n node, name string) (out []string) {
	_ = t.each(n, name, func(k node) error { // f gives no error
		if t.nodes[k].kind == '"' {
			out = append(out, string(t.nodes[k].text))
		}
		return nil
	})
	return out
}

// number is the value of a number, which jsonScanner has bounded.
func (t *jsonTree) number(n node) *big.Rat {
	r, _ := new(big.Rat).SetString(string(t.nodes[n].text))
	return r
}

// plain is the value as encoding/json gives it, with numbers as they are written.
func (t *jsonTree) plain(n node) any {
	x := t.nodes[n]
	switch x.kind {
	case '{':
		m := make(map[string]any, x.n)
		for k := x.kid; k != 0; k = t.nodes[k].next {
			m[string(t.nodes[k].name)] = t.plain(k)
		}
		return m
	case '[':
		list := make([]any, 0, x.n)
		for k := x.kid; k != 0; k = t.nodes[k].next {
			list = append(list, t.plain(k))
		}
		return list
	case '"':
		return string(x.text)
	case 't', 'f':
		return x.kind == 't'
	case 'n':
		return nil
	}
	return json.Number(x.text)
}

var jsonSeed = maphash.MakeSeed()

// hash is equal for values that are equal, in whatever order they have their members.
func (t *jsonTree) hash(n node) uint64 {
	var h maphash.Hash
	h.SetSeed(jsonSeed)
	x := t.nodes[n]
	_ = h.WriteByte(x.kind)
	switch x.kind {
	case '{':
		sum := uint64(0)
		for k := x.kid; k != 0; k = t.nodes[k].next {
			sum += maphash.Bytes(jsonSeed, t.nodes[k].name)*31 ^ t.hash(k)
		}
		_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, sum))
	case '[':
		for k := x.kid; k != 0; k = t.nodes[k].next {
			_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, t.hash(k)))
		}
	case '"':
		_, _ = h.Write(x.text)
	case 0:
		f, _ := strconv.ParseFloat(string(x.text), 64)
		_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(f+0)))
	}
	return h.Sum64()
}

// equal reports whether two values are the same JSON.
func (t *jsonTree) equal(n node, other *jsonTree, m node) bool {
	a, b := t.nodes[n], other.nodes[m]
	if a.kind != b.kind || a.n != b.n {
		return false
	}
	switch a.kind {
	case '"':
		return bytes.Equal(a.text, b.text)
	case 0:
		return t.number(n).Cmp(other.number(m)) == 0
	case '[':
		for k, l := a.kid, b.kid; k != 0; k, l = t.nodes[k].next, other.nodes[l].next {
			if !t.equal(k, other, l) {
				return false
			}
		}
	case '{':
		for k := a.kid; k != 0; k = t.nodes[k].next {
			if l := other.get(m, string(t.nodes[k].name)); l == 0 || !t.equal(k, other, l) {
				return false
			}
		}
	}
	return true
}
