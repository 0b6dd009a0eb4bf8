package ledger_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"verdict"
	"verdict/blob/dir"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/store"
	"verdict/store/postgres"
	"verdict/store/sqlite"
	"verdict/store/storetest"
)

// bed is where a ledger of a test lives: it can be closed, opened again and tampered with.
type bed struct {
	t      testing.TB
	folder string
	key    *evidence.KeyFile
	log    *evidence.LogKey
	clock  atomic.Int64 // microseconds; moves a millisecond at each look
	engine func() (store.Engine, error)
	dsn    string // of PostgreSQL; empty on SQLite
	serial atomic.Int64
}

func TestMain(m *testing.M) {
	if child := os.Getenv("LEDGER_TEST_CHILD"); child != "" {
		os.Exit(children[child]())
	}
	code := storetest.Main(m)
	if million.dir != "" {
		million.log.Close()
		os.RemoveAll(million.dir)
	}
	os.Exit(code)
}

// children are what this test program does when it is started by one of its own tests.
var children = map[string]func() int{}

// onBoth runs a test on both engines.
func onBoth(t *testing.T, test func(*testing.T, *bed)) {
	t.Run("SQLite", func(t *testing.T) { test(t, newBed(t)) })
	t.Run("PostgreSQL", func(t *testing.T) {
		b := newBed(t)
		b.dsn = storetest.Postgres(t)
		test(t, b)
	})
}

func newBed(t testing.TB) *bed {
	t.Helper()
	return newBedIn(t, t.TempDir())
}

func newBedIn(t testing.TB, folder string) *bed {
	t.Helper()
	b := &bed{t: t, folder: folder}
	b.clock.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMicro())
	var err error
	if b.key, err = evidence.CreateKey(filepath.Join(b.folder, "key.pem")); err != nil {
		t.Fatal(err)
	}
	if b.log, err = evidence.CreateLogKey(filepath.Join(b.folder, "log.pem")); err != nil {
		t.Fatal(err)
	}
	b.connect()
	return b
}

// connect says how the bed reaches its database.
func (b *bed) connect() {
	b.engine = func() (store.Engine, error) {
		if b.dsn != "" {
			return postgres.Open(context.Background(), b.dsn)
		}
		return sqlite.Open(context.Background(), b.database(), sqlite.Options{})
	}
}

func (b *bed) database() string { return filepath.Join(b.folder, "data", "ledger.db") }

func (b *bed) anchor() string { return filepath.Join(b.folder, "anchor") }

func (b *bed) now() time.Time { return time.UnixMicro(b.clock.Add(1000)).UTC() }

// try opens the ledger as another process would.
func (b *bed) try(change func(*ledger.Options)) (*ledger.Ledger, error) {
	e, err := b.engine()
	if err != nil {
		return nil, err
	}
	s, err := store.New(context.Background(), e)
	if err != nil {
		return nil, err
	}
	blobs, err := dir.Open(filepath.Join(b.folder, "blobs"), dir.Options{})
	if err != nil {
		return nil, err
	}
	o := ledger.Options{Store: s, Blobs: blobs, LogKey: b.log, Signer: b.key, AnchorDir: b.anchor(), Now: b.now}
	if change != nil {
		change(&o)
	}
	l, err := ledger.Open(context.Background(), o)
	if err != nil {
		s.Close()
	}
	return l, err
}

