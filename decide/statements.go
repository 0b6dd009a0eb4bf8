package decide

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"verdict"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/ledger"
)

// lookup is one search for statements, and what came of it beside them.
type lookup struct {
	need     string
	about    verdict.Subject
	ofCommit bool // decisions about the commit of an artifact, for the service that is decided on

	cut       bool     // there are more than were read
	elsewhere []string // services that it was decided for instead
}

// lookupFor is the search for a need: about the subject, or for what an earlier layer decided
// about the commit that the subject was built from.
func (e *Engine) lookupFor(r Request, p decisionmap.Point, need string, commit verdict.Digest) *lookup {
	if e.early(r, p, need) {
		return &lookup{need: need, about: verdict.Subject{Kind: verdict.SubjectChange, Digest: commit}, ofCommit: true}
	}
	return &lookup{need: need, about: r.Subject}
}

// statements lists what was said about a subject for a need: a check's reports, the
// decisions of an earlier point, or statements of a kind.
func (e *Engine) statements(ctx context.Context, r Request, q *lookup, at ledger.Position) (out []Stated, err error) {
	if q.about.Digest == "" {
		return nil, nil
	}
	kind, check, point := e.Map.Evidence(q.need)
	entries, err := e.find(ctx, ledger.Query{Subject: q.about.Digest, Kind: kind, Point: point, At: at, Limit: perNeed})
	if err != nil {
		return nil, fmt.Errorf("find %s of %s: %w", q.need, q.about.Digest, err)
	}
	q.cut = len(entries) == perNeed
	for _, entry := range entries {
		if e.ofAnother(entry.Index, check) {
			continue
		}
		s := Stated{Ref: entry.Ref(), Rank: e.rank(entry.Producer, q.need, r, at)}
		if s.Rank == Untrusted && r.Environment != "" {
			s.Elsewhere = e.Map.Elsewhere(e.signerOf(entry.Producer, at), q.need, r.Service)
		}
		if kind == verdict.KindDecision && entry.Foreign {
			s.Rank = Untrusted // a decision taken elsewhere is a claim; it is taken again here
		}
		told, err := e.said(ctx, entry.Index)
		if err != nil {
			s.Unreadable, s.Gone = err.Error(), true
			out = append(out, s)
			continue
		}
		if entry.Foreign && !entry.Beside && told.statement != nil && told.statement.PredicateType == evidence.StoredBill {
			told.bill, told.unread = nil, errors.New("the bill of materials lies beside its statement, in the ledger that it came from")
		}
		if !s.read(told, check, point, q.about) || !e.covers(s.Report, r.Service) || !joinedHere(s, e.here) {
			continue
		}
		if d := s.Decided; d != nil && !q.decidedFor(d.Service, r) {
			q.elsewhere = append(q.elsewhere, cmp.Or(d.Service, "the repository as a whole"))
			continue
		} else if d != nil {
			if err := e.heldHere(ctx, &s, r, at); err != nil {
				return nil, err
			}
		}
		if s.Built != nil {
			e.knowBuilder(&s, r, at)
		}
		s.Primary = s.Report != nil && producer(e.Map, q.need) == cmp.Or(s.Report.Source, decisionmap.OwnSource)
		out = append(out, s)
	}
	return out, nil
}

// decidedFor reports whether a decision that was taken for a service counts for the one that
// is decided on: what was checked as a part of one says nothing of another, also where both
// are built from one repository. A plan that was judged as a whole is that of every service.
func (q *lookup) decidedFor(service string, r Request) bool {
	return service == r.Service || service == "" && !q.ofCommit && r.Subject.Kind == verdict.SubjectPlan
}

// elsewhereMissing says of a decision about the subject that it was taken for another service.
func elsewhereMissing(f *Fact, elsewhere []string, r Request) {
	if f.State != verdict.StateMissing || len(elsewhere) == 0 {
		return
	}
	f.Why = fmt.Sprintf("it was decided for %s, and not for %s", services(elsewhere), cmp.Or(r.Service, "the repository as a whole"))
	switch r.Subject.Kind {
	case verdict.SubjectArtifact:
		f.Remedy = fmt.Sprintf("where it is a part of that service too, have it decided for it: `verdict artifact trust %s --service %s`", r.Subject.Digest, r.Service)
	case verdict.SubjectPlan:
		f.Remedy = fmt.Sprintf("have it judged for that service: `verdict plan check FILE --service %s`", r.Service)
	}
}

