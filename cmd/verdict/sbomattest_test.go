package main

import (
	"strings"
	"testing"

	"verdict"
	"verdict/sbom"
)

// Whether a bill is that of what it is stated of is told by digests alone: names can be
// the same.
func TestABillOfAnotherDigestIsRefused(t *testing.T) {
	one, two := verdict.NewDigest("sha256", strings.Repeat("1", 64)), verdict.NewDigest("sha256", strings.Repeat("2", 64))
	commit, long := verdict.NewDigest("gitCommit", strings.Repeat("3", 40)), verdict.NewDigest("sha512", strings.Repeat("4", 128))
	for _, c := range []struct {
		what  string
		named []verdict.Digest
		about []verdict.Subject
		note  string // empty: refused
	}{
		{"the same digest", []verdict.Digest{one}, []verdict.Subject{{Digest: one}}, "names this digest"},
		{"one of several that it names", []verdict.Digest{two, one}, []verdict.Subject{{Digest: one}}, "names this digest"},
		{"one of several subjects", []verdict.Digest{one}, []verdict.Subject{{Digest: two}, {Digest: one}}, "names this digest"},
		{"another name of the subject", []verdict.Digest{two}, []verdict.Subject{{Digest: one, Also: []verdict.Digest{two}}}, "names this digest"},
		{"another digest", []verdict.Digest{one}, []verdict.Subject{{Digest: two}}, ""},
		{"another digest beside one that cannot be compared", []verdict.Digest{one, long}, []verdict.Subject{{Digest: two}}, ""},
		{"none", nil, []verdict.Subject{{Digest: one}}, "names no digest"},
		{"the commit that an artifact was built from", []verdict.Digest{commit}, []verdict.Subject{{Digest: one}}, "cannot be compared"},
		{"another commit", []verdict.Digest{commit}, []verdict.Subject{{Digest: verdict.NewDigest("gitCommit", strings.Repeat("5", 40))}}, ""},
	} {
		b := attestedBill{bill: &sbom.Bill{Subject: sbom.BillSubject{Digests: c.named}}}
		var digests []verdict.Digest
		for _, s := range c.about {
			digests = append(append(digests, s.Digest), s.Also...)
		}
		err := b.isOf(digests)
		if (err == nil) != (c.note != "") || !strings.Contains(b.note, c.note) {
			t.Errorf("%s: %q, %v", c.what, b.note, err)
		}
		if e := verdict.AsError(err); err != nil && (e.Code != verdict.CodeInvalid || e.Remedy == "") {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}
