package ci

// keywords finds every occurrence of many words in one pass over a text, in any ASCII
// case: an Aho–Corasick automaton with its failure links folded into the transitions.
// Bytes that stand in no word share one column, so that the table stays in the cache.
type keywords struct {
	column [256]uint8
	width  int
	next   []uint16   // state*width + column → state
	ends   [][]uint16 // state → the words that end there
	words  []string
}

// newKeywords builds the automaton. Words are lower case; an empty one is never found.
func newKeywords(words []string) *keywords {
	k := &keywords{words: words, width: 1}
	for _, w := range words {
		for i := range len(w) {
			if k.column[w[i]] == 0 {
				k.column[w[i]] = uint8(k.width)
				k.width++
			}
		}
	}
	for c := byte('A'); c <= 'Z'; c++ {
		k.column[c] = k.column[c+'a'-'A']
	}
	k.state()
	for n, w := range words {
		if w == "" {
			continue
		}
		s := 0
		for i := range len(w) {
			at := s*k.width + int(k.column[w[i]])
			if k.next[at] == 0 {
				k.next[at] = k.state()
			}
			s = int(k.next[at])
		}
		k.ends[s] = append(k.ends[s], uint16(n))
	}
	k.link()
	return k
}

// state adds a state without transitions.
func (k *keywords) state() uint16 {
	k.next = append(k.next, make([]uint16, k.width)...)
	k.ends = append(k.ends, nil)
	return uint16(len(k.ends) - 1)
}

// link completes the transitions, breadth first: a shorter suffix is always done before
// a longer one.
func (k *keywords) link() {
	fail := make([]uint16, len(k.ends))
	var queue []uint16
	for c := range k.width {
		if s := k.next[c]; s != 0 {
			queue = append(queue, s)
		}
	}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		k.ends[s] = append(k.ends[s], k.ends[fail[s]]...)
		for c := range k.width {
			at, other := int(s)*k.width+c, k.next[int(fail[s])*k.width+c]
			if t := k.next[at]; t != 0 {
				fail[t] = other
				queue = append(queue, t)
			} else {
				k.next[at] = other
			}
		}
	}
}

// scan calls found with the number of a word and the position of its first byte, for
// every occurrence, in order of their ends.
func (k *keywords) scan(text []byte, found func(word, at int)) {
	s := 0
	for i, c := range text {
		s = int(k.next[s*k.width+int(k.column[c])])
		if s == 0 || k.ends[s] == nil {
			continue
		}
		for _, w := range k.ends[s] {
			found(int(w), i+1-len(k.words[w]))
		}
	}
}
