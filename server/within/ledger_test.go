package within_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/blob/dir"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/store"
	"verdict/store/sqlite"
)

// log is a ledger to which a test adds what two teams state.
type log struct {
	*ledger.Ledger
	t   testing.TB
	key *evidence.KeyFile
	n   int
}

// newLog is a ledger in which a key is enrolled, as entry 0.
func newLog(t testing.TB) *log {
	t.Helper()
	folder := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	engine, err := sqlite.Open(context.Background(), filepath.Join(folder, "ledger.db"), sqlite.Options{})
	must(err)
	db, err := store.New(context.Background(), engine)
	must(err)
	logKey, err := evidence.CreateLogKey(filepath.Join(folder, "log.key"))
	must(err)
	key, err := evidence.CreateKey(filepath.Join(folder, "local.key"))
	must(err)
	blobs, err := dir.Open(filepath.Join(folder, "blobs"), dir.Options{Now: time.Now})
	must(err)
	l, err := ledger.Open(context.Background(), ledger.Options{Store: db, Blobs: blobs, LogKey: logKey, Signer: key, AnchorDir: filepath.Join(folder, "anchor"), Now: time.Now, Rand: rand.Reader})
	must(err)
	t.Cleanup(func() { _ = l.Close() })
	b := &log{Ledger: l, t: t, key: key}
	enrolled, err := identity.NewEnrolment("p1", key.PublicPEM())
	must(err)
	b.states(verdict.KindKey, enrolled, verdict.Context{}, "key "+key.KeyID())
	return b
}

func subject(name string) verdict.Subject {
	d, err := evidence.DigestsOf(strings.NewReader(name))
	if err != nil {
		panic(err)
	}
	return verdict.Subject{Kind: verdict.SubjectArtifact, Name: name, Digest: d[0]}
}

func (b *log) signed(kind verdict.Kind, predicate any, c verdict.Context, about string) *evidence.Bundle {
	b.t.Helper()
	c.At = time.Now()
	s, err := evidence.New(kind, []verdict.Subject{subject(about)}, predicate, c, rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	x, err := evidence.Sign(context.Background(), s, b.key)
	if err != nil {
		b.t.Fatal(err)
	}
	return x
}

func (b *log) states(kind verdict.Kind, predicate any, c verdict.Context, about string) ledger.Entry {
	b.t.Helper()
	e, err := b.Append(context.Background(), b.signed(kind, predicate, c, about))
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

// tested states that a thing was tested.
func (b *log) tested(service, team, environment string) ledger.Entry {
	b.t.Helper()
	b.n++
	return b.states(verdict.KindTestResult, map[string]int{"n": b.n}, verdict.Context{Service: service, Team: team, Environment: environment}, fmt.Sprint("thing ", b.n))
}

// came is evidence of somebody else, in the context of its arrival and from another log.
func (b *log) came(service, team string, index int64) ledger.Entry {
	b.t.Helper()
	foreign := b.signed(verdict.KindTestResult, map[string]int64{"came": index}, verdict.Context{Service: "any"}, "came")
	e, err := b.IngestAll(context.Background(), b.key, []ledger.Arrival{{
		Bundle: foreign, Producer: evidence.Producer{Key: b.key.KeyID()}, Origin: "other.example", Index: index, Context: verdict.Context{Service: service, Team: team, At: time.Now()},
	}})
	if err != nil {
		b.t.Fatal(err)
	}
	return e[0]
}

func (b *log) decided(id, service, team, environment string) ledger.Entry {
	b.t.Helper()
	d := verdict.Decision{ID: id, Point: "deploy.gate", Subject: subject("image of " + service), Service: service, Team: team, Environment: environment, Outcome: verdict.Allow, Enforced: verdict.Allow, At: time.Now()}
	return b.states(verdict.KindDecision, d, verdict.Context{Service: service, Team: team, Environment: environment, Point: d.Point}, d.Subject.Name)
}

func (b *log) deployed(service, team, environment string) ledger.Entry {
	b.t.Helper()
	about := subject("image of " + service)
	return b.states(verdict.KindDeployment, verdict.Deployment{Environment: environment, Service: service, Name: "img", Digest: about.Digest, At: time.Now()},
		verdict.Context{Service: service, Team: team, Environment: environment}, about.Name)
}

// billed states what an image of a service is made of.
func (b *log) billed(service, team, component string) ledger.Entry {
	b.t.Helper()
	return b.states(verdict.KindSBOM, json.RawMessage(`{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{"type":"application","name":"a","bom-ref":"a"}},"components":[{"type":"library","name":"x","purl":"pkg:npm/`+component+`@1.0.0"}],"compositions":[{"aggregate":"complete","assemblies":["a"]}]}`),
		verdict.Context{Service: service, Team: team}, "image of "+service)
}
