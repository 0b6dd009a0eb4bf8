package ledger_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
)

// liar shows a log as it is, but for what it changes.
type liar struct {
	ledger.Afar
	shown func(*ledger.Shown)
	keys  func([]ledger.PlacedEvent) []ledger.PlacedEvent
	body  func(*ledger.Body) bool // false: it is withheld
	tile  func(epoch int64, t tlog.Tile, data []byte) []byte
	fails error // from entry 270 on
}

func (l liar) Shown(ctx context.Context) (ledger.Shown, error) {
	s, err := l.Afar.Shown(ctx)
	if l.shown != nil {
		l.shown(&s)
	}
	return s, err
}

func (l liar) KeyEvents(ctx context.Context, from int64) ([]ledger.PlacedEvent, error) {
	e, err := l.Afar.KeyEvents(ctx, from)
	if l.keys != nil {
		e = l.keys(e)
	}
	return e, err
}

func (l liar) Each(ctx context.Context, from, to int64, each func(ledger.Body) error) error {
	return l.Afar.Each(ctx, from, to, func(b ledger.Body) error {
		if l.fails != nil && b.Index >= 270 {
			return l.fails
		}
		if l.body != nil && !l.body(&b) {
			return nil
		}
		return each(b)
	})
}

func (l liar) EpochTile(ctx context.Context, epoch int64, t tlog.Tile) ([]byte, error) {
	data, err := l.Afar.EpochTile(ctx, epoch, t)
	if l.tile != nil && err == nil {
		data = l.tile(epoch, t, bytes.Clone(data))
	}
	return data, err
}

// rich is a log of two epochs, the first of 307 entries with bundles of others and bodies in
// blobs. Three positions between the two are lost.
func (b *bed) rich(t *testing.T) *ledger.Ledger {
	t.Helper()
	l := b.filled(300) // positions 0 to 301
	other := newBed(t)
	noise := make([]byte, 600<<10)
	if _, err := newNoise().Read(noise); err != nil {
		t.Fatal(err)
	}
	b.append(l, b.sign(b.key, verdict.KindSBOM, map[string]any{"noise": noise}, subject("large")))
	for _, x := range []*evidence.Bundle{other.other(10), other.sign(other.key, verdict.KindSBOM, map[string]any{"noise": noise}, subject("large"))} {
		if _, err := l.Ingest(t.Context(), x, evidence.Producer{Key: other.key.KeyID()}, b.key, b.context()); err != nil {
			t.Fatal(err)
		}
	}
	second, err := evidence.CreateKey(filepath.Join(t.TempDir(), "second.pem"))
	if err != nil {
		t.Fatal(err)
	}
	b.append(l, b.enrolment(second, b.key))
	b.append(l, b.sign(second, verdict.KindTestResult, map[string]any{"x": 1}, subject("a")))
	l.Close()
	data := filepath.Dir(b.database())
	copyFolder(t, data, filepath.Join(b.folder, "backup"))
	l = b.open()
	for range 3 {
		b.append(l, b.other(10))
	}
	l.Close()
	copyFolder(t, filepath.Join(b.folder, "backup"), data)
	b.newEpoch(t)
	l = b.open()
	t.Cleanup(func() { l.Close() })
	for range 300 {
		b.append(l, b.other(10))
	}
	return l
}

func afar(t *testing.T, a ledger.Afar, seen []ledger.Seen, o ledger.VerifyOptions) (ledger.VerifyReport, []ledger.Seen) {
	t.Helper()
	o.Signatures = true
	r, seen, err := ledger.VerifyAfar(t.Context(), a, seen, o)
	if err != nil {
		t.Fatal(err)
	}
	return r, seen
}

