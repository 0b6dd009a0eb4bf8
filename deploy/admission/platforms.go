package admission

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"verdict"
	"verdict/ledger"
)

// What is promoted is often the index of several platforms, and what a cluster is told to run
// one of its manifests: by their digests the two have nothing in common. Which manifests an
// index names is recorded as evidence of kind image, whose first subject is the index.

// within is somebody's word that an index names a manifest.
type within struct {
	index    verdict.Digest
	producer string
}

// maxWithin is how many indexes are kept of one manifest.
const maxWithin = 64

// parts are the manifests of indexes.
type parts struct {
	mu sync.RWMutex // guards of
	of map[verdict.Digest][]within
}

// names takes what an entry of kind image says.
func (p *parts) names(e ledger.Entry) {
	if len(e.Subjects) < 2 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	w := within{e.Subjects[0].Digest, e.Producer}
	for _, manifest := range e.Subjects[1:] {
		known := p.of[manifest.Digest]
		if len(known) < maxWithin && manifest.Digest != w.index && !slices.Contains(known, w) {
			p.of[manifest.Digest] = append(slices.Clip(known), w) // copied: somebody may be reading it
		}
	}
}

// images takes what is recorded of images between two positions.
func (s *set) images(ctx context.Context, log Log, from, to ledger.Position) error {
	for before := int64(0); ; {
		page, err := log.Find(ctx, ledger.Query{Kind: verdict.KindImage, From: int64(from), At: to, Before: before, Limit: pageOf})
		if err != nil {
			return fmt.Errorf("read which manifests indexes name: %w", err)
		}
		for _, e := range page {
			s.parts.names(e)
		}
		if len(page) < pageOf {
			return nil
		}
		before = page[len(page)-1].Index
	}
}

// byIndex gives the promotions of the indexes that name a manifest, where whoever says that they
// do may state images of the service that was promoted. Of a manifest about which the gate was
// asked itself there are none: that answer holds.
func (s *set) byIndex(environment string, manifest verdict.Digest) (out []*Promotion, indexes []verdict.Digest) {
	s.parts.mu.RLock()
	known := s.parts.of[manifest]
	s.parts.mu.RUnlock()
	for _, w := range known {
		for x := s.about(environment, w.index); x != nil; x = x.also {
			if s.engine.StatesImages(w.producer, x.Service, ledger.Position(s.applied.Load())) {
				out, indexes = append(out, x), append(indexes, w.index)
			}
		}
	}
	return out, indexes
}

// standingIn gives the promotion of an index by which one of its manifests may go in; nil where
// there is none.
func (s *set) standingIn(environment string, manifest verdict.Digest, now time.Time) (*Promotion, verdict.Digest) {
	all, indexes := s.byIndex(environment, manifest)
	for i, p := range all {
		if p.stands(now) {
			return p, indexes[i]
		}
	}
	return nil, ""
}

// wasLetIn gives the decision that once let in an index that names the manifest; nil where none did.
func (s *set) wasLetIn(environment string, manifest verdict.Digest) *Promotion {
	all, _ := s.byIndex(environment, manifest)
	for _, p := range all {
		if p.Let != "" {
			return p
		}
	}
	return nil
}
