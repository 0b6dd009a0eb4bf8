package admission

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
)

// Appender records evidence; a Ledger is one.
type Appender interface {
	// Append records a bundle durably.
	Append(ctx context.Context, b *evidence.Bundle) (ledger.Entry, error)
}

// Record is the predicate of admission/v1: what was answered to one cluster about one
// environment in a minute. Equal answers are one row with their number.
type Record struct {
	Cluster     string    `json:"cluster"`
	Environment string    `json:"environment"` // empty: namespaces that none claims
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	Rows        []Row     `json:"rows"`
	// Folded counts answers of which only the number was kept, because there were too many
	// different ones.
	Folded int64 `json:"folded"`
	// Lost counts answers of earlier minutes that could not be recorded.
	Lost int64 `json:"lost"`
}

// Row is one answer about one image, and how often it was given.
type Row struct {
	Namespace string          `json:"namespace"`
	Workload  string          `json:"workload"` // what controls the object, else the object
	Image     string          `json:"image"`
	Digest    verdict.Digest  `json:"digest"`
	Answer    string          `json:"answer"`
	Outcome   verdict.Outcome `json:"outcome"` // of the facts
	Allowed   bool            `json:"allowed"` // what the mode let through
	Mode      verdict.Mode    `json:"mode"`
	Decision  string          `json:"decision"`
	Service   string          `json:"service"`
	Requester string          `json:"requester"`
	Kind      string          `json:"requester_kind"`
	Count     int64           `json:"count"`
}

// pointID is the point of the map that asks what is answered here.
const pointID = "deploy.admission"

const (
	recordEvery = time.Minute
	maxRows     = 10_000 // different ones that are kept of a minute
	rowsAtOnce  = 500    // of one statement: each can be about a digest of its own
	maxWaiting  = 64     // records that wait because the ledger takes none
	lastWords   = 5 * time.Second
)

type recordKey struct{ cluster, environment string }

// recorder counts answers, and records them once a minute in the background. Nobody who asks
// waits for it. What was answered since the last record is lost when the process is killed:
// the audit log of the cluster has it, in the annotations of the answers.
type recorder struct {
	o Options

	mu     sync.Mutex // guards what follows
	since  time.Time  // of the first answer that is counted
	rows   map[recordKey]map[Row]int64
	size   int // different rows
	folded map[recordKey]int64

	waiting []*Record    // the goroutine of run alone: what could not be recorded yet
	lost    int64        // likewise
	gone    atomic.Int64 // all that were lost, for Stats
}

func newRecorder(o Options) *recorder {
	return &recorder{o: o, rows: map[recordKey]map[Row]int64{}, folded: map[recordKey]int64{}}
}

// records reports whether anything is recorded at all.
func (r *recorder) records() bool { return r.o.Ledger != nil && r.o.Signer != nil }

func (r *recorder) add(a *Answer) {
	if !r.records() {
		return
	}
	key := recordKey{a.Cluster, a.Environment}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size == 0 && len(r.folded) == 0 {
		r.since = r.o.Now()
	}
	for _, f := range a.Findings {
		row := Row{
			Namespace: a.Namespace, Workload: a.workload, Image: f.Image, Digest: f.Digest, Answer: f.Answer, Outcome: f.Outcome, Allowed: a.Allowed, Mode: a.Mode,
			Decision: f.Decision, Service: f.Service, Requester: a.Requester.Person, Kind: a.Requester.Kind,
		}
		of := r.rows[key]
		if _, known := of[row]; !known && r.size >= maxRows {
			r.folded[key]++ // of as many as there are clusters in the map
			continue
		} else if !known {
			r.size++
		}
		if of == nil {
			of = map[Row]int64{}
			r.rows[key] = of
		}
		of[row]++
	}
}

// run records until ctx ends, and then once more.
func (r *recorder) run(ctx context.Context) {
	for r.records() {
		pause(ctx, recordEvery)
		if ctx.Err() != nil {
			last, stop := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
			r.flush(last)
			stop()
			return
		}
		r.flush(ctx)
	}
}

