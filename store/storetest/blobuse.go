package storetest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"

	"verdict/store"
)

func blobDigest(n byte) string { return "sha256:" + hex.EncodeToString(root(n)) }

// used asks which of the first 20 blobs some entry rests on, and some that no entry does.
func used(t testing.TB, s *store.Store) []string {
	t.Helper()
	var ask []string
	for i := range byte(200) { // every size of chunk
		ask = append(ask, blobDigest(i))
	}
	found := map[string]bool{}
	must(t, s.View(t.Context(), func(v *store.View) error {
		return v.UsedBlobs(t.Context(), ask, func(d string) error { found[d] = true; return nil })
	}))
	var out []string
	for i, d := range ask {
		if found[d] {
			out = append(out, fmt.Sprint(i))
		}
	}
	if len(found) != len(out) {
		t.Errorf("blobs that nobody asked about: %v", found)
	}
	return out
}

// blobs has one entry of each sort: one whose statement names blobs, one whose body lies
// in a blob, one that was pruned, one whose foreign bundle lies there, and the same
// ended.
func blobs(t *testing.T, s *store.Store) {
	begun(t, s)
	use := func(digest byte, from, to int64) store.BlobUse {
		return store.BlobUse{Digest: blobDigest(digest), From: from, To: to, Role: "policy"}
	}
	foreign := func(seq int64, bundle byte) store.Entry {
		return entry(seq, func(e *store.Entry) {
			e.ForeignDigest, e.ForeignOrigin, e.ForeignSeq = blobDigest(bundle), "other.example", seq
		})
	}
	write(t, s, 0, store.Batch{
		Entries: []store.Entry{
			entry(0, func(e *store.Entry) { e.Blobs = 2 }),
			entry(1, func(e *store.Entry) { e.Digest, e.Payload = root(11), nil }),
			entry(2, func(e *store.Entry) { e.Digest, e.Payload, e.Leaf, e.ToSeq = root(12), nil, []byte("leaf"), 3 }),
			foreign(3, 13), foreign(4, 14), foreign(5, 15),
			entry(6, func(e *store.Entry) { e.Blobs = -1 }), entry(7, func(e *store.Entry) { e.Blobs = -1 }), entry(8, func(e *store.Entry) { e.Blobs = -1 }),
		},
		Foreign: []store.ForeignBundle{{From: 3, To: store.Open, Size: 1}, {From: 4, To: store.Open, Size: 1, Data: []byte{1}}, {From: 5, To: 8, Size: 1}},
		Uses:    []store.BlobUse{use(1, 0, store.Open), use(2, 0, store.Open), use(3, 0, 5)},
	})
	expect(t, "used", nil, used(t, s), []string{"1", "2", "11", "13"})
	sharedFile(t, s)
	blobUsers(t, s)
	nameLater(t, s, use)
	expect(t, "used, when all is known", nil, used(t, s), []string{"1", "2", "4", "5", "11", "13"})

	var all, some []int64
	must(t, s.View(t.Context(), func(v *store.View) error {
		collect := func(into *[]int64) store.Projections {
			return store.Projections{Use: func(u store.BlobUse) error {
				if u.Role != "policy" || u.Digest == "" || u.To == 0 {
					t.Errorf("%+v", u)
				}
				*into = append(*into, u.From)
				return nil
			}}
		}
		must(t, v.EachProjection(t.Context(), collect(&all)))
		return v.EachProjectionBetween(t.Context(), 6, 8, collect(&some))
	}))
	slices.Sort(all)
	slices.Sort(some)
	expect(t, "rows", nil, all, []int64{0, 0, 0, 6, 6, 8})
	expect(t, "rows between", nil, some, []int64{6, 6})
}

