package ledger

import (
	"context"
	"fmt"

	"verdict"
	"verdict/store"
)

// asKnown takes back what the row of an entry does not know yet: one that was recorded by
// a version without these rows has none, and Sweep makes them from the body.
func (p *projection) asKnown(r store.Entry) {
	if r.Blobs < 0 {
		p.uses, p.entry.Blobs = nil, r.Blobs
	}
	if r.Bills < 0 {
		p.bill, p.entry.Bills = nil, r.Bills
	}
}

// named keeps which blobs the statements of the piece name.
func (p *piece) named(uses []store.BlobUse) {
	for _, u := range uses {
		if !p.used[u.Digest] {
			p.used[u.Digest] = true
			p.uses = append(p.uses, u)
		}
	}
}

// blobs looks whether blobs that statements name are there and whole: each once, told of
// the first entry that names it.
func (x *verification) blobs(ctx context.Context, uses []store.BlobUse) {
	for _, u := range uses {
		if x.looked[u.Digest] {
			continue
		}
		x.looked[u.Digest] = true
		_, err := x.from.blob(ctx, verdict.Digest(u.Digest))
		what, are := fmt.Sprintf("the %s that entry %d rests on", u.Role, u.From), "is"
		if u.Role == roleRules {
			are = "are"
		}
		switch {
		case err == nil:
			x.report.Blobs++
		case lostBlob(err):
			x.problem(u.From, remedyBlobs, "%s %s lost, as for every later entry that names the same: %v", what, are, err)
		default:
			x.unchecked(u.From, remedyBlobs, "%s could not be checked: %v", what, err)
		}
	}
}
