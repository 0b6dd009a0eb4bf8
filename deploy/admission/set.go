package admission

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/ledger"
)

// Promotion is what the gate of an environment decided last about a digest, for a service.
// One that was put into a set never changes.
type Promotion struct {
	Decision string          `json:"decision"`
	Index    int64           `json:"index"`
	Service  string          `json:"service"`
	Name     string          `json:"name"` // of the artifact, as the gate was asked
	Mode     verdict.Mode    `json:"mode"` // of the gate
	Outcome  verdict.Outcome `json:"outcome"`
	Enforced verdict.Outcome `json:"enforced"`
	At       time.Time       `json:"at"`
	Expires  time.Time       `json:"expires"` // zero: does not expire
	// Let is the id of the last decision that let the digest in; empty: none ever did. What
	// runs by it goes on, also when a later one says something else.
	Let string `json:"let,omitempty"`

	also *Promotion // of another service
}

// stands reports whether the digest may go in at t.
func (p *Promotion) stands(t time.Time) bool {
	return p.Outcome == verdict.Allow && (p.Expires.IsZero() || t.Before(p.Expires))
}

// place is a digest in an environment.
type place struct {
	environment string
	digest      verdict.Digest
}

// shards divide the promotions, so that who asks seldom meets who writes.
const shards = 64

type shard struct {
	mu sync.RWMutex // guards of
	of map[place]*Promotion
}

// set is the promotions of all environments of one map, in memory. What is of the map alone
// never changes: another map makes another set.
type set struct {
	judge
	places [shards]shard
	names  struct {
		mu sync.RWMutex            // guards of
		of map[name]verdict.Digest // what was let in last
	}
	parts   parts             // manifests of indexes
	words   map[string]string // of decisions, each kept once; the follower's own
	counts  map[signer]bool   // whose promotions count; the follower's own. A key that is enrolled makes another set
	applied atomic.Int64      // position up to which decisions are in the set
}

type name struct{ environment, repository string }

// signer is somebody who decides about a service in an environment.
type signer struct{ producer, service, environment string }

// judge is what of a map admission reads.
type judge struct {
	m       *decisionmap.Map
	who     func(username string) *verdict.Requester
	engine  *decide.Engine // of Map and KeyName alone: see decide.Engine.Promotes
	gate    decisionmap.Point
	point   decisionmap.Point
	claimed map[string][]string // cluster and namespace → environments
	// clusters are those that the map names: who asks in the name of another is not answered.
	clusters map[string]bool
}

// Basis is what the decisions of a set are counted by, at a position of the log.
type Basis struct {
	Map *decisionmap.Map
	// KeyName gives the name under which a key was enrolled before a position.
	KeyName func(keyID string, at ledger.Position) string
	// Who finds the person of the map whose account of Kubernetes asks; somebody who is not
	// known has a word that names nobody.
	Who func(username string) *verdict.Requester
}

func newSet(b Basis) *set {
	s := &set{words: map[string]string{}, counts: map[signer]bool{}, judge: judge{m: b.Map, who: b.Who, engine: &decide.Engine{Map: b.Map, KeyName: b.KeyName}, claimed: map[string][]string{}, clusters: map[string]bool{}}}
	s.gate, _ = b.Map.PromotionPoint()
	s.point, _ = b.Map.AdmissionPoint()
	for i := range s.places {
		s.places[i].of = map[place]*Promotion{}
	}
	s.names.of, s.parts.of = map[name]verdict.Digest{}, map[verdict.Digest][]within{}
	for _, e := range b.Map.Environments {
		for _, c := range e.Kubernetes {
			s.clusters[c.Cluster] = true
			for _, n := range c.Namespaces {
				s.claimed[c.Cluster+"/"+n] = b.Map.Placed(c.Cluster, n)
			}
		}
	}
	return s
}