// Whoever is not let near the database must be able to find out by himself that the log holds.
func TestALogThatSomebodyElseKeepsIsVerifiedAsOnesOwn(t *testing.T) {
	b := newBed(t)
	l := b.rich(t)
	own, err := l.Verify(t.Context(), ledger.VerifyOptions{Signatures: true})
	if err != nil || !own.Holds() {
		t.Fatalf("%+v, %v", own, err)
	}
	r, seen := afar(t, l, nil, ledger.VerifyOptions{})
	if len(r.Problems) != 0 || len(r.Unchecked) != 1 || r.Anchor != "absent" || !strings.Contains(r.Unchecked[0].What, "for the first time") || len(seen) != 1 {
		t.Fatalf("seen for the first time: %+v, %+v", r, seen)
	}
	kept, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r, _ := afar(t, l, nil, ledger.VerifyOptions{Against: []byte(kept.Note)}); !r.Holds() || !r.Against.Continues {
		t.Errorf("against a checkpoint that was kept: %+v", r)
	}
	b.append(l, b.other(10))
	r, later := afar(t, l, seen, ledger.VerifyOptions{})
	if !r.Holds() || r.Anchor != "agrees" || r.Verified != own.Verified+1 || r.Signatures != own.Signatures+1 || r.Blobs != own.Blobs || r.Rows != r.Verified || len(r.Epochs) != 2 || r.Epochs[1].Lost != 3 || r.Epochs[0] != own.Epochs[0] {
		t.Errorf("seen before: %+v, its own: %+v", r, own)
	}
	if len(later) != 1 || later[0] == seen[0] {
		t.Errorf("%+v", later)
	}
}

func TestWhatSomebodyElseKeepsIsExportedAsTheSameBytes(t *testing.T) {
	b := newBed(t)
	l := b.rich(t)
	for name, o := range map[string]ledger.ExportOptions{"all": {}, "a part": {From: 290, To: 320}} {
		here, there := filepath.Join(t.TempDir(), "here"), filepath.Join(t.TempDir(), "there")
		own, err := l.Export(t.Context(), here, o)
		if err != nil {
			t.Fatal(err)
		}
		r, seen, err := ledger.ExportAfar(t.Context(), l, nil, there, o)
		if err != nil || !r.FirstSeen || len(seen) != 1 {
			t.Fatalf("%s: %+v, %+v, %v", name, r, seen, err)
		}
		r.FirstSeen = false
		if !reflect.DeepEqual(own, r) {
			t.Errorf("%s: %+v, and its own is %+v", name, r, own)
		}
		for _, dirs := range [][2]string{{here, there}, {there, here}} {
			if err := os.CopyFS(filepath.Join(t.TempDir(), "x"), os.DirFS(dirs[0])); err != nil {
				t.Fatal(err)
			}
			sameFolder(t, dirs[0], dirs[1])
		}
	}
}

