package blobtest

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Objects is what a stand-in for an object store keeps: named bytes, each with a
// generation that changes with each write.
type Objects struct {
	Now func() time.Time

	mu   sync.Mutex // guards what follows
	last int64
	all  map[string]StoredObject
}

// StoredObject is one of Objects.
type StoredObject struct {
	Name       string
	Bytes      []byte
	Put        time.Time
	Generation int64
}

// Write stores an object, unless one is there and fresh asks for a new one.
func (o *Objects) Write(name string, b []byte, fresh bool) (StoredObject, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if is, there := o.all[name]; there && fresh {
		return is, false
	}
	if o.all == nil {
		o.all = map[string]StoredObject{}
	}
	o.last++
	o.all[name] = StoredObject{name, b, o.Now().UTC(), o.last}
	return o.all[name], true
}

// Read gives an object.
func (o *Objects) Read(name string) (StoredObject, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	is, there := o.all[name]
	return is, there
}

// Delete removes an object of that generation; there says whether there is one of the name.
func (o *Objects) Delete(name string, generation int64) (there, gone bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	is, there := o.all[name]
	if gone = there && is.Generation == generation; gone {
		delete(o.all, name)
	}
	return there, gone
}

// Page lists up to most objects below a prefix behind a name; next is empty at the end.
func (o *Objects) Page(prefix, after string, most int) (page []StoredObject, next string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, is := range o.all {
		if strings.HasPrefix(name, prefix) && name > after {
			page = append(page, is)
		}
	}
	slices.SortFunc(page, func(a, b StoredObject) int { return strings.Compare(a.Name, b.Name) })
	if len(page) > most {
		page = page[:most]
		next = page[most-1].Name
	}
	return page, next
}

// Damage flips one bit of an object, as a bad disk would.
func (o *Objects) Damage(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	is := o.all[name]
	is.Bytes = slices.Clone(is.Bytes)
	is.Bytes[0] ^= 1
	o.all[name] = is
}
