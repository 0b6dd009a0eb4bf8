package layers

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var errDatabase = errors.New("the database is damaged")

// ndbHeaders reads SUSE's form: pages of slots, each of which names a blob
// (rpm, lib/backend/ndb/rpmpkg.c).
func ndbHeaders(b []byte, each func(header []byte) error) error {
	const page, slot = 4096, 16
	le := binary.LittleEndian
	if len(b) < 32 || le.Uint32(b[4:]) != 0 {
		return errDatabase
	}
	pages := int64(le.Uint32(b[12:]))
	if pages == 0 || pages*page > int64(len(b)) {
		return errDatabase
	}
	seen := map[uint32]bool{}
	for at := int64(2 * slot); at < pages*page; at += slot { // the first two slots are the header
		s := b[at : at+slot]
		if string(s[:4]) != "Slot" {
			return errDatabase
		}
		key, offset := le.Uint32(s[4:]), le.Uint32(s[8:])
		if key == 0 { // free
			continue
		}
		start := int64(offset) * slot
		if seen[offset] || start+slot > int64(len(b)) {
			return errDatabase
		}
		seen[offset] = true
		blob := b[start:]
		size := int64(le.Uint32(blob[12:]))
		if string(blob[:4]) != "BlbS" || le.Uint32(blob[4:]) != key || slot+size > int64(len(blob)) {
			return errDatabase
		}
		if err := each(blob[slot : slot+size]); err != nil {
			return err
		}
	}
	return nil
}

// Pages of a hash table of Berkeley DB (db, src/dbinc/db_page.h).
const (
	bdbHashMagic  = 0x061561
	bdbPageHead   = 26
	bdbUnsorted   = 2
	bdbOverflow   = 7
	bdbHashPage   = 13
	bdbInline     = 1 // H_KEYDATA
	bdbOffPage    = 3 // H_OFFPAGE
	leastRPM      = 32
	bdbItemHeader = 12
)

// bdb is a table in memory.
type bdb struct {
	b     []byte
	order binary.ByteOrder
	size  int64 // of a page
	used  map[uint32]bool
}

// bdbHeaders reads a hash table of Berkeley DB: keys and values in turn, large values in
// chains of pages of their own.
func bdbHeaders(b []byte, each func(header []byte) error) error {
	if len(b) < 512 {
		return errDatabase
	}
	d := &bdb{b: b, order: binary.LittleEndian, used: map[uint32]bool{}}
	switch uint32(bdbHashMagic) {
	case binary.LittleEndian.Uint32(b[12:]):
	case binary.BigEndian.Uint32(b[12:]):
		d.order = binary.BigEndian
	default:
		return errors.New("it has none of the forms of rpm's database")
	}
	d.size = int64(d.order.Uint32(b[20:]))
	if d.size < 512 || d.size > 64<<10 || d.size&(d.size-1) != 0 {
		return errDatabase
	}
	last := int64(d.order.Uint32(b[32:]))
	if (last+1)*d.size > int64(len(b)) {
		return fmt.Errorf("%w: it is shorter than it says", errDatabase)
	}
	for n := range last + 1 {
		if err := d.page(b[n*d.size:(n+1)*d.size], each); err != nil {
			return err
		}
	}
	return nil
}

// page reads the values of one page of the table.
func (d *bdb) page(p []byte, each func(header []byte) error) error {
	if kind := p[25]; kind != bdbUnsorted && kind != bdbHashPage {
		return nil
	}
	entries := int64(d.order.Uint16(p[20:]))
	if bdbPageHead+2*entries > d.size {
		return errDatabase
	}
	item := func(i int64) int64 { return int64(d.order.Uint16(p[bdbPageHead+2*i:])) }
	for i := int64(1); i < entries; i += 2 { // even ones are keys
		at, end := item(i), item(i-1) // items are put down from the end of the page
		if at < bdbPageHead || at >= d.size || end <= at || end > d.size {
			return errDatabase
		}
		switch p[at] {
		case bdbInline:
			if v := p[at+1 : end]; len(v) >= leastRPM {
				if err := each(v); err != nil {
					return err
				}
			}
		case bdbOffPage:
			if at+bdbItemHeader > d.size {
				return errDatabase
			}
			v, err := d.chain(d.order.Uint32(p[at+4:]), d.order.Uint32(p[at+8:]))
			if err != nil {
				return err
			}
			if err := each(v); err != nil {
				return err
			}
		default:
			return errDatabase
		}
	}
	return nil
}

// chain puts together a value that lies on pages of its own. Each page is used once.
func (d *bdb) chain(n, total uint32) ([]byte, error) {
	if int64(total) > int64(len(d.b)) {
		return nil, errDatabase
	}
	out := make([]byte, 0, total)
	for n != 0 && len(out) < int(total) {
		start := int64(n) * d.size
		if d.used[n] || start+d.size > int64(len(d.b)) {
			return nil, errDatabase
		}
		d.used[n] = true
		p := d.b[start : start+d.size]
		size := int64(d.order.Uint16(p[22:]))
		if p[25] != bdbOverflow || bdbPageHead+size > d.size {
			return nil, errDatabase
		}
		out = append(out, p[bdbPageHead:bdbPageHead+size]...)
		n = d.order.Uint32(p[16:])
	}
	if len(out) != int(total) {
		return nil, errDatabase
	}
	return out, nil
}
