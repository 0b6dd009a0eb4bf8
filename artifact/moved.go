package artifact

import (
	"slices"
	"time"

	"verdict"
)

// Sighting is what a tag named when somebody recorded it.
type Sighting struct {
	Image verdict.Image
	At    time.Time // when it was recorded
	Entry int64     // in the ledger
}

// Move is a tag that names another digest than it was recorded to name.
type Move struct {
	Name  string         `json:"name"`
	Tag   string         `json:"tag"`
	From  verdict.Digest `json:"from"`  // that it was recorded to name
	At    time.Time      `json:"at"`    // of that record
	Entry int64          `json:"entry"` // of that record
	To    verdict.Digest `json:"to"`    // that it names now
}

// Moved compares what a tag names now with what it was last recorded to name; nil when
// that is the same, or nothing of the tag was recorded. The digests of an image and of
// the index that holds it are two: a tag that is asked for its index stays at its index.
func Moved(recorded []Sighting, now verdict.Image) *Move {
	if now.Tag == "" {
		return nil
	}
	recorded = slices.DeleteFunc(slices.Clone(recorded), func(s Sighting) bool {
		return s.Image.Name != now.Name || s.Image.Tag != now.Tag
	})
	if len(recorded) == 0 {
		return nil
	}
	last := slices.MaxFunc(recorded, func(a, b Sighting) int { return int(a.Entry - b.Entry) })
	if last.Image.Digest == now.Digest {
		return nil
	}
	return &Move{Name: now.Name, Tag: now.Tag, From: last.Image.Digest, At: last.At, Entry: last.Entry, To: now.Digest}
}
