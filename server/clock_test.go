package server

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/forge"
	"verdict/identity"
	"verdict/identity/token"
	"verdict/store"
	"verdict/store/sqlite"
)

// What expired and was refused stays so when the clock is set back: whoever found an old session
// would have it again for an hour.
func TestWhatExpiredDoesNotComeAliveWhenTheClockIsSetBack(t *testing.T) {
	d := newDoor(t)
	admin := d.admin() // ten hours
	_, api := d.make(admin, `{"label":"mirror","days":1,"machine":true,"grants":[{"role":"auditor","scope":{"services":["*"],"teams":[],"environments":["*"]}}]}`)
	pipeline := d.exchange(token.Exchange{Token: d.issuer.token(github(nil))}).Token // an hour
	for _, x := range []struct {
		name, secret string
		lasts        time.Duration
	}{{"of a pipeline", pipeline, machineSession}, {"of a person", admin, personSession}, {"an API token", api.Token, 24 * time.Hour}} {
		me := func() int { return d.ask("GET", Prefix+"/roles", "", d.as(x.secret)...).status }
		if got := me(); got == 401 {
			t.Fatalf("%s: %d", x.name, got)
		}
		d.later(x.lasts)
		if got := me(); got != 401 {
			t.Errorf("%s, when its time is over: %d", x.name, got)
		}
		d.signIn.forget() // and so it is in another replica
		d.later(-x.lasts)
		r := d.ask("GET", Prefix+"/roles", "", d.as(x.secret)...)
		if r.status != 401 || !strings.Contains(r.body, "expired") {
			t.Errorf("%s is alive again: %d %s", x.name, r.status, r.body)
		}
	}
}

// What expired and nobody used meanwhile stays over too where the log has an entry from after its
// time, and so does a code that works once. Whoever signs in while the clock is behind the log is in.
func TestWhatTheLogOutlivedDoesNotComeAliveWhenTheClockIsSetBack(t *testing.T) {
	d := newDoor(t)
	session, long := d.admin(), d.admin()
	code, err := d.signIn.Link(t.Context(), []identity.Grant{{Role: identity.Viewer, Scope: identity.Anywhere()}})
	d.must(err)
	me := func(secret string) reply { return d.ask("GET", Prefix+"/roles", "", d.as(secret)...) }
	d.later(personSession - time.Minute)
	d.enrollAnother("between")
	if r := me(long); r.status != 200 {
		t.Errorf("before its time: %d %s", r.status, r.body)
	}
	d.later(2 * time.Minute)
	d.enrollAnother("after")
	d.later(-time.Hour - personSession/2)
	for _, secret := range []string{session, long} {
		if r := me(secret); r.status != 401 || !strings.Contains(r.body, "expired") {
			t.Errorf("it is alive again: %d %s", r.status, r.body)
		}
	}
	d.later(-personSession/2 + time.Hour)
	d.refused(token.Exchange{Code: code}, "works once")
	fresh := d.admin()
	if r := me(fresh); r.status != 200 {
		t.Errorf("who signs in while the clock is behind the log: %d %s", r.status, r.body)
	}
	d.later(personSession)
	if r := me(fresh); r.status != 401 {
		t.Errorf("and when that is over: %d %s", r.status, r.body)
	}
}

// enrollAnother records something.
func (d *door) enrollAnother(name string) {
	d.t.Helper()
	k, err := evidence.CreateKey(filepath.Join(d.t.TempDir(), name))
	d.must(err)
	d.enroll(name, k)
}

// A clock that is ahead for a while ends what is used meanwhile, and nothing else; and what was
// exchanged before is not exchanged again when the clock is right.
func TestAClockThatIsAheadMakesNothingNew(t *testing.T) {
	d := newDoor(t)
	used, unused := d.admin(), d.admin()
	raw := d.issuer.token(github(map[string]any{"exp": d.now.Add(20 * time.Minute).Unix()}))
	d.exchange(token.Exchange{Token: raw})
	code, err := d.signIn.Link(t.Context(), []identity.Grant{{Role: identity.Viewer, Scope: identity.Anywhere()}})
	d.must(err)
	d.exchange(token.Exchange{Code: code})
	d.later(24 * time.Hour)
	if r := d.ask("GET", Prefix+"/roles", "", d.as(used)...); r.status != 401 {
		t.Errorf("a day ahead: %d", r.status)
	}
	d.later(-24 * time.Hour)
	if r := d.ask("GET", Prefix+"/roles", "", d.as(unused)...); r.status != 200 {
		t.Errorf("who was not there meanwhile: %d %s", r.status, r.body)
	}
	d.later(24 * time.Hour)
	d.must(d.signIn.Sweep(t.Context()))
	d.later(-24 * time.Hour)
	d.refused(token.Exchange{Token: raw}, "exchanged before")
	d.refused(token.Exchange{Code: code}, "works once")
	if s := d.exchange(token.Exchange{Token: d.issuer.token(github(nil))}); s.Expires.Sub(d.now) != time.Hour {
		t.Errorf("a new one: %+v", s)
	}
}

