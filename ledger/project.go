package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/store"
)

// Rows that answer questions are a pure function of the statements, in their order:
// nothing else may be in them, so that anybody can compute them again. Only the time at
// which an entry was recorded comes from outside; receipts bound it.

// projection is what one statement puts into the index, before it has a position.
type projection struct {
	entry     store.Entry // its columns, without position, signature and body
	foreign   *Ingestion
	subjects  []store.Subject
	decision  *store.Decision
	registers []store.Register
	run       *store.Run
	uses      []store.BlobUse
	bill      *store.Bill // of Ledger.listBill
}

// projectBundle computes the rows of a logged bundle.
func projectBundle(b *evidence.Bundle, signer string) (*projection, error) {
	s, err := b.Statement()
	if err != nil {
		return nil, err
	}
	return projectStatement(s, b, signer)
}

// projectStatement is projectBundle for a bundle whose statement was read already.
func projectStatement(s *evidence.Statement, b *evidence.Bundle, signer string) (*projection, error) {
	return project(s, b.PayloadSum(), signer)
}

// project computes the rows of a logged statement that signer signed.
func project(s *evidence.Statement, digest [32]byte, signer string) (*projection, error) {
	subjects, err := json.Marshal(s.Subjects)
	if err != nil {
		return nil, fmt.Errorf("subjects: %w", err)
	}
	c, _ := s.Context() // a statement without one answers no question about services
	p := &projection{entry: store.Entry{
		ToSeq: store.Open, Kind: string(s.Kind()), PredicateType: s.PredicateType, Producer: signer, Signer: signer,
		Service: c.Service, Team: c.Team, Environment: c.Environment, Point: c.Point, Run: c.Run, Actor: c.Actor, Said: said(c.At), Retention: c.Retention,
		Subjects: string(subjects), Digest: digest[:],
	}}
	identity := s.Identity(signer)
	if s.Kind() == verdict.KindIngestion {
		if identity, err = p.ingest(s); err != nil {
			return nil, err
		}
	}
	if p.entry.Identity, err = hexOf(identity); err != nil {
		return nil, err
	}
	if err := fits(s.Kind(), p.entry); err != nil {
		return nil, err
	}
	p.about(s.Subjects)
	if len(billed(verdict.Kind(p.entry.Kind), s.Subjects)) > 0 {
		p.entry.Bills = 1
	}
	if p.foreign != nil { // a claim: it decides, registers and releases nothing
		if d := p.foreign.Beside; d != "" {
			p.uses, p.entry.Blobs = []store.BlobUse{{Digest: string(d), To: store.Open, Role: roleBill}}, 1
		}
		return p, nil
	}
	p.uses = usesOf(s)
	p.entry.Blobs = int64(len(p.uses))
	switch k := s.Kind(); {
	case k == verdict.KindDecision:
		var from []verdict.Digest
		if p.decision, from, err = projectDecision(s); err == nil {
			err = p.madeFrom(from)
		}
	case k == verdict.KindDeployment || k == verdict.KindOutcome:
		p.run = projectRun(s)
	case registerKinds[k] != nil:
		var r store.Register
		if r, err = registerKinds[k](s); err == nil {
			r.Kind, r.To = string(k), store.Open
			p.registers = append(p.registers, r)
		}
	}
	return p, err
}

// maxWord bounds a word that is searched for: an engine has room for so much in a key.
// maxName bounds one that is only shown.
const (
	maxWord = 500
	maxName = 8 << 10
)

// fits reports words of an entry that no index can hold.
func fits(k verdict.Kind, e store.Entry) error {
	for _, w := range []string{e.PredicateType, e.Producer, e.Service, e.Team, e.Environment, e.Point, e.Run, e.Actor, e.Retention} {
		if err := word(string(k), w); err != nil {
			return err
		}
	}
	return nil
}

func word(of, w string) error {
	if len(w) > maxWord || strings.ContainsRune(w, 0) {
		return fmt.Errorf("%s: %.40q… is longer than %d bytes, or holds a NUL byte", of, w, maxWord)
	}
	return nil
}

func said(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return micros(t)
}

// ingest takes over what an ingestion says about the foreign statement.
func (p *projection) ingest(s *evidence.Statement) (verdict.Digest, error) {
	var in Ingestion
	if err := s.Decode(&in); err != nil {
		return "", fmt.Errorf("ingestion: %w", err)
	}
	if err := in.check(); err != nil {
		return "", err
	}
	payload, err := hexOf(in.Payload)
	if err != nil {
		return "", err
	}
	p.foreign, p.entry.Digest = &in, payload
	p.entry.Kind, p.entry.PredicateType = string(evidence.KindOf(in.PredicateType)), in.PredicateType
	p.entry.Producer = in.Producer.String()
	p.entry.ForeignDigest, p.entry.ForeignOrigin, p.entry.ForeignSeq = string(in.Bundle), in.Origin, in.Index
	return in.Identity, nil
}

// about adds one row for each digest that a subject has.
func (p *projection) about(subjects []verdict.Subject) {
	seen := make(map[verdict.Digest]bool, len(subjects))
	add := func(d verdict.Digest) {
		if d != "" && !seen[d] {
			seen[d] = true
			p.subjects = append(p.subjects, store.Subject{Digest: string(d), To: store.Open, Kind: p.entry.Kind})
		}
	}
	for _, s := range subjects {
		add(s.Digest)
		for _, d := range s.Also {
			add(d)
		}
	}
}

// maxFrom bounds what a decision says that its subject was made from.
const maxFrom = 16

