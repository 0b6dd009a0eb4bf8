package decide

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/semver"

	"verdict"
	"verdict/identity"
	"verdict/ledger"
)

// ExceptionRecord is an exception with the steps that persons took about it.
type ExceptionRecord struct {
	// Exception as it stands: ApprovedBy are the persons whose approval counts.
	verdict.Exception
	Needs int            `json:"needs"` // persons that have to approve it; one more where a reason is critical
	Steps []RecordedStep `json:"steps"` // in the order of the log
	Why   string         `json:"why"`   // it counts for nothing; "" when it can
	Refs  []verdict.Ref  `json:"-"`     // of the steps that count
	gone  string         // a step that can no longer be read
	filed identity.EnrolledKey
	keys  []identity.EnrolledKey // of the approvals that count
}

// RecordedStep is one statement about an exception.
type RecordedStep struct {
	verdict.Said
	Index int64  `json:"index"`
	Why   string `json:"why"` // it does not count; "" when it does
}

// The states of an exception.
const (
	ExceptionRequested = "requested"
	ExceptionActive    = "active"
	ExceptionExpired   = "expired"
	ExceptionRevoked   = "revoked"
	ExceptionVoid      = "void" // it counts for nothing
)

// State is how the exception stands at a time.
func (x ExceptionRecord) State(t time.Time) string {
	switch {
	case x.Why != "":
		return ExceptionVoid
	case !x.Revoked.IsZero() && !t.Before(x.Revoked):
		return ExceptionRevoked
	case !t.Before(x.Expires):
		return ExceptionExpired
	case len(x.ApprovedBy) < x.Needs:
		return ExceptionRequested
	}
	return ExceptionActive
}

// Exceptions lists those of a service and an environment in the order in which they were
// asked for; where one of the two is empty, of all.
func (p *Persons) Exceptions(ctx context.Context, service, environment string) ([]ExceptionRecord, error) {
	q := ledger.Query{Kind: verdict.KindException, Service: service}
	if service != "" && environment != "" {
		q = ledger.Query{Kind: verdict.KindException, Subject: verdict.DeploymentSubject(service, environment).Digest}
	}
	entries, err := p.all(ctx, q)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	steps, err := stepsOf(ctx, p, entries, func(s verdict.ExceptionStep) spoken {
		return spoken{s.By, s.At, s.SignedIn, s.Service, s.Terms().Environments}
	})
	if err != nil {
		return nil, err
	}
	var all []*ExceptionRecord
	for _, s := range steps {
		if s.said.Step != verdict.StepRevoke {
			s.doubted()
		}
		i := slices.IndexFunc(all, func(x *ExceptionRecord) bool { return x.ID == s.said.ID })
		switch {
		case i >= 0:
			if err := p.exceptionStep(ctx, all[i], s); err != nil {
				return nil, err
			}
		case s.said.Step == verdict.StepRequest || s.said.Step == "":
			all = append(all, p.requested(s))
		}
	}
	out := []ExceptionRecord{}
	for _, x := range all {
		if environment == "" || slices.Contains(x.Environments, environment) || x.gone != "" {
			out = append(out, *x)
		}
	}
	return out, nil
}

// requested is an exception as it is asked for.
func (p *Persons) requested(s step[verdict.ExceptionStep]) *ExceptionRecord {
	x := &ExceptionRecord{Exception: s.said.Terms(), Needs: p.accepters(s.said.Service), filed: s.key}
	why := s.why
	if why == "" {
		why = p.UnfitException(x.Exception)
	}
	if why == "" && x.Created.Sub(s.said.At).Abs() > maxSkew {
		why = "it says that it began at " + clock(x.Created) + ", and was signed at " + clock(s.said.At)
	}
	x.Why, x.Steps = why, []RecordedStep{{Said: s.said.Said, Index: s.entry.Index, Why: why}}
	x.Refs = []verdict.Ref{s.ref()}
	if s.gone {
		x.gone, x.ID = fmt.Sprintf("entry %d: %s", s.entry.Index, s.why), fmt.Sprintf("entry %d", s.entry.Index)
	}
	return x
}

// accepters is how many persons an exception for a service needs.
func (p *Persons) accepters(service string) int {
	if p.Critical(service) {
		return critical
	}
	return 1
}

// Critical reports whether so much hangs on a service that it takes two persons.
func (p *Persons) Critical(service string) bool {
	return strings.EqualFold(p.Map.Services[service].Tier, string(verdict.SeverityCritical))
}

// UnfitException says which limit of the map an exception breaks; "" when it keeps them.
func (p *Persons) UnfitException(x verdict.Exception) string {
	if why := longer(x.Created, x.Expires, p.Map.Exceptions.MaxValidity); why != "" {
		return why
	}
	if _, err := InRange(x.Versions, "0.0.0"); err != nil && x.Versions != "" {
		return err.Error()
	}
	if x.Service == "" || len(x.Environments) == 0 || x.Rule == "" || !x.Expires.After(x.Created) {
		return "it does not say which rule, where and until when"
	}
	if x.Rule == EvidenceMissing && len(x.Items) == 0 {
		return "it would accept that nothing is known: it does not name what may be missing"
	}
	return lacks(p.Map.Exceptions.Requires, map[string]bool{
		"rule": x.Rule != "", "scope": x.Service != "" && len(x.Environments) > 0 && (len(x.Digests) > 0 || x.Versions != ""),
		"rationale": x.Rationale != "", "owner": x.Owner != "", "expiry": !x.Expires.IsZero(), "ticket": x.Ticket != "", "controls": x.Controls != "",
		"requester": x.RequestedBy != "", "requested_by": x.RequestedBy != "", "items": len(x.Items) > 0,
	})
}

