package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/ledger"
)

// chart is the map of these tests: one cluster with two environments and what nobody claims.
const chart = `schema: verdict/v1
organization: acme
environments:
  staging: {tier: staging, admission_fail: open, kubernetes: [{cluster: aks, namespaces: [web-staging]}]}
  prod: {tier: prod, promote_from: staging, exposure: internet, data: internal, blast_radius: service, rollback: required, kubernetes: [{cluster: aks, namespaces: [web, pay]}]}
people:
  jane: {teams: [web], accounts: {kubernetes: jane@acme.example}}
break_glass: {who: [jane], requires: [incident, rationale, expiry], max_validity: 4h, review_within: 24h, notify: [web]}
points:
  - {id: deploy.gate, mode: block}
  - {id: deploy.admission, mode: MODE}
trust:
  - {name: gate, key: gate, kinds: ["*"], services: ["*"], environments: ["*"]}
  - {name: gate, key: "` + gateKey + `", kinds: [promotion], services: ["*"], environments: ["*"]}
`

const (
	gateKey    = "5tkCFUPJ0lyE7cVmuSN9Xg8XWHqQYf6kG1yQhRJxg3g="
	strangeKey = "AAAAFUPJ0lyE7cVmuSN9Xg8XWHqQYf6kG1yQhRJxg3g="
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func digest(c string) verdict.Digest { return verdict.NewDigest("sha256", strings.Repeat(c, 64)) }

func image(c string) string { return "ghcr.io/acme/web@" + string(digest(c)) }

// memory is a log that is made by hand.
type memory struct {
	mu     sync.Mutex
	rows   []ledger.SignedDecision
	kinds  map[int64]verdict.Kind
	images []ledger.Entry
	size   ledger.Position
	at     time.Time // when the last entry was recorded
	broken error
	wake   chan struct{}
}

func (m *memory) Position(context.Context) (ledger.Position, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.size, m.broken
}

func (m *memory) Find(_ context.Context, q ledger.Query) ([]ledger.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q.Kind == "" && m.size > 0 {
		return []ledger.Entry{{Index: int64(m.size) - 1, At: m.at}}, m.broken
	}
	if q.Kind == verdict.KindImage {
		found := slices.DeleteFunc(slices.Clone(m.images), func(e ledger.Entry) bool {
			return e.Index < q.From || e.Index >= int64(q.At) || q.Before > 0 && e.Index >= q.Before
		})
		slices.Reverse(found)
		return found, m.broken
	}
	for i, k := range m.kinds {
		if k == q.Kind && i >= q.From && i < int64(q.At) {
			return []ledger.Entry{{Index: i, Kind: k}}, m.broken
		}
	}
	return nil, m.broken
}

func (m *memory) SignedDecisions(_ context.Context, point, environment string, from, to ledger.Position) (out []ledger.SignedDecision, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if r.Point == point && r.Environment == environment && r.Index >= int64(from) && r.Index < int64(to) && len(out) < pageOf {
			out = append(out, r)
		}
	}
	return out, m.broken
}

func (m *memory) Wait(ctx context.Context, after ledger.Position) (ledger.Position, error) {
	for {
		m.mu.Lock()
		size, wake := m.size, m.wake
		m.mu.Unlock()
		if size > after {
			return size, nil
		}
		select {
		case <-ctx.Done():
			return size, ctx.Err()
		case <-wake:
		}
	}
}

// decided appends what a gate answered.
func (m *memory) decided(id, environment, c string, o verdict.Outcome, change ...func(*ledger.SignedDecision)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := ledger.SignedDecision{Producer: gateKey, DecisionRow: ledger.DecisionRow{
		ID: id, Index: int64(m.size), Point: "deploy.gate", Subject: digest(c), Name: "ghcr.io/acme/web", Service: "web", Environment: environment,
		Mode: verdict.ModeBlock, Outcome: o, Enforced: o, At: noon, Replaced: -1,
	}}
	for _, f := range change {
		f(&r)
	}
	m.rows = append(m.rows, r)
	m.grow()
}

