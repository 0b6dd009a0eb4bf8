package plain

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// UTF16Order is the byte order that a UTF-16 mark at the start tells; nil without one.
func UTF16Order(content []byte) binary.ByteOrder {
	switch {
	case bytes.HasPrefix(content, []byte{0xff, 0xfe}):
		return binary.LittleEndian
	case bytes.HasPrefix(content, []byte{0xfe, 0xff}):
		return binary.BigEndian
	}
	return nil
}

// UTF8 gives content as UTF-8 where it is marked as UTF-16, and as it is otherwise.
// Lines keep their numbers.
func UTF8(content []byte) []byte {
	order := UTF16Order(content)
	if order == nil {
		return content
	}
	out := make([]byte, 0, len(content))
	for i := 2; i+1 < len(content); i += 2 {
		r := rune(order.Uint16(content[i:]))
		if utf16.IsSurrogate(r) && i+3 < len(content) {
			if pair := utf16.DecodeRune(r, rune(order.Uint16(content[i+2:]))); pair != utf8.RuneError {
				r = pair
				i += 2
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}