// placed lists the environments that a namespace of a cluster belongs to.
func (s *set) placed(cluster, namespace string) []string {
	named, all := s.claimed[cluster+"/"+namespace], s.claimed[cluster+"/"+decisionmap.All]
	switch {
	case namespace == "" || namespace == decisionmap.All: // no namespace is called so
		return nil
	case len(named) == 0:
		return all
	}
	return named // with those that claim all of the cluster among them: see Map.Placed
}

// take puts a decision into the set, where its signer may take it.
func (s *set) take(row ledger.SignedDecision, at ledger.Position) {
	by := signer{row.Producer, row.Service, row.Environment}
	may, known := s.counts[by]
	if !known {
		may = s.engine.Promotes(s.gate, row.Producer, row.Service, row.Environment, at)
		s.counts[by] = may
	}
	if !may {
		return
	}
	p := &Promotion{
		Decision: row.ID, Index: row.Index, Service: s.word(row.Service), Name: s.word(row.Name), Mode: verdict.Mode(s.word(string(row.Mode))),
		Outcome: verdict.Outcome(s.word(string(row.Outcome))), Enforced: verdict.Outcome(s.word(string(row.Enforced))), At: row.At, Expires: row.Expires,
	}
	here := place{s.word(row.Environment), row.Subject}
	sh := s.shard(here)
	sh.mu.Lock()
	sh.put(here, p)
	sh.mu.Unlock()
	if p.Outcome == verdict.Allow {
		s.names.mu.Lock()
		s.names.of[name{here.environment, s.word(repository(p.Name))}] = row.Subject
		s.names.mu.Unlock()
	}
}

// put links the promotion in: the last of its service replaces the one before.
func (s *shard) put(at place, p *Promotion) {
	var others []*Promotion
	for was := s.of[at]; was != nil; was = was.also {
		if was.Service == p.Service {
			p.Let = was.Let
		} else {
			others = append(others, was)
		}
	}
	if p.Outcome == verdict.Allow {
		p.Let = p.Decision
	}
	for _, o := range slices.Backward(others) { // copied: somebody may be reading them
		was := *o
		was.also, p.also = p.also, &was
	}
	s.of[at] = p
}

func (s *set) word(w string) string {
	if known, ok := s.words[w]; ok {
		return known
	}
	w = strings.Clone(w)
	s.words[w] = w
	return w
}

func (s *set) shard(at place) *shard {
	d := at.digest
	n := 0
	for i := max(0, len(d)-4); i < len(d); i++ {
		n = n*31 + int(d[i])
	}
	return &s.places[n%shards]
}

// about gives what was decided about a digest in an environment, the newest first; nil where
// nothing was.
func (s *set) about(environment string, digest verdict.Digest) *Promotion {
	at := place{environment, digest}
	sh := s.shard(at)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.of[at]
}

// standing gives the promotion by which a digest may go in, else the newest decision about
// it, nil where there is none.
func (s *set) standing(environment string, digest verdict.Digest, now time.Time) (p *Promotion, stands bool) {
	newest := s.about(environment, digest)
	for x := newest; x != nil; x = x.also {
		if x.stands(now) {
			return x, true
		}
	}
	return newest, false
}

// wasLet gives the decision that once let a digest in; empty where none did.
func (s *set) wasLet(environment string, digest verdict.Digest) string {
	for x := s.about(environment, digest); x != nil; x = x.also {
		if x.Let != "" {
			return x.Let
		}
	}
	return ""
}

// newestOf gives the digest of a name that was let in last and may go in now.
func (s *set) newestOf(environment, repo string, now time.Time) (digest verdict.Digest, decision string) {
	s.names.mu.RLock()
	last := s.names.of[name{environment, repo}]
	s.names.mu.RUnlock()
	if p, stands := s.standing(environment, last, now); stands {
		return last, p.Decision
	}
	return "", ""
}

// elsewhere lists the environments in which a digest may go in, sorted.
func (s *set) elsewhere(digest verdict.Digest, now time.Time) (out []string) {
	for e := range s.m.Environments {
		if _, stands := s.standing(e, digest, now); stands {
			out = append(out, e)
		}
	}
	slices.Sort(out)
	return out
}
