package git

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"verdict"
)

// The rules that judge a change are those of its base, byte for byte.
func TestReadFolderGivesTheBaseVersion(t *testing.T) {
	s := newRepo(t)
	s.write("policy/deep/b.rego", "bee")
	s.write("policy/empty.rego", "")
	s.write("policy/a b\nc.rego", "odd")
	s.write("policy/README", strings.Repeat("x", 5000))
	s.write("policyx/d.rego", "no")
	s.commit("policy/a.rego", "one\n")
	s.commit("policy/a.rego", "two\n")
	r := s.open("policy")
	rego := func(path string) bool { return strings.HasSuffix(path, ".rego") }
	got, err := r.ReadFolder(t.Context(), "HEAD~1", "policy", 1000, rego)
	must(t, err)
	want := map[string]string{"a.rego": "one\n", "deep/b.rego": "bee", "empty.rego": "", "a b\nc.rego": "odd"}
	if len(got) != len(want) {
		t.Errorf("got %q", got)
	}
	for path, text := range want {
		if string(got[path]) != text {
			t.Errorf("%q is %q, not %q", path, got[path], text)
		}
	}
	for name, says := range map[string]string{"none": "no file", "policy/a.rego": "is a file", "../policy": "not a path", "": "not a path", "policy/": "not a path"} {
		_, err := r.ReadFolder(t.Context(), "HEAD", name, 1000, rego)
		remedied(t, err, says)
		if (says == "no file") != errors.Is(err, ErrNotFound) {
			t.Errorf("%q: ErrNotFound is wrong: %v", name, err)
		}
	}
	_, err = r.ReadFolder(t.Context(), "--output=x", "policy", 1000, rego)
	remedied(t, err, "does not name one revision")
	var e *verdict.Error
	if _, err = r.ReadFolder(t.Context(), "HEAD", "policy", 1000, func(string) bool { return true }); !errors.As(err, &e) || e.Code != verdict.CodeLimit {
		t.Errorf("more than the limit gave %v", err)
	}
	must(t, os.Symlink("a.rego", filepath.Join(s.dir, "policy", "l.rego")))
	must(t, os.Symlink("policy", filepath.Join(s.dir, "linked")))
	s.git("add", "-A")
	s.git("commit", "-q", "-m", "links")
	for _, name := range []string{"policy", "linked"} {
		_, err = r.ReadFolder(t.Context(), "HEAD", name, 1000, rego)
		remedied(t, err, "a symbolic link")
	}
}