// A clock that is set back while somebody works leaves his work to him, and it is due again as
// long after its end as it always is.
func TestAClockThatIsSetBackGivesNobodysWorkAway(t *testing.T) {
	x := newCrew(t, 2)
	done := 0
	c := Chore{Name: "sweep", Every: time.Hour, Do: func(context.Context) error {
		done++
		x.pass(-time.Hour)
		takeTurn(t, t.Context(), x.of[1], Chore{Name: "sweep", Every: time.Hour, Do: func(context.Context) error { done++; return nil }}, false)
		return nil
	}}
	x.begin(t, c)
	takeTurn(t, t.Context(), x.of[0], c, true)
	x.pass(time.Hour - time.Second)
	takeTurn(t, t.Context(), x.of[1], c, false)
	x.pass(time.Second)
	takeTurn(t, t.Context(), x.of[0], c, true)
	if done != 2 {
		t.Errorf("it was done %d times", done)
	}
}

// timed is a database that machines share, with a clock of its own.
type timed struct {
	store.Engine
	at *atomic.Int64
}

func (e timed) Time() store.Statement {
	return store.Statement{SQL: "SELECT CAST($1 AS BIGINT)", Args: []any{e.at.Load()}}
}

// A replica whose clock alone is ahead takes nobody's work, does none early, and puts none off by
// as much: by the clock of the database it is as early for it as for the others.
func TestAReplicaWhoseClockIsAheadTakesNothing(t *testing.T) {
	x := newCrew(t, 0)
	path := filepath.Join(t.TempDir(), "a.db")
	for _, ahead := range []time.Duration{0, 24 * time.Hour} {
		e, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := store.New(t.Context(), timed{e, &x.now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		x.of = append(x.of, &Chores{Store: s, Now: func() time.Time { return time.UnixMicro(x.now.Load()).Add(ahead) }, Logger: slog.New(slog.DiscardHandler), Owner: ahead.String()})
	}
	right, ahead := x.of[0], x.of[1]
	c := Chore{Name: "sweep", Every: time.Hour}
	during := func() {}
	c.Do = func(context.Context) error { during(); return nil }
	x.begin(t, c)
	during = func() {
		during = func() { t.Error("it is done a second time meanwhile") }
		takeTurn(t, t.Context(), ahead, c, false)
		if err := ahead.Begin(t.Context(), c); verdict.AsError(err).Code != verdict.CodeConflict {
			t.Errorf("it is taken for who asks: %v", err)
		}
		during = func() {}
	}
	takeTurn(t, t.Context(), right, c, true)
	takeTurn(t, t.Context(), ahead, c, false) // it is not due
	x.pass(time.Hour)
	takeTurn(t, t.Context(), ahead, c, true)
	x.pass(time.Hour)
	takeTurn(t, t.Context(), right, c, true) // and it was put off by an hour
}

// A clock that jumps a day ahead while a forge is told makes the work look lost. It is not told a
// second time by the same process, and the work ends.
func TestAClockThatJumpsTellsAForgeOnce(t *testing.T) {
	b := newHooked(t)
	b.decides(verdict.Decision{Point: "ci.secrets", Subject: change(), Service: "house"}, verdict.Deny)
	b.deliver("d-1", event(forge.Changed))
	told := 0
	b.bell.fail = func() error {
		if told++; told == 1 {
			b.now = b.now.Add(24 * time.Hour)
			if worked, err := b.hooks.Turn(t.Context(), "r"); worked || err != nil {
				t.Errorf("the same process works on it again: %v %v", worked, err)
			}
			b.now = b.now.Add(-24 * time.Hour)
		}
		return nil
	}
	for range 5 {
		if _, err := b.hooks.Turn(t.Context(), "r"); err != nil {
			t.Fatal(err)
		}
	}
	if told == 0 || len(b.bell.marks) != told {
		t.Errorf("told %d times, with %d marks", told, len(b.bell.marks))
	}
	seen := map[string]bool{}
	for _, m := range b.bell.marks {
		if key := fmt.Sprint(m); seen[key] {
			t.Errorf("told twice: %s", key)
		} else {
			seen[key] = true
		}
	}
	var late []store.LateJobs
	late, err := b.db.LateJobs(t.Context(), b.now.Add(2*longestPause).UnixMicro())
	if err != nil || len(late) > 1 {
		t.Errorf("%+v %v", late, err)
	}
}
