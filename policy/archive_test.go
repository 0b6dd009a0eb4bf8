package policy_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"maps"
	"strings"
	"testing"

	"verdict"
	"verdict/policy"
)

// packed makes an archive of headers and contents in turn.
func packed(t testing.TB, zipped bool, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		text := h.Linkname
		if h.Typeflag == 0 {
			h.Typeflag, h.Linkname, h.Size = tar.TypeReg, "", int64(len(text))
		}
		h.Mode = 0o644
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !zipped {
		return b.Bytes()
	}
	var z bytes.Buffer
	c := gzip.NewWriter(&z)
	if _, err := c.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return z.Bytes()
}

// file is an entry whose content stands in Linkname until packed writes it.
func file(name, text string) tar.Header { return tar.Header{Name: name, Linkname: text} }

// A bundle in an archive is the one in the folder that it was made from: the same pin.
func TestAnArchiveHoldsTheBundleOfItsFolder(t *testing.T) {
	want := map[string]string{"a.rego": "package a", "sub/b.rego": "package b", "a.cases.yaml": "x"}
	for _, zipped := range []bool{false, true} {
		got, err := policy.LoadArchive(packed(t, zipped,
			tar.Header{Name: "./", Typeflag: tar.TypeDir}, file("./a.rego", "package a"), file("./README.md", "x"), file("./.git/c.rego", "x"), file("sub/b.rego", "package b"),
			file("a.cases.yaml", "x"), tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}))
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("zipped %v: %q, %v", zipped, got, err)
		}
		if policy.DigestOf(got) != policy.DigestOf(want) {
			t.Error("the digest is another one")
		}
	}
}

// What would be read in one way here and in another there decides nothing.
func TestAnArchiveThatIsNoBundleIsRefused(t *testing.T) {
	whole := packed(t, true, file("a.rego", "package a"))
	for name, c := range map[string]struct {
		content []byte
		code    verdict.Code
	}{
		"nothing":                  {nil, verdict.CodeNotFound},
		"no archive":               {[]byte(strings.Repeat("rules ", 200)), verdict.CodeInvalid},
		"half an archive":          {whole[:len(whole)-12], verdict.CodeInvalid},
		"no rules":                 {packed(t, false, file("README", "x")), verdict.CodeNotFound},
		"a path out of it":         {packed(t, false, file("../a.rego", "x")), verdict.CodeInvalid},
		"a path from the top":      {packed(t, false, file("/a.rego", "x")), verdict.CodeInvalid},
		"a file twice":             {packed(t, false, file("a.rego", "x"), file("./a.rego", "y")), verdict.CodeInvalid},
		"a link for a rule":        {packed(t, false, tar.Header{Name: "a.rego", Typeflag: tar.TypeSymlink, Linkname: "b.rego"}), verdict.CodeLimit},
		"a rule that is too large": {packed(t, true, file("a.rego", strings.Repeat("x", 1<<20+1))), verdict.CodeLimit},
		"more than it may hold":    {packed(t, true, file("huge", strings.Repeat("x", 2*policy.MaxBytes)), file("a.rego", "package a")), verdict.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := policy.LoadArchive(c.content)
			if err == nil {
				t.Fatal("accepted")
			}
			if e := verdict.AsError(err); e.Code != c.code || e.Remedy == "" {
				t.Errorf("%v has code %s, want %s", err, e.Code, c.code)
			}
		})
	}
}

// Whatever bytes a repository holds, they are a bundle of plain paths or an error.
func FuzzLoadArchive(f *testing.F) {
	f.Add(packed(f, false, file("a.rego", "package a")))
	f.Add(packed(f, true, file("sub/a.cases.yaml", "x")))
	f.Fuzz(func(t *testing.T, content []byte) {
		files, err := policy.LoadArchive(content)
		if err == nil && len(files) == 0 {
			t.Error("an empty bundle")
		}
		for name := range files {
			if strings.HasPrefix(name, "/") || strings.Contains(name, "..") && strings.Contains(name, "../") {
				t.Errorf("%q", name)
			}
		}
	})
}
