package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"verdict"
	"verdict/blob/dir"
	"verdict/evidence"
	"verdict/forge"
	"verdict/identity"
	"verdict/ledger"
	"verdict/store"
	"verdict/store/sqlite"
)

// bell is a hook whose deliveries are events as JSON, and which remembers what it is told.
type bell struct {
	mu      sync.Mutex
	marks   []forge.Mark
	answers []forge.Answer
	tokens  []string
	fail    func() error // of Show and Answer; nil: they work
}

const bellSecret = "ring"

func (b *bell) Receive(h http.Header, body io.Reader) (forge.Delivery, error) {
	if h.Get("X-Secret") != bellSecret {
		return forge.Delivery{}, forge.NotSigned("the bell", "X-Secret")
	}
	text, err := forge.ReadBody(body, 1<<20)
	if err != nil {
		return forge.Delivery{}, err
	}
	d := forge.Delivery{ID: h.Get("X-Id")}
	err = forge.DecodeHook(text, &d.Event)
	d.Event.Token = h.Get("X-Token")
	return d, err
}

func (b *bell) Show(_ context.Context, _ forge.Event, m forge.Mark) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		if err := b.fail(); err != nil {
			return "", err
		}
	}
	b.marks = append(b.marks, m)
	return fmt.Sprint("ref ", len(b.marks)), nil
}

func (b *bell) Answer(_ context.Context, e forge.Event, a forge.Answer) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		if err := b.fail(); err != nil {
			return err
		}
	}
	b.answers, b.tokens = append(b.answers, a), append(b.tokens, e.Token)
	return nil
}

// last is the last answer; the zero Answer when there is none.
func (b *bell) last() forge.Answer {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.answers) == 0 {
		return forge.Answer{}
	}
	return b.answers[len(b.answers)-1]
}

// asking is an asker that answers what the test says.
type asking struct {
	bed      *hooked
	services []Served
	liars    map[string]bool // decisions whose signer may not take them
	gate     func(q GateQuestion) verdict.Outcome
	fail     error
	asked    []GateQuestion
}

func (a *asking) Services(_ context.Context, address string) ([]Served, error) {
	if address != "https://forge.example/acme/house" {
		return nil, a.fail
	}
	return a.services, a.fail
}

func (a *asking) Counts(_ context.Context, _ ledger.Entry, d *verdict.Decision) (bool, error) {
	return !a.liars[d.ID], nil
}

func (a *asking) Gate(_ context.Context, q GateQuestion) (verdict.Decision, error) {
	a.asked = append(a.asked, q)
	if a.fail != nil {
		return verdict.Decision{}, a.fail
	}
	return a.bed.decides(verdict.Decision{Point: "deploy.gate", Layer: verdict.LayerDeploy, Subject: q.Artifact, Service: q.Service, Environment: q.Environment}, a.gate(q)), nil
}

// hooked is a server that a bell is joined to, on a real ledger.
type hooked struct {
	t     *testing.T
	now   time.Time
	key   *evidence.KeyFile
	db    *store.Store
	led   *ledger.Ledger
	bell  *bell
	asker *asking
	hooks *Webhooks
	http  *httptest.Server
	made  int
}

func newHooked(t *testing.T) *hooked {
	t.Helper()
	at := t.TempDir()
	b := &hooked{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), bell: &bell{}}
	b.asker = &asking{bed: b, services: []Served{{Name: "house", Points: []string{"ci.secrets", "code.review"}}}, liars: map[string]bool{}}
	engine, err := sqlite.Open(t.Context(), filepath.Join(at, "ledger.db"), sqlite.Options{})
	b.must(err)
	b.db, err = store.New(t.Context(), engine)
	b.must(err)
	logKey, err := evidence.CreateLogKey(filepath.Join(at, "log.key"))
	b.must(err)
	b.key, err = evidence.CreateKey(filepath.Join(at, "local.key"))
	b.must(err)
	blobs, err := dir.Open(filepath.Join(at, "blobs"), dir.Options{Now: time.Now})
	b.must(err)
	b.led, err = ledger.Open(t.Context(), ledger.Options{Store: b.db, Blobs: blobs, LogKey: logKey, Signer: b.key, AnchorDir: filepath.Join(at, "anchor"), Now: time.Now, Rand: rand.Reader})
	b.must(err)
	t.Cleanup(func() { _ = b.led.Close() })
	e, err := identity.NewEnrolment("p1", b.key.PublicPEM())
	b.must(err)
	b.states(verdict.KindKey, e, verdict.Context{}, verdict.Subject{Kind: verdict.SubjectIdentity, Name: "key", Digest: verdict.NewDigest("sha256", strings.Repeat("0", 64))})
	b.join(Source{System: forge.GitHub, Hook: b.bell, Seal: [][]byte{[]byte("now"), []byte("before")}})
	return b
}