// sameFolder fails for each file of a folder that another one has not, byte for byte.
func sameFolder(t *testing.T, a, b string) {
	t.Helper()
	sums, err := os.ReadFile(filepath.Join(a, "MANIFEST.sha256"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(sums) + "x  MANIFEST.sha256\n") {
		_, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		x, err := os.ReadFile(filepath.Join(a, name))
		if err != nil {
			t.Fatal(err)
		}
		if y, err := os.ReadFile(filepath.Join(b, name)); err != nil || !bytes.Equal(x, y) {
			t.Errorf("%s is another one: %v", name, err)
		}
	}
}

// lies are what a server may do to somebody who verifies its log: what is said of it, whether
// it does not hold or could not be checked, and whether an export is refused too.
func lies(t *testing.T, b *bed, l *ledger.Ledger) map[string]struct {
	liar
	says   string
	index  int64
	code   verdict.Code
	export bool
} {
	t.Helper()
	type lie = struct {
		liar
		says   string
		index  int64
		code   verdict.Code
		export bool
	}
	at := func(index int64, change func(*ledger.Body)) liar {
		return liar{Afar: l, body: func(x *ledger.Body) bool {
			if x.Index == index {
				change(x)
			}
			return true
		}}
	}
	entry := func(index int64, change func(*ledger.Entry)) liar {
		return at(index, func(x *ledger.Body) {
			e := *x.Entry
			change(&e)
			x.Entry = &e
		})
	}
	var before ledger.Body
	return map[string]lie{
		"a body is another one's": {at(50, func(x *ledger.Body) {
			x.Payload = append([]byte(" "), x.Payload...)
		}), "entry 50", 50, verdict.CodeRefused, true},
		"two entries change places": {liar{Afar: l, body: func(x *ledger.Body) bool {
			if x.Index == 11 {
				x.Payload, x.Signature = before.Payload, before.Signature
			}
			before = *x
			return true
		}}, "entry 11", 11, verdict.CodeRefused, true},
		"a signature is another one":     {at(50, func(x *ledger.Body) { x.Signature = bytes.Repeat([]byte{1}, len(x.Signature)) }), "entry 50", 50, verdict.CodeRefused, true},
		"a row lies about its service":   {entry(50, func(e *ledger.Entry) { e.Context.Service = "other" }), "column service", 50, verdict.CodeRefused, true},
		"a row lies about its subject":   {entry(1, func(e *ledger.Entry) { e.Subjects = []verdict.Subject{subject("b")} }), "column subjects", 1, verdict.CodeRefused, true},
		"a row lies about its kind":      {entry(1, func(e *ledger.Entry) { e.Kind = verdict.KindTestResult }), "column kind", 1, verdict.CodeRefused, true},
		"a claim is listed as evidence":  {entry(303, func(e *ledger.Entry) { e.Foreign = false }), "column foreign_digest", 303, verdict.CodeRefused, true},
		"a row lies about its time":      {entry(50, func(e *ledger.Entry) { e.At = e.At.AddDate(-1, 0, 0) }), "entry 50 was recorded before", 50, verdict.CodeRefused, false},
		"a bundle of others is replaced": {at(303, func(x *ledger.Body) { x.Foreign = []byte("{}") }), "foreign bundle of entry 303", 303, verdict.CodeRefused, true},
		"an entry is withheld":           {liar{Afar: l, body: func(x *ledger.Body) bool { return x.Index != 50 }}, "entry 50 is gone from the server", 50, verdict.CodeRefused, true},
		"entries at the end are withheld": {liar{Afar: l, body: func(x *ledger.Body) bool { return x.Index < 600 }},
			"entry 600 is gone", 600, verdict.CodeRefused, true},
		"a body is withheld":             {at(50, func(x *ledger.Body) { x.Payload, x.Why = nil, "no time" }), "no time", 50, verdict.CodeUnavailable, true},
		"a bundle of others is withheld": {at(303, func(x *ledger.Body) { x.Foreign, x.Why = nil, "no time" }), "no time", 303, verdict.CodeUnavailable, true},
		"a body is said to be pruned": {at(50, func(x *ledger.Body) {
			e := *x.Entry
			e.Pruned, e.Tombstone = true, 60
			x.Entry, x.Payload, x.Leaf = &e, nil, leafOf(t, l, 50)
		}), "says that they were pruned", -1, verdict.CodeUnavailable, false},
		"an entry is outside of a scope": {at(50, func(x *ledger.Body) { *x = ledger.Body{Index: 50, Leaf: leafOf(t, l, 50)} }), "1 entries, from this one on, lie outside of your scope", 50, verdict.CodeUnavailable, false},
		"a leaf is another one":          {at(50, func(x *ledger.Body) { *x = ledger.Body{Index: 50, Leaf: leafOf(t, l, 51)} }), "entry 50 is not what was logged", 50, verdict.CodeRefused, true},
		"a tile is another one": {liar{Afar: l, tile: func(epoch int64, x tlog.Tile, d []byte) []byte {
			if epoch == 1 && x.L == 0 && x.N == 0 {
				d[50*32]++
			}
			return d
		}}, "the tile over entry 50 was changed", 50, verdict.CodeRefused, false},
		"a tile is short": {liar{Afar: l, tile: func(epoch int64, x tlog.Tile, d []byte) []byte {
			if epoch == 2 {
				return d[:len(d)-32]
			}
			return d
		}}, "is gone or short", 310, verdict.CodeRefused, true},
		"the epochs are others":        {liar{Afar: l, shown: func(s *ledger.Shown) { s.Epochs = s.Epochs[1:] }}, "the first epoch of the log is gone", -1, verdict.CodeRefused, true},
		"the first epoch is shorter":   {liar{Afar: l, shown: func(s *ledger.Shown) { s.Epochs[0].Size-- }}, "does not begin the epoch", 310, verdict.CodeRefused, true},
		"another checkpoint is served": {liar{Afar: l, shown: func(s *ledger.Shown) { s.Others = []string{forkOf(t, b, l)} }}, "serves to everybody", -1, verdict.CodeRefused, true},
		"a key event is left out":      {liar{Afar: l, keys: func(e []ledger.PlacedEvent) []ledger.PlacedEvent { return e[:1] }}, "entry 306", 306, verdict.CodeRefused, true},
		"a key event is another one":   {liar{Afar: l, keys: func(e []ledger.PlacedEvent) []ledger.PlacedEvent { e[1].Event.Person = "somebody else"; return e }}, "another key event than the one", 305, verdict.CodeRefused, true},
		"a key event is invented": {liar{Afar: l, keys: func(e []ledger.PlacedEvent) []ledger.PlacedEvent {
			x := e[1]
			x.Index = 306
			x.Event = rotated(t)
			return append(e, x)
		}}, "gives 3 key events, and its entries state 2", -1, verdict.CodeRefused, true},
		"it breaks off": {liar{Afar: l, fails: &verdict.Error{Code: verdict.CodeUnavailable, What: "it is gone", Remedy: "wait"}}, "the entries from 270 on could not be checked: it is gone", -1, verdict.CodeUnavailable, true},
	}
}

// rotated is the enrolment of a key that is in no log.
func rotated(t *testing.T) identity.KeyEvent {
	t.Helper()
	k, err := evidence.CreateKey(filepath.Join(t.TempDir(), "k.pem"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := identity.NewEnrolment("mallory", k.PublicPEM())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func leafOf(t *testing.T, l *ledger.Ledger, index int64) []byte {
	t.Helper()
	leaf, err := l.Leaf(t.Context(), index)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// forkOf is a checkpoint of the log's own key for what is not in it.
func forkOf(t *testing.T, b *bed, l *ledger.Ledger) string {
	t.Helper()
	origin := originOf(t, l)
	signer, err := b.log.Signer(origin)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(&note.Note{Text: origin + "\n5\n" + tlog.Hash{1}.String() + "\n"}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

// A server that lies to whoever audits it is found out, and what is told says where. What it
// keeps back is never taken for good.
func TestEachLieOfAServerIsDetectedAndLocated(t *testing.T) {
	b := newBed(t)
	l := b.rich(t)
	_, seen := afar(t, l, nil, ledger.VerifyOptions{})
	for name, c := range lies(t, b, l) {
		t.Run(name, func(t *testing.T) {
			r, later, err := ledger.VerifyAfar(t.Context(), c.liar, seen, ledger.VerifyOptions{Signatures: true})
			if err == nil {
				err = r.Err()
			}
			e := verdict.AsError(err)
			if err == nil || e.Code != c.code || e.Remedy == "" {
				t.Fatalf("%v: %+v", err, r)
			}
			if c.code == verdict.CodeRefused && !reflect.DeepEqual(seen, later) {
				t.Error("what does not hold is remembered")
			}
			found := strings.Contains(err.Error(), c.says)
			for _, p := range append(r.Problems, r.Unchecked...) {
				found = found || p.Index == c.index && strings.Contains(p.What, c.says)
				if strings.Contains(p.What+p.Remedy, "database") {
					t.Errorf("somebody without the database is told of it: %+v", p)
				}
			}
			if !found {
				t.Errorf("not located at %d as %q: %v, %+v %+v", c.index, c.says, err, r.Problems, r.Unchecked)
			}
			dir := filepath.Join(t.TempDir(), "out")
			x, _, err := ledger.ExportAfar(t.Context(), c.liar, seen, dir, ledger.ExportOptions{})
			if (err != nil) != c.export {
				t.Errorf("its export: %+v, %v", x, err)
			}
			if _, broken := os.Stat(filepath.Join(dir, "MANIFEST.sha256")); err != nil && broken == nil {
				t.Error("a part of an export has a manifest")
			}
		})
	}
}

// Without what was seen before, a server shows whom it likes another log.
func TestALogIsHeldAgainstWhatWasSeenOfItBefore(t *testing.T) {
	b := newBed(t)
	l := b.filled(20)
	small, err := l.Shown(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.append(l, b.other(10))
	_, seen := afar(t, l, nil, ledger.VerifyOptions{})

	fork := newBed(t) // the same key, another history
	fork.key, fork.log = b.key, b.log
	forked := fork.filled(30)
	strange := newBed(t)
	other := strange.filled(30)
	open, err := other.Shown(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		log  ledger.Afar
		o    ledger.VerifyOptions
		says string
	}{
		{"it is shorter", liar{Afar: l, shown: func(s *ledger.Shown) { *s = small }}, ledger.VerifyOptions{}, "was set back: it was seen here with 23 entries, and the server shows 22"},
		{"it is another one of the same key", forked, ledger.VerifyOptions{}, "the first 23 entries of " + seen[0].Origin + " are not those of the checkpoint that was seen here before"},
		{"it is another one", other, ledger.VerifyOptions{}, "shows none of that name now"},
		{"it has another key", liar{Afar: other, shown: func(s *ledger.Shown) { *s = renamed(t, strange, *s, seen[0].Origin) }}, ledger.VerifyOptions{}, "is another one than before"},
		{"it has another key than was given", l, ledger.VerifyOptions{LogKeys: []string{open.Epochs[0].Key}}, "is not the one that was given"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, later, err := ledger.VerifyAfar(t.Context(), c.log, seen, c.o)
			if err != nil || verdict.AsError(r.Err()).Code != verdict.CodeRefused || r.Anchor != "refuses" || !reflect.DeepEqual(seen, later) {
				t.Fatalf("%+v, %v", r, err)
			}
			if !slices.ContainsFunc(r.Problems, func(p ledger.Problem) bool {
				return strings.Contains(p.What, c.says) && strings.Contains(p.Remedy, "--")
			}) {
				t.Errorf("%+v", r.Problems)
			}
			if _, _, err := ledger.ExportAfar(t.Context(), c.log, seen, filepath.Join(t.TempDir(), "x"), ledger.ExportOptions{LogKeys: c.o.LogKeys}); verdict.AsError(err).Code != verdict.CodeRefused {
				t.Errorf("its export: %v", err)
			}
		})
	}
}

// renamed shows a log under the name of another one.
func renamed(t *testing.T, b *bed, s ledger.Shown, origin string) ledger.Shown {
	t.Helper()
	signer, err := b.log.Signer(origin)
	if err != nil {
		t.Fatal(err)
	}
	e := s.Epochs[0]
	e.Origin = origin
	if e.Key, err = evidence.VerifierKey(origin, b.log.Public()); err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(s.Checkpoint, "\n")
	text, _, _ = strings.Cut(text, "\n\n")
	signed, err := note.Sign(&note.Note{Text: origin + "\n" + text + "\n"}, signer)
	if err != nil {
		t.Fatal(err)
	}
	s.Epochs, s.Checkpoint = []ledger.ShownEpoch{e}, string(signed)
	return s
}

// A server that says that its log has no end, and shows nothing of it, takes neither the
// memory nor the day of whoever asks.
func TestAServerWithALogOfNoEndIsLeft(t *testing.T) {
	b := newBed(t)
	l := b.filled(20)
	signer, err := b.log.Signer(originOf(t, l))
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	endless := liar{Afar: l, shown: func(s *ledger.Shown) {
		e := &s.Epochs[0]
		e.Size = 1 << 52
		signed, err := note.Sign(&note.Note{Text: e.Origin + "\n4503599627370496\n" + e.Root.String() + "\n"}, signer)
		if err != nil {
			t.Fatal(err)
		}
		s.Checkpoint = string(signed)
	}, body: func(*ledger.Body) bool { asked++; return true }}
	r, _, err := ledger.VerifyAfar(t.Context(), endless, nil, ledger.VerifyOptions{Workers: 1})
	if err != nil || verdict.AsError(r.Err()).Code != verdict.CodeRefused || len(r.Problems) != 100 || asked > 1000 {
		t.Errorf("%d bodies, %+v, %v", asked, r.Err(), err)
	}
}
