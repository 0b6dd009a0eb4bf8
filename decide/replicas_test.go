package decide_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"testing"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/store"
	"verdict/store/postgres"
	"verdict/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// Behind a load balancer the next question goes to another replica, which remembers what it
// saw itself. What one of them records counts on all the others at once: else a release is
// let in or held back by chance.
func TestReplicasOnPostgreSQLDecideAlike(t *testing.T) {
	dsn := storetest.Postgres(t)
	h := newHouseOn(t, t.TempDir(), chain(calm), func() (store.Engine, error) { return postgres.Open(context.Background(), dsn) })
	h.checkCommit("payments")
	h.built(artifact)
	first := h.ledger
	m, err := decisionmap.Load("verdict.yaml", []byte(chain(calm)))
	must(t, err)
	h.seasoned(calm) // its own decisions are those of the first replica
	ledgers, engines := []*ledger.Ledger{first}, []*decide.Engine{h.engine}
	for _, name := range []string{" of two", " of three"} {
		l := h.replica(name)
		ledgers = append(ledgers, l)
		engines = append(engines, &decide.Engine{Ledger: l, Map: m, Policy: h.engine.Policy, Signer: h.keys["local"], Now: h.engine.Now, Rand: rand.Reader, KeyName: h.keyName})
	}
	environments := []string{"dev", "staging", "production"}
	outcomes := map[verdict.Outcome]int{}
	alike := func(step string) {
		t.Helper()
		h.under(calm) // an engine that remembers nothing
		for _, environment := range environments {
			want, err := h.engine.Preview(h.ctx, h.asks(artifact, environment))
			must(t, err)
			outcomes[want.Outcome]++
			for i, e := range engines {
				got, err := e.Preview(h.ctx, h.asks(artifact, environment))
				if err != nil || got.Outcome != want.Outcome || got.Digests.Result != want.Digests.Result {
					t.Errorf("%s, %s: replica %d says %s %s, who begins says %s %s (%v)", step, environment, i, got.Outcome, rulesOf(got), want.Outcome, rulesOf(want), err)
				}
			}
		}
	}
	alike("at the beginning")
	writer := 0
	// on lets the next replica do something, and all of them answer afterwards.
	on := func(step string, do func()) {
		t.Helper()
		h.ledger, h.engine = ledgers[writer%3], engines[writer%3]
		writer++
		do()
		h.ledger = first
		h.now = h.now.Add(time.Minute)
		alike(fmt.Sprintf("%d: %s", writer, step))
	}
	for round := range 3 {
		on("promoted to dev", func() { h.gate(h.asks(artifact, "dev")) })
		on("promoted to staging", func() { h.gate(h.asks(artifact, "staging")) })
		on("observed", func() {
			h.observed(fmt.Sprintf(`{"id":"f-1","class":"misuse","state":"%s","round":%d}`, []string{"open", "closed"}[round%2], round))
		})
		on("checked again", func() { h.checkCommit("payments") })
		on("vulnerable", func() { h.matched(artifact, clean("vulnerabilities")) })
		h.now = h.now.Add(2 * time.Hour)
		on("promoted to production", func() { h.gate(h.asks(artifact, "production")) })
	}
	if len(outcomes) < 2 {
		t.Errorf("nothing made a difference: %v", outcomes)
	}
}
