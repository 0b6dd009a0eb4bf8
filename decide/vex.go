package decide

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/policy"
	"verdict/sbom"
)

// What somebody states of a vulnerability (VEX) never changes what was found. It stands
// beside the findings in the input, with who said it and whether it counts, and the rules
// say what follows. It is looked for in the ledger alone: a file of the tree is a part of
// the change, and a change cannot excuse itself.

// perFinding and perDecision bound how many statements that do not count are told: anybody
// may record some, and they may not fill up the input.
const (
	perFinding  = 3
	perDecision = 300
	// strangers is how many documents of untrusted signers are read to be told.
	strangers = 50
)

// vexDocument is one recorded document.
type vexDocument struct {
	ref        verdict.Ref
	rank       int
	unreadable string
	gone       bool // the ledger no longer gives its body
	*vexRead        // nil where it is unreadable
}

// vexRead is what a document says.
type vexRead struct {
	doc  *sbom.VEX
	byID map[string][]int // the statements about a vulnerability, by its folded id
}

// vexSaid is one statement that speaks of a finding.
type vexSaid struct {
	sbom.VEXStatement
	from *vexDocument
	at   time.Time // by which of two statements the newer is told
	why  string    // it does not count; "" when it does
}

// fillVEX puts what is stated of the findings beside them. found are the reports that they
// are from.
func (e *Engine) fillVEX(ctx context.Context, r Request, found []Stated, m moment, g *gathered) error {
	v := &g.input.Vulnerabilities
	if len(v.Findings) == 0 {
		return nil
	}
	docs, err := e.vexDocuments(ctx, r, m.seen, g)
	if err != nil || len(docs) == 0 {
		return err
	}
	ours := sbom.Ours{Digests: append([]verdict.Digest{r.Subject.Digest}, r.Subject.Also...), Service: r.Service, Repo: e.Map.Services[r.Service].Repo}
	age := time.Duration(e.Map.MaxAge(decisionmap.Need{Kind: string(verdict.KindVEX)}))
	var finders []string
	for _, s := range found {
		finders = append(finders, s.Ref.Producer)
	}
	used, room := map[int64]verdict.Ref{}, perDecision
	for _, f := range v.Findings {
		var said []vexSaid
		for i := range docs {
			said = append(said, docs[i].speaksOf(f, ours, finders, age, m.now)...)
		}
		counts, aside := weigh(said)
		if counts != nil {
			v.VEX = append(v.VEX, counts.input(f.Key))
			used[counts.from.ref.Index] = counts.from.ref
		}
		for _, s := range aside[:min(len(aside), perFinding, room)] {
			v.VEX = append(v.VEX, s.input(f.Key))
			room--
		}
	}
	for _, ref := range used {
		if !slices.ContainsFunc(g.refs, func(x verdict.Ref) bool { return x.Index == ref.Index }) {
			g.refs = append(g.refs, ref)
		}
	}
	return nil
}

// vexDocuments lists the documents that were recorded about the subject itself, and about
// the service that is decided on, oldest first. What was recorded about another commit and
// names no service speaks of that commit alone.
func (e *Engine) vexDocuments(ctx context.Context, r Request, at ledger.Position, g *gathered) ([]vexDocument, error) {
	queries := []ledger.Query{{Subject: r.Subject.Digest, Kind: verdict.KindVEX, At: at, Limit: perNeed}}
	if r.Service != "" {
		queries = append(queries, ledger.Query{Service: r.Service, Kind: verdict.KindVEX, At: at, Limit: perNeed})
	}
	var docs []vexDocument
	read := 0 // of strangers
	for _, q := range queries {
		entries, err := e.find(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("find what is stated of vulnerabilities of %s: %w", r.Subject.Digest, err)
		}
		if len(entries) == perNeed {
			g.faults = append(g.faults, verdict.Fault{
				Code: "evidence.too-many", What: fmt.Sprintf("vex was stated %d times or more about this subject or its service, more than are weighed", perNeed),
				Remedy: "find out who states it over and over: verdict trail " + string(r.Subject.Digest),
			})
		}
		for _, entry := range entries {
			if slices.ContainsFunc(docs, func(d vexDocument) bool { return d.ref.Index == entry.Index }) {
				continue
			}
			rank := e.rank(entry.Producer, string(verdict.KindVEX), r, at)
			if rank == Untrusted {
				if read++; read > strangers {
					continue
				}
			}
			d := e.vexDocument(ctx, entry, rank)
			g.about = append(g.about, d.ref)
			if d.gone {
				g.pruned(e.Map, string(verdict.KindVulnerabilities), entry.Index, d.unreadable)
			}
			docs = append(docs, d)
		}
	}
	slices.SortFunc(docs, func(a, b vexDocument) int { return cmp.Compare(a.ref.Index, b.ref.Index) })
	return docs, nil
}

