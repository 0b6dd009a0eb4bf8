package git

import "testing"

// A name moves between two questions, and a decision must rest on where it is now.
func TestANameIsAskedForAnew(t *testing.T) {
	s := newRepo(t)
	first := s.commit("a", "1")
	r, err := Open(t.Context(), s.dir)
	must(t, err)
	files := func(rev string) int {
		e, err := r.Entries(t.Context(), rev)
		must(t, err)
		return len(e)
	}
	if files("HEAD") != 1 || files(first) != 1 {
		t.Fatal("the first commit has one file")
	}
	s.commit("b", "2")
	if n := files("HEAD"); n != 2 {
		t.Errorf("HEAD has %d files, as it had before it moved", n)
	}
	if n := files(first); n != 1 {
		t.Errorf("the first commit has %d files now", n)
	}
	if len(r.answers.known) != 1 || r.Top().answers != r.answers {
		t.Errorf("%d answers are kept, want that about the id alone", len(r.answers.known))
	}
}
