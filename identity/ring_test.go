package identity_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"verdict"
	"verdict/identity"
)

// paper is a key that is nothing but its id, kept in a file.
type paper string

func (p paper) KeyID() string { return string(p) }

func ring(t *testing.T) identity.Ring[paper] {
	t.Helper()
	return identity.Ring[paper]{
		Dir: filepath.Join(t.TempDir(), "keys"),
		Create: func(path string) (paper, error) {
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				return "", err
			}
			sum := sha256.Sum256([]byte(rand.Text()))
			id := base64.StdEncoding.EncodeToString(sum[:])
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return "", &verdict.Error{Code: verdict.CodeConflict, What: "there", Remedy: "use it", Err: err}
			}
			_, err = f.WriteString(id)
			return paper(id), errors.Join(err, f.Close())
		},
		Open: func(path string) (paper, error) {
			b, err := os.ReadFile(path)
			if err == nil && len(b) == 0 {
				err = errors.New("empty")
			}
			return paper(b), err
		},
	}
}

func TestTheLocalKeyIsMadeOnce(t *testing.T) {
	r := ring(t)
	if all, err := r.List(); err != nil || len(all) != 0 {
		t.Fatalf("a ring without a folder: %v, %v", all, err)
	}
	first, created, err := r.Local()
	if err != nil || !created {
		t.Fatalf("created %v, %v", created, err)
	}
	again, created, err := r.Local()
	if err != nil || created || again != first {
		t.Errorf("second use: %q, created %v, %v; want %q", again, created, err, first)
	}
}

// TestTwoProcessesAgreeOnTheLocalKey: two keys of one machine would be two producers.
func TestTwoProcessesAgreeOnTheLocalKey(t *testing.T) {
	r := ring(t)
	var wg sync.WaitGroup
	keys := make([]paper, 8)
	for i := range keys {
		wg.Go(func() {
			for keys[i] == "" { // the double does not write atomically, the real one does
				keys[i], _, _ = r.Local()
			}
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] {
			t.Fatalf("keys %q", keys)
		}
	}
}

func TestRotationKeepsTheOldKey(t *testing.T) {
	r := ring(t)
	first, _, err := r.Local()
	if err != nil {
		t.Fatal(err)
	}
	old, fresh, err := r.Rotate(identity.LocalKey)
	if err != nil {
		t.Fatal(err)
	}
	if old != first || fresh == first {
		t.Errorf("rotated %q to %q, first was %q", old, fresh, first)
	}
	if now, created, err := r.Local(); err != nil || created || now != fresh {
		t.Errorf("now %q, %v", now, err)
	}
	if _, _, err := r.Rotate(identity.LocalKey); err != nil {
		t.Fatal(err)
	}
	all, err := r.List()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 3 || !all[0].Current || all[1].Current || all[2].Current {
		t.Fatalf("ring: %+v", all)
	}
	kept := map[paper]bool{all[1].Key: true, all[2].Key: true}
	if !kept[first] || !kept[fresh] {
		t.Errorf("kept %v, want %q and %q", kept, first, fresh)
	}
	if _, _, err := r.Rotate("nobody"); err == nil {
		t.Error("a key that is not there was rotated")
	}
}

// TestARetiredKeyLeavesItsNameAndStays: a revoked key must not go on signing under its
// name, and what it signed must still be attributable to a file.
func TestARetiredKeyLeavesItsNameAndStays(t *testing.T) {
	r := ring(t)
	first, _, err := r.Named("alma")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := r.Retire("alma")
	if err != nil {
		t.Fatal(err)
	}
	if k, err := r.Open(kept); err != nil || k != first {
		t.Errorf("kept %q, %v; want %q", k, err, first)
	}
	if _, err := r.Select("alma"); err == nil {
		t.Error("a retired key is selected by its name")
	}
	if _, err := r.Select(first.KeyID()); err == nil {
		t.Error("a retired key is selected by its id")
	}
	if _, err := r.Retire("alma"); err == nil {
		t.Error("a key that is not there was retired")
	}
	if _, err := r.Retire("../alma"); err == nil {
		t.Error("a name led out of the folder")
	}
	if second, created, err := r.Named("alma"); err != nil || !created || second == first {
		t.Errorf("the name is not free: %q, created %v, %v", second, created, err)
	}
}

func TestSelectTakesAKeyAndNeverAPerson(t *testing.T) {
	r := ring(t)
	local, _, err := r.Local()
	if err != nil {
		t.Fatal(err)
	}
	work, _, err := r.Named("work")
	if err != nil {
		t.Fatal(err)
	}
	old, _, err := r.Rotate("work")
	if err != nil {
		t.Fatal(err)
	}
	for want, key := range map[string]paper{"local": local, string(local): local, string(local)[:8]: local} {
		if got, err := r.Select(want); err != nil || got != key {
			t.Errorf("%s: %q, %v; want %q", want, got, err, key)
		}
	}
	for name, want := range map[string]string{
		"a person": "Ada", "nothing": "", "too little of an id": string(local)[:7], "a replaced key": string(old), "a stranger's id": "rUEHWY110gKrqSThy8hxLkuj2OzktobuxnqxtX8QgHU=",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.Select(want)
			actionable(t, err, verdict.CodeNotFound)
		})
	}
	if old != work {
		t.Errorf("rotated %q, want %q", old, work)
	}
}

func TestOnlyAnEnrolledKeyIsSelectedAsSomebody(t *testing.T) {
	r := ring(t)
	local, _, err := r.Local()
	if err != nil {
		t.Fatal(err)
	}
	var h identity.History
	_, _, err = r.SelectEnrolled("local", &h, 0)
	actionable(t, err, verdict.CodeForbidden)
	e := enrolment(t, "ada", newPEM(t))
	if err := h.Apply(3, day, "", e); err != nil {
		t.Fatal(err)
	}
	r.Open = func(string) (paper, error) { return paper(e.Key), nil }
	if _, _, err = r.SelectEnrolled("local", &h, 2); err == nil {
		t.Error("selected before it was enrolled")
	}
	key, enrolled, err := r.SelectEnrolled("local", &h, 3)
	if err != nil || string(key) != e.Key || enrolled.Person != "ada" {
		t.Errorf("%q of %q, %v (local %q)", key, enrolled.Person, err, local)
	}
}

func TestAKeyFileThatCannotBeOpenedIsNotAbsent(t *testing.T) {
	r := ring(t)
	if _, _, err := r.Local(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.Dir, "broken.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := r.List()
	if err != nil || len(all) != 2 || all[0].Name != "broken" || all[0].Err == nil {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := r.Select("broken"); err == nil {
		t.Error("selected a broken key")
	}
	if _, created, err := r.Named("broken"); err == nil || created {
		t.Errorf("a broken key was replaced: created %v, %v", created, err)
	}
}

func TestNamesOfKeysStayInTheFolder(t *testing.T) {
	r := ring(t)
	for _, name := range []string{"", "../x", "a/b", "A", "a.b", "-x", "a b", "a\n", strings.Repeat("a", 65)} {
		_, created, err := r.Named(name)
		if created {
			t.Errorf("%q was created", name)
		}
		actionable(t, err, verdict.CodeInvalid)
		_, _, err = r.Rotate(name)
		actionable(t, err, verdict.CodeInvalid)
	}
}
