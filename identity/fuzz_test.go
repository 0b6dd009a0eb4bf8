package identity_test

import (
	"encoding/json"
	"testing"
	"time"

	"verdict"
	"verdict/identity"
)

// What evidence says of keys and of roles is somebody's word until it is checked: whatever it is,
// it is refused in words, and gives nobody more than it says.
func FuzzPredicates(f *testing.F) {
	f.Add([]byte(`{"action":"enroll","person":"jane","key":"k","public_pem":"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"}`))
	f.Add([]byte(`{"action":"revoke","key":"k","reason":"lost"}`))
	f.Add([]byte(`{"id":"r","subject":"person:jane","role":"admin","scope":{"services":["*"],"teams":[],"environments":["*"]},"given":true,"by":"a","reason":"r","at":"2026-03-01T12:00:00Z"}`))
	f.Add([]byte(`{"subject":"key:","role":"root","given":true}`))
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text []byte) {
		var e identity.KeyEvent
		var h identity.History
		if json.Unmarshal(text, &e) == nil {
			if err := h.Apply(0, at, "signer", e); err != nil {
				if x := verdict.AsError(err); x.Code == verdict.CodeInternal {
					t.Fatalf("%+v", x)
				}
				if len(h.Keys()) != 0 {
					t.Fatalf("%s is refused, and counts", text)
				}
			}
		}
		var c identity.RoleChange
		if json.Unmarshal(text, &c) != nil {
			return
		}
		err := c.Check()
		if x := verdict.AsError(err); err != nil && (x.Code == verdict.CodeInternal || x.Remedy == "") {
			t.Fatalf("%+v", x)
		}
		if err == nil && (c.Subject == "" || len(c.Subject) > 200) {
			t.Fatalf("%s is a change of roles", text)
		}
	})
}
