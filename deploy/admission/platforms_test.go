package admission

import (
	"testing"
	"time"

	"verdict"
)

const builderKey = "BBBBFUPJ0lyE7cVmuSN9Xg8XWHqQYf6kG1yQhRJxg3g="

const builder = `  - {name: builder, key: "` + builderKey + `", kinds: [image], services: [web], environments: []}` + "\n"

// A cluster that pins the manifest of its platform runs what was promoted as an index. What only
// somebody says whom the map does not let state images brings nothing in.
func TestAManifestOfAPromotedIndexGoesIn(t *testing.T) {
	b := newBed(t, "block", builder)
	b.log.decided("d-index", "prod", "a", verdict.Allow)
	b.log.indexed(builderKey, "a", "b", "c")
	b.log.indexed(strangeKey, "a", "d")
	b.log.decided("d-no", "prod", "c", verdict.Deny)
	b.log.decided("d-over", "prod", "e", verdict.Allow, expires(noon.Add(-time.Hour)))
	b.log.indexed(builderKey, "e", "f")
	b.log.decided("d-manifest", "prod", "1", verdict.Allow)
	b.log.indexed(builderKey, "2", "1", "3")
	b.caughtUp(t)
	for name, c := range map[string]struct{ digest, answer, decision string }{
		"its index was promoted":                      {"b", Promoted, "d-index"},
		"the gate said no of the manifest itself":     {"c", Unpromoted, "d-no"},
		"nobody who may says that the index names it": {"d", Unpromoted, ""},
		"the promotion of its index is over":          {"f", Unpromoted, ""},
		"an index of which one manifest was promoted": {"2", Unpromoted, ""},
		"another manifest beside the one that may":    {"3", Unpromoted, ""},
		"the manifest itself was promoted":            {"1", Promoted, "d-manifest"},
		"the index itself":                            {"a", Promoted, "d-index"},
	} {
		a := b.asks(t, creates("web", image(c.digest)))
		if f := a.Findings[0]; f.Answer != c.answer || f.Decision != c.decision || a.Allowed != (c.answer == Promoted) {
			t.Errorf("%s: %v %+v", name, a.Allowed, f)
		}
	}
	if a := b.asks(t, creates("web-staging", image("b"))); a.Allowed {
		t.Error("an index that was promoted to prod lets its manifest into staging")
	}

	// What is learned later counts from then on, and what ran by it is scheduled again.
	b.log.indexed(builderKey, "a", "4")
	b.caughtUp(t)
	if a := b.asks(t, creates("web", image("4"))); !a.Allowed {
		t.Errorf("a manifest that was recorded later is not let in: %s", a.Message)
	}
	b.log.decided("d-back", "prod", "a", verdict.Deny)
	b.caughtUp(t)
	if a := b.asks(t, creates("web", image("4"))); a.Allowed {
		t.Error("the index was taken back, and its manifest goes in anew")
	}
}
