package layers

import (
	"encoding/binary"
	"fmt"
)

const sqliteMagic = "SQLite format 3\x00"

// sqliteHeaders reads the table Packages of an SQLite file, by "Database File Format":
// the schema on page 1 names the root page of the table, whose leaves hold the rows.
func sqliteHeaders(b []byte, each func(header []byte) error) error {
	if len(b) < 512 {
		return errDatabase
	}
	size := int64(binary.BigEndian.Uint16(b[16:]))
	if size == 1 {
		size = 64 << 10
	}
	usable := size - int64(b[20])
	if size < 512 || size&(size-1) != 0 || usable < 480 {
		return errDatabase
	}
	d := &sqlite{b: b, size: size, usable: usable, used: map[uint32]bool{}}
	var root uint32
	err := d.table(1, 0, func(row []column) error {
		if len(row) >= 4 && string(row[0].bytes) == "table" && string(row[1].bytes) == "Packages" {
			root = uint32(row[3].number)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if root == 0 {
		return fmt.Errorf("%w: it has no table Packages", errDatabase)
	}
	return d.table(root, 0, func(row []column) error {
		if len(row) < 2 || row[1].bytes == nil {
			return errDatabase
		}
		return each(row[1].bytes)
	})
}

// sqlite is a database in memory. Each page is used once, so a loop among them ends.
type sqlite struct {
	b            []byte
	size, usable int64
	used         map[uint32]bool
}

// column is one value of a row: text and blobs as bytes, whole numbers as number.
type column struct {
	bytes  []byte
	number int64
}

func (d *sqlite) page(n uint32) ([]byte, error) {
	start := (int64(n) - 1) * d.size
	if n == 0 || d.used[n] || start+d.size > int64(len(d.b)) {
		return nil, errDatabase
	}
	d.used[n] = true
	return d.b[start : start+d.size], nil
}

// The kinds of page of a table.
const (
	sqliteInterior = 0x05
	sqliteLeaf     = 0x0d
	maxTreeDepth   = 30
)

// table walks the tree of a table from its root.
func (d *sqlite) table(n uint32, depth int, row func([]column) error) error {
	p, err := d.page(n)
	if err != nil || depth > maxTreeDepth {
		return errDatabase
	}
	head := int64(0)
	if n == 1 {
		head = 100
	}
	kind, cells := p[head], int64(binary.BigEndian.Uint16(p[head+3:]))
	first := head + 8
	if kind == sqliteInterior {
		first = head + 12
	} else if kind != sqliteLeaf {
		return errDatabase
	}
	if first+2*cells > d.usable {
		return errDatabase
	}
	for i := range cells {
		at := int64(binary.BigEndian.Uint16(p[first+2*i:]))
		if at < first || at+4 > d.usable {
			return errDatabase
		}
		if kind == sqliteInterior {
			if err := d.table(binary.BigEndian.Uint32(p[at:]), depth+1, row); err != nil {
				return err
			}
			continue
		}
		payload, err := d.payload(p, at)
		if err != nil {
			return err
		}
		columns, err := record(payload)
		if err != nil {
			return err
		}
		if err := row(columns); err != nil {
			return err
		}
	}
	if kind == sqliteInterior {
		return d.table(binary.BigEndian.Uint32(p[head+8:]), depth+1, row)
	}
	return nil
}

// payload puts a cell of a leaf together with the pages that it overflows to.
func (d *sqlite) payload(p []byte, at int64) ([]byte, error) {
	total, n := varint(p[at:d.usable])
	if n == 0 || total < 0 || total > int64(len(d.b)) {
		return nil, errDatabase
	}
	at += n
	if _, n = varint(p[at:d.usable]); n == 0 {
		return nil, errDatabase
	}
	at += n
	local := total
	if most := d.usable - 35; total > most {
		least := (d.usable-12)*32/255 - 23
		if local = least + (total-least)%(d.usable-4); local > most {
			local = least
		}
	}
	if at+local > d.usable || local < total && at+local+4 > d.usable {
		return nil, errDatabase
	}
	if local == total {
		return p[at : at+local], nil
	}
	out := append(make([]byte, 0, total), p[at:at+local]...)
	next := binary.BigEndian.Uint32(p[at+local:])
	for int64(len(out)) < total {
		o, err := d.page(next)
		if err != nil {
			return nil, err
		}
		out = append(out, o[4:4+min(total-int64(len(out)), d.usable-4)]...)
		next = binary.BigEndian.Uint32(o)
	}
	return out, nil
}

// maxColumns bounds a row: those of the schema have five.
const maxColumns = 32

// record reads the columns of a row.
func record(b []byte) ([]column, error) {
	head, n := varint(b)
	if n == 0 || head < n || head > int64(len(b)) {
		return nil, errDatabase
	}
	types, data := b[n:head], b[head:]
	var out []column
	for len(types) > 0 {
		t, n := varint(types)
		if n == 0 || t < 0 || len(out) >= maxColumns {
			return nil, errDatabase
		}
		types = types[n:]
		size := int64(0)
		switch {
		case t >= 12:
			size = (t - 12) / 2
		case t == 5:
			size = 6
		case t == 6 || t == 7:
			size = 8
		case t <= 4:
			size = t
		}
		if size > int64(len(data)) {
			return nil, errDatabase
		}
		var c column
		switch v := data[:size]; {
		case t >= 12:
			c.bytes = v
		case t == 9:
			c.number = 1
		case t >= 1 && t <= 6:
			for _, x := range v {
				c.number = c.number<<8 | int64(x)
			}
		}
		out, data = append(out, c), data[size:]
	}
	return out, nil
}

// varint reads SQLite's form: seven bits a byte, the highest first, eight bits in the ninth.
func varint(b []byte) (v, n int64) {
	for i := range min(len(b), 9) {
		if i == 8 {
			return v<<8 | int64(b[8]), 9
		}
		v = v<<7 | int64(b[i]&0x7f)
		if b[i] < 0x80 {
			return v, int64(i) + 1
		}
	}
	return 0, 0
}
