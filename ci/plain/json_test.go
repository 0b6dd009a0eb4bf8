package plain

import (
	"encoding/json"
	"strings"
	"testing"
)

// What JSON accepts, encoding/json accepts, and the other way round.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"lockfileVersion":3,"packages":{"":{"name":"web"},"node_modules/a":{"version":"1.0.0","dev":true}}}`, `{"a":[1,-2.5e3,true,null,"\u00e9\n"],"b":{}}`, `{}x`, "[1 2]", `{"a":01}`, "\xff", `"x"`, "{\"a\x00\":1}", `{"a":1,}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		j := NewJSON(text)
		err := j.Skip()
		if err == nil {
			err = j.End()
		}
		if loose := NewJSON(text); err == nil {
			if loose.Loose = true; loose.Skip() != nil || loose.End() != nil || loose.line != j.line {
				t.Errorf("%q is read, but not where comments may stand", text)
			}
		}
		plain := strings.TrimPrefix(string(text), "\xef\xbb\xbf")
		if valid := json.Valid([]byte(plain)); valid != (err == nil) && strings.Count(plain, "[")+strings.Count(plain, "{") < MaxDepth {
			t.Errorf("%q: encoding/json says %v, we say %v", text, valid, err)
		}
	})
}
