// Package blobtest holds the suite that every driver of package blob passes, and a
// store in memory for tests of other rooms.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"verdict"
	"verdict/blob"
)

// Driver is what the suite needs to know of a driver.
type Driver struct {
	// Open gives an empty store with this clock and this limit in bytes.
	Open func(t *testing.T, now func() time.Time, maxSize int64) blob.Store
	// Damage changes at least one byte of a stored blob behind the store's back.
	Damage func(t *testing.T, s blob.Store, d verdict.Digest)
}

// Run runs the suite.
func Run(t *testing.T, d Driver) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"bytes come back as they went in", roundTrip},
		{"a digest that names nothing is not found", notFound},
		{"a name that is no sha256 digest is refused", badNames},
		{"a changed byte is an error and never a result", damaged},
		{"putting a damaged blob again repairs it", repaired},
		{"a blob beyond the limit is refused with a remedy", tooLarge},
		{"the list is complete and in order", listed},
		{"a callback's error ends the list", listStops},
		{"writers of the same bytes do not harm each other", sameBytes},
		{"a delete spares what was put since", deleteSpares},
		{"a sweep removes only after mark, wait and second look", sweepPhases},
		{"a blob that is referred to again is kept", sweepKeepsReferred},
		{"a blob that is put again is kept", sweepKeepsPut},
		{"a sweep that cannot ask removes nothing", sweepCannotAsk},
		{"a put during the removal wins", putDuringSweep},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &bench{Driver: d, at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
			b.s = d.Open(t, b.now, 1<<20)
			c.test(t, b)
		})
	}
}

// bench is one case: a store with a clock that the case moves.
type bench struct {
	Driver
	s  blob.Store
	mu sync.Mutex // guards at
	at time.Time
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.at
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = b.at.Add(d)
}

func (b *bench) put(t *testing.T, s string) verdict.Digest {
	t.Helper()
	d, err := b.s.Put(t.Context(), []byte(s))
	if err != nil {
		t.Fatalf("Put: %v", err)
	}
	return d
}

func roundTrip(t *testing.T, b *bench) {
	big := make([]byte, 1<<20)
	for i := range big {
		big[i] = byte(i * 7)
	}
	for _, in := range [][]byte{{}, []byte("a"), []byte("line\nline\x00"), big} {
		d, err := b.s.Put(t.Context(), in)
		if err != nil || d != blob.DigestOf(in) {
			t.Fatalf("Put of %d bytes: %s, %v", len(in), d, err)
		}
		out, err := b.s.Get(t.Context(), d)
		if err != nil || !bytes.Equal(in, out) {
			t.Errorf("Get of %d bytes gave %d bytes, %v", len(in), len(out), err)
		}
		i, err := b.s.Stat(t.Context(), d)
		if err != nil || i.Digest != d || i.Size != int64(len(in)) || i.Put.Sub(b.now()).Abs() > 2*time.Second {
			t.Errorf("Stat of %d bytes gave %+v, %v", len(in), i, err)
		}
	}
}

func notFound(t *testing.T, b *bench) {
	d := blob.DigestOf([]byte("never put"))
	_, err := b.s.Get(t.Context(), d)
	if !errors.Is(err, blob.ErrNotFound) || verdict.AsError(err).Code != verdict.CodeNotFound {
		t.Errorf("Get: %v", err)
	}
	if _, err := b.s.Stat(t.Context(), d); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("Stat: %v", err)
	}
	if gone, err := b.s.Delete(t.Context(), d, b.now()); gone || err != nil {
		t.Errorf("Delete: %v, %v", gone, err)
	}
}

func badNames(t *testing.T, b *bench) {
	for _, d := range []verdict.Digest{
		"", "sha256:", "sha256:../../../../etc/passwd", "sha256:" + verdict.Digest(strings.Repeat("A", 64)),
		"sha256:" + verdict.Digest(strings.Repeat("a", 63)), "sha512:" + verdict.Digest(strings.Repeat("a", 128)),
		"gitCommit:" + verdict.Digest(strings.Repeat("a", 64)), "sha256:" + verdict.Digest(strings.Repeat("a", 62)+"/."),
	} {
		_, e1 := b.s.Get(t.Context(), d)
		_, e2 := b.s.Stat(t.Context(), d)
		_, e3 := b.s.Delete(t.Context(), d, b.now())
		for _, err := range []error{e1, e2, e3} {
			if err == nil || errors.Is(err, blob.ErrNotFound) || verdict.AsError(err).Code != verdict.CodeInvalid {
				t.Errorf("%q: %v, want CodeInvalid", d, err)
			}
		}
	}
}

func damaged(t *testing.T, b *bench) {
	d := b.put(t, "evidence")
	b.Damage(t, b.s, d)
	out, err := b.s.Get(t.Context(), d)
	if !errors.Is(err, blob.ErrCorrupt) || out != nil {
		t.Errorf("Get gave %q, %v", out, err)
	}
	if e := verdict.AsError(err); e == nil || e.Remedy == "" {
		t.Errorf("no remedy in %v", err)
	}
}

func repaired(t *testing.T, b *bench) {
	d := b.put(t, "evidence")
	b.Damage(t, b.s, d)
	b.put(t, "evidence")
	if out, err := b.s.Get(t.Context(), d); err != nil || string(out) != "evidence" {
		t.Errorf("Get after the repair: %q, %v", out, err)
	}
}

func tooLarge(t *testing.T, b *bench) {
	_, err := b.s.Put(t.Context(), make([]byte, 1<<20+1))
	if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeLimit || e.Remedy == "" {
		t.Errorf("Put: %v", err)
	}
	_ = b.s.List(t.Context(), func(i blob.Info) error {
		t.Errorf("refused, and yet stored: %+v", i)
		return nil
	})
}

func listed(t *testing.T, b *bench) {
	var want []string
	for i := range 600 { // more than one batch of a sweep
		want = append(want, string(b.put(t, fmt.Sprint("blob ", i))))
	}
	slices.Sort(want)
	var got []string
	if err := b.s.List(t.Context(), func(i blob.Info) error { got = append(got, string(i.Digest)); return nil }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %d of %d, or out of order", len(got), len(want))
	}
}

func listStops(t *testing.T, b *bench) {
	b.put(t, "one")
	b.put(t, "two")
	stop := errors.New("enough")
	n := 0
	err := b.s.List(t.Context(), func(blob.Info) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("List: %v after %d calls", err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.s.List(ctx, func(blob.Info) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("List with a cancelled context: %v", err)
	}
}

func sameBytes(t *testing.T, b *bench) {
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 8 {
				text := fmt.Sprint("shared ", j)
				d, err := b.s.Put(t.Context(), []byte(text))
				if err != nil {
					t.Errorf("writer %d: %v", i, err)
					return
				}
				if out, err := b.s.Get(t.Context(), d); err != nil || string(out) != text {
					t.Errorf("writer %d reads %q, %v", i, out, err)
				}
			}
		})
	}
	wg.Wait()
	n := 0
	if err := b.s.List(t.Context(), func(blob.Info) error { n++; return nil }); err != nil || n != 8 {
		t.Errorf("%d blobs stored, want 8 (%v)", n, err)
	}
}