// madeFrom adds a row for each digest that the subject of a decision was made from, so that
// whoever asks about a commit finds what was decided about its artifacts.
func (p *projection) madeFrom(from []verdict.Digest) error {
	if len(from) > maxFrom {
		return fmt.Errorf("decision: its subject was made from %d things, more than %d", len(from), maxFrom)
	}
	for _, d := range from {
		if _, err := verdict.ParseDigest(string(d)); err != nil {
			return fmt.Errorf("decision: %w", err)
		}
		if !slices.ContainsFunc(p.subjects, func(x store.Subject) bool { return x.Digest == string(d) }) {
			p.subjects = append(p.subjects, store.Subject{Digest: string(d), To: store.Open, Kind: p.entry.Kind})
		}
	}
	return nil
}

// at gives the rows their position and time.
func (p *projection) at(seq, at int64) {
	p.entry.Seq, p.entry.At = seq, at
	for i := range p.subjects {
		p.subjects[i].From = seq
	}
	if p.decision != nil {
		p.decision.From = seq
	}
	for i := range p.registers {
		p.registers[i].From = seq
	}
	if p.run != nil {
		p.run.From = seq
	}
	for i := range p.uses {
		p.uses[i].From = seq
	}
	if p.bill != nil {
		p.bill.From = seq
	}
}

func projectDecision(s *evidence.Statement) (*store.Decision, []verdict.Digest, error) {
	var d struct {
		ID          string           `json:"id"`
		Point       string           `json:"point"`
		Subject     verdict.Subject  `json:"subject"`
		Service     string           `json:"service"`
		Environment string           `json:"environment"`
		Mode        string           `json:"mode"`
		Outcome     string           `json:"outcome"`
		Enforced    string           `json:"enforced"`
		At          time.Time        `json:"at"`
		Expires     time.Time        `json:"expires"`
		From        []verdict.Digest `json:"from"`
	}
	if err := s.DecodeFields(&d, "id", "point", "subject", "service", "environment", "mode", "outcome", "enforced", "at", "expires", "from"); err != nil {
		return nil, nil, fmt.Errorf("decision: %w", err)
	}
	for _, w := range []string{d.Point, d.Service, d.Environment, d.Mode, d.Outcome, d.Enforced, string(d.Subject.Digest)} {
		if err := word("decision", w); err != nil {
			return nil, nil, err
		}
	}
	if len(d.Subject.Name) > maxName || strings.ContainsRune(d.Subject.Name, 0) {
		return nil, nil, fmt.Errorf("decision: the name of its subject is longer than %d bytes, or holds a NUL byte", maxName)
	}
	if d.ID == "" || len(d.ID) > maxID || strings.Trim(d.ID, idAlphabet) != "" || d.Point == "" || d.Subject.Digest == "" {
		return nil, nil, errors.New("a decision needs an id of letters, digits, dots and hyphens, a point, and a subject with a digest")
	}
	return &store.Decision{
		To: store.Open, ID: d.ID, Point: d.Point, Subject: string(d.Subject.Digest), Name: d.Subject.Name, Service: d.Service, Environment: d.Environment,
		Mode: d.Mode, Outcome: d.Outcome, Enforced: d.Enforced, At: said(d.At), Expires: said(d.Expires),
	}, d.From, nil
}

// maxID bounds what a statement may use as an id.
const maxID = 200

// registerKinds says for each kind that stands until it is replaced under which id it
// stands, and what it is about.
var registerKinds = map[verdict.Kind]func(*evidence.Statement) (store.Register, error){
	verdict.KindPolicyRelease: single,
	verdict.KindMapRelease:    single,
	verdict.KindReceipt:       single,
	verdict.KindEpoch:         single,
	verdict.KindException:     named,
	verdict.KindApproval:      named,
	verdict.KindBreakGlass:    named,
	verdict.KindHold:          named,
	verdict.KindModeChange:    named,
	verdict.KindRoleChange:    named,
	verdict.KindKey:           named,
	verdict.KindImage:         tagged,
}

// single is for a kind of which one statement holds at a time.
func single(*evidence.Statement) (store.Register, error) { return store.Register{}, nil }

// named is for a kind whose statements have an id each.
func named(s *evidence.Statement) (store.Register, error) {
	var x struct {
		ID       string `json:"id"`
		Key      string `json:"key"`
		Point    string `json:"point"`
		Decision string `json:"decision"`
		Service  string `json:"service"`
		Person   string `json:"person"`
	}
	if err := s.Decode(&x); err != nil {
		return store.Register{}, fmt.Errorf("%s: %w", s.Kind(), err)
	}
	r := store.Register{ID: first(x.ID, x.Key, x.Point, x.Person), About: first(x.Decision, x.Service, x.Person, x.Point)}
	if r.ID == "" {
		return store.Register{}, fmt.Errorf("%s: it has no id", s.Kind())
	}
	for _, w := range []string{r.ID, r.About} {
		if err := word(string(s.Kind()), w); err != nil {
			return store.Register{}, err
		}
	}
	return r, nil
}

// tagged is for what a registry said of an image: of each tag the last word stands, so that
// a tag that moved is told. An image without a tag stands under its digest.
func tagged(s *evidence.Statement) (store.Register, error) {
	var i verdict.Image
	if err := s.Decode(&i); err != nil {
		return store.Register{}, fmt.Errorf("%s: %w", s.Kind(), err)
	}
	id := i.Name + "@" + string(i.Digest)
	if i.Tag != "" {
		id = TagName(i.Name, i.Tag)
	}
	return store.Register{ID: id, About: id}, word(string(s.Kind()), id)
}

// TagName is what a tag of a repository stands under: what Standing takes for KindImage.
func TagName(name, tag string) string { return name + ":" + tag }

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}
