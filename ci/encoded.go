package ci

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// What is encoded in a text is found and decoded as the library does it: the same
// patterns, the same order among them, the same idea of what reads as text. A test
// holds both against each other. It is written anew because the library runs one
// expression with four branches over every file, which costs more than all else together.

// encoding is a set of ways in which a value stands encoded.
type encoding uint8

// In order of precedence: of two that touch, the first is decoded and the second waits
// for the next pass.
const (
	percentEncoding encoding = 1 << iota
	unicodeEncoding
	hexEncoding
	base64Encoding
)

var encodingNames = []string{"percent", "unicode escapes", "hex", "base64"}

func (e encoding) String() string {
	var names []string
	for i, name := range encodingNames {
		if e&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " and ")
}

// encoded is one place that matches a pattern.
type encoded struct {
	window
	kind encoding
}

// touches reports whether two windows overlap or have an edge in common.
func (w window) touches(o window) bool { return o.from <= w.to && o.to >= w.from }

func (w window) holds(o window) bool { return w.from <= o.from && o.to <= w.to }

func (w window) with(o window) window { return window{min(w.from, o.from), max(w.to, o.to)} }

// The characters that the patterns are made of.
var (
	base64Chars = setOf("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_/+-")
	hexChars    = setOf("0123456789abcdefABCDEF")
	digitChars  = setOf("0123456789")
	spaceChars  = setOf("\t\n\f\r ")
	likelyChars = setOf("0123456789+/-_") // base64 without one of these is taken for a word
)

func setOf(chars string) *[256]bool {
	var set [256]bool
	for i := range len(chars) {
		set[chars[i]] = true
	}
	return &set
}

// printed reports whether the library takes a decoded byte for text.
func printed(c byte) bool { return '\x08' < c && c < '\x7f' }

const (
	shortestBase64 = 16
	shortestHex    = 32
	codePoint      = len("U+0041")
)

// maxEncoded bounds the encoded places of one text, and so the memory that they take.
const maxEncoded = 1 << 20

var errEncoded = errors.New("it holds more than " + strconv.Itoa(maxEncoded) + " encoded values")

// encodedIn lists what could be decoded, as the library's expression matches it.
func encodedIn(text []byte) ([]encoded, error) {
	var all []encoded
	for i := 0; i < len(text); {
		c := text[i]
		if !base64Chars[c] && c != '%' && c != '\\' {
			i++
			continue
		}
		found := encoded{window{i, i}, 0}
		switch c {
		case '%':
			if percentAt(text, i) {
				found = encoded{window{i, lastPercent(text, i)}, percentEncoding}
			}
		case '\\':
			found = encoded{window{i, escapesFrom(text, i)}, unicodeEncoding}
		default:
			found = word(text, i)
		}
		if found.kind == 0 || found.to == found.from {
			i = max(i+1, found.to)
			continue
		}
		if len(all) == maxEncoded {
			return nil, errEncoded
		}
		all = append(all, found)
		i = found.to
	}
	return all, nil
}

// word is what begins in the run of base64 characters at i. Without a kind nothing
// begins there, and the search goes on behind it.
func word(text []byte, i int) encoded {
	end := i + 1
	for end < len(text) && base64Chars[text[end]] {
		end++
	}
	if end-i < shortestBase64 {
		if p := end - codePoint; p >= i && codePointAt(text, p) {
			return encoded{window{p, codePointsFrom(text, p)}, unicodeEncoding}
		}
		return encoded{window{i, end}, 0}
	}
	digits := i
	for digits < end && hexChars[text[digits]] {
		digits++
	}
	if digits-i >= shortestHex {
		return encoded{window{i, digits}, hexEncoding}
	}
	for range 2 {
		if end < len(text) && text[end] == '=' {
			end++
		}
	}
	return encoded{window{i, end}, base64Encoding}
}

func percentAt(text []byte, i int) bool {
	return i+2 < len(text) && text[i] == '%' && hexChars[text[i+1]] && hexChars[text[i+2]]
}

// lastPercent is the end of the last encoded character in the line, where the first is
// at i: what stands between belongs to the value.
func lastPercent(text []byte, i int) int {
	line := text[i+3:]
	if n := bytes.IndexByte(line, '\n'); n >= 0 {
		line = line[:n]
	}
	for at := len(line) - 1; at >= 0; at-- {
		if at = bytes.LastIndexByte(line[:at+1], '%'); at >= 0 && percentAt(line, at) {
			return i + 3 + at + 3
		}
	}
	return i + 3
}

