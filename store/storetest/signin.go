package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"verdict/store"
)

func credentials(t *testing.T, a, b *store.Store) {
	ctx := t.Context()
	add := func(id, kind, actor string, expires int64) {
		must(t, a.AddCredential(ctx, store.Credential{ID: id, Digest: "digest of " + id, Kind: kind, Actor: actor, Doc: "{}", Made: 1, Expires: expires}, nil))
	}
	add("s1", "session", "ada", 100)
	add("s2", "session", "bob", 200)
	add("s3", "session", "ada", 300)
	add("t1", "token", "ada", 300)
	add("l1", "link", "", 100)
	add("l2", "link", "", 50)

	spent := &store.Spent{Issuer: "https://issuer.example", ID: "jti-1", Expires: 100}
	must(t, a.AddCredential(ctx, store.Credential{ID: "s4", Digest: "d4", Kind: "session", Actor: "robot", Expires: 100}, spent))
	if err := b.AddCredential(ctx, store.Credential{ID: "s5", Digest: "d5", Kind: "session", Actor: "robot", Expires: 100}, spent); !errors.Is(err, store.ErrFence) {
		t.Errorf("a token is exchanged twice: %v", err)
	}
	other := *spent
	other.Issuer = "https://other.example"
	must(t, b.AddCredential(ctx, store.Credential{ID: "s6", Digest: "d6", Kind: "session", Actor: "robot", Expires: 100}, &other))

	var taken atomic.Int64
	var wait sync.WaitGroup
	for _, s := range []*store.Store{a, b, a, b} {
		wait.Go(func() {
			c, found, err := s.TakeCredential(ctx, "digest of l1", "link", 60)
			if err != nil {
				t.Error(err)
			}
			if found && c.ID == "l1" {
				taken.Add(1)
			}
		})
	}
	wait.Wait()
	if taken.Load() != 1 {
		t.Errorf("a link that works once worked %d times", taken.Load())
	}
	for what, x := range map[string][2]string{"too late": {"digest of l2", "link"}, "of another kind": {"digest of s1", "link"}} {
		if _, found, err := a.TakeCredential(ctx, x[0], x[1], 60); found || err != nil {
			t.Errorf("taken %s: %v", what, err)
		}
	}
	revoked(t, a, b)
	must(t, a.SweepCredentials(ctx, 200))
	if got := credentialIDs(t, a, "", "session", "", 9); got != "s3 " {
		t.Errorf("after the sweep: %s", got)
	}
	again := store.Credential{ID: "s7", Digest: "d7", Kind: "session", Expires: 900}
	if err := b.AddCredential(ctx, again, spent); !errors.Is(err, store.ErrFence) {
		t.Errorf("a clock that was ahead for a day makes a token new that was spent: %v", err)
	}
	must(t, a.SweepCredentials(ctx, 200+(48*time.Hour).Microseconds()))
	must(t, b.AddCredential(ctx, again, spent)) // its own expiry protects it by then
}

func revoked(t *testing.T, a, b *store.Store) {
	ctx := t.Context()
	if done, err := a.RevokeCredential(ctx, "s1", 61); !done || err != nil {
		t.Errorf("revoke: %v", err)
	}
	if again, err := b.RevokeCredential(ctx, "s1", 62); again || err != nil {
		t.Errorf("revoked twice: %v", err)
	}
	must(t, b.View(ctx, func(v *store.View) error {
		c, found, err := v.Credential(ctx, "digest of s1")
		if err != nil || !found || c.Revoked != 61 || c.Actor != "ada" || c.Doc != "{}" || c.Expires != 100 || c.Made != 1 || c.Kind != "session" {
			t.Errorf("%+v, %v", c, err)
		}
		if _, found, err = v.Credential(ctx, "s1"); found || err != nil {
			t.Errorf("by what is not its digest: %v", err)
		}
		if c, found, err = v.CredentialByID(ctx, "t1"); !found || c.Revoked != 0 || err != nil {
			t.Errorf("by id: %+v, %v", c, err)
		}
		return nil
	}))
	if got := credentialIDs(t, a, "", "session", "s1", 2) + credentialIDs(t, a, "ada", "session", "", 9) + credentialIDs(t, a, "ada", "session", "s1", 9); got != "s2 s3 s1 s3 s3 " {
		t.Errorf("listed: %s", got)
	}
	must(t, a.RevokeCredentialsOf(ctx, "ada", 70))
	must(t, a.View(ctx, func(v *store.View) error {
		for id, want := range map[string]int64{"s1": 61, "s3": 70, "t1": 70, "s2": 0} {
			c, _, err := v.CredentialByID(ctx, id)
			expect(t, id, err, c.Revoked, want)
		}
		return nil
	}))
}

func credentialIDs(t *testing.T, s *store.Store, actor, kind, after string, limit int64) (out string) {
	must(t, s.View(t.Context(), func(v *store.View) error {
		all, err := v.Credentials(t.Context(), actor, kind, after, limit)
		for _, c := range all {
			out += c.ID + " "
		}
		return err
	}))
	return out
}

func actors(t *testing.T, s *store.Store) {
	ctx := t.Context()
	known := func(a store.Actor) store.Actor {
		got, err := s.KnownActor(ctx, a)
		must(t, err)
		return got
	}
	known(store.Actor{ID: "a1", Source: "x", Name: "Ada", Address: "ada@example.com", Made: 1})
	if got := known(store.Actor{ID: "a2", Source: "x", Name: "Ada L.", Address: "ada@example.com", Made: 2}); got.ID != "a1" || got.Name != "Ada L." || got.Made != 1 {
		t.Errorf("she came back as %+v", got)
	}
	if done, err := s.EraseActor(ctx, "a1", 5); !done || err != nil {
		t.Errorf("erase: %v", err)
	}
	if again, err := s.EraseActor(ctx, "a1", 6); again || err != nil {
		t.Errorf("erased twice: %v", err)
	}
	if got := known(store.Actor{ID: "a3", Source: "x", Name: "Ada", Made: 7}); got.ID != "a1" || got.Name != "" || got.Erased != 5 {
		t.Errorf("erased, she came back as %+v", got)
	}
	must(t, s.View(ctx, func(v *store.View) error {
		a, found, err := v.Actor(ctx, "a1")
		if err != nil || !found || a.Name+a.Address != "" || a.Source != "x" {
			t.Errorf("%+v, %v", a, err)
		}
		if _, found, err = v.Actor(ctx, "a2"); found || err != nil {
			t.Errorf("an id that was not given: %v", err)
		}
		return nil
	}))
	if _, err := s.KnownActor(ctx, store.Actor{ID: "a1", Source: "y"}); !errors.Is(err, store.ErrFence) {
		t.Errorf("two of one id: %v", err)
	}
}
