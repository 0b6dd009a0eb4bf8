package ci

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"verdict"
)

// remembered knows which contents were searched before and held nothing. Only what is
// clean is remembered: a finding is found anew each time, so that no file can hide it
// and none holds it. It counts for one rule set and one version of Verdict; whoever can
// write into the data folder could forge it, as everything else there.
type remembered struct {
	head string
	old  map[[16]byte]bool
	mu   sync.Mutex // guards met
	met  map[[16]byte]bool
}

// maxRemembered bounds the file: 64 MiB.
const maxRemembered = 4 << 20

// memory is what is kept of a content under a path.
func memory(id, path string) [16]byte {
	sum := sha256.Sum256([]byte(id + "\x00" + path))
	return [16]byte(sum[:16])
}

// recall reads the file. One that is of other rules, or damaged, is as none.
func recall(file string, rules verdict.Digest, version string) *remembered {
	r := &remembered{head: fmt.Sprintf("searched contents v1 %s %q\n", rules, version), old: map[[16]byte]bool{}, met: map[[16]byte]bool{}}
	if file == "" {
		return r
	}
	info, err := os.Stat(file)
	if err != nil || info.Size() > maxRemembered*16+4096 {
		return r
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return r
	}
	body, found := bytes.CutPrefix(data, []byte(r.head))
	if n := len(body) - sha256.Size; !found || n < 0 || n%16 != 0 || sha256.Sum256(data[:len(data)-sha256.Size]) != [sha256.Size]byte(body[n:]) {
		return r
	}
	for body = body[:len(body)-sha256.Size]; len(body) > 0; body = body[16:] {
		r.old[[16]byte(body[:16])] = true
	}
	return r
}

// holds reports whether the content was clean, and keeps it for the next time.
func (r *remembered) holds(m [16]byte) bool {
	if r.old[m] {
		r.add(m)
	}
	return r.old[m]
}

func (r *remembered) add(m [16]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.met[m] = true
}

// save writes what this run met, and as much of what was known before as there is room
// for. It replaces the file in one step.
func (r *remembered) save(file string) error {
	if file == "" {
		return nil
	}
	out := bytes.NewBufferString(r.head)
	n := 0
	for _, list := range []map[[16]byte]bool{r.met, r.old} {
		for m := range list {
			if n == maxRemembered || n >= len(r.met) && r.met[m] {
				continue
			}
			out.Write(m[:])
			n++
		}
	}
	sum := sha256.Sum256(out.Bytes())
	out.Write(sum[:])
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(out.Bytes())
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		if gone := os.Remove(f.Name()); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}