// escapesFrom is the end of the escapes \u0041 that begin at i; i when there is none.
func escapesFrom(text []byte, i int) int {
	for {
		at := i
		for n := 0; n < 2 && at < len(text) && text[at] == '\\'; n++ {
			at++
		}
		if at == i || at+5 > len(text) || text[at]|0x20 != 'u' || !allHex(text[at+1:at+5]) {
			return i
		}
		i = at + 5
	}
}

// codePointAt reports whether U+0041 stands at i, with a space or the end behind it.
func codePointAt(text []byte, i int) bool {
	end := i + codePoint
	return end <= len(text) && text[i] == 'U' && text[i+1] == '+' && allHex(text[i+2:end]) && (end == len(text) || spaceChars[text[end]])
}

func codePointsFrom(text []byte, i int) int {
	for codePointAt(text, i) {
		i = min(i+codePoint+1, len(text))
	}
	return i
}

func allHex(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return !hexChars[c] })
}

// undisturbed drops each place that touches a neighbour of higher precedence.
func undisturbed(all []encoded) []encoded {
	kept := make([]encoded, 0, len(all))
	for i, e := range all {
		if i > 0 && e.touches(all[i-1].window) && all[i-1].kind < e.kind || i+1 < len(all) && e.touches(all[i+1].window) && all[i+1].kind < e.kind {
			continue
		}
		kept = append(kept, e)
	}
	return kept
}

// decode gives the value of an encoded place; empty when it is no text.
func (e encoded) decode(text []byte) []byte {
	value := text[e.from:e.to]
	switch e.kind {
	case percentEncoding:
		return decodePercent(value)
	case unicodeEncoding:
		return decodeUnicode(value)
	case hexEncoding:
		return decodeHex(value)
	}
	return decodeBase64(value)
}

func nibble(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}

func decodePercent(value []byte) []byte {
	out := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		if !percentAt(value, i) {
			out = append(out, value[i])
			continue
		}
		c := nibble(value[i+1])<<4 | nibble(value[i+2])
		if !printed(c) {
			return nil
		}
		out = append(out, c)
		i += 2
	}
	return out
}

// decodeUnicode reads \u0041\u0042 and "U+0041 U+0042 " alike: four digits behind each u.
func decodeUnicode(value []byte) []byte {
	var out []rune
	for i := 0; i+4 < len(value); i++ {
		if value[i]|0x20 != 'u' {
			continue
		}
		if value[i+1] == '+' {
			i++
		}
		r := rune(0)
		for _, c := range value[i+1 : i+5] {
			r = r<<4 | rune(nibble(c))
		}
		out = append(out, r)
		i += 4
	}
	return []byte(string(out))
}

func decodeHex(value []byte) []byte {
	if len(value)%2 != 0 || !printed(nibble(value[0])<<4|nibble(value[1])) || !slices.ContainsFunc(value, func(c byte) bool { return digitChars[c] }) {
		return nil
	}
	out := make([]byte, len(value)/2)
	for i := range out {
		if out[i] = nibble(value[2*i])<<4 | nibble(value[2*i+1]); !printed(out[i]) {
			return nil
		}
	}
	return out
}

// sextet is what a character of either base64 alphabet stands for.
var sextet = func() (t [256]byte) {
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	t['-'], t['_'] = 62, 63
	return t
}()

func decodeBase64(value []byte) []byte {
	// Nine of ten words are refused by their first three bytes, in both alphabets alike.
	for i := 0; i+4 <= len(value) && value[i+2] != '=' && value[i+3] != '='; i += 4 {
		v := uint32(sextet[value[i]])<<18 | uint32(sextet[value[i+1]])<<12 | uint32(sextet[value[i+2]])<<6 | uint32(sextet[value[i+3]])
		if !printed(byte(v>>16)) || !printed(byte(v>>8)) || !printed(byte(v)) {
			return nil
		}
	}
	if !slices.ContainsFunc(value, func(c byte) bool { return likelyChars[c] }) {
		return nil
	}
	for _, form := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
		out, err := form.AppendDecode(nil, value)
		if err == nil && !slices.ContainsFunc(out, func(c byte) bool { return !printed(c) }) {
			return out
		}
	}
	return nil
}
