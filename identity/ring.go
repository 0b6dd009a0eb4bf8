package identity

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"verdict"
)

// SigningKey is a key of the ring, as far as this package cares what a key is.
type SigningKey interface {
	// KeyID is base64 of the sha256 of the public key's SubjectPublicKeyInfo.
	KeyID() string
}

// LocalKey is the name of the key that is made when a machine first needs one.
const LocalKey = "local"

const keySuffix = ".pem"

// Ring is a folder of key files, each readable by its owner alone: NAME.pem is the
// current key of that name, NAME.<8 hex digits of its id>.pem an earlier one, kept
// because what it signed stays. Create and Open are evidence.CreateKey and
// evidence.OpenKey, or doubles of them. Two processes may use one ring: Create never
// overwrites a file.
type Ring[K SigningKey] struct {
	Dir    string
	Create func(path string) (K, error)
	Open   func(path string) (K, error)
}

// Entry is one file of the ring.
type Entry[K SigningKey] struct {
	Name    string // without the suffix
	Path    string
	Key     K
	Current bool // false: a key that was replaced
	Err     error
}

// Local gives the machine's own key, and makes it when there is none. Created tells the
// caller to say so: a key nobody has enrolled may state only what the map lets it.
func (r Ring[K]) Local() (key K, created bool, err error) { return r.Named(LocalKey) }

// Named gives the current key of a name, and makes it when there is none.
func (r Ring[K]) Named(name string) (key K, created bool, err error) {
	if err := checkName(name); err != nil {
		return key, false, err
	}
	path := r.path(name)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		key, err = r.Open(path)
		return key, false, err
	}
	key, err = r.Create(path)
	var e *verdict.Error
	if errors.As(err, &e) && e.Code == verdict.CodeConflict { // another process was faster
		key, err = r.Open(path)
		return key, false, err
	}
	return key, err == nil, err
}

func (r Ring[K]) path(name string) string { return filepath.Join(r.Dir, name+keySuffix) }

func checkName(name string) error {
	ok := name != "" && len(name) <= 64 && !strings.HasPrefix(name, "-")
	for _, c := range name {
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_')
	}
	if !ok {
		return invalid(fmt.Sprintf("%q cannot be the name of a key", name), "use lower-case letters, digits, - and _")
	}
	return nil
}

// List gives every key of the ring, current ones first, by name. A file that cannot be
// opened is listed with its error, so that it is not taken for absent.
func (r Ring[K]) List() ([]Entry[K], error) {
	files, err := os.ReadDir(r.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("key ring %s: %w", r.Dir, err)
	}
	var out []Entry[K]
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), keySuffix)
		if !ok || strings.HasPrefix(name, ".") {
			continue
		}
		e := Entry[K]{Name: name, Path: filepath.Join(r.Dir, f.Name()), Current: checkName(name) == nil}
		e.Key, e.Err = r.Open(e.Path)
		out = append(out, e)
	}
	slices.SortStableFunc(out, func(a, b Entry[K]) int {
		if a.Current != b.Current {
			if a.Current {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out, nil
}

// Select gives the one current key that want names: by its id, the start of its id (at
// least eight characters), or its file's name. It never looks at people: who signs is
// whose key it is.
func (r Ring[K]) Select(want string) (key K, err error) {
	all, err := r.List()
	if err != nil {
		return key, err
	}
	var found []Entry[K]
	for _, e := range all {
		if !e.Current {
			continue
		}
		if e.Name == want {
			found = []Entry[K]{e}
			break
		}
		if e.Err == nil && (e.Key.KeyID() == want || len(want) >= 8 && strings.HasPrefix(e.Key.KeyID(), want)) {
			found = append(found, e)
		}
	}
	switch {
	case len(found) == 1:
		return found[0].Key, found[0].Err
	case len(found) > 1:
		return key, invalid(fmt.Sprintf("%q begins the id of %d keys", want, len(found)), "give more of the id: verdict keys list")
	}
	return key, &verdict.Error{
		Code: verdict.CodeNotFound, What: fmt.Sprintf("no key of the ring in %s is %q", r.Dir, want),
		Remedy: "see which there are: verdict keys list; --as takes the id or file name of a key, not a person's name",
	}
}

// SelectEnrolled is Select for a key that counts at an index of the ledger.
func (r Ring[K]) SelectEnrolled(want string, h *History, index int64) (key K, enrolled EnrolledKey, err error) {
	if key, err = r.Select(want); err != nil {
		return key, enrolled, err
	}
	enrolled, ok := h.ValidAt(key.KeyID(), index)
	if !ok {
		var none K
		return none, enrolled, &verdict.Error{
			Code: verdict.CodeForbidden, What: "key " + key.KeyID() + " is not enrolled, or no longer counts",
			Remedy: "let somebody with the right to it enroll the key: verdict people enroll",
		}
	}
	return key, enrolled, nil
}

// Rotate makes a new key of a name and keeps the old one beside it. The caller records
// the rotation in the ledger: until then the new key does not count.
func (r Ring[K]) Rotate(name string) (old, fresh K, err error) {
	if err := checkName(name); err != nil {
		return old, fresh, err
	}
	path := r.path(name)
	if old, err = r.Open(path); err != nil {
		return old, fresh, err
	}
	kept, err := keptName(name, old.KeyID())
	if err != nil {
		return old, fresh, err
	}
	// The new key is complete before the old one gives its name up. A crash between the
	// two renames leaves both keys, under the names that say what they are.
	next := r.path(name + ".next")
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return old, fresh, fmt.Errorf("rotate key %s: %w", name, err)
	}
	if _, err = r.Create(next); err != nil {
		return old, fresh, err
	}
	if err := os.Link(path, r.path(kept)); err != nil && !errors.Is(err, fs.ErrExist) {
		return old, fresh, fmt.Errorf("keep key %s: %w", name, err)
	}
	if err := os.Rename(next, path); err != nil {
		return old, fresh, fmt.Errorf("rotate key %s: %w", name, err)
	}
	fresh, err = r.Open(path)
	return old, fresh, err
}

// Retire takes the current key of a name out of use and keeps its file under the name of
// an earlier key, whose path it gives. The name is then free for another key.
func (r Ring[K]) Retire(name string) (path string, err error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	key, err := r.Open(r.path(name))
	if err != nil {
		return "", err
	}
	kept, err := keptName(name, key.KeyID())
	if err != nil {
		return "", err
	}
	if err := os.Rename(r.path(name), r.path(kept)); err != nil {
		return "", fmt.Errorf("retire key %s: %w", name, err)
	}
	return r.path(kept), nil
}

func keptName(name, keyID string) (string, error) {
	id, err := base64.StdEncoding.DecodeString(keyID)
	if err != nil || len(id) < 4 {
		return "", fmt.Errorf("key id %q of %s is not base64", keyID, name)
	}
	return name + "." + hex.EncodeToString(id[:4]), nil
}