// exceptionStep takes a further step about an exception.
func (p *Persons) exceptionStep(ctx context.Context, x *ExceptionRecord, s step[verdict.ExceptionStep]) (err error) {
	why := s.why
	if why == "" && s.place.elsewhere(x.Service, x.Terms().Environments...) {
		why = otherPlace
	}
	if why == "" {
		switch s.said.Step {
		case verdict.StepApprove:
			why, err = p.unapprovedException(ctx, x, s.said, s.key, s.entry.Index)
		case verdict.StepRevoke:
			why = p.irrevocable(x, s.key.Person, s.said.Teams)
		default:
			why = "the id is taken by an earlier one"
		}
	}
	if err != nil {
		return err
	}
	x.Steps = append(x.Steps, RecordedStep{Said: s.said.Said, Index: s.entry.Index, Why: why})
	if s.gone {
		x.gone = fmt.Sprintf("entry %d: %s", s.entry.Index, s.why)
	}
	if why != "" {
		return nil
	}
	x.Refs = append(x.Refs, s.ref())
	if s.said.Step == verdict.StepRevoke {
		if x.Revoked.IsZero() {
			x.Revoked = s.said.At
		}
		return nil
	}
	x.ApprovedBy, x.keys = append(x.ApprovedBy, s.key.Person), append(x.keys, s.key)
	slices.Sort(x.ApprovedBy)
	return nil
}

// unapprovedException says why a person's yes to an exception does not count.
func (p *Persons) unapprovedException(ctx context.Context, x *ExceptionRecord, said verdict.ExceptionStep, key identity.EnrolledKey, index int64) (why string, err error) {
	switch {
	case digestOf(said.Terms()) != digestOf(x.Terms()):
		return "it is a yes to other terms than were asked for", nil
	case key.Person == x.RequestedBy || key.Person == x.filed.Person:
		return key.Person + " asked for it, and nobody accepts their own risk", nil
	case slices.Contains(x.ApprovedBy, key.Person):
		return key.Person + " approved it already", nil
	}
	if words := p.words(p.Map.Exceptions.Approvers, x.Service); len(words) > 0 {
		if why := p.unentitled(words, key.Person, said.Teams); why != "" {
			return why + ", who approve exceptions", nil
		}
	}
	for _, other := range append([]identity.EnrolledKey{x.filed}, x.keys...) {
		if other.ID == "" {
			continue
		}
		if why, err := p.one(ctx, key, other); why != "" || err != nil {
			return why + ", so the two do not count as two persons", err
		}
	}
	if why, err := p.oneWith(ctx, key, x.RequestedBy, index); why != "" || err != nil {
		return why + ", so the two do not count as two persons", err
	}
	return "", nil
}

// irrevocable says why a person may not revoke an exception. Who asked for it, who owns
// the risk and whoever may approve exceptions can: it only ever makes an answer stricter.
func (p *Persons) irrevocable(x *ExceptionRecord, person string, teams []string) string {
	if person == x.RequestedBy || person == x.filed.Person || person == x.Owner || slices.Contains(teams, x.Owner) {
		return ""
	}
	words := p.words(p.Map.Exceptions.Approvers, x.Service)
	if len(words) == 0 {
		return ""
	}
	return p.unentitled(words, person, teams)
}

// MayApproveException says why the person of a key cannot approve an exception now; "" when
// they can.
func (p *Persons) MayApproveException(ctx context.Context, x ExceptionRecord, key identity.EnrolledKey) (string, error) {
	size, err := p.Ledger.Position(ctx)
	if err != nil {
		return "", err
	}
	said := verdict.ExceptionStep{Exception: x.Exception, Said: verdict.Said{Teams: p.teamsOf(key.Person)}}
	return p.unapprovedException(ctx, &x, said, key, int64(size))
}

// MayRevokeException says why a person cannot revoke an exception; "" when they can.
func (p *Persons) MayRevokeException(x ExceptionRecord, person string) string {
	return p.irrevocable(&x, person, p.teamsOf(person))
}

// InRange reports whether a version is in a range: comparisons such as ">=1.2.0 <2" that
// all have to hold, or * for any version. Versions are those of semantic versioning, with
// or without v. An error means that one of the two is none.
func InRange(versions, version string) (bool, error) {
	if strings.TrimSpace(versions) == "*" {
		return true, nil
	}
	at := canonicalVersion(version)
	all := strings.FieldsFunc(versions, func(r rune) bool { return r == ' ' || r == ',' })
	if len(all) == 0 {
		return false, fmt.Errorf("%q is no range of versions", versions)
	}
	in := true
	for _, c := range all {
		text := strings.TrimLeft(c, "<>=")
		bound, op := canonicalVersion(text), strings.TrimSuffix(c, text)
		if bound == "" {
			return false, fmt.Errorf("%q is no range of versions: write comparisons like >=1.2.0 <2.0.0", versions)
		}
		holds, ok := map[string]func(int) bool{
			"<": func(c int) bool { return c < 0 }, "<=": func(c int) bool { return c <= 0 }, ">": func(c int) bool { return c > 0 },
			">=": func(c int) bool { return c >= 0 }, "=": func(c int) bool { return c == 0 }, "": func(c int) bool { return c == 0 },
		}[op]
		if !ok {
			return false, fmt.Errorf("%q is no comparison of versions: write <, <=, >, >= or =", c)
		}
		in = in && at != "" && holds(semver.Compare(at, bound))
	}
	if at == "" {
		return false, fmt.Errorf("%q is no version that can be compared", version)
	}
	return in, nil
}

// canonicalVersion is "" for what is no semantic version.
func canonicalVersion(v string) string { return semver.Canonical("v" + strings.TrimPrefix(v, "v")) }
