//go:build unix

package cluster

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/server/wire"
)

// load is what pipelines do: each states evidence, and repeats it until it is acknowledged,
// by whichever replica.
type load struct {
	t        *testing.T
	key      *evidence.KeyFile
	replicas []*replica
	stop     atomic.Bool
	inFlight atomic.Int64
	turn     atomic.Int64
	wait     sync.WaitGroup

	mu      sync.Mutex
	acked   map[int64]verdict.Digest // guarded by mu, by index
	twice   []int64                  // guarded by mu
	repeats int                      // guarded by mu: requests that were no acknowledgement
	last    error                    // guarded by mu
	wrong   map[string]int           // guarded by mu: answers after which a pipeline gives up
}

func (h *house) load(writers int, replicas ...*replica) *load {
	h.t.Helper()
	key, err := evidence.OpenKey(h.signer())
	if err != nil {
		h.t.Fatal(err)
	}
	x := &load{t: h.t, key: key, replicas: replicas, acked: map[int64]verdict.Digest{}, wrong: map[string]int{}}
	for range writers {
		x.wait.Go(func() {
			for !x.stop.Load() {
				x.one()
			}
		})
	}
	return x
}

// one states one piece of evidence, to its end.
func (x *load) one() {
	n := x.turn.Add(1)
	b, err := x.statement(n)
	if err != nil {
		x.t.Error(err)
		return
	}
	x.inFlight.Add(1)
	defer x.inFlight.Add(-1)
	for again := range int64(400) {
		index, err := x.post(x.replicas[(n+again)%int64(len(x.replicas))], b)
		x.mu.Lock()
		if err == nil {
			if _, known := x.acked[index]; known {
				x.twice = append(x.twice, index)
			}
			x.acked[index] = b.PayloadDigest()
			x.mu.Unlock()
			return
		}
		x.repeats++
		x.last = err
		var answer refused
		// While the database is away nobody can be signed in, and many such requests are slowed.
		if errors.As(err, &answer) && answer.status != http.StatusServiceUnavailable && answer.status != http.StatusTooManyRequests {
			x.wrong[answer.Error()]++
		}
		x.mu.Unlock()
		time.Sleep(50 * time.Millisecond)
	}
	x.t.Errorf("a statement was never acknowledged: %v", x.last)
}

func (x *load) statement(n int64) (*evidence.Bundle, error) {
	d, err := evidence.DigestsOf(bytes.NewReader(fmt.Appendf(nil, "artifact %d", n%50)))
	if err != nil {
		return nil, err
	}
	about := verdict.Subject{Kind: verdict.SubjectArtifact, Name: "shop", Digest: d[0]}
	c := verdict.Context{Service: "shop", Point: "ci.tests", Run: fmt.Sprint(n), Actor: "load", At: time.Now().UTC().Truncate(time.Microsecond), Retention: "change"}
	predicate := map[string]any{"result": "PASSED", "run": n}
	if n%50 == 0 { // too large for a row: its body is a blob
		noise := make([]byte, 300<<10)
		if _, err := rand.Read(noise); err != nil {
			return nil, err
		}
		predicate["report"] = noise
	}
	s, err := evidence.New(verdict.KindTestResult, []verdict.Subject{about}, predicate, c, rand.Reader)
	if err != nil {
		return nil, err
	}
	return evidence.Sign(context.Background(), s, x.key)
}

// post sends it to one replica, and gives where it was recorded.
func (x *load) post(r *replica, b *evidence.Bundle) (int64, error) {
	q, err := http.NewRequest(http.MethodPost, "http://"+r.listen+"/api/v1/evidence", bytes.NewReader(b.JSON()))
	if err != nil {
		return 0, err
	}
	token, err := r.bearer()
	if err != nil {
		return 0, err
	}
	q.Header.Set("Content-Type", wire.BundleType)
	q.Header.Set("Authorization", "Bearer "+token)
	a, err := client.Do(q)
	if err != nil {
		return 0, err
	}
	defer a.Body.Close()
	body, err := io.ReadAll(io.LimitReader(a.Body, 1<<20))
	if err != nil {
		return 0, err
	}
	if newer, err := r.bearer(); a.StatusCode == http.StatusUnauthorized && err == nil && newer != token {
		return 0, fmt.Errorf("%s began anew meanwhile", r.name)
	}
	if a.StatusCode != http.StatusOK {
		return 0, refused{a.StatusCode, string(body)}
	}
	var recorded wire.Recorded
	if err := json.Unmarshal(body, &recorded); err != nil || len(recorded.Entries) != 1 {
		return 0, fmt.Errorf("an answer of %d entries: %w", len(recorded.Entries), err)
	}
	return recorded.Entries[0].Index, nil
}

func (x *load) acknowledged() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.acked)
}

// more waits until n more were acknowledged, and until requests are in flight then.
func (x *load) more(n int) (inFlight int64) {
	x.t.Helper()
	want := x.acknowledged() + n
	for until := time.Now().Add(90 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if x.acknowledged() >= want {
			if f := x.inFlight.Load(); f > 0 {
				return f
			}
		}
		if time.Now().After(until) {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.t.Fatalf("only %d of %d were acknowledged: %v", len(x.acked), want, x.last)
		}
	}
}

// end lets the writers come to their end.
func (x *load) end() {
	x.stop.Store(true)
	x.wait.Wait()
	// A pipeline tries again what is said to be unavailable, and fails at anything else.
	for what, n := range x.wrong {
		x.t.Errorf("%d times a writer was told: %s", n, what)
	}
	for _, r := range x.replicas {
		for line := range strings.Lines(r.said.String()) {
			if len(x.wrong) > 0 && strings.Contains(line, "level=ERROR") {
				x.t.Logf("%s: %s", r.name, line)
			}
		}
	}
	if len(x.twice) > 0 {
		x.t.Errorf("entries %v were acknowledged for two statements", x.twice)
	}
}