// services lists them for people, each once.
func services(all []string) string {
	all = slices.Clone(all)
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

// covers reports whether a report that read a part of a commit read all that belongs to
// the service that is decided on. One that read all of it covers every service.
func (e *Engine) covers(r *verdict.Report, service string) bool {
	if r == nil || len(r.Scope.Paths) == 0 {
		return true
	}
	s, known := e.Map.Services[service]
	return known && len(s.Folders()) > 0 && !slices.ContainsFunc(s.Folders(), func(p string) bool {
		return !slices.ContainsFunc(r.Scope.Paths, func(read string) bool { return read == "." || p == read || strings.HasPrefix(p, read+"/") })
	})
}

// read takes what the statement says of its subject. It is false for a statement of the
// kind that speaks about another check.
func (s *Stated) read(told said, check, point string, about verdict.Subject) bool {
	if told.failure != nil {
		s.Unreadable = told.failure.Error()
		return true
	}
	statement := told.statement
	if point != "" {
		if told.decided == nil {
			return false
		}
		if told.unread != nil {
			s.Unreadable = told.unread.Error()
		}
		s.Fails, s.Decided = told.decided.Outcome != verdict.Allow, told.decided
		return true
	}
	report, ok := told.report, told.report != nil
	switch {
	case check != "" && (!ok || report.Check != check):
		return false
	case check == "" && ok && statement.Kind() == verdict.KindTestResult:
		return false // a check of ours answers the need of its own name, and no other
	case ok:
		s.Report, s.found, s.Fails = report, told.found, len(report.Hits) > 0 || !report.Complete
		s.Unreadable = incoherent(report)
		if report.Change != nil {
			s.Known, s.JoinedBy = &report.Change.Knowledge, report.Change.Map
		}
	case s.readCode(statement):
	case s.readArtifact(told, about):
	default:
		s.Fails = !passed(statement)
	}
	return true
}

// anotherDigest gives the digest by which a document says that it is about something else; ""
// where it says nothing that can be compared.
func anotherDigest(said []verdict.Digest, about verdict.Subject) verdict.Digest {
	var other verdict.Digest
	for _, ours := range append([]verdict.Digest{about.Digest}, about.Also...) {
		for _, d := range said {
			switch {
			case d == ours:
				return ""
			case d.Algorithm() == ours.Algorithm():
				other = d
			}
		}
	}
	return other
}

// incoherent says why a report cannot be judged as it stands; "" when it can.
func incoherent(r *verdict.Report) string {
	if r.Check == needChange && r.Change == nil {
		return "it tells nothing of the change"
	}
	if r.Check == needPlan && r.Plan == nil {
		return "it tells nothing of the plan"
	}
	if r.Check != string(verdict.KindVulnerabilities) {
		return ""
	}
	for _, h := range r.Hits {
		if h.Vulnerability == nil {
			return fmt.Sprintf("its finding %.80q names no vulnerability", h.Key)
		}
	}
	return ""
}

// passed reads the result that predicates of others state: in-toto test results and
// verification summaries. A kind that states no result says nothing against its subject.
func passed(s *evidence.Statement) bool {
	var p struct {
		Result             string `json:"result"`
		VerificationResult string `json:"verificationResult"`
	}
	switch s.Kind() {
	case verdict.KindTestResult:
		return s.Decode(&p) == nil && p.Result == "PASSED"
	case verdict.KindVSA:
		return s.Decode(&p) == nil && p.VerificationResult == "PASSED"
	}
	return true
}

// rank is the place of the first trust entry that lets the producer state the need
// about the service that is decided on: what service the statement names for itself
// gives no right.
func (e *Engine) rank(producer, need string, r Request, at ledger.Position) int {
	s := e.signerOf(producer, at)
	if rank := e.Map.Rank(s, need, r.Service, r.Environment); rank >= 0 {
		return rank
	}
	return Untrusted
}