// sharedFile puts one file in the place of another, both of which replicas share. Whoever loses the
// race is told, and a sweep leaves alone what lies in the newest only.
func sharedFile(t *testing.T, s *store.Store) {
	t.Helper()
	first, second := store.SharedFile{Digest: blobDigest(90), Parts: []string{blobDigest(16), blobDigest(17)}}, store.SharedFile{Digest: blobDigest(91), Parts: []string{blobDigest(17), blobDigest(18)}}
	share := func(name string, replaces, x store.SharedFile, want bool) {
		t.Helper()
		did, err := s.ShareFile(t.Context(), "index", replaces, x)
		expect(t, name, err, did, want)
	}
	got, err := s.SharedFile(t.Context(), "index")
	expect(t, "nothing is shared", err, got, store.SharedFile{})
	share("the first", store.SharedFile{}, first, true)
	share("who knew of none", store.SharedFile{}, second, false)
	expect(t, "used by the first", nil, used(t, s), []string{"1", "2", "11", "13", "16", "17"})
	share("the second", first, second, true)
	share("who knew the first", first, store.SharedFile{}, false)
	got, err = s.SharedFile(t.Context(), "index")
	expect(t, "the newest", err, got, second)
	expect(t, "used by the second", nil, used(t, s), []string{"1", "2", "11", "13", "17", "18"})
	late, err := s.LateJobs(t.Context(), 1<<62)
	expect(t, "work that waits", err, len(late), 0)
	share("none", second, store.SharedFile{}, true)
}

// blobUsers asks what the entries are about that name a blob.
func blobUsers(t *testing.T, s *store.Store) {
	var first store.Entry
	must(t, s.View(t.Context(), func(v *store.View) (err error) {
		first, _, err = v.Entry(t.Context(), 0)
		return err
	}))
	of := []store.BlobUser{{Kind: first.Kind, Service: first.Service, Team: first.Team, Environment: first.Environment}}
	for n, want := range map[byte][]store.BlobUser{1: of, 2: of, 3: nil /* its entry ended */, 9: nil, 11: nil /* a body is no statement's to name */} {
		var got []store.BlobUser
		must(t, s.View(t.Context(), func(v *store.View) (err error) {
			got, err = v.BlobUsers(t.Context(), blobDigest(n), 10)
			return err
		}))
		expect(t, fmt.Sprint("who names blob ", n), nil, got, want)
	}
	must(t, s.View(t.Context(), func(v *store.View) error {
		got, err := v.BlobUsers(t.Context(), blobDigest(1), 0)
		expect(t, "of none of them", err, len(got), 0)
		return nil
	}))
}

// nameLater finds out what the entries 6 to 8 name.
func nameLater(t *testing.T, s *store.Store, use func(byte, int64, int64) store.BlobUse) {
	t.Helper()
	broken := errors.New("broken")
	if _, err := s.NameBlobs(t.Context(), 2, func([]store.Entry) ([]store.Named, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("a plan that fails: %v", err)
	}
	var seen []int64
	for _, want := range []int{2, 1, 0} {
		n, err := s.NameBlobs(t.Context(), 2, func(entries []store.Entry) (out []store.Named, err error) {
			for _, e := range entries {
				seen = append(seen, e.Seq)
				n := store.Named{Seq: e.Seq}
				if e.Seq == 6 {
					// The row of an earlier attempt is written over.
					n.Uses = []store.BlobUse{use(4, 6, 9), use(5, 6, store.Open), use(4, 6, store.Open)}
				}
				if e.Seq == 8 {
					n.Uses = []store.BlobUse{use(4, 8, store.Open)}
				}
				if string(e.Payload) != string(entry(e.Seq, nil).Payload) || e.Signature == nil {
					t.Errorf("without its body: %+v", e)
				}
				out = append(out, n)
			}
			return out, nil
		})
		expect(t, "entries of which it is not known", err, n, want)
	}
	expect(t, "named", nil, seen, []int64{6, 7, 8})
	must(t, s.View(t.Context(), func(v *store.View) error {
		for seq, want := range map[int64]int64{0: 2, 3: 0, 6: 3, 7: 0, 8: 1} {
			e, _, err := v.Entry(t.Context(), seq)
			expect(t, fmt.Sprint("how many entry ", seq, " names"), err, e.Blobs, want)
		}
		return nil
	}))
}
