package git

import (
	"slices"
	"strings"
	"testing"
)

func TestObjectsAreReadTogetherAndInOrder(t *testing.T) {
	s := newRepo(t)
	head := s.commit("a.txt", "one\n")
	s.commit("b.txt", strings.Repeat("x", 100))
	r := s.open(".")
	a, b := s.git("rev-parse", "HEAD:a.txt"), s.git("rev-parse", "HEAD:b.txt")
	absent := strings.Repeat("0123456789", 4)
	got, err := r.Objects(t.Context(), []string{b, absent, a, head}, 50)
	must(t, err)
	if got[0].Data != nil || got[0].Size != 100 || !got[1].Missing || string(got[2].Data) != "one\n" || got[3].Data != nil || got[3].Kind != "commit" {
		t.Errorf("%+v", got)
	}
	if _, err := r.Objects(t.Context(), []string{"HEAD\n--batch"}, 50); err == nil {
		t.Error("a name was taken for an id")
	}
}

func TestARangeIsWhatHeadAddsToItsBase(t *testing.T) {
	s := newRepo(t)
	base := s.commit("a.txt", "one\ntwo\n")
	one := s.commit("a.txt", "one\nthree\nfour\n")
	head := s.commit("b.txt", "\x00binary")
	r := s.open(".")
	ids, err := r.Between(t.Context(), base, head, 10)
	must(t, err)
	if !slices.Equal(ids, []string{head, one}) {
		t.Errorf("range %v", ids)
	}
	all, err := r.Between(t.Context(), "", head, 1)
	must(t, err)
	if len(all) != 2 {
		t.Errorf("with a limit of 1 there are %d, and one more tells that there are others", len(all))
	}
	added, removed, err := r.Lines(t.Context(), base, head)
	must(t, err)
	if added != 2 || removed != 1 {
		t.Errorf("%d added, %d removed", added, removed)
	}
	if added, _, err := r.Lines(t.Context(), "", base); err != nil || added != 2 {
		t.Errorf("the first commit adds %d lines, %v", added, err)
	}
	for _, bad := range []string{"--all", "a..b"} {
		if _, err := r.Between(t.Context(), base, bad, 1); err == nil {
			t.Errorf("%q was taken for a revision", bad)
		}
	}
}

func TestTwoAddressesOfOneRepositoryAreTheSame(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"https://github.com/acme/shop", "git@github.com:acme/shop.git", true},
		{"https://user:secret@GitHub.com/acme/shop.git", "ssh://git@github.com/acme/shop", true},
		{"https://github.com/acme/shop", "https://github.com/acme/cart", false},
		{"https://github.com/acme/shop", "https://gitlab.com/acme/shop", false},
		{"https://github.com/acme/shop", "https://github.com/Acme/shop", false},
		{"", "", false}, {"https://github.com", "https://github.com", false},
		{"/srv/shop.git", "/srv/shop.git", true},
	} {
		if SameRepository(c.a, c.b) != c.same {
			t.Errorf("%q and %q: same %t", c.a, c.b, !c.same)
		}
	}
}
