package decide

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"verdict"
)

// judge says how well a fact is known, and what would make it known.
func judge(f *Fact, s *Stated, aside []Stated, maxAge time.Duration, now time.Time) {
	f.Remedy = cmp.Or(f.Remedy, remedyFor(*f))
	switch {
	case s == nil && len(aside) > 0:
		f.State = verdict.StateMissing
		last := aside[len(aside)-1]
		f.Why = fmt.Sprintf("stated only by %s, which the map does not trust with it", last.Ref.Producer)
		f.Remedy = "have a trusted producer state it, or add the signer to `trust:` in the map"
		if len(last.Elsewhere) > 0 {
			f.Why += " here, but in " + strings.Join(last.Elsewhere, ", ")
			f.Remedy = "add this environment to `environments:` of its entry under trust: in the map; an entry without environments trusts it everywhere with what is the same everywhere, such as " + f.Need
		}
	case s == nil:
		f.State, f.Why = verdict.StateMissing, "nobody has stated it for this subject"
	case s.Unreadable != "":
		f.State, f.Why = verdict.StateUnknown, "the statement cannot be read: "+s.Unreadable
	case s.Known != nil && s.Known.State != verdict.StateVerified:
		f.State, f.Why, f.Remedy = worse(s.Known.State), s.Known.Why, cmp.Or(s.Known.Remedy, f.Remedy)
	case s.Report != nil && !s.Report.Complete:
		f.State, f.Why, f.Remedy = verdict.StateFailed, unchecked(s.Report), remedyIncomplete(s.Report)
	case s.Report == nil && s.Known == nil && s.Fails:
		f.State, f.Why = verdict.StateFailed, cmp.Or(s.Against, "what was stated speaks against the subject")
	case s.Decided != nil && !s.Decided.Expires.IsZero() && !now.Before(s.Decided.Expires):
		f.State, f.Why = verdict.StateStale, "the decision expired at "+s.Decided.Expires.UTC().Format(time.RFC3339)
	case age(s, now) < -maxSkew || s.Ref.At.Sub(now) > maxSkew:
		f.State, f.Why = verdict.StateUnknown, fmt.Sprintf("it is from %s, which lies ahead of this machine's clock: its age cannot be told", later(dataTime(s), s.Ref.At).Format(time.RFC3339))
		f.Remedy = "set the clock of this machine, or of the one that stated it, right; then have it stated again"
	case maxAge > 0 && age(s, now) > maxAge:
		f.State = verdict.StateStale
		f.Why = fmt.Sprintf("its data is from %s, older than %s allows", dataTime(s).Format(time.DateOnly), days(maxAge))
		if s.Report != nil && s.Report.Source != "" {
			f.Remedy = "have " + s.Report.Source + " update its data and run again"
		} else if s.Report != nil && s.Report.Database != nil {
			f.Remedy = "run `verdict advisories update`, then `verdict ci` again"
		}
	default:
		f.State = verdict.StateVerified
	}
}

// matchedRemedies bring what is not known of an artifact's vulnerabilities: its bill is matched
// again when a gate is asked, and not by verdict ci.
var matchedRemedies = map[verdict.State]string{
	verdict.StateMissing: "have its bill of materials matched with current advisories: `verdict advisories update`, then ask again",
	verdict.StateStale:   "have its bill of materials matched with current advisories: `verdict advisories update`, then ask again",
	verdict.StateFailed:  "record a bill of materials that names all of it by package URLs (`verdict attest sbom FILE --subject REF`), or bring the advisories that it lacks (`verdict advisories update`), then ask again",
}

// dataTime is the moment that freshness rests on: that of the database behind a check,
// else that of the statement.
func dataTime(s *Stated) time.Time {
	if s.Report != nil && s.Report.Database != nil {
		return s.Report.Database.At
	}
	return s.Ref.At
}

// maxSkew is how far the clocks of two machines may be apart, and with them what happens
// at one time. Evidence that lies further ahead would look fresh for as long as it does,
// so it is unknown. A decision further from its record, or one that did not look at what
// was recorded longer before it, was kept back or chose its time: gathering and recording
// are moments apart.
const maxSkew = 5 * time.Minute

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func age(s *Stated, now time.Time) time.Duration { return now.Sub(dataTime(s)) }

func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("max_age %dd", d/(24*time.Hour))
	}
	return "max_age " + d.String()
}

// unchecked names the first thing that kept a check from being complete.
func unchecked(r *verdict.Report) string {
	for i, n := range r.NotChecked {
		if !n.Blocks {
			continue
		}
		rest := 0
		for _, m := range r.NotChecked[i+1:] {
			if m.Blocks {
				rest++
			}
		}
		out := n.Reason
		if n.Path != "" && n.Path != "." {
			out = n.Path + ": " + n.Reason
		}
		if rest > 0 {
			out += fmt.Sprintf(" (and %d more)", rest)
		}
		return out
	}
	return "the check did not finish"
}

func remedyIncomplete(r *verdict.Report) string {
	if r.Source != "" {
		return "mend what " + r.Source + " could not check, have it run again and its report recorded: `verdict ci` where the map says how it runs, else `verdict attest`"
	}
	if r.Check == "vulnerabilities" && r.Database == nil {
		return "run `verdict advisories update`, or `verdict advisories import DIR` with OSV records, then `verdict ci` again"
	}
	return "mend what could not be checked (`verdict ci -o json` lists all of it under not_checked), or state what is never built as `verdict help false-positives` shows, then run `verdict ci` again"
}

func remedyFor(f Fact) string {
	switch f.Need {
	case needChange, string(verdict.KindOwnership):
		return "run `verdict ci` on this commit"
	case string(verdict.KindChangeReview):
		return "run `verdict ci` where the forge can be asked: in the pipeline of the pull or merge request, with its token, or with --request ID"
	}
	if f.Own {
		return "run `verdict ci` on this subject"
	}
	if f.Producer == "" {
		return fmt.Sprintf("record it: `verdict attest %s --subject SUBJECT FILE`", f.Need)
	}
	return fmt.Sprintf("have %s state it, or record it: `verdict attest %s --subject SUBJECT FILE`", f.Producer, f.Need)
}
