package decide

import (
	"bytes"
	"encoding/json"
	"slices"
)

// encode writes the predicate as encoding/json does, but for the input: that is canonical
// JSON of our own making, and by far the largest part, so it is put in as it is.
func (r recorded) encode() (json.RawMessage, error) {
	input := r.Basis.Input
	if len(input) == 0 {
		input = json.RawMessage("null")
	}
	r.Basis.Input = json.RawMessage("null")
	decision, err := plain(r.Decision)
	if err != nil {
		return nil, err
	}
	basis, err := plain(r.Basis)
	if err != nil {
		return nil, err
	}
	blobs, err := plain(r.Basis.Blobs)
	if err != nil {
		return nil, err
	}
	end := `,"blobs":` + string(blobs) + `}`
	head := bytes.TrimSuffix(basis, []byte("null"+end))
	out := slices.Grow(decision[:len(decision)-1:len(decision)-1], len(head)+len(input)+len(end)+256)
	out = append(out, `,"basis":`...)
	out = append(append(append(out, head...), input...), end...)
	if len(r.Declared) > 0 {
		declared, err := plain(r.Declared)
		if err != nil {
			return nil, err
		}
		out = append(append(out, `,"declared":`...), declared...)
	}
	return append(out, '}'), nil
}

// plain is v as JSON in which no more is escaped than has to be.
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}
