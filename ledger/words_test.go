package ledger_test

import (
	"slices"
	"testing"

	"verdict/ledger"
)

// What is remembered of one artifact's components must not become another's, nor lose what
// a later bill brought.
func TestWhatIsListedIsTheSameWhenItIsAskedAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		l := b.shipped()
		listed := func(l *ledger.Ledger, name string) []string {
			x, err := l.Listed(t.Context(), subject(name).Digest, ledger.Now, nil)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, c := range x.Components {
				out = append(out, c.Ecosystem+" "+c.Name+" "+c.Version+c.Licence)
			}
			return out
		}
		want := map[string][]string{"a": {"npm lodash 4.17.21"}, "b": {"Go golang.org/x/net v0.30.0", "pkg:deb debian/openssl 3.0.1"}, "c": nil, "d": {"npm lodash 4.17.19"}}
		for range 2 {
			for name, w := range want {
				if got := listed(l, name); !slices.Equal(got, w) {
					t.Errorf("%s lists %q, want %q", name, got, w)
				}
			}
		}
		b.append(l, b.billOf("d", "complete", "pkg:npm/lodash@4.17.21 MIT", "pkg:npm/lodash@4.17.19 GPL-3.0-only"))
		if got := listed(l, "d"); !slices.Equal(got, []string{"npm lodash 4.17.19", "npm lodash 4.17.21"}) {
			t.Errorf("after a later bill: %q", got)
		}
	})
}