func (m *memory) grow() {
	m.size++
	close(m.wake)
	m.wake = make(chan struct{})
}

func (m *memory) happened(k verdict.Kind) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kinds[int64(m.size)] = k
	m.grow()
}

// indexed appends somebody's word that an index names manifests.
func (m *memory) indexed(producer, index string, manifests ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := ledger.Entry{Index: int64(m.size), Kind: verdict.KindImage, Producer: producer, Subjects: []verdict.Subject{{Digest: digest(index)}}}
	for _, c := range manifests {
		e.Subjects = append(e.Subjects, verdict.Subject{Digest: digest(c)})
	}
	m.images = append(m.images, e)
	m.grow()
}

func (m *memory) breaks(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = err
}

// bed is an admission over such a log, with a clock that is set by hand.
type bed struct {
	*Admission
	log *memory
	now time.Time
	m   *decisionmap.Map
}

func loaded(t testing.TB, mode string, more ...string) *decisionmap.Map {
	t.Helper()
	text := strings.Replace(chart, "MODE", mode, 1) + strings.Join(more, "\n")
	m, err := decisionmap.Load("acme.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func newBed(t testing.TB, mode string, more ...string) *bed {
	t.Helper()
	b := &bed{log: &memory{kinds: map[int64]verdict.Kind{}, wake: make(chan struct{})}, now: noon, m: loaded(t, mode, more...)}
	var err error
	b.Admission, err = New(Options{
		Log: b.log, Now: func() time.Time { return b.now },
		Basis: func(context.Context, ledger.Position) (Basis, error) { return Basis{Map: b.m, Who: whoOf(b.m)}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// whoOf finds people as the map names them.
func whoOf(m *decisionmap.Map) func(string) *verdict.Requester {
	return func(username string) *verdict.Requester {
		for id, p := range m.People {
			if slices.Contains(p.Accounts["kubernetes"], username) {
				return &verdict.Requester{Person: id, Kind: "person", Known: true, Teams: p.Teams}
			}
		}
		return &verdict.Requester{Person: "unknown-kubernetes-1", Kind: "person", Teams: []string{}}
	}
}

func (b *bed) caughtUp(t testing.TB) *bed {
	t.Helper()
	if err := b.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// asks gives the answer to a request as it goes over the wire.
func (b *bed) asks(t testing.TB, r *Request) *Answer {
	t.Helper()
	r.UID = "u-1"
	body, err := json.Marshal(map[string]any{"apiVersion": reviewVersion, "kind": reviewKind, "request": r})
	if err != nil {
		t.Fatal(err)
	}
	read, err := ReadReview(body)
	if err != nil {
		t.Fatal(err)
	}
	a, err := b.Answer("aks", read)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// creates is a request to make a deployment of images.
func creates(namespace string, images ...string) *Request {
	return &Request{Operation: "CREATE", Kind: GroupKind{"apps", "v1", "Deployment"}, Namespace: namespace, Name: "web", UserInfo: UserInfo{Username: "jane@acme.example"}, Object: deploymentOf(images...)}
}

func deploymentOf(images ...string) json.RawMessage {
	return json.RawMessage(`{"kind":"Deployment","metadata":{"name":"web"},"spec":{"template":` + podOf(images...) + `}}`)
}

func podOf(images ...string) string {
	var list []string
	for i, image := range images {
		list = append(list, fmt.Sprintf(`{"name":"c%d","image":%q}`, i, image))
	}
	return `{"spec":{"containers":[` + strings.Join(list, ",") + `]}}`
}

var errDown = errors.New("the database does not answer")

// kept is a ledger that keeps what it is given.
type kept struct {
	mu   sync.Mutex
	said []*evidence.Statement
	down atomic.Bool
}

func (k *kept) Append(_ context.Context, b *evidence.Bundle) (ledger.Entry, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.down.Load() {
		return ledger.Entry{}, errDown
	}
	s, err := b.Statement()
	k.said = append(k.said, s)
	return ledger.Entry{}, err
}