// flush records what was counted, and what waits.
func (r *recorder) flush(ctx context.Context) {
	r.waiting = append(r.waiting, r.take()...)
	if over := len(r.waiting) - maxWaiting; over > 0 {
		for _, x := range r.waiting[:over] {
			r.lost += x.answers()
			r.gone.Add(x.answers())
		}
		r.waiting = slices.Clone(r.waiting[over:])
	}
	for len(r.waiting) > 0 {
		x := r.waiting[0]
		x.Lost = r.lost
		if err := r.record(ctx, x); err != nil {
			r.o.Logger.Warn("what was admitted is not recorded yet", "error", err, "records", len(r.waiting))
			return
		}
		r.waiting, r.lost = r.waiting[1:], 0
	}
}

// answers is how many answers a record is of.
func (x *Record) answers() int64 {
	n := x.Folded + x.Lost
	for _, row := range x.Rows {
		n += row.Count
	}
	return n
}

// take gives what was counted as records, in an order that stays, and begins anew.
func (r *recorder) take() (out []*Record) {
	r.mu.Lock()
	rows, folded, since := r.rows, r.folded, r.since
	r.rows, r.folded, r.size = map[recordKey]map[Row]int64{}, map[recordKey]int64{}, 0
	r.mu.Unlock()
	for key := range folded {
		if rows[key] == nil {
			rows[key] = map[Row]int64{}
		}
	}
	now := r.o.Now()
	for key, of := range rows {
		all := make([]Row, 0, len(of))
		for row, n := range of {
			row.Count = n
			all = append(all, row)
		}
		slices.SortFunc(all, func(a, b Row) int {
			return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Workload, b.Workload), strings.Compare(a.Image, b.Image), strings.Compare(a.Answer, b.Answer), strings.Compare(a.Requester, b.Requester), strings.Compare(a.Decision, b.Decision))
		})
		for first := true; first || len(all) > 0; first = false {
			n := min(len(all), rowsAtOnce)
			x := &Record{Cluster: key.cluster, Environment: key.environment, From: since.UTC(), To: now.UTC(), Rows: all[:n]}
			if first {
				x.Folded = folded[key]
			}
			out, all = append(out, x), all[n:]
		}
	}
	slices.SortFunc(out, func(a, b *Record) int {
		return cmp.Or(strings.Compare(a.Environment, b.Environment), strings.Compare(a.Cluster, b.Cluster))
	})
	return out
}

// record signs a record and appends it. It is about each digest in it, and about the cluster.
func (r *recorder) record(ctx context.Context, x *Record) error {
	sum := sha256.Sum256([]byte("kubernetes:" + x.Cluster))
	subjects := []verdict.Subject{{Kind: verdict.SubjectResource, Name: "kubernetes/" + x.Cluster, Digest: verdict.NewDigest("sha256", hex.EncodeToString(sum[:]))}}
	seen := map[verdict.Digest]bool{}
	for _, row := range x.Rows {
		if row.Digest != "" && !seen[row.Digest] {
			seen[row.Digest] = true
			name, _, _ := strings.Cut(row.Image, "@")
			subjects = append(subjects, verdict.Subject{Kind: verdict.SubjectArtifact, Name: name, Digest: row.Digest})
		}
	}
	s, err := evidence.New(verdict.KindAdmission, subjects, x, verdict.Context{
		Environment: x.Environment, Point: pointID, Service: x.service(), Actor: r.o.Actor, At: x.To, Retention: "ops",
	}, r.o.Rand)
	if err != nil {
		return fmt.Errorf("state what was admitted to %s: %w", x.Environment, err)
	}
	b, err := evidence.Sign(ctx, s, r.o.Signer)
	if err != nil {
		return fmt.Errorf("sign what was admitted to %s: %w", x.Environment, err)
	}
	if _, err = r.o.Ledger.Append(ctx, b); err != nil {
		return fmt.Errorf("record what was admitted to %s: %w", x.Environment, errors.Join(err, ctx.Err()))
	}
	return nil
}

// service is the one that all of a record is of; empty where it is of several.
func (x *Record) service() (service string) {
	for i, row := range x.Rows {
		if i > 0 && row.Service != service {
			return ""
		}
		service = row.Service
	}
	return service
}
