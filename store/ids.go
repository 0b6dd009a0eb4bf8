package store

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// Rising numbers are kept as the distances between them, in an adaptive Rice code: what a
// distance costs follows those before it, so that numbers that lie close cost a bit or two
// and others about as many bits as their distance has. (The adaptation is that of JPEG-LS,
// ITU-T T.87.) Before them stands how many there are.

const (
	maxUnary  = 24 // ones, after which a distance stands as it is
	plainBits = 48
)

var errIDs = errors.New("the numbers make no sense")

// rice is the state that both sides keep.
type rice struct{ sum, seen uint64 }

func newRice() rice { return rice{16, 1} }

// low is how many bits of the next distance are written as they are.
func (r *rice) low() int {
	k := 0
	for r.seen<<k < r.sum {
		k++
	}
	return k
}

func (r *rice) learn(distance uint64) {
	r.sum += distance
	if r.seen++; r.seen == 16 {
		r.sum, r.seen = r.sum/2, 8
	}
}

// packIDs writes numbers that rise, from 1 on.
func packIDs(ids []int64) []byte {
	w := bitWriter{out: binary.AppendUvarint(make([]byte, 0, len(ids)+4), uint64(len(ids)))}
	r := newRice()
	last := int64(0)
	for _, id := range ids {
		d := uint64(id - last - 1)
		last = id
		k := r.low()
		if q := d >> k; q < maxUnary {
			w.put(1<<(q+1)-2, int(q)+1) // q ones and a zero
			w.put(d&(1<<k-1), k)
		} else {
			w.put(1<<maxUnary-1, maxUnary)
			w.put(d, plainBits)
		}
		r.learn(d)
	}
	return w.end()
}

// unpackIDs reads what packIDs wrote.
func unpackIDs(b []byte) ([]int64, error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b))*8 {
		return nil, errIDs
	}
	in := bitReader{b: b[size:]}
	out := make([]int64, 0, n)
	r := newRice()
	last := int64(0)
	for range n {
		k := r.low()
		q := in.ones()
		d := uint64(0)
		if q < maxUnary {
			d = uint64(q)<<k | in.take(k)
		} else {
			d = in.take(plainBits)
		}
		r.learn(d)
		last += int64(d) + 1
		if in.bad || last <= 0 {
			return nil, errIDs
		}
		out = append(out, last)
	}
	if len(in.b)*8-in.at >= 8 {
		return nil, errIDs // something follows
	}
	return out, nil
}

// bitWriter writes bits, the highest of a number first.
type bitWriter struct {
	out  []byte
	bits uint64
	n    int // of bits that are not in out, below 8
}

func (w *bitWriter) put(v uint64, n int) {
	for n > 0 {
		part := min(n, 56-w.n)
		n -= part
		w.bits = w.bits<<part | v>>n&(1<<part-1)
		for w.n += part; w.n >= 8; w.n -= 8 {
			w.out = append(w.out, byte(w.bits>>(w.n-8)))
		}
	}
}

func (w *bitWriter) end() []byte {
	if w.n > 0 {
		w.put(0, 8-w.n)
	}
	return w.out
}

// bitReader reads them. Behind the end everything is zero, and bad is set.
type bitReader struct {
	b   []byte
	at  int // bit
	bad bool
}

// peek gives the next 56 bits or more, at the top.
func (r *bitReader) peek() uint64 {
	i := r.at >> 3
	if i+8 <= len(r.b) {
		return binary.BigEndian.Uint64(r.b[i:]) << (r.at & 7)
	}
	var last [8]byte
	if i < len(r.b) {
		copy(last[:], r.b[i:])
	}
	return binary.BigEndian.Uint64(last[:]) << (r.at & 7)
}

func (r *bitReader) skip(n int) {
	if r.at += n; r.at > len(r.b)*8 {
		r.bad = true
	}
}

// ones counts the ones before a zero, at most maxUnary, and reads them with the zero, if
// there is one.
func (r *bitReader) ones() int {
	n := min(bits.LeadingZeros64(^r.peek()), maxUnary)
	r.skip(n)
	if n < maxUnary {
		r.skip(1)
	}
	return n
}

func (r *bitReader) take(n int) uint64 {
	if n == 0 {
		return 0
	}
	v := r.peek() >> (64 - n)
	r.skip(n)
	return v
}
