package ledger

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"sort"
	"testing"

	"golang.org/x/sync/errgroup"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/store"
)

// The set that where is measured on: artifacts of about listedEach components each, of
// packages as unequally popular as they are, in versions that move with time.
const (
	listedEach = 263
	packages   = 30_000
	atOnce     = 2048 // statements of one commit: what many bills list is looked up once
)

// FillBills appends the bills of n artifacts, and says of the last running of them that
// they run. Each statement is signed, and its rows are written as those of any other; what
// it lists comes from a generator and not from its body. private is a key that the ledger
// knows; nil: a new one is enrolled.
func FillBills(tb testing.TB, l *Ledger, n, running int, private *ecdsa.PrivateKey) {
	tb.Helper()
	ctx := context.Background()
	var items []*prepared
	var err error
	if private == nil {
		if private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			tb.Fatal(err)
		}
		enrolment, err := identity.NewEnrolment("p1", evidence.PublicPEM(&private.PublicKey))
		if err != nil {
			tb.Fatal(err)
		}
		text := fmt.Sprintf(`{"action":%q,"key":%q,"person":"p1","public_key":%q,`, enrolment.Action, enrolment.Key, enrolment.PublicPEM)
		items = append(items, l.fill(tb, private, verdict.KindKey, text, 0, &enrolment))
	}
	g := newListing(n)
	var written errgroup.Group
	written.SetLimit(1) // in their order, while the next ones are made
	flush := func() {
		r := &request{items: items}
		written.Go(func() error {
			_, err := l.enqueue(ctx, r)
			return err
		})
		items = nil
	}
	if len(items) > 0 {
		flush()
	}
	l.folding.Store(true) // what is folded is folded at the end, in few passes
	for i := range n {
		x := l.fill(tb, private, verdict.KindSBOM, fmt.Sprintf(`{"n":%d,`, i), i, nil)
		x.bill = &store.Bill{
			To: store.Open, About: binary.BigEndian.AppendUint64(make([]byte, 8), uint64(i)), Source: store.BillSource{Producer: x.entry.Producer, Service: fmt.Sprint("s", i%1000)},
			Inventory: "complete", Listed: listedEach, Components: g.list(i),
		}
		if items = append(items, x); len(items) == atOnce {
			flush()
		}
	}
	for i := n - running; i < n; i++ {
		text := fmt.Sprintf(`{"decision":"d-%d","environment":"e%d","service":"s%d","name":"img","digest":"sha256:%064x","at":"2026-03-01T12:00:00Z",`, i, i%3, i, i)
		if items = append(items, l.fill(tb, private, verdict.KindDeployment, text, i, nil)); len(items) == atOnce {
			flush()
		}
	}
	if len(items) > 0 {
		flush()
	}
	if err := written.Wait(); err != nil {
		tb.Fatal(err)
	}
	l.folding.Store(false)
	for more := true; more; {
		if more, err = l.store.Fold(ctx, foldEvery); err != nil {
			tb.Fatal(err)
		}
	}
}

// listing generates what artifacts are built from.
type listing struct {
	random *mathrand.Rand
	weight []float64 // summed up
	n      int
}

func newListing(n int) *listing {
	g := &listing{random: mathrand.New(mathrand.NewPCG(1, 2)), n: n}
	sum := 0.0
	for r := range packages {
		sum += math.Pow(float64(r+1), -0.9)
		g.weight = append(g.weight, sum)
	}
	return g
}

// list is what the i-th artifact lists.
func (g *listing) list(i int) []store.Component {
	seen := map[int]bool{}
	out := make([]store.Component, 0, listedEach)
	for len(out) < listedEach {
		p := sort.SearchFloat64s(g.weight, g.random.Float64()*g.weight[packages-1])
		if seen[p] {
			continue
		}
		seen[p] = true
		versions := 3 + 12/(1+p/200)
		at := (float64(i)/float64(g.n) + g.random.Float64()*0.3) / 1.3
		out = append(out, store.Component{Ecosystem: "npm", Name: PackageName(p), Version: fmt.Sprintf("1.%d.0", int(at*float64(versions))), Licence: "MIT"})
	}
	return out
}

// PackageName is the package of a popularity, from 0 for the most popular one.
func PackageName(rank int) string { return fmt.Sprintf("package-%d", rank) }