// join serves webhooks with one source, as the process does that begins after another.
func (b *hooked) join(s Source) {
	b.t.Helper()
	var err error
	b.hooks, err = NewWebhooks(WebhookOptions{
		Sources: map[string]Source{"bell": s}, Store: b.db, Records: b.led, Asker: b.asker, Summary: func(d verdict.Decision) string { return "# " + d.ID },
		Page: func(id string) string { return "https://verdict.test/why/" + id }, Now: func() time.Time { return b.now }, Rand: rand.Reader,
	})
	b.must(err)
	public, _ := url.Parse("http://verdict.test")
	server, err := New(Options{Ledger: b.led, Store: b.db, Auth: people, Now: time.Now, Rand: rand.Reader, PublicURL: public})
	b.must(err)
	b.hooks.Mount(server)
	b.http = httptest.NewServer(server.Handler())
	b.t.Cleanup(b.http.Close)
}

func (b *hooked) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *hooked) states(kind verdict.Kind, predicate any, c verdict.Context, subjects ...verdict.Subject) ledger.Entry {
	b.t.Helper()
	c.At = time.Now()
	s, err := evidence.New(kind, subjects, predicate, c, nil)
	b.must(err)
	x, err := evidence.Sign(context.Background(), s, b.key)
	b.must(err)
	e, err := b.led.Append(context.Background(), x)
	b.must(err)
	return e
}

// decides records a decision of the outcome.
func (b *hooked) decides(d verdict.Decision, o verdict.Outcome) verdict.Decision {
	b.t.Helper()
	b.made++
	d.ID, d.Mode, d.Outcome, d.Enforced, d.At = fmt.Sprintf("d-%06d", b.made), verdict.ModeBlock, o, o, time.Now().UTC().Truncate(time.Microsecond)
	b.states(verdict.KindDecision, d, verdict.Context{Service: d.Service, Environment: d.Environment, Point: d.Point}, d.Subject)
	return d
}

func (b *hooked) approves(d string, about verdict.Subject) {
	b.t.Helper()
	b.states(verdict.KindApproval, verdict.Approval{ID: "a-" + d, Step: verdict.StepApprove, Decision: d, Subject: about.Digest, By: "p1", Created: time.Now(), Expires: time.Now().Add(time.Hour)}, verdict.Context{Service: "house"}, about)
}

const headCommit = "1111111111111111111111111111111111111111"

func change() verdict.Subject {
	return verdict.Subject{Kind: verdict.SubjectChange, Name: "house", Digest: verdict.NewDigest("gitCommit", headCommit)}
}

func image(n string) verdict.Subject {
	return verdict.Subject{Kind: verdict.SubjectArtifact, Name: "registry.example/house", Digest: verdict.NewDigest("sha256", strings.Repeat(n, 64))}
}

// event is one about the commit; kinds that ask have what they need.
func event(kind forge.EventKind) forge.Event {
	return forge.Event{Kind: kind, Name: "a." + string(kind), Repo: "acme/house", Address: "https://forge.example/acme/house", Commit: headCommit, Environment: "production", Requester: forge.Account{ID: "7", Login: "jane"}}
}

// deliver sends an event, and gives status and body of the answer.
func (b *hooked) deliver(id string, e forge.Event, head ...string) (int, string) {
	b.t.Helper()
	body, err := json.Marshal(e)
	b.must(err)
	return b.send(id, string(body), head...)
}

func (b *hooked) send(id, body string, head ...string) (int, string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.http.URL+"/webhooks/bell", strings.NewReader(body))
	b.must(err)
	r.Header.Set("X-Id", id)
	r.Header.Set("X-Secret", bellSecret)
	for i := 0; i+1 < len(head); i += 2 {
		r.Header.Set(head[i], head[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	b.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	b.must(err)
	return resp.StatusCode, string(text)
}

// works does all the work that is due now, and says how many turns it took.
func (b *hooked) works() int {
	b.t.Helper()
	for n := 0; ; n++ {
		worked, err := b.hooks.Turn(b.t.Context(), "w")
		b.must(err)
		if !worked {
			return n
		}
		if n > 200 {
			b.t.Fatal("the work has no end")
		}
	}
}

// later lets time pass and works.
func (b *hooked) later(d time.Duration) int {
	b.now = b.now.Add(d)
	return b.works()
}

// kept is the row of a delivery.
func (b *hooked) kept(id string) store.Delivery {
	b.t.Helper()
	var d store.Delivery
	b.must(b.db.View(b.t.Context(), func(v *store.View) (err error) {
		found := false
		if d, found, err = v.Delivery(b.t.Context(), "bell", id); err == nil && !found {
			err = errors.New("no such delivery: " + id)
		}
		return err
	}))
	return d
}
