package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/advisory"
	"verdict/ledger"
)

// elsewhere is a host over the same database, with a data directory of its own.
func (x *served) elsewhere(of *host) *host {
	x.t.Helper()
	a, w := *of.app, *of.base
	a.config.Data = x.t.TempDir()
	w.app, w.dir = &a, a.config.Data
	h := newHost(&w)
	h.publisher, h.sharing = of.publisher, true
	return h
}

// sources are the names in a replica's copy.
func (x *served) sources(h *host) (out []string) {
	x.t.Helper()
	index, err := advisory.Open(h.advisoryFile())
	if err != nil {
		x.t.Fatal(err)
	}
	defer index.Close()
	for _, s := range index.Sources() {
		out = append(out, s.Name)
	}
	return out
}

// matched are the reports that re-matches recorded of what was built.
func (x *served) matched() []ledger.Entry {
	x.t.Helper()
	list, err := x.host.base.ledger.Find(x.t.Context(), ledger.Query{Kind: verdict.KindVulnerabilities, At: ledger.Now, Limit: 100})
	if err != nil {
		x.t.Fatal(err)
	}
	return list
}

// What is sent to one replica is known to all, what it changes is recorded once, and who sent it
// stands in what is recorded.
func TestAllReplicasHaveOneSetOfVulnerabilityData(t *testing.T) {
	p := newPublisher(t)
	x := servingData(t, oneImage(t), func(h *host) { h.publisher, h.sharing = p.URL, true })
	other := x.elsewhere(x.host)
	before := len(x.matched())
	if c := x.change(t, "of-security", "PUT", "/api/v1/advisories?file=npm.zip&covers=npm", string(p.archive)); c.Rematched == nil || c.Rematched.Artifacts != 1 {
		t.Fatalf("%+v, re-matched %+v", c, c.Rematched)
	}
	other.follow(t.Context())
	if got := x.sources(other); !slices.Equal(got, []string{"npm"}) {
		t.Errorf("the other replica knows %v", got)
	}
	recorded := x.matched()
	if len(recorded) != before+1 || recorded[0].Context.Actor != testCallers["of-security"].Actor {
		t.Errorf("%d reports, the last by %q", len(recorded)-before, recorded[0].Context.Actor)
	}

	if err := other.renew(t.Context(), renewal{6 * time.Hour, []string{"npm"}}); err != nil { // it changes the newest, not an old copy
		t.Fatal(err)
	}
	x.host.follow(t.Context())
	if got := x.sources(x.host); !slices.Equal(got, []string{"npm", "osv/npm"}) {
		t.Errorf("after the other renewed: %v", got)
	}
	if x.host.renewalDue(renewal{6 * time.Hour, []string{"npm"}}, time.Now()) {
		t.Error("what another replica renewed is due")
	}
	for _, e := range x.matched()[:len(x.matched())-before-1] {
		if e.Context.Actor != x.host.itself().Actor {
			t.Errorf("nobody asked, and %q is said to", e.Context.Actor)
		}
	}
	renewed := len(x.matched())
	x.change(t, "of-security", "PUT", "/api/v1/advisories?file=npm.zip&covers=npm", string(p.archive)) // the same once more
	other.follow(t.Context())
	if got := len(x.matched()); got != renewed {
		t.Errorf("%d reports of what was known", got-renewed)
	}
	swept, err := x.host.base.own.Sweep(t.Context())
	newest, ask := x.host.base.store.SharedFile(t.Context(), sharedAdvisories)
	if err != nil || ask != nil || slices.ContainsFunc(swept.Marked, func(b ledger.SweptBlob) bool { return slices.Contains(newest.Parts, string(b.Digest)) }) {
		t.Errorf("a sweep takes what replicas share: %+v, %v %v", swept, err, ask)
	}
}

// A replica that broke off between a change and its re-match has nothing that others do not know of:
// the change is made again, and its reports are recorded then.
func TestAChangeThatBrokeOffIsNotTakenForTheNewest(t *testing.T) {
	p := newPublisher(t)
	x := servingData(t, oneImage(t), func(h *host) { h.publisher, h.sharing = p.URL, true })
	other := x.elsewhere(x.host)
	empty := strings.Replace(osvRecord("CVE-2026-0009", "npm", "unused"), "1.2.3", "9.9.9", 1)
	x.change(t, "of-security", "PUT", "/api/v1/advisories?file=first.zip&covers=npm", string(zipOf(t, member{name: "a.json", body: empty})))
	before := len(x.matched())
	other.follow(t.Context())
	if err := keepBefore(other.advisoryFile()); err != nil {
		t.Fatal(err)
	}
	sent := put(t, filepath.Join(t.TempDir(), "npm.zip"), p.archive)
	if _, err := advisory.Import(t.Context(), sent, other.advisoryFile(), advisory.ImportOptions{Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	began := x.elsewhere(other) // the process after it, in the same folder
	began.app.config.Data, began.base.dir = other.base.dir, other.base.dir
	began.follow(t.Context())
	if got := x.sources(began); !slices.Equal(got, []string{"first"}) {
		t.Errorf("it goes on with %v, of which nothing was recorded", got)
	}
	if _, err := os.Stat(beforeFile(began.advisoryFile())); err == nil {
		t.Error("what it began stays")
	}
	if c := x.change(t, "of-security", "PUT", "/api/v1/advisories?file=npm.zip", string(p.archive)); c.Rematched == nil || len(x.matched()) != before+1 {
		t.Errorf("%+v, %d reports", c.Rematched, len(x.matched())-before)
	}
}

// Two that changed the same data at once do not overwrite each other, and a lost blob store ends no
// server's knowledge: what it has becomes the newest.
func TestWhoWasOvertakenIsTold(t *testing.T) {
	p := newPublisher(t)
	x := servingData(t, oneImage(t), func(h *host) { h.sharing = true })
	x.change(t, "of-security", "PUT", "/api/v1/advisories?file=npm.zip", string(p.archive))
	other := x.elsewhere(x.host)
	w := other.recording(other.itself())
	index := other.advisoryFile()
	if err := w.app.beforeChange(t.Context(), index); err != nil {
		t.Fatal(err)
	}
	x.change(t, "of-security", "PUT", "/api/v1/advisories?file=again.zip", string(p.archive))
	if err := w.share(t.Context(), index); verdict.AsError(err).Code != verdict.CodeConflict {
		t.Errorf("%v", err)
	}

	newest, err := x.host.base.store.SharedFile(t.Context(), sharedAdvisories)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range newest.Parts {
		digits := verdict.Digest(part).Hex()
		if err := os.Remove(filepath.Join(x.data, blobFolder, "sha256", digits[:2], digits)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.takeShared(t.Context(), index); !strings.Contains(verdict.AsError(err).Error(), "not in the store") {
		t.Errorf("%v of %s", err, newest.Digest)
	}
	if got := x.sources(other); !slices.Equal(got, []string{"npm"}) {
		t.Errorf("what was known is gone: %v", got)
	}
	if err := w.app.beforeChange(t.Context(), index); err != nil {
		t.Fatal(err)
	}
	if err := w.share(t.Context(), index); err != nil {
		t.Fatal(err)
	}
	now, err := x.host.base.store.SharedFile(t.Context(), sharedAdvisories)
	if here, failed := fileDigest(index); err != nil || failed != nil || now.Digest == newest.Digest || here != now.Digest {
		t.Errorf("%+v, %v %v", now, err, failed)
	}
}