func (e *Engine) vexDocument(ctx context.Context, entry ledger.Entry, rank int) vexDocument {
	d := vexDocument{ref: entry.Ref(), rank: rank}
	told, err := e.said(ctx, entry.Index)
	d.gone = err != nil
	if err = cmp.Or(err, told.failure, told.unread); err != nil {
		d.unreadable = err.Error()
	}
	d.vexRead = told.vex
	return d
}

// readVEX reads a document that was recorded.
func readVEX(s *evidence.Statement) (*vexRead, error) {
	doc, err := sbom.ReadVEX(s.Body())
	if err != nil {
		return nil, err
	}
	d := &vexRead{doc: doc, byID: map[string][]int{}}
	for i, s := range doc.Statements {
		for _, id := range s.Vulnerabilities {
			id = strings.ToLower(id)
			d.byID[id] = append(d.byID[id], i)
		}
	}
	return d, nil
}

// about lists the statements about a finding, in the order of the document.
func (d *vexDocument) about(f policy.Finding) []sbom.VEXStatement {
	var at []int
	for _, id := range append([]string{f.ID}, f.Aliases...) {
		at = append(at, d.byID[strings.ToLower(id)]...)
	}
	slices.Sort(at)
	var out []sbom.VEXStatement
	for _, i := range slices.Compact(at) {
		out = append(out, d.doc.Statements[i])
	}
	return out
}

const otherProduct = "it names another product or component, or another version, than what is judged"

// speaksOf gives what a document says of a finding. One that cannot be read might say that
// it is affected, where its signer may say so.
func (d *vexDocument) speaksOf(f policy.Finding, ours sbom.Ours, finders []string, age time.Duration, now time.Time) (out []vexSaid) {
	if d.unreadable != "" {
		if d.rank != Untrusted && !slices.Contains(finders, d.ref.Producer) {
			out = append(out, vexSaid{VEXStatement: sbom.VEXStatement{Status: sbom.Affected}, from: d, at: d.ref.At})
		}
		return out
	}
	component, err := sbom.ParsePURL(f.PURL)
	if err != nil {
		return nil
	}
	for _, s := range d.about(f) {
		said := vexSaid{VEXStatement: s, from: d, at: s.At}
		switch {
		case d.rank == Untrusted:
			said.why = "the map does not trust its signer with vex"
		case slices.Contains(finders, d.ref.Producer):
			said.why = "its signer is the one that reported the vulnerability: another one has to state it"
		case !s.Covers(component, ours):
			said.why = otherProduct
		case s.At.Sub(d.ref.At) > maxSkew:
			said.why = fmt.Sprintf("it is dated %s, after it was recorded", s.At.UTC().Format(time.DateOnly))
		case s.Status.Excuses() && age > 0 && now.Sub(s.At) > age:
			said.why = fmt.Sprintf("it is from %s, older than %s of its source allows", s.At.UTC().Format(time.DateOnly), days(age))
		}
		out = append(out, said)
	}
	return out
}

// weigh gives the statement that counts of those about one finding: the newest by its own
// time, then by its place. As with every other evidence, who says that there is nothing to
// do takes back only what he or a weaker one said before; who says otherwise always
// counts. Beside it come the statements that would excuse and do not count, newest first.
func weigh(said []vexSaid) (counts *vexSaid, aside []vexSaid) {
	slices.SortStableFunc(said, func(a, b vexSaid) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.from.ref.Index, b.from.ref.Index))
	})
	var standing []*vexSaid
	for i := range said {
		s := &said[i]
		switch {
		case s.why != "":
			if s.Status.Excuses() {
				aside = append(aside, *s)
			}
		case !s.Status.Excuses():
			if s.from.unreadable != "" && counts != nil && counts.Status.Excuses() {
				hidden := *counts
				hidden.why = fmt.Sprintf("entry %d came after it, from a signer who is trusted with vex, and cannot be read: it may say otherwise", s.from.ref.Index)
				aside = append(aside, hidden)
			}
			standing, counts = append(standing, s), s
		default:
			if standing = slices.DeleteFunc(standing, func(x *vexSaid) bool { return s.from.rank <= x.from.rank }); len(standing) == 0 {
				counts = s
			}
		}
	}
	if counts != nil && counts.from.unreadable != "" {
		counts = nil
	}
	if counts != nil && counts.Status.Excuses() { // a document may well speak of several products
		aside = slices.DeleteFunc(aside, func(s vexSaid) bool { return s.why == otherProduct })
	}
	slices.Reverse(aside)
	return counts, aside
}

// input is the statement as the rules see it.
func (s vexSaid) input(key string) policy.VEX {
	impact := strings.Join(strings.Fields(s.Impact), " ")
	if len(impact) > maxImpact {
		impact = strings.ToValidUTF8(impact[:maxImpact], "") + "…"
	}
	return policy.VEX{
		Key: key, Counts: s.why == "", Status: string(s.Status), Justification: s.Justification, Impact: impact, By: s.from.ref.Producer,
		At: policy.TimeOf(s.At), Index: s.from.ref.Index, Evidence: s.from.ref.Digest, Why: s.why,
	}
}

// maxImpact bounds the reason of a statement in the input, in bytes.
const maxImpact = 300