func (b *bed) open() *ledger.Ledger {
	b.t.Helper()
	l, err := b.try(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

// begun is an open ledger in which the key is enrolled, as entry 0. It is closed at the
// end of the test.
func (b *bed) begun() *ledger.Ledger {
	b.t.Helper()
	l := b.open()
	b.t.Cleanup(func() { l.Close() })
	b.append(l, b.enrolment(b.key, b.key))
	return l
}

func (b *bed) enrolment(key, by *evidence.KeyFile) *evidence.Bundle {
	b.t.Helper()
	e, err := identity.NewEnrolment("p1", key.PublicPEM())
	if err != nil {
		b.t.Fatal(err)
	}
	return b.sign(by, verdict.KindKey, e, subject("key "+key.KeyID()))
}

func (b *bed) sign(key *evidence.KeyFile, kind verdict.Kind, predicate any, subjects ...verdict.Subject) *evidence.Bundle {
	return b.signIn(key, kind, predicate, verdict.Context{Service: "shop", Point: "ci.secrets", Run: "7", Actor: "p1", Retention: "change"}, subjects...)
}

func (b *bed) signIn(key *evidence.KeyFile, kind verdict.Kind, predicate any, c verdict.Context, subjects ...verdict.Subject) *evidence.Bundle {
	c.At = b.now()
	s, err := evidence.New(kind, subjects, predicate, c, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	x, err := evidence.Sign(context.Background(), s, key)
	if err != nil {
		b.t.Fatal(err)
	}
	return x
}

// other gives a statement that is no other's repetition.
func (b *bed) other(size int) *evidence.Bundle {
	n := b.serial.Add(1)
	return b.sign(b.key, verdict.KindTestResult, map[string]any{"n": n, "padding": strings.Repeat(fmt.Sprintf("%d.", n), size/2)}, subject(fmt.Sprint("subject ", n%5)))
}

func (b *bed) append(l *ledger.Ledger, x *evidence.Bundle) ledger.Entry {
	b.t.Helper()
	e, err := l.Append(context.Background(), x)
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

// subject is an artifact whose digest follows from its name.
func subject(name string) verdict.Subject {
	d, err := evidence.DigestsOf(strings.NewReader(name))
	if err != nil {
		panic(err)
	}
	return verdict.Subject{Kind: verdict.SubjectArtifact, Name: name, Digest: d[0]}
}

func TestWhatWasAppendedIsFoundAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		l := b.begun()
		x := b.sign(b.key, verdict.KindTestResult, map[string]any{"result": "PASSED"}, subject("shop"))
		e := b.append(l, x)
		if e.Index != 1 || e.Kind != verdict.KindTestResult || e.Producer != b.key.KeyID() || e.Context.Service != "shop" || e.Digest != x.PayloadDigest() {
			t.Fatalf("entry %+v", e)
		}
		got, err := l.Bundle(t.Context(), e.Index)
		if err != nil {
			t.Fatal(err)
		}
		if string(got.JSON()) != string(x.JSON()) {
			t.Errorf("the bundle came back changed:\n%s\n%s", got.JSON(), x.JSON())
		}
		found, err := l.Find(t.Context(), ledger.Query{Subject: subject("shop").Digest, At: ledger.Now})
		if err != nil || len(found) != 1 || found[0].Index != 1 {
			t.Errorf("found %+v, %v", found, err)
		}
		before, err := l.Find(t.Context(), ledger.Query{Subject: subject("shop").Digest, At: 1})
		if err != nil || before == nil || len(before) != 0 {
			t.Errorf("at the position before it: %+v, %v", before, err)
		}
		a, _ := json.Marshal(found[0])
		c, _ := json.Marshal(e)
		if string(a) != string(c) {
			t.Errorf("the entry that was answered is not the one that is found:\n%s\n%s", c, a)
		}
	})
}

func TestTheSameReportTwiceIsOnePieceOfEvidence(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		l := b.begun()
		predicate := map[string]any{"result": "PASSED"}
		one := b.append(l, b.sign(b.key, verdict.KindTestResult, predicate, subject("a")))
		two := b.append(l, b.sign(b.key, verdict.KindTestResult, predicate, subject("a")))
		if one.Index != two.Index || one.At != two.At {
			t.Errorf("recorded as %d and as %d", one.Index, two.Index)
		}
		both, err := l.AppendAll(t.Context(), []*evidence.Bundle{b.sign(b.key, verdict.KindTestResult, predicate, subject("b")), b.sign(b.key, verdict.KindTestResult, predicate, subject("b"))})
		if err != nil || both[0].Index != both[1].Index || both[0].Index != 2 {
			t.Errorf("within one call: %+v, %v", both, err)
		}
	})
}

func TestAStatementOfAKeyThatIsNotEnrolledIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		l := b.begun()
		stranger, err := evidence.CreateKey(filepath.Join(b.folder, "stranger.pem"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Append(t.Context(), b.sign(stranger, verdict.KindTestResult, map[string]any{}, subject("a")))
		if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeRefused {
			t.Fatalf("got %v", err)
		}
		b.append(l, b.enrolment(stranger, b.key))
		b.append(l, b.sign(stranger, verdict.KindTestResult, map[string]any{}, subject("a")))
	})
}

func TestALedgerOpensWhereItWasClosed(t *testing.T) {
	b := newBed(t)
	l := b.open()
	b.append(l, b.enrolment(b.key, b.key))
	for range 300 {
		b.append(l, b.other(100))
	}
	before, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = b.open()
	defer l.Close()
	after, err := l.Checkpoint(t.Context())
	if err != nil || after != before || after.Size != 301 {
		t.Fatalf("%+v then %+v, %v", before, after, err)
	}
	if e := b.append(l, b.other(100)); e.Index != 301 {
		t.Errorf("next index %d", e.Index)
	}
	files, err := os.ReadDir(b.anchor())
	if err != nil || len(files) != 1 || files[0].Name() != before.Origin {
		t.Errorf("anchor %v, %v", files, err)
	}
}

// decision is a decision about a subject, with an id of its own.
func (b *bed) decision(point string, about verdict.Subject, o verdict.Outcome) *evidence.Bundle {
	n := b.serial.Add(1)
	return b.sign(b.key, verdict.KindDecision, verdict.Decision{
		ID: fmt.Sprintf("d%06d", n), Point: point, Mode: verdict.ModeBlock, Subject: about, Service: "shop", Outcome: o, Enforced: o, At: b.now(),
	}, about)
}
